"""When may be recorded, and when no longer: one rule for both. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from telehealth.model.visits import Presence

#: Who may be seen or heard at any moment: their consent is needed.
PRESENT: frozenset[Presence] = frozenset({"admitted", "joined"})


@dataclass(frozen=True)
class Heard:
    """A participant, as far as recording depends on them. consent_at: of a consent that is in force now."""

    participant: int
    presence: Presence
    consent_at: datetime | None


def unconsented(people: Iterable[Heard]) -> tuple[int, ...]:
    """Who is in the room, or let in, and has not consented."""
    return tuple(p.participant for p in people if p.presence in PRESENT and p.consent_at is None)


def stop_needed(people: Iterable[Heard], against: Collection[int] = ()) -> str | None:
    """Why a recording that runs must stop now; None: it may go on. against: who said no, or no longer yes.

    "withdrawn": somebody in the room does not agree any more; "newcomer": somebody was let in who did not agree to this
    recording; "nobody": the room is empty.
    """
    present = tuple(people)
    missing = unconsented(present)
    if missing:
        return "withdrawn" if any(one in against for one in missing) else "newcomer"
    return None if any(p.presence == "joined" for p in present) else "nobody"


def obstacle(people: Iterable[Heard], *, allowed: bool, ready: bool) -> str | None:
    """Why a recording cannot begin, as a sentence for whoever asked; None: it can.

    allowed: by the ward's policy; ready: there is a place for recordings and a key.
    """
    present = tuple(people)
    if not ready:
        return "This service has no place or no key for recordings."
    if not allowed:
        return "This ward does not record its visits."
    if not any(p.presence == "joined" for p in present):
        return "Nobody is in the visit."
    if unconsented(present):
        return "Not everybody who is in the visit, or was let in, has consented to being recorded."
    return None
