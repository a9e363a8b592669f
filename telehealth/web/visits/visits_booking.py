"""Pages: booking a video visit, and an appointment with its links: moving it, cancelling it, letting devices in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from telehealth import errors
from telehealth.model import visits
from telehealth.store import board, visit_desk
from telehealth.web import access, auth, keys, render
from telehealth.web.rules.rule_forms import fault
from telehealth.web.shown import boards, formats, local_time, visits_json
from telehealth.web.visits import api_appointments
from telehealth.web.visits import visits_requests as wanted
from telehealth.web.visits.visits_ward import WORDS

Json = dict[str, Any]
Form = Mapping[str, str]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: Of a visit that nobody has thought about: the next full half hour, and so long.
_HALF = timedelta(minutes=30)
_MINUTES = 20
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
#: An error of the store, at the field of the form that it is about.
_FIELDS: Mapping[str, tuple[str, str]] = {
    "kind": ("kind-one_to_one", "Choose what kind of visit it is"),
    "residents": ("residents", "Choose at least one resident, and exactly one for a visit one to one or with a carer"),
    "minutes": ("minutes", "Enter how long it lasts, 5 to 480 minutes"),
    "reason": ("reason", "Write the reason on one line, in at most 200 characters"),
    "starts_at": ("date", "Choose a time from now on, at most two years ahead"),
    "first_on": ("date", "Choose a day from today on, at most two years ahead"),
    "weekdays": ("day_0", "Choose the days of the week"),
    "every_weeks": ("every_weeks", "Enter every how many weeks, 1 to 12"),
    "last_on": ("last_on", "The last day must not be before the first"),
}


# Booking --------------------------------------------------------------------------------------------


async def new(request: web.Request) -> web.StreamResponse:
    """The form, filled in as far as the address says: resident, kind, minutes, date."""
    now = request.app[keys.CLOCK].now().astimezone(formats.zone_of(formats.ZONE))
    start = now.replace(minute=0, second=0, microsecond=0) + _HALF * (now.minute // 30 + 1)
    query = request.query
    day = formats.read_date(query.get("date", ""))
    kind = query.get("kind", "")
    minutes = query.get("minutes", "")
    form = {
        "kind": kind if kind in visits_json.KINDS else "one_to_one",
        "date": formats.born(start.date() if day is None or day < start.date() else day),
        "time": f"{start:%H:%M}",
        "minutes": minutes if minutes.isascii() and minutes.isdigit() and len(minutes) < 4 else str(_MINUTES),
        "repeat": "once",
        "every_weeks": "1",
        **{f"resident_{one}": "on" for one in query.getall("resident", []) if one.isascii() and one.isdigit()},
    }
    return await _form_page(request, form)


async def book(request: web.Request) -> web.StreamResponse:
    """The form was sent."""
    form = await auth.form(request)
    ward_id = request.match_info["ward_id"]
    async with access.sought(request, "appointment.book", kind="ward", object_id=ward_id) as view:
        ward = boards.ward_json(await board.ward(view.connection, access.key(ward_id)))
    wrong: list[Json] = []
    asked = _asked(form, ward["zone"], wrong)
    if asked is None:
        return await _form_page(request, form, wrong)
    try:
        found = await api_appointments.book(request, asked)
    except api_appointments.Overlapping as error:
        return await _form_page(request, form, [fault("anyway", error.why)], status=409, others=error.others)
    except errors.Invalid as error:
        return await _form_page(request, form, [_store_fault(error)])
    except visits.NotPossible as error:
        return await _form_page(request, form, [fault("kind-one_to_one", error.why)], status=409)
    raise web.HTTPSeeOther(f"/appointments/{found['appointment']}?done=booked")


def _asked(form: Form, zone: str, wrong: list[Json]) -> wanted.Book | None:
    """What was typed, or None with everything that is wrong with it."""
    found: Json = {
        "kind": form.get("kind", ""),
        "residents": residents_of(form),
        "minutes": _whole(form, "minutes"),
        "reason": form.get("reason", "").strip(),
        "anyway": "anyway" in form,
    }
    starts_at = local_time.read(form, "", zone, wrong)
    if form.get("repeat") == "weekly":
        last_on = _last_on(form, wrong)
        days = [day for day in range(7) if f"day_{day}" in form]
        found["weekly"] = {"weekdays": days, "every_weeks": _whole(form, "every_weeks"), "last_on": last_on}
    try:
        # with a wrong time too, so that everything that is wrong is said at once
        asked = wanted.Book.model_validate({**found, "starts_at": starts_at or _ANY_TIME})
    except ValidationError as error:
        wrong += _faults(error)
    return None if wrong else asked


def _faults(error: ValidationError) -> list[Json]:
    names = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        place = [part for part in one["loc"] if isinstance(part, str) and part in _FIELDS]
        if place and place[-1] not in names:
            names.append(place[-1])
    return [fault(*_FIELDS[name]) for name in names] or [fault("residents", "Something in the form is wrong")]


def _store_fault(error: errors.Invalid) -> Json:
    return fault(*_FIELDS[error.field]) if error.field in _FIELDS else fault("date", f"This {error.problem}")


def residents_of(form: Form) -> list[int]:
    """Ticked boxes resident_12, in the order in which they stand on the page."""
    typed = [name.removeprefix("resident_") for name in form if name.startswith("resident_")]
    return [int(one) for one in typed if one.isascii() and one.isdigit() and len(one) < 19]


def _last_on(form: Form, wrong: list[Json]) -> date | None:
    typed = form.get("last_on", "").strip()
    if not typed:
        return None
    day = formats.read_date(typed)
    if day is None:
        wrong.append(fault("last_on", "Enter the last day like this: 21-Nov-2026, or leave it empty"))
    return day


def _whole(form: Form, name: str) -> int | None:
    typed = form.get(name, "").strip()
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 6 else None


async def _form_page(
    request: web.Request,
    form: Form,
    wrong: list[Json] | None = None,
    *,
    status: int | None = None,
    others: list[Json] | None = None,
) -> web.Response:
    ward_id = request.match_info["ward_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "appointment.new", kind="ward", object_id=ward_id) as view:
        ward = boards.ward_json(await board.ward(view.connection, access.key(ward_id)))
        view.ward_id = ward["id"]
        people = await visit_desk.choosable(view.connection, ward["id"], now=now)
        context = await render.frame(request, view)
    more = {
        **WORDS,
        "ward": ward,
        "people": [
            {"id": one["id"], "name": visits_json.name(one), "born": one["born"], "contacts": one["contacts"]}
            for one in people
        ],
        "chosen": residents_of(form),
        "weekdays": WEEKDAYS,
        "others": others or [],
        "form": dict(form),
        "errors": wrong or [],
        "asked": [one["field"] for one in wrong or []],
        "simulated": ward["simulated"],
    }
    return render.page(request, "visit_new.html", {**context, **more}, status=status or (422 if wrong else 200))


# One appointment ------------------------------------------------------------------------------------


async def appointment(request: web.Request) -> web.StreamResponse:
    """The page."""
    return await appointment_page(request)


async def appointment_page(
    request: web.Request,
    *,
    status: int = 200,
    wrong: list[Json] | None = None,
    form: Form | None = None,
    made: Json | None = None,
    others: list[Json] | None = None,
) -> web.Response:
    """The page, perhaps with what was wrong with a form, or with a new link, which is told this once."""
    appointment_id = request.match_info["appointment_id"]
    async with access.opened(request, "appointment.open", kind="appointment", object_id=appointment_id) as view:
        row = await api_appointments.opened_appointment(request, view)
        found = await api_appointments.detail(view, row)
        ward = boards.ward_json(await board.ward(view.connection, row["ward_id"]))
        contacts = await visit_desk.contacts(view.connection, [one["id"] for one in found["subjects"]])
        context = await render.frame(request, view)
    zone = formats.zone_of(ward["zone"])
    local = row["starts_at"].astimezone(zone)
    more = {
        **WORDS,
        "ward": ward,
        "appointment": found,
        "over": found["state"] in visits.OVER,
        "begun": found["state"] not in ("scheduled", "waiting"),
        "series": _series(row),
        "contacts": [dict(one) for one in contacts],
        "made": made,
        "others": others or [],
        "form": {
            "date": formats.born(local.date()),
            "time": f"{local:%H:%M}",
            "minutes": row["minutes"],
            **(form or {}),
        },
        "errors": wrong or [],
        "asked": [one["field"] for one in wrong or []],
        "simulated": ward["simulated"],
    }
    return render.page(request, "appointment.html", {**context, **more}, status=status)


def _series(row: Any) -> str | None:
    """When it comes again, in words."""
    if row["series_id"] is None or row["series_ended"] is not None:
        return None
    days = ", ".join(WEEKDAYS[day] for day in row["weekdays"])
    every = "every week" if row["every_weeks"] == 1 else f"every {row['every_weeks']} weeks"
    until = "" if row["last_on"] is None else f", until {formats.born(row['last_on'])}"
    return f"{days}, {every}{until}"


async def move(request: web.Request) -> web.StreamResponse:
    """The form that moves it."""
    form = await auth.form(request)
    await api_appointments.seek(request, "appointment.move")
    wrong: list[Json] = []
    starts_at = local_time.read(form, "", formats.ZONE, wrong)
    minutes = _whole(form, "minutes")
    if minutes is None or not 5 <= minutes <= 480:
        wrong.append(fault(*_FIELDS["minutes"]))
    if wrong or starts_at is None or minutes is None:
        return await appointment_page(request, status=422, wrong=wrong, form=form)
    try:
        asked = wanted.MoveVisit(starts_at=starts_at, minutes=minutes, anyway="anyway" in form)
        await api_appointments.move(request, asked)
    except api_appointments.Overlapping as error:
        wrong = [fault("anyway", error.why)]
        return await appointment_page(request, status=409, wrong=wrong, form=form, others=error.others)
    except errors.Invalid as error:
        return await appointment_page(request, status=422, wrong=[_store_fault(error)], form=form)
    except visits.NotPossible as error:
        return await appointment_page(request, status=409, wrong=[fault("date", error.why)], form=form)
    raise _back(request, "moved_visit")


async def cancel(request: web.Request) -> web.StreamResponse:
    """The form that cancels it."""
    form = await auth.form(request)
    await api_appointments.seek(request, "appointment.cancel")
    try:
        asked = wanted.Cancel(reason=form.get("reason", "").strip(), series=form.get("which") == "series")
        await api_appointments.cancel(request, asked)
    except (ValidationError, errors.Invalid):
        wrong = [fault("reason", "Say why it is cancelled, in at most 200 characters")]
        return await appointment_page(request, status=422, wrong=wrong, form=form)
    except visits.NotPossible as error:
        return await appointment_page(request, status=409, wrong=[fault("reason", error.why)], form=form)
    raise _back(request, "cancelled")


async def new_link(request: web.Request) -> web.StreamResponse:
    """The form that makes a link; its page shows it, this once."""
    form = await auth.form(request)
    await api_appointments.seek(request, "visit.invite")
    try:
        asked = wanted.NewLink.model_validate({key: form[key] for key in ("role", "resident", "name") if form.get(key)})
        made = await api_appointments.new_link(request, asked)
    except (ValidationError, errors.Invalid):
        wrong = [fault("name", "Choose who comes and enter a name of at most 100 characters")]
        return await appointment_page(request, status=422, wrong=wrong, form=form)
    except visits.NotPossible as error:
        return await appointment_page(request, status=409, wrong=[fault("name", error.why)], form=form)
    return await appointment_page(request, made={**made, "name": form.get("name", "")})


async def revoke_link(request: web.Request) -> web.StreamResponse:
    """A link works no more."""
    return await _on_link(request, "visit.revoke_link", api_appointments.revoke, "revoked")


async def allow_link(request: web.Request) -> web.StreamResponse:
    """The next device that opens a link takes it over."""
    return await _on_link(request, "visit.allow_browser", api_appointments.allow, "allowed")


async def _on_link(request: web.Request, action: str, work: Any, done: str) -> web.StreamResponse:
    form = await auth.form(request)
    await api_appointments.seek(request, action)
    try:
        await work(request, wanted.OfLink.model_validate({"link": form.get("link", "")}))
    except (ValidationError, visits.NotPossible):
        wrong = [fault("links", "Choose a link of this visit")]
        return await appointment_page(request, status=422, wrong=wrong, form=form)
    raise _back(request, done)


async def calendar_file(request: web.Request) -> web.StreamResponse:
    """For staff's own calendars: without anybody's name."""
    appointment_id = request.match_info["appointment_id"]
    async with access.opened(request, "appointment.open", kind="appointment", object_id=appointment_id) as view:
        row = await api_appointments.opened_appointment(request, view)
        text = api_appointments.calendar_file(request, row)
    headers = {"Content-Disposition": f'attachment; filename="video-visit-{row["id"]}.ics"'}
    return web.Response(text=text, content_type="text/calendar", charset="utf-8", headers=headers)


def _back(request: web.Request, done: str) -> web.HTTPSeeOther:
    return render.then(None, f"/appointments/{request.match_info['appointment_id']}", done)
