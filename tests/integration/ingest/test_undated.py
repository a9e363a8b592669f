"""Readings without a time of their own get one that stays the same however often their message comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from devices import meaning
from devices.message import Message, Reading
from telehealth.model.attribution import Seat
from telehealth.model.delivery import Delivery, Lane
from telehealth.store import devices, residents, seats
from telehealth.store.db import Database
from tests.integration.ingest import wards
from tests.integration.ingest.wards import NOW, take
from tests.support import world

pytestmark = pytest.mark.postgres


def _weight(equals: meaning.Equals, local: datetime | None = None, flags: tuple[str, ...] = ()) -> Reading:
    read = meaning.reading(
        "scales",
        0,
        equals,
        code="weight",
        token="71.5",
        unit="kg",
        taken_at=None,
        source_id=None,
        subject=None,
        set=None,
        context=None,
        flags=flags,
        method="device",
        absent=None,
        local_time=local,
    )
    assert isinstance(read, Reading)
    return read


def _delivery(
    device: world.Device,
    *,
    digest: str = "00" * 8,
    seq: int | None = None,
    sent_at: datetime | None = None,
    received_at: datetime = NOW,
    lane: Lane = "live",
    zone: str | None = None,
    local: Sequence[datetime | None] = (None,),
    flags: tuple[str, ...] = (),
) -> Delivery:
    equals: meaning.Equals = {}
    readings = tuple(_weight(equals, one, flags) for one in local)
    stream = None if seq is None else "s1"
    own = digest if seq is None else None
    message = Message(digest, 10, stream, seq, None, own, sent_at, readings, (), zone)
    return Delivery(
        lane, f"telehealth/v1/{device.device_id}/readings/gatt", device.device_id, b"x", received_at, message
    )


async def _device(database: Database) -> world.Device:
    ward = await world.ward(database)
    return await world.device(database, ward, resident=await world.resident(database, ward))


async def _stored(database: Database) -> list[tuple[datetime, datetime | None, list[str] | None]]:
    found = await wards.rows(database, "SELECT taken_at, effective_at, marks FROM reading ORDER BY taken_at, identity")
    return [(row["taken_at"], row["effective_at"], row["marks"]) for row in found]


async def test_the_first_time_of_sending_stays(database: Database) -> None:
    """A resend has a new sent_at and is the same reading all the same."""
    device = await _device(database)
    sent = NOW - timedelta(seconds=3)
    for late in range(3):
        at = timedelta(minutes=30 * late)
        await take(database, _delivery(device, seq=7, sent_at=sent + at, received_at=NOW + at))
    assert await _stored(database) == [(sent, sent, ["undated"])]


async def test_without_any_time_the_arrival_counts_and_is_marked(database: Database) -> None:
    device = await _device(database)
    await take(database, _delivery(device, local=(None, None)))
    await take(database, _delivery(device, local=(None, None), received_at=NOW + timedelta(minutes=1)))
    assert await _stored(database) == [(NOW, NOW, ["clock_uncertain", "undated"])] * 2


async def test_the_same_bytes_later_are_another_reading(database: Database) -> None:
    """Somebody who weighs the same tomorrow has weighed themselves twice."""
    device = await _device(database)
    later = NOW + timedelta(days=1)
    await take(database, _delivery(device))
    await take(database, _delivery(device, received_at=later))
    assert [taken for taken, _, _ in await _stored(database)] == [NOW, later]


async def test_a_gateway_that_is_ahead_is_not_believed(database: Database) -> None:
    device = await _device(database)
    await take(database, _delivery(device, seq=1, sent_at=NOW + timedelta(hours=2)))
    assert await _stored(database) == [(NOW, NOW, ["clock_uncertain", "undated"])]


async def test_old_readings_without_a_time_are_held(database: Database) -> None:
    """On the backlog lane the time of sending says nothing about when somebody measured."""
    device = await _device(database)
    await take(database, _delivery(device, seq=1, sent_at=NOW, lane="backlog"))
    assert await _stored(database) == [(NOW, None, ["no_time", "held", "undated"])]
    (row,) = await wards.rows(database, "SELECT resident_id FROM reading")
    assert row["resident_id"] is None


async def test_a_local_time_counts_in_the_zone_of_the_gateway_or_of_the_resident(database: Database) -> None:
    device = await _device(database)
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    local = datetime.fromisoformat("2026-07-01T12:30")
    await take(database, _delivery(device, seq=1, received_at=summer, local=[local]))
    await take(database, _delivery(device, seq=2, received_at=summer, local=[local], zone="Europe/Berlin"))
    berlin, london = summer - timedelta(minutes=90), summer - timedelta(minutes=30)
    assert await _stored(database) == [(berlin, berlin, None), (london, london, ["zone_assumed"])]


async def test_a_local_time_counts_in_the_zone_of_all_who_have_a_seat(database: Database) -> None:
    """A scale of several, which shows no zone; where they do not agree nothing is guessed."""
    ward = await world.ward(database)
    scales = await world.device(database, ward)
    local = datetime.fromisoformat("2026-07-01T12:30")
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    for slot, zone in enumerate(("Europe/London", "Europe/London", "Europe/Berlin"), start=1):
        whose = await world.resident(database, ward, zone=zone)
        async with database.transaction(world.ACTOR) as connection:
            await seats.seat(
                connection,
                await devices.find(connection, scales.device_id),
                Seat("slot", str(slot)),
                await residents.find(connection, whose.nhs_number),
                since=summer - timedelta(days=30),
                actor=world.ACTOR,
                now=summer - timedelta(days=1),
            )
        if slot > 1:
            await take(database, _delivery(scales, seq=slot, received_at=summer, local=[local]))
    taken = [(at, marks) for at, _, marks in await _stored(database)]
    assert [at for at, _ in taken] == [summer - timedelta(minutes=30), summer]
    assert ["zone_assumed" in (marks or ()) for _, marks in taken] == [True, False]


async def test_a_local_time_of_no_zone_may_be_of_long_ago(database: Database) -> None:
    """A device that nobody has: that the reading was sent now does not make it one of now."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    sent = NOW - timedelta(seconds=3)
    local = datetime.fromisoformat("2026-02-20T08:00")
    await take(database, _delivery(device, seq=1, sent_at=sent, local=[local]))
    ((at, effective_at, marks),) = await _stored(database)
    assert (at, effective_at) == (sent, sent)
    assert "clock_uncertain" in (marks or ())


