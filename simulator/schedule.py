"""When a device measures: pure functions of seed, resident and day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from simulator import clock, noise, world

#: Local times of a spot device whose resident has no schedule.
USUAL_TIMES = ("08:00", "12:30", "17:30", "21:00")
MORNING = ("07:30",)
#: Order in which somebody uses the devices of a kit, seconds after sitting down.
_ORDER = {"consciousness": 0, "resp_rate": 20, "spo2": 60, "systolic": 150, "temperature": 240, "weight": 330}


#: At the end of the slot of a measurement that is repeated.
AGAIN = "/again"


@dataclass(frozen=True)
class Moment:
    """A device takes these codes at a time (milliseconds since 1970)."""

    at_ms: int
    codes: tuple[str, ...]
    slot: str

    @property
    def sitting(self) -> str:
        """What it belongs to: the same for a measurement and its repeats."""
        return self.slot.partition(AGAIN)[0]


@dataclass(frozen=True)
class Cadence:
    """every_ms: measures at this pace (a wearable, or a tester's wish), else by the resident's schedule.

    upload_ms: sends what it measured only so often, together; None: at once.
    """

    seed: int
    every_ms: int | None = None
    upload_ms: int | None = None

    def paced(self, seconds: float) -> Cadence:
        """The same at another pace, sent at once."""
        return Cadence(self.seed, int(seconds * 1000))


@dataclass(frozen=True)
class User:
    """Whom a device measures; place: of how many before in a round with a shared kit."""

    device_id: str
    person: world.Resident
    place: int | None = None


#: With a shared kit: from one resident of a round to the next.
ROUND_SECONDS = 150


def moments(user: User, cadence: Cadence, codes: tuple[str, ...], after: int, to: int) -> list[Moment]:
    """What the device measures in (after, to], in order; the same however a span is cut into steps."""
    if not codes or to <= after:
        return []
    if cadence.every_ms is not None:
        return _paced(user, cadence.seed, cadence.every_ms, codes, after, to)
    return _scheduled(user, cadence.seed, codes, after, to)


def due(person: world.Resident, codes: tuple[str, ...], after: int, to: int) -> list[tuple[int, str, str]]:
    """Due times in (after, to] of what the resident's schedule names: (milliseconds, code, slot)."""
    zone = ZoneInfo(person.zone)
    found = []
    for day in _days(zone, after, to):
        for code in codes:
            for text in person.schedule[code].times if code in person.schedule else ():
                at = clock.to_ms(datetime.combine(day, time.fromisoformat(text), zone))
                if after < at <= to:
                    found.append((at, code, f"{day.isoformat()}T{text}"))
    return sorted(found)


def _days(zone: ZoneInfo, after: int, to: int) -> list[date]:
    first = clock.from_ms(after).astimezone(zone).date() - timedelta(days=1)
    last = clock.from_ms(to).astimezone(zone).date() + timedelta(days=1)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _paced(user: User, seed: int, every: int, codes: tuple[str, ...], after: int, to: int) -> list[Moment]:
    phase = noise.key(seed, user.device_id, *(() if user.place is None else (user.person.key,)), "phase") % every
    first = (after - phase) // every + 1
    last = (to - phase) // every
    return [Moment(index * every + phase, codes, f"p{index}") for index in range(first, last + 1)]


def _scheduled(user: User, seed: int, codes: tuple[str, ...], after: int, to: int) -> list[Moment]:
    person = user.person
    zone = ZoneInfo(person.zone)
    slots: dict[str, list[str]] = {}
    grace: dict[str, float] = {}
    for code in codes:
        for text in _times(person, code):
            slots.setdefault(text, []).append(code)
            given = person.schedule.get(code)
            grace[text] = min(grace.get(text, 1440.0), given.grace_minutes if given else 120.0)
    order = min((_ORDER[code] for code in codes if code in _ORDER), default=400)
    found: list[Moment] = []
    for day in _days(zone, after, to):
        for text, expected in slots.items():
            at = _taken(user, seed, day, text, grace[text], zone, order)
            if at is not None and after < at <= to:
                found.append(Moment(at, tuple(expected), f"{day.isoformat()}T{text}"))
    return sorted(found, key=lambda moment: (moment.at_ms, moment.slot))


def _times(person: world.Resident, code: str) -> tuple[str, ...]:
    given = person.schedule.get(code)
    if given is not None:
        return tuple(given.times)
    # What travels with a scheduled code is measured with it; weight and steps are a matter of the morning.
    if code in ("weight", "steps"):
        return MORNING
    told = [times for times in person.schedule.values() if len(times.times) > 1]
    return tuple(told[0].times) if told else USUAL_TIMES


def _taken(user: User, seed: int, day: date, text: str, grace_minutes: float, zone: ZoneInfo, order: int) -> int | None:
    person = user.person
    sitting = noise.key(seed, person.key, day.isoformat(), text)
    if noise.uniform_one(sitting, 1) >= person.adherence:
        return None
    # People measure a little early or up to an hour late, but within the grace of their schedule.
    latest = min(45.0, grace_minutes * 0.5)
    if person.calm:
        latest = min(latest, 15.0)
    late = (noise.uniform_one(sitting, 2) - 0.25) * latest * 60_000
    if user.place is not None:
        # Staff go round from room to room; who is last is reached within half of the grace.
        late = user.place * min(ROUND_SECONDS * 1000.0, grace_minutes * 30_000 / 60)
    local = datetime.combine(day, time.fromisoformat(text), zone)
    return clock.to_ms(local) + int(late) + order * 1000 + noise.key(sitting, user.device_id) % 900
