"""A running service under a fuzzer: what comes over its two doors never kills, stops, bloats or blabs.

python -m tests.fuzz.live TARGET INPUTS SEED prints what came of it as JSON. The same seed sends the same, though what
is answered first may differ.

Held all the while: the process lives, /readyz stays ready, no answer is a 500, none takes for ever or is endless.
Held at the end: everything was taken in, a good message of every device is stored and receipted, memory has not grown
beyond a bound since the warm-up, quarantine is within its own, and the log holds neither an error nor anything of
residents or of what was sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from telehealth import clock, log
from tests.fuzz import live_http, live_mqtt, service
from tests.fuzz.service import Broken, Running

#: Between a tenth of the inputs and the end the process may grow by so much; the lanes alone may hold 48 MB.
GROWTH_MB = 96
_LOOKS = 20


class Fuzzer(Protocol):
    """done: inputs so far. good: of them taken in. outcomes: kinds of answers."""

    done: int

    @property
    def good(self) -> int: ...
    @property
    def outcomes(self) -> int: ...
    async def some(self, inputs: int) -> None: ...
    async def settle(self) -> None: ...
    async def good_messages(self) -> None: ...


class Opened(Protocol):
    def __call__(self, service: Running, seed: int) -> AbstractAsyncContextManager[Fuzzer]: ...


_OPENED: dict[str, Opened] = {"live-mqtt": live_mqtt.fuzzing, "live-http": live_http.fuzzing}


@dataclass
class Found:
    """What a run came to. failure: the promise that was not kept."""

    inputs: int = 0
    good: int = 0
    seconds: float = 0.0
    peak_mb: int = 0
    grown_mb: int = 0
    covered: int = 0
    failure: str | None = None


def main() -> None:
    """Throw so many inputs at a service of its own."""
    target, inputs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    log.configure("error")
    print(json.dumps(asdict(asyncio.run(_run(target, inputs, seed)))))


async def _run(target: str, inputs: int, seed: int) -> Found:
    # Readable for the account that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="th-live-", dir="/tmp"))
    os.chmod(folder, 0o755)
    found = Found()
    try:
        async with service.running(folder) as running, _OPENED[target](running, seed) as fuzzer:
            started = clock.monotonic()
            try:
                await _throw(running, fuzzer, inputs, found)
            except Broken as broken:
                found.failure = str(broken)
            found.inputs, found.good, found.covered = fuzzer.done, fuzzer.good, fuzzer.outcomes
            found.seconds = round(clock.monotonic() - started, 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


async def _throw(running: Running, fuzzer: Fuzzer, inputs: int, found: Found) -> None:
    warm_kb = 0
    for look in range(_LOOKS):
        await fuzzer.some(max(1, inputs // _LOOKS))
        await running.check()
        running.check_log()
        if look == _LOOKS // 10 - 1:
            await fuzzer.settle()
            warm_kb = running.resident_kb()
    await fuzzer.settle()
    await fuzzer.good_messages()
    await running.check()
    running.check_log()
    await running.check_quarantine()
    found.grown_mb = (running.resident_kb() - warm_kb) // 1024
    found.peak_mb = running.peak_kb() // 1024
    if found.grown_mb > GROWTH_MB:
        raise Broken(f"memory grew by {found.grown_mb} MB, of which {GROWTH_MB} are allowed")


if __name__ == "__main__":
    main()
