"""Callers on strings: `python -m simulator.callers.puppet`. Somebody else signals for them, by JSON lines.

For benchmarks of servers of any kind: what a caller offers is printed, what the server answers is read.

    {"do": "offer", "who": 1, "cameras": 5, "screen": true, "hidden": false}
                                                      -> {"t": "offer", "who": 1, "sdp": ...}
    {"do": "answer", "who": 1, "sdp": ..., "slots": {...}, "line": {"loss": 0.05} or null}
    {"do": "accept", "who": 2, "sdp": ...}            -> {"t": "accepted", "who": 2, "sdp": ...}; receives only
    {"do": "slots", "who": 1, "slots": {...}}
    {"do": "cut", "who": 1, "seconds": 5}
    {"do": "after", "who": 1, "at": 1234.5, "pictures": 1} -> {"t": "after", "who": 1, "at": ...}
    {"do": "counts"}                                  -> {"t": "counts", "at": ..., "people": {"1": {...}}}
    {"do": "close", "who": 1}                         -> {"t": "closed", "who": 1}

"after": when so many pictures have had a frame after that time. Times are the kernel's monotonic clock's, the same in
all processes of a computer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass
from typing import Any

from simulator import errors, impair
from simulator.callers import clip, peer
from simulator.callers.network import own_address
from simulator.wire import Line

_LOOK_SECONDS = 0.01
_MOST_LINE = 1 << 20

Json = dict[str, Any]


@dataclass
class _Person:
    peer: peer.Peer
    watch: asyncio.Task[None]
    open: contextlib.AsyncExitStack
    proxy: impair.Proxy | None = None


class Puppets:
    """size, rate, bitrate: of the face that all of them show."""

    def __init__(self, face: clip.Clip) -> None:
        self._face = face
        self._people: dict[int, _Person] = {}
        self._waiting: list[Json] = []

    async def run(self) -> None:
        reader = asyncio.StreamReader(limit=_MOST_LINE)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        _say({"t": "ready"})
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look())
            while line := await reader.readline():
                order = json.loads(line)
                if order["do"] == "quit":
                    break
                group.create_task(self._do(order, group))
            looking.cancel()
            for who in list(self._people):
                await self._close(who)
        transport.close()

    async def _do(self, order: Json, group: asyncio.TaskGroup) -> None:
        try:
            await self._done(order, group)
        except (errors.SimulatorError, ConnectionError, OSError) as error:
            _say({"t": "failed", "who": order.get("who"), "do": order["do"], "why": str(error)})

    async def _done(self, order: Json, group: asyncio.TaskGroup) -> None:
        who = int(order.get("who", 0))
        match order["do"]:
            case "offer":
                await self._close(who)
                sending = peer.Sending(
                    self._face,
                    clip.tone(330 + 55 * (who % 8)),
                    cameras=order.get("cameras", 9),
                    screen=order.get("screen", True),
                    estimates=order.get("estimates", False),
                )
                made = peer.Peer(sending, path=order.get("path", "direct"), ice_servers=order.get("ice_servers") or ())
                sdp = await made.offer(hidden=order.get("hidden", False))
                self._people[who] = _Person(made, group.create_task(made.watch()), contextlib.AsyncExitStack())
                _say({"t": "offer", "who": who, "sdp": sdp})
            case "answer":
                await self._answer(self._people[who], order)
            case "accept":
                await self._close(who)
                made = peer.Peer(peer.Sending(self._face, clip.tone(), estimates=False), silent=True)
                sdp = await made.accept(order["sdp"])
                self._people[who] = _Person(made, group.create_task(made.watch()), contextlib.AsyncExitStack())
                _say({"t": "accepted", "who": who, "sdp": sdp})
            case "slots" if who in self._people:
                self._people[who].peer.told(order["slots"])
            case "cut":
                proxy = self._people[who].proxy
                assert proxy is not None
                proxy.cut(order["seconds"])
            case "after":
                self._waiting.append(order)
            case "counts":
                people = {str(each): await _counts(person.peer) for each, person in self._people.items()}
                _say({"t": "counts", "at": asyncio.get_running_loop().time(), "people": people})
            case "close":
                await self._close(who)
                _say({"t": "closed", "who": who})

    async def _answer(self, person: _Person, order: Json) -> None:
        through = None
        if order.get("line") is not None:
            to = peer.candidate(order["sdp"])
            line = Line(**order["line"])
            opened = impair.opened(to, listen=(own_address(to), 0), up=line, seed=int(order["who"]))
            person.proxy = await person.open.enter_async_context(opened)
            through = person.proxy.address
        await person.peer.answered(order["sdp"], order.get("slots") or {}, through=through)

    async def _close(self, who: int) -> None:
        person = self._people.pop(who, None)
        if person is not None:
            person.watch.cancel()
            await person.peer.close()
            await person.open.aclose()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for order in list(self._waiting):
                person = self._people.get(order["who"])
                lasts = (
                    [] if person is None else [seen.last for seen in person.peer.pictures() if seen.last is not None]
                )
                there = [last for last in lasts if last > order["at"]]
                if len(there) >= order["pictures"]:
                    self._waiting.remove(order)
                    _say({"t": "after", "who": order["who"], "at": max(there)})


async def _counts(one: peer.Peer) -> Json:
    seen = one.pictures()
    sent = await one.sent()
    firsts = [each.first for each in seen if each.first is not None]
    return {
        "sent": sent,
        "voice": sum(slot.packets for slot in one.slots.values() if slot.kind == "audio"),
        "picture": sum(each.packets for each in seen),
        "pictures": len(seen),
        "missing": sum(each.missing for each in seen),
        "frames": sum(each.frames for each in seen),
        "freezes": sum(each.freezes for each in seen),
        "frozen": sum(each.frozen for each in seen),
        "longest": max((each.longest for each in seen), default=0.0),
        "join": min(firsts) - one.offered_at if firsts and one.offered_at is not None else None,
        "all_joined": max(firsts) - one.offered_at if firsts and one.offered_at is not None else None,
    }


def _say(said: Json) -> None:
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Arguments: width, height, pictures a second, bit/s."""
    width, height, rate, bitrate = (int(text) for text in sys.argv[1:5])
    asyncio.run(Puppets(clip.face(1, width, height, rate, bitrate)).run())


if __name__ == "__main__":
    main()
