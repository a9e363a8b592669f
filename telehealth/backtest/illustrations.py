"""One picture of each kind of rule firing and one of it not firing, drawn from what the engine itself says."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts import codes, engine, rules, schedule, timeline
from alerts.episodes import Episode
from telehealth.backtest import pictures

_START_US = 1_772_409_600_000_000  # 2 March 2026, 00:00 UTC
_HOUR_US = 3_600_000_000
_KINDS_WITHOUT_LEVELS = {"missing": "amber", "low-medium": "amber", "medium": "amber", "high": "red"}

_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C"}

#: (hours since the start, code, value)
Points = list[tuple[float, str, float]]


@dataclass(frozen=True, slots=True)
class Illustration:
    """fires, quiet: what happens, in words, and the readings. limits: lines across, by code."""

    rules: Sequence[dict[str, Any]]
    fires: tuple[str, Points]
    quiet: tuple[str, Points]
    limits: dict[str, list[tuple[str, float]]]
    expected: dict[str, Any]


def draw() -> dict[str, str]:
    """SVG by file name."""
    found = {}
    for name, illustration in ILLUSTRATIONS.items():
        found[f"{name}-fires.svg"] = _draw(name, illustration, *illustration.fires, fires=True)
        found[f"{name}-quiet.svg"] = _draw(name, illustration, *illustration.quiet, fires=False)
    return found


def write(folder: Path) -> None:
    """Draws all of them anew: `python -m telehealth.backtest.illustrations docs/clinical/rules`."""
    for name, svg in draw().items():
        (folder / name).write_text(svg, encoding="utf-8")


def _draw(name: str, illustration: Illustration, text: str, points: Points, *, fires: bool) -> str:
    episodes = _episodes(illustration, points)
    end = max(hours for hours, _, _ in points)
    lanes = [
        pictures.Lane(
            f"{codes.BY_KEY[code].name}, {_UNITS.get(codes.BY_KEY[code].unit, codes.BY_KEY[code].unit) or 'score'}",
            [(hours, value) for hours, own, value in points if own == code],
            illustration.limits.get(code, ()),
        )
        for code in dict.fromkeys(code for _, code, _ in points)
    ]
    shades = [_shade(episode, end) for episode in episodes]
    told = episodes[-1].reason + "." if episodes else "No alert."
    title = f"{name.replace('_', ' ')}: {'an alert' if fires else 'no alert'}"
    svg = pictures.story(lanes, shades, title, f"{text} {told}", f"{text} {told}")
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="Arial, sans-serif" ', 1) + "\n"


def _shade(episode: Episode, end: float) -> pictures.Shade:
    start = (episode.started_at - _START_US) / _HOUR_US
    stop = end if episode.ended_at is None else (episode.ended_at - _START_US) / _HOUR_US
    return pictures.Shade(start, max(stop, start), _KINDS_WITHOUT_LEVELS.get(episode.level, episode.level))


def _episodes(illustration: Illustration, points: Points) -> tuple[Episode, ...]:
    wanted = rules.RuleSet.from_json({"pathway": "example", "version": "1", "rules": illustration.rules})
    expected = schedule.parse(illustration.expected, "Europe/London")
    readings = timeline.from_readings(
        timeline.Reading(1, _START_US + round(hours * _HOUR_US), code, value, identity=n)
        for n, (hours, code, value) in enumerate(points)
    )
    subject = engine.Subject(1, [(_START_US, wanted)], [engine.Spell(_START_US, None, expected)], [], "Europe/London")
    end = _START_US + round(max(hours for hours, _, _ in points) * _HOUR_US)
    (result,) = engine.fold([subject], readings, end)
    return result.episodes


# The examples -------------------------------------------------------------------------------------


def _daily(code: str, days: int, value: Callable[[int], float], hour: float = 8.0) -> Points:
    return [(24 * day + hour, code, round(value(day), 2)) for day in range(days)]


def _wave(day: float, size: float) -> float:
    """Day-to-day variation that looks like life and is the same on every machine."""
    return size * (math.sin(day * 2.4) + 0.6 * math.sin(day * 1.1 + 1))


def _sensor(value: Callable[[float], float], hours: float = 12) -> Points:
    return [(n / 12, "glucose", round(value(n / 12), 1)) for n in range(round(hours * 12))]


ILLUSTRATIONS: dict[str, Illustration] = {
    "threshold": Illustration(
        [{"kind": "threshold", "code": "spo2", "red_low": 88, "amber_low": 92, "hysteresis": 1}],
        (
            "SpO2 falls below the red limit: an alert at once, until it is back above the limit and the hysteresis.",
            [(8.0 * n, "spo2", v) for n, v in enumerate([95, 94, 95, 93, 94, 87, 88, 91, 93, 94, 95])],
        ),
        (
            "A single amber value that the next measurement does not repeat is no alert.",
            [(8.0 * n, "spo2", v) for n, v in enumerate([95.0, 94, 95, 93, 94])]
            + [(40.0, "spo2", 91), (40.2, "spo2", 94), (48.0, "spo2", 95), (56.0, "spo2", 94)],
        ),
        {"spo2": [("red", 88), ("amber", 92)]},
        {},
    ),
    "news2": Illustration(
        [{"kind": "news2", "scale": 1}],
        (
            "Several values a little out of range add up to 5 or more.",
            [
                p
                for n, (rr, s, t, b, p_) in enumerate(
                    [(16, 96, 36.8, 125, 78), (18, 95, 37.4, 118, 88), (22, 93, 38.4, 108, 112)]
                )
                for p in [
                    (12.0 * n + 8, "resp_rate", rr),
                    (12.0 * n + 8, "spo2", s),
                    (12.0 * n + 8, "temperature", t),
                    (12.0 * n + 8, "systolic", b),
                    (12.0 * n + 8, "pulse", p_),
                ]
            ],
        ),
        (
            "One value that scores 2 and all others normal is no alert.",
            [
                p
                for n, (rr, s, t, b, p_) in enumerate(
                    [(16, 96, 36.8, 125, 78), (18, 96, 37.4, 118, 88), (22, 96, 37.2, 122, 84)]
                )
                for p in [
                    (12.0 * n + 8, "resp_rate", rr),
                    (12.0 * n + 8, "spo2", s),
                    (12.0 * n + 8, "temperature", t),
                    (12.0 * n + 8, "systolic", b),
                    (12.0 * n + 8, "pulse", p_),
                ]
            ],
        ),
        {},
        {},
    ),
    "silence": Illustration(
        [{"kind": "silence", "code": "weight", "grace_seconds": 7200}],
        (
            "Weight is due every morning at 08:00; on day 3 it does not come by 10:00, until the next day it does.",
            [p for p in _daily("weight", 7, lambda day: 78 + _wave(day, 0.2)) if not 72 <= p[0] < 96],
        ),
        (
            "A reading that comes an hour late, but within the grace, is no alert.",
            [
                (h + (1 if 72 <= h < 96 else 0), c, v)
                for h, c, v in _daily("weight", 7, lambda day: 78 + _wave(day, 0.2))
            ],
        ),
        {},
        {"weight": {"times": ["08:00"]}},
    ),
    "change": Illustration(
        [{"kind": "change", "code": "weight", "direction": "rise", "window_hours": 73, "confirm": 2, "amber": 2.0}],
        (
            "Weight goes up by more than 2 kg within three days, in two readings.",
            _daily("weight", 12, lambda day: 78 + _wave(day, 0.2) + max(0, day - 7) * 1.2),
        ),
        (
            "One high reading that the next does not confirm.",
            _daily("weight", 12, lambda day: 78 + _wave(day, 0.2) + (2.6 if day == 8 else 0)),
        ),
        {},
        {},
    ),
    "distance": Illustration(
        [{"kind": "distance", "code": "weight", "direction": "above", "reference": 78, "confirm": 2, "amber": 2.0}],
        (
            "Weight creeps more than 2 kg above the dry weight of 78 kg.",
            _daily("weight", 21, lambda day: 78 + _wave(day, 0.2) + max(0, day - 6) * 0.2),
        ),
        ("It stays near the dry weight.", _daily("weight", 21, lambda day: 78.4 + _wave(day, 0.35))),
        {"weight": [("dry weight", 78), ("amber", 80)]},
        {},
    ),
    "average": Illustration(
        [
            {
                "kind": "average",
                "code": "systolic",
                "direction": "above",
                "window_days": 7,
                "min_days": 3,
                "min_readings": 8,
                "drop_first_day": True,
                "amber": 135,
                "red": 150,
            }
        ],
        (
            "The average of a week, without its first day, is above 135 mmHg.",
            [
                (24.0 * d + h, "systolic", round(139 + _wave(2 * d + h / 12, 6)))
                for d in range(8)
                for h in (8, 8.1, 20, 20.1)
            ],
        ),
        (
            "Single values above 135 mmHg, but not the average.",
            [
                (24.0 * d + h, "systolic", round(130 + _wave(2 * d + h / 12, 6)))
                for d in range(8)
                for h in (8, 8.1, 20, 20.1)
            ],
        ),
        {"systolic": [("amber", 135)]},
        {},
    ),
    "slope": Illustration(
        [{"kind": "slope", "code": "weight", "direction": "fall", "window_days": 30, "amber": 2.0}],
        (
            "Weight is lost slowly and steadily: by the trend more than 2 kg in 30 days.",
            _daily("weight", 45, lambda day: 62 + _wave(day, 0.25) - max(0, day - 12) * 0.1),
        ),
        ("Ups and downs without a trend.", _daily("weight", 45, lambda day: 62 + _wave(day, 0.5))),
        {},
        {},
    ),
    "crossover": Illustration(
        [{"kind": "crossover", "code": "weight", "direction": "rise", "fast_days": 3, "slow_days": 14, "amber": 0.8}],
        (
            "The average of the last days leaves the slow one behind.",
            _daily("weight", 40, lambda day: 78 + _wave(day, 0.25) + max(0, day - 26) * 0.16),
        ),
        ("Both averages stay together.", _daily("weight", 40, lambda day: 78 + _wave(day, 0.3))),
        {},
        {},
    ),
    "cusum": Illustration(
        [{"kind": "cusum", "code": "resting_pulse", "direction": "rise", "floor": 1.5, "amber": 4.0}],
        (
            "A small rise that lasts adds up.",
            _daily("resting_pulse", 60, lambda day: round(62 + _wave(day, 1.2) + (4 if day >= 50 else 0))),
        ),
        (
            "One bad day does not.",
            _daily("resting_pulse", 60, lambda day: round(62 + _wave(day, 1.2) + (9 if day == 50 else 0))),
        ),
        {},
        {},
    ),
    "baseline": Illustration(
        [{"kind": "baseline", "code": "resting_pulse", "direction": "rise", "floor": 1.5, "days": 2, "amber": 3.0}],
        (
            "Two days far above the person's own usual range.",
            _daily("resting_pulse", 50, lambda day: round(62 + _wave(day, 1.2) + (9 if 44 <= day < 48 else 0))),
        ),
        (
            "A single day.",
            _daily("resting_pulse", 50, lambda day: round(62 + _wave(day, 1.2) + (9 if day == 44 else 0))),
        ),
        {},
        {},
    ),
    "combination": Illustration(
        [
            {
                "kind": "combination",
                "name": "exacerbation",
                "amber": 2,
                "red": 3,
                "conditions": [
                    {"code": "breathlessness", "above": 4, "max_age_hours": 24, "label": "breathless"},
                    {"code": "resp_rate", "above": 23, "max_age_hours": 24, "label": "fast breathing"},
                    {"code": "pulse", "above": 94, "max_age_hours": 24, "label": "fast pulse"},
                ],
            }
        ],
        (
            "Two of three signs are there on one day.",
            [
                p
                for d, (b, r, q) in enumerate([(2, 18, 82), (2, 19, 84), (5, 24, 88), (6, 25, 92), (3, 20, 86)])
                for p in [
                    (24.0 * d + 8, "breathlessness", b),
                    (24.0 * d + 8, "resp_rate", r),
                    (24.0 * d + 8, "pulse", q),
                ]
            ],
        ),
        (
            "One sign alone.",
            [
                p
                for d, (b, r, q) in enumerate([(2, 18, 82), (2, 19, 84), (5, 21, 88), (5, 20, 92), (3, 20, 86)])
                for p in [
                    (24.0 * d + 8, "breathlessness", b),
                    (24.0 * d + 8, "resp_rate", r),
                    (24.0 * d + 8, "pulse", q),
                ]
            ],
        ),
        {"breathlessness": [("above 4", 4)], "resp_rate": [("above 23", 23)], "pulse": [("above 94", 94)]},
        {},
    ),
    "symptom": Illustration(
        [{"kind": "symptom", "codes": ["breathlessness"], "amber": 5, "red": 8}],
        ("The score reaches 5.", [(24.0 * d + 9, "breathlessness", v) for d, v in enumerate([2, 3, 2, 4, 6, 5, 3])]),
        ("It stays below.", [(24.0 * d + 9, "breathlessness", v) for d, v in enumerate([2, 3, 2, 4, 4, 3, 3])]),
        {"breathlessness": [("from 5", 5)]},
        {},
    ),
    "sustained": Illustration(
        [{"kind": "sustained", "code": "glucose", "name": "low", "side": "low", "limit": 3.9, "level": "amber"}],
        (
            "Below 3.9 mmol/L for at least 15 minutes, until 15 minutes above it.",
            _sensor(lambda h: 5.6 + 0.8 * math.sin(h) - (2.6 if 5 <= h < 5.75 else 0)),
        ),
        (
            "Two readings, ten minutes, are too short.",
            _sensor(lambda h: 5.6 + 0.8 * math.sin(h) - (2.6 if 5 <= h < 5.15 else 0)),
        ),
        {"glucose": [("3.9", 3.9)]},
        {},
    ),
    "in_range": Illustration(
        [
            {
                "kind": "in_range",
                "name": "time_above",
                "code": "glucose",
                "band": "above_10.0",
                "direction": "above",
                "window_days": 3,
                "reading_minutes": 60,
                "amber": 25,
            }
        ],
        (
            "More than a quarter of three days above 10 mmol/L.",
            [(float(h), "glucose", round(8.5 + 3.5 * math.sin(h / 3.8), 1)) for h in range(24 * 5)],
        ),
        (
            "Less than a quarter.",
            [(float(h), "glucose", round(7.5 + 3.0 * math.sin(h / 3.8), 1)) for h in range(24 * 5)],
        ),
        {"glucose": [("10.0", 10.0)]},
        {},
    ),
}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
