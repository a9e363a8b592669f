# ruff: noqa: E501 -- messages are asserted as they are written, and tables of cases stay tables
"""Pathway files of a hospital's own: what is read from them, and how every mistake is told."""

from __future__ import annotations

import contextlib
import random
import tomllib
from pathlib import Path

import jsonschema
import pytest

from alerts import errors, pathways, rules
from alerts.pathways import schema
from alerts.pathways.lines import Lines

SCHEMA = schema.schema()

GOOD = """\
name = "north_copd"
version = "2026.1"
title = "COPD of the north hospital"
approval = "approved by the ward's lead clinician, 3 Nov 2026"

[[rules]]
kind = "threshold"
code = "spo2"
unit = "%"
red_low = { value = 86, source = "ward meeting of 3 Nov 2026" }
amber_low = { value = 90, source = "ward meeting of 3 Nov 2026", approval = "needs local approval" }
hysteresis = { value = 1, source = "resolution of the oximeter" }
# by night lower values are usual
profiles = [
    { from = "22:00", to = "07:00", amber_low = { value = 88, source = "ward meeting, [night]" } },
]

[[rules]]
kind = "change"
name = "weight_2_days"
code = "weight"
direction = "rise"
source = "local heart failure team"
window_hours = 48
amber = 1.5

[[rules]]
kind = "distance"
name = "dry_weight"
code = "weight"
direction = "above"
reference = { source = "set for each resident" }
amber = { value = 2, source = "local heart failure team" }

[[rules]]
kind = "combination"
name = "worse"
conditions = [
    { rule = "change/weight_2_days", level = "amber", label = "weight up" },
    { code = "breathlessness", above = { value = 4, source = "local # choice" }, max_age_hours = 24, label = "breathless", source = "local" },
]
amber = { value = 2, source = "both" }

[schedule.spo2]
times = ["08:00", "20:00"]
grace_minutes = 90
"""


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    """Its numbers keep their sources and states; what takes the rule's source says so; it fits the schema."""
    file = tmp_path / "north.toml"
    file.write_text(GOOD, "utf-8")
    pathway = pathways.read(file)
    jsonschema.Draft202012Validator(SCHEMA).validate(tomllib.loads(GOOD))
    found = {(number.rule, number.field): number for number in pathway.numbers}
    assert found["threshold/spo2", "amber_low"].approval == "needs local approval"
    assert found["threshold/spo2", "red_low"].approval.startswith("approved by")
    assert found["change/weight_2_days", "amber"].source == "local heart failure team"
    assert found["distance/dry_weight", "reference"].value is None
    assert found["combination/worse", "conditions[1].max_age_hours"].source == "local"
    compiled = pathways.compile(pathway)
    assert [rules.key_of(rule) for rule in compiled.rules] == [
        "threshold/spo2", "change/weight_2_days", "distance/dry_weight", "combination/worse",
    ]  # fmt: skip
    assert compiled.thresholds["spo2"].profiles


def worded(text: str) -> str:
    """With a rule that has words for the resident."""
    rule = 'kind = "symptom"\nname = "red_flags"\ncodes = ["chest_pain"]\nred = 1\nsource = "NHS advice"'
    return f"{GOOD}\n[[rules]]\n{rule}\nresident_text = {text}\n"


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(GOOD.splitlines(), 1) if text in line)


