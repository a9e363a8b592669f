"""How long a condition has to hold: the path of one rule from normal to an episode and back.

A track is a JSON object that is replaced, never changed in place (checkpoints keep it). It is about levels
0 (normal), 1, 2, ... of one rule. A level is reached
- at once, by a spot reading of a level that need not be repeated;
- by the next reading at that level or above, where a repeat is needed; or when none came in time;
- by holding for the persistence over at least two readings, where readings come close together; or, for
  what needs no repeat, when no further reading came within the gap.
It eases only by ending: when a reading clears it (close readings: for the persistence over at least two).
A doubtful reading (the device said so) raises, but interrupts and clears nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from alerts import rules, timeline

_SECOND_US = 1_000_000
_GAP_US = rules.CONTINUOUS_SECONDS * _SECOND_US

#: at, value, quality bits, and for scores the inputs.
Sample = list[Any]
Track = dict[str, Any]

#: How a reading stands as proof: by itself; only with a repeat (extreme); never (the device doubts it).
PLAIN, EXTREME, POOR = 0, 1, 2


class Manner(NamedTuple):
    """How a rule takes its readings."""

    repeat: int  #: levels from 1 to this one need a repeat when not persistent
    repeat_us: int
    persistence_us: int
    sign: int  #: +1: greater is worse, -1: less is worse


class Seen(NamedTuple):
    """One reading as the rule judges it."""

    level: int
    clears: bool
    close: bool  #: comes in a close series: must persist
    proof: int
    sample: Sample


def step(track: Track | None, seen: Seen, manner: Manner) -> Track | None:
    """The track after one reading; None: nothing pending, nothing open.

    An opened or worsened track has "news": True, for the caller to add its evidence and take the mark away.
    An ended one has open["ended_at"], for the caller to take as an episode.
    """
    if seen.level == 0:
        return None if track is None else _normal(track, seen, manner)
    at = seen.sample[0]
    track = (
        dict(track)
        if track is not None
        else {"runs": [], "good": 0, "plain": 0, "first": seen.sample, "worst": seen.sample, "open": None}
    )
    if not track["runs"] and track["open"] is None:
        track.update(good=0, plain=0, first=seen.sample, worst=seen.sample)
    track["good"] += seen.proof != POOR
    track["plain"] += seen.proof == PLAIN
    track["abnormal"] = seen.sample
    track["clear"] = None
    track["runs"] = _runs(track["runs"], seen.level, at, seen.proof)
    if (seen.sample[1] - track["worst"][1]) * manner.sign > 0:
        track["worst"] = seen.sample
    reached = max((level for level in range(1, seen.level + 1) if _met(track, level, seen, manner)), default=0)
    unproved = track["plain"] == 0 and track["good"] < 2
    opened = track["open"]
    if reached > (opened["level"] if opened else 0):
        again = reached <= manner.repeat and track["runs"][reached - 1][1] >= 2
        how = "persisted" if seen.close else "repeated" if again else "at once"
        track = _reach(track, reached, at, seen.sample, unproved, how)
    elif opened is not None:
        track["open"] = {**opened, "provisional": opened["provisional"] and unproved}
    track["timer"] = _timer(track, seen.close, manner)
    return track


def expire(track: Track, at: int, manner: Manner) -> Track:
    """What happens when the track's timer comes: no further reading came, so the level that waits is taken as true."""
    track = dict(track)
    opened = track["open"]
    waiting = [
        level
        for level in range((opened["level"] if opened else 0) + 1, len(track["runs"]) + 1)
        if _waits_until(track, level, track["close"], manner) <= at
    ]
    unproved = track["plain"] == 0 and track["good"] < 2
    level = max(waiting)
    alone = track["close"] and level > manner.repeat
    track = _reach(track, level, at, track["abnormal"], unproved or alone, "not repeated")
    track["timer"] = _timer(track, track["close"], manner)
    return track


def end(track: Track, at: int, ending: str) -> Track:
    """Ends what is open."""
    return {**track, "open": {**track["open"], "ended_at": at, "ending": ending}}


def _normal(track: Track, seen: Seen, manner: Manner) -> Track | None:
    if seen.proof == POOR:
        return track
    opened = track["open"]
    if opened is None:
        return None
    track = {**track, "runs": [], "timer": None}
    at = seen.sample[0]
    fresh = at - track["abnormal"][0] <= manner.repeat_us
    if opened["provisional"] and fresh and not seen.close:
        # What nothing but one reading spoke for needs no margin to be contradicted.
        return end(track, at, "withdrawn")
    if not seen.clears:
        return {**track, "clear": None}
    since, count = track.get("clear") or (at, 0)
    track["clear"] = [since, count + 1]
    if seen.close and (at - since < manner.persistence_us or count + 1 < 2):
        return track
    return end(track, at, "withdrawn" if opened["provisional"] and fresh else "cleared")


def _runs(runs: list[list[int]], level: int, at: int, proof: int) -> list[list[int]]:
    """[since, readings] for each level from 1 up; a lower level interrupts the higher ones."""
    longer = [[since, count + 1] for since, count in runs[:level]]
    longer += [[at, 1] for _ in range(level - len(longer))]
    return longer + (runs[level:] if proof == POOR else [])


def _met(track: Track, level: int, seen: Seen, manner: Manner) -> bool:
    since, count = track["runs"][level - 1]
    if seen.close:
        return bool(count >= 2 and seen.sample[0] - since >= manner.persistence_us)
    # What is so unusual that it has to be measured again is told meanwhile, also where it is amber.
    unusual = seen.proof == EXTREME and seen.sample[2] & timeline.EXTREME
    return bool(level > manner.repeat or count >= 2 or unusual)


def _reach(track: Track, level: int, at: int, trigger: Sample, provisional: bool, how: str) -> Track:
    opened = track["open"] or {"started_at": at}
    return {
        **track,
        "news": True,
        "open": {**opened, "level": level, "level_at": at, "trigger": trigger, "how": how, "provisional": provisional},
    }


def _waits_until(track: Track, level: int, close: bool, manner: Manner) -> int:
    since: int = track["runs"][level - 1][0]
    return since + (_GAP_US if close and level > manner.repeat else manner.repeat_us)


def _timer(track: Track, close: bool, manner: Manner) -> int | None:
    track["close"] = close
    opened = track["open"]
    levels = range((opened["level"] if opened else 0) + 1, len(track["runs"]) + 1)
    return min((_waits_until(track, level, close, manner) for level in levels), default=None)
