"""Simulated bodies: believable, calm where they are to be calm, and the same whenever they are asked."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import clock, scenario
from simulator.bodies import physiology, profile

START = clock.to_ms(datetime(2026, 11, 1, tzinfo=UTC))
FORTNIGHT = START + np.arange(0, 14 * 24 * 60, 7, dtype=np.int64) * 60_000
#: What nobody would be called for: NEWS2 scores none of it (for COPD: on scale 2, on air).
NORMAL = {"pulse": (51, 90), "resp_rate": (12, 20), "temperature": (36.1, 38.0), "systolic": (111, 134)}


@pytest.mark.parametrize("pathway", profile.PATHWAYS)
@pytest.mark.parametrize("seed", range(6))
def test_calm_residents_stay_within_normal_limits(pathway: str, seed: int) -> None:
    calm = profile.build(f"calm-{seed}", seed, pathway=pathway, calm=True)
    limits = NORMAL | {"spo2": (93, 95) if pathway == "copd" else (96, 98), "diastolic": (60, 84)}
    for code, (low, high) in limits.items():
        values = physiology.measured(calm, None, "device", code, FORTNIGHT)
        assert low <= values.min(), code
        assert values.max() <= high, code


@pytest.mark.parametrize("pathway", profile.PATHWAYS)
def test_every_vital_varies_and_stays_in_the_range_of_the_profile(pathway: str) -> None:
    person = profile.build("somebody", 3, pathway=pathway)
    for code, vital in physiology.VITALS.items():
        values = physiology.measured(person, None, "device", code, FORTNIGHT)
        low, high = person.ranges.get(code, (vital.lowest, vital.highest))
        assert low - vital.resolution <= values.min() <= values.max() <= high + vital.resolution, code
        assert len(np.unique(values)) > 1 or code == "oxygen_flow", code
        assert np.allclose(values / vital.resolution, np.round(values / vital.resolution)), code


def test_diastolic_stays_below_systolic_in_the_worst_of_sepsis() -> None:
    person = profile.build("somebody", 3, pathway="frailty")
    course = scenario.Course(scenario.load("sepsis_chest"), clock.from_ms(START))
    systolic = physiology.measured(person, course, "device", "systolic", FORTNIGHT)
    diastolic = physiology.measured(person, course, "device", "diastolic", FORTNIGHT)
    assert (systolic - diastolic >= 12).all()


def test_fever_raises_pulse_and_respiration() -> None:
    fever = scenario.parse(
        'name="f"\ntitle="f"\ndescription="f"\npeak_hours=1\n[[vital]]\ncode="temperature"\nhours=[0]\noffset=[2.0]\n'
    )
    person = profile.build("somebody", 3, pathway="frailty")
    course = scenario.Course(fever, clock.from_ms(START))
    for code, at_least in (("pulse", 12), ("resp_rate", 2)):
        well = physiology.true_values(person, None, code, FORTNIGHT).mean()
        ill = physiology.true_values(person, course, code, FORTNIGHT).mean()
        assert ill - well > at_least


def test_pulse_is_lower_at_night() -> None:
    person = profile.build("somebody", 3, pathway="frailty", zone="UTC")
    hours = (FORTNIGHT // physiology.HOUR) % 24
    pulse = physiology.true_values(person, None, "pulse", FORTNIGHT)
    assert pulse[(hours >= 2) & (hours < 5)].mean() < pulse[(hours >= 13) & (hours < 17)].mean() - 3


@settings(max_examples=40)
@given(st.lists(st.integers(0, 14 * 86_400_000), min_size=1, max_size=12), st.sampled_from(sorted(physiology.VITALS)))
def test_order_and_step_do_not_change_a_value(offsets: list[int], code: str) -> None:
    person = profile.build("somebody", 9, pathway="copd")
    course = scenario.Course(scenario.load("copd_exacerbation_slow"), clock.from_ms(START + 86_400_000))
    times = np.array(offsets, dtype=np.int64) + START
    together = physiology.measured(person, course, "device", code, times).tolist()
    assert together == [
        physiology.measured(person, course, "device", code, times[i : i + 1])[0] for i in range(len(times))
    ]


def test_seeds_and_residents_differ() -> None:
    pulses = {
        physiology.measured(profile.build(key, seed), None, "d", "pulse", FORTNIGHT[:200]).tobytes()
        for key in ("a", "b")
        for seed in (1, 2)
    }
    assert len(pulses) == 4
