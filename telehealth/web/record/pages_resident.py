"""The page of one resident: banner, charts, table, keyed entry, alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from telehealth import errors
from telehealth.store import alerts, contacts, held, residents_view, seen, visit_desk
from telehealth.web import access, auth, keys, render, requests
from telehealth.web.record import api_residents, keyed, opinions
from telehealth.web.record.pages import OUTCOMES
from telehealth.web.shown import expectations, formats, held_json, measures, residents_json, rows, trends, visits_json

Json = dict[str, Any]

_HOURS = (24, 72, 168, 336)
_TABLE = 500
_NEWEST_ALERTS = 20
#: How far back what was handled automatically is listed.
_LATELY = timedelta(days=7)
_NEWEST_ENCOUNTERS = 10
#: A visit that was booked for so long ago and is not over is still to be seen.
_VISIT_AGO = timedelta(hours=12)
#: A clock that is this much ahead is believed.
_AHEAD = timedelta(seconds=60)


async def resident(request: web.Request) -> web.StreamResponse:
    """The page."""
    return await resident_page(request)


async def resident_page(
    request: web.Request, *, status: int = 200, wrong: list[Json] | None = None, form: Json | None = None
) -> web.Response:
    """The page of a resident, perhaps with what was wrong with a form."""
    resident_id = request.match_info["resident_id"]
    asked = request.query.get("hours", "")
    hours = int(asked) if asked in map(str, _HOURS) else _HOURS[0]
    async with access.opened(request, "resident.open", kind="resident", object_id=resident_id) as view:
        content = await _content(request, view, resident_id, hours)
        if view.resident_id is not None and auth.may_care(view.caller.member):
            await seen.opened(view.connection, view.resident_id, now=request.app[keys.CLOCK].now())
        context = await render.frame(request, view)
    if form is not None:
        # the same entry again, so that sending it twice stores it once
        content["keyed"]["entry"] = form.get("entry") or content["keyed"]["entry"]
    more = {"hours": hours, "errors": wrong or [], "form": form or {}, "outcomes": OUTCOMES}
    return render.page(request, "resident.html", {**context, **content, **more}, status=status)


async def _content(request: web.Request, view: access.Opened, resident_id: str, hours: int) -> Json:
    now = request.app[keys.CLOCK].now()
    found = await api_residents.opened_resident(view, resident_id, now)
    row, open_alerts = await api_residents.row_of(view.connection, found, now)
    closed = await alerts.page(view.connection, resident_id=found["id"], open=False, limit=_NEWEST_ALERTS)
    automatic = await alerts.page(view.connection, resident_id=found["id"], handling="automatic", limit=_NEWEST_ALERTS)
    since = now - timedelta(hours=hours)
    history = await residents_view.history(view.connection, found["id"], since=since, until=now)
    taken = await residents_view.recent(view.connection, found["id"], since=since, until=now + _AHEAD, limit=_TABLE + 1)
    return {
        "resident": residents_json.banner(found, now),
        "ward": {
            "id": found["ward_id"],
            "name": found["ward"],
            "simulated": found["simulated"],
            "zone": formats.ZONE,
        },
        "row": row,
        "columns": rows.columns([] if row is None else [row]),
        "alerts": [rows.alert(one) for one in [*open_alerts, *closed]],
        "automatic": [rows.alert(one) for one in automatic if one.changed_at >= now - _LATELY],
        "opinions": await opinions.of(view.connection, found["id"], found["zone"], now=now) if row else [],
        "trends": trends.build(found["id"], found["zone"], history, since=since, until=now, now=now),
        "table": {"rows": [residents_json.table_row(g) for g in taken[:_TABLE]], "more": len(taken) > _TABLE},
        "keyed": keyed.blank(found["zone"], now, _asked(history)),
        "schedule": residents_json.schedule(found["schedule"], expectations.stand(found, row, history, now)),
        "devices": [_device(d) for d in await residents_view.devices(view.connection, found["id"], now=now)],
        "strikes": [_strike(s) for s in await residents_view.strikes(view.connection, found["id"])],
        "moves": [held_json.moved(m, found["id"]) for m in await held.moved(view.connection, found["id"])],
        **await _visits(view, found["id"], now),
        "simulated": found["simulated"],
    }


async def _visits(view: access.Opened, resident_id: int, now: datetime) -> Json:
    """Video visits: what is planned or going on, what came of the newest, what is left to be done."""
    coming = await visit_desk.coming(view.connection, resident_id, since=now - _VISIT_AGO)
    encounters = await visit_desk.encounters(view.connection, resident_id, limit=_NEWEST_ENCOUNTERS)
    left = await visit_desk.follow_ups(view.connection, [one["id"] for one in encounters])
    return {
        "visits": [visits_json.coming(one) for one in coming],
        "encounters": [
            {
                **visits_json.came(one),
                "left": [f["what"] for f in left if f["encounter_id"] == one["id"] and not f["done_at"]],
            }
            for one in encounters
        ],
        "contacts": [residents_json.contact(one) for one in await contacts.of_resident(view.connection, resident_id)],
        "relations": visits_json.RELATIONS,
        "kinds": visits_json.KINDS,
        "states": visits_json.STATES,
        "visit_outcomes": visits_json.OUTCOMES,
    }


def _asked(history: residents_view.History) -> set[str]:
    """Codes that the newest rules look at."""
    return keyed.asked_by(rows.rule_list(history.rules[-1]["rules"])) if history.rules else set()


def _device(d: Any) -> Json:
    said = residents_json.status(d["status"])
    return {
        "device_id": d["device_id"],
        "model": d["model"],
        "codes": [measures.short(code) for code in d["codes"]],
        "places": list(d["places"]),
        "seen_at": formats.iso(d["seen_at"]),
        "battery": said["battery"],
        "firmware": said["firmware"],
        "online": said["online"],
        "clock": residents_json.clock(d),
        "lost": residents_json.lost(d),
    }


def _strike(s: Any) -> Json:
    code = s["code"] or ""
    return {
        "at": formats.iso(s["at"]),
        "by": s["by"],
        "reason": s["reason"],
        "code": s["code"],
        "name": measures.name(code),
        "text": measures.text(code, s["value"], s["value_code"]),
        "unit": measures.shown_unit(s["unit"]),
        "taken_at": formats.iso(s["taken_at"]),
    }


async def key_readings(request: web.Request) -> web.StreamResponse:
    """The form for an observation set."""
    form = await auth.form(request)
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    try:
        async with access.opened(request, "reading.key", kind="resident", object_id=resident_id) as view:
            found = await api_residents.opened_resident(view, resident_id, now)
            await keyed.take_in(view, keyed.from_form(form, found["zone"]), now=now)
    except keyed.WrongForm as error:
        return await resident_page(request, status=422, wrong=error.wrong, form=form)
    except errors.Invalid as error:
        return await resident_page(request, status=422, wrong=[_wrong(error)], form=form)
    raise render.then(None, f"/residents/{resident_id}", "keyed")


def _wrong(error: errors.Invalid) -> Json:
    if error.field == "taken_at":
        return {"field": "date", "text": f"The time {error.problem}", "href": "#date"}
    return {"field": error.field, "text": f"{measures.name(error.field)}: {error.problem}", "href": f"#{error.field}"}


async def strike_reading(request: web.Request) -> web.StreamResponse:
    """The form that strikes an entry made in error."""
    form = await auth.form(request)
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    try:
        async with access.opened(request, "reading.strike", kind="resident", object_id=resident_id) as view:
            await api_residents.opened_resident(view, resident_id, now)
            await keyed.strike(view, requests.Strike.model_validate(form), now=now)
    except ValidationError:
        wrong = [{"field": "reason", "text": "Say why the entry is struck", "href": "#reason"}]
        return await resident_page(request, status=422, wrong=wrong, form=form)
    except (errors.Invalid, errors.Conflict) as error:
        wrong = [{"field": "reason", "text": str(error), "href": "#reason"}]
        return await resident_page(request, status=422, wrong=wrong, form=form)
    raise render.then(None, f"/residents/{resident_id}", "struck")
