"""What people do of their own accord: who sees an error, or a value that is not like them, measures again.

The instructions of home oximetry and of blood pressure monitors ask for it. How many do is chosen: four of five, some
always and some less often; no published share was found. Where no service can ask (simulator.trial), what it asks is
simulated too: to measure again within minutes, and as many do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from simulator import noise, schedule
from simulator.bodies import physiology
from simulator.bodies.profile import Profile
from simulator.homes import values

#: So far from what is usual for them people take a value for odd (chosen).
ODD: Final[Mapping[str, float]] = {
    "spo2": 3.0, "pulse": 20.0, "resp_rate": 7.0, "temperature": 0.8, "systolic": 25.0, "diastolic": 18.0,
    "weight": 1.5,
}  # fmt: skip
#: Part of odd measurements that are repeated: by resident between these.
SHARE: Final = (0.6, 1.0)
#: Milliseconds until then, shortest and longest: of their own accord, and when asked.
PAUSE_MS: Final = (90_000, 240_000)
ASKED_MS: Final = (180_000, 900_000)
#: Nobody goes on for ever.
MOST: Final = 2
_PRESSURE: Final = frozenset(("systolic", "diastolic"))


def repeated(
    profile: Profile, device_id: str, moment: schedule.Moment, shown: Mapping[str, values.Shown], *, asked: bool = False
) -> schedule.Moment | None:
    """The measurement after one that is odd; None: the resident leaves it at that. asked: a service would ask."""
    odd = {code for code, one in shown.items() if _odd(profile, code, one)}
    if not odd or moment.slot.count(schedule.AGAIN) >= MOST:
        return None
    low, high = SHARE
    careful = low + (high - low) * noise.uniform_one(noise.key(profile.source, "careful"))
    drawn = noise.key(profile.source, device_id, moment.at_ms, "again")
    first, last = PAUSE_MS
    if noise.uniform_one(drawn) >= careful:
        if not asked or noise.uniform_one(drawn, 1) >= careful:
            return None
        first, last = ASKED_MS
    return replace(
        moment,
        at_ms=moment.at_ms + first + drawn % (last - first),
        codes=_together(moment.codes, odd),
        slot=moment.slot + schedule.AGAIN,
    )


def _odd(profile: Profile, code: str, one: values.Shown) -> bool:
    if code not in physiology.VITALS:
        return False
    if one.value is None or one.flags:
        return True
    far = ODD.get(code)
    if far is None or not isinstance(one.value, int | float):
        return False
    return abs(one.value - profile.baselines[code]) > far


def _together(codes: Sequence[str], odd: set[str]) -> tuple[str, ...]:
    """An oximeter and a cuff measure all that they can; of a hub only what was odd."""
    wanted = set(odd)
    if wanted & _PRESSURE:
        wanted |= _PRESSURE
    if len(codes) <= 3:
        wanted |= {code for code in codes if code in physiology.VITALS}
    return tuple(code for code in codes if code in wanted)
