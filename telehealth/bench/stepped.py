"""The service over a virtual clock that its simulator moves, as the demo has it: a process of the benchmark's own.

`python -m telehealth.bench.stepped`: settings and TELEHEALTH_CONTROL_TOKEN from the environment.
"""

from __future__ import annotations

import asyncio
import os

import uvloop

from telehealth import config, log, main
from telehealth.model.health import Health

TOKEN = "TELEHEALTH_CONTROL_TOKEN"


async def serve() -> None:
    """Until a signal."""
    log.configure("error")
    stop = asyncio.Event()
    settings = config.from_environment()
    with main.stop_by_signal(stop):
        async with main.opened(settings, Health(), virtual=True, control_token=os.environ[TOKEN]) as parts:
            await main.run(parts, main.roles(settings), stop)


if __name__ == "__main__":
    uvloop.run(serve())