BROKEN = {
    "not_toml": (GOOD.replace('code = "spo2"', "code = spo2"), 'line 8: is not valid TOML: a text must be in quotes'),
    "decimal_comma": (
        GOOD.replace("amber = 1.5", "amber = 1,5"),
        f"line {line_of('amber = 1.5')}: is not valid TOML: write decimal numbers with a point, 37.8 and not 37,8",
    ),
    "no_toml_at_all": ("rules: spo2 below 88\n", "line 1: is not valid TOML: a line must be like name = value"),
    "empty": ("", 'name: is missing: write name = "copd"'),
    "no_version": (GOOD.replace('version = "2026.1"\n', ""), 'version: is missing: write version = "1"'),
    "version_is_a_number": (
        GOOD.replace('version = "2026.1"', "version = 2026.1"),
        "line 2: version: must be a text in quotes, version = \"1\"",
    ),
    "name_of_no_use": (GOOD.replace("north_copd", "North COPD"), 'line 1: name: must be like name = "copd"'),
    "no_approval": (
        GOOD.replace('approval = "approved by the ward\'s lead clinician, 3 Nov 2026"\n', ""),
        'approval: is missing: write approval = "needs local approval", or who approved',
    ),
    "misspelt_at_the_top": (GOOD.replace("title =", "titel ="), 'titel: "titel" is not a field of a pathway, did you mean "title"?'),
    "misspelt_limit": (
        GOOD.replace("red_low =", "red_lo ="),
        'line 10: rule 1 (threshold spo2), red_lo: "red_lo" is not a field of a threshold rule, did you mean "red_low"?',
    ),
    "unknown_code": (
        GOOD.replace('code = "spo2"', 'code = "sp02"'),
        'line 8: rule 1 (threshold sp02), code: "sp02" is not a measure that is known, did you mean "spo2"?',
    ),
    "no_code": (GOOD.replace('code = "spo2"\n', ""), "rule 1 (threshold), code: is missing: it names the measure"),
    "unknown_kind": (
        GOOD.replace('kind = "change"', 'kind = "chang"'),
        'rule 2 (chang weight_2_days weight), kind: is "chang", which is not known, did you mean "change"?',
    ),
    "no_kind": (GOOD.replace('kind = "change"\n', ""), "rule 2 (weight_2_days weight), kind: is missing; kinds of rules are"),
    "wrong_unit": (GOOD.replace('unit = "%"', 'unit = "kPa"'), "line 9: rule 1 (threshold spo2), unit: limits of spo2 are in %"),
    "wrong_unit_of_a_number": (
        GOOD.replace("value = 86,", 'value = 86, unit = "mmHg",'),
        "line 10: rule 1 (threshold spo2), red_low: is given in mmHg, but this measure is judged in %",
    ),
    "limits_in_the_wrong_order": (
        GOOD.replace("value = 86", "value = 92"),
        "line 10: rule 1 (threshold spo2), red_low: must not be above amber_low (red_low is 92, amber_low is 90)",
    ),
    "hysteresis_too_wide": (
        GOOD.replace('hysteresis = { value = 1,', 'amber_high = { value = 95, source = "local" }\nhysteresis = { value = 9,'),
        "rule 1 (threshold spo2), hysteresis: is wider than the band: an alert could never clear",
    ),
    "no_source": (
        GOOD.replace('red_low = { value = 86, source = "ward meeting of 3 Nov 2026" }', "red_low = 86"),
        "line 10: rule 1 (threshold spo2), red_low: has no source: say where the number comes from",
    ),
    "empty_source": (
        GOOD.replace('value = 1, source = "resolution of the oximeter"', 'value = 1, source = ""'),
        "line 12: rule 1 (threshold spo2), hysteresis: has no source",
    ),
    "empty_approval_of_a_number": (
        GOOD.replace('approval = "needs local approval" }', 'approval = "" }'),
        "line 11: rule 1 (threshold spo2), amber_low.approval: has no approval",
    ),
    "approval_that_says_nothing": (
        GOOD.replace('approval = "needs local approval" }', 'approval = "yes" }'),
        'line 11: rule 1 (threshold spo2), amber_low.approval: is "yes", which does not say who approved it and when: '
        'write "needs local approval", or who approved it and when, such as "approved by the heart failure board, 3 Nov 2026"',
    ),
    "approval_of_the_file_that_says_nothing": (
        GOOD.replace("approved by the ward's lead clinician, 3 Nov 2026", "pending, 3 Nov 2026"),
        'line 4: approval: is "pending, 3 Nov 2026", which does not say who approved it and when',
    ),
    "approval_without_a_day": (
        GOOD.replace("approved by the ward's lead clinician, 3 Nov 2026", "approved by the ward's lead clinician"),
        "line 4: approval: is \"approved by the ward's lead clinician\", which does not say",
    ),
    "approval_on_no_day": (
        GOOD.replace("3 Nov 2026\"\n", "31 Nov 2026\"\n"),
        "line 4: approval: names a day that there is not, 31 Nov 2026",
    ),
    "approval_of_a_rule": (
        GOOD.replace('code = "spo2"\n', 'code = "spo2"\napproval = true\n', 1),
        "line 9: rule 1 (threshold spo2), approval: has no approval: write",
    ),
    "words_too_long": (
        worded('"' + "Ring us. " * 40 + '"'),
        "rule 5 (symptom red_flags), resident_text: is 360 characters long: a device's screen shows at most 300",
    ),
    "no_words": (worded("999"), "resident_text: must be words for the resident, in quotes"),
    "words_without_a_source": (
        worded('"Call 999."').replace('source = "NHS advice"\n', ""),
        'resident_text: has no source: say where the words come from, source = "..."',
    ),
    "words_that_nobody_approved": (
        worded('{ value = "Call 999.", approval = "ok" }'),
        'rule 5 (symptom red_flags), resident_text.approval: is "ok", which does not say who approved it and when',
    ),
    "words_without_a_red_limit": (
        worded('"Call 999."').replace("red = 1", "amber = 1"),
        "resident_text: needs a red limit: devices show it when the rule becomes red",
    ),
    "words_of_another_rule": (
        GOOD.replace('unit = "%"', 'unit = "%"\nresident_text = "Call 999."'),
        'rule 1 (threshold spo2), resident_text: "resident_text" is not a field of a threshold rule',
    ),
    "no_value": (
        GOOD.replace("red_low = { value = 86, ", "red_low = { "),
        "line 10: rule 1 (threshold spo2), red_low: has no value",
    ),
    "number_as_text": (
        GOOD.replace("value = 86", 'value = "86"'),
        "line 10: rule 1 (threshold spo2), red_low: must be a number without quotes and with a decimal point: 86",
    ),
    "number_as_word": (GOOD.replace("value = 86", "value = true"), "line 10: rule 1 (threshold spo2), red_low: must have a number"),
    "misspelt_value": (
        GOOD.replace("value = 86, source", "value = 86, sorce"),
        'line 10: rule 1 (threshold spo2), red_low: "sorce" is not a field of a number, did you mean "source"?',
    ),
    "window_too_long": (
        GOOD.replace("window_hours = 48", "window_hours = 400"),
        f"line {line_of('window_hours')}: rule 2 (change weight_2_days weight), window_hours: must be a whole number from 1 to 168 (window_hours is 400)",
    ),
    "negative_window": (
        GOOD.replace("window_hours = 48", "window_hours = -48"),
        "window_hours: must be a whole number from 1 to 168 (window_hours is -48)",
    ),
    "no_limit": (GOOD.replace("amber = 1.5\n", ""), "rule 2 (change weight_2_days weight): has no limit at all"),
    "wrong_word": (
        GOOD.replace('direction = "rise"', 'direction = "up"'),
        "rule 2 (change weight_2_days weight), direction: must be rise or fall",
    ),
    "rule_twice": (
        GOOD.replace('kind = "distance"\nname = "dry_weight"\ncode = "weight"\ndirection = "above"\nreference = { source = "set for each resident" }\n',
                     'kind = "change"\nname = "weight_2_days"\ncode = "weight"\ndirection = "fall"\n'),
        "there is a rule change/weight_2_days already, in line 18: one of them is too many",
    ),
    "combination_of_nothing": (
        GOOD.replace('rule = "change/weight_2_days"', 'rule = "change/weight_3_days"'),
        'rule 4 (combination worse), conditions[0].rule: there is no rule "change/weight_3_days" in this pathway; there are threshold/spo2',
    ),
    "code_of_a_condition": (
        GOOD.replace('code = "breathlessness"', 'code = "breathless"'),
        'rule 4 (combination worse), conditions[1].code: "breathless" is not a measure that is known, did you mean "breathlessness"?',
    ),
    "combination_of_a_threshold_without_a_side": (
        GOOD.replace('rule = "change/weight_2_days"', 'rule = "threshold/spo2"'),
        'conditions[0].rule: "threshold/spo2" does not say which limits: write threshold/spo2/low; there are threshold/spo2/low, change/weight_2_days, distance/dry_weight',
    ),
    "combination_of_a_side_without_limits": (
        GOOD.replace('rule = "change/weight_2_days"', 'rule = "threshold/spo2/high"'),
        "conditions[0].rule: threshold/spo2 has no high limits to look at: write threshold/spo2/low; there are",
    ),
    "limits_of_a_profile_in_the_wrong_order": (
        GOOD.replace("amber_low = { value = 88,", "amber_low = { value = 85,"),
        "profiles[0].red_low: must not be above amber_low (red_low is 86, amber_low is 85)",
    ),
    "profile_of_another_shape": (
        GOOD.replace("profiles = [", 'profiles = [ "night",'),
        'profiles[0]: must be written with its times and limits: { from = "22:00", to = "07:00"',
    ),
    "limits_in_another_unit": (
        GOOD.replace('code = "spo2"\nunit = "%"', 'code = "glucose"').replace("value = 86", "value = 54"),
        "line 9: rule 1 (threshold glucose), red_low: cannot be 54 mmol/L: limits of glucose are from 1 to 33.3 mmol/L; did you mean mg/dL? 54 mg/dL is 3.0 mmol/L",
    ),
    "an_alert_that_cannot_end": (
        GOOD.replace("hysteresis = { value = 1,", "hysteresis = { value = 20,"),
        "line 12: rule 1 (threshold spo2), hysteresis: cannot be 20 %: an alert at 90 % would end only at 110 %",
    ),
    "curly_quotes": (
        GOOD.replace('code = "spo2"', "code = \u201cspo2\u201d"),
        "line 8: is not valid TOML: quotes must be straight",
    ),
    "curly_quote_at_the_end": (
        GOOD.replace('code = "spo2"', 'code = "spo2\u201d'),
        "line 8: is not valid TOML: quotes must be straight",
    ),
    "priority_of_a_score": (
        GOOD + '\n[[rules]]\nkind = "news2"\nsource = "local"\npriority = "high"\n',
        'rule 5 (news2), priority: must be written as priority = { emergency = "high", urgent = "medium", single = "low" }',
    ),
    "misspelt_with_a_proposal": (
        GOOD.replace("hysteresis =", "hysterese ="),
        'did you mean "hysteresis"? Its fields are kind, scale',
    ),
    "wrong_time": (
        GOOD.replace('"20:00"', '"8pm"'),
        "line 45: schedule.spo2.times: must be local times as HH:MM (one of them is 8pm: write 20:00 for 8 in the evening)",
    ),
    "schedule_of_nothing": (
        GOOD.replace("[schedule.spo2]", "[schedule.sp02]"),
        'schedule.sp02: "sp02" is not a measure that is known, did you mean "spo2"?',
    ),
    "wrong_priority": (
        GOOD + '\n[[rules]]\nkind = "silence"\ncode = "pulse"\npriority = "urgent"\nsource = "chosen"\n',
        'priority: must be high, medium or low (priority is "urgent")',
    ),
    "one_bracket": (
        GOOD.replace("[[rules]]", "[rules]"),
        "is not valid TOML: each rule begins with [[rules]], in two brackets",
    ),
    "open_brace": (
        GOOD + '\n[[rules]]\nkind = "silence"\ncode = "pulse"\ngrace_seconds = { value = 7200, source = "x"\n',
        "is not valid TOML: what begins with { must end with } on the same line",
    ),
    "scale_of_news2": (
        GOOD + '\n[[rules]]\nkind = "news2"\nscale = 2\n',
        "rule 5 (news2), scale: is set for each resident by a clinician, never by a pathway",
    ),
    "no_rules": ('name = "a"\nversion = "1"\ntitle = "A"\napproval = "needs local approval"\n', "rules: there is no rule: each rule begins with [[rules]]"),
    "single_brackets": (
        'name = "a"\nversion = "1"\ntitle = "A"\napproval = "needs local approval"\n[rules]\nkind = "news2"\n',
        "rules: there is no rule: each rule begins with [[rules]]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_told_with_its_place(name: str) -> None:
    text, told = BROKEN[name]
    with pytest.raises(pathways.Unusable) as caught:
        pathways.parse(text)
    said = [str(problem) for problem in caught.value.problems]
    assert any(told in one for one in said), said


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        ("needs local approval", True),
        ("needs local approval: minute 4 is not confirmed", True),
        ("approved by the board, 3 Nov 2026, review Nov 2027", True),
        ("Approved by Dr A. Okafor on 03-November-2026", True),
        ("approved by ward 3 (2026-11-03)", True),
        ("Needs local approval", False),
        ("not approved by the board, 3 Nov 2026", False),
        ("approved, 3 Nov 2026", False),
        ("approved by 3 Nov 2026", False),
        ("approved by the board, Nov 2026", False),
        ("approved by the board, 3/11/2026", False),
        ("approved by the board, 3 Nov 20267", False),
        ("yes", False),
    ],
)
def test_an_approval_says_who_and_when(said: str, fine: bool) -> None:
    """The reader and the schema agree on what counts as approved."""
    text = GOOD.replace("approved by the ward's lead clinician, 3 Nov 2026", said)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(tomllib.loads(text)) is fine
    if fine:
        pathways.parse(text)
        return
    with pytest.raises(pathways.Unusable) as caught:
        pathways.parse(text)
    assert [problem.path for problem in caught.value.problems] == ["approval"]


