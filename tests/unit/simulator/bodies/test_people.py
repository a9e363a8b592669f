"""Who simulated residents are, and what conditions, medicines and days do to what they measure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from devices import catalogue
from simulator import clock, errors, scenario
from simulator.bodies import answers, physiology, profile, rhythm, vitals

START = clock.to_ms(datetime(2026, 11, 2, tzinfo=UTC))  # a Monday
HOURS = START + np.arange(0, 28 * 24, dtype=np.int64) * vitals.HOUR + 1234
FEVER = 'name="f"\ntitle="f"\ndescription="f"\npeak_hours=1\n[[vital]]\ncode="temperature"\nhours=[0]\noffset=[2.0]\n'


def test_everything_that_a_home_sends_can_be_simulated() -> None:
    assert [code for code in catalogue.ENTRIES if not physiology.known(code)] == ["answer"]


@pytest.mark.parametrize("pathway", profile.PATHWAYS)
def test_units_and_possible_values_are_the_catalogues(pathway: str) -> None:
    person = profile.build("somebody", 5, pathway=pathway)
    for code, vital in vitals.VITALS.items():
        entry = catalogue.ENTRIES[code]
        assert vital.unit == entry.unit, code
        values = physiology.measured(person, None, "d", code, HOURS)
        assert entry.possible(float(values.min())), code
        assert entry.possible(float(values.max())), code


@pytest.mark.parametrize("vital", [v for v in vitals.VITALS.values() if v.spread], ids=lambda v: v.source[:20])
def test_shares_of_the_variance_are_the_whole(vital: vitals.Vital) -> None:
    meals = 0.11 if vital is vitals.VITALS["glucose"] else 0.0
    assert sum(vital.shares.values()) + vital.rhythm + vital.error + meals == pytest.approx(1.0)
    assert vital.source


@pytest.mark.parametrize("code", ["systolic", "pulse", "spo2", "temperature", "weight", "glucose", "peak_flow"])
def test_measurements_vary_as_much_as_published(code: str) -> None:
    """Over many people and a year; rounding and clipping change little."""
    days = np.arange(0, 364, 3, dtype=np.int64)
    times = START + days * vitals.DAY + days % 5 * 4 * vitals.HOUR
    level = {"temperature": 36.6, "glucose": 5.8}.get(code, 90.0)
    found = []
    for number in range(60):
        person = profile.Profile(
            f"p{number}", 1, 70, "female", "none", "UTC", False, {}, {"systolic": 125, code: level}
        )
        found.append(float(physiology.measured(person, None, "d", code, times).var()))
    # Of weight much shows only over more than a year.
    least = 0.5 if code == "weight" else 0.85
    usual = vitals.VITALS[code].spread
    assert least * usual < np.sqrt(np.mean(found)) < 1.15 * usual


def test_a_seed_gives_the_same_person_and_another_seed_another() -> None:
    assert profile.build("a", 1, pathway="copd") == profile.build("a", 1, pathway="copd")
    people = [profile.build(f"r{number}", 3, pathway="frailty") for number in range(60)]
    assert len({person.conditions for person in people}) > 3
    assert all(1 <= person.frailty <= 9 and person.conditions[0] == "frailty" for person in people)
    assert all(set(person.conditions) <= set(profile.CONDITIONS) for person in people)


def test_a_beta_blocker_blunts_the_answer_to_fever() -> None:
    course = scenario.Course(scenario.parse(FEVER), clock.from_ms(START))
    rises = []
    for taken in ((), ("beta_blocker",)):
        person = profile.build("a", 1, pathway="frailty", conditions=["frailty"], takes_medicines=taken)
        ill, well = (physiology.true_values(person, one, "pulse", HOURS).mean() for one in (course, None))
        rises.append(ill - well)
    assert rises[0] == pytest.approx(16, abs=1)
    assert rises[1] == pytest.approx(8, abs=1)


def test_missed_doses_show_the_day_after() -> None:
    person = profile.build(
        "a", 1, pathway="hypertension", conditions=["hypertension"], takes_medicines=["ace_inhibitor"]
    )
    often, never = (
        physiology.true_values(replace(person, takes=takes), None, "systolic", HOURS).mean() for takes in (1.0, 0.0)
    )
    assert never - often == pytest.approx(2.8, abs=0.1)


def test_insulin_treated_glucose_rises_after_meals() -> None:
    person = profile.build("a", 1, pathway="diabetes", zone="UTC", conditions=["diabetes_1"])
    breakfast = person.routine.meals[0] / 60
    times = START + np.arange(0, 60 * 24 * 4, dtype=np.int64) * vitals.HOUR // 4
    hour = (times // 60_000) % 1440 / 60
    glucose = physiology.true_values(person, None, "glucose", times)
    after = glucose[np.abs(hour - breakfast - 1.5) < 0.3].mean()
    assert after > glucose[np.abs(hour - breakfast + 0.7) < 0.3].mean() + 1.0


def test_vital_signs_hang_together() -> None:
    person = profile.build("a", 7, pathway="frailty", zone="UTC")
    columns = [physiology.true_values(person, None, code, HOURS) for code in ("systolic", "diastolic", "pulse")]
    both, strain = (float(np.asarray(np.corrcoef(columns[0], other))[0, 1]) for other in columns[1:])
    assert 0.4 < both < 0.85
    assert 0.0 < strain < 0.6


def test_daily_figures_are_one_a_day_and_sundays_are_quiet() -> None:
    person = profile.build("a", 7, pathway="frailty", zone="UTC")
    noon = START + np.arange(0, 700, dtype=np.int64) * vitals.DAY + 20 * vitals.HOUR
    for code in ("steps", "resting_pulse"):
        evening, later = (physiology.measured(person, None, "d", code, noon + more) for more in (0, vitals.HOUR))
        assert (evening == later).all()
    steps = physiology.measured(person, None, "d", "steps", noon)
    weekday = rhythm.weekday(noon)
    assert steps[weekday == 6].mean() < 0.95 * steps[weekday < 6].mean()


def test_who_is_asleep_at_four_is_awake_at_noon() -> None:
    times = START + np.array([4, 12, 23.75]) * vitals.HOUR
    asleep = rhythm.asleep(times.astype(np.int64), 420.0, 1370.0, 1, 30.0)
    assert asleep[0] == 1
    assert asleep[1] == 0


def test_signs_are_rare_in_whom_nothing_is_wrong_and_never_come_to_calm_people() -> None:
    people = [profile.build(f"r{number}", 1, pathway="heart_failure") for number in range(40)]
    for code in ("chest_pain", "breathless_at_rest", "syncope", "new_confusion", "ankle_swelling"):
        yes = sum(
            answers.state(person, None, code, int(at)) is True for person in people for at in HOURS[::24]
        ) / (40 * 28)  # fmt: skip
        assert yes < 0.06, code
    calm = profile.build("calm", 1, pathway="heart_failure", calm=True)
    assert not any(answers.state(calm, None, code, int(at)) is True for code in answers.YES_NO for at in HOURS[::24])


def test_oxygen_at_home_is_said() -> None:
    person = profile.build("a", 1, pathway="copd", oxygen_flow=1.5)
    assert physiology.state(person, None, "on_oxygen", START) is True
    assert physiology.measured(person, None, "d", "oxygen_flow", HOURS[:3]).tolist() == [1.5] * 3


def test_unknown_conditions_and_medicines_are_refused_by_name() -> None:
    with pytest.raises(errors.BadInput, match="scurvy"):
        profile.build("a", 1, conditions=["scurvy"])
    with pytest.raises(errors.BadInput, match="lemons"):
        profile.build("a", 1, takes_medicines=["lemons"])
