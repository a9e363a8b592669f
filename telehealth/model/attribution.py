"""Whose a reading is: a pure function of what the reading says and of what was decided about its device.

What a reading says: a subject that it names, the number of a user on the device, its clinical time. What
was decided: assignments, seats, times of sharing, and moves by staff of all that a device brought of a
time. Repairs of single readings stand above all of this and are no concern of this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

#: A reading of uncertain time this near a change of whose it would be is nobody's until a person decides.
NEAR_A_CHANGE = timedelta(hours=1)

SeatKind = Literal["subject", "slot"]


class Seat(NamedTuple):
    """What a reading says of whose it is: the subject that it names, or else the user's number; or nothing."""

    kind: SeatKind | None = None
    label: str | None = None


NO_SEAT = Seat()


class Span(NamedTuple):
    """A time, [since, until); until None: without end. resident_id None: a time of sharing, whoever has it."""

    since: datetime
    until: datetime | None
    resident_id: int | None

    def holds(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)

    def near(self, at: datetime) -> bool:
        """Whether it begins or ends so near that the time of a doubtful clock cannot tell."""
        if abs(at - self.since) < NEAR_A_CHANGE:
            return True
        return self.until is not None and abs(at - self.until) < NEAR_A_CHANGE


@dataclass(frozen=True, slots=True)
class Move:
    """Staff moved everything of a device and a time from one resident to another; None: nobody.

    From nobody, only what said the same of whose it is.
    """

    since: datetime
    until: datetime
    before: int | None
    after: int | None
    seat: Seat = NO_SEAT

    def holds(self, at: datetime, whose: int | None, seat: Seat) -> bool:
        in_time = self.since <= at < self.until
        return in_time and whose == self.before and (whose is not None or seat == self.seat)


class Claims:
    """All that was decided about one device. Made for every device of every batch: cheap while there is little."""

    __slots__ = ("assignments", "moves", "seats", "shared")

    def __init__(self) -> None:
        self.assignments: list[Span] = []
        self.seats: dict[Seat, list[Span]] = {}
        self.shared: list[Span] = []
        #: In the order in which they were made.
        self.moves: list[Move] = []

    def seat_of(self, subject: str | None, slot: object, at: datetime) -> Seat:
        """What a reading says of whose it is, as far as it means anything on this device.

        A user's number means nothing before the first seat by number begins: until then the device is one person's.
        """
        if subject is not None:
            return Seat("subject", subject)
        if slot is None or not self.seats:
            return NO_SEAT
        begins = [span.since for seat, spans in self.seats.items() if seat.kind == "slot" for span in spans]
        return Seat("slot", str(slot)) if begins and min(begins) <= at else NO_SEAT

    def whose(self, at: datetime, *, uncertain: bool, subject: str | None, slot: object) -> tuple[int | None, bool]:
        """The resident, if anybody, and whether the reading is held because its time is doubtful near a change."""
        seat = NO_SEAT if subject is None and slot is None else self.seat_of(subject, slot, at)
        spans = self.assignments if seat.kind is None else self.seats.get(seat, [])
        whose = None
        for span in spans:
            if span.holds(at):
                whose = span.resident_id
        if self.shared and seat.kind is None and any(span.holds(at) for span in self.shared):
            whose = None
        if uncertain and self._near_a_change(at, seat, slot, spans):
            return None, True
        for move in self.moves:
            if move.holds(at, whose, seat):
                whose = move.after
        return whose, False

    def _near_a_change(self, at: datetime, seat: Seat, slot: object, spans: Iterable[Span]) -> bool:
        if any(span.near(at) for span in spans):
            return True
        if seat.kind is None and any(span.near(at) for span in self.shared):
            return True
        # By its number it might be somebody's, were it a little later.
        return (
            seat.kind is None
            and slot is not None
            and any(span.near(at) for one, spans in self.seats.items() if one.kind == "slot" for span in spans)
        )

    def residents(self) -> set[int]:
        """Everybody whose a reading of the device may be by these decisions."""
        spans: list[Span] = [*self.assignments, *(span for seat in self.seats.values() for span in seat)]
        found = {span.resident_id for span in spans} | {move.after for move in self.moves}
        return {resident_id for resident_id in found if resident_id is not None}
