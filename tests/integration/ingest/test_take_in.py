"""The transaction that takes readings in: identity, attribution, settling, conflicts, refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from telehealth.store.db import Database
from tests.integration.ingest import wards
from tests.integration.ingest.wards import NOW, delivery, envelope, spo2, take
from tests.support import world

pytestmark = pytest.mark.postgres


async def _small_world(database: Database) -> tuple[world.Resident, world.Device]:
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("DELETE FROM evaluation_due")
    return resident, await world.device(database, ward, resident=resident)


async def test_a_reading_is_stored_with_all_that_follows(database: Database) -> None:
    """One message: the reading, its attribution, the latest value, the due row, the contact, the settled set."""
    resident, device = await _small_world(database)
    taken = await take(database, delivery(device.device_id, envelope(spo2(96.0, source_id="a"))))
    (reading,) = await wards.rows(database, "SELECT * FROM reading")
    assert reading["resident_id"] == resident.id
    assert reading["device_pk"] == device.pk
    assert (reading["value"], reading["value_sent"], reading["unit"], reading["unit_sent"]) == (96.0, "96.0", "%", None)
    assert reading["effective_at"] == reading["taken_at"] == NOW - timedelta(minutes=1)
    assert (reading["stream"], reading["seq"], reading["source_id"]) == ("s1", 1, "a")
    (latest,) = await wards.rows(database, "SELECT * FROM latest")
    assert (latest["resident_id"], latest["code"], latest["value"]) == (resident.id, "spo2", 96.0)
    (due,) = await wards.rows(database, "SELECT * FROM evaluation_due")
    assert (due["resident_id"], due["earliest_at"]) == (resident.id, reading["effective_at"])
    (contact,) = await wards.rows(database, "SELECT * FROM device_contact")
    assert (contact["seen_at"], contact["clock_offset_ms"]) == (NOW, 0)
    (answer,) = taken.answers
    assert (answer.stream, answer.settled, answer.refused) == ("s1", ((1, 2),), [])


async def test_the_same_message_ten_times_adds_nothing(database: Database) -> None:
    """Duplicates within a batch and across batches: one reading, one due row, every delivery answered."""
    _, device = await _small_world(database)
    same = delivery(device.device_id, envelope(spo2(80)))
    for _ in range(5):
        taken = await take(database, same, same)
        assert taken.answers[0].settled == ((1, 2),)
        assert taken.answers[0].seqs == [1, 1]
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 1
    assert len(await wards.rows(database, "SELECT 1 FROM evaluation_due")) == 1


async def test_another_value_of_the_same_reading_is_a_conflict(database: Database) -> None:
    """Both are kept and marked, in one batch or in two; the resident is looked at again."""
    _, device = await _small_world(database)
    first, second = (envelope(spo2(v, source_id="x"), seq=n) for n, v in ((1, 97), (2, 79)))
    third = envelope(spo2(98, source_id="y", at=NOW), spo2(78, source_id="y", at=NOW), seq=3)
    await take(database, delivery(device.device_id, first))
    await take(database, delivery(device.device_id, second), delivery(device.device_id, third))
    readings = await wards.rows(database, "SELECT value, marks FROM reading ORDER BY value")
    assert [(r["value"], r["marks"]) for r in readings] == [(v, ["conflict"]) for v in (78, 79, 97, 98)]
    causes = await wards.rows(database, "SELECT DISTINCT cause FROM evaluation_due ORDER BY cause")
    assert [r["cause"] for r in causes] == ["conflict", "reading"]
    await take(database, delivery(device.device_id, second))
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 4


async def test_latest_is_the_newest_measured_value_in_any_order(database: Database) -> None:
    """Arrival order never stands for time, and a failed measurement replaces nothing."""
    _, device = await _small_world(database)
    newest = spo2(91, at=NOW)
    failed = spo2(None, at=NOW + timedelta(seconds=5), absent="error")
    for seq, reading in enumerate((spo2(95, at=NOW - timedelta(hours=1)), newest, spo2(93), failed), 1):
        await take(database, delivery(device.device_id, envelope(reading, seq=seq)))
    (latest,) = await wards.rows(database, "SELECT value FROM latest")
    assert latest["value"] == 91
    assert len(await wards.rows(database, "SELECT 1 FROM reading WHERE absent = 'error'")) == 1


async def test_settled_sets_and_what_was_given_up(database: Database) -> None:
    """Gaps show in the settled set; "oldest" closes them and records them as lost, unless they arrive after all."""
    _, device = await _small_world(database)

    async def send(seq: int, **more: Any) -> object:
        at = NOW - timedelta(minutes=seq)
        taken = await take(database, delivery(device.device_id, envelope(spo2(97, at=at), seq=seq, **more)))
        return taken.answers[0].settled

    assert await send(3) == ((3, 4),)
    assert await send(1) == ((1, 2), (3, 4))
    assert await send(6, oldest=5) == ((1, 5), (6, 7))
    (stream,) = await wards.rows(database, "SELECT lost::text FROM device_stream")
    assert stream["lost"] == "{[2,3),[4,5)}"
    assert await send(2) == ((1, 5), (6, 7))
    (stream,) = await wards.rows(database, "SELECT lost::text FROM device_stream")
    assert stream["lost"] == "{[4,5)}"
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 4


async def test_scattered_numbers_keep_the_settled_set_small(database: Database) -> None:
    """A device that only ever sends every other number costs bounded space, and is still answered."""
    _, device = await _small_world(database)
    for start in range(0, 2000, 500):
        batch = [
            delivery(device.device_id, envelope(spo2(97, source_id=str(n)), seq=n * 2 + 2))
            for n in range(start, start + 500)
        ]
        taken = await take(database, *batch)
        assert (taken.answers[0].seqs[-1], taken.answers[0].seqs[-1] + 1) in taken.answers[0].settled
    (row,) = await wards.rows(database, "SELECT pg_column_size(settled) AS size FROM device_stream")
    assert row["size"] < 40_000
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 2000


async def test_refusals_keep_the_good_readings(database: Database) -> None:
    """One bad reading among good ones is refused alone, quarantined once, counted on redelivery."""
    resident, device = await _small_world(database)
    mixed = delivery(
        device.device_id, envelope(spo2(97, source_id="a"), spo2("98", source_id="b"), spo2(96, source_id="c"))
    )
    for _ in range(3):
        taken = await take(database, mixed)
        (refused,) = taken.answers[0].refused
        assert (refused.seq, refused.index, refused.error, refused.field) == (1, 1, "value_not_number", "value")
    assert len(await wards.rows(database, "SELECT 1 FROM reading WHERE resident_id = $1", resident.id)) == 2
    (row,) = await wards.rows(database, "SELECT * FROM quarantine")
    assert (row["times"], row["state"], row["reading_index"], row["payload"]) == (3, "refused", 1, mixed.payload)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (envelope(spo2(97), pad="x" * 300_000), "payload_too_large"),
        (envelope(spo2(97)).replace(b'"s1"', b'"s\xff"'), "not_utf8"),
        (b"not json", "not_json"),
        (b'"just text"', "schema"),
        (envelope(spo2(97)).replace(b"97", b"NaN"), "value_not_finite"),
        (envelope(spo2("98")), "value_not_number"),
        (envelope(spo2(97, unit="furlong")), "unit_unknown"),
        (envelope(spo2(97) | {"taken_at": "2026-03-02T11:00:00"}), "taken_at_no_offset"),
        (envelope(*(spo2(97, source_id=str(n)) for n in range(1200))), "too_many_readings"),
    ],
)
async def test_bad_messages_are_refused_with_a_reason(database: Database, payload: bytes, error: str) -> None:
    """Each is answered by seq or id, kept with bounded bytes, and the next good message works."""
    resident, device = await _small_world(database)
    taken = await take(database, delivery(device.device_id, payload))
    assert [refused.error for answer in taken.answers for refused in answer.refused] == [error]
    (row,) = await wards.rows(database, "SELECT error, size, octet_length(payload) AS kept FROM quarantine")
    assert (row["error"], row["size"], row["kept"]) == (error, len(payload), min(len(payload), 65536))
    assert await wards.rows(database, "SELECT 1 FROM reading") == []
    await take(database, delivery(device.device_id, envelope(spo2(97), seq=2)))
    assert len(await wards.rows(database, "SELECT 1 FROM reading WHERE resident_id = $1", resident.id)) == 1


async def test_a_fraction_is_per_cent_when_its_unit_says_so(database: Database) -> None:
    """SpO2 0.96 of unit 1 is 96 %, and what was sent is kept."""
    _, device = await _small_world(database)
    await take(database, delivery(device.device_id, envelope(spo2(0.96, unit="1"))))
    (row,) = await wards.rows(database, "SELECT value, unit, value_sent, unit_sent FROM reading")
    assert tuple(row) == (96.0, "%", "0.96", "1")


async def test_a_year_far_away_is_stored_and_held(database: Database) -> None:
    """2038, 1900 and 2200: no known time, nobody's, a due row of the device; the month has no partition."""
    _, device = await _small_world(database)
    for seq, year in enumerate((2038, 1900, 2200), 1):
        payload = envelope(spo2(70, at=datetime(year, 1, 19, tzinfo=UTC)), seq=seq, sent_at=None)
        await take(database, delivery(device.device_id, payload))
    found = await wards.rows(database, "SELECT resident_id, marks, tableoid::regclass::text AS part FROM reading")
    assert {r["part"] for r in found} == {"reading_default"}
    assert {tuple(r["marks"]) for r in found} == {("no_time", "held")}
    assert [r["resident_id"] for r in found] == [None] * 3
    due = await wards.rows(database, "SELECT device_pk, resident_id, earliest_at FROM evaluation_due")
    assert {tuple(r) for r in due} == {(device.pk, None, NOW)}
    assert await wards.rows(database, "SELECT 1 FROM latest") == []


