"""Pages of wards and alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from alerts import lifecycle
from telehealth import errors
from telehealth.store import alerts, board, commands, residents_view
from telehealth.web import access, auth, keys, render
from telehealth.web.record import api_alerts, told_resident
from telehealth.web.shown import boards, measures, residents_json, rows, visits_json

Json = dict[str, Any]

OUTCOMES = [{"value": value, "text": text} for value, text in lifecycle.OUTCOMES.items()]

_NEWEST = 200


async def home(request: web.Request) -> web.StreamResponse:
    """The caller's wards; straight to the board when there is one."""
    async with access.opened(request, "ward.list", kind="ward") as view:
        context = await render.frame(request, view)
    if len(context["wards"]) == 1:
        raise web.HTTPSeeOther(f"/wards/{context['wards'][0]['id']}")
    return render.page(request, "wards.html", context)


async def ward_board(request: web.Request) -> web.StreamResponse:
    """The board of a ward; live once its script runs."""
    ward_id = request.match_info["ward_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "board.open", kind="ward", object_id=ward_id) as view:
        found = await boards.build(view.connection, access.key(ward_id), now=now)
        view.ward_id = found["ward"]["id"]
        automatic = await boards.automatic(view.connection, found["ward"]["id"], now=now)
        context = await render.frame(request, view)
    order = "fixed" if request.query.get("order") == "fixed" else "worst"
    if order == "fixed":
        found["rows"].sort(key=lambda row: row["sort_name"])
    return render.page(
        request,
        "board.html",
        {
            **context,
            "board": found,
            "ward": found["ward"],
            "order": order,
            "automatic": automatic,
            "simulated": found["ward"]["simulated"],
        },
    )


async def ward_alerts(request: web.Request) -> web.StreamResponse:
    """The alert queue of a ward."""
    ward_id = request.match_info["ward_id"]
    asked = request.query.get("show", "")
    show = asked if asked in ("all", "automatic") else "open"
    async with access.opened(request, "alert.queue", kind="ward", object_id=ward_id) as view:
        ward = boards.ward_json(await board.ward(view.connection, access.key(ward_id)))
        view.ward_id = ward["id"]
        if show == "open":
            found = await alerts.open_of_ward(view.connection, ward["id"], limit=boards.MOST_ALERTS)
        else:
            handling = "automatic" if show == "automatic" else None
            found = await alerts.page(view.connection, ward_id=ward["id"], handling=handling, limit=_NEWEST)
        automatic = await boards.automatic(view.connection, ward["id"], now=request.app[keys.CLOCK].now())
        context = await render.frame(request, view)
    listed = [rows.alert(one) for one in rows.by_urgency(found)]
    more = {
        "ward": ward,
        "alerts": listed,
        "show": show,
        "automatic": automatic,
        "outcomes": OUTCOMES,
        "simulated": ward["simulated"],
    }
    return render.page(request, "alerts.html", {**context, **more})


async def alert(request: web.Request) -> web.StreamResponse:
    """One alert."""
    return await alert_page(request)


async def alert_page(
    request: web.Request, *, status: int = 200, wrong: list[Json] | None = None, form: Json | None = None
) -> web.Response:
    """The page of an alert, perhaps with what was wrong with a form."""
    alert_id = request.match_info["alert_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "alert.open", kind="alert", object_id=alert_id) as view:
        found = await api_alerts.opened_alert(view, alert_id)
        ward = boards.ward_json(await board.ward(view.connection, found.alert.ward_id))
        resident = None
        if found.alert.resident_id is not None:
            row = await residents_view.resident(view.connection, found.alert.resident_id, now=now)
            resident = residents_json.banner(row, now)
        asked = await _asked(view, found, now)
        told = await told_resident.shown(view.connection, found, now=now)
        whole = await api_alerts.with_visits(view, found)
        context = await render.frame(request, view)
    more = {
        "alert": whole,
        "kinds": visits_json.KINDS,
        "states": visits_json.STATES,
        "asked": asked,
        "told": told,
        "ward": ward,
        "resident": resident,
        "outcomes": OUTCOMES,
        "simulated": ward["simulated"],
        "errors": wrong or [],
        "form": form or {},
    }
    return render.page(request, "alert.html", {**context, **more}, status=status)


async def acknowledge(request: web.Request) -> web.StreamResponse:
    """The form of the queue and of the alert's page."""
    form = await auth.form(request)
    try:
        found = await api_alerts.acknowledge(request, form.get("note"))
    except (errors.Invalid, errors.Conflict) as error:
        return await alert_page(request, status=422, wrong=[_wrong(error)], form=form)
    raise render.then(form.get("next"), f"/alerts/{found['id']}", "acknowledged")


async def resolve(request: web.Request) -> web.StreamResponse:
    """The form of the alert's page."""
    form = await auth.form(request)
    try:
        found = await api_alerts.resolve(request, form.get("outcome", ""), form.get("note"))
    except (errors.Invalid, errors.Conflict) as error:
        return await alert_page(request, status=422, wrong=[_wrong(error)], form=form)
    raise render.then(form.get("next"), f"/alerts/{found['id']}", "resolved")


async def _asked(view: access.Opened, found: alerts.Detail, now: datetime) -> list[Json]:
    """Which devices were asked to repeat what the alert rests on."""
    if found.alert.resident_id is None or not found.episodes:
        return []
    inputs = [entry for one in found.episodes for entry in one.evidence.get("inputs") or () if "code" in entry]
    times = [one.ended_at or now for one in found.episodes] + [one.started_at for one in found.episodes]
    asked = await commands.about(
        view.connection,
        found.alert.resident_id,
        sorted({entry["code"] for entry in inputs}),
        since=min(times) - timedelta(seconds=1),
        until=max(times),
    )
    said = {"waiting": "not sent yet", "published": "sent", "expired": "not sent in time"}
    return [
        {
            "what": ", ".join(measures.name(code) for code in one.codes),
            "device_id": one.device_id,
            "at": one.created_at,
            "until": one.expires_at,
            "state": said[one.state],
        }
        for one in asked
    ]


def _wrong(error: errors.Invalid | errors.Conflict) -> Json:
    if isinstance(error, errors.Conflict):
        text = str(error)
        return {"field": "note", "text": text[:1].upper() + text[1:], "href": "#note"}
    if error.field == "outcome":
        return {"field": "outcome", "text": "Choose how it turned out", "href": "#outcome"}
    return {"field": error.field, "text": f"{error.field.capitalize()} {error.problem}", "href": f"#{error.field}"}


async def about_demo(request: web.Request) -> web.StreamResponse:
    """What is going on, for newcomers; where something is simulated."""
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "demo.about", kind="ward") as view:
        context = await render.frame(request, view)
        if not context["simulated"]:
            raise errors.NotFound
        counts = await residents_view.demo_counts(view.connection, now=now)
    mqtt = request.app[keys.SETTINGS].mqtt_url
    address = None if mqtt is None else urlsplit(mqtt.get_secret_value())
    demo = {
        **dict(counts),
        "mqtt": None if address is None else {"host": address.hostname, "port": address.port or 1883},
        "clock": "virtual" if request.app[keys.CLOCK].virtual else "real",
    }
    wards = [ward for ward in context["wards"] if ward["simulated"]]
    return render.page(request, "about_demo.html", {**context, "demo": demo, "wards": wards})
