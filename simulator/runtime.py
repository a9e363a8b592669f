"""Running a command's coroutine: one interrupt asks it to finish, a second one ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
PARENT_SECONDS = 1.0


def execute(command: Callable[[asyncio.Event], Coroutine[Any, Any, Result]]) -> Result:
    """Runs it on a fresh loop. The event that it is given is set by SIGINT or SIGTERM."""

    async def guarded() -> Result:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        own = asyncio.current_task()

        def asked() -> None:
            if stop.is_set() and own is not None:
                own.cancel()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked)
        try:
            return await command(stop)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    return asyncio.run(guarded())


async def until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Runs the work until it is done or stop is set; tells whether it was done."""
    async with asyncio.TaskGroup() as group:
        worker = group.create_task(work)
        waiter = group.create_task(stop.wait())
        await asyncio.wait({worker, waiter}, return_when=asyncio.FIRST_COMPLETED)
        done = worker.done()
        worker.cancel()
        waiter.cancel()
    return done


async def orphaned(stop: asyncio.Event) -> None:
    """Sets stop when the process that started this one is gone: a child must not feed on alone."""
    parent = os.getppid()
    while not stop.is_set():
        if os.getppid() != parent:
            stop.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PARENT_SECONDS)
