"""Device clocks that are wrong: what is learnt of them, when their readings count, and what is repaired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from devices import timing
from telehealth.model.delivery import Delivery, Lane
from telehealth.store import export, ingest
from telehealth.store.db import Database
from tests.integration.ingest import wards
from tests.integration.ingest.wards import NOW, delivery, envelope, rfc3339, spo2, take
from tests.support import world

pytestmark = pytest.mark.postgres

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


async def _small_world(database: Database) -> tuple[world.Resident, world.Device]:
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    device = await world.device(database, ward, resident=resident)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("DELETE FROM evaluation_due")
    return resident, device


def _message(
    device: world.Device,
    value: float,
    *,
    true: float,
    skew: timedelta = timedelta(0),
    seq: int | None = 1,
    delay: float = 2.0,
    lane: Lane = "live",
    more: Sequence[dict[str, Any]] = (),
    **fields: Any,
) -> Delivery:
    """One SpO2, taken `true` seconds after NOW, sent 3 s later by a clock that is wrong by skew."""
    taken, sent = NOW + true * SECOND + skew, NOW + (true + 3) * SECOND + skew
    readings = [*more, spo2(value, at=taken)]
    content = envelope(*readings, seq=seq, **{"sent_at": rfc3339(sent)} | fields)
    return delivery(device.device_id, content, lane=lane, received_at=NOW + (true + 3 + delay) * SECOND)


async def _take(database: Database, *deliveries: Delivery) -> None:
    for one in deliveries:
        await take(database, one, now=one.received_at)


async def _effective(database: Database) -> list[tuple[float, float | None, list[str]]]:
    """Value, effective_at in seconds after NOW, marks; in the order of receiving."""
    found = await wards.rows(database, "SELECT value, effective_at, marks FROM reading ORDER BY received_at, taken_at")
    return [
        (r["value"], None if r["effective_at"] is None else (r["effective_at"] - NOW) / SECOND, r["marks"] or [])
        for r in found
    ]


async def _latest(database: Database) -> asyncpg.Record:
    (row,) = await wards.rows(database, "SELECT * FROM latest WHERE code = 'spo2'")
    return row


async def _periods(database: Database) -> list[tuple[Any, ...]]:
    found = await wards.rows(database, "SELECT kind, since, until, skew_ms, sure FROM device_clock ORDER BY since")
    return [tuple(row) for row in found]


async def test_a_clock_put_back_an_hour_does_not_hide_what_came_after(database: Database) -> None:
    """Right, then an hour slow: by the naive rule "latest" would show the older value for an hour."""
    _, device = await _small_world(database)
    right = [_message(device, 97, true=n * 60.0, seq=n + 1) for n in range(3)]
    back = [_message(device, 84 - n, true=300 + n * 60.0, skew=-HOUR, seq=4 + n) for n in range(3)]
    naive = [
        timing.effective(one.message.readings[0].taken_at or NOW, one.message.sent_at, one.received_at)
        for one in (right[-1], back[0])
    ]
    assert naive[1].effective_at is not None
    assert naive[0].effective_at is not None
    assert naive[1].effective_at < naive[0].effective_at
    await _take(database, *right, back[0])
    latest = await _latest(database)
    assert (latest["value"], latest["marks"]) == (84, ["clock_uncertain"])
    assert latest["effective_at"] == NOW + 302 * SECOND
    await _take(database, *back[1:])
    assert (await _latest(database))["value"] == 82
    assert await _effective(database) == [
        (97, 0, []),
        (97, 60, []),
        (97, 120, []),
        (84, 302, ["clock_uncertain"]),
        (83, 362, ["clock_uncertain"]),
        (82, 422, ["clock_uncertain"]),
    ]
    since = back[0].received_at
    assert await _periods(database) == [("slow", since, None, -3_602_000, True)]
    readings = await wards.rows(database, "SELECT taken_at FROM reading WHERE value < 90 ORDER BY value DESC")
    assert [row["taken_at"] for row in readings] == [NOW + (300 + n * 60) * SECOND - HOUR for n in range(3)]


async def test_readings_that_were_believed_are_repaired_when_the_clock_turns_out_to_be_slow(database: Database) -> None:
    """Without an order to go by it takes three messages; what was believed until then moves, and is judged anew."""
    resident, device = await _small_world(database)
    await _take(database, _message(device, 97, true=0))
    ids: dict[str, Any] = {"seq": None, "stream": None}
    slow = [_message(device, 84 - n, true=300 + n * 40.0, skew=-HOUR, id=f"m{n}", **ids) for n in range(3)]
    await _take(database, *slow[:2])
    assert (await _latest(database))["value"] == 97
    assert (await _effective(database))[1] == (84, 300 - 3600, [])
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("DELETE FROM evaluation_due")
    await _take(database, slow[2])
    assert await _effective(database) == [
        (97, 0, []),
        (84, 302, ["clock_uncertain"]),
        (83, 342, ["clock_uncertain"]),
        (82, 382, ["clock_uncertain"]),
    ]
    assert (await _latest(database))["value"] == 82
    due = await wards.rows(
        database,
        "SELECT min(earliest_at) AS at FROM evaluation_due WHERE resident_id = $1 AND cause = 'clock'",
        resident.id,
    )
    assert due[0]["at"] == NOW + 300 * SECOND - HOUR
    device_due = await wards.rows(database, "SELECT cause FROM evaluation_due WHERE device_pk = $1", device.pk)
    assert "clock" in {row["cause"] for row in device_due}


async def test_a_redelivery_rewrites_nothing(database: Database) -> None:
    _, device = await _small_world(database)
    right, back = _message(device, 97, true=0), _message(device, 84, true=300, skew=-HOUR, seq=2)
    await _take(database, right, back)
    before = await wards.rows(database, "SELECT * FROM reading ORDER BY received_at")
    again = [
        delivery(device.device_id, one.payload, received_at=one.received_at + timedelta(minutes=9))
        for one in (right, back, back)
    ]
    await _take(database, *again)
    assert await wards.rows(database, "SELECT * FROM reading ORDER BY received_at") == before


async def test_what_was_taken_before_the_clock_was_put_back_is_believed(database: Database) -> None:
    """Buffered readings of a right clock, sent when it was slow already."""
    _, device = await _small_world(database)
    await _take(database, _message(device, 97, true=0))
    old = [spo2(90 + n, at=NOW - (3 + n) * HOUR, source_id=f"b{n}") for n in range(2)]
    slow = [
        _message(device, 84, true=300, skew=-HOUR, seq=2),
        _message(device, 83, true=360, skew=-HOUR, seq=3, lane="backlog", more=old),
    ]
    await _take(database, *slow)
    found: dict[float, Any] = {value: (at, marks) for value, at, marks in await _effective(database)}
    assert found[90.0] == (-3 * 3600, [])
    assert found[91.0] == (-4 * 3600, [])
    assert found[83.0] == (362, ["clock_uncertain"])


async def test_a_clock_that_is_right_again_is_believed_again(database: Database) -> None:
    _, device = await _small_world(database)
    await _take(
        database,
        _message(device, 97, true=0),
        _message(device, 84, true=300, skew=-HOUR, seq=2),
        _message(device, 85, true=400, skew=-HOUR, seq=3),
        _message(device, 96, true=500, seq=4),
    )
    assert (await _effective(database))[-1] == (96, 500, [])
    ((_, since, until, _, sure),) = await _periods(database)
    assert (since, until, sure) == (NOW + 305 * SECOND, NOW + 505 * SECOND, True)


@pytest.mark.parametrize("skew", [2 * HOUR, datetime(1970, 1, 1, 0, 5, tzinfo=NOW.tzinfo) - NOW])
async def test_clocks_two_hours_fast_and_never_set_count_when_they_send(database: Database, skew: timedelta) -> None:
    _, device = await _small_world(database)
    await _take(database, *(_message(device, 90 - n, true=n * 60.0, skew=skew, seq=n + 1) for n in range(2)))
    assert await _effective(database) == [(90, 2, ["clock_uncertain"]), (89, 62, ["clock_uncertain"])]
    assert (await _latest(database))["value"] == 89
    ((kind, since, until, _, sure),) = await _periods(database)
    assert (kind, since, until, sure) == ("fast" if skew > HOUR else "unset", NOW + 5 * SECOND, None, True)


async def test_a_reading_without_sent_at_is_corrected_by_what_is_known(database: Database) -> None:
    _, device = await _small_world(database)
    await _take(database, *(_message(device, 90, true=n * 60.0, skew=2 * HOUR, seq=n + 1) for n in range(2)))
    await _take(database, _message(device, 88, true=200, skew=2 * HOUR, seq=3, sent_at=None))
    # the estimate is two seconds low, by the shortest delay there was
    assert (await _effective(database))[-1] == (88, 202, ["clock_uncertain"])


async def test_messages_without_sent_at_tell_nothing(database: Database) -> None:
    _, device = await _small_world(database)
    await _take(database, *(_message(device, 90, true=n * 60.0, skew=-HOUR, seq=n + 1, sent_at=None) for n in range(5)))
    assert await _periods(database) == []
    assert all(marks == [] for _, _, marks in await _effective(database))


async def test_a_queue_drained_after_an_outage_is_no_wrong_clock(database: Database) -> None:
    """Ten minutes of messages of one device come within seconds; and of many devices, all as late."""
    _, device = await _small_world(database)
    await _take(database, _message(device, 97, true=-700))
    late = [_message(device, 96, true=-600 + n * 20.0, seq=n + 2, delay=600 - n * 20.0 + n * 0.2) for n in range(30)]
    await take(database, *late)
    assert await _periods(database) == []
    assert all(marks == [] for _, _, marks in await _effective(database))


async def test_when_all_devices_are_late_alike_it_is_not_their_clocks(database: Database) -> None:
    ward = await world.ward(database)
    devices = [await world.device(database, ward) for _ in range(6)]
    for n in range(4):
        await take(database, *(_message(one, 96, true=n * 60.0, seq=n + 1, delay=120) for one in devices))
    assert await _periods(database) == []
    # one of them is on time: then the others are wrong
    for n in range(4, 8):
        late = [_message(one, 96, true=n * 60.0, seq=n + 1, delay=120) for one in devices[1:]]
        await take(database, _message(devices[0], 96, true=n * 60.0, seq=n + 1), *late)
    assert [row[0] for row in await _periods(database)] == ["slow"] * 5


async def test_a_stepped_clock_of_the_service_tells_nothing_of_delays(database: Database) -> None:
    _, device = await _small_world(database)
    for n in range(6):
        one = _message(device, 96, true=n * 7200.0, seq=n + 1, delay=420)
        async with database.transaction(world.ACTOR) as connection:
            await ingest.take_in(connection, [one], now=one.received_at, stepped=True)
    assert await _periods(database) == []


async def test_near_a_change_of_assignment_what_is_repaired_is_held(database: Database) -> None:
    """The device came to its resident shortly before: what is uncertain is nobody's until a person decides."""
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    device = await world.device(database, ward)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "INSERT INTO device_assignment (organisation_id, device_pk, resident_id, during, created_by, created_at)"
            " VALUES ($1, $2, $3, tstzrange($4, NULL), 'operator:tests', $4)",
            ward.organisation_id,
            device.pk,
            resident.id,
            NOW - 30 * 60 * SECOND,
        )
    ids: dict[str, Any] = {"seq": None, "stream": None}
    await _take(database, *(_message(device, 84, true=n * 40.0, skew=-2 * HOUR, id=f"m{n}", **ids) for n in range(3)))
    found = await wards.rows(database, "SELECT resident_id, marks FROM reading")
    assert {(row["resident_id"], *row["marks"]) for row in found} == {(None, "clock_uncertain", "held")}


