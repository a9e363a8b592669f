"""How what is expected of a resident stands now, for their page: due, late, missing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import errors, expected, rules, schedule
from telehealth.store.residents_view import History
from telehealth.web import formats

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
