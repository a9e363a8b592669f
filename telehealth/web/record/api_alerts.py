"""/api/v1: alerts and what people do about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from alerts import explanation, peaks
from telehealth.store import alerts, board, residents_view, visit_desk
from telehealth.web import access, keys, parse, replies, requests, schemas
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.record import explanation_models
from telehealth.web.shown import formats, residents_json, rows, visits_json

Json = dict[str, Any]


@operation(schemas.Alerts, query=requests.AlertsQuery, tag="alerts")
async def alert_list(request: web.Request) -> web.Response:
    """Alerts of a resident, a ward, or all of the caller's wards; the newest raised first."""
    asked = parse.query(request, requests.AlertsQuery)
    found_place = residents_json.place(asked.cursor, (datetime, int))
    before = None if found_place is None else (found_place[0], found_place[1])
    now = request.app[keys.CLOCK].now()
    kind, object_id = ("resident", asked.resident) if asked.resident is not None else ("ward", asked.ward)
    async with access.opened(request, "alert.list", kind=kind, object_id=object_id, refreshes=True) as view:
        if asked.ward is not None:
            view.ward_id = (await board.ward(view.connection, asked.ward))["id"]
        if asked.resident is not None:
            view.resident_id = (await residents_view.resident(view.connection, asked.resident, now=now))["id"]
        found = await alerts.page(
            view.connection,
            ward_id=asked.ward,
            resident_id=asked.resident,
            open=asked.open,
            condition=asked.condition,
            handling=asked.handling,
            before=before,
            limit=asked.limit + 1,
        )
    page = found[: asked.limit]
    more = residents_json.cursor(*page[-1].place) if len(found) > asked.limit else None
    return reply({"items": [rows.alert(one) for one in page], "next": more})


@operation(explanation_models.AlertDetail, tag="alerts")
async def alert(request: web.Request) -> web.Response:
    """One alert with its evidence, episodes and history."""
    alert_id = request.match_info["alert_id"]
    async with access.opened(request, "alert.open", kind="alert", object_id=alert_id) as view:
        found = await opened_alert(view, alert_id)
        whole = await with_visits(view, found)
    return reply(whole)


async def opened_alert(view: access.Opened, alert_id: str) -> alerts.Detail:
    """The alert, noted for the audit row. NotFound."""
    found = await alerts.get(view.connection, access.key(alert_id))
    view.resident_id, view.ward_id = found.alert.resident_id, found.alert.ward_id
    return found


async def with_visits(view: access.Opened, found: alerts.Detail) -> Json:
    """An alert with everything about it, and the video visits that came of it."""
    visits = await visit_desk.of_alert(view.connection, found.alert.id)
    return {**detail(found), "visits": [visits_json.came_of(one) for one in visits]}


def detail(found: alerts.Detail) -> Json:
    """An alert with everything about it."""
    return {
        **rows.alert(found.alert),
        "evidence": found.alert.evidence,
        "explanation": explanation.explain(found.alert.rule, found.alert.evidence, provisional=found.alert.provisional),
        "episodes": [
            {
                "started_at": formats.iso(one.started_at),
                "ended_at": formats.iso(one.ended_at),
                "peak_at": formats.iso(one.peak_at),
                "peak_value": one.peak_value,
                "peak_unit": peaks.unit(found.alert.rule, (one.evidence or {}).get("rule") or {}),
                "priority": one.priority,
                "provisional": one.provisional,
            }
            for one in found.episodes
        ],
        "events": [
            {
                "at": formats.iso(one.at),
                "event": one.event,
                "actor": one.actor_name or ("the service" if one.actor.startswith("service:") else "an operator"),
                "priority": one.priority,
                "note": one.note,
                "outcome": one.outcome,
            }
            for one in found.events
        ],
    }


@operation(explanation_models.AlertDetail, body=requests.Acknowledge, tag="alerts", refusals=(409,), repeatable=True)
async def acknowledge_alert(request: web.Request) -> web.Response:
    """Take an alert on.

    Acknowledging again what one has acknowledged changes nothing; what another has is refused with 409.
    """
    await seek(request, "alert.acknowledge")
    asked = await parse.body(request, requests.Acknowledge)
    return reply(await replies.once(request, lambda: acknowledge(request, asked.note)))


@operation(explanation_models.AlertDetail, body=requests.Resolve, tag="alerts", refusals=(409,), repeatable=True)
async def resolve_alert(request: web.Request) -> web.Response:
    """Finish with an alert, saying what it turned out to be.

    While its condition holds it stays open.
    """
    await seek(request, "alert.resolve")
    asked = await parse.body(request, requests.Resolve)
    return reply(await replies.once(request, lambda: resolve(request, asked.outcome, asked.note)))


async def seek(request: web.Request, action: str) -> None:
    """Somebody else's alert is not found, whatever else is wrong with the request. NotFound."""
    alert_id = request.match_info["alert_id"]
    async with access.sought(request, action, kind="alert", object_id=alert_id) as view:
        await alerts.get(view.connection, access.key(alert_id))


async def acknowledge(request: web.Request, note: str | None) -> Json:
    """Acknowledge as the caller; the alert afterwards. For the API and the pages."""
    alert_id = request.match_info["alert_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "alert.acknowledge", kind="alert", object_id=alert_id) as view:
        await alerts.acknowledge(view.connection, access.key(alert_id), actor=view.caller.actor, now=now, note=note)
        return await with_visits(view, await opened_alert(view, alert_id))


async def resolve(request: web.Request, outcome: str, note: str | None) -> Json:
    """Resolve as the caller; the alert afterwards. For the API and the pages."""
    alert_id = request.match_info["alert_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "alert.resolve", kind="alert", object_id=alert_id) as view:
        await alerts.resolve(
            view.connection, access.key(alert_id), actor=view.caller.actor, outcome=outcome, now=now, note=note
        )
        return await with_visits(view, await opened_alert(view, alert_id))
