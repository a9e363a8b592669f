"""Files of devices: who measures what, with which credentials. Unknown keys are ignored; what is known is checked.

Three shapes are accepted: the file of "telehealth-sim serve", the object that "telehealth demo --json"
prints, and a plain list of devices. docs/simulator/devices-file.md describes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import time
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from simulator import errors

DeviceId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=200)]


class Times(msgspec.Struct, frozen=True):
    """When one code is due: local times of day, HH:MM."""

    times: Annotated[list[Annotated[str, msgspec.Meta(pattern=r"^\d\d:\d\d$")]], msgspec.Meta(max_length=48)]
    grace_minutes: Annotated[float, msgspec.Meta(ge=0, le=1440)] = 120
    #: A measurement so long before it is due counts for it; None: from halfway after the time before.
    early_minutes: Annotated[float, msgspec.Meta(ge=0, le=1440)] | None = None


class Illness(msgspec.Struct, frozen=True):
    """A scenario that runs in a resident, begun this long before the feeding starts."""

    name: Text
    onset_hours_ago: Annotated[float, msgspec.Meta(ge=-24 * 14, le=24 * 60)] = 0


class Resident(msgspec.Struct, frozen=True):
    """Who is measured. calm: never leaves normal limits. adherence: the part of due measurements that are taken."""

    key: Key
    #: Whose devices share a gateway and a Wi-Fi; without it everybody lives alone.
    home: Key | None = None
    age: Annotated[int, msgspec.Meta(ge=0, le=120)] | None = None
    sex: Text | None = None
    pathway: Text | None = None
    seed: int | None = None
    continuous: bool = False
    schedule: dict[str, Times] = {}
    zone: Text = "Europe/London"
    calm: bool = False
    adherence: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    scenario: Illness | None = None
    #: Instead of the pathway's: within what a stable resident's values stay, canonical units.
    ranges: dict[Code, tuple[float, float]] = {}
    #: Clinical Frailty Scale, 1 to 9; drawn from the seed where it is not given, like the lists below.
    frailty: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = None
    conditions: Annotated[list[Code], msgspec.Meta(max_length=16)] | None = None
    medicines: Annotated[list[Code], msgspec.Meta(max_length=16)] | None = None
    #: Long-term oxygen, L/min.
    oxygen_flow: Annotated[float, msgspec.Meta(ge=0, le=15)] = 0.0
    #: All of this resident's devices fell silent this long before the feeding starts.
    silent_hours_ago: Annotated[float, msgspec.Meta(ge=0, le=24 * 60)] | None = None


class Seat(msgspec.Struct, frozen=True):
    """Somebody on a kit that several share, by the name under which readings say whose they are."""

    subject: Key
    resident: Resident


class Rule(msgspec.Struct, frozen=True):
    """Of the rules that the demo prints only how often a code is measured is read."""

    code: Code
    sampling: Text | None = None


class Device(msgspec.Struct, frozen=True):
    """One device with its credentials. interval_seconds: a continuous device's own pace."""

    device_id: DeviceId
    password: Annotated[str, msgspec.Meta(max_length=1000)]
    codes: Annotated[list[Code], msgspec.Meta(max_length=64)] = []
    resident: Resident | None = None
    nhs_number: Text | None = None
    continuous: bool | None = None
    interval_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] | None = None
    rules: list[Rule] = []
    #: What it is, if not what it measures says enough: a name of simulator.homes.kinds.
    kind: Text | None = None
    #: Residents who take turns at it, in the order of a round; instead of resident.
    seats: Annotated[list[Seat], msgspec.Meta(max_length=200)] = []

    @property
    def person(self) -> Resident:
        """The resident; for a device without one, somebody of its own."""
        return self.resident or Resident(key=self.nhs_number or self.device_id)

    @property
    def persons(self) -> list[tuple[str | None, Resident]]:
        """Everybody whom it measures, with the subject under which it says so (None: it is one person's own)."""
        if self.seats:
            return [(seat.subject, seat.resident) for seat in self.seats]
        return [(None, self.person)]

    @property
    def is_continuous(self) -> bool:
        """Whether it measures all the time (a wearable) and not when somebody uses it."""
        if self.continuous is not None:
            return self.continuous
        if any(rule.sampling == "continuous" and rule.code in self.codes for rule in self.rules):
            return True
        worn = {"pulse", "spo2", "resp_rate", "resting_pulse", "steps", "temperature"}
        return self.person.continuous and bool(self.codes) and set(self.codes) <= worn


