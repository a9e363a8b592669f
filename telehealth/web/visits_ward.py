"""Pages: a ward's video visits of a day, who waits, what is left to be done; and starting a visit at once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from aiohttp import web

from telehealth import errors
from telehealth.model import visits
from telehealth.web import access, api_visits, auth, formats, keys, pages, pages_resident, render, visits_json

Json = dict[str, Any]

_DAY = timedelta(days=1)

#: What templates call things.
WORDS: Json = {
    "kinds": visits_json.KINDS,
    "states": visits_json.STATES,
    "roles": visits_json.ROLES,
    "identities": visits_json.IDENTITIES,
    "visit_outcomes": visits_json.OUTCOMES,
    "mail_abouts": visits_json.MAILS,
    "mail_states": visits_json.MAIL_STATES,
}


async def ward_visits(request: web.Request) -> web.StreamResponse:
    """The diary of a day and the waiting area."""
    ward_id = request.match_info["ward_id"]
    asked = formats.read_date(request.query.get("date", ""))
    day = asked if asked is not None and 1000 < asked.year < 9000 else None
    async with access.opened(request, "visit.diary", kind="ward", object_id=ward_id, refreshes=True) as view:
        found = await api_visits.ward_day(request, view, ward_id, day)
        context = await render.frame(request, view)
    shown = date.fromisoformat(found["date"])
    now = request.app[keys.CLOCK].now()
    more = {
        **WORDS,
        **{key: found[key] for key in ("ward", "visits", "follow_ups")},
        "waiting_people": found["waiting"],
        "day": found["date"],
        "today": now.astimezone(formats.zone_of(found["ward"]["zone"])).date().isoformat(),
        "before": (shown - _DAY).isoformat(),
        "after": (shown + _DAY).isoformat(),
        "still": "still" in request.query,
        "simulated": found["ward"]["simulated"],
    }
    return render.page(request, "visits.html", {**context, **more})


async def start(request: web.Request) -> web.StreamResponse:
    """The button of a resident's page."""
    form = await auth.form(request)
    kind: visits.Kind = "carer" if form.get("kind") == "carer" else "one_to_one"
    try:
        found = await api_visits.start(request, kind)
    except visits.NotPossible as error:
        return await pages_resident.resident_page(request, status=409, wrong=[_wrong(error)])
    raise _to(found)


async def start_for_alert(request: web.Request) -> web.StreamResponse:
    """The button of an alert's page."""
    await auth.form(request)
    try:
        found = await api_visits.start_for_alert(request)
    except visits.NotPossible as error:
        return await pages.alert_page(request, status=409, wrong=[_wrong(error)])
    raise _to(found)


def _to(found: Json) -> web.HTTPSeeOther:
    """To the visit; said, when it was there already."""
    return web.HTTPSeeOther(f"/visits/{found['visit']}" + ("" if found["new"] else "?done=open"))


async def follow_up_done(request: web.Request) -> web.StreamResponse:
    """The button beside what was left to be done."""
    form = await auth.form(request)
    try:
        found = await api_visits.tick(request)
    except errors.Conflict:
        # somebody else has done it: what is shown next says so
        raise render.then(form.get("next"), "/", "ticked") from None
    raise render.then(form.get("next"), f"/encounters/{found['encounter']}", "ticked")


def _wrong(error: visits.NotPossible) -> Json:
    return {"field": "visit", "text": error.why, "href": "#visit"}