async def test_uncertain_time_near_a_change_of_assignment_is_held(database: Database) -> None:
    """Far from a change an estimate is attributed, near one it is nobody's."""
    resident, device = await _small_world(database)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "UPDATE device_assignment SET during = tstzrange(lower(during), $1)", NOW - timedelta(hours=3)
        )
    for seq, ago in enumerate((timedelta(hours=3, minutes=30), timedelta(hours=5), timedelta(hours=1)), 1):
        sent_at = NOW + timedelta(days=30)  # a clock that is wrong by a month
        payload = envelope(spo2(96, at=sent_at - ago), seq=seq, sent_at=wards.rfc3339(sent_at))
        await take(database, delivery(device.device_id, payload))
    found = await wards.rows(database, "SELECT resident_id, marks, effective_at FROM reading ORDER BY effective_at")
    assert [(r["resident_id"], r["marks"], NOW - r["effective_at"]) for r in found] == [
        (resident.id, ["clock_uncertain"], timedelta(hours=5)),
        (None, ["clock_uncertain", "held"], timedelta(hours=3, minutes=30)),
        (None, ["clock_uncertain"], timedelta(hours=1)),
    ]


async def test_attribution_follows_the_assignment_at_the_time(database: Database) -> None:
    """A device handed on: each resident has the readings of their own time; in between they are nobody's."""
    first, device = await _small_world(database)
    second = await world.resident(database, first.ward)
    change = NOW - timedelta(hours=3)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device_assignment SET during = tstzrange(lower(during), $1)", change)
        await connection.execute(
            "INSERT INTO device_assignment (organisation_id, device_pk, resident_id, during, created_by, created_at)"
            " VALUES ($1, $2, $3, tstzrange($4, NULL), 'tests', $4)",
            first.ward.organisation_id,
            device.pk,
            second.id,
            change + timedelta(hours=1),
        )
    times = (change - timedelta(minutes=1), change, change + timedelta(hours=1))
    payload = envelope(*(spo2(96, at=at) for at in times))
    await take(database, delivery(device.device_id, payload, lane="backlog"))
    found = await wards.rows(database, "SELECT resident_id FROM reading ORDER BY taken_at")
    assert [r["resident_id"] for r in found] == [first.id, None, second.id]


