"""What is counted of everything, of a pathway or of a scenario, each figure with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from simulator import clock
from simulator.scoring import intervals, judging
from simulator.scoring.judging import Judged, JudgedAlert, JudgedCourse, JudgedFault, JudgedOverdue, Stay

Json = dict[str, Any]

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
#: The group of residents without any course.
NO_COURSE = "(no course)"
NO_PATHWAY = "(no pathway)"


@dataclass(frozen=True)
class Part:
    """What belongs to a group."""

    stays: Sequence[Stay]
    alerts: Sequence[JudgedAlert]
    courses: Sequence[JudgedCourse]
    overdue: Sequence[JudgedOverdue]
    faults: Sequence[JudgedFault]


def overall(judged: Judged) -> Json:
    """Of everything."""
    return _figures(Part(judged.stays, judged.alerts, judged.courses, judged.overdue, judged.faults))


def by_pathway(judged: Judged) -> dict[str, Json]:
    """By the pathway that a resident was on at the time."""
    names = {one.pathway for found in (judged.stays, judged.courses, judged.overdue) for one in found} | {
        one.pathway for one in judged.alerts if one.verdict != "unwatched"
    }
    return {name or NO_PATHWAY: _figures(_of_pathway(judged, name)) for name in sorted(names)}


def _of_pathway(judged: Judged, name: str) -> Part:
    return Part(
        [one for one in judged.stays if one.pathway == name],
        [one for one in judged.alerts if one.pathway == name and one.verdict != "unwatched"],
        [one for one in judged.courses if one.pathway == name],
        [one for one in judged.overdue if one.pathway == name],
        [one for one in judged.faults if one.pathway == name],
    )


def by_scenario(judged: Judged) -> dict[str, Json]:
    """Courses by their scenario; days, alerts and the rest of every resident who has a course of it."""
    of: dict[str, set[str]] = {}
    for one in judged.courses:
        of.setdefault(one.course.scenario, set()).add(one.course.resident)
    ill = set().union(*of.values())
    everybody = {stay.resident for stay in judged.stays}
    found = {
        name: _figures(_of_residents(judged, residents.__contains__, name)) for name, residents in sorted(of.items())
    }
    if everybody - ill:
        found[NO_COURSE] = _figures(_of_residents(judged, (everybody - ill).__contains__, None))
    return found


def _of_residents(judged: Judged, wanted: Callable[[str], bool], scenario: str | None) -> Part:
    return Part(
        [one for one in judged.stays if wanted(one.resident)],
        [one for one in judged.alerts if wanted(one.alert.resident or "") and one.verdict != "unwatched"],
        [one for one in judged.courses if one.course.scenario == scenario],
        [one for one in judged.overdue if wanted(one.overdue.resident)],
        [one for one in judged.faults if wanted(one.fault.resident or "")],
    )


def _figures(part: Part) -> Json:
    days = sum(stay.stop - stay.start for stay in part.stays) / DAY_MS
    seen = [one for one in part.alerts if one.verdict != "unwatched"]
    # A device that is nobody's is in nobody's days.
    counted = [one for one in seen if one.alert.resident is not None]

    def burden(wanted: Callable[[JudgedAlert], bool]) -> Json:
        count = sum(1 for one in counted if wanted(one))
        return {"count": count, "per_resident_day": intervals.rate(count, days).to_json()}

    return {
        "residents": len({stay.resident for stay in part.stays}),
        "resident_days": days,
        "courses": _courses(part.courses),
        "lead": _leads([one for one in part.courses if one.judged]),
        "notices": _notices(part.courses),
        "alerts": {
            "all": burden(lambda _: True),
            "human": burden(lambda one: one.alert.human),
            "human_high": burden(lambda one: one.alert.human and one.alert.priority == "high"),
        },
        "false": {
            "all": burden(_false),
            "human": burden(lambda one: _false(one) and one.alert.human),
            "human_high": burden(lambda one: _false(one) and one.alert.human and one.alert.priority == "high"),
            "quiet": burden(lambda one: one.verdict == "false_quiet"),
            **{category: burden(_false_of(category)) for category in ("clinical", "silence", "technical")},
        },
        "excused": sum(1 for one in counted if one.verdict == "excused"),
        "unwatched": len(part.alerts) - len(seen),
        "overdue": _overdue(part.overdue),
        "technical": _technical(part.faults),
    }


def _false(one: JudgedAlert) -> bool:
    return one.verdict in ("false", "false_quiet")


def _false_of(category: str) -> Callable[[JudgedAlert], bool]:
    return lambda one: _false(one) and one.alert.category == category


def _courses(courses: Sequence[JudgedCourse]) -> Json:
    judged = [one for one in courses if one.judged]
    noticed = sum(one.noticed for one in judged)
    some = sum(one.first is not None for one in judged)
    return {
        "all": len(courses),
        "judged": len(judged),
        "noticed": noticed,
        "sensitivity": intervals.proportion(noticed, len(judged)).to_json(),
        "noticed_in_part": some - noticed,
        "standing": sum(one.standing for one in judged),
        "nothing_to_notice": sum(not one.notices for one in courses),
        "not_over": sum(bool(one.notices) and not one.judged for one in courses),
    }


def _leads(courses: Sequence[JudgedCourse]) -> Json:
    firsts = [(one, one.first) for one in courses if one.first is not None]
    return {
        "after_onset_hours": _spread((at - clock.to_ms(one.course.onset)) / HOUR_MS for one, at in firsts),
        "before_peak_hours": _spread(
            (judging.ms(one.course.peak) - at) / HOUR_MS for one, at in firsts if one.course.peak is not None
        ),
        "before_by_hours": _spread(
            (clock.to_ms(notice.notice.by) - notice.at) / HOUR_MS
            for one in courses
            for notice in one.notices
            if notice.at is not None
        ),
    }


def _spread(values: Iterable[float]) -> Json:
    found = sorted(values)
    return {
        "count": len(found),
        "median": intervals.median(found).to_json(),
        "least": found[0] if found else None,
        "most": found[-1] if found else None,
    }


def _notices(courses: Sequence[JudgedCourse]) -> list[Json]:
    counts: dict[tuple[str, str], list[int]] = {}
    for course in courses:
        for one in course.notices:
            own = counts.setdefault((course.course.scenario, one.notice.what), [0, 0])
            own[0] += one.judged
            own[1] += one.judged and one.at is not None
    return [
        {
            "scenario": scenario,
            "what": what,
            "judged": of,
            "met": met,
            "share": intervals.proportion(met, of).to_json(),
        }
        for (scenario, what), (of, met) in sorted(counts.items())
    ]


def _overdue(overdue: Sequence[JudgedOverdue]) -> Json:
    counts = {
        told: sum(one.told == told for one in overdue) for told in ("on_time", "standing", "late", "missed", "open")
    }
    judged = len(overdue) - counts["open"]
    return {
        "wanted": judged,
        **counts,
        "in_time": intervals.proportion(counts["on_time"] + counts["standing"], judged).to_json(),
        "late_minutes": _spread(
            (one.at - clock.to_ms(one.overdue.alarm_by)) / 60_000
            for one in overdue
            if one.told == "late" and one.at is not None
        ),
    }


def _technical(faults: Sequence[JudgedFault]) -> Json:
    judged = [one for one in faults if one.told is not None]
    told = sum(one.told is True for one in judged)
    return {"wanted": len(judged), "told": told, "share": intervals.proportion(told, len(judged)).to_json()}
