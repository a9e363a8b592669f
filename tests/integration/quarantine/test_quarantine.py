"""What is refused is kept within bounds, counted, tried again after a fix, and dismissed with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import MappingProxyType

import asyncpg
import msgspec
import pytest

from devices import formats, native
from devices.errors import Refusal
from devices.message import Message
from telehealth.ingest import reading
from telehealth.model.delivery import Delivery, Status
from telehealth.store import db, ingest, quarantine, quarantine_view, retry
from telehealth.store.db import Database
from telehealth.store.quarantine_view import Filter
from tests.integration.ingest.wards import NOW, envelope, rows, spo2
from tests.support import servers, world

OPERATOR = db.operator("tests")


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


def sent(device_id: str, payload: bytes, *, to: str = "readings", minutes: int = 0) -> Delivery:
    """As it comes from the broker, to any topic of the device; minutes: ago."""
    at = NOW - timedelta(minutes=minutes)
    found = reading.read(
        "backlog" if to.startswith("backlog") else "live",
        f"telehealth/v1/{device_id}/{to}".encode(),
        payload,
        at,
        retain=False,
    )
    assert isinstance(found, Delivery)
    return found


async def take(database: Database, *found: Delivery | Status, minutes: int = 0) -> ingest.Taken:
    deliveries = [one for one in found if isinstance(one, Delivery)]
    statuses = [one for one in found if isinstance(one, Status)]
    async with database.transaction(db.service("ingest")) as connection:
        return await ingest.take_in(connection, deliveries, statuses, now=NOW - timedelta(minutes=minutes))


async def entries(database: Database, **wanted: object) -> list[quarantine_view.Entry]:
    async with database.transaction(OPERATOR, read_only=True) as connection:
        return await quarantine_view.entries(connection, Filter(**wanted))  # type: ignore[arg-type]  # names of fields


@pytest.fixture
def fixed() -> Iterator[dict[str, formats.Decoder]]:
    """A decoder of format "fixed" may be put here by a test, as a new version or an adapter would bring one."""
    before = formats.DECODERS
    known = dict(before)
    formats.DECODERS = MappingProxyType(known)  # type: ignore[misc]  # what a restart would do
    yield known
    formats.DECODERS = before  # type: ignore[misc]


async def test_a_fix_takes_in_what_was_refused_once(database: Database, fixed: dict[str, formats.Decoder]) -> None:
    """Bytes of a format that nobody knew: after the fix they are stored as of their arrival, however often tried."""
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    device = await world.device(database, ward, resident=resident)
    payload = envelope(spo2(96, at=NOW - timedelta(minutes=61)), spo2(95, at=NOW - timedelta(minutes=62), unit="?"))
    await take(database, sent(device.device_id, payload, to="readings/fixed", minutes=60), minutes=60)
    [entry] = await entries(database)
    assert (entry.error, entry.state, entry.retryable) == ("format_unknown", "refused", True)
    fixed["fixed"] = native.decode
    for stored, duplicates in ((1, 0), (0, 1)):
        async with database.transaction(db.service("web")) as connection:
            tried = await retry.entries(connection, [entry.id], actor=db.staff(7), now=NOW)
        [outcome] = tried.outcomes
        assert (outcome.stored, outcome.duplicates) == (stored, duplicates)
        assert [refusal.error for refusal in outcome.refused] == ["unit_unknown"]
    found = await rows(database, "SELECT value, received_at, resident_id FROM reading")
    assert [tuple(row) for row in found] == [(96.0, NOW - timedelta(minutes=60), resident.id)]
    by_error = {one.error: one for one in await entries(database)}
    assert by_error["format_unknown"].state == "retried"
    assert by_error["format_unknown"].handled_by == "staff:7"
    assert "still refused: unit_unknown" in (by_error["format_unknown"].note or "")
    assert (by_error["unit_unknown"].state, by_error["unit_unknown"].times) == ("refused", 1)
    contact = await rows(database, "SELECT seen_at, clock_offset_ms FROM device_contact")
    assert contact[0]["seen_at"] == NOW - timedelta(minutes=60), "trying again is no sign of life"


async def test_all_of_a_device_and_reason_are_tried(
    database: Database, fixed: dict[str, formats.Decoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bounded steps; what is still refused is not tried over and over in one run."""
    monkeypatch.setattr(retry, "MOST", 2)
    ward = await world.ward(database)
    device = await world.device(database, ward)
    for seq in range(1, 6):
        payload = envelope(spo2(90 + seq, at=NOW - timedelta(minutes=seq)), seq=seq)
        await take(database, sent(device.device_id, payload, to="backlog/fixed"))

    def decode(device_id: str, payload: bytes) -> Message:
        message = native.decode(device_id, payload)
        if message.seq == 3:
            return msgspec.structs.replace(message, readings=(), refusals=(Refusal("schema", None, "no"),))
        return message

    fixed["fixed"] = decode
    stored, refused, left = 0, 0, 1
    while left:
        async with database.transaction(OPERATOR) as connection:
            tried = await retry.group(
                connection, device_id=device.device_id, error="format_unknown", actor=OPERATOR, now=NOW
            )
        stored, refused, left = stored + tried.stored, refused + tried.refused, tried.left
    assert (stored, refused) == (4, 1)
    assert {(one.error, one.state) for one in await entries(database)} == {
        ("format_unknown", "retried"),
        ("schema", "refused"),
    }


