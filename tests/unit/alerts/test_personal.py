"""What is personal about a resident's rules: changes follow each other, are signed, checked and can be undone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from alerts import errors, pathways, personal, plain, rules
from alerts.personal import Change, Rules, Signature

SIGNED = Signature("staff:3", "2026-11-21T10:00:00+00:00", "after the ward round", "2027-02-01")
HEART = pathways.load("heart_failure", "2")
COPD = pathways.load("copd", "2")


def start(pathway: Any = HEART, scale: Any = 1) -> Rules:
    return Rules(pathways.compile(pathway, spo2_scale=scale), scale, ())


def changed(before: Rules, *changes: Change, pathway: Any = HEART) -> Rules:
    return personal.change(before, pathway, changes, SIGNED)


def test_a_limit_is_set_and_says_who_and_why() -> None:
    after = changed(start(), Change("threshold/pulse", "amber_high", 100))
    rule = after.rule_set.thresholds["pulse"]
    assert rule.amber_high == 100
    assert rule.source.startswith("amber_high set for this resident by staff:3: after the ward round; ")
    assert [(o.rule, o.field, o.value, o.by, o.review_on) for o in after.overrides] == [
        ("threshold/pulse", "amber_high", 100, "staff:3", "2027-02-01")
    ]
    assert personal.differing(after, HEART)["threshold/pulse", "amber_high"] == 110
    assert personal.Override.from_json(after.overrides[0].to_json()) == after.overrides[0]


def test_going_back_leaves_nothing_personal() -> None:
    before = start()
    after = changed(before, Change("threshold/pulse", "amber_high", 100), Change("threshold/pulse", "red_high", 120))
    half = changed(after, Change("threshold/pulse", "red_high", how="back"))
    assert [one.field for one in half.overrides] == ["amber_high"]
    assert changed(half, Change("threshold/pulse", "amber_high", how="back")) == before
    assert changed(after, Change("threshold/pulse", how="back")) == before


def test_the_dry_weight_is_one_value() -> None:
    """Set for the gain, it is set for the loss; the rules decide from then on."""
    after = changed(start(), Change("distance/dry_weight_gain", "reference", 78.4))
    found = {key: getattr(rule, "reference", None) for key, rule in after.rule_set.assessments.items()}
    assert found["distance/dry_weight_gain"] == found["distance/dry_weight_loss"] == 78.4
    assert {one.rule for one in after.overrides} == {"distance/dry_weight_gain", "distance/dry_weight_loss"}


def test_a_rule_is_left_out_and_taken_in_again() -> None:
    before = start()
    after = changed(before, Change("silence/spo2", how="leave_out"))
    assert "spo2" not in after.rule_set.silences
    assert [rules.key_of(rule) for rule in personal.left_out(after, HEART)] == ["silence/spo2"]
    again = changed(after, Change("silence/spo2", how="back"))
    assert again.overrides == ()
    by_key = [{rules.key_of(rule): rule for rule in one.rule_set.rules} for one in (before, again)]
    assert by_key[0] == by_key[1]
    later = Signature("staff:4", "2027-01-11T10:00:00+00:00", "looked at again", "2027-06-01")
    signed_again = personal.change(after, HEART, [Change("silence/spo2", how="leave_out")], later)
    assert signed_again.rule_set == after.rule_set
    assert signed_again.overrides[0].why == "looked at again"


def test_what_a_combination_looks_at_stays() -> None:
    with pytest.raises(errors.RuleError):
        changed(start(), Change("baseline/weight_level", how="leave_out"))
    both = changed(
        start(), Change("baseline/weight_level", how="leave_out"), Change("combination/congestion", how="leave_out")
    )
    assert "baseline/weight_level" not in both.rule_set.assessments


def test_scale_2_brings_its_limits_and_keeps_what_is_personal_about_others() -> None:
    before = changed(start(COPD), Change("threshold/pulse", "amber_high", 100), pathway=COPD)
    before = changed(before, Change("threshold/spo2", "red_low", 87), pathway=COPD)
    after = changed(before, Change(personal.SCALE, "scale", 2), pathway=COPD)
    assert after.scale == 2
    assert after.rule_set.news2 is not None
    assert after.rule_set.news2.scale == 2
    assert after.rule_set.thresholds["spo2"].red_low == 84
    assert after.rule_set.thresholds["pulse"].amber_high == 100
    assert {(one.rule, one.field) for one in after.overrides} == {
        ("threshold/pulse", "amber_high"), (personal.SCALE, "scale"),
    }  # fmt: skip
    assert "combination/high_spo2_on_oxygen" in after.rule_set.assessments


def test_limits_at_a_time_of_the_day() -> None:
    night = [{"from": "22:00", "to": "07:00", "amber_low": 93}]
    after = changed(start(), Change("threshold/spo2", "profiles", night))
    assert [str(one) for one in after.rule_set.thresholds["spo2"].profiles] == ["22:00 to 07:00"]
    back = changed(after, Change("threshold/spo2", "profiles", how="back"))
    assert back.rule_set == start().rule_set


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (Change("threshold/spo2", "red_low", 95), "red_low"),
        (Change("threshold/spo2", "red_low", "88"), "red_low"),
        (Change("threshold/spo2", "red_low", float("nan")), "red_low"),
        (Change("threshold/spo2", "red_lo", 80), "red_lo"),
        (Change("threshold/spo2", "code", "pulse"), "code"),
        (Change("threshold/spo2", "source", "me"), "source"),
        (Change("threshold/spo2", "profiles", [{"from": "22:00", "to": "07:00", "amber_low": 80}]), "profiles"),
        (Change("threshold/mood", "red_low", 80), "threshold/mood"),
        (Change("change/weight_3_days", "window_hours", 400), "window_hours"),
        (Change("change/weight_3_days", "amber", None), "change/weight_3_days: has no limit"),
        (Change("distance/dry_weight_gain", "reference", -5), "reference"),
        (Change("silence/spo2", how="back"), "changes"),
        (Change("silence/mood", how="leave_out"), "silence/mood"),
        (Change(personal.SCALE, "scale", 3), "scale"),
        (Change("threshold/spo2", "red_low", 92), "red_low"),
    ],
)
def test_what_makes_no_sense_is_refused(change: Change, named: str) -> None:
    """Nothing is saved that a pathway file could not say, nor a change that changes nothing."""
    with pytest.raises(errors.RuleError) as caught:
        changed(start(), change)
    assert named in str(caught.value)


def test_a_review_is_overdue_the_day_after() -> None:
    (one,) = changed(start(), Change("threshold/pulse", "amber_high", 100)).overrides
    assert not one.overdue(date(2027, 2, 1))
    assert one.overdue(date(2027, 2, 2))


@pytest.mark.parametrize("name", pathways.names())
def test_every_rule_has_a_title_and_a_sentence(name: str) -> None:
    """Plain words with the numbers, whole sentences, nothing of the program's own language."""
    for scale in (1, 2):
        for rule in pathways.compile(pathways.load(name), spo2_scale=scale).rules:
            said = plain.sentence(rule)
            assert said.endswith(".")
            assert said[0].isupper() or said.startswith("SpO2")
            assert not any(word in said for word in ("None", "_", "{", "Cel", "mm["))
            assert plain.title(rule)[0].isupper() or plain.title(rule).startswith("SpO2")


def test_units_of_numbers() -> None:
    compiled = pathways.compile(HEART)
    weight = compiled.assessments["change/weight_3_days"]
    assert [plain.unit(weight, field) for field in ("window_hours", "amber", "confirm")] == ["h", "kg", ""]
    assert plain.unit(compiled.thresholds["systolic"], "red_low") == "mmHg"
    best = pathways.compile(COPD).assessments["distance/peak_flow_of_best"]
    assert [plain.unit(best, field) for field in ("amber", "reference")] == ["%", "L/min"]


def test_problems_name_fields_as_people_do() -> None:
    assert plain.worded("must not be above amber_low") == 'must not be above "amber below"'
    assert plain.worded("is wider than the band: an alert could never clear") == (
        "is wider than the band: an alert could never clear"
    )
