"""/api/v1: video visits of a ward, starting one, the visit itself, its end, and what is left to be done after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from aiohttp import web

from telehealth import clock, errors
from telehealth.model import visits
from telehealth.store import alerts, board, consultations, encounters, participants, visit_desk
from telehealth.store.db import Connection, Record
from telehealth.store.visit_view import Loaded
from telehealth.web import access, auth, keys, parse, replies
from telehealth.web.api_wards import reply
from telehealth.web.calls.rooms import ROOMS
from telehealth.web.operations import operation
from telehealth.web.record import api_alerts, api_residents
from telehealth.web.shown import boards, formats, visits_json
from telehealth.web.visits import visits_models as models
from telehealth.web.visits import visits_requests as wanted

Json = dict[str, Any]

_DAY = timedelta(days=1)


# A ward ---------------------------------------------------------------------------------------------


@operation(models.WardVisits, query=wanted.DiaryQuery, tag="visits")
async def ward_visits(request: web.Request) -> web.Response:
    """The visits of a ward on a day, who waits now, and what is left to be done after visits."""
    ward_id = request.match_info["ward_id"]
    asked = parse.query(request, wanted.DiaryQuery)
    async with access.opened(request, "visit.diary", kind="ward", object_id=ward_id, refreshes=True) as view:
        found = await ward_day(request, view, ward_id, asked.date)
    return reply(found)


@operation(models.WaitingArea, tag="visits")
async def ward_waiting(request: web.Request) -> web.Response:
    """Who waits to be let in on a ward, longest first."""
    ward_id = request.match_info["ward_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "visit.diary", kind="ward", object_id=ward_id, refreshes=True) as view:
        ward = await board.ward(view.connection, access.key(ward_id))
        view.ward_id = ward["id"]
        waiting = await waiting_people(view.connection, ward["id"], now)
    return reply({"waiting": waiting, "at": formats.iso(now)})


async def ward_day(request: web.Request, view: access.Opened, ward_id: str, day: date | None) -> Json:
    """For page and API. NotFound."""
    now = request.app[keys.CLOCK].now()
    ward = boards.ward_json(await board.ward(view.connection, access.key(ward_id)))
    view.ward_id = ward["id"]
    zone = formats.zone_of(ward["zone"])
    today = now.astimezone(zone).date()
    shown = day or today
    if not 1000 < shown.year < 9000:
        raise errors.Invalid("date", "is not a day that can be shown")
    since, until = (datetime.combine(one, time(), zone) for one in (shown, shown + _DAY))
    entries = await visit_desk.diary(view.connection, ward["id"], since, until)
    old = await visit_desk.unfinished(view.connection, ward["id"], before=since) if shown == today else []
    names = await visit_desk.names(view.connection, [one for entry in (*old, *entries) for one in entry.resident_ids])
    left = await visit_desk.follow_ups_of_ward(view.connection, ward["id"])
    return {
        "ward": ward,
        "date": shown.isoformat(),
        "visits": [visits_json.diary(entry, names) for entry in entries],
        "unfinished": [visits_json.diary(entry, names) for entry in old],
        "waiting": await waiting_people(view.connection, ward["id"], now),
        "follow_ups": [visits_json.follow_up(one, visits_json.name(one), today) for one in left],
    }


async def waiting_people(connection: Connection, ward_id: int, now: datetime) -> list[Json]:
    """Who waits on a ward, longest first."""
    found = await visit_desk.waiting(connection, ward_id, now=now)
    names = await visit_desk.names(connection, [one.resident_id for one in found if one.resident_id is not None])
    return [visits_json.waiting(one, names) for one in found]


# Starting -------------------------------------------------------------------------------------------


@operation(models.Started, body=wanted.StartNow, refusals=(409,), repeatable=True, tag="visits")
async def start_visit(request: web.Request) -> web.Response:
    """Start a video visit of a resident at once.

    If one is open already, that is the answer. A member of staff who is in another call is refused.
    """
    await api_residents.seek(request, "visit.create")
    asked = await parse.body(request, wanted.StartNow)
    return reply(await replies.once(request, lambda: start(request, asked.kind)))


@operation(models.Started, body=wanted.StartAlert, refusals=(409,), repeatable=True, tag="visits")
async def start_alert_visit(request: web.Request) -> web.Response:
    """Start a video visit of the resident whom an alert is about, because of it."""
    await api_alerts.seek(request, "visit.create")
    await parse.body(request, wanted.StartAlert)
    return reply(await replies.once(request, lambda: start_for_alert(request)))


async def start(request: web.Request, kind: visits.Kind) -> Json:
    """For page and API. NotFound, NotPossible."""
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    await request.app[ROOMS].let_go(request[auth.CALLER].member.id, None)
    async with access.opened(request, "visit.create", kind="resident", object_id=resident_id) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        return await _start(view, found, kind, None, now)


async def start_for_alert(request: web.Request) -> Json:
    """For page and API. NotFound, NotPossible."""
    alert_id = request.match_info["alert_id"]
    now = request.app[keys.CLOCK].now()
    await request.app[ROOMS].let_go(request[auth.CALLER].member.id, None)
    async with access.opened(request, "visit.create", kind="alert", object_id=alert_id) as view:
        alert = (await alerts.get(view.connection, access.key(alert_id))).alert
        if alert.resident_id is None:
            raise visits.NotPossible("This alert is about a device that is nobody's: there is nobody to see.")
        found = await api_residents.opened_resident(view, str(alert.resident_id), now)
        return await _start(view, found, "one_to_one", alert, now)


async def _start(view: access.Opened, found: Any, kind: visits.Kind, alert: Any, now: datetime) -> Json:
    there = await visit_desk.begin_for(view.connection, found["id"])
    if there is not None:
        view.detail = {"visit": there}
        return {"visit": there, "new": False}
    if not found["on_ward"]:
        raise visits.NotPossible("This resident is not on the ward now.")
    await refuse_elsewhere(view, None)
    made = await consultations.start(
        view.connection,
        kind=kind,
        ward_id=found["ward_id"],
        resident_ids=[found["id"]],
        alert_id=None if alert is None else alert.id,
        actor=view.caller.actor,
        now=now,
    )
    view.audited = True
    return {"visit": made, "new": True}


async def refuse_elsewhere(view: access.Opened, visit_id: int | None) -> None:
    """Nobody is in two calls: the guard against the wrong resident. NotPossible."""
    other = await visit_desk.elsewhere(view.connection, view.caller.member.id, visit_id)
    if other is not None:
        raise visits.NotPossible(
            "You are in another video visit. Leave it or end it first, so that you never see two residents' calls."
        )


# One visit ------------------------------------------------------------------------------------------


@operation(models.Visit, tag="visits")
async def visit(request: web.Request) -> web.Response:
    """One visit as staff see it: who is in it, whom it is about, what was said and measured, one's own notes."""
    visit_id = request.match_info["visit_id"]
    async with access.opened(request, "visit.open", kind="consultation", object_id=visit_id, refreshes=True) as view:
        loaded = await opened_visit(view, visit_id)
        found = await shown(view, loaded)
    return reply(found)