async def test_an_unknown_devices_message_is_taken_in_once_it_is_registered(database: Database) -> None:
    """It is held until then; staff of a ward do not see it, operators do."""
    ward = await world.ward(database)
    payload = envelope(spo2(93, at=NOW - timedelta(minutes=1)), spo2(400, at=NOW - timedelta(minutes=2)))
    await take(database, sent("new-one", payload))
    [entry] = await entries(database, unknown=True)
    assert (entry.state, entry.error, entry.device_id) == ("held", "device_unknown", None)
    nurse = db.staff(await world.staff(database, ward))
    async with database.transaction(nurse, read_only=True) as connection:
        assert await quarantine_view.entries(connection, Filter()) == []
    async with database.transaction(OPERATOR) as connection:
        [outcome] = (await retry.entries(connection, [entry.id], actor=OPERATOR, now=NOW)).outcomes
    assert "not registered" in (outcome.why or "")
    await world.device(database, ward, "new-one")
    async with database.transaction(OPERATOR) as connection:
        [outcome] = (await retry.entries(connection, [entry.id], actor=OPERATOR, now=NOW)).outcomes
    assert outcome.stored == 1
    assert {(one.device_id, one.error, one.state) for one in await entries(database)} == {
        (None, "device_unknown", "retried"),
        ("new-one", "value_impossible", "refused"),
    }


