"""The real service for browsers: `telehealth serve` as a process, on a database with one simulated ward."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import math
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import msgspec

from alerts import pathways
from telehealth.ingest import reading
from telehealth.model import people
from telehealth.model.delivery import Delivery
from telehealth.store import db, devices, ingest, migrate, residents, staff, wards
from telehealth.store.db import Connection, Database
from tests.support import servers, world

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
OPERATOR = db.operator("tests")
PASSWORD = secrets.token_hex(8)
WARD = "Harbour ward"


def run(job: Coroutine[Any, Any, T]) -> T:
    """On a thread of its own: Playwright keeps an event loop in the thread of the tests."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, job).result()


@dataclass(frozen=True)
class Person:
    """A resident with one device."""

    id: int
    #: As screens show it.
    name: str
    device_id: str


@dataclass
class Service:
    """A running service and its world. The first resident has two weeks of history with a gap."""

    url: str
    database_url: str
    ward_id: int
    people: Sequence[Person]
    process: subprocess.Popen[bytes]
    #: Starts it anew, on the same port.
    begin: Callable[[], subprocess.Popen[bytes]]

    def killed(self) -> None:
        """Ended at once and without a word."""
        self.process.kill()
        self.process.wait()

    def again(self) -> None:
        """Started anew and ready."""
        self.process = self.begin()
        _until_healthy(self.url)

    def say(
        self,
        person: Person,
        *readings: dict[str, Any],
        at: datetime | None = None,
        skew: timedelta = timedelta(0),
    ) -> None:
        """What the device of a person says, taken in as from the broker; skew: by how much its clock is wrong."""
        moment = at or datetime.now(UTC)

        async def job() -> None:
            async with _opened(self.database_url) as database:
                await take_in(database, person.device_id, [(moment, list(readings))], skew=skew)

        run(job())

    def spo2(self, person: Person, value: int) -> None:
        self.say(person, {"code": "spo2", "value": value, "unit": "%"})


@contextlib.contextmanager
def database(server: servers.Postgres, name: str) -> Iterator[str]:
    """A migrated database; its URL as the application role."""

    async def create() -> None:
        admin = await asyncpg.connect(server.url("super", "postgres"))
        try:
            await admin.execute(f"CREATE DATABASE {name} OWNER telehealth_owner")
        finally:
            await admin.close()
        await migrate.migrate(server.url("telehealth_owner", name))

    run(create())
    yield server.url("telehealth_app", name)


@contextlib.contextmanager
def running(
    database_url: str, seed: tuple[int, Sequence[Person]], *, roles: str = "alerting,web", **settings: str
) -> Iterator[Service]:
    """The service, until the end of the block; killed if it does not stop. settings: more of its environment."""
    port = servers.free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "TELEHEALTH_LOG_LEVEL": "warning",
        **settings,
    }
    command = [sys.executable, "-m", "telehealth", "serve", "--roles", roles, "--port", str(port)]

    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            servers.wait_for_port(port, process=process)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process

    service = Service(f"http://127.0.0.1:{port}", database_url, *seed, begin(), begin)
    try:
        _until_healthy(service.url)
        yield service
    finally:
        service.killed()


