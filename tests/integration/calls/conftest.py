"""A ward whose visits two web processes serve, with browsers of staff and of guests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from telehealth import clock
from telehealth.clock import ClinicalClock, Step
from telehealth.config import Settings
from telehealth.model import media, visits
from telehealth.model.health import Health
from telehealth.store import consultations, db, links, rooms
from telehealth.store.db import Actor, Database
from telehealth.web import app
from telehealth.web import server as web_server
from tests.conftest import Urls
from tests.integration.calls.fake_media import Backend, Sfu
from tests.integration.web.conftest import Browser, Server, member
from tests.support import world

Json = dict[str, Any]

NOW = world.T0 + timedelta(hours=1)
BORN = {"day": "17", "month": "5", "year": "1950"}
WRONG = {"day": "18", "month": "5", "year": "1950"}
CHECK = {"camera": "ok", "microphone": "ok", "speaker": "ok", "network": "ok", "relay": "not_tried"}
WEB = db.service("web")
PATIENCE = 15.0


@dataclass
class Call:
    """One socket of a browser: everything that it was told is kept, so that nothing is waited for in vain."""

    ws: aiohttp.ClientWebSocketResponse
    told: list[Json] = field(default_factory=list)
    code: int | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        async for message in self.ws:
            self.told.append(json.loads(message.data))
            self._news.set()
        self.code = self.ws.close_code
        self._news.set()

    async def say(self, t: str, **more: Any) -> None:
        await self.ws.send_json({"t": t, **more})

    async def until(self, wanted: Callable[[], Any]) -> Any:
        """What wanted() gives, as soon as it is something."""
        async with asyncio.timeout(PATIENCE):
            while not (found := wanted()):
                self._news.clear()
                await self._news.wait()
        return found

    async def heard(self, t: str, **more: Any) -> Json:
        """A message of this kind with these values, told already or to come."""
        found: Json = await self.until(
            lambda: next(
                (m for m in self.told if m["t"] == t and all(m.get(key) == value for key, value in more.items())), None
            )
        )
        return found

    @property
    def state(self) -> Json:
        """The newest."""
        found: Json = next((m for m in reversed(self.told) if m["t"] == "state"), {})
        return found

    async def shows(self, wanted: Callable[[Json], Any]) -> Json:
        """The newest state, once it is as wanted."""
        found: Json = await self.until(lambda: self.state if self.state and wanted(self.state) else None)
        return found

    async def presence(self, wanted: str) -> Json:
        return await self.shows(lambda state: state["you"]["presence"] == wanted)

    async def ended(self) -> int:
        await self.until(lambda: self.code is not None)
        assert self.code is not None
        return self.code

    async def joins(self) -> int:
        """Offer to the room as it stands, and be inside; the epoch."""
        state = await self.shows(lambda state: state["visit"]["room"] is not None)
        epoch: int = state["visit"]["room"]["epoch"]
        await self.say("offer", epoch=epoch, sdp="v=0 offer", restart=False)
        await self.heard("answer", epoch=epoch)
        await self.presence("joined")
        return epoch

    async def agrees(self) -> None:
        """To the recording that everybody is asked for now."""
        state = await self.shows(lambda state: state["visit"]["recording"]["asked"])
        await self.say("consent", recording=True, ask=state["visit"]["recording"]["ask"])

    async def recorded(self, on: bool) -> Json:
        return await self.shows(lambda state: state["visit"]["recording"]["on"] is on)

    @property
    def me(self) -> int:
        found: int = self.state["you"]["participant"]
        return found


@dataclass
class Clinic:
    """Two residents of one ward, two nurses; as many web processes serve the same database as a test asks for."""

    web: list[Server]
    another: Callable[[], Awaitable[Server]]
    sfu: Sfu
    ward: world.Ward
    clara: int
    carl: int
    anna: world.Resident
    bert: world.Resident
    workers: list[media.Worker]
    stack: contextlib.AsyncExitStack

    @property
    def database(self) -> Database:
        return self.web[0].database

    @property
    def actor(self) -> Actor:
        return db.staff(self.clara)

    async def visit(self, *residents: world.Resident, kind: visits.Kind = "one_to_one") -> int:
        async with self.database.transaction(self.actor) as connection:
            return await consultations.start(
                connection,
                kind=kind,
                ward_id=self.ward.id,
                resident_ids=[one.id for one in residents or (self.anna,)],
                actor=self.actor,
                now=NOW,
            )

    async def link(
        self,
        visit: int,
        of: world.Resident | None = None,
        role: visits.Role = "resident",
        hours: float = 4,
        name: str = "Anna",
    ) -> str:
        """The token of a new link."""
        async with self.database.transaction(self.actor) as connection:
            _, token = await links.make(
                connection,
                visit,
                role=role,
                resident_id=(of or self.anna).id,
                name=name,
                actor=self.actor,
                now=NOW,
                real_now=clock.real_now(),
                expires_at=clock.real_now() + timedelta(hours=hours),
            )
        return token

    async def served(self, at: int) -> Server:
        """One of the web processes."""
        while len(self.web) <= at:
            self.web.append(await self.another())
        return self.web[at]

    async def browser(self, at: int = 0) -> Browser:
        """Somebody's browser, which nobody has signed in with."""
        server = await self.served(at)
        session = await self.stack.enter_async_context(server.session())
        return Browser(session, server.url)

    async def enter(self, token: str, browser: Browser | None = None, **fields: str) -> tuple[Browser, str]:
        """Press the button; the browser, and the path that it was sent to."""
        browser = browser or await self.browser()
        async with press(browser, f"/join/{token}", **fields) as response:
            assert response.status == 303, await response.text()
            return browser, response.headers["Location"]

    async def guest(
        self, visit: int, of: world.Resident | None = None, role: visits.Role = "resident", *, at: int = 0
    ) -> tuple[Browser, str]:
        """Somebody who has come as far as the device check; the page's path."""
        browser, path = await self.enter(await self.link(visit, of, role), await self.browser(at))
        if role == "resident":
            async with press(browser, f"{path}/birth", **BORN) as response:
                assert response.status == 303
        return browser, path

    async def call(self, browser: Browser, path: str) -> Call:
        """A socket, with its first state."""
        ws = await browser.session.ws_connect(path, headers={"Origin": browser.url}, max_msg_size=0)
        call = Call(ws)
        # owned by the stack: cancelled and awaited when the test ends
        reading = asyncio.create_task(call.read())

        async def stop() -> None:
            await ws.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

        self.stack.push_async_callback(stop)
        return call

    async def waits(self, visit: int, of: world.Resident | None = None, role: visits.Role = "resident") -> Call:
        """A guest in the waiting area."""
        browser, path = await self.guest(visit, of, role)
        call = await self.call(browser, f"/ws{path}")
        await call.presence("checking")
        await call.say("ready", check=CHECK, reason="my knee")
        await call.presence("waiting")
        return call

    async def nurse(
        self, visit: int, username: str = "clara", *, at: int = 0, presence: visits.Presence = "waiting"
    ) -> Call:
        """Staff beside the record, not yet in the room."""
        browser = await self.stack.enter_async_context((await self.served(at)).signed_in(username))
        call = await self.call(browser, f"/ws/visits/{visit}")
        await call.presence(presence)
        return call

    async def admit(self, visit: int, guest: Call) -> None:
        async with self.database.transaction(self.actor) as connection:
            await consultations.admit(connection, visit, guest.me, actor=self.actor, now=NOW)
        await guest.presence("admitted")

    async def live(self, visit: int, of: world.Resident | None = None) -> tuple[Call, Call]:
        """The nurse and a resident in the room."""
        nurse, guest = await self.nurse(visit), await self.waits(visit, of)
        await nurse.joins()
        await self.admit(visit, guest)
        await guest.joins()
        return nurse, guest

    async def events(self, visit: int) -> list[str]:
        async with self.database.transaction(WEB, read_only=True) as connection:
            rows = await connection.fetch(
                "SELECT event FROM consultation_event WHERE consultation_id = $1 ORDER BY id", visit
            )
        return [row["event"] for row in rows]