async def test_a_status_that_cannot_be_read_is_kept(database: Database) -> None:
    """It is not only counted; it cannot be tried again, because a status is of its moment."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    topic = f"telehealth/v1/{device.device_id}/status"
    said = reading.read("live", topic.encode(), b'{"online":"yes"}', NOW, retain=False)
    assert isinstance(said, Status)
    taken = await take(database, said)
    assert taken.refusals == {"online_invalid": 1}
    [entry] = await entries(database)
    assert (entry.error, entry.topic, entry.retryable, entry.whole) == ("online_invalid", topic, False, True)
    contact = await rows(database, "SELECT status FROM device_contact")
    assert contact[0]["status"] is None


async def test_a_flood_of_distinct_nonsense_stays_within_bounds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries and bytes of a device are bounded, of unknown devices together as well; the counts know all."""
    monkeypatch.setattr(quarantine, "DEVICE_ENTRIES", 100)
    monkeypatch.setattr(quarantine, "DEVICE_BYTES", 20_000)
    ward = await world.ward(database)
    device, other = await world.device(database, ward), await world.device(database, ward)
    await take(database, sent(other.device_id, b"mine"))
    for batch in range(4):
        await take(
            database,
            *(sent(device.device_id, f"{batch} {n} ".encode() + b"x" * 500) for n in range(200)),
            *(sent(f"stranger-{batch}-{n}", b"?") for n in range(200)),
            minutes=4 - batch,
        )
    found = await rows(
        database,
        "SELECT d.device_id, count(*) AS entries, sum(octet_length(payload)) AS bytes, max(q.last_at) AS last_at"
        " FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk GROUP BY 1",
    )
    by_device = {row["device_id"]: row for row in found}
    assert 100 <= by_device[device.device_id]["entries"] <= 130, "looked at once in a while"
    assert 15_000 < by_device[device.device_id]["bytes"] <= 25_000
    assert by_device[device.device_id]["last_at"] == NOW - timedelta(minutes=1), "the newest stay"
    assert by_device[None]["entries"] == 100
    assert by_device[other.device_id]["entries"] == 1, "others are not touched"
    newest = await rows(database, "SELECT max(id) AS id FROM quarantine")
    await take(database, *(sent(device.device_id, f"more {n}".encode()) for n in range(50)))
    more = await rows(database, "SELECT id FROM quarantine WHERE id > $1", newest[0]["id"])
    assert len(more) == 1, "of a flood one message of a batch is enough"
    async with database.transaction(OPERATOR, read_only=True) as connection:
        hours = await quarantine_view.hours(connection, since=NOW - timedelta(days=1), device_id=device.device_id)
    assert sum(hour.times for hour in hours) == 850
    kept = await entries(database, device_id=device.device_id)
    assert kept[0].retryable
    assert not kept[-1].whole


async def test_a_message_of_many_bad_readings_is_a_few_entries(database: Database) -> None:
    """The rest is counted; the receipt names them all."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    taken = await take(database, sent(device.device_id, envelope(*(spo2(400) for _ in range(300)))))
    assert len(taken.answers[0].refused) == 300
    assert len(await entries(database)) == quarantine.MESSAGE_ENTRIES
    counted = await rows(database, "SELECT hour, times FROM quarantine_count")
    assert [tuple(row) for row in counted] == [(NOW, 300)]


async def test_dismissing_is_for_those_who_may_see_the_device(database: Database) -> None:
    """Staff dismiss their own wards' entries, in their own name, and can change nothing else of them."""
    north, south = await world.ward(database), await world.ward(database)
    mine, theirs = await world.device(database, north), await world.device(database, south)
    await take(database, sent(mine.device_id, b"a"), sent(theirs.device_id, b"b"))
    nurse = db.staff(await world.staff(database, north))
    ids = [one.id for one in await entries(database)]
    async with database.transaction(nurse) as connection:
        assert await quarantine_view.dismiss(connection, ids=ids, reason="test device", actor=nurse, now=NOW) == 1
    by_device = {one.device_id: one for one in await entries(database)}
    assert (by_device[mine.device_id].state, by_device[mine.device_id].note) == ("dismissed", "test device")
    assert by_device[theirs.device_id].state == "refused"
    await take(database, sent(mine.device_id, b"a"))
    assert {one.state for one in await entries(database, device_id=mine.device_id)} == {"dismissed"}
    for forged in ("UPDATE quarantine SET payload = ''", "UPDATE quarantine SET handled_by = 'staff:1'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction(db.staff(int(nurse[6:]))) as connection:
                await connection.execute(f"{forged}, state = 'refused'")


def test_lane_and_format_are_known_by_where_a_message_was_sent() -> None:
    """By MQTT and by HTTP; of anything else nothing is known, and nothing is tried again."""
    sources = [
        quarantine_view.source(topic)
        for topic in (
            "telehealth/v1/kit/readings",
            "telehealth/v1/kit/backlog/gatt",
            "POST /api/v1/devices/kit/readings",
            "POST /api/v1/devices/kit/backlog/fhir",
            "telehealth/v1/kit/elsewhere",
        )
    ]
    assert [None if source is None else (source.channel, source.format) for source in sources] == [
        ("readings", None),
        ("backlog", "gatt"),
        ("readings", None),
        ("backlog", "fhir"),
        None,
    ]