def test_every_mistake_is_told_at_once() -> None:
    """Whoever corrects a file is not sent round once for each."""
    text = GOOD.replace("value = 86", "value = 92").replace("window_hours = 48", "window_hours = 0")
    text = text.replace('code = "breathlessness"', 'code = "mood"')
    with pytest.raises(pathways.Unusable) as caught:
        pathways.parse(text)
    assert [problem.line for problem in caught.value.problems] == [
        10,
        line_of("window_hours"),
        line_of("breathlessness"),
    ]


NONSENSE = [
    "5",
    '"x"',
    "true",
    "[]",
    "{}",
    "{ value = 1 }",
    '{ source = "abc" }',
    "nan",
    "-1",
    "[{}]",
    "1979-05-27",
    "x =",
]


@pytest.mark.parametrize("seed", range(20))
def test_no_file_is_answered_by_anything_but_problems(seed: int) -> None:
    """Whatever stands in it: it is read, or every mistake is told."""
    chance = random.Random(seed)
    texts = [GOOD, *(pathways.load(name).text for name in pathways.names())]
    for _ in range(20):
        lines = chance.choice(texts).split("\n")
        for place in chance.sample(range(len(lines)), 3):
            name, sign, _ = lines[place].partition("=")
            lines[place] = f"{name}{sign} {chance.choice(NONSENSE)}" if sign else chance.choice(lines)
        with contextlib.suppress(pathways.Unusable):
            pathways.compile(pathways.parse("\n".join(lines)))


