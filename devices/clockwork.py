"""What is known of a device's clock, learnt from when its messages say they were sent and when they were received.

offset = sent_at - received_at = skew - delay, and no delay is negative. So every message proves that the skew is at
least its offset, at once; that it is less, which a delay would look like too, is believed only of messages that agree
for a minute, or of a clock that shows less than it did before by the device's own numbering.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from devices import timing
from devices.timing import Timing

Kind = Literal["unknown", "right", "fast", "slow", "unset"]

_MS: Final = timedelta(milliseconds=1)
_TOLERANCE_MS: Final = timing.TOLERANCE // _MS
#: A clock that was wrong is right again when it is this near.
_RIGHT_MS: Final = 30_000
#: Offsets that differ by no more agree.
_AGREE_MS: Final = 5_000
#: How many messages must agree, over what time, before a clock is believed to be behind (or less ahead).
_AGREEING: Final = 3
_AGREE_FOR: Final = timedelta(seconds=60)
#: Of messages that come together one counts: a queue that is drained brings many of any offset at once.
_APART: Final = timedelta(seconds=10)
#: After this long without one that agrees, later ones count anew.
_RUN_LASTS: Final = timedelta(minutes=10)
#: A clock that is ahead by more and then right was corrected: no delay is that exact.
_CORRECTED_MS: Final = 600_000
#: A clock that is ahead and further ahead by no more drifts: it is the same error. By more it was set wrong anew.
_DRIFTS_MS: Final = 600_000
#: A clock by which a message was sent so long before an earlier one's readings were taken was put back.
_PUT_BACK: Final = timedelta(minutes=2)
#: Readings at most so old come by the live lane, and are rather taken by the clock that sent them.
_FRESH: Final = timedelta(minutes=15)
#: How old the note of a right clock may get.
_NOTE: Final = timedelta(minutes=5)


class Run(NamedTuple):
    """Messages whose offsets (ms) agree; late: how many in between were later. Times of receiving."""

    low: int
    high: int
    first_at: datetime
    last_at: datetime
    messages: int
    late: int = 0


class Clock(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one device's clock. Times are of the service, unless said.

    skew_ms: device minus true. since: received_at of the first message that showed it. seen: messages that agreed, as
    far as it matters. step_ms: by how much it changed then; None if it was not known before. right_at: when it was
    right last. taken_at (of the device's clock), stream, seq: of a recent message.
    """

    kind: Kind = "unknown"
    skew_ms: int = 0
    since: datetime | None = None
    seen: int = 0
    step_ms: int | None = None
    right_at: datetime | None = None
    noted_at: datetime | None = None
    taken_at: datetime | None = None
    stream: str | None = None
    seq: int | None = None
    run: Run | None = None

    @property
    def wrong(self) -> bool:
        return self.kind in ("fast", "slow", "unset")

    @property
    def sure(self) -> bool:
        """More than one message said so."""
        return self.seen >= 2


UNKNOWN: Final = Clock()


class Sent(NamedTuple):
    """One message: when it says it was sent, when it was received (both aware), its place in its stream, and when its
    newest reading was taken, as it says.
    """

    sent_at: datetime
    received_at: datetime
    stream: str | None = None
    seq: int | None = None
    taken_at: datetime | None = None

    @property
    def offset_ms(self) -> int:
        return (self.sent_at - self.received_at) // _MS


def unremarkable(known: Clock, sent_at: datetime, received_at: datetime) -> bool:
    """Whether a message of a clock that is known to be right says so again: observe() would find nothing new."""
    if known.kind != "right" or known.run is not None or known.right_at is None:
        return False
    return abs(sent_at - received_at) <= timing.TOLERANCE and received_at - known.right_at < _NOTE


