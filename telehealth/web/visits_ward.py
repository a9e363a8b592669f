"""Pages: a ward's video visits of a day, who waits, what is left to be done; and starting a visit at once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from telehealth import errors
from telehealth.model import visits
from telehealth.web import (
    access,
    api_contacts,
    api_residents,
    api_visits,
    auth,
    formats,
    keys,
    pages,
    pages_resident,
    render,
    visits_json,
)
from telehealth.web import visits_requests as wanted

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
