"""What each rule of a resident thinks now, for the resident's page: open, unable to decide, or watching."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts import peaks, plain, rules, standing
from alerts.kinds.base import Assessment
from telehealth.store import evaluation
from telehealth.store import standing as store
from telehealth.store.db import Connection

Json = dict[str, Any]

_ORDER = ("open", "cannot_decide", "watching")


async def of(connection: Connection, resident_id: int, zone: str, *, now: datetime) -> list[Json]:
    """In the order in which they matter: open, unable to decide, watching. Empty where nothing is known yet."""
    found = await store.of(connection, resident_id, now=now)
    if found is None or found.state is None:
        return []
    titles = plain.titles(found.rule_set)
    at = max(evaluation.micros(now), found.state.through)
    told = [
        {
            "key": opinion.key,
            "title": titles[opinion.key],
            "sentence": plain.sentence(rule),
            "doing": opinion.doing,
            "level": opinion.level,
            "needs": opinion.needs,
            **_read(rule, opinion),
            "approval": rule.approval,
        }
        for rule, opinion in zip(
            found.rule_set.rules, standing.opinions(found.state, found.rule_set, zone, at), strict=True
        )
    ]
    return sorted(told, key=lambda one: _ORDER.index(one["doing"]))


def _read(rule: rules.Rule, opinion: standing.Opinion) -> Json:
    """What a rule of history makes of the readings now, as a nurse reads it."""
    if opinion.signal is None or not isinstance(rule, Assessment):
        return {"value": None, "unit": ""}
    value, unit = peaks.now(rule.key, rule.dump(), opinion.signal)
    return {"value": round(value, 2), "unit": unit}
