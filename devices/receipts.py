"""Settled sequence numbers of a stream, and the receipts that tell a device of them.

Ranges are (low, high) with high excluded, as int8multirange holds them; in a receipt both ends are
included. A receipt is positive only: leaving a range out is always safe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

#: Ranges above "through" in one receipt.
ALSO_LIMIT: Final = 32

#: Ascending, disjoint, not touching, none empty.
Ranges = tuple[tuple[int, int], ...]


class Settlement(NamedTuple):
    """settled: all that is settled now. lost: what became settled because the device gave it up."""

    settled: Ranges
    lost: Ranges


class Refused(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Something refused for good, of message seq (or id). No index: the whole message, or a field of its envelope."""

    error: str
    detail: str
    seq: int | None = None
    id: str | None = None
    index: int | None = None
    field: str | None = None


class Seen(msgspec.Struct, frozen=True, gc=False):
    """Staff have looked at the readings of this set."""

    set: str
    at: datetime


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """One receipt. through: all up to it is settled; also: settled ranges above it, both ends included."""

    stream: str | None
    through: int
    also: Ranges
    refused: tuple[Refused, ...]
    ids: tuple[str, ...]
    seen: tuple[Seen, ...]
    at: datetime

    def encode(self) -> bytes:
        """The JSON of the contract."""
        return _encoder.encode(self)


_encoder: Final = msgspec.json.Encoder()


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges in any order, overlapping or empty, as Ranges."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if joined and low <= joined[-1][1]:
            if high > joined[-1][1]:
                joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return tuple(joined)


def settle(settled: Iterable[tuple[int, int]], seqs: Iterable[int], oldest: int | None = None) -> Settlement:
    """Add sequence numbers that were taken in or refused, and all below oldest, the lowest the device still holds."""
    taken = union([*settled, *((seq, seq + 1) for seq in seqs)])
    if oldest is None or oldest <= 1:
        return Settlement(taken, ())
    return Settlement(union([*taken, (1, oldest)]), _gaps(taken, oldest))


def through(settled: Ranges) -> int:
    """The highest number such that it and all from 1 are settled; 0 when 1 is not."""
    return settled[0][1] - 1 if settled and settled[0][0] <= 1 else 0


def also(settled: Ranges, answered: Collection[int] = ()) -> Ranges:
    """Settled ranges above through, both ends included, at most 32: those that hold answered first, then the lowest."""
    above = settled[1:] if through(settled) else settled
    if len(above) > ALSO_LIMIT:
        asked = [pair for pair in above if any(pair[0] <= seq < pair[1] for seq in answered)]
        chosen = asked[:ALSO_LIMIT]
        chosen += [pair for pair in above if pair not in chosen][: ALSO_LIMIT - len(chosen)]
        above = tuple(sorted(chosen))
    return tuple((low, high - 1) for low, high in above)


def receipt(
    stream: str | None,
    settled: Ranges,
    at: datetime,
    *,
    answered: Collection[int] = (),
    refused: Sequence[Refused] = (),
    ids: Sequence[str] = (),
    seen: Sequence[Seen] = (),
) -> Receipt:
    """What to tell a device now. answered: the numbers of the messages that this receipt answers; at: aware."""
    return Receipt(
        stream,
        through(settled),
        also(settled, answered),
        tuple(refused),
        tuple(ids),
        tuple(seen),
        at.astimezone(UTC),
    )


def _gaps(taken: Ranges, end: int) -> Ranges:
    """What of [1, end) is not in taken."""
    gaps: list[tuple[int, int]] = []
    low = 1
    for start, stop in taken:
        if start >= end:
            break
        if start > low:
            gaps.append((low, start))
        low = max(low, stop)
    if low < end:
        gaps.append((low, end))
    return tuple(gaps)
