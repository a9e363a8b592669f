"""Events of continuous glucose counted by the consensus, without the engine (Battelino 2019, Diabetes Care 42:1593).

One pass forwards over the readings; knows nothing of rules, residents, histories or tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: The edges of the consensus: name -> (below or above, mmol/L, mg/dL).
EDGES = {
    "low_1": ("below", 3.9, 70),
    "low_2": ("below", 3.0, 54),
    "high_1": ("above", 10.0, 180),
    "high_2": ("above", 13.9, 250),
}
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """Times of the readings that made it an event and that ended it; None: it never ended."""

    started_at: int
    ended_at: int | None


def out(side: str, mmol: float, mg: int, value: float, in_mg: bool) -> bool:
    """Whether a value is beyond an edge, in the unit that it was measured in."""
    edge = float(mg) if in_mg else mmol
    judged = value if in_mg else round(value, 1)
    return judged < edge if side == "below" else judged > edge


def events(
    at: Sequence[int], beyond: Sequence[bool], *, minutes: int, lasting: int, back: int = 15, gap: int = 30
) -> list[Event]:
    """at: microseconds, ascending; a reading stands for `minutes`; a silence of more than `gap` cuts a run.

    An event begins with the reading by which a run beyond has lasted `lasting` minutes, and ends with the reading by
    which a run inside has lasted `back` minutes. A silence neither begins nor ends one.
    """
    found: list[Event] = []
    begun: int | None = None
    run_start, previous, side = 0, None, False
    for moment, is_beyond in zip(at, beyond, strict=True):
        if previous is None or moment - previous > gap * _MINUTE_US or is_beyond != side:
            run_start, side = moment, is_beyond
        previous = moment
        lasted = moment - run_start + minutes * _MINUTE_US
        if begun is None and side and lasted >= lasting * _MINUTE_US:
            begun = moment
        elif begun is not None and not side and lasted >= back * _MINUTE_US:
            found.append(Event(begun, moment))
            begun = None
    if begun is not None:
        found.append(Event(begun, None))
    return found
