"""What really happened, from a CSV file: person, onset, kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts import backtest
from alerts.onsets import Onset
from telehealth import errors
from telehealth.backtest import lines
from telehealth.backtest.lines import Bad, Refused

COLUMNS = ("person", "onset", "kind?")

_OPTION = "--truth"
_MOST = 1_000_000
_KIND = re.compile(r"[a-z0-9_-]{1,40}")


@dataclass
class Loaded:
    """Onsets, and what became of the lines of their file."""

    onsets: tuple[Onset, ...]
    count: int  #: lines, without the header
    strangers: int  #: of people without a reading: nothing could have found these
    repeated: int  #: the same person, moment and kind once more
    refused: Refused


def load(path: Path, history: backtest.History, zone: ZoneInfo | None) -> Loaded:
    """Reads a whole file. zone: of times without an offset; a date is its beginning there. Invalid if unusable."""
    places = {name: place for place, name in enumerate(history.people)}
    refused, found = Refused(), set()
    count = strangers = known = 0
    with lines.opened(path, _OPTION) as (file, _):
        for number, (name, onset, kind) in lines.rows(file, _OPTION, COLUMNS, refused):
            count += 1
            if count > _MOST:
                raise errors.Invalid(_OPTION, f"has more than {_MOST} lines")
            try:
                who, at = lines.person(name), lines.micros("onset", onset, zone, dates=True)
                what = _kind(kind)
            except Bad as problem:
                refused.add(number, problem.reason, problem.problem)
                continue
            place = places.get(who)
            if place is None:
                strangers += 1
                continue
            known += 1
            found.add(Onset(place, at, what))
    # A header alone says that nothing happened; lines of which none is understood say nothing.
    if refused.lines and not known and not strangers:
        first = refused.lines[0]
        raise errors.Invalid(_OPTION, f"has no line that can be used: line {first['line']}: {first['problem']}")
    ordered = sorted(found, key=lambda onset: (onset.person, onset.at, onset.kind))
    return Loaded(tuple(ordered), count, strangers, known - len(found), refused)


def _kind(text: str) -> str:
    kind = "_".join(text.strip().lower().split()) or "any"
    if not _KIND.fullmatch(kind):
        raise Bad("kind", "kind: must be at most 40 letters, digits, _ or -")
    return kind