def observe(known: Clock, sent: Sent, *, prompt: bool = True) -> Clock:
    """What is known after one more message; the same object when nothing changed that matters.

    prompt False: it may have waited (a backlog, a queue, a stepped clock), so that it proves nothing but that the clock
    is not further behind.
    """
    offset = sent.offset_ms
    if not timing.is_set(sent.sent_at, sent.received_at):
        if known.kind == "unset":
            return known if known.sure else msgspec.structs.replace(known, seen=known.seen + 1)
        return _become(known, "unset", offset, sent)
    if known.kind == "unset" or (known.kind == "unknown" and known.since is None):
        if offset >= -_TOLERANCE_MS:
            return _become(known, _kind(offset), offset, sent)
        known = known if known.kind == "unknown" else Clock(noted_at=sent.received_at)
        return _behind(known, offset, sent) if prompt else known
    if known.kind == "right" and abs(offset) <= _TOLERANCE_MS:
        return _noted(known, offset, sent)
    if offset > known.skew_ms:
        return _ahead(known, offset, sent)
    if known.kind == "fast" and known.skew_ms > _CORRECTED_MS and abs(offset) <= _RIGHT_MS:
        return _become(known, "right", offset, sent)
    agrees = offset > _TOLERANCE_MS if known.kind == "fast" else offset >= known.skew_ms - _AGREE_MS
    if agrees and not known.sure:
        known = msgspec.structs.replace(known, seen=known.seen + 1)
    if offset >= known.skew_ms - _AGREE_MS:
        return known if known.run is None else msgspec.structs.replace(known, run=None)
    return _behind(known, offset, sent) if prompt else known


def _kind(skew_ms: int) -> Kind:
    if abs(skew_ms) <= _TOLERANCE_MS:
        return "right"
    return "fast" if skew_ms > 0 else "slow"


def _become(
    known: Clock, kind: Kind, skew_ms: int, sent: Sent, *, since: datetime | None = None, seen: int = 1
) -> Clock:
    was_known = known.kind in ("right", "fast", "slow") and kind != "unset"
    return Clock(
        kind=kind,
        skew_ms=skew_ms,
        since=since or sent.received_at,
        seen=seen,
        step_ms=skew_ms - known.skew_ms if was_known else None,
        right_at=sent.received_at if kind == "right" else known.right_at,
        noted_at=sent.received_at,
        taken_at=_taken(sent),
        stream=sent.stream,
        seq=sent.seq,
    )


def _taken(sent: Sent) -> datetime | None:
    """No later than it was sent: what is behind a gateway may have a clock of its own."""
    return None if sent.taken_at is None else min(sent.taken_at, sent.sent_at)


def _noted(known: Clock, offset: int, sent: Sent) -> Clock:
    """Of a right clock only now and then: every message would be a write."""
    fresh = known.right_at is not None and sent.received_at - known.right_at < _NOTE
    if fresh and known.run is None:
        return known
    return msgspec.structs.replace(
        known,
        skew_ms=offset,
        right_at=sent.received_at,
        noted_at=sent.received_at,
        taken_at=_taken(sent),
        stream=sent.stream,
        seq=sent.seq,
        run=None,
    )


def _ahead(known: Clock, offset: int, sent: Sent) -> Clock:
    """The skew is at least this, whatever was thought."""
    if known.kind == "right":
        return _become(known, "fast", offset, sent)
    if offset > _TOLERANCE_MS and known.kind != "fast":
        return _become(known, "fast", offset, sent)
    if known.kind == "slow" and offset >= -_RIGHT_MS:
        return _become(known, "right", offset, sent)
    if offset - known.skew_ms > (_DRIFTS_MS if known.kind == "fast" else _TOLERANCE_MS):
        return _become(known, known.kind, offset, sent)
    if offset - known.skew_ms > _AGREE_MS or known.run is not None or not known.sure:
        seen = min(known.seen + 1, 2)
        return msgspec.structs.replace(known, skew_ms=offset, seen=seen, run=None)
    return known


def _behind(known: Clock, offset: int, sent: Sent) -> Clock:
    """Late, or sent by a clock that is further behind."""
    if _put_back(known, sent):
        return _become(known, _kind(offset), offset, sent)
    run = known.run
    if run is None or offset > run.low + _AGREE_MS:
        run = Run(offset, offset, sent.received_at, sent.received_at, 1)
    elif offset >= run.high - _AGREE_MS:
        if sent.received_at - run.last_at < _APART:
            return known
        run = Run(
            min(run.low, offset), max(run.high, offset), run.first_at, sent.received_at, run.messages + 1, run.late
        )
    elif sent.received_at - run.last_at >= _RUN_LASTS:
        run = Run(offset, offset, sent.received_at, sent.received_at, 1)
    else:
        run = run._replace(late=run.late + 1)
    if run.messages < max(_AGREEING, run.late) or run.last_at - run.first_at < _AGREE_FOR:
        return msgspec.structs.replace(known, run=run)
    kind = _kind(run.high)
    if kind == "right" and abs(run.high) > _RIGHT_MS and known.kind == "fast":
        kind = "fast"  # on the edge it would change all the time
    return _become(known, kind, run.high, sent, since=run.first_at, seen=run.messages)


