"""When a reading counts: taken_at where the device's clock can be believed, else an estimate, else never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

#: A clock that shows a time before this has not been set: devices start at 1970, 2000, 2010 or 2016.
CLOCK_SET_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
#: A message that says it was sent longer ago than this was sent by a clock that is not set: devices send anew.
CLOCK_SET_WITHIN: Final = timedelta(days=366)
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


def is_set(sent_at: datetime, received_at: datetime) -> bool:
    """Whether the clock that sent a message shows a time of these days at all."""
    return sent_at >= CLOCK_SET_FROM and received_at - sent_at <= CLOCK_SET_WITHIN


def effective(taken_at: datetime, sent_at: datetime | None, received_at: datetime, *, clock_set: bool = True) -> Timing:
    """The clinical time of a reading. All aware. clock_set False: the device itself says that its clock is not set.

    Without sent_at, taken_at is believed if the clock is set and it is at most 60 s ahead of received_at.
    """
    latest = received_at + TOLERANCE
    usable = clock_set and taken_at >= CLOCK_SET_FROM and (sent_at is None or is_set(sent_at, received_at))
    if usable and taken_at <= latest and (sent_at is None or (sent_at <= latest and taken_at <= sent_at + TOLERANCE)):
        return Timing(taken_at, False)
    if sent_at is not None and sent_at >= taken_at:
        return Timing(received_at - (sent_at - taken_at), True)
    return Timing(None, True)


def localised(local: datetime, zone: ZoneInfo, not_after: datetime) -> tuple[datetime, bool]:
    """The moment (aware, UTC) of a clock's naive local time in a zone, and whether there is no doubt about it.

    local: of the years 2 to 9998. not_after: when it was sent or received at the latest, aware. An hour that the
    zone has twice: the later of the two that is at most 60 s after not_after; in doubt unless only one is. An hour
    that it skips was shown by a clock that had not been put forward yet: meant as before the change, in doubt.
    """
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first == second:
        return first, True
    if first > second:
        # Skipped: fold 0 counts with the offset before the change, which gives the later moment.
        return first, False
    if second > not_after + TOLERANCE:
        return first, first <= not_after + TOLERANCE
    return second, False
