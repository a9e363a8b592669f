"""Who a simulated resident is: age, frailty, conditions, medicines, the day's routine and usual values, from a seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from simulator import errors, noise
from simulator.bodies import medicines
from simulator.bodies.vitals import LEVELS, VITALS

PATHWAYS: Final = (
    "copd", "heart_failure", "frailty", "post_acute_infection", "hypertension", "diabetes", "palliative",
)  # fmt: skip
CONDITIONS: Final = (
    "copd", "asthma", "heart_failure", "hypertension", "diabetes_1", "diabetes_2", "atrial_fibrillation",
    "kidney_disease", "dementia", "frailty", "infection", "palliative",
)  # fmt: skip

#: Between what a stable person's usual level lies by code; calm people also stay within it. Chosen [S]: treated and
#: stable people over 60, so that the middle of each is what a clinician would call controlled.
Range = tuple[float, float]
_USUAL: Final[dict[str, Range]] = {
    "spo2": (95, 99), "pulse": (56, 88), "resp_rate": (12, 19), "temperature": (36.1, 37.2),
    "systolic": (112, 138), "diastolic": (62, 84), "glucose": (4.8, 7.2), "peak_flow": (300, 460), "fev1": (1.6, 2.8),
    "ketones": (0.05, 0.25), "breathlessness": (0.0, 1.5), "pain": (0.3, 3.0), "wellbeing": (6.0, 9.0),
}  # fmt: skip
_CALM: Final[dict[str, Range]] = {
    "spo2": (96, 98), "pulse": (60, 84), "resp_rate": (13, 18), "temperature": (36.3, 37.2),
    "systolic": (116, 131), "diastolic": (66, 80), "glucose": (5.2, 7.6), "peak_flow": (330, 430), "fev1": (1.9, 2.4),
    "ketones": (0.0, 0.3), "breathlessness": (0, 2), "pain": (0, 2), "wellbeing": (6, 9),
}  # fmt: skip
#: The first condition of somebody's list that is named here decides.
_CONDITION: Final[dict[tuple[str, bool], dict[str, Range]]] = {
    ("copd", False): {"spo2": (92, 96), "resp_rate": (14, 20), "pulse": (60, 90), "peak_flow": (180, 300),
                      "fev1": (0.9, 1.8), "breathlessness": (1.0, 3.5)},
    ("copd", True): {"spo2": (93, 95), "resp_rate": (15, 19), "pulse": (64, 84), "peak_flow": (210, 280),
                     "fev1": (1.1, 1.5), "breathlessness": (1, 3)},
    ("asthma", False): {"peak_flow": (260, 460), "breathlessness": (0.3, 2.0)},
    ("heart_failure", False): {"systolic": (108, 134), "pulse": (58, 86), "spo2": (94, 98),
                               "breathlessness": (0.8, 3.0)},
    ("hypertension", False): {"systolic": (118, 142), "diastolic": (68, 88)},
    ("diabetes_1", False): {"glucose": (7.6, 9.4)},
    ("diabetes_2", False): {"glucose": (6.6, 8.6)},
    ("infection", False): {"spo2": (94, 98)},
    ("palliative", False): {"systolic": (98, 128), "pulse": (64, 94), "pain": (1.0, 4.0), "wellbeing": (3.0, 6.5)},
}  # fmt: skip
_FIRST: Final = {
    "frailty": "frailty", "post_acute_infection": "infection", "diabetes": "diabetes_2", "copd": "copd",
    "heart_failure": "heart_failure", "hypertension": "hypertension", "palliative": "palliative",
}  # fmt: skip
#: How common each is over 65 besides what somebody is watched for (Barnett 2012 Lancet 380:37 [K], rounded).
_BESIDES: Final = {"hypertension": 0.5, "diabetes_2": 0.2, "atrial_fibrillation": 0.1, "kidney_disease": 0.15,
                   "copd": 0.08, "heart_failure": 0.07, "dementia": 0.06}  # fmt: skip
#: Chance of each medicine by condition: UK practice in round numbers [K].
_TAKES: Final = {
    "heart_failure": {"beta_blocker": 0.8, "loop_diuretic": 0.8, "ace_inhibitor": 0.75},
    "hypertension": {"ace_inhibitor": 0.5, "calcium_blocker": 0.45},
    "atrial_fibrillation": {"beta_blocker": 0.7},
    "copd": {"steroid": 0.04},
    "diabetes_1": {"insulin": 1.0},
    "diabetes_2": {"metformin": 0.7, "insulin": 0.2},
    "palliative": {"opioid": 0.7, "paracetamol": 0.5},
    "frailty": {"paracetamol": 0.3},
}
#: Deviation of glucose within a person by condition: CV of 36 % parts stable from unstable (Battelino 2019 [A]); with
#: insulin, which adds to it, a usual resident of type 1 is on the stable side.
_GLUCOSE_SPREAD: Final = {"diabetes_1": 2.5, "diabetes_2": 1.9}


@dataclass(frozen=True)
class Routine:
    """A resident's day, in minutes after local midnight (over 1440: after midnight)."""

    wakes: float = 420.0
    sleeps: float = 1380.0
    meals: tuple[float, ...] = (480.0, 765.0, 1110.0)
    #: Up and about so much later on Saturday and Sunday.
    weekend_minutes: float = 30.0


