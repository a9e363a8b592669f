"""Debian's Janus as a peer: its videoroom, with a publisher and a subscriber connection for each caller."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aioice import ice

from telehealth.bench import servers, visit_servers
from telehealth.bench.visit_callers import Callers
from telehealth.errors import Unavailable

_LIBRARY = Path("/usr/lib/x86_64-linux-gnu/janus")
_ROOM = 1
_SECONDS = 20.0
_TRIES = 50
_AGAIN_SECONDS = 0.1
#: A caller's second connection has a number of its own.
SUBSCRIBER = 1000

Json = dict[str, Any]

_MAIN = """
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{folder}/plugins"
    transports_folder = "{folder}/transports"
    events_folder = "{folder}/none"
    loggers_folder = "{folder}/none"
    debug_level = 2
    log_to_stdout = false
    log_to_file = "{folder}/log"
}}
nat: {{
    ice_enforce_list = "{address}"
    nice_debug = false
    full_trickle = false
}}
media: {{ }}
"""
_SOCKETS = """
general: {{
    ws = true
    ws_port = {port}
    ws_ip = "127.0.0.1"
    wss = false
}}
"""
_ROOMS = """
room-1: {
    description = "bench"
    publishers = 10
    bitrate = 0
    videocodec = "vp8"
    audiocodec = "opus"
}
"""


def installed() -> bool:
    return shutil.which("janus") is not None


@contextlib.asynccontextmanager
async def janus() -> AsyncIterator[Janus]:
    """A Janus on loopback, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="telehealth-janus-") as name:
        folder, port = Path(name), servers.free_port()
        address = ice.get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
        # Only what is used: each of the others wants a configuration of its own, or a port.
        for kind, part in (("plugins", "libjanus_videoroom.so"), ("transports", "libjanus_websockets.so")):
            (folder / kind).mkdir()
            (folder / kind / part).symlink_to(_LIBRARY / kind / part)
        (folder / "janus.jcfg").write_text(_MAIN.format(folder=folder, address=address))
        (folder / "janus.transport.websockets.jcfg").write_text(_SOCKETS.format(port=port))
        (folder / "janus.plugin.videoroom.jcfg").write_text(_ROOMS)
        process = await asyncio.create_subprocess_exec(
            "janus",
            *("-C", folder / "janus.jcfg", "-F", folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
                socket = await _connected(session, port, process)
                found = Janus(process, socket)
                listening = group.create_task(found._listen())
                keeping = group.create_task(found._keep())
                await found.begin()
                try:
                    yield found
                finally:
                    keeping.cancel()
                    listening.cancel()
                    await socket.close()
        finally:
            await visit_servers.stopped(process)


async def _connected(
    session: aiohttp.ClientSession, port: int, process: asyncio.subprocess.Process
) -> aiohttp.ClientWebSocketResponse:
    for _ in range(200):
        with contextlib.suppress(aiohttp.ClientError):
            return await session.ws_connect(f"http://127.0.0.1:{port}", protocols=("janus-protocol",), max_msg_size=0)
        if process.returncode is not None:
            break
        await asyncio.sleep(0.1)
    raise Unavailable("Janus does not start")


class Janus(visit_servers.Process):
    """One session, and a handle for each connection."""

    def __init__(self, process: asyncio.subprocess.Process, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(process)
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._session = 0
        #: Publisher's id, by caller.
        self._feeds: dict[int, int] = {}

    async def begin(self) -> None:
        self._session = int((await self._ask({"janus": "create"}))["data"]["id"])

    async def publish(self, who: int, callers: Callers) -> None:
        """A caller sends, and receives nothing yet."""
        handle = await self._attached()
        joined = await self._message(
            handle, {"request": "join", "ptype": "publisher", "room": _ROOM, "display": str(who)}
        )
        self._feeds[who] = int(joined["plugindata"]["data"]["id"])
        offer = await callers.offer(who, cameras=0, screen=False)
        body = {"request": "publish", "audiocodec": "opus", "videocodec": "vp8"}
        answered = await self._message(handle, body, jsep={"type": "offer", "sdp": offer})
        callers.answer(who, answered["jsep"]["sdp"], {})

    async def subscribe(self, who: int, callers: Callers) -> None:
        """A caller receives everybody else who publishes."""
        handle = await self._attached()
        streams = [{"feed": feed} for other, feed in self._feeds.items() if other != who]
        body = {"request": "join", "ptype": "subscriber", "room": _ROOM, "streams": streams}
        for tries in range(_TRIES):
            try:
                offered = await self._message(handle, body)
                break
            except Unavailable:  # somebody's media do not flow yet
                if tries == _TRIES - 1:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)
        answer = await callers.accept(who + SUBSCRIBER, offered["jsep"]["sdp"])
        await self._message(handle, {"request": "start"}, jsep={"type": "answer", "sdp": answer})

    async def _attached(self) -> int:
        found = await self._ask({"janus": "attach", "plugin": "janus.plugin.videoroom"})
        return int(found["data"]["id"])

    async def _message(self, handle: int, body: Json, jsep: Json | None = None) -> Json:
        asked: Json = {"janus": "message", "handle_id": handle, "body": body}
        if jsep is not None:
            asked["jsep"] = jsep
        found = await self._ask(asked)
        data = found.get("plugindata", {}).get("data", {})
        if "error" in data:
            raise Unavailable(f"Janus: {data['error']}")
        return found

    async def _ask(self, asked: Json) -> Json:
        """What came of it; of messages the event, not the acknowledgement."""
        number = secrets.token_hex(8)
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        session = {"session_id": self._session} if self._session else {}
        await self._socket.send_json({**asked, **session, "transaction": number})
        try:
            async with asyncio.timeout(_SECONDS):
                return await future
        except TimeoutError:
            raise Unavailable("Janus does not answer") from None
        finally:
            self._waiting.pop(number, None)

    async def _listen(self) -> None:
        async for message in self._socket:
            said: Json = msgspec.json.decode(message.data)
            future = self._waiting.get(said.get("transaction", ""))
            if future is None or future.done() or said["janus"] == "ack":
                continue
            if said["janus"] == "error":
                future.set_exception(Unavailable(f"Janus: {said['error'].get('reason')}"))
            else:
                future.set_result(said)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(20)
            await self._ask_ack()

    async def _ask_ack(self) -> None:
        keep = {"janus": "keepalive", "session_id": self._session, "transaction": secrets.token_hex(8)}
        await self._socket.send_json(keep)
