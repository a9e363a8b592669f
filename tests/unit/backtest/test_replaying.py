"""A replay on several processes is the replay on one."""

from __future__ import annotations

import pytest

from alerts import backtest, pathways, timeline
from telehealth.backtest import replaying


def test_processes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same alerts and stays, in the same order; progress ends with everything."""
    monkeypatch.setattr(replaying, "_WORTH_IT", 0)
    monkeypatch.setattr(backtest, "_AT_ONCE", 40)
    readings = [
        timeline.Reading(person, hour * backtest.HOUR_US, "spo2", 84.0 if (hour * 7 + person) % 11 == 0 else 96.0)
        for person in range(9)
        for hour in range(0, 24 * 20, 12)
    ]
    history = backtest.History(tuple(f"p{n}" for n in range(9)), timeline.from_readings(readings))
    rule_set = pathways.compile(pathways.load("copd"))
    told: list[int] = []
    several = replaying.replay(history, rule_set, backtest.Manner(), told.append, 2)
    one = backtest.replay(history, rule_set, backtest.Manner())
    assert one.alerts
    assert (several.alerts, several.stays) == (one.alerts, one.stays)
    assert told[-1] == len(readings)
