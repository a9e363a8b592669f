"""A real server with two wards: staff of each, residents, readings, alerts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import argon2
import pytest
from aiohttp import web
from pydantic import SecretStr

from devices import formats
from telehealth.clock import ClinicalClock, Step
from telehealth.config import Settings
from telehealth.model import secrets
from telehealth.model.delivery import Delivery
from telehealth.model.health import Health
from telehealth.store import db, ingest, staff
from telehealth.store.db import Database
from telehealth.web import app
from telehealth.web import server as web_server
from telehealth.web.shown import held_json
from tests.support import world

PASSWORD = "correct horse battery"
#: Cheap, because every test signs in; also for names that nobody has.
_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
HASH = _HASHER.hash(PASSWORD)
NOW = world.T0 + timedelta(hours=1)
CONTROL = "control-token-of-the-tests"


@dataclass
class Server:
    """The application under test, listening on loopback."""

    url: str
    database: Database
    health: Health
    clock: ClinicalClock
    app: web.Application

    def session(self, **more: Any) -> aiohttp.ClientSession:
        """A browser: it keeps cookies, also for an address without a name."""
        return aiohttp.ClientSession(self.url, cookie_jar=aiohttp.CookieJar(unsafe=True), **more)

    @contextlib.asynccontextmanager
    async def signed_in(self, username: str, password: str = PASSWORD) -> AsyncIterator[Browser]:
        """A browser in which somebody has signed in."""
        async with self.session() as session:
            browser = Browser(session, self.url)
            assert await browser.sign_in(username, password) == 303
            yield browser


@dataclass
class Browser:
    """What a browser does with our forms."""

    session: aiohttp.ClientSession
    url: str

    async def csrf(self, path: str) -> str:
        """The token of the forms of a page."""
        async with self.session.get(path) as response:
            return (await response.text()).split('name="csrf" value="')[1].split('"')[0]

    async def sign_in(self, username: str, password: str = PASSWORD) -> int:
        fields = {"csrf": await self.csrf("/sign-in"), "username": username, "password": password, "next": "/"}
        async with self.session.post("/sign-in", data=fields, allow_redirects=False) as response:
            return response.status

    async def post(self, page: str, path: str, **fields: str) -> aiohttp.ClientResponse:
        """Post a form of a page, as the page would."""
        token = await self.csrf(page)
        return await self.session.post(
            path, data={"csrf": token, **fields}, headers={"Origin": self.url}, allow_redirects=False
        )


@dataclass(frozen=True)
class Planned:
    """A video visit of a resident that was booked, and what came of an earlier one."""

    appointment: int
    visit: int
    encounter: int
    follow_up: int
    contact: int
    #: Of the visit; there is no file.
    recording: str


@dataclass
class World:
    """Two wards. clara belongs to north, sam to south; tess is a tester and adam an administrator of north."""

    north: world.Ward
    south: world.Ward
    anna: world.Resident
    bert: world.Resident
    oximeter: world.Device
    south_device: world.Device
    anna_alert: int
    bert_alert: int
    #: In quarantine: of a device of south.
    south_entry: int
    #: How paths name a reading of bert.
    bert_reading: str
    #: A video visit of bert, planned.
    bert_visit: Planned


@pytest.fixture(scope="package", autouse=True)
def cheap_hashes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_hasher", lambda: _HASHER)
        yield


@pytest.fixture
async def server(database: Database) -> AsyncIterator[Server]:
    health = Health()
    health.good("database")
    clock = ClinicalClock(Step(NOW, NOW))
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # a setting of pydantic's constructor, not a field
        port=0,
        mqtt_url=SecretStr("mqtt://127.0.0.1:1883"),
    )
    application = app.build(settings=settings, database=database, clock=clock, health=health, control_token=CONTROL)
    runner = web_server.Runner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield Server(url, database, health, clock, application)
    finally:
        await runner.cleanup()


@pytest.fixture
async def people(server: Server) -> World:
    database = server.database
    north, south = await world.ward(database, "North"), await world.ward(database, "South", simulated=False)
    await member(database, "clara", north)
    await member(database, "sam", south)
    await member(database, "tess", north, south, role="tester")
    await member(database, "adam", north, role="admin")
    rules = world.rule_set(world.threshold(), {"kind": "news2", "scale": 1, "max_age_seconds": {}})
    anna, bert = await world.resident(database, north, rules=rules), await world.resident(database, south, rules=rules)
    oximeter = await world.device(database, north, "north-1", resident=anna)
    south_device = await world.device(database, south, "south-1", resident=bert)
    for resident in (anna, bert):
        await observe(database, resident, world.spo2(91.0, NOW - timedelta(minutes=10)))
    return World(
        north,
        south,
        anna,
        bert,
        oximeter,
        south_device,
        await alert(database, anna),
        await alert(database, bert),
        await refused(database, south_device, b"not json"),
        await reading_of(database, bert),
        await planned(database, bert),
    )


_PLANNED = """
WITH a AS (
    INSERT INTO appointment (organisation_id, ward_id, kind, starts_at, minutes, reason, created_by, created_at,
                             changed_by, changed_at)
    VALUES ($1, $2, 'one_to_one', $4::timestamptz + interval '2 hours', 20, 'weekly review', $5, $4, $5, $4)
    RETURNING id
), s AS (
    INSERT INTO consultation (organisation_id, ward_id, appointment_id, kind, state, keep_chat, subject_id, created_by,
                              created_at, changed_at)
    SELECT $1, $2, a.id, 'one_to_one', 'scheduled', false, $3, $5, $4, $4 FROM a RETURNING id
), b AS (
    INSERT INTO consultation (organisation_id, ward_id, kind, state, keep_chat, subject_id, created_by, created_at,
                              changed_at, ended_at, ended_by, outcome)
    VALUES ($1, $2, 'one_to_one', 'ended', false, $3, $5, $4::timestamptz - interval '1 day', $4,
            $4::timestamptz - interval '23 hours', $5, 'advice')
    RETURNING id
), e AS (
    INSERT INTO encounter (organisation_id, resident_id, ward_id, consultation_id, kind, started_at, ended_at, outcome,
                           participants, readings, messages, summary, written_by, written_at)
    SELECT $1, $3, $2, b.id, 'one_to_one', $4::timestamptz - interval '1 day', $4::timestamptz - interval '23 hours',
           'advice', '[]', '[]', '[]', 'Drink more.', $5, $4 FROM b
    RETURNING id
), f AS (
    INSERT INTO follow_up (organisation_id, resident_id, encounter_id, what, due_on, created_by, created_at)
    SELECT $1, $3, e.id, 'Ring the chemist', $4::timestamptz::date, $5, $4 FROM e RETURNING id
), k AS (
    INSERT INTO contact (organisation_id, resident_id, relation, name, email, created_by, created_at)
    VALUES ($1, $3, 'self', 'Test', 'resident' || $3::bigint || '@example.org', $5, $4) RETURNING id
), p AS (
    INSERT INTO participant (organisation_id, consultation_id, role, resident_id, name, state, identity)
    SELECT $1, b.id, 'resident', $3, 'Test', 'left', 'birth_date' FROM b RETURNING id
), r AS (
    INSERT INTO recording (organisation_id, consultation_id, participant_id, started_at, ended_at, key_id, wrapped_key,
                           consents, delete_after)
    SELECT $1, b.id, p.id, $4, $4, 'none', '', '[]', $4::timestamptz + interval '30 days' FROM b, p RETURNING id
)
SELECT a.id, s.id, e.id, f.id, k.id, r.id::text FROM a, s, e, f, k, r
"""


async def planned(database: Database, resident: world.Resident) -> Planned:
    """A visit in two hours, and the encounter of one that was yesterday."""
    async with database.transaction(world.ACTOR) as connection:
        row = await connection.fetchrow(
            _PLANNED,
            resident.ward.organisation_id,
            resident.ward.id,
            resident.id,
            NOW,
            world.ACTOR,
        )
        assert row is not None
        found = Planned(*row)
        await connection.execute(
            "INSERT INTO consultation_subject (consultation_id, resident_id, position) VALUES ($1, $2, 0)",
            found.visit,
            resident.id,
        )
        await connection.execute(
            "INSERT INTO appointment_subject (appointment_id, resident_id, position) VALUES ($1, $2, 0)",
            found.appointment,
            resident.id,
        )
    return found


async def reading_of(database: Database, resident: world.Resident) -> str:
    """How paths name the newest reading of a resident."""
    async with database.transaction(world.ACTOR) as connection:
        row = await connection.fetchrow(
            "SELECT * FROM reading WHERE resident_id = $1 ORDER BY taken_at DESC LIMIT 1", resident.id
        )
    assert row is not None
    return held_json.key(row)


async def refused(database: Database, device: world.Device, payload: bytes, *, to: str = "readings") -> int:
    """A message in quarantine, as it comes from the broker; the id of its newest entry."""
    topic = f"telehealth/v1/{device.device_id}/{to}"
    message = formats.decode(to.partition("/")[2] or None, device.device_id, payload)
    delivery = Delivery("live", topic, device.device_id, payload, NOW, message)
    async with database.transaction(db.service("ingest")) as connection:
        await ingest.take_in(connection, [delivery], now=NOW)
        found: int = await connection.fetchval("SELECT max(id) FROM quarantine")
        return found


async def member(database: Database, username: str, *wards: world.Ward, role: str = "clinician") -> int:
    """Somebody who can sign in; all have the same password, hashed once."""
    staff_id = await world.staff(database, *wards, username=username, role=role)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "INSERT INTO staff_credential (staff_id, password_hash, changed_at) VALUES ($1, $2, $3)",
            staff_id,
            HASH,
            world.T0,
        )
    return staff_id


async def token(database: Database, username: str) -> dict[str, str]:
    """The header of a new API token."""
    async with database.transaction(world.ACTOR) as connection:
        made, _ = await staff.create_token(
            connection, username=username, name="test", days=1, actor=world.ACTOR, now=datetime.now(UTC)
        )
    return {"Authorization": f"Bearer {made}"}


async def observe(database: Database, resident: world.Resident, *samples: world.Sample) -> None:
    """Readings with their latest values, and the hint that ingest gives."""
    await world.readings(database, resident, *samples)
    async with database.transaction(world.ACTOR) as connection:
        for one in samples:
            await connection.execute(
                "INSERT INTO latest (resident_id, code, organisation_id, effective_at, taken_at, received_at, identity,"
                " value, value_code, unit, method, marks)"
                " SELECT resident_id, code, organisation_id, effective_at, taken_at, received_at, identity,"
                " value, value_code, unit, method, marks FROM reading WHERE resident_id = $1 AND code = $2"
                " ORDER BY effective_at DESC LIMIT 1"
                " ON CONFLICT (resident_id, code) DO UPDATE SET effective_at = excluded.effective_at,"
                " taken_at = excluded.taken_at, received_at = excluded.received_at, identity = excluded.identity,"
                " value = excluded.value, value_code = excluded.value_code",
                resident.id,
                one.code,
            )
        await connection.execute(f'NOTIFY changes, \'{{"residents":[{resident.id}],"alerts":[],"wards":[]}}\'')


async def alert(
    database: Database, resident: world.Resident, *, rule: str = "threshold/spo2/low", priority: str = "high"
) -> int:
    """An active alert with its event, and the hint that the evaluator gives."""
    at = NOW - timedelta(minutes=10)
    async with database.transaction(world.ACTOR) as connection:
        found: int = await connection.fetchval(
            "INSERT INTO alert (organisation_id, ward_id, resident_id, rule, kind, priority, condition, handling,"
            " onset_at, raised_at, changed_at, reason, evidence) VALUES ($1, $2, $3, $4, 'physiological', $5, 'active',"
            " 'new', $6, $6, $6, 'SpO2 84 % at 09:50, below 88 % (red)', $7) RETURNING id",
            resident.ward.organisation_id,
            resident.ward.id,
            resident.id,
            rule,
            priority,
            at,
            {"value": 84},
        )
        await connection.execute(
            "INSERT INTO alert_event (organisation_id, alert_id, at, event, actor, priority)"
            " VALUES ($1, $2, $3, 'raised', 'service:alerting', $4)",
            resident.ward.organisation_id,
            found,
            at,
            priority,
        )
        await connection.execute(
            f'NOTIFY changes, \'{{"residents":[{resident.id}],"alerts":[{found}],"wards":[{resident.ward.id}]}}\''
        )
    return found


async def audited(database: Database, **wanted: Any) -> int:
    """How many audit rows have these values."""
    async with database.transaction(world.ACTOR) as connection:
        rows = await connection.fetch("SELECT * FROM audit")
    return sum(all(row[key] == value for key, value in wanted.items()) for row in rows)