async def test_nothing_is_written_for_a_clock_that_stays_right(database: Database) -> None:
    """The hot path: between two notes of a right clock there is no second write."""
    _, device = await _small_world(database)
    await _take(database, _message(device, 97, true=0))
    (first,) = await wards.rows(database, "SELECT clock FROM device_contact")
    await _take(database, *(_message(device, 97, true=10.0 * n, seq=n + 1) for n in range(1, 20)))
    (later,) = await wards.rows(database, "SELECT clock FROM device_contact")
    assert later == first


async def test_exports_of_a_time_have_what_counts_in_it_and_make_no_time_up(database: Database) -> None:
    _, device = await _small_world(database)
    unset = datetime(1970, 1, 1, tzinfo=NOW.tzinfo) - NOW
    await _take(database, *(_message(device, 90 - n, true=n * 60.0, skew=unset, seq=n + 1) for n in range(2)))
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE reading SET marks = array_append(marks, 'undated') WHERE value = 90")
        chosen = export.Selection(device_pk=device.pk, since=NOW - HOUR, until=NOW + HOUR)
        found = [row async for row in export.readings(connection, chosen)]
    assert [(row["value"], row["taken_at"]) for row in found] == [(90, None), (89, "1970-01-01T00:01:00.000Z")]
    assert [row["effective_at"] for row in found] == ["2026-03-02T12:00:02.000Z", "2026-03-02T12:01:02.000Z"]
    assert all("clock_uncertain" in row["flags"] for row in found)
