"""The fold of much work, beside the transaction that waits for it.

The database ends transactions of processes that stand still (Database.open, stall_seconds), which is what keeps one
that wakes up late from writing anything. A fold of many readings may take longer than that: it runs in a thread, while
the transaction shows that its process is alive. Everything else of the process goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from alerts import engine
from telehealth.store import evaluation
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Readings that are folded at once, in about a second: a thread beside ingest costs both more than waiting does.
_LITTLE: Final = 40_000
#: Less than half of the least stall_seconds that may be set.
_BEAT_SECONDS: Final = 0.5
#: A fold of one resident's million readings takes a fraction of it.
_LONGEST_SECONDS: Final = 300.0


class Endless(RuntimeError):
    """A fold that does not end: its residents' work is put off, and staff are told."""


async def fold(connection: Connection, load: evaluation.Load, horizon_us: int) -> list[engine.Result]:
    """As engine.fold, within a transaction."""
    if len(load.rows) <= _LITTLE:
        return engine.fold(load.subjects, load.timeline(), horizon_us)
    work = _in_thread(load, horizon_us)
    for _ in range(int(_LONGEST_SECONDS / _BEAT_SECONDS)):
        done, _waiting = await asyncio.wait([work], timeout=_BEAT_SECONDS)
        if done:
            return work.result()
        await connection.fetchval(sql("evaluation.still_here"))
    raise Endless("a fold does not end")


def _in_thread(load: evaluation.Load, horizon_us: int) -> asyncio.Future[list[engine.Result]]:
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
