"""Dry runs: what changed rules would have done, said as a nurse would."""

from __future__ import annotations

from typing import Any

from alerts import backtest, dryrun, engine, rules, schedule, timeline

DAY, HOUR = backtest.DAY_US, backtest.HOUR_US
#: A Thursday in winter, midnight in London.
T0 = 1_793_836_800_000_000
NOW = T0 + 28 * DAY
NOTHING = schedule.parse({}, "Europe/London")


def rule_set(*entries: dict[str, Any]) -> rules.RuleSet:
    return rules.RuleSet.from_json({"pathway": "test", "version": "1", "rules": list(entries)})


def spo2(red: float, amber: float | None = None) -> rules.RuleSet:
    return rule_set({"kind": "threshold", "code": "spo2", "red_low": red, "amber_low": amber, "hysteresis": 1})


def readings(
    values: dict[float, float], *, code: str = "spo2", usual: float = 96.0, first: int = -60
) -> timeline.Timeline:
    """One a day at midnight from two months before T0 on, usual but where said (days after T0)."""
    found = {float(day): usual for day in range(first, 28)} | values
    return timeline.from_readings(
        [timeline.Reading(7, T0 + round(day * DAY), code, value) for day, value in found.items()]
    )


def subject(versions: list[tuple[int, rules.RuleSet]], **more: Any) -> engine.Subject:
    spells = more.pop("spells", [engine.Spell(T0 - 60 * DAY, None, NOTHING)])
    return engine.Subject(7, versions, spells, more.pop("pauses", []), "Europe/London")


def tried(before: rules.RuleSet, after: rules.RuleSet, values: dict[float, float], **more: Any) -> dryrun.Outcome:
    return dryrun.run(subject([(T0 - 60 * DAY, before)], **more), readings(values), after, since=T0, now=NOW)


def test_a_tighter_limit_costs_and_catches() -> None:
    """The sentence of the design: more alerts, what they cost, what would have been caught earlier."""
    values = {3.0: 90.0, 8.0: 90.0, 14.0 - 7 / 24: 90.0, 14.0: 84.0}
    found = tried(spo2(88), spo2(92), values)
    assert dryrun.sentence(found) == (
        "2 more alerts in 4 weeks, about 8 nurse-minutes a week; would have caught 19-Nov 7 h earlier"
    )
    assert (len(found.before), len(found.after), found.more) == (1, 3, 2)
    assert found.minutes_a_week == 2 * 15 / 4


def test_the_cost_of_an_alert_is_a_setting() -> None:
    values = {3.0: 90.0, 8.0: 90.0}
    cost = dryrun.Cost(24.0, "measured here", "approved")
    found = dryrun.run(subject([(T0 - DAY, spo2(88))]), readings(values), spo2(92), since=T0, now=NOW, cost=cost)
    assert "about 12 nurse-minutes a week" in dryrun.sentence(found)
    assert dryrun.to_json(found)["nurse_minutes_each"] == {
        "value": 24.0,
        "source": "measured here",
        "approval": "approved",
    }


def test_a_looser_limit_saves_and_misses() -> None:
    found = tried(spo2(92), spo2(85), {3.0: 90.0, 8.0: 90.0, 14.0: 80.0})
    assert dryrun.sentence(found) == (
        "2 fewer alerts in 4 weeks, about 8 nurse-minutes a week less; would have missed 08-Nov (and 13-Nov)"
    )
    document = dryrun.to_json(found)
    assert [alert["reason"] for alert in document["saved"]] == [
        "SpO2 90 % at 00:00, below 92 % (red)",
        "SpO2 90 % at 00:00, below 92 % (red)",
    ]
    assert document["added"] == []


def test_rules_that_change_nothing_say_so() -> None:
    assert dryrun.sentence(tried(spo2(88), spo2(88), {3.0: 80.0})) == "The same alert in 4 weeks"
    assert dryrun.sentence(tried(spo2(88), spo2(87), {})) == "No alert in 4 weeks, as now"


def test_a_new_kind_of_rule_that_warns_before_the_old_one() -> None:
    """Weight rises before the saturation falls: a change rule beside the threshold is earlier."""
    weights = [timeline.Reading(7, T0 + day * DAY + 1, "weight", 80.0 + max(0, day - 12)) for day in range(-10, 20)]
    falls = [timeline.Reading(7, T0 + day * DAY, "spo2", 84.0 if day == 15 else 96.0) for day in range(-10, 28)]
    change = {"kind": "change", "code": "weight", "direction": "rise", "window_hours": 72, "amber": 1.5, "confirm": 1}
    low = {"kind": "threshold", "code": "spo2", "red_low": 88}
    found = dryrun.run(
        subject([(T0 - 60 * DAY, rule_set(low))]),
        timeline.from_readings(weights + falls),
        rule_set(low, change),
        since=T0,
        now=NOW,
    )
    assert "would have caught 20-Nov" in dryrun.sentence(found)
    assert "earlier" in dryrun.sentence(found)


def test_rules_are_compared_as_they_were_in_force() -> None:
    """Strict limits in the first two weeks only: what they raised then is in force's, not the changed rules'."""
    versions = [(T0 - 60 * DAY, spo2(92)), (T0 + 14 * DAY, spo2(88))]
    values = {3.0: 90.0, 20.0: 90.0}
    found = dryrun.run(subject(versions), readings(values), spo2(88), since=T0, now=NOW)
    assert (len(found.before), len(found.after)) == (1, 0)


def test_what_staff_acted_on_counts_as_an_event() -> None:
    """No rule in force found it, but somebody did: the changed rules would have."""
    noted = [dryrun.Event(T0 + 14 * DAY, None, "admitted")]
    found = dryrun.run(
        subject([(T0 - 60 * DAY, spo2(85))]), readings({13.5: 90.0}), spo2(92), since=T0, now=NOW, noted=noted
    )
    assert dryrun.sentence(found).endswith("would have caught 19-Nov, which was missed")


def test_pauses_and_stays_hold_for_both() -> None:
    """Nothing in a pause, nothing before admission; a week is a week of being monitored."""
    values = {3.0: 80.0, 10.0: 80.0, 24.0: 80.0}
    found = tried(
        spo2(70),
        spo2(88),
        values,
        spells=[engine.Spell(T0 + 7 * DAY, None, NOTHING)],
        pauses=[(T0 + 9 * DAY, T0 + 16 * DAY)],
    )
    assert len(found.after) == 1
    assert found.days == 14.0
    assert dryrun.sentence(found).startswith("1 more alert in 2 weeks, about 8 nurse-minutes a week")


def test_a_short_stay_is_not_blown_up_to_a_week() -> None:
    found = tried(spo2(70), spo2(88), {26.0: 80.0}, spells=[engine.Spell(T0 + 25 * DAY, None, NOTHING)])
    assert dryrun.sentence(found).startswith("1 more alert in 3 days, about 15 nurse-minutes in all")
    assert dryrun.to_json(found)["nurse_minutes_a_week"] is None
    none = tried(spo2(70), spo2(88), {26.0: 80.0}, spells=[])
    assert dryrun.sentence(none) == "Not monitored in this time: nothing can be said"


def test_what_began_before_the_weeks_is_not_counted() -> None:
    """Low since long before: no alert of these weeks, by either."""
    low = {float(day): 80.0 for day in range(-20, 28)}
    found = tried(spo2(88), spo2(90), low)
    assert (len(found.before), len(found.after)) == (0, 0)
