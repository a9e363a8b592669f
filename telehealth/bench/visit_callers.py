"""Synthetic callers of the benchmark, in processes of their own; this side signals for them."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from telehealth.errors import Unavailable

_SECONDS = 30.0
_MOST_LINE = 1 << 20

Json = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """What every caller sends. bitrate: bit/s."""

    width: int = 640
    height: int = 480
    rate: int = 30
    bitrate: int = 580_000


class Callers:
    """One process with any number of callers; each by the number that it is given."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[tuple[str, int], asyncio.Future[Json]] = {}

    async def offer(self, who: int, **options: Any) -> str:
        return str((await self._ask("offer", "offer", who, **options))["sdp"])

    async def accept(self, who: int, sdp: str) -> str:
        return str((await self._ask("accept", "accepted", who, sdp=sdp))["sdp"])

    def answer(self, who: int, sdp: str, slots: Mapping[str, Any], line: Mapping[str, Any] | None = None) -> None:
        self._say({"do": "answer", "who": who, "sdp": sdp, "slots": dict(slots), "line": line})

    def slots(self, who: int, slots: Mapping[str, Any]) -> None:
        self._say({"do": "slots", "who": who, "slots": dict(slots)})

    def cut(self, who: int, seconds: float) -> None:
        self._say({"do": "cut", "who": who, "seconds": seconds})

    async def after(self, who: int, at: float, pictures: int = 1) -> float:
        """When so many of a caller's pictures had had a frame after `at`; monotonic."""
        return float((await self._ask("after", "after", who, at=at, pictures=pictures))["at"])

    async def counts(self) -> tuple[float, dict[int, Json]]:
        found = await self._ask("counts", "counts", 0)
        return float(found["at"]), {int(who): counted for who, counted in found["people"].items()}

    async def close(self, who: int) -> None:
        await self._ask("close", "closed", who)

    def _say(self, order: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _ask(self, do: str, reply: str, who: int, **fields: Any) -> Json:
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[reply, who] = future
        self._say({"do": do, "who": who, **fields})
        try:
            async with asyncio.timeout(_SECONDS):
                return await future
        except TimeoutError:
            raise Unavailable(f"a caller of the benchmark does not answer ({do})") from None
        finally:
            self._waiting.pop((reply, who), None)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said: Json = json.loads(line)
            if said["t"] == "failed":
                for (_, who), future in self._waiting.items():
                    if who == said["who"] and not future.done():
                        future.set_exception(Unavailable(f"a caller of the benchmark failed: {said['why']}"))
                continue
            waiting = self._waiting.get((said["t"], int(said.get("who", 0))))
            if waiting is not None and not waiting.done():
                waiting.set_result(said)


@contextlib.asynccontextmanager
async def callers(picture: Picture) -> AsyncIterator[Callers]:
    """A process of callers until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulator.callers.puppet"),
        *(str(value) for value in (picture.width, picture.height, picture.rate, picture.bitrate)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_MOST_LINE,
    )
    found = Callers(process)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_SECONDS):
            await process.stdout.readline()
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(found._listen())
            try:
                yield found
            finally:
                listening.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
