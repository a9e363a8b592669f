"""How each vital sign behaves and is measured: one row each, with where its sizes come from.

Marks of sources: [A] read in the abstract or the text of the paper; [K] from general knowledge of the literature,
plausible but not looked up; [S] shared out by us so that published totals come out (a judgement, no measurement).
What was compared with real home data, and how: docs/realism.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
_MINUTE: Final = 60_000

#: Lengths over which values hang together, by name.
PERIODS: Final[dict[str, int]] = {
    "year": 364 * DAY, "season": 84 * DAY, "month": 28 * DAY, "week": 7 * DAY, "days": 2 * DAY, "day": DAY,
    "half_day": 10 * HOUR, "hours": 4 * HOUR, "hour": 75 * _MINUTE, "minutes": 8 * _MINUTE,
}  # fmt: skip


@dataclass(frozen=True)
class Vital:
    """One vital sign. Sizes in its own unit; shares are parts of the variance within a person, and add up to 1."""

    unit: str | None
    resolution: float
    #: Deviation of one stable person's home measurements over some weeks, error and rhythm included.
    spread: float
    #: By length (PERIODS): what wanders.
    shares: dict[str, float]
    #: The daily rhythm's share, and the local hour of its top for somebody who sleeps from 23 to 7.
    rhythm: float
    top_hour: float
    #: The share that belongs to the measurement alone: device, position, how it was done.
    error: float
    #: Skewness and excess of the fourth moment of what wanders.
    skew: float
    tails: float
    #: What a body or a device can show at all.
    lowest: float
    highest: float
    source: str
    #: How long an error lasts (PERIODS), of sensors that are worn; None: each measurement has its own.
    lasting: str | None = None
    #: Wanders along with another wanderer: (name, correlation).
    along: tuple[str, float] | None = None

    @property
    def decimals(self) -> int:
        """Digits after the point that a device shows."""
        return 0 if self.resolution >= 1 else 1 if self.resolution >= 0.1 else 2


VITALS: Final[dict[str, Vital]] = {
    "systolic": Vital(
        "mm[Hg]", 1, 8.6,
        {"season": 0.10, "month": 0.13, "week": 0.18, "days": 0.12, "day": 0.17, "half_day": 0.05, "hours": 0.05,
         "hour": 0.04},
        0.04, 11, 0.12, 0.15, 0.2, 50, 260,
        "Kato 2010 Am J Hypertens 23:980 [A]: home systolic varies within a person by 8.6 (SD 3.1) mmHg over 4 weeks, "
        "1,215 people. Asayama 2021 J Hypertens 40:398 [A]: means of 5 days differ by 7.7 mmHg over a year: "
        "over a third of the variance is of weeks and longer. Two in one sitting differ by "
        "some 5 mmHg (Stergiou [K]): error and hour. Other shares [S].",
        along=("strain", 0.35),
    ),
    "diastolic": Vital(
        "mm[Hg]", 1, 5.8,
        {"season": 0.10, "month": 0.13, "week": 0.18, "days": 0.12, "day": 0.17, "half_day": 0.05, "hours": 0.05,
         "hour": 0.04},
        0.04, 11, 0.12, 0.0, 0.2, 30, 150,
        "Kato 2010 [A]: 5.8 (SD 2.0) mmHg. Goes with systolic within a person at about 0.6 [K]. Shares [S].",
        along=("systolic", 0.6),
    ),
    "pulse": Vital(
        "/min", 1, 6.5,
        {"month": 0.05, "week": 0.06, "day": 0.11, "half_day": 0.12, "hours": 0.24, "hour": 0.12, "minutes": 0.05},
        0.20, 15, 0.05, 0.6, 0.9, 25, 230,
        "Hurst 2010 Respir Res 11:52 [A]: 5 /min once a day in stable COPD. Rest at any hour 6 to 8 /min, of which the "
        "daily rhythm of some 4 /min half height (Degaute 1991 [K]). Oximeters read to 2 /min. Shares [S].",
        along=("strain", 0.4),
    ),
    "resting_pulse": Vital(
        "/min", 1, 3.2, {"season": 0.16, "month": 0.16, "week": 0.20, "days": 0.18}, 0.0, 15, 0.30, 0.5, 1.2, 25, 200,
        "Quer 2020 PLoS ONE 15:e0227709 [A]: 65.5 (SD 7.7) /min between people, stable within one, a week with swings "
        "of 10 /min in 20 % of people; deviation between days near 3 /min [K]. Shares [S].",
        along=("health", 0.5),
    ),
    "resp_rate": Vital(
        "/min", 1, 1.6, {"month": 0.08, "week": 0.10, "day": 0.14, "hours": 0.18, "hour": 0.10}, 0.08, 16, 0.32,
        0.3, 0.4, 4, 60,
        "Counted at rest: limits of agreement between two counts of 4 to 5 /min (Lim 2002 [K]); healthy nights vary by "
        "0.5 to 1 /min between days (Natarajan 2021 npj Digit Med [K]). Shares [S].",
        along=("strain", 0.3),
    ),
    "temperature": Vital(
        "Cel", 0.1, 0.25, {"month": 0.08, "week": 0.08, "day": 0.14, "hours": 0.12}, 0.28, 18, 0.30, 0.0, 0.4,
        30, 42.5,
        "Mackowiak 1992 JAMA 268:1578 [K]: 36.8 (SD 0.4) C oral, rhythm of 0.25 C half height, top about 18 h. "
        "Old people 0.2 C lower. Thermometers to 0.1 to 0.2 C. Shares [S].",
        along=("health", 0.3),
    ),
    "spo2": Vital(
        "%", 1, 1.1, {"month": 0.10, "week": 0.10, "day": 0.12, "hours": 0.14, "hour": 0.12}, 0.06, 15, 0.36,
        -0.4, 0.6, 50, 100,
        "Hurst 2010 [A]: 1 % once a day in stable COPD. Oximeters: accuracy 2 % root mean square against blood "
        "(ISO 80601-2-61 [K]), most of it fixed in a person; repeats differ by about 0.7 %. Shares [S].",
        along=("air", 0.5),
    ),
    "weight": Vital(
        "kg", 0.1, 1.2, {"year": 0.35, "season": 0.30, "month": 0.20, "week": 0.06, "day": 0.03},
        0.02, 19, 0.04, 0.1, 0.3, 25, 250,
        "Over a year, of which most is slow: weight keeps what it gained (Chow 2014 Physiol Behav 134:60 [K]); between "
        "two days 0.3 to 0.9 kg [K]; Orsama 2014 Obes Facts 7:36 [A]: weekly rhythm, more "
        "from Saturday to Monday; up 0.5 kg in the evening [K]. Scales to 0.1 kg. Shares [S].",
    ),
    "glucose": Vital(
        "mmol/L", 0.1, 0.8, {"week": 0.04, "day": 0.10, "half_day": 0.20, "hours": 0.44, "hour": 0.06}, 0.03, 6, 0.02,
        0.85, 0.6, 1.2, 33,
        "Battelino 2019 [A]: CV 36 % parts stable diabetes from unstable. Breton 2008 J Diabetes Sci Technol 2:853 [A]:"
        " sensor errors hang together over an hour or so. Meals: after 75 min at the top, gone in 4 h (Daenen 2010 "
        "[K]). Meals come to it: bodies.rhythm. Shares [S].",
        lasting="hour",
    ),
    "ketones": Vital(
        "mmol/L", 0.1, 0.12, {"week": 0.10, "day": 0.30, "hours": 0.30}, 0.05, 7, 0.25, 1.4, 2.5, 0, 8,
        "Below 0.6 mmol/L in whom nothing is wrong [K]. Shares [S].",
    ),
    "peak_flow": Vital(
        "L/min", 5, 14.0, {"month": 0.12, "week": 0.14, "day": 0.16, "hours": 0.12}, 0.16, 16, 0.30, -0.3, 0.6, 40, 850,
        "Hurst 2010 [A]: 10 L/min once a day in stable COPD; more with evenings in it. Morning dip of 5 % [K]. "
        "Shares [S].",
        along=("air", 0.4),
    ),
    "fev1": Vital(
        "L", 0.01, 0.08, {"month": 0.14, "week": 0.14, "day": 0.16, "hours": 0.10}, 0.14, 16, 0.32, -0.3, 0.6, 0.2, 7,
        "Repeat within 0.15 L asked for (ATS/ERS 2019 [K]); 5 to 8 % between days in COPD [K]. Shares [S].",
        along=("air", 0.4),
    ),
    "steps": Vital(
        "{steps}", 1, 1200.0, {"month": 0.06, "week": 0.06, "day": 0.0}, 0.0, 15, 0.88, 1.1, 1.6, 0, 60_000,
        "Bassett 2010 MSSE [K]: 2,000 to 5,000 a day over 70; a person's days vary by 35 to 45 % of the mean "
        "(Tudor-Locke 2005 [K]), most on Saturday, least on Sunday. Shares [S].",
        along=("health", 0.2),
    ),
    "mean_arterial": Vital(
        "mm[Hg]", 1, 0.0, {}, 0.0, 11, 0.0, 0.0, 0.0, 35, 190,
        "A third of the way from diastolic to systolic, as most cuffs reckon it [K].",
    ),
    "oxygen_flow": Vital(
        "L/min", 0.1, 0.0, {}, 0.0, 12, 0.0, 0.0, 0.0, 0, 15, "As prescribed: 1 to 3 L/min at home (BTS 2015 [K]).",
    ),
    "breathlessness": Vital(
        None, 1, 0.9, {"month": 0.15, "week": 0.20, "days": 0.20}, 0.0, 15, 0.45, 0.5, 0.3, 0, 10,
        "Diaries of stable COPD: within a point from day to day [K]. Shares [S].", along=("air", -0.4),
    ),
    "pain": Vital(
        None, 1, 1.0, {"month": 0.15, "week": 0.20, "days": 0.25}, 0.0, 15, 0.40, 0.5, 0.3, 0, 10,
        "Jensen 1999 Pain [K]: within a person about 1 of 10 between days. Shares [S].",
    ),
    "wellbeing": Vital(
        None, 1, 1.0, {"month": 0.15, "week": 0.20, "days": 0.25}, 0.0, 15, 0.40, -0.4, 0.3, 0, 10,
        "As pain: about 1 of 10 between days [K]; 10 is best. Shares [S].", along=("health", -0.4),
    ),
}  # fmt: skip

#: Where deviation goes with level, the level that a row's deviation belongs to.
LEVELS: Final = {"steps": 3000.0, "glucose": 5.8, "weight": 78.0, "peak_flow": 240.0, "fev1": 1.4}

#: Scales from 0 to 10 that somebody answers: numbers without a unit.
SCALES: Final = ("breathlessness", "pain", "wellbeing")


@dataclass(frozen=True)
class Wanderer:
    """What several vital signs have in common: nothing that is measured itself."""

    shares: dict[str, float]


#: strain: activity and emotion over hours; air: how open the airways are; health: of a few days, a cold, bad nights.
COMMON: Final[dict[str, Wanderer]] = {
    "strain": Wanderer({"day": 0.3, "hours": 0.5, "hour": 0.2}),
    "air": Wanderer({"month": 0.3, "week": 0.3, "day": 0.4}),
    "health": Wanderer({"month": 0.3, "week": 0.4, "days": 0.3}),
}
