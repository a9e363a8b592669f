"""The score as one JSON document, of which the tables and the page are made."""

from __future__ import annotations

from typing import Any

from simulator import clock
from simulator.scoring import definitions, figures, judging, reading

Json = dict[str, Any]
FORMAT = 1
MOST_LISTED = 20_000


def score(truth: reading.Truth, alerts: reading.Alerts) -> Json:
    """Sets the alerts against the truth."""
    judged = judging.judge(truth, alerts)
    run = truth.run
    return {
        "report": "score",
        "format": FORMAT,
        "run": None
        if run is None
        else {
            "seed": run.seed,
            "from": clock.text(run.from_),
            "to": run.to and clock.text(run.to),
            "scenarios": run.scenarios,
        },
        "read": {
            "residents": len({one.resident for one in judged.stays}),
            "courses": len(truth.courses),
            "overdue": len(truth.overdue),
            "faults": len(truth.faults),
            "alerts": len(alerts.alerts),
            "repeated_records": truth.repeated,
            "repeated_alerts": alerts.repeated,
        },
        "overall": figures.overall(judged),
        "by_pathway": figures.by_pathway(judged),
        "by_scenario": figures.by_scenario(judged),
        "courses": [_course(one) for one in judged.courses[:MOST_LISTED]],
        "alerts": [_alert(one) for one in judged.alerts[:MOST_LISTED]],
        "overdue": [
            {
                "resident": one.overdue.resident,
                "code": one.overdue.code,
                "due_at": clock.text(one.overdue.due_at),
                "told": one.told,
                "at": _at(one.at),
            }
            for one in judged.overdue[:MOST_LISTED]
        ],
        "most_listed": MOST_LISTED,
        "definitions": definitions.texts(),
    }


def _at(at: int | None) -> str | None:
    return None if at is None else clock.text(clock.from_ms(at))


def _course(one: judging.JudgedCourse) -> Json:
    return {
        "id": one.course.id,
        "resident": one.course.resident,
        "scenario": one.course.scenario,
        "pathway": one.pathway or None,
        "judged": one.judged,
        "noticed": one.judged and one.noticed,
        "standing": one.judged and one.standing,
        "onset": clock.text(one.course.onset),
        "first_at": _at(one.first),
        "notices": [
            {
                "what": notice.notice.what,
                "by": clock.text(notice.notice.by),
                "judged": notice.judged,
                "at": _at(notice.at),
                "alert": notice.alert,
                "standing": notice.standing,
            }
            for notice in one.notices
        ],
    }


def _alert(one: judging.JudgedAlert) -> Json:
    return {
        "id": one.alert.id,
        "resident": one.alert.resident,
        "rule": one.alert.rule,
        "priority": one.alert.priority,
        "raised_at": _at(one.at),
        "human": one.alert.human,
        "verdict": one.verdict,
        "because": one.because,
    }