@pytest.mark.parametrize(
    ("local", "flags", "zone"),
    [
        ("2027-01-01T00:00", (), None),  # ahead
        ("2016-01-01T00:00", (), None),  # never set
        ("0001-01-01T00:00", (), None),
        ("9999-12-31T00:00", (), None),
        ("2026-03-02T11:00", ("clock_not_set",), None),
        ("2027-01-01T00:00", (), "../../etc/passwd"),
        ("2027-01-01T00:00", (), "Nowhere/Land"),
    ],
)
async def test_a_local_time_that_cannot_be_is_left_aside(
    database: Database, local: str, flags: tuple[str, ...], zone: str | None
) -> None:
    """Live readings count from their arrival: a wrong cuff clock must not hide a reading of now."""
    device = await _device(database)
    await take(database, _delivery(device, seq=1, local=[datetime.fromisoformat(local)], flags=flags, zone=zone))
    assert await _stored(database) == [(NOW, NOW, ["clock_uncertain", "undated"])]


async def test_the_gateways_time_counts_where_the_devices_cannot_be(database: Database) -> None:
    """A cuff that is a year ahead, behind a gateway that says when it had the reading."""
    device = await _device(database)
    had = NOW - timedelta(seconds=20)
    sent = _delivery(device, seq=1, local=[datetime.fromisoformat("2027-01-01T00:00")])
    readings = tuple(msgspec.structs.replace(one, gateway_at=had) for one in sent.message.readings)
    await take(
        database, msgspec.structs.replace(sent, message=msgspec.structs.replace(sent.message, readings=readings))
    )
    assert await _stored(database) == [(had, had, None)]


async def test_the_zone_that_was_assumed_first_stays(database: Database) -> None:
    """A resend that finds another resident with the device brings the same reading, not another one."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    local = datetime.fromisoformat("2026-03-02T11:30")
    await take(database, _delivery(device, seq=1, local=[local]))
    athens = await world.resident(database, ward, zone="Europe/Athens")
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "INSERT INTO device_assignment (organisation_id, device_pk, resident_id, during, created_by, created_at)"
            " VALUES ($1, $2, $3, tstzrange($4, NULL), 'test', $4)",
            *(ward.organisation_id, device.pk, athens.id, NOW),
        )
    await take(database, _delivery(device, seq=1, local=[local], received_at=NOW + timedelta(hours=1)))
    assert len(await _stored(database)) == 1
