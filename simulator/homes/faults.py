"""A fault: what is wrong with a device, with a resident's devices or with a whole home, from when to when.

Pure. What kinds there are, and what they do: simulator.homes.catalogue. Faults are switched on by a scenario's
[[fault]] (Planned), by --fault (parse) and live over the control API (made); all of them end as Fault.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from simulator import clock, errors
from simulator.homes import catalogue

HOUR_MS: Final = 3_600_000
_UNITS: Final = {"s": 1000, "m": 60_000, "h": HOUR_MS, "d": 24 * HOUR_MS}
_AFTER: Final = re.compile(r"\+?(\d+(?:\.\d+)?)([smhd])", re.ASCII)
#: KIND:TARGET[:name=value,...][@FROM[..TO]]; the target may itself begin with device:, resident: or home:.
_TEXT: Final = re.compile(
    r"(?P<kind>[a-z_]+):(?P<target>(?:(?:device|resident|home):)?[^:@]+)(?::(?P<given>[^@]*))?(?:@(?P<when>.+))?"
)

Value = float | str | bool


@dataclass(frozen=True)
class Fault:
    """target: device:ID, resident:KEY or home:ID. from_ms is included, to_ms is not (None: no end yet).

    codes: only these measures are touched (empty: all that the kind can touch). Times: milliseconds since 1970.
    """

    id: str
    kind: str
    target: str
    from_ms: int
    to_ms: int | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    codes: tuple[str, ...] = ()

    def active(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)

    def number(self, name: str) -> float:
        """A parameter that is a number, or its default."""
        return float(self.parameters.get(name, catalogue.KINDS[self.kind].parameter(name).default))

    def word(self, name: str) -> str:
        return str(self.parameters.get(name, catalogue.KINDS[self.kind].parameter(name).default))

    def yes(self, name: str) -> bool:
        return bool(self.parameters.get(name, catalogue.KINDS[self.kind].parameter(name).default))

    def touches(self, code: str) -> bool:
        """Whether readings of this code can be affected."""
        possible = catalogue.KINDS[self.kind].codes
        return (not self.codes or code in self.codes) and (not possible or code in possible)

    def ended(self, at_ms: int) -> Fault:
        """The same, over from then on (never before it began)."""
        return replace(self, to_ms=max(at_ms, self.from_ms) if self.to_ms is None else min(self.to_ms, at_ms))

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "target": self.target,
            "from": clock.text(clock.from_ms(self.from_ms)),
            "to": None if self.to_ms is None else clock.text(clock.from_ms(self.to_ms)),
            "parameters": dict(self.parameters),
            "codes": list(self.codes),
        }


@dataclass(frozen=True)
class Planned:
    """A fault of a scenario: hours count from the onset; it befalls the resident's devices that measure the codes."""

    kind: str
    from_hours: float = 0.0
    to_hours: float | None = None
    codes: tuple[str, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def at(self, resident: str, onset_ms: int, name: str) -> Fault:
        """The fault itself, in one resident. name: its id."""
        to = None if self.to_hours is None else onset_ms + int(self.to_hours * HOUR_MS)
        start = onset_ms + int(self.from_hours * HOUR_MS)
        return Fault(name, self.kind, f"resident:{resident}", start, to, self.parameters, self.codes)


def planned(table: Mapping[str, Any]) -> Planned:
    """One [[fault]] of a scenario: kind, from_hours, to_hours, codes; every other key is a parameter. BadInput."""
    kind = catalogue.kind(str(table.get("kind", "")))
    known = ("kind", "from_hours", "to_hours", "codes")
    codes = tuple(str(code) for code in table.get("codes", ()))
    given = {name: value for name, value in table.items() if name not in known}
    start, end = _hours(table, "from_hours"), _hours(table, "to_hours")
    if end is not None and end <= (start or 0.0):
        raise errors.BadInput(f"fault {kind.name}: to_hours is not after from_hours")
    if "resident" not in kind.targets:
        raise errors.BadInput(f"fault {kind.name} cannot befall a resident")
    return Planned(kind.name, start or 0.0, end, codes, catalogue.checked(kind, given))


def made(
    name: str, kind: str, target: str, known: Collection[str], from_ms: int, to_ms: int | None, given: Mapping[str, Any]
) -> Fault:
    """A checked fault. known: every target of the world. Raises BadInput with words for the person who asked."""
    entry = catalogue.kind(kind)
    codes = given.get("codes", ())
    wanted = tuple(codes.split("+")) if isinstance(codes, str) else tuple(str(code) for code in codes)
    parameters = catalogue.checked(entry, {key: value for key, value in given.items() if key != "codes"})
    return Fault(name, entry.name, resolved(entry, target, known), from_ms, to_ms, parameters, wanted)


def resolved(kind: catalogue.Kind, target: str, known: Collection[str]) -> str:
    """The target in full: device:ID, resident:KEY or home:ID. Raises BadInput."""
    full = [target] if target in known else [f"{place}:{target}" for place in kind.targets]
    for one in full:
        if one in known and one.partition(":")[0] in kind.targets:
            return one
    places = " or a ".join(kind.targets)
    raise errors.BadInput(f"fault {kind.name} needs a {places} that is simulated, not {target[:80]}")


def parse(text: str, name: str, known: Collection[str], start: datetime) -> Fault:
    """KIND:TARGET[:name=value,...][@FROM[..TO]]; FROM and TO: ISO 8601, or 90m, 6h, 2d after the start. BadInput."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise errors.BadInput(f"not a fault: {text}; for example motion:d1:share=0.5@6h..12h")
    given: dict[str, str] = {}
    for pair in (found["given"] or "").split(","):
        key, equals, value = pair.partition("=")
        if pair and not equals:
            raise errors.BadInput(f"fault {found['kind']}: {pair} is not name=value")
        if pair:
            given[key.strip()] = value.strip()
    begin, dots, end = (found["when"] or "0s").partition("..")
    from_ms = _when(begin, start)
    to_ms = _when(end, start) if dots else None
    if to_ms is not None and to_ms <= from_ms:
        raise errors.BadInput(f"fault {found['kind']}: it ends before it begins")
    return made(name, found["kind"], found["target"], known, from_ms, to_ms, given)


def parse_all(texts: Sequence[str], known: Collection[str], start: datetime) -> list[Fault]:
    return [parse(text, f"command/{number}", known, start) for number, text in enumerate(texts, 1)]


def _when(text: str, start: datetime) -> int:
    after = _AFTER.fullmatch(text.strip())
    if after is not None:
        return clock.to_ms(start) + int(float(after[1]) * _UNITS[after[2]])
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise errors.BadInput(f"not a time: {text}; ISO 8601 with an offset, or 90m, 6h, 2d after the start") from None
    if at.tzinfo is None:
        raise errors.BadInput(f"the time {text} has no offset")
    return clock.to_ms(at)


def _hours(table: Mapping[str, Any], name: str) -> float | None:
    value = table.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -24 * 365 <= value <= 24 * 365:
        raise errors.BadInput(f"fault: {name} is not a number of hours within a year")
    return float(value)
