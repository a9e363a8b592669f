"""The only reader of the computer's clock.

Clinical time comes from a ClinicalClock, which is passed to whatever decides. Sessions, tokens and
queue ages use real_now(); waiting and deadlines use monotonic().
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Step:
    """A virtual moment, as in the clock row. Both aware, UTC."""

    at: datetime
    #: Time-driven rules may fire up to here: behind "at" while the readings of a step still arrive.
    fired_to: datetime


class ClinicalClock:
    """Clinical now: the computer's time, or in demo and tests the virtual time of the clock row.

    A virtual clock never moves by itself: store.clock moves the row, and every process follows it.
    """

    def __init__(self, step: Step | None = None) -> None:
        self.step = step

    @property
    def virtual(self) -> bool:
        return self.step is not None

    def now(self) -> datetime:
        """Clinical now, aware, UTC."""
        return self.step.at if self.step is not None else real_now()

    def horizon(self) -> datetime:
        """Up to when time-driven rules may fire."""
        return self.step.fired_to if self.step is not None else real_now()


def real_now() -> datetime:
    """Real time, aware and in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never step; only differences mean anything."""
    return time.monotonic()
