"""The study of weight: logs of several makes, the sweep against brute force, gains that must and must not be found."""

from __future__ import annotations

import itertools
import random
import statistics
from pathlib import Path

import pytest

from alerts import pathways
from telehealth import errors
from telehealth.study import rule_sets, weight, weight_logs, weight_rules
from telehealth.study.weight_logs import Log

DAY = 86_400_000_000


def log(person: str, days: int, *, noise: float = 0.2, seed: int = 1, every: int = 1, base: float = 80.0) -> Log:
    chance = random.Random(seed)
    kept = range(0, days, every)
    values = [round(base + chance.gauss(0, noise), 1) for _ in kept]
    return Log(person, tuple((19_000 + day) * DAY + DAY // 3 for day in kept), tuple(values))


def test_logs_of_several_makes(tmp_path: Path) -> None:
    (tmp_path / "scale.csv").write_text(
        "startDate,value,unit,sourceName\n2022-01-19 06:22:42 -0800,200,lb,App\n2022-01-18 06:19:00 -0800,90.5,kg,App\n"
        "2022-01-17 06:19:00 -0800,14,st,App\n2022-01-16 06:19:00 -0800,9,kg,App\nsoon,90,kg,App\n"
    )
    (tmp_path / "krone.csv").write_text(
        "subject,day,sex,week,condition,body_weight\n1,0,1,1,C,69.4\n2,0,1,1,C,NA\n2,3,1,1,C,70\n"
    )
    (tmp_path / "fitbit.csv").write_text("Id,Date,WeightKg,WeightPounds\n7,5/2/2016 11:59:59 PM,52.6,115.9\n")
    (tmp_path / "pounds.csv").write_text("date,weight_lb\n2024-01-01,150\n")
    (tmp_path / "backtest.csv").write_text(
        "person,code,value,unit,taken_at\nA,weight,80,kg,2024-01-01T08:00:00Z\nA,pulse,70,/min,2024-01-01T08:00:00Z\n"
    )
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    logs, used = weight_logs.read(tmp_path)
    found = {one.person: one.kg for one in logs}
    assert found == {
        "scale.csv": pytest.approx((90.5, 200 * 0.45359237)),
        "fitbit.csv:7": (52.6,),
        "krone.csv:1": (69.4,),
        "krone.csv:2": (70.0,),
        "pounds.csv": pytest.approx((68.0389,)),
        "backtest.csv:A": (80.0,),
    }
    assert used.unknown == ["other.csv"]
    assert [line.split(": ")[1] for line in used.refused["scale.csv"]] == [
        "the unit is neither kg nor lb", "cannot be the weight of an adult", "a time or a weight is not one",
    ]  # fmt: skip


def test_no_logs_and_nobody_who_weighs_often(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid, match="has no log of weights that can be used; known are: person,day,value"):
        weight_logs.read(tmp_path)
    with pytest.raises(errors.Invalid, match="nobody who weighs on 10 of 14 days"):
        weight.prepare([log("rare", 60, every=3)])


def test_regular_days_against_brute_force() -> None:
    chance = random.Random(4)
    days = sorted(chance.sample(range(100), 70))
    expected = {day for day in range(days[0], days[-1] + 1) if sum(day - 13 <= other <= day for other in days) >= 10}
    assert weight_logs.regular(days) == expected


@pytest.mark.parametrize("seed", range(5))
def test_the_sweep_against_brute_force(seed: int) -> None:
    chance = random.Random(seed)
    daily = {day: round(80 + chance.gauss(0, 1), 1) for day in range(80) if chance.random() < 0.8}
    for rule, back in zip(weight_rules.SWEEP[:4], (3, 1, 7, 2), strict=True):
        for day, signal in weight_rules.signals(rule, daily, sorted(daily)):
            before = [kg for other, kg in daily.items() if 1 <= day - other <= back]
            assert signal == daily[day] - min(before)
    for day, signal in weight_rules.signals(weight_rules.SWEEP[4], daily, sorted(daily)):
        new = [kg for other, kg in daily.items() if 0 <= day - other <= 2]
        old = [kg for other, kg in daily.items() if 4 <= day - other <= 13]
        assert signal == statistics.median(new) - statistics.median(old)
    found = weight_rules.signals(weight_rules.SWEEP[0], daily, sorted(daily))
    called = weight_rules.alerts(found, 1.0)
    assert all(later - earlier >= 7 for earlier, later in itertools.pairwise(called))
    assert called == sorted(called)
    assert called[0] == next(day for day, signal in found if signal > 1.0)


def test_quiet_logs_have_no_false_alert_and_gains_are_found() -> None:
    study = weight.prepare([log(f"p{number}", 70, seed=number) for number in range(3)])
    assert sum(study.years) == pytest.approx(3 * (70 - 9) / 365.25)
    own = weight.engine(study, rule_sets.weight())
    assert sum(own.false) == 0
    assert not any(own.chance)
    of_14 = [gain for gain, ramp in zip(own.gains, study.ramps, strict=True) if ramp.length == 14]
    assert len(of_14) == 60
    assert all(gain is not None and 1.0 < gain <= 2.3 for gain in of_14)
    (leaflet, *_) = [one for one in weight.sweep(study, weight_rules.SWEEP[0]) if one.published]
    assert sum(leaflet.false) == 0
    assert not any(leaflet.gains)  # 2.3 kg over 14 days is half a kilogram in 3


def test_an_alert_that_was_there_before_the_gain_finds_nothing() -> None:
    days, kg = list(range(40)), [80.0] * 13 + [80 + 0.4 * step for step in range(1, 12)] + [84.4] * 16
    rising = Log("p", tuple((19_000 + day) * DAY for day in days), tuple(kg))
    study = weight.prepare([rising])
    own = weight.engine(study, rule_sets.weight())
    assert sum(own.false) >= 1
    assert any(gain is None for gain in own.gains)


def test_starts_are_the_same_each_time_and_within_regular_weighing() -> None:
    logs = [log("a", 200), log("b", 60, seed=2)]
    first, second = weight.prepare(logs), weight.prepare(logs)
    assert first.ramps == second.ramps
    assert {ramp.length for ramp in first.ramps} == {14, 21, 30}
    for ramp in first.ramps:
        assert all(day in first.regular[ramp.log] for day in ramp.days)
        assert ramp.gained(ramp.start) == 0
        assert ramp.gained(ramp.start + ramp.length) == pytest.approx(2.3)
    quarters = {(ramp.log, ramp.length, first.unit(ramp.log, ramp.start)) for ramp in first.ramps}
    assert len(first.ramps) <= weight.STARTS * len(quarters)


def test_the_best_rule_is_within_the_budget() -> None:
    study = weight.prepare([log(f"p{number}", 90, seed=number, noise=0.7) for number in range(4)])
    swept = [one for rule in weight_rules.SWEEP for one in weight.sweep(study, rule)]
    best = weight.best(study, swept)
    assert best is not None
    assert sum(best.false) <= sum(study.years)
    assert all(
        sum(gain is not None for gain in one.gains) <= sum(gain is not None for gain in best.gains)
        for one in swept
        if sum(one.false) <= sum(study.years)
    )


def test_the_rules_of_another_pathway_can_be_judged(tmp_path: Path) -> None:
    """From a file; one without rules on gains, or that is not there, is refused."""
    own = tmp_path / "own.toml"
    text = pathways.load("heart_failure").text
    own.write_text(text.replace('name = "weight_3_days"', 'name = "weight_3_days"\nagainst = "median"'), "utf-8")
    judged = rule_sets.weight(str(own)).assessments["change/weight_3_days"]
    assert judged.dump()["against"] == "median"
    for wrong in ("copd", "heart_failure@1", "nothing", str(tmp_path / "none.toml")):
        with pytest.raises(errors.Invalid, match="--pathway"):
            rule_sets.weight(wrong)
