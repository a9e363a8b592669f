"""A clinician's screen: which residents' alerts have arrived on a WebSocket, and when."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

import aiohttp
import msgspec

from telehealth import clock
from telehealth.bench.processes import Service
from telehealth.store import db, staff
from telehealth.store.db import Database

_ACTOR = db.operator("bench")
RULE = "threshold/spo2/low"
_SHOWN_SECONDS = 30.0


class Screen:
    """seen: resident -> the monotonic time of their first alert of the rule."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}
        self.progress = asyncio.Event()
        #: The ward has been shown as it was: what comes from now on comes as an event.
        self.shown = asyncio.Event()

    async def all(self, count: int, seconds: float) -> bool:
        """Whether so many residents have an alert before nothing has come for so long."""
        while len(self.seen) < count:
            self.progress.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self.progress.wait()
            except TimeoutError:
                return False
        return True

    async def watch(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            now = clock.monotonic()
            told = msgspec.json.decode(message.data)
            if told["t"] in ("d", "snap"):
                await socket.send_json({"t": "ack", "seq": told["seq"]})
                self.shown.set()
            elif told["t"] == "event" and told["alert"]["rule"] == RULE:
                self.seen.setdefault(int(told["alert"]["resident_id"]), now)
                self.progress.set()


@contextlib.asynccontextmanager
async def watching(service: Service, token: str, ward_id: int) -> AsyncIterator[Screen]:
    """A screen on a ward, as long as the block runs."""
    screen = Screen()
    headers = {"Authorization": f"Bearer {token}", "Origin": service.url}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{service.url}/ws", headers=headers, max_msg_size=0) as socket,
    ):
        await socket.send_json({"t": "sub", "wards": [ward_id], "residents": []})
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(screen.watch(socket))
            try:
                async with asyncio.timeout(_SHOWN_SECONDS):
                    await screen.shown.wait()
                yield screen
            finally:
                watcher.cancel()


async def token(database: Database, ward_id: int, name: str = "bench") -> str:
    """Of a clinician of the ward."""
    now = clock.real_now()
    async with database.transaction(_ACTOR) as connection:
        await staff.add(
            connection,
            username=name,
            display_name="Bench",
            role="clinician",
            wards=[ward_id],
            password=secrets.token_urlsafe(32),
            actor=_ACTOR,
            now=now,
        )
        made, _ = await staff.create_token(connection, username=name, name="bench", days=1, actor=_ACTOR, now=now)
        return made
