"""/api/v1: appointments: booking, moving and cancelling video visits, and the links to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from telehealth import clock
from telehealth.model import appointments as times
from telehealth.model import calendar, visits
from telehealth.store import appointments, board, consultations, links, series, visit_desk
from telehealth.store.db import Record
from telehealth.web import access, auth, keys, parse, replies
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.shown import boards, formats, visits_json
from telehealth.web.visits import visit_acts
from telehealth.web.visits import visits_models as models
from telehealth.web.visits import visits_requests as wanted

Json = dict[str, Any]


@operation(models.Booked, body=wanted.Book, refusals=(409,), repeatable=True, tag="visits")
async def book_visit(request: web.Request) -> web.Response:
    """Book a video visit, or one that comes every so many weeks.

    The contacts of its residents are told by mail. The same visit, booked again, is answered and not booked twice; one
    that overlaps with another visit of a resident is refused unless anyway is set.
    """
    ward_id = request.match_info["ward_id"]
    async with access.sought(request, "appointment.book", kind="ward", object_id=ward_id) as view:
        await board.ward(view.connection, access.key(ward_id))
    asked = await parse.body(request, wanted.Book)
    return reply(await replies.once(request, lambda: book(request, asked)))


@operation(models.Appointment, tag="visits")
async def appointment(request: web.Request) -> web.Response:
    """One appointment with its links, and the mails that tell of it."""
    async with _opened(request, "appointment.open") as view:
        found = await detail(view, await opened_appointment(request, view))
    return reply(found)


@operation(models.Booked, body=wanted.MoveVisit, refusals=(409,), repeatable=True, tag="visits")
async def move_appointment(request: web.Request) -> web.Response:
    """Move a visit to another time.

    Links go on working, whoever was told is told again.
    """
    await seek(request, "appointment.move")
    asked = await parse.body(request, wanted.MoveVisit)
    return reply(await replies.once(request, lambda: move(request, asked)))


@operation(models.Appointment, body=wanted.Cancel, refusals=(409,), repeatable=True, tag="visits")
async def cancel_appointment(request: web.Request) -> web.Response:
    """Cancel a visit, or it and all later ones of its series.

    Links work no more, whoever was told is told again.
    """
    await seek(request, "appointment.cancel")
    asked = await parse.body(request, wanted.Cancel)
    return reply(await replies.once(request, lambda: cancel(request, asked)))


@operation(models.Made, body=wanted.NewLink, refusals=(409,), repeatable=True, tag="visits")
async def make_link(request: web.Request) -> web.Response:
    """Make a new link for one of an appointment's residents, or for somebody who comes with them.

    The link is answered this once: only its hash is kept. Older links go on working.
    """
    await seek(request, "visit.invite")
    asked = await parse.body(request, wanted.NewLink)
    return reply(await replies.once(request, lambda: new_link(request, asked)))


@operation(models.Appointment, body=wanted.OfLink, refusals=(409,), repeatable=True, tag="visits")
async def revoke_link(request: web.Request) -> web.Response:
    """A link works no more."""
    await seek(request, "visit.revoke_link")
    asked = await parse.body(request, wanted.OfLink)
    return reply(await replies.once(request, lambda: revoke(request, asked)))


@operation(models.Appointment, body=wanted.OfLink, refusals=(409,), repeatable=True, tag="visits")
async def allow_link(request: web.Request) -> web.Response:
    """The next device that opens a link takes it over: for whoever opened theirs on another before."""
    await seek(request, "visit.allow_browser")
    asked = await parse.body(request, wanted.OfLink)
    return reply(await replies.once(request, lambda: allow(request, asked)))


# For pages and API ----------------------------------------------------------------------------------


async def book(request: web.Request, asked: wanted.Book) -> Json:
    """NotFound, Invalid, NotPossible."""
    ward_id, now, real_now = request.match_info["ward_id"], request.app[keys.CLOCK].now(), clock.real_now()
    async with access.opened(request, "appointment.book", kind="ward", object_id=ward_id) as view:
        ward = boards.ward_json(await board.ward(view.connection, access.key(ward_id)))
        view.ward_id = ward["id"]
        there = await visit_desk.same_booked(
            view.connection, ward["id"], asked.kind, asked.starts_at, asked.minutes, asked.residents
        )
        if there is not None:
            return _booked(there, told=0, new=False)
        await _refuse_overlap(view, asked.residents, asked.starts_at, asked.minutes, anyway=asked.anyway)
        view.audited = True
        if asked.weekly is not None:
            return await _begin_series(request, view, ward, asked, asked.weekly, now)
        new = times.New(ward["id"], asked.kind, asked.residents, asked.starts_at, asked.minutes, asked.reason.strip())
        made = await appointments.book(
            view.connection, new, sender=visit_acts.sender(request), actor=view.caller.actor, now=now, real_now=real_now
        )
        row = await visit_desk.appointment(view.connection, made.appointment_id)
        return _booked(row, told=len(made.told), new=True)


async def _begin_series(
    request: web.Request, view: access.Opened, ward: Json, asked: wanted.Book, weekly: wanted.Weekly, now: datetime
) -> Json:
    local = asked.starts_at.astimezone(formats.zone_of(ward["zone"]))
    new = times.NewSeries(
        ward_id=ward["id"],
        kind=asked.kind,
        resident_ids=asked.residents,
        weekdays=weekly.weekdays or [local.weekday()],
        local_time=local.time().replace(second=0, microsecond=0),
        zone=ward["zone"],
        first_on=local.date(),
        every_weeks=weekly.every_weeks,
        last_on=weekly.last_on,
        minutes=asked.minutes,
        reason=asked.reason.strip(),
    )
    times.check_start(asked.starts_at, now=now)
    made = await series.begin(
        view.connection,
        new,
        sender=visit_acts.sender(request),
        actor=view.caller.actor,
        now=now,
        real_now=clock.real_now(),
    )
    first = await visit_desk.first_of_series(view.connection, made)
    if first is None:
        raise visits.NotPossible("No visit of this series would take place: its last day is before the first visit.")
    told = await visit_desk.mails(view.connection, first["id"])
    return _booked(first, told=len({one["to_address"] for one in told}), new=True)


def _booked(row: Record, *, told: int, new: bool) -> Json:
    appointment_id = row["id"]
    return {
        "appointment": appointment_id,
        "visit": row["consultation_id"],
        "series": row["series_id"],
        "told": told,
        "new": new,
    }


async def _refuse_overlap(
    view: access.Opened,
    resident_ids: list[int],
    starts_at: datetime,
    minutes: int,
    *,
    anyway: bool,
    but: int | None = None,
) -> None:
    """Somebody cannot be in two visits at a time, unless staff know better."""
    if anyway:
        return
    found = await appointments.overlaps(view.connection, resident_ids, starts_at, minutes, but=but)
    if found:
        names = await visit_desk.names(view.connection, [one.resident_id for one in found])
        raise Overlapping([{"appointment": one.appointment_id, "name": names[one.resident_id]} for one in found])


class Overlapping(visits.NotPossible):
    """Residents have other visits at that time. others: {appointment, name}."""

    def __init__(self, others: list[Json]) -> None:
        super().__init__("A resident has another visit at that time. Choose another time, or book it anyway.")
        self.others = others


async def move(request: web.Request, asked: wanted.MoveVisit) -> Json:
    """NotFound, Invalid, NotPossible."""
    now, real_now = request.app[keys.CLOCK].now(), clock.real_now()
    async with _opened(request, "appointment.move") as view:
        row = await opened_appointment(request, view)
        about = [one["id"] for one in await visit_desk.subjects(view.connection, row["id"])]
        await _refuse_overlap(view, about, asked.starts_at, asked.minutes, anyway=asked.anyway, but=row["id"])
        view.audited = True
    # as the service: residents who are on another ward by now are told, too
    async with request.app[keys.DATABASE].transaction(auth.SERVICE) as connection:
        made = await appointments.move(
            connection,
            row["id"],
            starts_at=asked.starts_at,
            minutes=asked.minutes,
            sender=visit_acts.sender(request),
            actor=view.caller.actor,
            now=now,
            real_now=real_now,
        )
    return _booked(row, told=len(made.told), new=False)


async def cancel(request: web.Request, asked: wanted.Cancel) -> Json:
    """The appointment afterwards. NotFound, Invalid, NotPossible."""
    now, real_now = request.app[keys.CLOCK].now(), clock.real_now()
    async with _opened(request, "appointment.cancel") as view:
        row = await opened_appointment(request, view)
        view.audited = True
    told = {"sender": visit_acts.sender(request), "actor": view.caller.actor, "now": now, "real_now": real_now}
    reason = asked.reason.strip()
    # as the service: residents who are on another ward by now are told, too
    async with request.app[keys.DATABASE].transaction(auth.SERVICE) as connection:
        if row["cancelled_at"] is None:
            await appointments.cancel(connection, row["id"], reason=reason, **told)
        if asked.series and row["series_id"] is not None and row["series_ended"] is None:
            await series.end(connection, row["series_id"], reason=reason, **told)
    async with access.sought(request, "appointment.cancel", kind="appointment", object_id=row["id"]) as view:
        return await detail(view, await opened_appointment(request, view))


async def new_link(request: web.Request, asked: wanted.NewLink) -> Json:
    """NotFound, Invalid, NotPossible."""
    now = request.app[keys.CLOCK].now()
    async with _opened(request, "visit.invite") as view:
        row = await opened_appointment(request, view)
        name = asked.name
        if name is None:
            subjects = await visit_desk.subjects(view.connection, row["id"])
            name = next((_called(one) for one in subjects if one["id"] == asked.resident), "")
        visit_id = await consultations.open_for_appointment(
            view.connection, row["id"], actor=view.caller.actor, now=now
        )
        loaded = await consultations.load(view.connection, visit_id)
        view.audited = True
        return await visit_acts.make_link(
            request, view, loaded, role=asked.role, resident_id=asked.resident, name=name, now=now
        )


async def revoke(request: web.Request, asked: wanted.OfLink) -> Json:
    """The appointment afterwards. NotFound."""
    now = request.app[keys.CLOCK].now()
    async with _opened(request, "visit.revoke_link") as view:
        row = await opened_appointment(request, view)
        await _own_link(view, row, asked.link)
        await links.revoke(view.connection, asked.link, actor=view.caller.actor, now=now, real_now=clock.real_now())
        view.audited = True
        return await detail(view, row)


async def allow(request: web.Request, asked: wanted.OfLink) -> Json:
    """The next device that opens a link of the appointment takes it over; the appointment afterwards. NotFound."""
    now = request.app[keys.CLOCK].now()
    async with _opened(request, "visit.allow_browser") as view:
        row = await opened_appointment(request, view)
        await _own_link(view, row, asked.link)
        await links.allow_another(view.connection, asked.link, actor=view.caller.actor, now=now)
        view.audited = True
        return await detail(view, row)


async def _own_link(view: access.Opened, row: Record, link_id: int) -> None:
    found = await visit_desk.link(view.connection, link_id)
    if found["consultation_id"] != row["consultation_id"]:
        raise visits.NotPossible("This link is not of this visit.")


def _called(row: Record) -> str:
    """As residents are addressed, on pages for guests."""
    return " ".join(part for part in (row["title"], row["given_name"], row["family_name"]) if part)[:100]


def _opened(request: web.Request, action: str) -> Any:
    return access.opened(request, action, kind="appointment", object_id=request.match_info["appointment_id"])


async def opened_appointment(request: web.Request, view: access.Opened) -> Record:
    """The appointment, noted for the audit row. NotFound."""
    row = await visit_desk.appointment(view.connection, access.key(request.match_info["appointment_id"]))
    view.ward_id = row["ward_id"]
    return row


async def seek(request: web.Request, action: str) -> None:
    """Somebody else's appointment is not found, whatever else is wrong with the request. NotFound."""
    appointment_id = request.match_info["appointment_id"]
    async with access.sought(request, action, kind="appointment", object_id=appointment_id) as view:
        await visit_desk.appointment(view.connection, access.key(appointment_id))


async def detail(view: access.Opened, row: Record) -> Json:
    """An appointment with whom it is about, links and mails."""
    found = await visit_desk.links(view.connection, row["consultation_id"]) if row["consultation_id"] else []
    return visits_json.appointment(
        row,
        await visit_desk.subjects(view.connection, row["id"]),
        found,
        await visit_desk.mails(view.connection, row["id"]),
        clock.real_now(),
    )


def calendar_file(request: web.Request, row: Record) -> str:
    """For staff's own calendar: no name in it, and a link that needs signing in."""
    settings = request.app[keys.SETTINGS]
    url = None if row["consultation_id"] is None else f"/visits/{row['consultation_id']}"
    return calendar.event(
        uid=row["uid"],
        revision=row["revision"],
        method="REQUEST" if row["cancelled_at"] is None else "CANCEL",
        starts_at=row["starts_at"],
        minutes=row["minutes"],
        stamp=row["changed_at"],
        organiser=settings.mail_from,
        attendee=settings.mail_from or "staff@telehealth.invalid",
        url=None if settings.public_url is None or url is None else settings.public_url + url,
    )
