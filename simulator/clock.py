"""The simulator's only reader of the computer's clock. Times are aware and UTC, or integer milliseconds since 1970."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    """Real time, to the millisecond."""
    return from_ms(time.time_ns() // 1_000_000)


def monotonic() -> float:
    """Seconds that never step."""
    return time.monotonic()


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware time, rounded down."""
    return (at - EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def text(at: datetime) -> str:
    """As it goes on the wire: 2026-11-21T10:00:03.120Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parsed(text: str) -> datetime:
    """An ISO 8601 time with an offset. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("the time has no offset")
    return at
