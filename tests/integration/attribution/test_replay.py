"""Whose every reading is follows from the log alone, whatever happened in which order."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from telehealth.errors import Conflict, Invalid
from telehealth.model.attribution import Seat
from telehealth.store import devices, repair, residents, seats
from telehealth.store.residents_view import ReadingKey
from tests.integration.attribution.conftest import START, Home, reading
from tests.support import world

MINUTE = timedelta(minutes=1)
NEAR = timedelta(hours=1)

Row = Mapping[str, Any]
Span = list[Any]


class Log:
    """What a reader of the log knows, entry by entry. A plain account of the rule, of its own."""

    def __init__(self, entries: Sequence[Row]) -> None:
        #: By what a reading says ("assigned", None) or (kind, label): [since, until, resident].
        self.spans: dict[tuple[str, str | None], list[Span]] = {}
        self.moves: list[Row] = []
        self.single: dict[Any, int | None] = {}
        self.times: dict[Any, datetime] = {}
        for entry in entries:
            self._take(entry)

    def _take(self, entry: Row) -> None:
        kind, since, until = entry["kind"], entry["since"], entry["until"]
        match kind:
            case "assigned" | "seated" | "shared":
                place = self.spans.setdefault(self._place(entry), [])
                place.append([since, until, entry["resident_id"]])
            case "unassigned" | "unseated" | "unshared":
                for span in self.spans[self._place(entry)]:
                    if span[0] <= since and (span[1] is None or since < span[1]):
                        span[1] = since
            case "time":
                self.times[entry["reading_identity"]] = entry["effective_at"]
            case "repair" if entry["reading_identity"] is None:
                self.moves.append(entry)
            case "repair":
                self.single[entry["reading_identity"]] = entry["resident_id"]

    @staticmethod
    def _place(entry: Row) -> tuple[str, str | None]:
        if "assigned" in entry["kind"]:
            return "assigned", None
        if "shared" in entry["kind"]:
            return "shared", None
        return entry["seat_kind"], entry["subject"]

    def whose(self, r: Row) -> int | None:
        if r["identity"] in self.single:
            return self.single[r["identity"]]
        at = self.times.get(r["identity"], r["effective_at"])
        if at is None:
            return None
        slots = [span for (kind, _), spans in self.spans.items() if kind == "slot" for span in spans]
        said: tuple[str, str | None] = ("assigned", None)
        if r["subject"] is not None:
            said = ("subject", r["subject"])
        elif r["slot"] is not None and any(span[0] <= at for span in slots):
            said = ("slot", str(r["slot"]))
        decisive = self.spans.get(said, [])
        whose = next((span[2] for span in decisive if self._holds(span, at)), None)
        shared = self.spans.get(("shared", None), [])
        ends = list(decisive)
        if said[0] == "assigned":
            if any(self._holds(span, at) for span in shared):
                whose = None
            ends += shared + (slots if r["slot"] is not None else [])
        doubtful = "clock_uncertain" in (r["marks"] or ()) and r["identity"] not in self.times
        if doubtful and any(end is not None and abs(at - end) < NEAR for span in ends for end in span[:2]):
            return None
        for move in self.moves:
            same = move["from_resident_id"] is not None or (move["seat_kind"], move["subject"]) == (
                (None, None) if said[0] == "assigned" else said
            )
            if move["since"] <= at < move["until"] and whose == move["from_resident_id"] and same:
                whose = move["resident_id"]
        return whose

    @staticmethod
    def _holds(span: Span, at: datetime) -> bool:
        return bool(span[0] <= at and (span[1] is None or at < span[1]))


async def check(home: Home) -> int:
    """Every reading is whose the log says; how many there are."""
    async with home.database.transaction(world.ACTOR, read_only=True) as connection:
        entries = await connection.fetch(
            "SELECT *, lower(during) AS since, upper(during) AS until FROM attribution ORDER BY id"
        )
        readings = await connection.fetch("SELECT *, context -> 'user_slot' AS slot FROM reading")
        latest = await connection.fetch("SELECT resident_id, code, effective_at FROM latest ORDER BY 1, 2")
        newest = await connection.fetch(
            "SELECT resident_id, code, max(effective_at) FROM reading WHERE resident_id IS NOT NULL AND NOT struck"
            " AND effective_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
        )
    log = Log([dict(entry) for entry in entries])
    for r in readings:
        assert r["resident_id"] == log.whose(dict(r)), (r["value"], r["subject"], r["slot"], r["marks"])
    assert [tuple(row) for row in latest] == [tuple(row) for row in newest]
    return len(readings)


class Chance:
    """Things that happen to a kit, chosen by a seed."""

    def __init__(self, home: Home, people: Sequence[world.Resident], seed: int) -> None:
        self.home, self.people, self.chance = home, people, random.Random(seed)
        self.sent: list[dict[str, Any]] = []

    def moment(self) -> datetime:
        return START - self.chance.randrange(1, 60) * 5 * MINUTE

    async def step(self) -> None:
        what = self.chance.choice(
            [self.deliver] * 6 + [self.again, self.move, self.move, self.time, self.seat, self.give]
        )
        with contextlib.suppress(Conflict, Invalid):
            await what()

    async def deliver(self) -> None:
        subjects: list[dict[str, Any]] = [{"subject": label} for label in "ABC"]
        slots: list[dict[str, Any]] = [{"context": {"user_slot": number}} for number in (1, 2)]
        more = self.chance.choice([*subjects, *slots, {}])
        one = reading(80 + self.chance.randrange(20), self.moment(), source_id=str(self.chance.randrange(9)), **more)
        wrong = self.chance.random()
        if wrong < 0.2:  # a clock of unknown time
            one |= reading(one["value"], START + timedelta(days=1) + self.chance.randrange(60) * MINUTE, **more)
        sent: dict[str, Any] = {"sent_at": None} if wrong < 0.2 else {}
        if 0.2 <= wrong < 0.4:
            one["flags"] = ["clock_not_set"]
        self.sent.append(one)
        await self.home.say(one, received_at=START, **sent)

    async def again(self) -> None:
        """The same once more, or with another value."""
        if self.sent:
            one = self.chance.choice(self.sent)
            await self.home.say({**one, "value": self.chance.choice([one["value"], 77])}, received_at=START)

    async def key(self) -> ReadingKey:
        found = await self.home.service.rows(
            "SELECT taken_at, identity, value_key FROM reading WHERE NOT struck ORDER BY identity, value_key"
        )
        if not found:
            raise Conflict
        return ReadingKey(*self.chance.choice(found))

    async def move(self) -> None:
        kind: repair.Kind = self.chance.choice(["reading", "set", "period"])
        since = self.moment()
        scope = repair.Scope(kind, since, since + self.chance.randrange(1, 30) * 5 * MINUTE)
        to = self.chance.choice([*(one.id for one in self.people), None])
        key = await self.key()
        async with self.home.database.transaction(self.home.nurse) as connection:
            await repair.move(connection, key, to=to, scope=scope, reason="x", actor=self.home.nurse, now=START)

    async def time(self) -> None:
        key = await self.key()
        how: repair.How = self.chance.choice(["arrived", "said", "at"])
        async with self.home.database.transaction(self.home.nurse) as connection:
            await repair.set_time(connection, key, how=how, at=self.moment(), actor=self.home.nurse, now=START)

    async def seat(self) -> None:
        place = self.chance.choice([Seat("subject", "A"), Seat("subject", "C"), Seat("slot", "1"), Seat("slot", "2")])
        at = self.moment()
        async with self.home.database.transaction(world.ACTOR) as connection:
            device = await devices.find(connection, self.home.kit.device_id)
            if self.chance.random() < 0.5:
                await seats.unseat(connection, device, place, at=at, actor=world.ACTOR, now=START)
            else:
                whose = await residents.find(connection, self.chance.choice(self.people).nhs_number)
                await seats.seat(connection, device, place, whose, since=at, actor=world.ACTOR, now=START)

    async def give(self) -> None:
        """Assigned, unassigned, shared or not."""
        at, what = self.moment(), self.chance.randrange(4)
        async with self.home.database.transaction(world.ACTOR) as connection:
            device = await devices.find(connection, self.home.kit.device_id)
            if what == 0:
                whose = await residents.find(connection, self.chance.choice(self.people).nhs_number)
                actor = world.ACTOR
                await devices.assign(connection, device, whose, since=at, until=None, actor=actor, now=START)
            elif what == 1:
                await devices.unassign(connection, device, at=at, actor=world.ACTOR, now=START)
            else:
                await seats.share(connection, device, shared=what == 2, at=at, actor=world.ACTOR, now=START)


@pytest.mark.parametrize("seed", range(3))
async def test_any_history_ends_as_its_log_says(home: Home, seed: int) -> None:
    """Deliveries, repetitions, contradictions, seats, assignments, sharing, moves and times, in any order."""
    happening = Chance(home, [home.anna, home.bert, await world.resident(home.database, home.ward)], seed)
    for _ in range(50):
        await happening.step()
        await check(home)
    assert await check(home) > 10