@dataclass(frozen=True)
class Profile:
    """One simulated resident. ranges: (low, high) of what is measured while nothing is wrong, where it is held so."""

    key: str
    seed: int
    age: int
    sex: str
    pathway: str
    zone: str = "Europe/London"
    calm: bool = False
    ranges: dict[str, Range] = field(default_factory=dict)
    #: Usual value by code, canonical units.
    baselines: dict[str, float] = field(default_factory=dict)
    #: Deviation of home measurements by code, where it is not the vital sign's usual one.
    spreads: dict[str, float] = field(default_factory=dict)
    #: Part of the variance that is error of measuring, by code, where it is not the usual one: instruments differ.
    errors: dict[str, float] = field(default_factory=dict)
    #: What wanders takes so many times as long, by code: an instrument that smooths.
    paces: dict[str, int] = field(default_factory=dict)
    #: Clinical Frailty Scale, 1 very fit to 9 terminally ill.
    frailty: int = 3
    conditions: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    #: Part of the doses that is taken.
    takes: float = 1.0
    #: Litres a minute of long-term oxygen; 0: breathes air.
    oxygen_flow: float = 0.0
    routine: Routine = Routine()

    @property
    def source(self) -> int:
        """The key of all of this resident's randomness."""
        return noise.key("resident", self.seed, self.key)

    def spread(self, code: str) -> float:
        """Deviation of this resident's home measurements over some weeks."""
        usual = self.spreads.get(code, VITALS[code].spread)
        if self.calm:
            return usual * 0.4
        # Old and frail people vary a little more (Kato 2010: age is a determinant).
        return usual * (1.0 + max(0, self.age - 75) * 0.005) * medicines.spread(self.medicines, code)

    def error(self, code: str) -> float:
        """The part of the variance that is error of measuring."""
        return self.errors.get(code, VITALS[code].error)