@operation(models.Measurables, tag="visits")
async def visit_measures(request: web.Request) -> web.Response:
    """What the devices of the current subject can be asked to measure."""
    visit_id = request.match_info["visit_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "visit.open", kind="consultation", object_id=visit_id, refreshes=True) as view:
        loaded = await opened_visit(view, visit_id)
        found = await measurable(view.connection, loaded, now)
    return reply({"resident": loaded.row.subject_id, "measures": found})


async def opened_visit(view: access.Opened, visit_id: str, *, strange: bool = False) -> Loaded:
    """The visit, noted for the audit row. NotFound; also when it is about a resident of another ward now.

    strange: then, too, because it is left, ended, or made to be about somebody else.
    """
    loaded = await consultations.load(view.connection, access.key(visit_id))
    if loaded.strange and not strange:
        raise errors.NotFound
    view.resident_id, view.ward_id = loaded.row.subject_id, loaded.row.ward_id
    return loaded


async def seek(request: web.Request, action: str) -> None:
    """Somebody else's visit is not found, whatever else is wrong with the request. NotFound."""
    visit_id = request.match_info["visit_id"]
    async with access.sought(request, action, kind="consultation", object_id=visit_id) as view:
        await consultations.load(view.connection, access.key(visit_id))


async def shown(view: access.Opened, loaded: Loaded) -> Json:
    """A visit as the caller sees it."""
    names = await visit_desk.names(view.connection, [one.id for one in loaded.subjects])
    notes = await visit_desk.own_notes(view.connection, loaded.row.id, view.caller.member.id)
    links = await visit_desk.links(view.connection, loaded.row.id)
    real_now = clock.real_now()
    return visits_json.visit(loaded, names, notes, [visits_json.link(one, real_now=real_now) for one in links])


async def measurable(connection: Connection, loaded: Loaded, now: datetime) -> list[Json]:
    """What the devices of the current subject can be asked for."""
    if loaded.row.subject_id is None:
        return []
    return visits_json.measurable(await visit_desk.measurable(connection, loaded.row.subject_id, now=now))


async def own_place(view: access.Opened, visit_id: int, now: datetime) -> int:
    """The caller's own participant in a visit, made when there is none yet."""
    return await participants.of_staff(view.connection, visit_id, view.caller.member.id, now=now)


# The end, and what comes after ----------------------------------------------------------------------


@operation(models.Ended, body=wanted.End, refusals=(409,), repeatable=True, tag="visits")
async def end_visit(request: web.Request) -> web.Response:
    """End a visit and write it into the record of each of its residents.

    Everybody leaves, links work no more, notes become part of the encounters.
    """
    await seek(request, "visit.end")
    asked = await parse.body(request, wanted.End)
    return reply(await replies.once(request, lambda: end(request, asked)))


async def end(request: web.Request, asked: wanted.End) -> Json:
    """For page and API. NotFound, NotPossible, Conflict, Invalid."""
    visit_id = request.match_info["visit_id"]
    now = request.app[keys.CLOCK].now()
    async with access.sought(request, "visit.end", kind="consultation", object_id=visit_id) as view:
        loaded = await opened_visit(view, visit_id, strange=True)
        actor, mine = view.caller.actor, {one.id for one in loaded.subjects}
    if not {one.resident for one in asked.subjects} <= mine:
        raise errors.Invalid("subjects", "names a resident whom this visit is not about")
    by_subject = {
        one.resident: encounters.SubjectEnding(
            coding=one.coding,
            summary=one.summary,
            follow_up=one.follow_up,
            follow_up_due=one.follow_up_due,
            mail_summary=one.mail,
        )
        for one in asked.subjects
    }
    ending = encounters.Ending(outcome=asked.outcome, by_subject=by_subject)
    # as the service: what was noted and measured goes into the record of residents of other wards, too
    async with request.app[keys.DATABASE].transaction(auth.SERVICE) as connection:
        await consultations.end(connection, loaded.row.id, ending, actor=actor, now=now)
    async with request.app[keys.DATABASE].transaction(actor, read_only=True) as connection:
        written = await visit_desk.encounters_of_visit(connection, loaded.row.id)
    return {"visit": loaded.row.id, "encounters": [row["id"] for row in written]}


@operation(models.Encounters, query=wanted.EncountersQuery, tag="visits")
async def resident_encounters(request: web.Request) -> web.Response:
    """What came of a resident's video visits, the newest first."""
    asked = parse.query(request, wanted.EncountersQuery)
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    before = None
    if asked.cursor is not None:
        if not (asked.cursor.isascii() and asked.cursor.isdigit() and len(asked.cursor) < 19):
            raise errors.Invalid("cursor", "is not one of ours")
        before = int(asked.cursor)
    async with access.opened(request, "encounter.list", kind="resident", object_id=resident_id) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        rows = await visit_desk.encounters(view.connection, found["id"], before=before, limit=asked.limit + 1)
        items = await full(view.connection, rows[: asked.limit], found, now)
    more = str(items[-1]["id"]) if len(rows) > asked.limit else None
    return reply({"items": items, "next": more})


@operation(models.Encounter, tag="visits")
async def encounter(request: web.Request) -> web.Response:
    """One encounter: participants, times, quality, readings, notes, follow-ups."""
    async with access.opened(
        request, "encounter.open", kind="encounter", object_id=request.match_info["encounter_id"]
    ) as view:
        found, _ = await opened_encounter(request, view)
    return reply(found)


async def opened_encounter(request: web.Request, view: access.Opened) -> tuple[Json, Any]:
    """An encounter and its resident, noted for the audit row. NotFound."""
    now = request.app[keys.CLOCK].now()
    row = await visit_desk.encounter(view.connection, access.key(request.match_info["encounter_id"]))
    resident = await api_residents.opened_resident(view, str(row["resident_id"]), now)
    view.ward_id = row["ward_id"]
    return (await full(view.connection, [row], resident, now))[0], resident


async def full(connection: Connection, rows: Sequence[Record], resident: Any, now: datetime) -> list[Json]:
    """Encounters of one resident with their notes and follow-ups."""
    ids = [row["id"] for row in rows]
    notes = await visit_desk.notes(connection, ids)
    today = now.astimezone(formats.zone_of(resident["zone"])).date()
    name = visits_json.name(resident)
    left = [visits_json.follow_up(one, name, today) for one in await visit_desk.follow_ups(connection, ids)]
    return [visits_json.encounter(row, notes, left) for row in rows]


@operation(models.FollowUp, body=wanted.Nothing, refusals=(409,), repeatable=True, tag="visits")
async def follow_up_done(request: web.Request) -> web.Response:
    """What was left to be done after a visit is done."""
    follow_up_id = request.match_info["follow_up_id"]
    async with access.sought(request, "follow_up.done", kind="follow_up", object_id=follow_up_id) as view:
        await visit_desk.follow_up(view.connection, access.key(follow_up_id))
    await parse.body(request, wanted.Nothing)
    return reply(await replies.once(request, lambda: tick(request)))


async def tick(request: web.Request) -> Json:
    """For page and API: a follow-up is done. NotFound, Conflict."""
    follow_up_id = request.match_info["follow_up_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "follow_up.done", kind="follow_up", object_id=follow_up_id) as view:
        row = await visit_desk.follow_up(view.connection, access.key(follow_up_id))
        view.resident_id, view.ward_id = row["resident_id"], row["ward_id"]
        await encounters.finish_follow_up(view.connection, row["id"], actor=view.caller.actor, now=now)
        view.audited = True
        again = await visit_desk.follow_ups(view.connection, [row["encounter_id"]])
        names = await visit_desk.names(view.connection, [row["resident_id"]])
    shown_row = next(one for one in again if one["id"] == row["id"])
    return visits_json.follow_up(shown_row, names[row["resident_id"]], now.date())
