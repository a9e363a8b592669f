"""The fold of much work, beside everything else that the process does.

Many residents are folded some at a time, in the loop: a thread beside ingest would cost both more than taking turns.
One resident's history of weeks or years goes into a thread all the same, so that nobody's live work waits for it.

The database ends transactions of processes that stand still (Database.open, stall_seconds), which is what keeps one
that wakes up late from writing anything. Meanwhile, the transaction shows that its process is alive.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from alerts import engine
from telehealth import clock
from telehealth.store import loading
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Readings of several residents that are folded without letting others have their turn: some hundredths of a second.
_TURN: Final = 10_000
#: Readings of one resident that are folded in the loop.
_LITTLE: Final = 40_000
#: Less than half of the least stall_seconds that may be set.
_BEAT_SECONDS: Final = 0.5
#: A fold of one resident's million readings takes a fraction of it.
_LONGEST_SECONDS: Final = 300.0


class Endless(RuntimeError):
    """A fold that does not end: its residents' work is put off, and staff are told."""


async def fold(connection: Connection, load: loading.Load, horizon_us: int) -> list[engine.Result]:
    """As engine.fold, within a transaction."""
    results: list[engine.Result] = []
    shown = clock.monotonic()
    for part in load.parts(_TURN):
        if len(part) > _LITTLE:
            results += await _apart(connection, part, horizon_us)
        else:
            results += engine.fold(part.subjects, part.timeline(), horizon_us)
            await asyncio.sleep(0)
        if clock.monotonic() - shown > _BEAT_SECONDS:
            await connection.fetchval(sql("evaluation.still_here"))
            shown = clock.monotonic()
    return results


async def _apart(connection: Connection, load: loading.Load, horizon_us: int) -> list[engine.Result]:
    work = _in_thread(load, horizon_us)
    for _ in range(int(_LONGEST_SECONDS / _BEAT_SECONDS)):
        done, _waiting = await asyncio.wait([work], timeout=_BEAT_SECONDS)
        if done:
            return work.result()
        await connection.fetchval(sql("evaluation.still_here"))
    raise Endless("a fold does not end")


def _in_thread(load: loading.Load, horizon_us: int) -> asyncio.Future[list[engine.Result]]:
    """A thread of its own, which does not hold up the end of the process, as those of a pool would."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[engine.Result]] = loop.create_future()

    def settle(results: list[engine.Result] | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(results or [])

    def work() -> None:
        results, error = None, None
        try:
            results = engine.fold(load.subjects, load.timeline(), horizon_us)
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, results, error)
        except RuntimeError:
            return  # the loop is closed: nobody waits for it

    threading.Thread(target=work, name="fold", daemon=True).start()
    return done
