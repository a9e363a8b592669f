"""How the rules of one resident stand now: the newest state of the fold, and the rules in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts import errors, rules
from alerts.state import State
from telehealth.store.db import Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Standing:
    """state: null until the resident's readings were evaluated by this version of the service."""

    rule_set: rules.RuleSet
    state: State | None


async def of(connection: Connection, resident_id: int, *, now: datetime) -> Standing | None:
    """None if the resident has no rules at this clinical time. The caller must have seen the resident."""
    row = await connection.fetchrow(sql("standing.of"), resident_id, now)
    if row is None:
        return None
    state = None
    if row["state"] is not None:
        try:
            state = State.from_json(row["state"])
        except errors.InputError:
            state = None  # of another version: the next evaluation writes it anew
    return Standing(rules.RuleSet.from_json(row["rules"]), state)
