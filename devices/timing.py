"""When a reading counts: taken_at where the device's clock can be believed, else an estimate, else never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

#: A clock that shows a time before this has not been set: devices start at 1970, 2000, 2010 or 2016.
CLOCK_SET_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
#: The flag by which a device says itself that its clock is not set.
CLOCK_NOT_SET: Final = "clock_not_set"
#: How far a clock may be ahead and still be believed.
TOLERANCE: Final = timedelta(seconds=60)


class Timing(NamedTuple):
    """effective_at: aware; None: unknown, the reading is held for a person and is no input to any rule.

    uncertain: the clock cannot be believed; effective_at, if any, is an estimate.
    """

    effective_at: datetime | None
    uncertain: bool


def effective(taken_at: datetime, sent_at: datetime | None, received_at: datetime, *, clock_set: bool = True) -> Timing:
    """The clinical time of a reading. All aware. clock_set False: the device itself says that its clock is not set.

    Without sent_at, taken_at is believed if the clock is set and it is at most 60 s ahead of received_at.
    """
    latest = received_at + TOLERANCE
    is_set = clock_set and taken_at >= CLOCK_SET_FROM and (sent_at is None or sent_at >= CLOCK_SET_FROM)
    if is_set and taken_at <= latest and (sent_at is None or (sent_at <= latest and taken_at <= sent_at + TOLERANCE)):
        return Timing(taken_at, False)
    if sent_at is not None and sent_at >= taken_at:
        return Timing(received_at - (sent_at - taken_at), True)
    return Timing(None, True)
