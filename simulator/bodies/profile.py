"""Who a simulated resident is: a profile with personal baselines, from a seed and a few given facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator import noise

PATHWAYS = ("copd", "heart_failure", "frailty", "post_acute_infection", "hypertension")

#: Range of a stable person's measured values by code; calm people stay in the narrower one.
Range = tuple[float, float]
_USUAL: dict[str, Range] = {
    "spo2": (95, 99), "pulse": (56, 92), "resp_rate": (12, 19), "temperature": (36.1, 37.4),
    "systolic": (112, 138), "diastolic": (62, 84), "glucose": (4.8, 8.8), "peak_flow": (300, 460),
}  # fmt: skip
_CALM: dict[str, Range] = {
    "spo2": (96, 98), "pulse": (60, 84), "resp_rate": (13, 18), "temperature": (36.3, 37.2),
    "systolic": (116, 131), "diastolic": (66, 80), "glucose": (5.2, 7.6), "peak_flow": (330, 430),
}  # fmt: skip
_PATHWAY: dict[tuple[str, bool], dict[str, Range]] = {
    ("copd", False): {"spo2": (92, 95), "resp_rate": (14, 20), "pulse": (60, 90), "peak_flow": (180, 300)},
    ("copd", True): {"spo2": (93, 95), "resp_rate": (15, 19), "pulse": (64, 84), "peak_flow": (210, 280)},
    ("heart_failure", False): {"systolic": (111, 134), "pulse": (58, 88)},
    ("hypertension", False): {"systolic": (118, 140), "diastolic": (68, 86)},
}


@dataclass(frozen=True)
class Profile:
    """One simulated resident. ranges: (low, high) of what is measured while nothing is wrong."""

    key: str
    seed: int
    age: int
    sex: str
    pathway: str
    zone: str = "Europe/London"
    calm: bool = False
    ranges: dict[str, Range] = field(default_factory=dict)
    #: Usual value in the middle of the day by code, canonical units.
    baselines: dict[str, float] = field(default_factory=dict)

    @property
    def source(self) -> int:
        """The key of all of this resident's randomness."""
        return noise.key("resident", self.seed, self.key)


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
) -> Profile:
    """A profile; what is not given is drawn from the seed. An unknown pathway counts as frailty."""
    source = noise.key("profile", seed, key)
    drawn = [noise.uniform_one(source, index) for index in range(16)]
    chosen = next((known for known in PATHWAYS if pathway is not None and pathway.startswith(known)), "frailty")
    years = age if age is not None else 62 + int(drawn[0] * 30)
    gender = sex if sex is not None else ("female" if drawn[1] < 0.55 else "male")
    ranges = (_CALM if calm else _USUAL) | _PATHWAY.get((chosen, calm), {}) | dict(usual or {})
    baselines = {
        code: low + (high - low) * (0.4 + 0.2 * drawn[2 + index % 14])
        for index, (code, (low, high)) in enumerate(sorted(ranges.items()))
    }
    tall = gender.startswith("m")
    baselines["weight"] = (76.0 if tall else 64.0) + 22.0 * (drawn[14] - 0.4)
    baselines["steps"] = 900.0 + 3600.0 * drawn[15] * (1.0 if years < 80 else 0.5)
    return Profile(key, seed, years, gender, chosen, zone, calm, ranges, baselines)
