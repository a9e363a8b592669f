"""One caller, from the link to the end of the visit, as the script has it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from simulator import errors
from simulator.callers import line, network, peer
from simulator.callers.report import Report
from simulator.callers.script import Act, Script

_PING_SECONDS = 5.0
#: So long nothing comes from people who are there, before everything is built anew; and between two such times.
_SILENT_SECONDS = 6.0
_AGAIN_SECONDS = 5.0
_RECONNECT_SECONDS = 1.0
_MOST_REFUSALS = 50
_COUNTED = ("packets", "missing", "freezes", "frozen", "frames")
_PATHS = {"direct": "host", "udp": "relay-udp", "tcp": "relay-tcp", "tls": "relay-tls"}

Json = dict[str, Any]


class Over(Exception):
    """The visit is over for this caller; why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Caller:
    """run() once. name: for people who read reports; never the link."""

    def __init__(
        self,
        name: str,
        link: line.Link,
        script: Script,
        sending: peer.Sending,
        *,
        path: peer.Path = "direct",
        seed: int = 1,
    ) -> None:
        self.report = Report(name, script.title)
        self._link, self._script, self._sending, self._path = link, script, sending, path
        self._network = network.Network(script, path, seed)
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._peer: peer.Peer | None = None
        self._state: Json = {}
        self._epoch: int | None = None
        self._offered_at = 0.0
        self._offering = asyncio.Lock()
        self._ready_at: float | None = None
        #: The number of the question whether this visit may be recorded, and of the last one that was answered.
        self._ask: int | None = None
        self._answered_ask: int | None = None
        self._audio = self._video = True
        #: What the last statistics of this connection counted.
        self._counted: tuple[peer.Peer | None, dict[str, float]] = (None, {})
        self._dropped = asyncio.Event()
        self._dropped_for = 0.0
        self._flows = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> Report:
        """Until the visit is over, the script is, or stop is set. Never raises for what the service does."""
        try:
            async with asyncio.TaskGroup() as group:
                main = group.create_task(self._visit())
                waiter = group.create_task(stop.wait())
                await asyncio.wait({main, waiter}, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
                main.cancel()
        except* Over as over:
            self.report.ended = _first(over).why
        except* errors.SimulatorError as failed:
            self.report.ended, self.report.trouble = "trouble", str(_first(failed))
        return self.report

    async def _visit(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._script.late)
        async with line.session() as browser, self._network:
            since = loop.time()
            path = await line.open_link(browser, self._link)
            self.report.opened = loop.time() - since
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._act())
                    group.create_task(self._watch())
                    group.create_task(self._patience())
                    await self._stay(browser, f"{self._link.origin}/ws{path}")
            finally:
                self.report.network = self._network.statistics()
                await self._close_peer()

    async def _stay(self, browser: aiohttp.ClientSession, url: str) -> None:
        """One socket after the other."""
        while True:
            self._dropped.clear()
            try:
                async with line.socket(browser, url, self._link.origin) as opened:
                    self.report.sockets += 1
                    self._socket = opened
                    async with asyncio.TaskGroup() as group:
                        beats = [group.create_task(self._ping()), group.create_task(self._drop(opened))]
                        await self._listen(opened)
                        for beat in beats:
                            beat.cancel()
            except errors.Unreachable:
                pass
            finally:
                self._socket = None
            await asyncio.sleep(self._dropped_for if self._dropped.is_set() else _RECONNECT_SECONDS)

    async def _listen(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        async for message in opened:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            said: Json = json.loads(message.data)
            await self._take(said)

    async def _take(self, said: Json) -> None:
        match said.get("t"):
            case "state":
                await self._stated(said)
            case "answer":
                await self._answered(said)
            case "slots" if self._peer is not None and said["epoch"] == self._epoch:
                self._peer.told(said["slots"])
            case "rebuild":
                await self._offer(int(said["epoch"]))
            case "refused":
                if len(self.report.refused) < _MOST_REFUSALS:
                    self.report.refused.append(f"{said.get('about')}: {said.get('why')}")
                if said.get("about") in ("offer", "room"):
                    self._epoch = None
                    self._offered_at = asyncio.get_running_loop().time()
            case "bye" if said.get("why") != "service":
                raise Over(str(said.get("why")))

    # The visit --------------------------------------------------------------------------------------

    async def _stated(self, said: Json) -> None:
        loop = asyncio.get_running_loop()
        self._state = said
        you, visit = said["you"], said["visit"]
        self.report.people = max(self.report.people, len(visit.get("people") or ()))
        self.report.messages = max(self.report.messages, len(visit.get("messages") or ()))
        presence, room = you["presence"], visit.get("room")
        if presence in ("checking", "left"):
            self._ready_at = self._ready_at or loop.time()
            await self._say("ready", check=dict(self._script.check), reason=self._script.reason)
        if presence in ("admitted", "joined"):
            if self.report.waited is None and self._ready_at is not None:
                self.report.waited = loop.time() - self._ready_at
            if room is not None and (self._peer is None or room["epoch"] != self._epoch) and self._may_offer():
                await self._offer(int(room["epoch"]))
        elif self._peer is not None:
            await self._close_peer()
        recording = visit.get("recording") or {}
        self._ask = recording.get("ask")
        asked = self._ask if recording.get("asked") else None
        if asked is not None and asked != self._answered_ask:
            await self._say("consent", recording=self._script.consents, ask=asked)
            self._answered_ask = asked

    def _may_offer(self) -> bool:
        return asyncio.get_running_loop().time() - self._offered_at > 1.0

    async def _offer(self, epoch: int) -> None:
        async with self._offering:
            await self._offer_alone(epoch)

    async def _offer_alone(self, epoch: int) -> None:
        await self._close_peer()
        servers = await self._network.servers(self._state.get("you", {}).get("ice_servers") or ())
        made = peer.Peer(self._sending, path=self._path, ice_servers=servers)
        self._peer, self._epoch = made, epoch
        self._offered_at = asyncio.get_running_loop().time()
        made.microphone.talking = self._audio
        if not self._video:
            made.camera.hide()
        self.report.connections += 1
        await self._say("offer", epoch=epoch, sdp=await made.offer(hidden=self._network.proxied), restart=False)

    async def _answered(self, said: Json) -> None:
        if self._peer is None or said["epoch"] != self._epoch:
            return
        through = await self._network.through(said["sdp"])
        await self._peer.answered(said["sdp"], said["slots"], through=through)

    async def _close_peer(self) -> None:
        if (old := self._peer) is None:
            return
        self._peer, self._epoch = None, None
        seen = old.pictures()
        self.report.add(seen)
        self.report.voice_packets += sum(slot.packets for slot in old.slots.values() if slot.kind == "audio")
        self.report.frames_sent += old.camera.sent
        firsts = [each.first for each in seen if each.first is not None]
        if firsts and old.offered_at is not None:
            self.report.join.append(min(firsts) - old.offered_at)
        await old.close()

    def _expects(self) -> bool:
        """Whether somebody else ought to be heard or seen now."""
        you = self._state.get("you", {}).get("participant")
        people = self._state.get("visit", {}).get("people") or ()
        return any(
            one["id"] != you and one["presence"] == "joined" and one["audio"] and not one.get("muted_by_host")
            for one in people
        )

    # What goes on all the time ------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Asks for what is missing; builds anew what has become silent."""
        loop = asyncio.get_running_loop()
        while True:
            watched = self._peer
            if watched is None:
                await asyncio.sleep(peer.REPAIR_SECONDS)
                room = self._state.get("visit", {}).get("room")
                admitted = self._state.get("you", {}).get("presence") in ("admitted", "joined")
                if room is not None and admitted and self._socket is not None and self._may_offer():
                    await self._offer(int(room["epoch"]))
                continue
            async with _cancelled_after(watched.watch()):
                while self._peer is watched:
                    await asyncio.sleep(peer.REPAIR_SECONDS)
                    if watched.connected.is_set():
                        self._flows.set()
                    since = max(self._offered_at, watched.heard_at or 0.0)
                    silent = self._expects() and loop.time() - since > _SILENT_SECONDS
                    late = loop.time() - self._offered_at > _AGAIN_SECONDS
                    lost = (silent or watched.over.is_set()) and late and self._socket is not None
                    if lost and self._epoch is not None:
                        await self._offer(self._epoch)

    async def _ping(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(_PING_SECONDS)
            number += 1
            await self._say("ping", n=number)
            if self._peer is not None and self._peer.connected.is_set():
                await self._say("stats", **await self._statistics(self._peer))

    async def _statistics(self, measured: peer.Peer) -> Json:
        """Since the last ones, as browsers say them."""
        seen = measured.pictures()
        firsts = [each.first for each in seen if each.first is not None]
        round_trip, up_loss = await measured.round_trip_and_loss()
        totals = {name: sum(getattr(each, name) for each in seen) for name in _COUNTED}
        before = self._counted[1] if self._counted[0] is measured else {}
        self._counted = measured, totals
        new = {name: total - before.get(name, 0) for name, total in totals.items()}
        sent = new["packets"] + new["missing"]
        return {
            "rtt": round_trip,
            "up_loss": up_loss,
            "down_loss": new["missing"] / sent if sent else 0.0,
            "jitter": 0.0,
            "freezes": new["freezes"],
            "frozen": round(new["frozen"], 3),
            "frames": new["frames"],
            "join": round(min(firsts) - measured.offered_at, 3) if firsts and measured.offered_at is not None else None,
            "path": _PATHS[self._path],
        }

    async def _drop(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        """The tab is gone: nothing is said any more."""
        await self._dropped.wait()
        await self._close_peer()
        await opened.close()

    async def _patience(self) -> None:
        """How long somebody waits to be let in, and stays."""
        try:
            async with asyncio.timeout(self._script.patience):
                await self._flows.wait()
        except TimeoutError:
            await self._leave("nobody let me in")
        if self._script.stay is not None:
            await asyncio.sleep(self._script.stay)
            await self._leave("stayed as long as it wanted")

    async def _leave(self, why: str) -> None:
        await self._say("leave")
        raise Over(why)

    async def _act(self) -> None:
        await self._flows.wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for act in self._script.acts:
            await asyncio.sleep(began + act.at - loop.time())
            await self._do(act)

    async def _do(self, act: Act) -> None:
        match act.do:
            case "mute" | "unmute":
                self._audio = act.do == "unmute"
                self._quiet(not self._audio)
                await self._say("media", audio=self._audio, video=self._video, screen=False)
            case "hide" | "show":
                self._video = act.do == "show"
                if self._peer is not None:
                    (self._peer.camera.show if self._video else self._peer.camera.hide)()
                await self._say("media", audio=self._audio, video=self._video, screen=False)
            case "quiet" | "talk":
                self._quiet(act.do == "quiet")
            case "hand_up" | "hand_down":
                await self._say("hand", up=act.do == "hand_up")
            case "consent" | "withdraw":
                await self._say("consent", recording=act.do == "consent", ask=self._ask)
            case "say":
                await self._say("chat", key=str(uuid.uuid4()), text=str(act.value), to=None)
            case "cut":
                self._network.cut(float(act.value or 0))
            case "rebind":
                self._network.rebind()
                if self._epoch is not None:  # browsers notice a change of network
                    await self._offer(self._epoch)
            case "drop":
                self._dropped_for = float(act.value or 0)
                self._dropped.set()
            case "leave":
                await self._leave("left")

    def _quiet(self, quiet: bool) -> None:
        if self._peer is not None:
            self._peer.microphone.talking = not quiet

    async def _say(self, tag: str, **fields: Any) -> None:
        """Where there is no socket now nothing is said: the service tells its state to the next one."""
        if self._socket is None or self._socket.closed:
            return
        with contextlib.suppress(ConnectionError):
            await self._socket.send_str(json.dumps({"t": tag, **fields}))


@contextlib.asynccontextmanager
async def _cancelled_after(work: Any) -> AsyncIterator[None]:
    """Runs beside the block, and ends with it."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()


def _first(group: BaseExceptionGroup[Any]) -> Any:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