class Broker(msgspec.Struct, frozen=True):
    """Where the MQTT broker listens."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]


class World(msgspec.Struct, frozen=True):
    """A file of devices; url, mqtt and the token that steps the service's virtual clock where the file says them."""

    devices: Annotated[list[Device], msgspec.Meta(max_length=100_000)]
    #: Those of care homes, where the file keeps them apart; parse() puts them behind the others.
    shared_kits: Annotated[list[Device], msgspec.Meta(max_length=10_000)] = []
    url: Text | None = None
    mqtt: Broker | None = None
    control_token: Text | None = None


def read(path: str) -> World:
    """Reads a file, or standard input for "-". Raises BadInput."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise errors.BadInput(f"cannot read {path}: {error.strerror}") from None
    return parse(data)


def parse(data: bytes) -> World:
    """Decodes any of the three shapes. Raises BadInput naming the place that is wrong, not its content."""
    try:
        first: Any = msgspec.json.decode(data)
        world = msgspec.convert({"devices": first} if isinstance(first, list) else first, World)
    except msgspec.ValidationError as error:
        raise errors.BadInput(f"not a file of devices: {error}") from None
    except msgspec.DecodeError:
        raise errors.BadInput("not a file of devices: it is not JSON") from None
    together = [*world.devices, *world.shared_kits]
    _check(together)
    return msgspec.structs.replace(world, devices=together, shared_kits=[])


def broker(text: str) -> Broker:
    """HOST:PORT, or mqtt://HOST:PORT."""
    host, _, port = text.removeprefix("mqtt://").rstrip("/").rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise errors.BadInput("--mqtt must be HOST:PORT")
    return Broker(host, int(port))


def choose(devices: Iterable[Device], wanted: list[str]) -> list[Device]:
    """The devices of the residents named by key, NHS number or device id; all for an empty list."""
    everyone = list(devices)
    if not wanted:
        return everyone
    named = {device.device_id: {person.key for _, person in device.persons} for device in everyone}
    names = {
        name: [d for d in everyone if name in named[d.device_id] or name in (d.nhs_number, d.device_id)]
        for name in wanted
    }
    missing = [str(position + 1) for position, name in enumerate(wanted) if not names[name]]
    if missing:
        raise errors.BadInput(f"--residents: no device belongs to entry {', '.join(missing)} of the list")
    keys: set[str] = set()
    for name, found in names.items():
        for device in found:
            keys |= {name} if name in named[device.device_id] else named[device.device_id]
    chosen = []
    for device in everyone:
        seats = [seat for seat in device.seats if seat.resident.key in keys]
        if seats or (not device.seats and device.person.key in keys):
            chosen.append(msgspec.structs.replace(device, seats=seats))
    return chosen


def _check(devices: list[Device]) -> None:
    if not devices:
        raise errors.BadInput("the file of devices names no device")
    if len({device.device_id for device in devices}) < len(devices):
        raise errors.BadInput("the file of devices names a device twice")
    for device in devices:
        if len({subject for subject, _ in device.persons}) < len(device.persons):
            raise errors.BadInput(f"device {device.device_id}: two seats have the same subject")
        for _, person in device.persons:
            _check_person(device.device_id, person)


def _check_person(device_id: str, person: Resident) -> None:
    try:
        ZoneInfo(person.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise errors.BadInput(f"device {device_id}: zone is not an IANA time zone") from None
    if any(not low < high for low, high in person.ranges.values()):
        raise errors.BadInput(f"device {device_id}: a range does not rise")
    for times in person.schedule.values():
        for text in times.times:
            try:
                time.fromisoformat(text)
            except ValueError:
                raise errors.BadInput(f"device {device_id}: a time of the schedule is wrong") from None