def press(browser: Browser, path: str, **fields: str) -> Any:
    """A form's button, as a browser presses it."""
    return browser.session.post(path, data=fields, headers={"Origin": browser.url}, allow_redirects=False)


@contextlib.asynccontextmanager
async def serving(
    database: Database, backend: media.MediaBackend | None, at: ClinicalClock, **more: Any
) -> AsyncIterator[Server]:
    """A web process of its own on the database."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # a setting of pydantic's constructor, not a field
        port=0,
        mqtt_url=SecretStr("mqtt://127.0.0.1:1883"),
        **more,
    )
    health = Health()
    health.good("database")
    application = app.build(settings=settings, database=database, clock=at, health=health, media=backend)
    runner = web_server.Runner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Server(f"http://127.0.0.1:{runner.addresses[0][1]}", database, health, at, application)
    finally:
        await runner.cleanup()


@pytest.fixture
def recording_settings(tmp_path: Path) -> dict[str, Any]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {"recordings_dir": str(tmp_path), "recording_keys": SecretStr(key)}


@pytest.fixture
async def clinic(urls: Urls, recording_settings: dict[str, Any]) -> AsyncIterator[Clinic]:
    sfu = Sfu()
    at = ClinicalClock(Step(NOW, NOW))
    async with contextlib.AsyncExitStack() as stack:

        async def another() -> Server:
            database = await stack.enter_async_context(Database.open(urls.app, size=6))
            return await stack.enter_async_context(serving(database, Backend(sfu), at, **recording_settings))

        served = [await another()]
        database = served[0].database
        ward = await world.ward(database, "North")
        clara, carl = await member(database, "clara", ward), await member(database, "carl", ward)
        await member(database, "sam", await world.ward(database, "South"))
        workers = [media.Worker(uuid4(), "127.0.0.1", 1, "token") for _ in range(3)]
        async with database.transaction(WEB) as connection:
            for worker in workers:
                # seen in the future: nobody beats for them, and a test may take its time
                later = clock.real_now() + timedelta(days=1)
                await rooms.register(connection, worker, capacity=100, real_now=later)
        clinic = Clinic(
            served,
            another,
            sfu,
            ward,
            clara,
            carl,
            await world.resident(database, ward),
            await world.resident(database, ward),
            workers,
            contextlib.AsyncExitStack(),
        )
        async with clinic.stack:
            yield clinic


async def worker_of(database: Database, visit: int) -> UUID:
    async with database.transaction(WEB, read_only=True) as connection:
        found = await rooms.current(connection, visit)
    assert found is not None
    return found.worker.id
