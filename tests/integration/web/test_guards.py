"""Straight to the database as the application in the name of staff: what the application never does cannot be done."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from telehealth.store import db, leases, seen
from telehealth.store.db import Connection
from tests.conftest import Urls
from tests.integration.web.conftest import NOW, Server, World
from tests.support import world

_DENIED = (asyncpg.InsufficientPrivilegeError, asyncpg.IntegrityConstraintViolationError)


@contextlib.asynccontextmanager
async def acting(server: Server, username: str) -> AsyncIterator[Connection]:
    async with server.database.transaction(world.ACTOR) as connection:
        staff_id = await connection.fetchval("SELECT id FROM staff WHERE username = $1", username)
    async with server.database.transaction(db.staff(staff_id)) as connection:
        yield connection


async def refused(server: Server, username: str, statement: str, *values: Any) -> None:
    """The statement fails, or does nothing, as this member of staff."""
    with contextlib.suppress(*_DENIED):
        async with acting(server, username) as connection:
            assert (await connection.execute(statement, *values)).endswith(" 0"), statement


@pytest.fixture
async def both(server: Server, people: World) -> int:
    """cleo belongs to both wards; north is simulated and south is real."""
    return await world.staff(server.database, people.north, people.south, username="cleo")


async def test_tables_of_others_are_empty(server: Server, people: World) -> None:
    """Every table with rows of the other ward shows none of them, and those of the service nothing at all."""
    async with server.database.transaction(world.ACTOR) as connection:
        await _one_of_each(connection, people)
    async with acting(server, "clara") as connection:
        for table in ("lease", "share_group", "undated", "staff_credential", "session", "api_token", "audit"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        for table in ("device_seat", "device_clock", "quarantine", "quarantine_count", "seen_set", "attribution"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        assert await connection.fetchval("SELECT count(*) FROM reading_doubt") == 0
    async with acting(server, "sam") as connection:
        for table in ("device_seat", "device_clock", "quarantine", "quarantine_count", "seen_set", "attribution"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") > 0, table


async def _one_of_each(connection: Connection, people: World) -> None:
    organisation, device, bert = people.south.organisation_id, people.south_device.pk, people.bert.id
    await connection.execute(
        "INSERT INTO device_seat (organisation_id, device_pk, kind, label, resident_id, during, created_by, created_at)"
        " VALUES ($1, $2, 'slot', '1', $3, tstzrange($4, NULL), 'operator:test', $4)",
        organisation,
        device,
        bert,
        world.T0,
    )
    await connection.execute(
        "INSERT INTO device_clock (organisation_id, device_pk, kind, since, skew_ms, sure)"
        " VALUES ($1, $2, 'fast', $3, 1, true)",
        organisation,
        device,
        world.T0,
    )
    await connection.execute(
        "INSERT INTO seen_set (device_pk, set_id, organisation_id, seen_at) VALUES ($2, 's', $1, $3)",
        organisation,
        device,
        world.T0,
    )
    await connection.execute(
        "INSERT INTO undated (device_pk, organisation_id, message_key, received_at, at) VALUES ($2, $1, 'x', $3, $3)",
        organisation,
        device,
        world.T0,
    )
    await connection.execute(
        "INSERT INTO attribution (organisation_id, kind, device_pk, resident_id, actor, at)"
        " VALUES ($1, 'assigned', $2, $3, 'operator:test', $4)",
        organisation,
        device,
        bert,
        world.T0,
    )
    await leases.take(connection, "somebody", ["ingest-0"], 1)


async def test_writes_to_the_other_ward_fail(server: Server, people: World) -> None:
    """Neither added nor changed: seats, clocks, leases, seen sets, quarantine, decisions about readings."""
    async with server.database.transaction(world.ACTOR) as connection:
        await _one_of_each(connection, people)
    who, device, bert = people.south.organisation_id, people.south_device.pk, people.bert.id
    refusals: list[tuple[str, tuple[Any, ...]]] = [
        ("UPDATE device_seat SET label = '2'", ()),
        (
            "INSERT INTO device_seat (organisation_id, device_pk, kind, label, resident_id, during, created_by,"
            " created_at) VALUES ($1, $2, 'slot', '9', $3, tstzrange(now(), NULL), 'x', now())",
            (who, people.oximeter.pk, people.anna.id),
        ),
        ("UPDATE device_clock SET skew_ms = 0", ()),
        ("UPDATE lease SET holder = 'me'", ()),
        ("DELETE FROM lease", ()),
        ("UPDATE seen_set SET told_at = now()", ()),
        ("DELETE FROM seen_set", ()),
        ("INSERT INTO seen_set VALUES ($1, 'mine', $2, now())", (device, who)),
        ("UPDATE quarantine SET state = 'dismissed', handled_by = (SELECT actor()) WHERE device_pk = $1", (device,)),
        ("DELETE FROM quarantine", ()),
        ("UPDATE device SET shared = '{}'", ()),
        ("UPDATE reading SET resident_id = $1 WHERE resident_id = $2", (people.anna.id, bert)),
        ("UPDATE reading SET resident_id = $1", (bert,)),
        ("INSERT INTO share_group VALUES ('mine', now())", ()),
        ("SELECT make_reading_partition('2031-01-01', NULL)", ()),
        ("SELECT ensure_reading_partition('2031-01-01')", ()),
        ("SELECT make_reading_partition_now('2031-01-01', NULL)", ()),
    ]
    for statement, values in refusals:
        await refused(server, "clara", statement, *values)


async def test_staff_add_only_what_they_key(server: Server, people: World) -> None:
    """No reading of a device, nor in another's name, nor of somebody else's resident."""
    insert = (
        "INSERT INTO reading (taken_at, identity, value_key, organisation_id, device_pk, resident_id, received_at,"
        " code, value, entered_by) VALUES (now(), gen_random_uuid(), 1, $1, $2, $3, now(), 'spo2', 97, $4)"
    )
    clara = "staff:" + str(await _id(server, "clara"))
    who, anna = people.north.organisation_id, people.anna.id
    async with acting(server, "clara") as connection:
        assert await connection.execute(insert, who, None, anna, clara) == "INSERT 0 1"
    await refused(server, "clara", insert, who, people.oximeter.pk, anna, clara)
    await refused(server, "clara", insert, who, None, anna, "staff:999")
    await refused(server, "clara", insert, who, None, anna, None)
    await refused(server, "clara", insert, who, None, people.bert.id, clara)


async def _id(server: Server, username: str) -> int:
    async with server.database.transaction(world.ACTOR) as connection:
        found: int = await connection.fetchval("SELECT id FROM staff WHERE username = $1", username)
        return found


@pytest.mark.parametrize("column", ["value", "taken_at", "received_at", "identity", "device_pk", "code", "entered_by"])
async def test_what_was_measured_never_changes(server: Server, people: World, column: str) -> None:
    """Not even by the service: the application's role has no right to change it."""
    for actor in (world.ACTOR, db.service("ingest")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with server.database.transaction(actor) as connection:
                await connection.execute(f"UPDATE reading SET {column} = NULL")


async def test_decisions_are_in_ones_own_name_and_about_ones_own(server: Server, people: World) -> None:
    """A forged entry of the log would draw somebody else's reading to the forger when it is derived anew."""
    insert = (
        "INSERT INTO attribution (organisation_id, kind, device_pk, from_resident_id, resident_id, reading_taken_at,"
        " reading_identity, actor, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())"
    )
    clara = "staff:" + str(await _id(server, "clara"))
    async with server.database.transaction(world.ACTOR) as connection:
        theirs = await connection.fetchrow("SELECT * FROM reading WHERE resident_id = $1", people.bert.id)
        own = await connection.fetchrow("SELECT * FROM reading WHERE resident_id = $1", people.anna.id)
    assert theirs is not None
    assert own is not None
    who, anna, device = people.north.organisation_id, people.anna.id, people.oximeter.pk
    mine = (own["taken_at"], own["identity"])
    async with acting(server, "clara") as connection:
        await connection.execute(insert, who, "repair", own["device_pk"], anna, anna, *mine, clara)
    for values in (
        (who, "repair", device, anna, anna, theirs["taken_at"], theirs["identity"], clara),
        (who, "repair", own["device_pk"], anna, anna, *mine, "staff:999"),
        (who, "repair", own["device_pk"], anna, people.bert.id, *mine, clara),
        (who, "repair", people.south_device.pk, None, anna, None, None, clara),
        (who, "assigned", device, None, anna, None, None, clara),
        (who, "shared", device, None, None, None, None, clara),
    ):
        await refused(server, "clara", insert, *values)
    for statement in (
        "UPDATE attribution SET reason = 'other'",
        "DELETE FROM attribution",
        "DELETE FROM reading_strike",
    ):
        await refused(server, "clara", statement)
    strike = (
        "INSERT INTO reading_strike (organisation_id, resident_id, device_pk, taken_at, identity, value_key, reason,"
        " actor, at) VALUES ($1, $2, $3, now(), gen_random_uuid(), 1, 'x', $4, now())"
    )
    await refused(server, "clara", strike, who, people.bert.id, None, clara)
    await refused(server, "clara", strike, who, None, people.south_device.pk, clara)
    await refused(server, "clara", strike, who, anna, None, "staff:999")


async def test_simulated_and_real_never_mix(server: Server, people: World, both: int) -> None:
    """Neither by somebody of both wards nor by the service: no reading, seat, assignment or decision crosses."""
    for actor in (db.staff(both), db.service("web"), world.ACTOR):
        for statement, values in (
            ("UPDATE reading SET resident_id = $1 WHERE resident_id = $2", (people.anna.id, people.bert.id)),
            ("UPDATE reading SET resident_id = $1 WHERE resident_id = $2", (people.bert.id, people.anna.id)),
            (
                "INSERT INTO attribution (organisation_id, kind, device_pk, from_resident_id, resident_id, actor, at)"
                " VALUES ($1, 'repair', $2, $3, $4, (SELECT actor()), now())",
                (people.north.organisation_id, people.oximeter.pk, people.bert.id, people.anna.id),
            ),
            (
                "INSERT INTO attribution (organisation_id, kind, device_pk, resident_id, actor, at)"
                " VALUES ($1, 'repair', $2, $3, (SELECT actor()), now())",
                (people.north.organisation_id, people.south_device.pk, people.anna.id),
            ),
            (
                "INSERT INTO device_seat (organisation_id, device_pk, kind, label, resident_id, during, created_by,"
                " created_at) VALUES ($1, $2, 'slot', '9', $3, tstzrange(now(), NULL), 'x', now())",
                (people.north.organisation_id, people.oximeter.pk, people.bert.id),
            ),
            (
                "INSERT INTO device_assignment (organisation_id, device_pk, resident_id, during, created_by,"
                " created_at) VALUES ($1, $2, $3, tstzrange('2020-01-01', '2020-01-02'), 'x', now())",
                (people.north.organisation_id, people.oximeter.pk, people.bert.id),
            ),
        ):
            with pytest.raises(_DENIED):
                async with server.database.transaction(actor) as connection:
                    await connection.execute(statement, *values)


async def test_organisations_never_mix(server: Server, people: World) -> None:
    """A device of one organisation is not given to a resident of another, whoever tries."""
    async with server.database.transaction(world.ACTOR) as connection:
        other = await connection.fetchval(
            "INSERT INTO organisation (name, created_at) VALUES ('Another Trust', now()) RETURNING id"
        )
        ward = await connection.fetchval(
            "INSERT INTO ward (organisation_id, name, simulated, created_by, created_at)"
            " VALUES ($1, 'West', true, 'x', now()) RETURNING id",
            other,
        )
    carla = await world.resident(server.database, world.Ward(ward, other))
    for table, more in (("device_seat", ", kind, label"), ("device_assignment", "")):
        values = ", 'slot', '9'" if more else ""
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with server.database.transaction(world.ACTOR) as connection:
                await connection.execute(
                    f"INSERT INTO {table} (organisation_id, device_pk, resident_id, during, created_by,"
                    f" created_at{more})"
                    f" VALUES ($1, $2, $3, tstzrange('2020-01-01', '2020-01-02'), 'x', now(){values})",
                    people.north.organisation_id,
                    people.oximeter.pk,
                    carla.id,
                )


async def test_dismissing_changes_nothing_that_came(server: Server, people: World) -> None:
    """Staff dismiss their own ward's entries in their own name; bytes, reason and device stay."""
    sam = "staff:" + str(await _id(server, "sam"))
    dismissed = "state = 'dismissed', handled_by = $1"
    for change in ("payload = ''", "error = 'other'", "times = 0", "device_pk = NULL", "first_at = now()"):
        await refused(server, "sam", f"UPDATE quarantine SET {dismissed}, {change}", sam)
    await refused(server, "sam", "UPDATE quarantine SET state = 'retried', handled_by = $1", sam)
    await refused(server, "sam", f"UPDATE quarantine SET {dismissed}", "staff:999")
    async with acting(server, "sam") as connection:
        assert await connection.execute(f"UPDATE quarantine SET {dismissed}", sam) == "UPDATE 1"


async def test_functions_that_read_past_the_policies(urls: Urls, people: World) -> None:
    """Each has a search path that nobody can put a table into, and may be called only by whom it is for."""
    connection = await asyncpg.connect(urls.super)
    try:
        rows = await connection.fetch(
            """SELECT p.proname, p.proconfig, has_function_privilege('public', p.oid, 'EXECUTE') AS everybody,
                      has_function_privilege('telehealth_app', p.oid, 'EXECUTE') AS app,
                      p.prorettype = 'trigger'::regtype AS fires
               FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef"""
        )
    finally:
        await connection.close()
    assert all(row["proconfig"] == ["search_path=pg_catalog, public, pg_temp"] for row in rows)
    # It says which wards are the caller's own. A trigger's function cannot be called.
    assert {row["proname"] for row in rows if row["everybody"] and not row["fires"]} == {"actor_wards"}
    assert {row["proname"] for row in rows if row["app"] and not row["fires"]} == {
        "actor_wards",
        "decided_unseen",
        "ensure_reading_partition",
        "hold_device",
        "make_reading_partition",
        "reading_default_months",
        "reading_partition_rows",
    }


async def test_opening_the_page_of_a_resident_with_a_device_of_another_ward(server: Server, people: World) -> None:
    """The page opens; the other ward's device is told nothing."""
    elsewhere = await world.ward(server.database, "East")
    device = await world.device(server.database, elsewhere, "east-1")
    async with server.database.transaction(world.ACTOR) as connection:
        sample = world.Sample("spo2", 96.0, NOW - timedelta(minutes=3), set_id="s1")
        await world.insert_readings(connection, people.north, [sample], resident_id=people.anna.id, device_pk=device.pk)
    async with server.signed_in("clara") as browser, browser.session.get(f"/residents/{people.anna.id}") as response:
        assert response.status == 200
    async with server.database.transaction(world.ACTOR) as connection:
        assert await seen.untold(connection) == []
