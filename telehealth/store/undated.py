"""Times for readings that were sent without one, or with a local one of no zone.

Inside the ingest transaction, because a reading's time is part of its identity: the message that comes
again must give it the same one. So what an undated message was given first is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from devices import meaning, timing
from devices.message import Message, Reading, TimeSource
from telehealth.model.delivery import Delivery
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: The same bytes, without stream and seq or id, are the same message for so long and another one afterwards.
SAME_BYTES = timedelta(minutes=2)


class Device(Protocol):
    """What is needed of a device's row."""

    @property
    def pk(self) -> int: ...
    @property
    def organisation_id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Key:
    device_pk: int
    key: bytes
    for_good: bool


@dataclass(frozen=True, slots=True)
class _First:
    """Of a message's first delivery: when it came, the time given to its undated readings, the zone assumed."""

    received_at: datetime
    at: datetime
    zone: str | None


async def date(
    connection: Connection, deliveries: Sequence[Delivery], devices: Mapping[str, Device]
) -> Sequence[Delivery]:
    """The same deliveries, every reading of them with a taken_at."""
    lacking = [d for d in deliveries if any(reading.taken_at is None for reading in d.message.readings)]
    if not lacking:
        return deliveries
    keys = {id(d): _key(devices[d.device_id].pk, d.message) for d in lacking}
    zones = await _zones(connection, lacking, devices)
    remembered = await _remember(connection, lacking, keys, devices, zones)
    found = dict[int, Delivery]()
    for d in lacking:
        first = remembered[keys[id(d)].device_pk, keys[id(d)].key]
        zone = _zone(d.message.zone)
        source: TimeSource = "zone"
        if zone is None:
            zone, source = _zone(first.zone), "assumed_zone"
        readings = tuple(
            reading if reading.taken_at is not None else _dated(d, reading, first, zone, source)
            for reading in d.message.readings
        )
        found[id(d)] = msgspec.structs.replace(d, message=msgspec.structs.replace(d.message, readings=readings))
    return [found.get(id(d), d) for d in deliveries]


def effective(reading: Reading) -> tuple[datetime | None, bool, str | None]:
    """effective_at, whether it is uncertain, and our mark, of a reading that date() has given its time."""
    match reading.time_source:
        case "zone":
            return reading.taken_at, False, None
        case "assumed_zone":
            return reading.taken_at, False, "zone_assumed"
        case "sending":
            return reading.taken_at, False, "undated"
        case "arrival":
            return reading.taken_at, True, "undated"
        case _:
            return None, True, "undated"


def _dated(delivery: Delivery, reading: Reading, first: _First, zone: ZoneInfo | None, source: TimeSource) -> Reading:
    local = reading.local_time
    set_at_all = timing.CLOCK_NOT_SET not in reading.flags and local is not None and 1900 <= local.year <= 2200
    if local is not None and set_at_all and zone is not None:
        taken_at, certain = timing.localised(local, zone, first.received_at)
        # A clock that is ahead or was never set says nothing: then only the arrival is known.
        if timing.CLOCK_SET_FROM <= taken_at <= first.received_at + timing.TOLERANCE:
            return meaning.dated(delivery.device_id, reading, taken_at, source if certain else "assumed_zone")
    if reading.gateway_at is not None:
        return meaning.dated(delivery.device_id, reading, reading.gateway_at, "gateway")
    if delivery.lane == "backlog":
        return meaning.dated(delivery.device_id, reading, first.at, "unknown")
    # A time that a good clock shows somewhere may be of long ago: that it was sent now says nothing then.
    sent = first.at == _sent(delivery) and (zone is not None or not set_at_all)
    return meaning.dated(delivery.device_id, reading, first.at, "sending" if sent else "arrival")


def _sent(delivery: Delivery) -> datetime | None:
    """When the gateway sent a live message, if its clock can be believed."""
    sent_at = delivery.message.sent_at
    believed = sent_at is not None and timing.CLOCK_SET_FROM <= sent_at <= delivery.received_at + timing.TOLERANCE
    return sent_at if believed and delivery.lane == "live" else None


def _key(device_pk: int, message: Message) -> _Key:
    """What tells a message from others of its device, for as long as possible."""
    if message.stream is not None and message.seq is not None:
        said, for_good = f"seq|{message.seq}|{message.stream}", True
    elif message.id is not None and message.id != message.digest:
        said, for_good = f"id|{message.id}", True
    else:
        said, for_good = f"bytes|{message.digest}", False
    return _Key(device_pk, hashlib.blake2b(said.encode(), digest_size=16).digest(), for_good)


async def _remember(
    connection: Connection,
    lacking: Sequence[Delivery],
    keys: Mapping[int, _Key],
    devices: Mapping[str, Device],
    zones: Mapping[int, str],
) -> dict[tuple[int, bytes], _First]:
    first: dict[_Key, Delivery] = {}
    for d in lacking:
        first.setdefault(keys[id(d)], d)
    rows = await connection.fetch(
        sql("undated.remember"),
        [key.device_pk for key in first],
        [devices[d.device_id].organisation_id for d in first.values()],
        [key.key for key in first],
        [d.received_at for d in first.values()],
        [_sent(d) or d.received_at for d in first.values()],
        [key.key for key in first if key.for_good],
        SAME_BYTES,
        [zones.get(key.device_pk) for key in first],
    )
    return {(row["device_pk"], row["message_key"]): _First(row["received_at"], row["at"], row["zone"]) for row in rows}


async def _zones(connection: Connection, lacking: Sequence[Delivery], devices: Mapping[str, Device]) -> dict[int, str]:
    """The zones of the residents who have the devices or seats at them, where a local time needs one."""
    when = {
        devices[d.device_id].pk: d.received_at
        for d in lacking
        if any(reading.local_time is not None for reading in d.message.readings)
    }
    if not when:
        return {}
    rows = await connection.fetch(sql("undated.zones"), list(when), list(when.values()))
    return {row["device_pk"]: row["zone"] for row in rows}


def _zone(name: str | None) -> ZoneInfo | None:
    """None where there is no such zone: a gateway may say anything."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a zone's name; the name of a folder
        return None
