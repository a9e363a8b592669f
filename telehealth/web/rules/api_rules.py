"""/api/v1: a resident's rules, now and at any time; changing them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from alerts.personal import Change
from telehealth.model import rules_view
from telehealth.store import rules
from telehealth.web import access, keys, parse, replies
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.record import api_residents, opinions
from telehealth.web.rules import rules_models, rules_trial
from telehealth.web.shown import formats

Json = dict[str, Any]


@operation(rules_models.RulesInForce, query=rules_models.RulesQuery, tag="rules")
async def resident_rules(request: web.Request) -> web.Response:
    """The rules in force for a resident, now or at a time.

    In plain words, every number with its source and approval state; what is personal with who, when, why and when it is
    to be looked at again.
    """
    asked = parse.query(request, rules_models.RulesQuery)
    now = request.app[keys.CLOCK].now()
    resident_id = request.match_info["resident_id"]
    async with access.opened(request, "rules.open", kind="resident", object_id=resident_id) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        shown = await in_force(view, found, asked.at or now)
    return reply(shown)


@operation(rules_models.RulesHistory, tag="rules")
async def resident_rules_history(request: web.Request) -> web.Response:
    """Every version of a resident's rules."""
    now = request.app[keys.CLOCK].now()
    resident_id = request.match_info["resident_id"]
    async with access.opened(request, "rules.history", kind="resident", object_id=resident_id) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        items = await versions(view, found["id"])
    return reply({"items": items})


@operation(rules_models.Opinions, tag="rules")
async def resident_opinions(request: web.Request) -> web.Response:
    """What each rule of a resident thinks now: open, unable to decide and what it lacks, or watching."""
    now = request.app[keys.CLOCK].now()
    resident_id = request.match_info["resident_id"]
    async with access.opened(request, "rules.opinions", kind="resident", object_id=resident_id, refreshes=True) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        items = await opinions.of(view.connection, found["id"], found["zone"], now=now) if found["on_ward"] else []
    return reply({"resident": found["id"], "at": formats.iso(now), "items": items})


@operation(rules_models.Proposed, body=rules_models.ProposeRules, tag="rules")
async def propose_rules(request: web.Request) -> web.Response:
    """What a change of the rules would change; nothing is stored."""
    resident_id = request.match_info["resident_id"]
    await api_residents.seek(request, "rules.propose")
    asked = await parse.body(request, rules_models.ProposeRules)
    async with access.opened(request, "rules.propose", kind="resident", object_id=resident_id) as view:
        proposed, trial = await propose(request, view, resident_id, changes_of(asked.changes), asked)
    return reply({**proposed, "dry_run": await rules_trial.run(request, trial)})


@operation(rules_models.RulesChanged, body=rules_models.ChangeRules, refusals=(409,), repeatable=True, tag="rules")
async def change_rules(request: web.Request) -> web.Response:
    """Change the rules of a resident from now on.

    A change is a new version; older ones are kept and still judge what was measured while they were in force.
    """
    resident_id = request.match_info["resident_id"]
    await api_residents.seek(request, "rules.change")
    asked = await parse.body(request, rules_models.ChangeRules)

    async def work() -> Json:
        async with access.opened(request, "rules.change", kind="resident", object_id=resident_id) as view:
            return await change(request, view, resident_id, changes_of(asked.changes), asked, asked.version)

    return reply(await replies.once(request, work))


def changes_of(asked: Sequence[rules_models.RuleChange]) -> list[Change]:
    return [Change(one.rule, one.field, one.value, one.how) for one in asked]


async def in_force(view: access.Opened, found: Any, moment: datetime) -> Json:
    """The rules of a resident at a moment, for page and API. NotFound before the first ones."""
    version = await rules.at(view.connection, found["id"], moment)
    base = await rules.pathway_of(view.connection, version)
    names = await rules.names(view.connection, version.rules.overrides)
    today = moment.astimezone(formats.zone_of(found["zone"])).date()
    shown = rules_view.shown(version, base, names, today=today)
    return {"resident": found["id"], "at": formats.iso(moment), **shown}


async def versions(view: access.Opened, resident_id: int) -> list[Json]:
    """Every version, the newest first."""
    found = await rules.history(view.connection, resident_id)
    names = await rules.names(view.connection, [one for version in found for one in version.rules.overrides])
    return [rules_view.summary(one, names) for one in found]


async def propose(
    request: web.Request,
    view: access.Opened,
    resident_id: str,
    changes: Sequence[Change],
    asked: rules_models.ProposeRules,
) -> tuple[Json, rules_trial.Trial]:
    """What changes would change, and what to work out what they would have done from. Invalid, NotFound."""
    now = request.app[keys.CLOCK].now()
    found = await api_residents.opened_resident(view, resident_id, now)
    before, after = await rules.propose(
        view.connection,
        found["id"],
        changes,
        why=asked.why,
        review_on=asked.review_on,
        actor=view.caller.actor,
        now=now,
    )
    view.detail = {"rules": sorted({one.rule for one in changes})}
    trial = await rules_trial.load(view, found, after.rule_set, now=now)
    return {"version": before.id, "changes": rules_view.differences(before.rules, after)}, trial


async def change(
    request: web.Request,
    view: access.Opened,
    resident_id: str,
    changes: Sequence[Change],
    asked: rules_models.ProposeRules,
    expected: int,
) -> Json:
    """Carry changes out. Invalid, NotFound, Conflict."""
    now = request.app[keys.CLOCK].now()
    found = await api_residents.opened_resident(view, resident_id, now)
    before = await rules.newest(view.connection, found["id"])
    after = await rules.change(
        view.connection,
        found["id"],
        changes,
        why=asked.why,
        review_on=asked.review_on,
        expected=expected,
        actor=view.caller.actor,
        now=now,
    )
    view.audited = True
    return {
        "version": after.id,
        "valid_from": formats.iso(after.valid_from),
        "changes": rules_view.differences(before.rules, after.rules),
    }
