"""When something is wrong with a device as a thing: battery, firmware, silence, what runs out. Pure.

Levels only rise while something is wrong; it is over when the value is back beyond the limit by the hysteresis.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Literal

from telehealth.errors import Invalid

Kind = Literal["battery", "firmware", "silent"]
KINDS: tuple[Kind, ...] = ("battery", "firmware", "silent")

#: 0.25 - 0.05 must not keep 0.2 from being in.
_TINY = 1e-9
#: A silent device is looked at again after so long: one that only sends readings says nothing of itself.
_SILENT = timedelta(minutes=15)
#: Likewise that of somebody whose monitoring is paused.
_NOT_MONITORED = timedelta(hours=1)
_VERSION = re.compile(r"[vV]?(\d{1,6}(?:\.\d{1,6}){0,5})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Setting:
    """A number, or a text, and where it comes from. model "": of all models."""

    name: str
    value: float | str
    source: str
    approval: str
    model: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "source": self.source, "approval": self.approval}


@functools.cache
def defaults() -> Mapping[str, Setting]:
    """The packaged settings, by name."""
    document = _document()
    return {
        name: Setting(name, _plain(entry["value"]), entry["source"], document["approval"])
        for name, entry in document.items()
        if isinstance(entry, dict)
    }


@functools.cache
def _document() -> dict[str, Any]:
    text = resources.files("telehealth.model").joinpath("technical.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def checked(name: str, text: str) -> float | str:
    """The value of a setting as somebody gave it. Raises Invalid, saying what it must be."""
    entry = _document().get(name)
    if not isinstance(entry, dict):
        raise Invalid("name", "must be one of " + ", ".join(sorted(defaults())))
    if name == "minimum_firmware":
        if text and version(text) is None:
            raise Invalid("value", "must be a version such as 1.4.0")
        return text
    try:
        number = float(text)
    except ValueError:
        raise Invalid("value", "must be a number") from None
    if not entry["least"] <= number <= entry["greatest"]:
        raise Invalid("value", f"must be from {entry['least']:g} to {entry['greatest']:g}")
    return number


class Settings:
    """The settings of an organisation: one of a device's own model goes before one of all models."""

    def __init__(self, own: Iterable[Setting] = ()) -> None:
        self._own = {(setting.name, setting.model): setting for setting in own}

    def get(self, name: str, model: str) -> Setting:
        return self._own.get((name, model)) or self._own.get((name, "")) or defaults()[name]

    def number(self, name: str, model: str) -> float:
        value = self.get(name, model).value
        return value if isinstance(value, float) else 0.0

    def check_order(self, model: str) -> None:
        """Raises Invalid where the limits of a model make no sense together."""
        low, critical = self.number("battery_low", model), self.number("battery_critical", model)
        if critical > low:
            raise Invalid("value", f"battery_critical ({critical:g}) must not be above battery_low ({low:g})")
        if low + self.number("battery_hysteresis", model) > 1:
            raise Invalid(
                "value", "battery_low and battery_hysteresis together must not be above 1: nothing would clear"
            )


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of a device. heard_at: its last sign of life; said_at: when its present status was received.

    in_use: it is with somebody who is monitored now; assigned: with somebody at all.
    """

    model: str
    in_use: bool
    revoked: bool
    heard_at: datetime | None
    said_at: datetime | None
    online: bool | None
    battery: float | None
    firmware: str | None
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Something was wrong with a device in [since, until)."""

    kind: Kind
    since: datetime
    until: datetime | None
    level: str
    detail: Mapping[str, Any]


