"""A resident's rules: what is in force at a time, how it came about, and how it is changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from alerts import errors as alert_errors
from alerts import pathways, personal
from alerts import rules as engine_rules
from alerts.pathways.model import Pathway
from alerts.personal import Change, Override, Rules
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import limits, people
from telehealth.model.rules import Version
from telehealth.store import audit, residents
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

MOST_VERSIONS = 500

_CHANGED = "the rules were changed by somebody else meanwhile: look at them again"


async def at(connection: Connection, resident_id: int, moment: datetime) -> Version:
    """The version in force at a moment. NotFound before the first one."""
    row = await connection.fetchrow(sql("rules.at"), resident_id, moment)
    if row is None:
        raise NotFound("no rules were in force at that time")
    return _version(row)


async def newest(connection: Connection, resident_id: int) -> Version:
    """The last version. NotFound for a resident who was never admitted."""
    row = await connection.fetchrow(sql("rules.newest"), resident_id)
    if row is None:
        raise NotFound("this resident has no rules")
    return _version(row)


async def history(connection: Connection, resident_id: int) -> list[Version]:
    """Every version, the newest first."""
    return [_version(row) for row in await connection.fetch(sql("rules.history"), resident_id, MOST_VERSIONS)]


async def names(connection: Connection, overrides: Sequence[Override]) -> dict[str, str]:
    """What those who made overrides are called: "staff:3" -> "Nurse Jones"."""
    actors = {one.by for one in overrides}
    numbers = [int(actor[6:]) for actor in actors if actor.startswith("staff:") and actor[6:].isdigit()]
    rows = await connection.fetch(sql("rules.people"), numbers)
    known = {f"staff:{row['id']}": str(row["display_name"]) for row in rows}
    return {actor: known.get(actor) or called(actor) for actor in actors}


def called(actor: str) -> str:
    """An actor for people, as far as its name says."""
    kind, _, name = actor.partition(":")
    return f"operator {name}" if kind == "operator" else "a member of staff" if kind == "staff" else "the service"


# Pathways -----------------------------------------------------------------------------------------


async def pathway(connection: Connection, name: str, version: str) -> Pathway | None:
    """A packaged one, or one of the hospital's own that somebody was admitted with; None if there is none."""
    if version in pathways.versions(name):
        return pathways.load(name, version)
    content = await connection.fetchval(sql("rules.pathway"), name, version)
    if content is None:
        return None
    try:
        return pathways.parse(content)
    except alert_errors.RuleError:  # an older one that is no longer accepted still has its rules in the versions
        return None


async def pathway_of(connection: Connection, version: Version) -> Pathway:
    """The pathway of a version; where it is no longer known, one made of the version's own rules."""
    own = version.rules.rule_set
    found = await pathway(connection, own.pathway, own.version)
    if found is not None:
        return found
    document = own.to_json()
    return Pathway(own.pathway, own.version, own.pathway, tuple(document["rules"]), {}, ())


async def keep_pathway(connection: Connection, own: Pathway, *, actor: Actor, now: datetime) -> None:
    """Keep a pathway of the hospital's own as residents are admitted with it.

    Conflict if one of this name and version is known already with another text: a changed pathway is a new version.
    """
    if own.version in pathways.versions(own.name):
        if pathways.load(own.name, own.version).text == own.text:
            return
        raise Conflict(f"{own.name}@{own.version} is a packaged pathway: give the file another version")
    await connection.execute(sql("rules.keep_pathway"), own.name, own.version, own.text, actor, now)
    if await connection.fetchval(sql("rules.pathway"), own.name, own.version) != own.text:
        raise Conflict(
            f"residents were admitted with another text of {own.name}@{own.version}: give the file a new version"
        )


# Changing -----------------------------------------------------------------------------------------