def test_a_file_that_begins_with_a_mark(tmp_path: Path) -> None:
    """Some editors put a byte order mark before a text in UTF-8."""
    (tmp_path / "marked.toml").write_bytes(GOOD.encode("utf-8-sig"))
    assert pathways.read(tmp_path / "marked.toml") == pathways.parse(GOOD)


@pytest.mark.parametrize("side", ["low", "high"])
def test_what_a_check_takes_can_be_used(side: str) -> None:
    """A combination may look at the limits of a profile, too."""
    text = GOOD.replace('rule = "change/weight_2_days"', f'rule = "threshold/spo2/{side}"')
    text = text.replace(
        "amber_low = { value = 88,",
        f"{'red' if side == 'low' else 'amber'}_{side} = {{ value = {80 if side == 'low' else 98},",
    )
    assert "combination/worse" in pathways.compile(pathways.parse(text)).assessments


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(errors.RuleError, match="cannot be read"):
        pathways.read(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9t\xe9"\n')
    with pytest.raises(errors.RuleError, match="UTF-8"):
        pathways.read(tmp_path / "latin.toml")
    (tmp_path / "long.toml").write_bytes(b"# " + b"x" * 1_000_001)
    with pytest.raises(errors.RuleError, match="longer"):
        pathways.read(tmp_path / "long.toml")
    with pytest.raises(errors.RuleError):
        pathways.read(tmp_path)


def test_lines_of_a_document() -> None:
    """Of keys, elements of arrays, dotted keys and tables of tables; brackets in texts and comments are no brackets."""
    lines = Lines(
        'a = "[" # ]\nb.c = [\n  1, # [\n  { d = "]" },\n]\n[[t]]\nx = """\n[[t]]\n"""\n[[t.u]]\ny = 1\n[[t]]\nz = \'{\'\nw = 2\n'
    )
    found = [lines.of(path) for path in ("a", "b.c", "b.c[0]", "b.c[1].d", "t[0].x", "t[0].u[0].y", "t[1]", "t[1].w")]
    assert found == [1, 2, 3, 4, 7, 11, 12, 14]
    assert lines.of("nowhere") is None
