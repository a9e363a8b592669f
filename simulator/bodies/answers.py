"""What residents answer and carers enter: letters, yes or no. Pure functions of (profile, course, time)."""

from __future__ import annotations

from typing import Final, Protocol

from simulator import noise
from simulator.bodies.profile import Profile
from simulator.bodies.vitals import DAY

#: Yes on a day on which nothing is wrong: anybody, and by condition. Chosen: rare, and rarer the graver [S].
_USUAL: Final[dict[str, tuple[float, dict[str, float]]]] = {
    "sputum_volume": (0.005, {"copd": 0.02}),
    "sputum_purulence": (0.003, {"copd": 0.01}),
    "ankle_swelling": (0.01, {"heart_failure": 0.03}),
    "orthopnoea": (0.002, {"heart_failure": 0.01}),
    "breathless_at_rest": (0.0003, {"copd": 0.001, "heart_failure": 0.001}),
    "chest_pain": (0.0005, {}),
    "syncope": (0.0001, {}),
    "dizziness": (0.01, {"frailty": 0.03}),
    "new_confusion": (0.0005, {"dementia": 0.004}),
    "drowsy": (0.003, {"palliative": 0.1}),
    "less_mobile": (0.005, {"frailty": 0.012, "palliative": 0.05}),
    "poor_intake": (0.006, {"frailty": 0.012, "palliative": 0.1}),
    "urine_change": (0.003, {"frailty": 0.005}),
}
YES_NO: Final = (*_USUAL, "fall", "on_oxygen")
STATES: Final = ("consciousness", *YES_NO)


class Said(Protocol):
    """The part of a course that answers."""

    def state(self, code: str, at_ms: int) -> str | bool | int | None: ...


def state(profile: Profile, course: Said | None, code: str, at_ms: int) -> str | bool | int:
    """A coded or boolean observation."""
    said = course.state(code, at_ms) if course is not None else None
    if said is not None:
        return said
    if code == "consciousness":
        return "A"
    if code == "on_oxygen":
        return profile.oxygen_flow > 0
    if code not in _USUAL or profile.calm:
        return False
    anybody, by_condition = _USUAL[code]
    chance = max(anybody, *(by_condition.get(condition, 0.0) for condition in profile.conditions), 0.0)
    # A sign lasts a day and half as often two: what began yesterday may go on.
    begins, lasts = noise.key(profile.source, code, "begins"), noise.key(profile.source, code, "lasts")
    day = at_ms // DAY
    if noise.uniform_one(begins, day) < chance / 1.5:
        return True
    return noise.uniform_one(begins, day - 1) < chance / 1.5 and noise.uniform_one(lasts, day) < 0.5
