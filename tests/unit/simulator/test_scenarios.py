"""Scenario files: what they may say, what is wrong with them and where, and the courses that are drawn from them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from simulator import clock, errors, scenario, scenario_model, scenario_picture, truth
from simulator.bodies import physiology
from simulator.noise import Integers

ONSET = datetime(2026, 11, 1, 6, tzinfo=UTC)
START = clock.to_ms(ONSET)
HOUR = 3_600_000
SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "truth.json").read_text("utf-8"))
HEAD = 'name = "own"\ntitle = "Own"\ndescription = "Something"\n'


def hours(*wanted: float) -> Integers:
    return np.array([START + int(hour * HOUR) for hour in wanted], dtype=np.int64)


@pytest.mark.parametrize("name", scenario.names())
def test_packaged_scenarios_start_from_nothing_and_tell_the_truth(name: str) -> None:
    course = scenario.begin(scenario.load(name), ONSET, "9990000018", 7)
    assert scenario.load(name).name == name
    for code in physiology.VITALS:
        assert course.offset(code, hours(-24, -0.01)).tolist() == [0, 0]
        assert course.pull(code, hours(-24, -0.01))[0].tolist() == [0, 0]
        assert course.spread(code, hours(-24, -0.01)).tolist() == [1, 1]
    assert course.state("consciousness", START - 1) is None
    record = truth.course(course, "9990000018", "copd")
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(record)
    assert record["onset"] == "2026-11-01T06:00:00.000Z"


@pytest.mark.parametrize("name", scenario.names())
def test_packaged_scenarios_say_where_their_numbers_are_from_and_come_back_or_end(name: str) -> None:
    found = scenario.load(name)
    assert found.sources
    assert found.pathways
    assert found.notice or found.quiet
    for one in found.notice:
        assert set(one.pathways) <= set(found.pathways)
        assert found.end_hours is None or one.by_hours <= found.end_hours / found.tempo[0]
    if found.end_hours is not None and name not in ("death_expected", "hypotension_new_drug"):
        over = scenario.Course(found, ONSET)
        for code in physiology.VITALS:
            assert over.offset(code, hours(found.end_hours)).tolist() == [0], code
            assert over.pull(code, hours(found.end_hours))[0].tolist() == [0], code


def test_offsets_are_straight_between_hours_and_hold_after_the_last() -> None:
    found = scenario.parse(HEAD + '[[vital]]\ncode = "pulse"\nhours = [0, 10, 20]\noffset = [0, 20, 10]\n')
    course = scenario.Course(found, ONSET)
    assert course.offset("pulse", hours(-1, 0, 5, 10, 15, 20, 400)).tolist() == [0, 0, 10, 20, 15, 10, 10]
    assert course.offset("spo2", hours(5)).tolist() == [0]
    milder = scenario.Course(found, ONSET, severity=0.5, tempo=2.0)
    assert milder.offset("pulse", hours(2.5, 5, 10)).tolist() == [5, 10, 5]


def test_levels_replace_and_spreads_multiply() -> None:
    found = scenario.parse(
        HEAD
        + '[[vital]]\ncode = "glucose"\nhours = [0, 1, 3]\nlevel = [5, 2.6, 6]\npart = [0, 1, 0]\nspread = [1, 3, 1]\n'
    )
    part, level = scenario.Course(found, ONSET).pull("glucose", hours(-1, 0.5, 1, 2))
    assert part.tolist() == [0, 0.5, 1, 0.5]
    assert level[1:].tolist() == pytest.approx([3.8, 2.6, 4.3])
    assert scenario.Course(found, ONSET).spread("glucose", hours(-1, 0.5, 1, 9)).tolist() == [1, 2, 3, 1]


def test_several_courses_add_up() -> None:
    found = scenario.parse(
        HEAD + '[[vital]]\ncode = "pulse"\nhours = [0]\noffset = [10]\nspread = [2]\n'
        '[[state]]\ncode = "consciousness"\nhours = [0]\nvalue = ["V"]\n[adherence]\nhours = [0]\npart = [0.5]\n'
    )
    milder = scenario.parse(HEAD + '[[state]]\ncode = "consciousness"\nhours = [0]\nvalue = ["C"]\n')
    both = scenario.together([scenario.Course(found, ONSET)] * 2 + [scenario.Course(milder, ONSET)])
    assert both is not None
    assert both.offset("pulse", hours(1)).tolist() == [20]
    assert both.spread("pulse", hours(1)).tolist() == [4]
    assert both.adherence(hours(-1, 1)).tolist() == [1, 0.25]
    assert both.state("consciousness", START) == "V"
    assert scenario.together([]) is None


def test_symptoms_come_to_their_part_of_residents_and_stay() -> None:
    found = scenario.parse(
        HEAD + '[[symptom]]\ncode = "dizziness"\nhours = [0, 24, 48]\nchance = [0, 0.5, 1]\n'
        '[[symptom]]\ncode = "breathlessness"\nhours = [0, 24]\noffset = [0, 4]\n'
    )
    courses = [scenario.begin(found, ONSET, "r", seed) for seed in range(400)]
    said = [[course.state("dizziness", int(at)) for at in hours(0, 12, 24, 36, 48)] for course in courses]
    assert all(answers == sorted(answers, key=bool) for answers in said)
    assert sum(bool(answers[2]) for answers in said) == pytest.approx(200, abs=40)
    assert all(answers[4] for answers in said)
    assert courses[0].offset("breathlessness", hours(12)).tolist() == [2]


def test_events_are_drawn_by_the_seed_and_a_long_lie_ends_measuring() -> None:
    found = scenario.parse(
        HEAD
        + '[[event]]\nkind = "fall"\nat = [0, 2]\nchance = 0.5\n[[event]]\nkind = "long_lie"\nat = 2\nlasts = [1, 6]\n'
    )
    courses = [scenario.begin(found, ONSET, "r", seed) for seed in range(200)]
    falls = [
        [event for event in course.events(START - 1, START + 24 * HOUR) if event.kind == "fall"] for course in courses
    ]
    assert sum(map(len, falls)) == pytest.approx(100, abs=30)
    assert all(
        0 <= event.at_ms - START <= 2 * HOUR and event.values == {"fall": True} for each in falls for event in each
    )
    for course in courses[:20]:
        lie, found_again = course.events(START + HOUR * 2 - 1, START + 24 * HOUR)
        assert found_again.kind == "found"
        assert found_again.at_ms == lie.until_ms
        assert lie.until_ms is not None
        assert course.adherence(hours(1.9, 2.5)).tolist() == [1, 0]
        assert course.adherence(np.array([lie.until_ms], dtype=np.int64)).tolist() == [1]


@settings(max_examples=50)
@given(st.lists(st.floats(-48, 400), min_size=1, max_size=8), st.sampled_from(scenario.names()), st.integers(0, 99))
def test_order_and_step_never_change_a_course(at: list[float], name: str, seed: int) -> None:
    course = scenario.begin(scenario.load(name), ONSET, "r", seed)
    times = hours(*at)
    for code in physiology.VITALS:
        together = course.offset(code, times).tolist()
        assert together == [course.offset(code, times[i : i + 1])[0] for i in range(len(times))]
    low, high = START - 48 * HOUR, START + 400 * HOUR
    middle = int(times[0])
    assert course.events(low, high) == course.events(low, middle) + course.events(middle, high)


def test_a_kept_course_goes_on_as_it_was() -> None:
    course = scenario.begin(scenario.load(scenario.names()[0]), ONSET, "r", 5)
    assert scenario.from_json(json.loads(json.dumps(course.as_json()))) == course


def test_severity_and_tempo_are_drawn_within_their_ranges() -> None:
    found = scenario.parse("severity = [0.5, 1.5]\ntempo = [1, 2]\npeak_hours = 24\n" + HEAD)
    drawn = [scenario.begin(found, ONSET, "r", seed) for seed in range(200)]
    assert min(course.severity for course in drawn) < 0.6 < 1.4 < max(course.severity for course in drawn) <= 1.5
    assert all(timedelta(hours=12) <= course.peak - ONSET <= timedelta(hours=24) for course in drawn if course.peak)
    assert scenario.begin(found, ONSET, "r", 3) == scenario.begin(found, ONSET, "r", 3)


def test_a_usual_onset_keeps_to_the_local_times_of_the_file() -> None:
    found = scenario.parse('starts = ["23:30", "02:00"]\n' + HEAD)
    for key in range(50):
        at = scenario.usual_onset(found, datetime(2026, 7, 1, 12, tzinfo=UTC), "Europe/London", key)
        assert datetime(2026, 7, 1, 22, 30, tzinfo=UTC) <= at <= datetime(2026, 7, 2, 1, 0, tzinfo=UTC)


MISTAKES = [
    ("[[vital]]\ncode = 'pulse'\nhours = [0, 12]\noffset = [1]\n", 7, "offset has 1 numbers but hours has 2"),
    ("[[vital]]\ncode = 'puls'\nhours = [0]\noffset = [1]\n", 5, "is pulse meant"),
    ("[[vital]]\ncode = 'pulse'\nhours = [0,\n 12,\n 6]\noffset = [0, 1, 2]\n", 6, "hours must rise"),
    ("[[vital]]\ncode = 'pulse'\nhours = [0]\noffzet = [1]\n", 7, "is offset meant"),
    ("[[vital]]\ncode = 'pulse'\nhours = [0]\noffset = ['x']\n", 7, "list of numbers"),
    ("[[vital]]\ncode = 'pulse'\nhours = [0]\noffset = [1]\n" * 2, 9, "there twice"),
    ("[vital]\ncode = 'pulse'\n", 4, "two brackets"),
    ("peak_hours = true\n", 4, "peak_hours must be a number"),
    ("tempo = [2, 1]\n", 4, "the lower first"),
    ("starts = ['25:00', '01:00']\n", 4, "two local times"),
    (
        "# a comment\n\n[[state]]\ncode = 'consciousness'\nhours = [0]\nvalue = ['X']\n",
        9,
        "must be one of A, C, V, P, U",
    ),
    ("[[symptom]]\ncode = 'dizziness'\nhours = [0]\noffset = [1]\n", 7, "is yes or no"),
    ("[[symptom]]\ncode = 'breathlessness'\nhours = [0]\nchance = [1]\n", 7, "scale of 0 to 10"),
    ("[[event]]\nkind = 'fall'\n", 4, "at is missing"),
    ("[[event]]\nkind = 'fell'\nat = 1\n", 5, "is fall meant"),
    ("[[event]]\nkind = 'answer'\nat = 1\nvalues = { dizzy = true }\n", 7, "'dizzy', which is no code"),
    ("[[fault]]\nkind = 'motoin'\n", 5, "is motion meant"),
    ("[[fault]]\nfrom_hours = 1\n", 4, "kind is missing"),
    ("[[fault]]\nkind = 'motion'\ncodes = ['pulze']\n", 6, "is pulse meant"),
    ("[[fault]]\nkind = 'motion'\ncodes = 'pulse'\n", 6, "list of texts"),
    ("[[fault]]\nkind = 'motion'\nto_hours = 'x'\n", 6, "to_hours must be a number"),
    ("[[fault]]\nkind = 'motion'\nseconds = 3\n", 6, "there are: share, flagged"),
    ("[[vital]]\ncode = 'zzz'\nhours = [0]\noffset = [1]\n", 5, "must be one of systolic, "),
    ("[[vital]]\ncode = 'pulse'\nhours = [0, 1]\noffset = [1, '2']\n", 7, "number 2 of them is not: '2'"),
    ("[[vital]]\ncode = 'spo2'\nhours = [0]\nlevel = [500]\n", 7, "numbers from 50 to 100"),
    ("[[event]]\nkind = 'fall'\nat = 3\nhours = [1]\n", 7, "event has no 'hours'"),
    ("peak_hours = 50\nend_hours = 20\n", 5, "cannot be worst when it is over"),
    ("tempo = -1\n", 4, "tempo must be a number, or two"),
    ("pathways = ['frialty']\n", 4, "is frailty meant"),
    ("[[vitals]]\ncode = 'pulse'\n", 4, "is vital meant"),
    ("[[adherence]]\nhours = [0]\npart = [1]\n", 4, "one bracket"),
    ("[[vital]\ncode = 'pulse'\n", 4, "must be closed with two"),
    ("[adherence]\nhours = [0]\npart = [1]\n[adherence]\n", 7, r"\[adherence\] is there twice"),
    ("[[fault]]\nkind = 'motion'\n\nshare = 7\n", 7, "share is a number from 0 to 1"),
    ("[[notice]]\nwhat = 'it'\nby_hours = 4\n", 4, "source is missing"),
    ("[[notice]]\nwhat = 'it'\nby_hours = 4\nsource = 's'\npriority = 'urgent'\n", 8, "low, medium, high"),
    ("[[quiet]]\nwhy = 'calm'\nfrom_hours = 4\nto_hours = 4\n", 7, "later than from_hours"),
    ("[adherence]\nhours = [0]\npart = [2]\n", 6, "from 0 to 1"),
    ("title = 'again'\n", 4, "this is not TOML: the same name is there twice"),
    ("sources = ['''\n[[vital]]\n''']\nvitals = 1\n", 7, "is vital meant"),
    ("peak_hours = tomorrow\n", 4, "texts need quotes"),
    ("sources = [\n'one',\n'two'\n]\nvitals = 1\n", 8, "is vital meant"),
    ("peak_hours = 1\nfoo\n", 5, "this is not TOML"),
]


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES)
def test_a_mistake_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(errors.BadInput, match=f"own.toml: line {line}: .*{words}"):
        scenario.parse(HEAD + text, "own.toml")


def test_a_file_without_a_title_is_told_so_at_its_beginning() -> None:
    with pytest.raises(errors.BadInput, match=r"own\.toml: line 1: title is missing: write title = "):
        scenario.parse(HEAD.replace("title", "sources = []\n#"), "own.toml")


def test_two_codes_that_nobody_knows_are_two_mistakes_and_no_third() -> None:
    vital = "[[vital]]\ncode = '{}'\nhours = [0]\noffset = [1]\n"
    with pytest.raises(errors.BadInput) as caught:
        scenario.parse(HEAD + vital.format("zzz") + vital.format("yyy"))
    assert str(caught.value).count("\n") == 1


def test_a_pathway_of_ones_own_is_no_mistake() -> None:
    assert scenario.parse("pathways = ['renal', 'copd_severe']\n" + HEAD).pathways == ("renal", "copd_severe")


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(errors.BadInput) as caught:
        scenario.parse("title = 3\n[[vital]]\n")
    told = str(caught.value).splitlines()
    assert len(told) >= 5
    assert all(one.startswith("scenario: ") for one in told)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(HEAD, "utf-8")
    assert scenario.load(str(own)).title == "Own"
    with pytest.raises(errors.BadInput, match="or give a file"):
        scenario.load("own")
    with pytest.raises(errors.BadInput, match=r"cannot read none\.toml"):
        scenario.load(str(tmp_path / "none.toml"))
    own.write_bytes(b"\xff\xfe")
    with pytest.raises(errors.BadInput, match="line 1: this is not UTF-8"):
        scenario.load(str(own))


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    for one in (text, HEAD + text, HEAD + "[[vital]]\n" + text):
        try:
            assert isinstance(scenario.parse(one), scenario_model.Scenario)
        except errors.BadInput:
            continue


def test_the_example_of_the_document_is_a_scenario() -> None:
    document = (Path(__file__).parents[3] / "docs" / "simulator" / "scenarios.md").read_text("utf-8")
    example = document.split("```toml\n")[1].split("```")[0]
    found = scenario.parse(example)
    assert found.name == "flu"
    course = scenario.begin(found, ONSET, "r", 1)
    (fault,) = course.faults("r")
    assert (fault.kind, fault.target, fault.number("share")) == ("cold_finger", "resident:r", 0.5)


@pytest.mark.parametrize("name", scenario.names())
def test_a_scenario_can_be_shown(name: str) -> None:
    found = scenario.load(name)
    shown = scenario_picture.text(found)
    assert found.title in shown
    assert all(notice.what in shown for notice in found.notice)
    page = scenario_picture.page(found)
    assert page.count("<svg") == len(scenario_picture.rows(found))
    assert "nan" not in page
    assert json.loads(json.dumps(scenario_picture.as_json(found)))["name"] == name


def test_a_page_escapes_what_a_file_says() -> None:
    found = scenario.parse('name = "own"\ntitle = "<script>"\ndescription = "&"\n')
    assert "<script>" not in scenario_picture.page(found)
