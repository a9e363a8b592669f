"""Pages: a ward's video visits of a day, who waits, what is left to be done; and starting a visit at once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from telehealth import errors
from telehealth.model import visits
from telehealth.store import alerts, visit_desk
from telehealth.web import access, auth, keys, render
from telehealth.web.record import api_residents, pages, pages_resident
from telehealth.web.shown import formats, visits_json
from telehealth.web.visits import api_contacts, api_visits
from telehealth.web.visits import visits_requests as wanted

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
        **{key: found[key] for key in ("ward", "unfinished", "follow_ups")},
        "visits": [{**one, "before": _begins(one, found["ward"]["zone"]) < shown} for one in found["visits"]],
        "waiting_people": found["waiting"],
        "day": found["date"],
        "today": now.astimezone(formats.zone_of(found["ward"]["zone"])).date().isoformat(),
        "before": (shown - _DAY).isoformat(),
        "after": (shown + _DAY).isoformat(),
        "still": "still" in request.query,
        "simulated": found["ward"]["simulated"],
    }
    return render.page(request, "visits.html", {**context, **more})


def _begins(visit: Json, zone: str) -> date:
    """On which day of the ward."""
    return datetime.fromisoformat(visit["starts_at"]).astimezone(formats.zone_of(zone)).date()


async def start(request: web.Request) -> web.StreamResponse:
    """The button of a resident's page."""
    form = await auth.form(request)
    kind: visits.Kind = "carer" if form.get("kind") == "carer" else "one_to_one"
    try:
        found = await api_visits.start(request, kind)
    except visits.NotPossible as error:
        return await pages_resident.resident_page(request, status=409, wrong=[_wrong(error)])
    return await _to(request, found)


async def start_for_alert(request: web.Request) -> web.StreamResponse:
    """The button of an alert's page."""
    await auth.form(request)
    try:
        found = await api_visits.start_for_alert(request)
    except visits.NotPossible as error:
        return await pages.alert_page(request, status=409, wrong=[_wrong(error)])
    return await _to(request, found)


async def _to(request: web.Request, found: Json) -> web.Response:
    """To the visit; said, when it was there already, and asked, when it is about another resident now."""
    if found["new"]:
        raise web.HTTPSeeOther(f"/visits/{found['visit']}")
    visit_id = str(found["visit"])
    async with access.opened(request, "visit.open", kind="consultation", object_id=visit_id) as view:
        loaded = await api_visits.opened_visit(view, visit_id)
        wanted_id = await _resident(request, view)
        if loaded.row.subject_id == wanted_id:
            raise web.HTTPSeeOther(f"/visits/{visit_id}?done=open")
        # Of this visit nothing is shown but whom it is about.
        view.detail = {"asked": "another", "resident": wanted_id}
        view.resident_id = None
        names = await visit_desk.names(view.connection, [wanted_id, loaded.row.subject_id or wanted_id])
        context = await render.frame(request, view)
    more = {
        "visit": {"id": loaded.row.id, "kind": loaded.row.kind},
        "resident": {"id": wanted_id, "name": names.get(wanted_id, "This resident")},
        "about": None if loaded.row.subject_id is None else names.get(loaded.row.subject_id, "another resident"),
        "simulated": loaded.row.simulated,
    }
    return render.page(request, "visit_start.html", {**context, **WORDS, **more}, status=409)


async def _resident(request: web.Request, view: access.Opened) -> int:
    """Whose visit was to be started, from their page or from the page of an alert."""
    if "resident_id" in request.match_info:
        return access.key(request.match_info["resident_id"])
    alert = (await alerts.get(view.connection, access.key(request.match_info["alert_id"]))).alert
    if alert.resident_id is None:
        raise errors.NotFound
    return alert.resident_id


async def follow_up_done(request: web.Request) -> web.StreamResponse:
    """The button beside what was left to be done."""
    form = await auth.form(request)
    try:
        found = await api_visits.tick(request)
    except errors.Conflict:
        # somebody else has done it: what is shown next says so
        raise render.then(form.get("next"), "/", "ticked") from None
    raise render.then(form.get("next"), f"/encounters/{found['encounter']}", "ticked")


async def add_contact(request: web.Request) -> web.StreamResponse:
    """The form of a resident's page for somebody who is written to."""
    form = await auth.form(request)
    await api_residents.seek(request, "contact.add")
    fields = {name: form.get(f"contact-{name}", "").strip() for name in ("relation", "name", "email")}
    try:
        asked = wanted.AddContact.model_validate({**fields, "reminders": "reminders" in form})
        await api_contacts.add(request, asked)
    except ValidationError as error:
        places = {str(one["loc"][0]) for one in error.errors(include_input=False, include_url=False)}
        return await _contact_wrong(request, form, *(name for name in _CONTACT if name in places))
    except errors.Invalid as error:
        return await _contact_wrong(request, form, error.field if error.field in _CONTACT else "email")
    except errors.Conflict as error:
        wrong = {"field": "contact-email", "text": str(error).capitalize(), "href": "#contact-email"}
        return await pages_resident.resident_page(request, status=409, wrong=[wrong], form=form)
    raise render.then(None, f"/residents/{request.match_info['resident_id']}", "contact")


_CONTACT = {
    "relation": "Choose who it is",
    "name": "Enter a name of at most 100 characters",
    "email": "Enter an e-mail address like name@example.org",
}


async def _contact_wrong(request: web.Request, form: Json, *names: str) -> web.Response:
    wrong = [{"field": f"contact-{one}", "text": _CONTACT[one], "href": f"#contact-{one}"} for one in names]
    return await pages_resident.resident_page(request, status=422, wrong=wrong, form=form)


async def remove_contact(request: web.Request) -> web.StreamResponse:
    """The button beside a contact."""
    await auth.form(request)
    found = await api_contacts.remove(request)
    raise render.then(None, f"/residents/{found['resident']}", "no_contact")


def _wrong(error: visits.NotPossible) -> Json:
    return {"field": "visit", "text": error.why, "href": "#visit"}
