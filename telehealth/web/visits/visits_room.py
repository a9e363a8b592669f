"""Pages: a video visit beside the record of the resident whom it is about, and the forms of what staff do in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from telehealth import errors
from telehealth.model import visits
from telehealth.store import board, recordings, residents_view, visit_desk
from telehealth.store.visit_view import Loaded
from telehealth.web import access, auth, keys, render
from telehealth.web.calls.rooms import ROOMS
from telehealth.web.record import api_residents
from telehealth.web.shown import boards, residents_json, rows, visits_json
from telehealth.web.visits import api_visits, visit_acts
from telehealth.web.visits.visits_ward import WORDS

Json = dict[str, Any]

#: What is wrong with a form, by the field that a person sees.
_TEXTS: Mapping[str, tuple[str, str]] = {
    "text": ("text", "Write something, in at most 1,000 characters"),
    "name": ("name", "Enter a name of at most 100 characters"),
    "role": ("role", "Choose who comes"),
    "email": ("email", "Enter an e-mail address like name@example.org"),
    "resident": ("resident", "Choose a resident of this visit"),
    "participant": ("people", "Choose somebody of this visit"),
    "codes": ("measure", "Choose what is to be measured"),
    "key": ("readings", "Choose a reading of this visit"),
    "decision": ("readings", "Accept the reading or leave it out"),
}


async def room(request: web.Request) -> web.StreamResponse:
    """The page of a visit."""
    return await room_page(request)


async def room_page(
    request: web.Request,
    *,
    status: int = 200,
    wrong: list[Json] | None = None,
    form: Json | None = None,
    invited: Json | None = None,
) -> web.Response:
    """The page, perhaps with what was wrong with a form, or with the link for somebody who was invited."""
    visit_id = request.match_info["visit_id"]
    now = request.app[keys.CLOCK].now()
    await request.app[ROOMS].let_go(request[auth.CALLER].member.id, min(int(visit_id), 2**63 - 1))
    async with access.opened(request, "visit.open", kind="consultation", object_id=visit_id) as view:
        loaded = await api_visits.opened_visit(view, visit_id)
        other = await visit_desk.elsewhere(view.connection, view.caller.member.id, loaded.row.id)
        over = loaded.row.state in visits.OVER
        if other is not None and not over:
            # Nobody sees a second resident's call over a live one: nothing of this one is shown.
            view.detail = {"refused": "elsewhere", "visit": other["id"]}
            view.resident_id = None
            context = await render.frame(request, view)
            return _elsewhere(request, context, loaded, other)
        if not over and request.method == "GET":
            await api_visits.own_place(view, loaded.row.id, now)
            loaded = await api_visits.opened_visit(view, visit_id)
        content = await _over(view, loaded) if over else await _content(request, view, loaded, now)
        context = await render.frame(request, view)
    more = {"errors": wrong or [], "form": form or {}, "invited": invited, **WORDS}
    template = "visit_over.html" if over else "consultation.html"
    return render.page(request, template, {**context, **content, **more}, status=status)


def _elsewhere(request: web.Request, context: Json, loaded: Loaded, other: Any) -> web.Response:
    subject = None if other["subject_id"] is None else visits_json.name(other)
    more = {
        "other": {"id": other["id"], "subject": subject},
        "wanted": loaded.row.id,
        "simulated": loaded.row.simulated,
    }
    return render.page(request, "visit_elsewhere.html", {**context, **more}, status=409)


async def _content(request: web.Request, view: access.Opened, loaded: Loaded, now: datetime) -> Json:
    """What consultation.html gets; see CONTEXT.md."""
    found = await api_visits.shown(view, loaded)
    ward = boards.ward_json(await board.ward(view.connection, loaded.row.ward_id))
    notes = {str(one["resident"]): one for one in found["notes"]}
    for subject in found["subjects"]:
        notes.setdefault(str(subject["id"]), {"resident": subject["id"], "text": "", "version": 0, "saved_at": None})
    me = next((one.id for one in loaded.people if one.staff_id == view.caller.member.id), None)
    return {
        "visit": {
            **{key: found[key] for key in ("id", "kind", "state", "starts_at", "minutes", "over", "locked", "seq")},
            **{key: found[key] for key in ("appointment", "alert", "people", "messages", "readings", "links")},
            "reason": await _reason(view, loaded),
            "ws": f"/ws/visits/{loaded.row.id}",
        },
        "me": me,
        "ward": ward,
        "subjects": found["subjects"],
        "notes": notes,
        "measures": await api_visits.measurable(view.connection, loaded, now),
        "keep_chat": loaded.row.keep_chat,
        "recording": loaded.policy.recording,
        "recording_days": loaded.policy.keep_recording_days,
        "simulated": ward["simulated"],
        **await _record(view, loaded, now),
    }


async def _record(view: access.Opened, loaded: Loaded, now: datetime) -> Json:
    """The record pane: of the current subject, and of nobody else."""
    subject = loaded.row.subject_id
    if subject is None:
        return {"resident": None, "row": None, "columns": [], "alerts": [], "others_notes": []}
    found = await residents_view.resident(view.connection, subject, now=now)
    row, open_alerts = await api_residents.row_of(view.connection, found, now)
    others = await visit_desk.others_notes(view.connection, loaded.row.id, subject, view.caller.member.id)
    return {
        "resident": residents_json.banner(found, now),
        "row": row,
        "columns": rows.columns([] if row is None else [row]),
        "alerts": [rows.alert(one) for one in open_alerts],
        "others_notes": [dict(one) for one in others],
    }


async def _reason(view: access.Opened, loaded: Loaded) -> str:
    if loaded.row.appointment_id is None:
        return ""
    return str((await visit_desk.appointment(view.connection, loaded.row.appointment_id))["reason"])


async def _over(view: access.Opened, loaded: Loaded) -> Json:
    """Of a visit that is over: what came of it, for each of its residents."""
    ward = boards.ward_json(await board.ward(view.connection, loaded.row.ward_id))
    names = await visit_desk.names(view.connection, [one.id for one in loaded.subjects])
    found = await visit_desk.encounters_of_visit(view.connection, loaded.row.id)
    return {
        "visit": {
            "id": loaded.row.id,
            "kind": loaded.row.kind,
            "state": loaded.row.state,
            "outcome": loaded.row.outcome,
            "ended_at": loaded.row.ended_at,
            "starts_at": loaded.row.starts_at,
        },
        "ward": ward,
        "encounters": [
            {"id": one["id"], "resident": one["resident_id"], "name": visits_json.name(one)} for one in found
        ],
        "subjects": visits_json.named([one.id for one in loaded.subjects], names),
        "recordings": [
            {**dataclasses.asdict(one), "id": str(one.id)}
            for one in await recordings.of_consultation(view.connection, loaded.row.id)
        ],
        "simulated": ward["simulated"],
    }


# Forms ----------------------------------------------------------------------------------------------


async def act(request: web.Request) -> web.StreamResponse:
    """A form of the visit's page, or of the waiting area: which one, the last part of the path says."""
    form = await auth.form(request)
    name = request.path.rpartition("/")[2]
    found = visit_acts.ACTS[name]
    await api_visits.seek(request, found.action)
    try:
        asked = found.model.model_validate(_fields(form))
        answer = await visit_acts.perform(request, name, asked)
    except ValidationError as error:
        return await room_page(request, status=422, wrong=_invalid(error), form=form)
    except errors.Invalid as error:
        field, text = _TEXTS.get(error.field, (error.field, str(error)))
        return await room_page(request, status=422, wrong=[_fault(field, text)], form=form)
    except visits.NotPossible as error:
        return await room_page(request, status=409, wrong=[_fault("people", error.why)], form=form)
    except visit_acts.Newer as newer:
        wrong = [_fault("text", "These notes were saved in another window meanwhile. Both texts are below.")]
        kept = {**form, "newer": newer.note["text"], "version": newer.note["version"]}
        return await room_page(request, status=409, wrong=wrong, form=kept)
    if name == "invite":
        # The one time that the address is told: not by a redirect, which would have to carry it.
        return await room_page(request, invited={"link": answer["link"], "name": form.get("name", "")})
    visit_id = request.match_info["visit_id"]
    back = f"/visits/{visit_id}"
    if name == "leave":
        raise render.then(form.get("next"), f"/wards/{form['ward']}/visits" if _number(form, "ward") else "/", "left")
    raise render.then(form.get("next"), back, found.done)


def _number(form: Mapping[str, str], name: str) -> bool:
    typed = form.get(name, "")
    return typed.isascii() and typed.isdigit() and len(typed) < 19


def _fields(form: Mapping[str, str]) -> Json:
    """A form as the models of the API want it: no empty fields, ticked boxes as a list."""
    fields: Json = {key: value for key, value in form.items() if value.strip() or key == "text"}
    codes = [key.removeprefix("code_") for key in form if key.startswith("code_")]
    return {**fields, "codes": codes} if codes else fields


def _invalid(error: ValidationError) -> list[Json]:
    wrong = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        wrong.append(_fault(*_TEXTS.get(name, ("people", "This cannot be done like that"))))
    return wrong


def _fault(field: str, text: str) -> Json:
    return {"field": field, "text": text, "href": f"#{field}"}