async def propose(
    connection: Connection,
    resident_id: int,
    changes: Sequence[Change],
    *,
    why: str,
    review_on: date,
    actor: Actor,
    now: datetime,
) -> tuple[Version, Rules]:
    """The newest version and what the rules would be after changes. Invalid naming what is wrong."""
    people.text("why", why, 500)
    place = await connection.fetchrow(sql("rules.place"), resident_id)
    if place is None:
        raise NotFound
    limits.check_review(review_on, now.astimezone(ZoneInfo(place["zone"])).date())
    before = await newest(connection, resident_id)
    base = await pathway_of(connection, before)
    signed = personal.Signature(actor, now.isoformat(timespec="seconds"), why, review_on.isoformat())
    try:
        after = personal.change(before.rules, base, changes, signed)
        limits.check_reach(after.rule_set, changes)
    except alert_errors.RuleError as error:
        raise Invalid(error.field, error.problem) from None
    return before, after


async def change(
    connection: Connection,
    resident_id: int,
    changes: Sequence[Change],
    *,
    why: str,
    review_on: date,
    expected: int | None = None,
    actor: Actor,
    now: datetime,
) -> Version:
    """Make the next version, in force from now on; the resident is judged again from then.

    expected: the version that was looked at. Conflict if there is another by now. Invalid as propose.
    """
    if expected is not None and (await newest(connection, resident_id)).id != expected:
        raise Conflict(_CHANGED)
    before, after = await propose(connection, resident_id, changes, why=why, review_on=review_on, actor=actor, now=now)
    detail = {"rules": sorted({one.rule for one in changes})}
    return await _add(connection, resident_id, before, after, why, actor, now, detail)


async def move(
    connection: Connection, resident_id: int, to: Pathway, *, why: str, actor: Actor, now: datetime
) -> tuple[Version, tuple[Override, ...]]:
    """Put a resident on another pathway or version from now on, with what is personal as far as it fits.

    Returns what did not fit as well. Invalid, Conflict as change; for trusted actors.
    """
    people.text("why", why, 500)
    before = await newest(connection, resident_id)
    own = before.rules.rule_set
    if (own.pathway, own.version) == (to.name, to.version):
        raise Conflict(f"the resident is on {to.name}@{to.version} already")
    if to.text:
        await keep_pathway(connection, to, actor=actor, now=now)
    try:
        after, dropped = personal.move(before.rules, to)
    except alert_errors.RuleError as error:
        raise Invalid(error.field, f"{error.problem}: change what is personal first") from None
    detail = {"pathway": to.name, "pathway_version": to.version}
    made = await _add(connection, resident_id, before, after, why, actor, now, detail)
    await connection.execute(sql("rules.move_spell"), resident_id, to.name, to.version)
    return made, dropped


async def _add(
    connection: Connection,
    resident_id: int,
    before: Version,
    after: Rules,
    why: str,
    actor: Actor,
    now: datetime,
    detail: dict[str, Any],
) -> Version:
    """The version that follows another, and work for the evaluator."""
    valid_from = max(now, before.valid_from)
    try:
        async with connection.transaction():
            made = await connection.fetchval(
                sql("rules.add"),
                before.organisation_id,
                resident_id,
                valid_from,
                after.rule_set.to_json(),
                after.scale,
                [one.to_json() for one in after.overrides],
                before.id,
                why,
                actor,
                now,
            )
    except asyncpg.UniqueViolationError:
        raise Conflict(_CHANGED) from None
    await residents.refold(connection, resident_id, valid_from, "rules", now)
    await audit.write(
        connection,
        actor,
        "rules.change",
        object_kind="resident",
        object_id=resident_id,
        resident_id=resident_id,
        ward_id=await connection.fetchval(sql("rules.place"), resident_id),
        detail={"version": made, **detail},
    )
    return await newest(connection, resident_id)


def _version(row: Any) -> Version:
    rule_set = engine_rules.RuleSet.from_json(row["rules"])
    overrides = tuple(Override.from_json(one) for one in row["overrides"])
    scale = personal.scale_of(rule_set, row["spo2_scale"])
    return Version(
        row["id"],
        row["organisation_id"],
        row["valid_from"],
        Rules(rule_set, scale, overrides),
        row["reason"],
        row["created_by"],
        row["created_name"] or called(row["created_by"]),
        row["created_at"],
    )
