"""Why a measure that was due has not come, as far as the devices tell. Pure.

Three different things: the device is silent (off, out of reach, broken: readings may be in it), the resident is silent
(the device is on, and nobody measured), or the data is late (the device is just sending what it kept). It is said of
the moment, beside the alert, and decides nothing: what is missing depends on readings and due times alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

Key = Literal["device_silent", "resident_silent", "data_late", "no_device"]

#: A connection is believed in for so long without a sign of life.
_BELIEVED = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Known:
    """A device that a resident has. online: as it, or its last will, said at said_at; None: it says nothing of that."""

    device_id: str
    codes: Sequence[str]
    heard_at: datetime | None
    online: bool | None
    said_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came late: of which code, when it was taken, and when it came."""

    code: str
    taken_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """text: a clause for the end of a sentence, without times that change from minute to minute."""

    key: Key
    text: str
    devices: tuple[dict[str, Any], ...]
    at: datetime

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "text": self.text, "devices": list(self.devices), "at": self.at.isoformat()}


def cause(
    code: str, due: datetime, devices: Sequence[Known], arrivals: Sequence[Arrival], now: datetime, zone: ZoneInfo
) -> Cause:
    """Of a measure that was due at a time. devices: all that the resident has; arrivals: what lately came late."""
    measuring = [device for device in devices if code in device.codes or not device.codes]
    told = tuple(_told(device) for device in measuring)
    if not measuring:
        return Cause("no_device", "none of the resident's devices measures it", told, now)
    theirs = {each for device in measuring for each in device.codes} or {code}
    late = next((arrival for arrival in arrivals if arrival.code in theirs and arrival.taken_at < now), None)
    if late is not None:
        taken = _clock(late.taken_at, now, zone)
        text = f"data is late: a device is sending what it kept, so far up to what was taken at {taken}"
        return Cause("data_late", text, told, now)
    on = [device for device in measuring if _on(device, due, now)]
    if on:
        names = ", ".join(device.device_id for device in on)
        return Cause("resident_silent", f"device {names} is on: nothing was measured with it", told, now)
    clauses = ", ".join(_silent(device, now, zone) for device in measuring)
    return Cause("device_silent", f"{clauses}: what was measured may still come", told, now)


def _on(device: Known, due: datetime, now: datetime) -> bool:
    heard = device.heard_at
    if device.online is False and (device.said_at is None or heard is None or heard <= device.said_at):
        return False
    if heard is None:
        return False
    return heard >= due or (device.online is True and now - heard <= _BELIEVED)


def _silent(device: Known, now: datetime, zone: ZoneInfo) -> str:
    if device.online is False and device.said_at is not None:
        return f"device {device.device_id} is offline since {_clock(device.said_at, now, zone)}"
    if device.heard_at is not None:
        return f"device {device.device_id} was last heard of at {_clock(device.heard_at, now, zone)}"
    return f"device {device.device_id} was never heard of"


def _told(device: Known) -> dict[str, Any]:
    return {
        "device_id": device.device_id,
        "online": device.online,
        "said_at": None if device.said_at is None else device.said_at.isoformat(),
        "heard_at": None if device.heard_at is None else device.heard_at.isoformat(),
    }


def _clock(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == now.astimezone(zone).date() else f"{local:%H:%M on %d-%b}"
