"""A replay on several processes is the replay on one."""

from __future__ import annotations

import pytest

from alerts import backtest, pathways, timeline
from simulator import clock, trial
from telehealth.backtest import replaying


def test_processes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same alerts and stays, in the same order; progress ends with everything."""
    monkeypatch.setattr(replaying, "_WORTH_IT", 0)
    monkeypatch.setattr(backtest, "_AT_ONCE", 40)
    made = trial.run("copd", scenario="copd_exacerbation_fast", residents=9, after_days=3, days=10)
    readings = [
        timeline.Reading(made.residents.index(one.resident), clock.to_ms(one.at) * 1000, one.code, float(one.value))
        for one in made.readings
        if one.code in ("spo2", "pulse") and isinstance(one.value, int | float)
    ]
    history = backtest.History(made.residents, timeline.from_readings(readings))
    rule_set = pathways.compile(pathways.load("copd"))
    told: list[int] = []
    several = replaying.replay(history, rule_set, backtest.Manner(), told.append, 2)
    one = backtest.replay(history, rule_set, backtest.Manner())
    assert one.alerts
    assert (several.alerts, several.stays) == (one.alerts, one.stays)
    assert told[-1] == len(readings)
