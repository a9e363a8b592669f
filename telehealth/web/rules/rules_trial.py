"""What changed rules would have done to one resident over the last weeks, shown before anybody saves them.

Two steps: what is needed is read in the caller's transaction; what is worked out from it takes a while, and holds none.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from alerts import dryrun, personal
from alerts import errors as refusals
from alerts.dryrun import Cost
from alerts.rules import RuleSet
from telehealth import errors
from telehealth.config import Settings
from telehealth.store import dryrun as stored
from telehealth.store import rules
from telehealth.web import access, keys, parse
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.record import api_residents
from telehealth.web.rules import rules_models, trial_models

Json = dict[str, Any]

WEEKS = 4

#: A fold of many weeks keeps a core busy: one at a time, so that live work goes on.
_ONE = asyncio.Semaphore(1)


@dataclass(frozen=True)
class Trial:
    """What a dry run needs, read; refused: why it cannot be made."""

    known: stored.Known | None
    changed: RuleSet
    weeks: int
    refused: str = ""


async def load(view: access.Opened, found: Any, changed: RuleSet, *, now: datetime, weeks: int = WEEKS) -> Trial:
    """The resident's last weeks. found: the resident's row."""
    try:
        known = await stored.load(view.connection, found["id"], changed, weeks=weeks, now=now)
    except errors.Invalid as error:
        return Trial(None, changed, weeks, error.problem)
    return Trial(known, changed, weeks)


async def run(request: web.Request, trial: Trial) -> Json | None:
    """trial_models.Trial of what was read; None where there is too much to judge while somebody waits."""
    known = trial.known
    if known is None:
        return None
    async with _ONE:
        outcome = await asyncio.to_thread(
            dryrun.run,
            known.subject,
            known.readings,
            trial.changed,
            since=known.since,
            now=known.now,
            noted=known.acted_on,
            cost=cost_of(request.app[keys.SETTINGS]),
        )
    return {"weeks": trial.weeks, **dryrun.to_json(outcome)}


def cost_of(settings: Settings) -> Cost:
    """What an alert takes of a nurse's time: as set here, else as chosen."""
    minutes = settings.nurse_minutes_per_alert
    if minutes is None:
        return dryrun.COST
    return Cost(minutes, "TELEHEALTH_NURSE_MINUTES_PER_ALERT", "set for this service")


@operation(trial_models.Trial, body=rules_models.TryRules, tag="rules")
async def try_rules(request: web.Request) -> web.Response:
    """What changed rules would have done for a resident over the last weeks.

    Compared with the rules as they were in force at each time. Nothing is changed or stored.
    """
    resident_id = request.match_info["resident_id"]
    await api_residents.seek(request, "rules.try")
    asked = await parse.body(request, rules_models.TryRules)
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "rules.try", kind="resident", object_id=resident_id) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        before = await rules.newest(view.connection, found["id"])
        base = await rules.pathway_of(view.connection, before)
        # Nobody signs what is only tried.
        unsigned = personal.Signature("nobody", now.isoformat(timespec="seconds"), "tried", now.date().isoformat())
        changes = [personal.Change(one.rule, one.field, one.value, one.how) for one in asked.changes]
        try:
            after = personal.change(before.rules, base, changes, unsigned)
        except refusals.RuleError as error:
            raise errors.Invalid(error.field, error.problem) from None
        trial = await load(view, found, after.rule_set, now=now, weeks=asked.weeks)
    shown = await run(request, trial)
    if shown is None:
        raise errors.Invalid("weeks", trial.refused)
    return reply(shown)