def _until_healthy(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise TimeoutError("the service is not ready")


@contextlib.asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    async with Database.open(url, size=4) as opened:
        yield opened


# The world ----------------------------------------------------------------------------------------------

NAMES = (
    ("Adeyemi", "Grace", "Mrs", "female"),
    ("Baker", "Harold", "Mr", "male"),
    ("Chaudhry", "Nasreen", "Ms", "female"),
    ("Davies", "Gwilym", "Mr", "male"),
    ("Edwards", "Kathleen", "Mrs", "female"),
)
CODES = ("spo2", "pulse", "systolic", "diastolic", "temperature", "resp_rate")


def seed(database_url: str) -> tuple[int, Sequence[Person]]:
    """One simulated ward, five residents with a device each, a clinician "nurse" and a stranger's ward."""

    async def job() -> tuple[int, Sequence[Person]]:
        now = datetime.now(UTC)
        async with _opened(database_url) as opened:
            async with opened.transaction(OPERATOR) as connection:
                ward = await wards.add(connection, name=WARD, simulated=True, actor=OPERATOR, now=now)
                people_ = [await _admit(connection, ward.id, serial, now) for serial in range(len(NAMES))]
                await staff.add(
                    connection,
                    username="nurse",
                    display_name="Nurse Jones",
                    role="clinician",
                    wards=[ward.id],
                    password=PASSWORD,
                    actor=OPERATOR,
                    now=now,
                )
            for number, person in enumerate(people_):
                await take_in(opened, person.device_id, list(history(now, number, days=14 if number == 0 else 1)))
        return ward.id, people_

    return run(job())


async def _admit(connection: Connection, ward_id: int, serial: int, now: datetime) -> Person:
    family, given, title, gender = NAMES[serial]
    pathway = pathways.load("copd")
    admitted = now - timedelta(days=15)
    number = world.nhs_number(500 + serial)
    resident_id = await residents.add(
        connection,
        people.NewResident(
            ward_id=ward_id,
            family_name=family,
            given_name=given,
            title=title,
            gender=gender,
            born=date(1940 + serial, 8, 14),
            nhs_number=number,
            zone="Europe/London",
            pathway=pathway.name,
            pathway_version=pathway.version,
            schedule={},
            rules=pathways.compile(pathway).to_json(),
            admitted_at=admitted,
        ),
        actor=OPERATOR,
        now=now,
    )
    device, _ = await devices.add(
        connection, ward_id=ward_id, device_id=f"kit-{serial}", model="kit", codes=CODES, actor=OPERATOR, now=now
    )
    await devices.assign(
        connection,
        device,
        await residents.find(connection, number),
        since=admitted,
        until=None,
        actor=OPERATOR,
        now=now,
    )
    return Person(resident_id, f"{family.upper()}, {given} ({title})", device.device_id)


def history(now: datetime, number: int, *, days: int) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
    """Hourly spot readings that raise no alert; of the first resident nothing between 30 and 20 hours ago."""
    chance = random.Random(number)
    for hour in range(days * 24, 0, -1):
        if number == 0 and 20 <= hour < 30:
            continue
        slow = math.sin(hour / 24 * math.tau)
        values: list[dict[str, Any]] = [
            {"code": "spo2", "value": round(96 + slow + chance.random()), "unit": "%"},
            {"code": "pulse", "value": round(76 + 6 * slow + 4 * chance.random()), "unit": "/min"},
        ]
        if hour % 6 == 1:
            values += [
                {"code": "systolic", "value": round(132 + 8 * slow), "unit": "mm[Hg]", "set": f"s{hour}"},
                {"code": "diastolic", "value": round(78 + 4 * slow), "unit": "mm[Hg]", "set": f"s{hour}"},
                {"code": "temperature", "value": round(36.7 + slow / 5, 1), "unit": "Cel"},
                {"code": "resp_rate", "value": 16, "unit": "/min"},
            ]
        yield now - timedelta(hours=hour), values


async def take_in(
    database: Database,
    device_id: str,
    sets: Sequence[tuple[datetime, Sequence[dict[str, Any]]]],
    *,
    skew: timedelta = timedelta(0),
) -> None:
    """Store what a device says, each set as one message, by the function that the broker's consumer uses."""
    now = datetime.now(UTC)
    deliveries = []
    for at, values in sets:
        payload = {
            "id": secrets.token_hex(8),
            "sent_at": (at + skew).isoformat(),
            "readings": [{"taken_at": (at + skew).isoformat(), **value} for value in values],
        }
        topic = f"telehealth/v1/{device_id}/readings".encode()
        delivery = reading.read("live", topic, msgspec.json.encode(payload), at, retain=False)
        assert isinstance(delivery, Delivery)
        deliveries.append(delivery)
    async with database.transaction(db.service("ingest")) as connection:
        taken = await ingest.take_in(connection, deliveries, now=now)
    assert not taken.refusals, taken.refusals