async def test_strangers_are_kept_once_and_not_answered(database: Database) -> None:
    """Unknown and revoked devices: one row each, however much they send; the devices keep their messages."""
    _, device = await _small_world(database)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device SET revoked_at = $1", NOW)
    for seq in range(1, 4):
        taken = await take(
            database,
            delivery(device.device_id, envelope(spo2(70), seq=seq)),
            delivery("nobody", envelope(spo2(70), seq=seq)),
        )
        assert (taken.answers, taken.strangers) == ([], 2)
    found = await wards.rows(database, "SELECT device_pk, times, state FROM quarantine")
    assert [tuple(r) for r in found] == [(None, 3, "held")] * 2
    assert await wards.rows(database, "SELECT 1 FROM reading") == []


async def test_one_batch_of_many_devices(database: Database) -> None:
    """Each device and stream has its own answer; residents have one due row each."""
    ward = await world.ward(database)
    residents = [await world.resident(database, ward) for _ in range(3)]
    devices = [await world.device(database, ward, resident=r) for r in residents]
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("DELETE FROM evaluation_due")
    batch = [
        delivery(d.device_id, envelope(spo2(95, at=NOW - timedelta(minutes=n)), seq=n, stream=stream))
        for n in (2, 1)
        for stream in ("s", "t")
        for d in reversed(devices)
    ]
    taken = await take(database, *batch)
    assert {(a.device_id, a.stream, a.settled) for a in taken.answers} == {
        (d.device_id, s, ((1, 3),)) for d in devices for s in ("s", "t")
    }
    due = await wards.rows(database, "SELECT resident_id, earliest_at FROM evaluation_due ORDER BY resident_id")
    assert [tuple(r) for r in due] == [(r.id, NOW - timedelta(minutes=2)) for r in residents]
    # the same position in two streams is the same reading: stored once
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 6
