"""What staff key and strike goes the way of readings from devices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.store import db, keyed
from telehealth.store.db import Database
from telehealth.store.keyed import Entry, Keyed
from tests.integration.ingest import wards
from tests.integration.ingest.wards import NOW
from tests.support import world

pytestmark = pytest.mark.postgres

_SET = (Entry("resp_rate", 22), Entry("spo2", 0.91, "1"), Entry("consciousness", "A"), Entry("on_oxygen", True))


async def _key(
    database: Database,
    resident: world.Resident,
    staff: int,
    entries: Sequence[Entry] = _SET,
    entry_id: str = "entry-01",
) -> Keyed:
    actor = db.staff(staff)
    async with database.transaction(actor) as connection:
        return await keyed.take_in_keyed(
            connection,
            resident_id=resident.id,
            entries=entries,
            taken_at=NOW - timedelta(minutes=5),
            entry_id=entry_id,
            actor=actor,
            now=NOW,
        )


async def _ward(database: Database) -> tuple[world.Resident, int]:
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("DELETE FROM evaluation_due")
    return resident, await world.staff(database, ward)


async def test_an_observation_set_is_stored_once(database: Database) -> None:
    """Canonical and as keyed, by whom, one set, latest values, one due row; the same entry again adds nothing."""
    resident, staff = await _ward(database)
    assert (await _key(database, resident, staff)).stored == 4
    assert (await _key(database, resident, staff)).stored == 0
    found = {row["code"]: row for row in await wards.rows(database, "SELECT * FROM reading")}
    assert (found["spo2"]["value"], found["spo2"]["value_sent"], found["spo2"]["unit_sent"]) == (91, "0.91", "1")
    assert (found["resp_rate"]["value"], found["resp_rate"]["unit"]) == (22, "/min")
    assert (found["consciousness"]["value_code"], found["on_oxygen"]["value"]) == ("A", 1)
    assert {(r["method"], r["set_id"], r["entered_by"]) for r in found.values()} == {
        ("keyed", "entry-01", f"staff:{staff}")
    }
    assert len(await wards.rows(database, "SELECT 1 FROM latest")) == 4
    assert len(await wards.rows(database, "SELECT 1 FROM evaluation_due WHERE resident_id = $1", resident.id)) == 1
    assert len(await wards.rows(database, "SELECT 1 FROM audit WHERE action = 'reading.key'")) == 1


async def test_one_wrong_value_and_nothing_is_stored(database: Database) -> None:
    """Staff see what is wrong and correct it; half a set would look like a whole one."""
    resident, staff = await _ward(database)
    found = await _key(database, resident, staff, [Entry("pulse", 70), Entry("spo2", 9), Entry("height", 170)])
    assert [(r.index, r.error) for r in found.refusals] == [(1, "value_impossible"), (2, "code_unknown")]
    assert await wards.rows(database, "SELECT 1 FROM reading") == []


async def test_only_residents_of_own_wards(database: Database) -> None:
    """Somebody else's resident does not exist, for keying and for striking."""
    resident, _ = await _ward(database)
    stranger = await world.staff(database, await world.ward(database))
    with pytest.raises(NotFound):
        await _key(database, resident, stranger)
    assert await wards.rows(database, "SELECT 1 FROM reading") == []


async def test_a_time_in_the_future_is_refused(database: Database) -> None:
    resident, staff = await _ward(database)
    with pytest.raises(Invalid, match="taken_at"):
        async with database.transaction(db.staff(staff)) as connection:
            await keyed.take_in_keyed(
                connection,
                resident_id=resident.id,
                entries=_SET,
                taken_at=NOW + timedelta(minutes=2),
                entry_id="entry-02",
                actor=db.staff(staff),
                now=NOW,
            )


async def test_a_strike_takes_a_reading_out(database: Database) -> None:
    """It stays, marked; the value before it is the latest again; the resident is judged again; twice is a conflict."""
    resident, staff = await _ward(database)
    await world.readings(database, resident, world.spo2(97.0, NOW - timedelta(hours=1)))
    await _key(database, resident, staff, [Entry("spo2", 71)])
    (wrong,) = await wards.rows(database, "SELECT * FROM reading WHERE method = 'keyed'")
    (latest,) = await wards.rows(database, "SELECT value FROM latest")
    assert latest["value"] == 71

    async def strike(by: int) -> None:
        async with database.transaction(db.staff(by)) as connection:
            await keyed.strike(
                connection,
                resident_id=resident.id,
                taken_at=wrong["taken_at"],
                identity=wrong["identity"],
                value_key=wrong["value_key"],
                reason="another resident's",
                actor=db.staff(by),
                now=NOW,
            )

    with pytest.raises(NotFound):
        await strike(await world.staff(database, await world.ward(database)))
    await strike(staff)
    (latest,) = await wards.rows(database, "SELECT value FROM latest")
    assert latest["value"] == 97
    (row,) = await wards.rows(database, "SELECT struck FROM reading WHERE method = 'keyed'")
    assert row["struck"]
    (due,) = await wards.rows(database, "SELECT * FROM evaluation_due WHERE cause = 'strike'")
    assert due["earliest_at"] == wrong["taken_at"]
    assert len(await wards.rows(database, "SELECT 1 FROM reading_strike")) == 1
    with pytest.raises(Conflict):
        await strike(staff)
