"""A replay on all cores: people do not depend on each other."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
from collections.abc import Callable

from alerts import backtest, rules
from alerts.backtest import History, Manner, Replay

#: Under this many readings the processes would take longer to start than to work.
_WORTH_IT = 40_000
_MOST_WORKERS = 16


def cores() -> int:
    """What this process may use."""
    return min(_MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def replay(
    history: History, rule_set: rules.RuleSet, manner: Manner, progress: Callable[[int], None], workers: int
) -> Replay:
    """As alerts.backtest.replay, with so many processes where that is faster; the result is the same."""
    if workers < 2 or len(history.readings) < _WORTH_IT or len(history.people) < 2:
        return backtest.replay(history, rule_set, manner, progress)
    parts = backtest.parts(history)
    work = functools.partial(_replayed, rule_set.to_json(), manner)
    found: list[Replay] = []
    done = 0
    # Fresh processes and not copies of this one, which may have threads that draw a progress bar. They are ended when
    # the block is left, also in the middle of their work.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(parts)), _leave_interrupts) as pool:
        for part, one in zip(parts, pool.imap(work, parts), strict=True):
            found.append(one)
            done += len(part.readings)
            progress(done)
    return backtest.together(rule_set, found)


def _replayed(document: dict[str, object], manner: Manner, part: History) -> Replay:
    return backtest.replay(part, rules.RuleSet.from_json(document), manner)


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that waits: it ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
