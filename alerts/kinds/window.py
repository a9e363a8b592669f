"""The newest readings of a code, by time."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Sequence

from alerts.kinds.base import Sample

HOUR_US = 3_600_000_000

#: The book keeps no more readings of a code than these.
MOST = 200

#: Inputs that an explanation can hold.
MOST_TOLD = 40

_AT = operator.itemgetter(0)
_VALUE = operator.itemgetter(1)


def since(samples: Sequence[Sample], start: int) -> Sequence[Sample]:
    """Those taken at `start` (microseconds) or later."""
    if not samples or samples[0].at >= start:
        return samples
    return samples[bisect.bisect_left(samples, start, key=_AT) :]


def crowded(samples: Sequence[Sample], chosen: Sequence[Sample]) -> bool:
    """Whether earlier readings of the window may have been dropped, because there were too many to keep."""
    return len(samples) >= MOST and len(chosen) == len(samples)


def least(samples: Sequence[Sample]) -> Sample:
    """The lowest; of equal ones the earliest."""
    return min(samples, key=_VALUE)


def greatest(samples: Sequence[Sample]) -> Sample:
    """The highest; of equal ones the earliest."""
    return max(samples, key=_VALUE)


def hours(count: float) -> str:
    """ "72 hours", "7 days" where that is a whole number of more than three days."""
    days, rest = divmod(count, 24)
    return f"{days:.0f} days" if rest == 0 and days > 3 else "1 hour" if count == 1 else f"{count:g} hours"