def _put_back(known: Clock, sent: Sent) -> bool:
    """A message that was sent before an earlier one of its stream was measured, by the device's own clock.

    However late its copies are and in whatever order they come, a message is made after those before it in its stream,
    these after their readings were taken, and sent after it was made.
    """
    return (
        known.taken_at is not None
        and known.seq is not None
        and sent.seq is not None
        and known.stream == sent.stream
        and sent.seq > known.seq
        and known.taken_at - sent.sent_at >= _PUT_BACK
    )


# What a reading's time is worth ----------------------------------------------------------------------


def effective(
    known: Clock, taken_at: datetime, sent_at: datetime | None, received_at: datetime, *, clock_set: bool = True
) -> Timing:
    """timing.effective by a clock of which something is known. All aware.

    A clock that is known to be behind counts as not set, except for what it took while it was still right. What waited
    longer than its skew explains, and what says no sent_at, is corrected by the skew.
    """
    plain = timing.effective(taken_at, sent_at, received_at, clock_set=clock_set)
    if not known.wrong or (sent_at is not None and plain.uncertain):
        return plain
    if sent_at is None:
        return _corrected(known, taken_at, received_at) or plain
    offset = (sent_at - received_at) // _MS
    if known.kind == "fast":
        waited = offset < -_TOLERANCE_MS and timing.is_set(sent_at, received_at)
        return (_corrected(known, taken_at, received_at) if waited else None) or plain
    if known.kind != "slow" or offset > min(known.skew_ms + _TOLERANCE_MS, -_RIGHT_MS):
        return plain
    if known.right_at is not None and taken_at < known.right_at + known.skew_ms * _MS - _FRESH:
        return plain
    if offset < known.skew_ms - _TOLERANCE_MS:
        return _corrected(known, taken_at, received_at) or plain
    return Timing(received_at - (sent_at - taken_at), True)


def _corrected(known: Clock, taken_at: datetime, received_at: datetime) -> Timing | None:
    at = taken_at - known.skew_ms * _MS
    return Timing(at, True) if at <= received_at + timing.TOLERANCE else None


# In words --------------------------------------------------------------------------------------------

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_QUARTER: Final = 15 * _MINUTE
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def amount(skew_ms: int) -> str:
    """ "about 2 h", "about 1 h 30 min", "12 min", "75 s", "about 400 days": how wrong."""
    size = abs(skew_ms)
    if size >= 2 * _DAY:
        return f"about {round(size / _DAY)} days"
    nearest = round(size / _QUARTER) * _QUARTER
    if nearest and abs(size - nearest) <= _TOLERANCE_MS:
        hours, minutes = divmod(nearest // _MINUTE, 60)
        return "about " + " ".join([f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0))
    if size >= 2 * _MINUTE:
        hours, minutes = divmod(round(size / _MINUTE), 60)
        return " ".join([f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0))
    return f"{round(size / 1000)} s"


def cause(skew_ms: int) -> str | None:
    """What a clock that is wrong by this much probably suffers from; None: no idea."""
    size = abs(skew_ms)
    if abs(size - _HOUR) <= _TOLERANCE_MS:
        return "probably daylight saving"
    nearest = round(size / _QUARTER) * _QUARTER
    if 0 < nearest <= 14 * _HOUR and abs(size - nearest) <= _TOLERANCE_MS:
        return "probably set to another time zone"
    return None


def wrongness(kind: Kind, skew_ms: int) -> str:
    """ "about 2 h fast", "not set"."""
    return "not set" if kind == "unset" else f"{amount(skew_ms)} {kind}"


def sentence(kind: Kind, skew_ms: int, since: datetime, zone: ZoneInfo) -> str:
    """ "about 1 h slow since 29 Mar 02:00 BST: probably daylight saving"."""
    local = since.astimezone(zone)
    told = f"{wrongness(kind, skew_ms)} since {local.day} {_MONTHS[local.month - 1]} {local:%H:%M} {local.tzname()}"
    why = cause(skew_ms) if kind != "unset" else None
    return f"{told}: {why}" if why else told


def estimated(sent_at: datetime | None, received_at: datetime) -> str:
    """Why the time of one reading is an estimate: "the device's clock was about 2 h fast"."""
    if sent_at is None:
        return "the device's clock was wrong"
    if not timing.is_set(sent_at, received_at):
        return "the device's clock was not set"
    offset = (sent_at - received_at) // _MS
    if abs(offset) <= _TOLERANCE_MS:
        return "the device's times contradict each other"
    return f"the device's clock was {wrongness(_kind(offset), offset)}"
