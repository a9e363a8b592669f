"""What a score says of a truth and a list of alerts, against numbers worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator import errors
from simulator.scoring import definitions, intervals, page, reading, score
from tests.unit.scoring.made import (
    alert,
    at,
    course,
    fault,
    lines,
    listed,
    notice,
    overdue,
    scored,
    stay,
    verdicts,
)

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


# A course -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("raised", "noticed"), [(23.99, False), (24, True), (30, True), (48, True), (48.01, False)])
def test_onset_and_by_are_included(raised: float, noticed: bool) -> None:
    found = scored([stay(), course(notice(48))], [alert(raised)])
    assert found["overall"]["courses"]["noticed"] == noticed


def test_lead_times_are_hours_of_the_first_alert() -> None:
    """Peak 24 h after the onset; raised 6 h after it, and once more later: the later one changes nothing."""
    found = scored([stay(), course(notice(48))], [alert(40, "2"), alert(30, "1")])["overall"]
    assert found["lead"]["after_onset_hours"]["median"]["value"] == 6
    assert found["lead"]["before_peak_hours"]["median"]["value"] == 18
    assert found["lead"]["before_by_hours"]["median"]["value"] == 18
    assert found["lead"]["before_by_hours"]["count"] == 1


@pytest.mark.parametrize(
    ("given", "noticed"),
    [
        ({"priority": "low"}, False),
        ({"priority": "high"}, True),
        ({"codes": ["pulse"]}, False),
        ({"codes": ["pulse", "spo2"]}, True),
        ({"codes": []}, False),
        ({"category": "silence"}, False),
        ({"resident": "bert"}, False),
        ({"human": False}, True),
    ],
)
def test_what_fits_a_notice(given: dict[str, Any], noticed: bool) -> None:
    found = scored([stay(), stay("bert"), course(notice(48, ["spo2"]))], [alert(30, **given)])
    assert found["overall"]["courses"]["noticed"] == noticed


def test_a_notice_about_anything_is_met_by_an_alert_without_codes() -> None:
    assert scored([stay(), course(notice(48))], [alert(30, codes=[])])["overall"]["courses"]["noticed"] == 1


def test_a_notice_may_name_other_categories() -> None:
    found = scored([stay(), course(notice(48, categories=["silence"]))], [alert(30, category="silence")])
    assert found["overall"]["courses"]["noticed"] == 1
    assert verdicts(found) == ["right"]


def test_an_alert_from_before_the_onset_notices_nothing_but_is_told() -> None:
    found = scored([stay(), course(notice(48))], [alert(20)])
    assert found["overall"]["courses"] | {"sensitivity": None} == {
        "all": 1, "judged": 1, "noticed": 0, "sensitivity": None, "noticed_in_part": 0, "standing": 1,
        "nothing_to_notice": 0, "not_over": 0,
    }  # fmt: skip
    assert verdicts(found) == ["false"]
    cleared = scored([stay(), course(notice(48))], [alert(20, cleared_at=at(24))])
    assert cleared["overall"]["courses"]["standing"] == 0


def test_an_alert_from_before_the_onset_that_rises_within_it_notices() -> None:
    rising = [{"priority": "low", "at": at(20)}, {"priority": "high", "at": at(30)}]
    found = scored([stay(), course(notice(48, priority="medium"))], [alert(20, priority="high", priorities=rising)])
    assert found["courses"][0]["first_at"] == at(30)
    assert verdicts(found) == ["right"]


def test_a_course_is_noticed_when_all_of_its_notices_are_met() -> None:
    both = course(notice(48, ["spo2"]), notice(72, ["pulse"], what="then"))
    found = scored([stay(), both], [alert(30)])["overall"]
    assert (found["courses"]["noticed"], found["courses"]["noticed_in_part"]) == (0, 1)
    assert [(one["what"], one["met"], one["judged"]) for one in found["notices"]] == [("it", 1, 1), ("then", 0, 1)]
    assert scored([stay(), both], [alert(30, codes=["spo2", "pulse"])])["overall"]["courses"]["noticed"] == 1


@pytest.mark.parametrize("raised", [30, 300])
def test_a_course_whose_time_is_not_over_is_left_out(raised: float) -> None:
    found = scored([stay(stop=47), course(notice(48))], [alert(raised)])["overall"]
    assert (found["courses"]["judged"], found["courses"]["not_over"]) == (0, 1)
    assert found["courses"]["sensitivity"]["value"] is None
    assert found["lead"]["after_onset_hours"]["count"] == 0


def test_watched_until_by_is_watched_long_enough() -> None:
    assert scored([stay(stop=48), course(notice(48))], [])["overall"]["courses"]["judged"] == 1


def test_overlapping_courses_may_share_an_alert() -> None:
    found = scored([stay(), course(notice(48)), course(notice(60), onset=28, name="c2")], [alert(30)])
    assert found["overall"]["courses"]["noticed"] == 2
    assert [one["first_at"] for one in found["courses"]] == [at(30), at(30)]


def test_courses_without_a_resident_record_are_judged_and_add_no_days() -> None:
    found = scored([course(notice(48))], [alert(30)])
    assert found["overall"]["courses"]["noticed"] == 1
    assert found["overall"]["resident_days"] == 0
    assert found["overall"]["alerts"]["all"] == {
        "count": 0,
        "per_resident_day": {"value": None, "low": None, "high": None, "method": "nothing to count"},
    }
    assert verdicts(found) == ["unwatched"]


# Alerts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "verdict"), [(-0.01, "unwatched"), (0, "false"), (23, "false"), (24, "right"), (96, "right"),
                            (96.01, "false"), (239.99, "false"), (240, "unwatched")],
)  # fmt: skip
def test_when_an_alert_is_false(raised: float, verdict: str) -> None:
    """Watched [0, 240), ill [24, 96]."""
    assert verdicts(scored([stay(), course()], [alert(raised)])) == [verdict]


def test_a_course_without_end_goes_on() -> None:
    assert verdicts(scored([stay(), course(end=None)], [alert(239)])) == ["right"]


def test_what_must_not_alarm_is_false_within_a_course() -> None:
    quiet = [{"codes": ["spo2"], "from": at(30), "to": at(40), "why": "it is not ill there"}]
    found = scored(
        [stay(), course(quiet=quiet)],
        [alert(h, str(h)) for h in (29, 30, 40, 41)]
        + [alert(35, "other", codes=["pulse"]), alert(35, "t", category="technical"), alert(35, "n", codes=[])],
    )
    assert verdicts(found) == ["right", "false_quiet", "false_quiet", "right", "right", "false", "right"]
    assert found["overall"]["false"]["quiet"]["count"] == 2
    assert found["overall"]["false"]["all"]["count"] == 3


def test_what_is_wanted_is_right_also_where_another_course_is_quiet() -> None:
    quiet = [{"codes": None, "from": at(0), "to": at(240), "why": "all of it"}]
    found = scored([stay(), course(notice(48)), course(name="c2", quiet=quiet)], [alert(30), alert(50, "2")])
    assert verdicts(found) == ["right", "false_quiet"]


def test_faults_excuse_only_what_they_may() -> None:
    kinds = [alert(5, "c"), alert(5, "s", category="silence"), alert(5, "t", category="technical"), alert(25, "l")]
    assert verdicts(scored([stay(), fault()], kinds)) == ["false", "excused", "right", "false"]
    assert verdicts(scored([stay(), fault(must_not_alarm=False)], kinds)) == ["excused", "excused", "right", "false"]
    technical = alert(30, category="technical")
    assert verdicts(scored([stay(), fault()], [technical])) == ["false"]
    assert verdicts(scored([stay(), fault(technical_by=at(30))], [technical])) == ["right"]
    assert verdicts(scored([stay(), fault(stop=None)], [technical])) == ["right"]
    # What may still be told of a fault that is over excuses nothing any more.
    late = [alert(30, "c"), alert(30, "s", category="silence")]
    over = fault(technical_by=at(40), must_not_alarm=False)
    assert verdicts(scored([stay(), over], late)) == ["false", "false"]


def test_a_device_that_is_nobodys_counts_for_its_fault_alone() -> None:
    own = fault(resident=None, device_id="d1", technical_by=at(5))
    found = scored(
        [stay(), own], [alert(5, resident=None, device_id="d1", category="technical", codes=[]),
                        alert(5, "2", resident=None, device_id="d2", category="technical", codes=[])],
    )  # fmt: skip
    assert verdicts(found) == ["right", "unwatched"]
    assert found["overall"]["technical"]["told"] == 1
    assert found["overall"]["alerts"]["all"]["count"] == 0


def test_alerts_of_unknown_residents_are_in_no_rate() -> None:
    found = scored([stay()], [alert(5, resident="zoe")])["overall"]
    assert (found["unwatched"], found["alerts"]["all"]["count"], found["false"]["all"]["count"]) == (1, 0, 0)


def test_rates_are_by_the_days_watched() -> None:
    found = scored(
        [stay(), stay("bert", 0, 120), stay("bert", 144, 264)],
        [alert(5), alert(6, "2", human=False), alert(7, "3", resident="bert", priority="high")],
    )["overall"]
    assert found["resident_days"] == 20
    assert found["false"]["all"]["per_resident_day"]["value"] == pytest.approx(3 / 20)
    assert found["false"]["human"]["per_resident_day"]["value"] == pytest.approx(2 / 20)
    assert found["false"]["human_high"]["per_resident_day"]["value"] == pytest.approx(1 / 20)


def test_days_are_cut_to_what_the_list_covers() -> None:
    found = scored([stay()], [alert(30), alert(80, "2")], **{"from": at(24), "to": at(72)})
    assert found["overall"]["resident_days"] == 2
    assert verdicts(found) == ["false", "unwatched"]


def test_a_stay_without_end_goes_to_the_end_of_the_run_else_of_the_list() -> None:
    run = {"record": "run", "version": 1, "seed": 1, "from": at(0), "to": at(48), "scenarios": []}
    assert scored([run, stay(stop=None)], [])["overall"]["resident_days"] == 2
    assert scored([stay(stop=None)], [])["overall"]["resident_days"] == 10


# Overdue ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "measured", "told", "verdict"),
    [
        (9.99, None, "standing", "false"),
        (10, None, "on_time", "right"),
        (11, None, "on_time", "right"),
        (11.01, None, "late", "right"),
        (12, 12, "late", "right"),
        (12.01, 12, "missed", "false"),
        (10.5, 11, "open", "right"),
        (None, 11, "open", None),
        (None, 11.01, "missed", None),
        (None, None, "missed", None),
    ],
)
def test_overdue_alarms(raised: float | None, measured: float | None, told: str, verdict: str | None) -> None:
    """Due at 8, wanted from 10 to 11."""
    alerts = [] if raised is None else [alert(raised, category="silence")]
    found = scored([stay(), overdue(measured=measured)], alerts)
    assert [one["told"] for one in found["overdue"]] == [told]
    assert verdicts(found) == ([] if verdict is None else [verdict])


def test_an_alarm_that_stands_tells_of_the_next_one_too() -> None:
    found = scored([stay(), overdue(8), overdue(20)], [alert(10, category="silence", cleared_at=at(22))])
    assert [one["told"] for one in found["overdue"]] == ["on_time", "standing"]
    again = scored([stay(), overdue(8), overdue(20)], [alert(10, category="silence", cleared_at=at(21.9))])
    assert [one["told"] for one in again["overdue"]] == ["on_time", "missed"]
    assert again["overall"]["overdue"]["in_time"]["value"] == 0.5


def test_overdue_alarms_are_of_their_code() -> None:
    of = [stay(), overdue()]
    assert scored(of, [alert(10, category="silence", codes=["pulse"])])["overall"]["overdue"]["missed"] == 1
    assert scored(of, [alert(10, category="silence", codes=[])])["overall"]["overdue"]["on_time"] == 1
    assert scored(of, [alert(10)])["overall"]["overdue"]["missed"] == 1


# Files --------------------------------------------------------------------------------------------


def test_nothing_at_all_has_no_figures() -> None:
    found = scored([], [])
    assert found["overall"]["courses"]["sensitivity"]["value"] is None
    assert found["overall"]["alerts"]["human"]["per_resident_day"]["value"] is None
    assert page.page(found).startswith("<!doctype html>")


def test_a_stay_of_no_length_has_no_rate() -> None:
    found = scored([stay(start=5, stop=5)], [])["overall"]
    assert (found["residents"], found["resident_days"]) == (1, 0)
    assert found["alerts"]["all"]["per_resident_day"]["value"] is None


def test_what_comes_twice_counts_once() -> None:
    later = course(notice(48), end=30)
    found = scored([stay(), stay(), course(notice(48)), later, overdue(), overdue()], [alert(50), alert(50)])
    assert found["read"] == {
        "residents": 1, "courses": 1, "overdue": 1, "faults": 0, "alerts": 1,
        "repeated_records": 3, "repeated_alerts": 1,
    }  # fmt: skip
    assert verdicts(found) == ["false"], "the later record of the course ended it"
    assert found["overall"]["resident_days"] == 10


def test_an_array_is_read_like_lines() -> None:
    records = [stay(), course(notice(48))]
    array = json.dumps(records, indent=2).encode()
    alerts = reading.alerts_of(listed(alert(30)))
    assert score.score(reading.truth_of(array), alerts) == score.score(reading.truth_of(lines(*records)), alerts)


BAD_TRUTHS: list[tuple[bytes, str]] = [
    (lines(stay()) + b"\n\nnope", "line 3: is not JSON"),
    (lines(stay(), {"record": "other"}), "line 2: Invalid value 'other'"),
    (lines(stay(), {**course(), "onset": "2026-03-02"}), "line 2: .*onset"),
    (lines({**course(), "onset": "2026-03-02T00:00:00"}), "line 1: .*timezone.*onset"),
    (lines({k: v for k, v in stay().items() if k != "to"}), "line 1: .*missing required field `to`"),
    (lines(stay(start=5, stop=4)), "line 1: to is before from"),
    (lines(stay(), course(notice(23))), "line 2: notice it: by is before onset"),
    (lines(course(end=23)), "line 1: end is before onset"),
    (lines({**overdue(), "alarm_by": at(9)}), "line 1: not due_at <= alarm_from <= alarm_by"),
    (lines(stay(), stay(start=100, stop=300)), "line 2: overlaps"),
    (lines(stay(), course(notice(48, priority="urgent"))), "line 2: .*urgent"),
    (json.dumps([stay(), {**stay(), "resident": ""}], indent=1).encode(), "line 9: "),
    (b"[{}", "line 1: is not JSON"),
    (b"\xff\xfe", "line 1: is not JSON"),
]


@pytest.mark.parametrize(("data", "told"), BAD_TRUTHS, ids=range(len(BAD_TRUTHS)))
def test_broken_truth_is_refused_with_its_line(data: bytes, told: str) -> None:
    with pytest.raises(errors.BadInput, match=f"^--truth, {told}"):
        reading.truth_of(data)


def spaced(*alerts: Any) -> bytes:
    return json.dumps({"version": 1, "exported_at": at(0), "alerts": list(alerts)}, indent=1).encode()


BAD_LISTS: list[tuple[bytes, str]] = [
    (b"", "line 1: is not JSON"),
    (b'{"version": 1,\n "alerts": [}', "line 2: is not JSON"),
    (b'{"version": 2, "exported_at": "2026-03-02T00:00:00Z", "alerts": []}', "line 1: .*version"),
    (b"[]", "line 1: "),
    (spaced(alert(1), {**alert(2, "2"), "human": "yes"}), "line 21: alert 2: .*human"),
    (spaced(alert(1), alert(2)), "line 21: alert 2: has the id of another alert"),
    (spaced(alert(1, resident=None)), "line 5: alert 1: is about no resident and no device"),
    (spaced(alert(1, priorities=[{"priority": "low", "at": at(1)}])), "line 5: alert 1: priority is not the highest"),
]


@pytest.mark.parametrize(("data", "told"), BAD_LISTS, ids=range(len(BAD_LISTS)))
def test_a_broken_list_is_refused_with_its_line(data: bytes, told: str) -> None:
    with pytest.raises(errors.BadInput, match=f"^--alerts, {told}"):
        reading.alerts_of(data)


# The documented example ---------------------------------------------------------------------------


def test_the_documented_example() -> None:
    """docs/simulator/scoring.md works these out by hand."""
    found = score.score(
        reading.truth(str(EXAMPLES / "score_truth.jsonl")), reading.alerts(str(EXAMPLES / "score_alerts.json"))
    )
    assert {one["id"]: one["verdict"] for one in found["alerts"]} == {
        "1": "right", "2": "right", "3": "false_quiet", "4": "false", "5": "right", "6": "false", "7": "right",
        "8": "false_quiet", "9": "right", "10": "right", "11": "unwatched", "12": "right", "13": "false", "14": "false",
    }  # fmt: skip
    of = found["overall"]
    assert of["resident_days"] == 35
    assert (of["courses"]["noticed"], of["courses"]["judged"], of["courses"]["standing"]) == (1, 2, 1)
    assert (of["alerts"]["human"]["count"], of["false"]["all"]["count"], of["false"]["human"]["count"]) == (12, 6, 5)
    assert {name: of["overdue"][name] for name in ("on_time", "standing", "late", "missed", "open")} == dict.fromkeys(
        ("on_time", "standing", "late", "missed", "open"), 1
    )
    assert found["by_scenario"]["copd_slow"]["resident_days"] == 15
    assert found["by_pathway"]["copd"]["false"]["all"]["count"] == 3


def test_the_document_says_what_the_program_says() -> None:
    text = (EXAMPLES.parent / "simulator" / "scoring.md").read_text("utf-8")
    for one in definitions.texts():
        assert f"| {one['term']} | {one['meaning']} |" in text


# Intervals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0, 3.69), (1, 0.03, 5.57), (10, 4.80, 18.39), (100, 81.36, 121.63)],
)
def test_exact_poisson_limits_are_those_of_the_tables(count: int, low: float, high: float) -> None:
    found = intervals.rate(count, 1.0)
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.005)


def test_wilson_is_that_of_the_tables() -> None:
    found = intervals.proportion(8, 10)
    assert [found.low, found.high] == pytest.approx([0.490162, 0.943318], abs=1e-6)
    assert intervals.proportion(0, 5).low == 0
    assert intervals.proportion(5, 5).high == 1


def test_a_median_needs_six_values() -> None:
    assert intervals.median([1, 2, 3, 4, 5]).low is None
    six = intervals.median([6, 5, 4, 3, 2, 1])
    assert (six.value, six.low, six.high) == (3.5, 1, 6)
