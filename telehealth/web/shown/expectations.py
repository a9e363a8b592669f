"""How what is expected of a resident stands now, for their page: due, late, missing. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import codes, errors, expected, rules, schedule, single
from telehealth.store.db import Record
from telehealth.store.residents_view import History
from telehealth.web.shown import formats

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_RULES = rules.RuleSet("none", "0", ())


def stand(resident: Mapping[str, Any], row: Json | None, history: History, now: datetime) -> dict[str, Json] | None:
    """By code; None: not on a ward, paused, or by a schedule or rules that cannot be read.

    resident, row: as the page has them; history: with the rules in force now, last.
    """
    if row is None or row["pause"] is not None or not resident["schedule"]:
        return None
    over = [pause["paused_until"] for pause in history.pauses]
    since = max([resident["admitted_at"], *(at for at in over if at is not None and at <= now)])
    last = {code: _micros(datetime.fromisoformat(one["effective_at"])) for code, one in row["latest"].items()}
    try:
        plan = schedule.parse(resident["schedule"], resident["zone"])
        rule_set = rules.RuleSet.from_json(history.rules[-1]["rules"]) if history.rules else _NO_RULES
    except errors.RuleError:
        return None
    found = expected.standings(plan, rule_set, last, _micros(since), _micros(now))
    return {one.code: _shown(one) for one in found}


def awaited(r: Record, latest: Mapping[str, Any], rule_list: Sequence[Json], now: datetime) -> list[Json]:
    """For a row of the board: what was due and did not come, else what will be due next. Empty while paused.

    r: the resident as the board has them; latest: newest reading of each code.
    """
    if r["pause_reason"] is not None or not r["schedule"]:
        return []
    since = max(at for at in (r["admitted_at"], r["resumed_at"]) if at is not None)
    last = {code: _micros(found["effective_at"]) for code, found in latest.items() if found["absent"] is None}
    try:
        plan = _plan(json.dumps(r["schedule"], sort_keys=True), r["zone"])
        silences = [single.silence(rule, "rule") for rule in rule_list if rule.get("kind") == "silence"]
    except errors.RuleError:
        return []
    found = expected.awaited(plan, {rule.code: rule for rule in silences}, last, _micros(since), _micros(now))
    return [
        {
            "code": one.code,
            "name": codes.BY_KEY[one.code].name,
            "state": one.state,
            "due": _moment(one.due),
            "late_at": _moment(one.late_at),
            "missing_at": _moment(one.missing_at),
        }
        for one in found
    ]


@functools.lru_cache(maxsize=1024)
def _plan(document: str, zone: str) -> schedule.Schedule:
    """Many residents have the same schedule, which keeps the days that it has worked out."""
    return schedule.parse(json.loads(document), zone)


def _shown(one: expected.Standing) -> Json:
    return {
        "state": one.state,
        "due": _moment(one.due),
        "missing_at": _moment(one.missing_at),
        "next_due": _moment(one.next_due),
    }


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(at: int | None) -> str | None:
    return None if at is None else formats.iso(_EPOCH + timedelta(microseconds=at))
