"""The report of a replay as one JSON document, of which the page and the terminal's tables are made too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from alerts import backtest, codes, comparing, measures, onsets
from alerts.backtest import Alert
from alerts.measures import Figures, Judged
from telehealth.backtest import definitions, readings, truth
from telehealth.backtest.rulefile import Chosen

Json = dict[str, Any]

FORMAT = 1
MOST_ALERTS = 10_000
MOST_ONSETS = 1_000
_MOST_PEOPLE = 20
_MOST_STRETCHES = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """What a report is about."""

    loaded: readings.Loaded
    known: truth.Loaded | None
    windows: onsets.Windows
    manner: backtest.Manner


def backtested(asked: Asked, chosen: Chosen, judged: Judged) -> Json:
    """The document of one rule set."""
    return {
        "report": "backtest",
        "format": FORMAT,
        **_head(asked, [chosen], judged),
        **_one(asked, chosen, judged),
    }


def compared(asked: Asked, chosen: tuple[Chosen, Chosen], judged: tuple[Judged, Judged]) -> Json:
    """The document of two rule sets side by side."""
    first, second = judged
    found = comparing.compare(first, second)
    return {
        "report": "compare",
        "format": FORMAT,
        **_head(asked, list(chosen), first),
        "first": _one(asked, chosen[0], first),
        "second": _one(asked, chosen[1], second),
        "alerts": {
            "both": len(found.pairs.both),
            "only_first": len(found.pairs.only_first),
            "only_second": len(found.pairs.only_second),
            "saved": len(found.pairs.only_first),
            "added": len(found.pairs.only_second),
            "second_earlier_hours": found.earlier_hours.to_json(),
            "by_rule": [
                {"rule": rule, "both": counts[0], "only_first": counts[1], "only_second": counts[2]}
                for rule, counts in comparing.by_rule(first, second, found.pairs).items()
            ],
            "listed_only_first": _alerts(asked, first, found.pairs.only_first),
            "listed_only_second": _alerts(asked, second, found.pairs.only_second),
        },
        "difference": {
            "per_resident_day": found.alerts.to_json(),
            "human_per_resident_day": found.human.to_json(),
            "false_per_person_day": None if found.false is None else found.false.to_json(),
            "sensitivity": None if found.found is None else found.found.difference.to_json(),
        },
        "onsets": None if found.found is None else _found(asked, first, second, found.found),
    }


def _found(asked: Asked, first: Judged, second: Judged, found: comparing.Found) -> Json:
    def listed(positions: Sequence[int]) -> list[Json]:
        return [
            {
                **_onset(asked, first, position),
                "first": _named(comparing.first_alert(first, position)),
                "second": _named(comparing.first_alert(second, position)),
            }
            for position in positions[:MOST_ONSETS]
        ]

    return {
        "both": len(found.both),
        "only_first": len(found.only_first),
        "only_second": len(found.only_second),
        "neither": len(found.neither),
        "second_earlier_hours": found.earlier_hours.to_json(),
        "listed_only_first": listed(found.only_first),
        "listed_only_second": listed(found.only_second),
    }


def _named(alert: Alert | None) -> Json | None:
    return None if alert is None else {"rule": alert.rule, "started_at": instant(alert.started_at)}


# What was read ------------------------------------------------------------------------------------


def _head(asked: Asked, chosen: Sequence[Chosen], judged: Judged) -> Json:
    loaded, known = asked.loaded, asked.known
    rows = loaded.history.readings
    kinds = sorted({onset.kind for onset in known.onsets}) if known is not None else []
    return {
        "data": {
            "people": len(loaded.history.people),
            "readings": len(rows),
            "from": instant(int(rows.at.min())),
            "to": instant(int(rows.at.max())),
            "resident_days": sum(judged.replay.days),
            "stays": sum(len(stays) for stays in judged.replay.stays),
            "lines": loaded.count,
            "repeated": loaded.repeated,
            "conflicts": loaded.conflicts,
            "failed": loaded.failed,
            "extreme": loaded.extreme,
            "unknown": loaded.unknown,
            "refused": _refused(loaded.refused),
        },
        "truth": None
        if known is None
        else {
            "lines": known.count,
            "onsets": len(known.onsets),
            "observed": sum(judged.observed),
            "without_readings": known.strangers,
            "repeated": known.repeated,
            "refused": _refused(known.refused),
        },
        "definitions": definitions.of(asked.manner, asked.windows, kinds if known is not None else None),
    }


def _refused(refused: Any) -> Json:
    return {"lines": refused.total, "by_reason": dict(sorted(refused.counts.items())), "first": refused.lines}


# One rule set -------------------------------------------------------------------------------------


def _one(asked: Asked, chosen: Chosen, judged: Judged) -> Json:
    wanted = backtest.keys(chosen.rule_set, silence=asked.manner.expected is not None)
    overall, rules = measures.figures(judged, wanted)
    readings_of = _readings_of(asked.loaded.history)
    return {
        "rules": {
            "label": chosen.label,
            "pathway": chosen.rule_set.pathway,
            "version": chosen.rule_set.version,
            "number": len(chosen.rule_set.rules),
        },
        "overall": _figures(overall, known=judged.truth is not None),
        "by_rule": [
            {
                "rule": key,
                "readings": sum(readings_of.get(code, 0) for code in wanted.get(key, ())),
                **_figures(found, known=judged.truth is not None),
            }
            for key, found in rules.items()
        ],
        "by_kind": [
            {"kind": kind, "onsets": count, "sensitivity": share.to_json(), "lead_hours": lead.to_json()}
            for kind, (count, share, lead) in measures.by_kind(judged).items()
        ],
        "leads_hours": [round(hours, 3) for hours in measures.leads_of(judged, lambda _: True)[:MOST_ALERTS]],
        "people": _people(asked, judged),
        "over_time": _over_time(asked, judged),
        "missed": _missed(asked, judged),
        "alert_list": _alerts(asked, judged, range(len(judged.replay.alerts))),
        "alert_list_whole": len(judged.replay.alerts) <= MOST_ALERTS,
    }


def _readings_of(history: backtest.History) -> dict[str, int]:
    counts = np.bincount(history.readings.code, minlength=len(codes.CODES))
    return {code: int(count) for code, count in zip(codes.CODES, counts, strict=True)}


def _figures(found: Figures, *, known: bool) -> Json:
    burden = {
        "alerts": found.alerts,
        "human_handled": found.human,
        "withdrawn": found.withdrawn,
        "per_resident_day": found.per_day.to_json(),
        "human_per_resident_day": found.human_per_day.to_json(),
        "top_tenth": {
            "people": found.top_people,
            "share": found.top_share.to_json(),
            "per_resident_day": found.top_per_day.to_json(),
        },
    }
    if not known:
        return burden
    quartiles = None if found.lead_quartiles is None else list(found.lead_quartiles)
    return {
        **burden,
        "onsets": found.onsets,
        "found": found.found,
        "sensitivity": found.sensitivity.to_json(),
        "lead_hours": {**found.lead_hours.to_json(), "quartiles": quartiles},
        "true_alerts": found.true,
        "precision": found.precision.to_json(),
        "false_alerts": {
            "count": found.false,
            "per_person_day": found.false_per_day.to_json(),
            "per_person_month": found.false_per_month.to_json(),
            "per_person_year": found.false_per_year.to_json(),
        },
    }


def _people(asked: Asked, judged: Judged) -> Json:
    counts = measures.per_person(judged.replay)
    days = judged.replay.days
    order = sorted(range(len(counts)), key=lambda person: (-counts[person], asked.loaded.history.people[person]))
    return {
        "counts": sorted(counts, reverse=True)[:MOST_ALERTS],
        "most": [
            {
                "person": asked.loaded.history.people[person],
                "alerts": counts[person],
                "resident_days": days[person],
                "per_resident_day": counts[person] / days[person] if days[person] else None,
            }
            for person in order[:_MOST_PEOPLE]
            if counts[person]
        ],
    }


def _over_time(asked: Asked, judged: Judged) -> list[Json]:
    """Counts in whole days, at most _MOST_STRETCHES stretches of equal length."""
    at = asked.loaded.history.readings.at
    first, last = int(at.min()) // backtest.DAY_US, int(at.max()) // backtest.DAY_US
    days = -(-(last - first + 1) // _MOST_STRETCHES)
    stretches: list[Json] = [
        {"from": instant(day * backtest.DAY_US), "to": instant((day + days) * backtest.DAY_US - 1), "alerts": 0,
         "human_handled": 0}
        for day in range(first, last + 1, days)
    ]  # fmt: skip
    for alert in judged.replay.alerts:
        # What waited for a repeat that never came may start after the last reading.
        number = min((alert.started_at // backtest.DAY_US - first) // days, len(stretches) - 1)
        stretches[number]["alerts"] += 1
        stretches[number]["human_handled"] += not alert.auto
    return stretches


def _missed(asked: Asked, judged: Judged) -> Json:
    missed = [p for p, positions in enumerate(judged.found) if not positions and judged.observed[p]]
    return {
        "count": len(missed),
        "alert_open_before": sum(judged.standing[position] for position in missed),
        "listed": [
            {**_onset(asked, judged, position), "alert_open_before": judged.standing[position]}
            for position in missed[:MOST_ONSETS]
        ],
    }


def _onset(asked: Asked, judged: Judged, position: int) -> Json:
    onset = (judged.truth or ())[position]
    return {"person": asked.loaded.history.people[onset.person], "onset": instant(onset.at), "kind": onset.kind}


def _alerts(asked: Asked, judged: Judged, positions: Sequence[int]) -> list[Json]:
    return [
        {
            "person": asked.loaded.history.people[alert.person],
            "rule": alert.rule,
            "started_at": instant(alert.started_at),
            "ended_at": None if alert.ended_at is None else instant(alert.ended_at),
            "priority": alert.priority,
            "ending": alert.ending,
            "human_handled": not alert.auto,
            "episodes": alert.episodes,
            "provisional": alert.provisional,
            "hit": judged.hits[position] if judged.truth is not None else None,
            "reason": alert.reason,
        }
        for position in positions[:MOST_ALERTS]
        for alert in (judged.replay.alerts[position],)
    ]


def instant(at: int) -> str:
    """ISO 8601, UTC, milliseconds."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
