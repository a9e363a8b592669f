"""The study of resting pulse: formats, the CUSUM by hand, and when an illness is found."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from telehealth import errors
from telehealth.study import models, pulse, pulse_baseline, pulse_cases, pulse_logs, pulse_methods
from telehealth.study.pulse_logs import Person

MARCH_2 = 19_784


def person(name: str, days: int, *, onset: int | None = None, rise: float = 0.0, seed: int = 1) -> Person:
    chance = random.Random(f"{seed} {name}")
    daily = {
        day: 60 + round(chance.gauss(0, 1.5)) + (rise if onset is not None and 0 <= day - onset < 6 else 0.0)
        for day in range(days)
    }
    return Person(name, daily, onset)


def test_simple_files_with_onsets(tmp_path: Path) -> None:
    (tmp_path / "values.csv").write_text(
        "person,day,value\nA,2024-03-02,60\nA,2024-03-02,62\nA,2024-03-03,0\nA,2024-03-04,900\nB,2024-03-02,55\n"
    )
    (tmp_path / "onsets.csv").write_text("person,onset\nA,2024-03-09\nB,\n")
    people, used = pulse_logs.read(tmp_path)
    assert people == [Person("A", {MARCH_2: 61.0}, MARCH_2 + 7), Person("B", {MARCH_2: 55.0}, None)]
    assert used.refused == {"values.csv": ["line 5: a day or a pulse is not one"]}


def test_days_counted_from_the_onset(tmp_path: Path) -> None:
    (tmp_path / "values.csv").write_text("person,day,value\nA,-2,60\nA,0,61\n")
    (tmp_path / "onsets.csv").write_text("person,onset\nA,0\n")
    (found,), _ = pulse_logs.read(tmp_path)
    assert found.onset is not None
    assert {day - found.onset: value for day, value in found.daily.items()} == {-2: 60.0, 0: 61.0}


def test_welltory_and_stanford(tmp_path: Path) -> None:
    well, stanford = tmp_path / "welltory", tmp_path / "stanford"
    well.mkdir()
    stanford.mkdir()
    (well / "wearables.csv").write_text(
        '"user_code","day","resting_pulse","pulse_average"\n"u","2024-03-02",60,70\n"u","2024-03-03","",70\n'
    )
    (well / "participants.csv").write_text("user_code,gender,symptoms_onset\nu,m,3/9/2024\nw,f,\n")
    (well / "surveys.csv").write_text("user_code,scale,created_at,value,text\nu,S,2024-03-02,2,x\n")
    rows = [
        "2024-03-02 01:00:00,s,60,60",
        "2024-03-02 02:00:00,s,64,60",
        "2024-03-02 12:00:00,s,99,60",
        "2024-03-03 01:00:00,s,70,60",
    ]
    (stanford / "hourly.csv").write_text("\n".join(["hour,pid,rhr_median,rhr_n", *rows]))
    people, used = pulse_logs.read(tmp_path)
    assert people == [Person("s", {MARCH_2: 62.0}, None, True), Person("u", {MARCH_2: 60.0}, MARCH_2 + 7, False)]
    assert used.unknown == ["welltory/surveys.csv"]
    (stanford / "onsets.csv").write_text("person,onset\ns,2024-03-20\n")
    assert pulse_logs.read(tmp_path)[0][0].onset == MARCH_2 + 18


def test_nobody(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid, match="has no resting pulse that can be used"):
        pulse_logs.read(tmp_path)
    with pytest.raises(errors.Invalid, match="nobody with 14 days of resting pulse"):
        pulse_cases.prepare([person("short", 10)])


def called(daily: dict[int, float], limit: float) -> list[int]:
    return pulse_baseline.alerts(pulse_baseline.deviations(daily), limit)


def test_the_cusum_by_hand() -> None:
    """A flat month of 60: spread at its floor of 1, so that 62 adds 2 - 0.75 a day, and 80 no more than 4 - 0.75."""
    flat = dict.fromkeys(range(28), 60.0)
    assert called({**flat, 28: 62.0, 29: 62.0, 30: 62.0}, 4.0) == []
    assert called({**flat, 28: 62.0, 29: 62.0, 30: 62.0, 31: 62.0}, 4.0) == [31]
    assert called({**flat, 28: 80.0}, 3.2) == [28]
    assert called({**flat, 28: 80.0}, 3.3) == []
    assert called({**flat, 28: 80.0, 37: 61.0}, 3.3) == []  # forgotten after a gap
    assert called(dict.fromkeys(range(13), 60.0) | {13: 90.0}, 1.0) == []  # no baseline yet
    week = {**flat, **{28 + day: 70.0 for day in range(8)}}
    assert called(week, 3.2) == [28, 35]  # once in seven days


def test_an_illness_is_found_and_healthy_days_are_counted() -> None:
    people = [person("ill", 100, onset=60, rise=9.0), person("well", 80)]
    study = pulse_cases.prepare(people)
    real = [case for case in study.cases if not case.added]
    assert [(study.people[case.person].name, case.onset) for case in real] == [("ill", 60)]
    assert not any(60 - 14 <= day <= 60 + 28 for day in study.healthy[0])
    assert study.healthy[1] == frozenset(range(14, 80))
    added = [case.onset for case in study.cases if case.added and case.person == 1]
    assert len(added) == len(set(added)) == pulse_cases.BOUTS
    engine = pulse_methods.engine(study)
    own = engine.outcome(pulse.engine_limit())
    assert own.found[0] is not None
    assert 0 <= own.found[0] <= 6
    assert sum(own.false) <= 2
    tired = engine.outcome(1000.0)
    assert set(tired.found) == {None}
    assert sum(tired.false) == 0


def method(study: pulse_cases.Study, calls: float) -> pulse_methods.Method:
    """Of a method that calls on every healthy day of so many per unit of its limit; never on the ill."""

    def alerts(limit: float) -> list[list[int]]:
        return [sorted(days)[: int(calls * number / limit)] for number, days in enumerate(study.healthy, start=1)]

    return pulse_methods.Method("so many", study, alerts, lambda _: [[] for case in study.cases if case.added])


def test_at_the_budget_is_the_lowest_limit_within_it_by_tenths() -> None:
    study = pulse_cases.prepare([person(f"p{number}", 150, seed=number) for number in range(3)])
    chosen = method(study, 4.6).within(0.6)  # 13.4 months: 8 calls at most, of 4.6/limit + 9.2/limit + 13.8/limit
    assert chosen == 2.8  # 1 + 3 + 4; at 2.7 it is 1 + 3 + 5, and 3.0 is the lowest of the coarse ones
    assert method(study, 1000).within(0.6) is None


def test_nobody_has_a_say_in_their_own_limit() -> None:
    study = pulse_cases.prepare([person(f"p{number}", 150, seed=number) for number in range(3)])
    asked = method(study, 4.6)
    limits = [asked.within(0.6, without) for without in range(3)]
    left = asked.left_out(0.6)
    assert left is not None
    assert left.false == tuple(asked.false(limit)[one] for one, limit in enumerate(limits) if limit is not None)
    assert left.false[2] > asked.false(asked.within(0.6) or 0.0)[2]  # the others call less, so their limit is lower


def test_every_set_of_assumptions_makes_people() -> None:
    for name, kind in models.KINDS_OF_PULSE.items():
        ill, well = models.pulses(2, kind=kind)
        assert ill.onset is not None, name
        assert well.onset is None, name
        assert min(ill.daily) < ill.onset < max(ill.daily), name


def test_an_onset_without_a_baseline_is_not_judged() -> None:
    assert [
        case for case in pulse_cases.prepare([person("a", 60, onset=8), person("b", 60)]).cases if not case.added
    ] == []