def decide(
    said: Said, present: Mapping[Kind, Condition], settings: Settings, now: datetime
) -> tuple[list[Condition], datetime | None]:
    """What changes: conditions that begin, worsen or end (until is set), and when time alone may bring one."""
    wanted = {
        "battery": None if said.revoked else _battery(said, present.get("battery"), settings, now),
        "firmware": None if said.revoked else _firmware(said, present.get("firmware"), settings, now),
        "silent": _silent(said, settings, now),
    }
    changed = []
    for kind in KINDS:
        before, after = present.get(kind), wanted[kind]
        if after is None and before is not None:
            over = _over(kind, said, now)
            changed.append(Condition(kind, before.since, max(over, before.since), before.level, before.detail))
        elif after is not None and before is None:
            changed.append(after)
        elif after is not None and before is not None and (after.level, after.detail) != (before.level, before.detail):
            changed.append(Condition(kind, before.since, None, after.level, after.detail))
    return changed, _look_again(said, settings, now)


def _look_again(said: Said, settings: Settings, now: datetime) -> datetime | None:
    """When silence begins; while there is one, now and then: not everything that ends it is told."""
    at = _silent_at(said, settings)
    if at is None or at > now:
        return at
    return now + (_SILENT if said.in_use else _NOT_MONITORED)


def _over(kind: Kind, said: Said, now: datetime) -> datetime:
    """When it was over: as the message came that says so, where one does."""
    told = said.heard_at if kind == "silent" and said.in_use else said.said_at
    return now if said.revoked or told is None else min(told, now)


def _battery(said: Said, before: Condition | None, settings: Settings, now: datetime) -> Condition | None:
    charge = said.battery
    if charge is None:
        return before
    low, critical, more = (
        settings.get(name, said.model) for name in ("battery_low", "battery_critical", "battery_hysteresis")
    )
    clears_from = min(1.0, float(low.value) + float(more.value))
    if charge < float(critical.value):
        level = "critical"
    elif charge < float(low.value):
        level = "low"
    elif before is not None and charge < clears_from - _TINY:
        level = before.level
    else:
        return None
    if before is not None and before.level == "critical":
        level = "critical"
    lowest = charge if before is None else min(charge, float(before.detail.get("lowest", charge)))
    detail = {
        "battery": charge,
        "lowest": lowest,
        "clears_from": round(clears_from, 4),
        "settings": [low.to_json(), critical.to_json(), more.to_json()],
    }
    return Condition("battery", said.said_at or now, None, level, detail)


def _firmware(said: Said, before: Condition | None, settings: Settings, now: datetime) -> Condition | None:
    if said.firmware is None:
        return before
    least = settings.get("minimum_firmware", said.model)
    has, needs = version(said.firmware), version(str(least.value))
    if has is None or needs is None or not has < needs:
        return None
    detail = {"firmware": said.firmware, "settings": [least.to_json()]}
    return Condition("firmware", said.said_at or now, None, "old", detail)


def _silent(said: Said, settings: Settings, now: datetime) -> Condition | None:
    at = _silent_at(said, settings)
    if at is None or at > now or not said.in_use:
        return None
    why = "offline" if said.online is False else "no_heartbeat"
    name = "offline_hours" if why == "offline" else "heartbeat_minutes"
    heard = _heard(said)
    detail = {
        "why": why,
        "heard_at": None if heard is None else heard.isoformat(),
        "settings": [settings.get(name, said.model).to_json()],
    }
    return Condition("silent", at, None, "silent", detail)


def _silent_at(said: Said, settings: Settings) -> datetime | None:
    """When it will have been silent for too long; None: nothing is expected of it."""
    heard = _heard(said)
    if said.revoked or not (said.in_use or said.assigned) or heard is None:
        return None
    if said.online is False:
        return heard + timedelta(hours=settings.number("offline_hours", said.model))
    minutes = settings.number("heartbeat_minutes", said.model)
    return heard + timedelta(minutes=minutes) if minutes else None


def _heard(said: Said) -> datetime | None:
    """A last will tells when the connection was lost: until then there was one."""
    return max((at for at in (said.heard_at, said.said_at) if at is not None), default=None)


def version(text: str) -> tuple[int, ...] | None:
    """(1, 4, 0) for "1.4.0" and "v1.4.0-beta"; None for what cannot be compared. 1.4 and 1.4.0 are the same."""
    found = _VERSION.match(text.strip())
    if found is None:
        return None
    parts = [int(part) for part in found[1].split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)
