"""A running service to throw things at: PostgreSQL, Mosquitto and one process of it, with two small wards in it.

What is planted: NAMES are of residents and never belong in a log or in an answer that refuses something; HIDDEN is on a
ward that nobody here may see, and never belongs in any answer; TYPED is in what is sent, and never belongs in a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from telehealth.bench import servers
from telehealth.model import secrets
from telehealth.store import db, devices, seats, sessions, staff
from telehealth.store import quarantine as quarantine_store
from telehealth.store import residents as resident_store
from telehealth.store.db import Database
from tests.support import world

NAMES = "Zqname"
HIDDEN = "Zqhidden"
TYPED = "Zqtyped"
#: In what is sent; a page that shows it unescaped lets devices write its markup.
MARKUP = f"<zqtag>{TYPED}"

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_STARTS_SECONDS = 60.0


class Broken(Exception):
    """The service did not keep a promise."""


@dataclass(frozen=True)
class Staff:
    """Clara, of the ward that can be seen."""

    bearer: str
    cookie: str
    csrf: str


@dataclass
class Running:
    """The service and its world. passwords: of devices by device_id."""

    database: Database
    process: asyncio.subprocess.Process
    log: Path
    port: int
    mqtt_port: int
    passwords: dict[str, str]
    residents: list[world.Resident]
    hidden: world.Resident
    ward: world.Ward
    staff: Staff

    def resident_kb(self) -> int:
        """Of the service's process."""
        return self._status("VmRSS")

    def peak_kb(self) -> int:
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1])

    async def check(self) -> None:
        """Alive and ready. Raises Broken."""
        if self.process.returncode is not None:
            raise Broken(f"the process ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        status, said = await self._get("/readyz")
        if status != 200:
            raise Broken(f"/readyz says {status}: {said}")

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        _, text = await self._get("/metrics")
        return sum(float(n) for n in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE))

    async def _get(self, path: str) -> tuple[int, str]:
        try:
            async with (
                asyncio.timeout(30),
                aiohttp.ClientSession(f"http://127.0.0.1:{self.port}") as client,
                client.get(path) as answer,
            ):
                return answer.status, await answer.text()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Broken(f"{path} is not answered: {type(error).__name__}") from None

    def check_log(self) -> None:
        """Nothing of residents, nothing that was sent, no error of ours. Raises Broken."""
        numbers = [one.nhs_number for one in (*self.residents, self.hidden)]
        for line in self.log.read_text(errors="replace").splitlines():
            for planted in (NAMES, HIDDEN, TYPED, *numbers):
                if planted in line:
                    raise Broken(f"the log holds {planted}: {line[:500]}")
            if "Traceback" in line or '"exception"' in line or re.search(r'"level": ?"(error|critical)"', line):
                raise Broken(f"the log holds an error: {line[:2000]}")

    async def check_quarantine(self) -> None:
        """What is kept of nonsense is bounded for each device, and for all that are unknown. Raises Broken."""
        async with self.database.transaction(world.ACTOR, read_only=True) as connection:
            rows = await connection.fetch(
                "SELECT device_pk, count(*) AS entries, sum(length(payload)) AS bytes FROM quarantine GROUP BY 1"
            )
        for row in rows:
            # "A few dozen more until they are next looked at".
            if row["entries"] > quarantine_store.DEVICE_ENTRIES * 1.2:
                raise Broken(f"quarantine holds {row['entries']} entries of device {row['device_pk']}")
            if row["bytes"] > quarantine_store.DEVICE_BYTES * 1.5:
                raise Broken(f"quarantine holds {row['bytes']} bytes of device {row['device_pk']}")


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    """Ready to be used."""
    async with (
        servers.postgres(folder / "pg") as url,
        servers.mosquitto(folder) as broker,
        Database.open(url, size=4) as database,
    ):
        ward, residents, passwords = await _ward(database)
        hidden = await _hidden(database)
        clara = await _staff(database, ward)
        port, log = servers.free_port(), folder / "service.log"
        environment = {"DATABASE_URL": url, "MQTT_URL": broker.url, "TELEHEALTH_PORT": str(port)}
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "telehealth", "serve"),
                env=os.environ | environment,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=out,
            )
        found = Running(database, process, log, port, broker.port, passwords, residents, hidden, ward, clara)
        try:
            await _starts(found)
            yield found
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _starts(service: Running) -> None:
    async with asyncio.timeout(_STARTS_SECONDS):
        while True:
            with contextlib.suppress(Broken):
                await service.check()
                return
            await asyncio.sleep(0.1)


async def _ward(database: Database) -> tuple[world.Ward, list[world.Resident], dict[str, str]]:
    """Two devices with a resident each, a shared one, one that nobody has."""
    ward = await world.ward(database, "Seen")
    residents = [await world.resident(database, ward, admitted_at=_FIRST) for _ in range(2)]
    for resident in residents:
        await _rename(database, resident, NAMES)
    passwords = {}
    for name, owner in (("fuzz-1", residents[0]), ("fuzz-2", residents[1]), ("kit", None), ("spare", None)):
        passwords[name] = secrets.new_device_password()
        hashed = secrets.hash_device_password(passwords[name])
        await world.device(
            database, ward, name, resident=owner, assigned_from=_FIRST, password_hash=hashed, codes=("spo2", "pulse")
        )
    async with database.transaction(world.ACTOR) as connection:
        kit = await devices.find(connection, "kit")
        await seats.share(connection, kit, shared=True, at=_FIRST, actor=world.ACTOR, now=_FIRST)
        for label, whose in zip(("s1", "0b9d"), residents, strict=True):
            found = await resident_store.find(connection, whose.nhs_number)
            await seats.seat(
                connection, kit, seats.seat_of(label, None), found, since=_FIRST, actor=world.ACTOR, now=_FIRST
            )
    return ward, residents, passwords


async def _hidden(database: Database) -> world.Resident:
    ward = await world.ward(database, HIDDEN)
    resident = await world.resident(database, ward, admitted_at=_FIRST)
    await _rename(database, resident, HIDDEN)
    await world.device(database, ward, f"{HIDDEN}-1", resident=resident, assigned_from=_FIRST)
    at = datetime.now(UTC) - timedelta(minutes=5)
    await world.readings(database, resident, world.spo2(80.0, at))
    return resident


async def _rename(database: Database, resident: world.Resident, name: str) -> None:
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "UPDATE resident SET family_name = $2, given_name = $2 WHERE id = $1", resident.id, name
        )


async def _staff(database: Database, ward: world.Ward) -> Staff:
    staff_id = await world.staff(database, ward, username="clara")
    now = datetime.now(UTC)
    async with database.transaction(world.ACTOR) as connection:
        bearer, _ = await staff.create_token(
            connection, username="clara", name="fuzz", days=1, actor=world.ACTOR, now=now
        )
    async with database.transaction(db.service("web")) as connection:
        cookie = await sessions.begin(connection, staff_id, now=now, hours=12)
        session = await sessions.find(connection, cookie, now=now)
    assert session is not None
    return Staff(bearer, cookie, session.csrf)
