"""The baseline: NEWS2 by the table, every value carried forward for eight hours, five or more is an episode."""

from __future__ import annotations

import math
from collections.abc import Sequence

from telehealth.study.hospital_stays import Stay

CARRIED_HOURS = 8

#: code -> (greatest value of a band, points), ascending (RCP 2017, scale 1).
_BANDS: dict[str, tuple[tuple[float, int], ...]] = {
    "resp_rate": ((8, 3), (11, 1), (20, 0), (24, 2), (math.inf, 3)),
    "spo2": ((91, 3), (93, 2), (95, 1), (math.inf, 0)),
    "on_oxygen": ((0, 0), (math.inf, 2)),
    "systolic": ((90, 3), (100, 2), (110, 1), (219, 0), (math.inf, 3)),
    "pulse": ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (math.inf, 3)),
    "temperature": ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (math.inf, 2)),
}


def scores(stay: Stay) -> list[int]:
    """By hour from the first on; what is not known scores nothing (consciousness is not charted)."""
    totals = [0] * (stay.last - stay.first + 1)
    for code, bands in _BANDS.items():
        seen: int | None = None
        points = 0
        for place in range(len(totals)):
            value = stay.values[code].get(stay.first + place)
            if value is not None:
                scale = 10 if code == "temperature" else 1
                rounded = math.floor(value * scale + 0.5 + 1e-9) / scale
                points = next(score for most, score in bands if rounded <= most)
                seen = place
            if seen is not None and place - seen <= CARRIED_HOURS:
                totals[place] += points
    return totals


def episodes(totals: Sequence[int], limit: int, join_hours: int) -> list[int]:
    """Places at which the score reaches the limit; not within so many hours of the end of the episode before."""
    found = []
    ended: int | None = None
    out = False
    for place, total in enumerate(totals):
        if total >= limit and not out:
            out = True
            if ended is None or place - ended > join_hours:
                found.append(place)
        elif total < limit and out:
            out, ended = False, place
    return found