def build(
    key: str,
    seed: int,
    *,
    age: int | None = None,
    sex: str | None = None,
    pathway: str | None = None,
    zone: str = "Europe/London",
    calm: bool = False,
    usual: Mapping[str, Range] | None = None,
    frailty: int | None = None,
    conditions: Iterable[str] | None = None,
    takes_medicines: Iterable[str] | None = None,
    oxygen_flow: float = 0.0,
) -> Profile:
    """A profile; what is not given is drawn from the seed. An unknown pathway counts as frailty. Raises BadInput.

    usual: within what somebody's values stay; with calm, all values stay within ranges.
    """
    source = noise.key("profile", seed, key)
    drawn = [noise.uniform_one(source, index) for index in range(64)]
    chosen = next((known for known in PATHWAYS if pathway is not None and pathway.startswith(known)), "frailty")
    years = age if age is not None else 62 + int(drawn[0] * 30)
    gender = sex if sex is not None else ("female" if drawn[1] < 0.55 else "male")
    ill = _known("condition", CONDITIONS, conditions) if conditions is not None else _conditions(chosen, drawn)
    if takes_medicines is not None:
        taken = _known("medicine", medicines.MEDICINES, takes_medicines)
    else:
        taken = _medicines(ill, source)
    levels = dict(_CALM if calm else _USUAL)
    for condition in reversed(ill):
        levels |= _CONDITION.get((condition, calm), {})
    levels |= dict(usual or {})
    held = dict(levels if calm else usual or {})
    if frailty is None:
        frailty = 8 if "palliative" in ill else min(7, 2 + int(drawn[2] * 2) + max(0, years - 70) // 8 + len(ill) // 2)
        frailty = max(frailty, 5) if "frailty" in ill else frailty
    tall = gender.startswith("m")
    baselines = _baselines(levels, drawn, calm, tall, years, frailty, "beta_blocker" in taken, oxygen_flow)
    return Profile(
        key,
        seed,
        years,
        gender,
        chosen,
        zone,
        calm,
        held,
        baselines,
        _spreads(ill, baselines),
        {},
        {},
        frailty,
        ill,
        taken,
        1.0 if calm else 0.9 + 0.1 * drawn[5],
        oxygen_flow,
        _routine(drawn),
    )


def _conditions(pathway: str, drawn: list[float]) -> tuple[str, ...]:
    first = _FIRST[pathway]
    if pathway == "diabetes" and drawn[6] < 0.25:
        first = "diabetes_1"
    besides = [name for index, (name, chance) in enumerate(_BESIDES.items()) if drawn[40 + index] < chance * 0.8]
    kept = [name for name in besides if name != first and not (first == "diabetes_1" and name == "diabetes_2")]
    return (first, *kept[:3])


def _medicines(conditions: tuple[str, ...], source: int) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for condition in conditions:
        for name, chance in _TAKES.get(condition, {}).items():
            if noise.uniform_one(noise.key(source, condition, name)) < chance:
                found[name] = None
    return tuple(found)


def _baselines(
    levels: Mapping[str, Range], drawn: list[float], calm: bool, tall: bool, years: int, frailty: int, slowed: bool,
    oxygen_flow: float,
) -> dict[str, float]:  # fmt: skip
    start, width = (0.4, 0.2) if calm else (0.3, 0.4)
    found = {}
    for index, (code, (low, high)) in enumerate(sorted(levels.items())):
        part = start + width * drawn[8 + index % 24]
        if slowed and code == "pulse" and not calm:
            part = 0.5 * part
        found[code] = low + (high - low) * part
    found["resting_pulse"] = found.get("pulse", 70.0) - 6.0
    found["weight"] = (78.0 if tall else 66.0) + 24.0 * (drawn[34] - 0.4)
    # Fewer with age and frailty: from 6,000 a day to a few hundred.
    found["steps"] = (1500.0 + 4500.0 * drawn[35]) * (1.0 if years < 80 else 0.6) * max(0.15, 1.25 - 0.15 * frailty)
    found["oxygen_flow"] = oxygen_flow
    found["mean_arterial"] = 0.0
    return found


def _spreads(conditions: tuple[str, ...], baselines: Mapping[str, float]) -> dict[str, float]:
    found = {code: VITALS[code].spread * baselines[code] / level for code, level in LEVELS.items()}
    for condition in conditions:
        if condition in _GLUCOSE_SPREAD:
            found["glucose"] = _GLUCOSE_SPREAD[condition]
        if condition == "atrial_fibrillation":
            # Rate controlled, but irregular: twice the variance.
            found["pulse"] = VITALS["pulse"].spread * 1.4
    return found


def _routine(drawn: list[float]) -> Routine:
    wakes = 360.0 + 120.0 * drawn[36]
    return Routine(
        wakes,
        wakes + 930.0 + 60.0 * drawn[37],
        (wakes + 45.0, 735.0 + 60.0 * drawn[38], 1050.0 + 120.0 * drawn[39]),
        15.0 + 45.0 * drawn[7],
    )


def _known(kind: str, names: Iterable[str], given: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(given)
    unknown = [name for name in wanted if name not in tuple(names)]
    if unknown:
        raise errors.BadInput(f"no {kind} of this name: {', '.join(unknown)}; there are: {', '.join(names)}")
    return wanted
