"""Pages: ending a visit and writing it into the record, and an encounter as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from telehealth import errors
from telehealth.model import visits
from telehealth.store import board, visit_desk
from telehealth.store.visit_view import Loaded
from telehealth.web import access, auth, keys, render
from telehealth.web.rules.rule_forms import fault
from telehealth.web.shown import boards, formats, measures, residents_json, visits_json
from telehealth.web.visits import api_visits, visits_room
from telehealth.web.visits import visits_requests as wanted
from telehealth.web.visits.visits_ward import WORDS

Json = dict[str, Any]
Form = Mapping[str, str]

_TEXTS: Mapping[str, str] = {
    "coding": "Write the coding on one line, in at most 200 characters",
    "summary": "Write at most 4,000 characters to the resident",
    "follow_up": "Write what is to be done in at most 500 characters",
    "follow_up_due": "Enter the day like this: 21-Nov-2026, or leave it empty",
}


async def end_form(request: web.Request) -> web.StreamResponse:
    """The form."""
    return await _form_page(request)


async def end(request: web.Request) -> web.StreamResponse:
    """The form was sent."""
    form = await auth.form(request)
    visit_id = request.match_info["visit_id"]
    async with access.sought(request, "visit.end", kind="consultation", object_id=visit_id) as view:
        loaded = await api_visits.opened_visit(view, visit_id, strange=True)
    if loaded.row.state in visits.OVER:
        # Sent twice, or ended by somebody else: the page says what came of it.
        raise web.HTTPSeeOther(f"/visits/{visit_id}")
    wrong: list[Json] = []
    asked = _asked(form, loaded, wrong)
    if asked is None:
        return await _form_page(request, form, wrong)
    try:
        found = await api_visits.end(request, asked)
    except errors.Invalid as error:
        text = _TEXTS.get(error.field, f"This {error.problem}")
        return await _form_page(request, form, [fault("outcome", text)])
    except (visits.NotPossible, errors.Conflict) as error:
        return await _form_page(request, form, [fault("outcome", str(error))], status=409)
    raise web.HTTPSeeOther(_next(form, loaded, found["encounters"]))


def _next(form: Form, loaded: Loaded, encounters: list[int]) -> str:
    """To the next booking, if it was asked for; else to what was written."""
    chosen = [str(one.id) for one in loaded.subjects if f"next_{one.id}" in form]
    if chosen:
        query = "&".join(f"resident={one}" for one in chosen)
        kind = loaded.row.kind if len(chosen) > 1 or loaded.row.kind in visits.SINGLE else "one_to_one"
        minutes = f"&minutes={loaded.row.minutes}" if loaded.row.minutes else ""
        return f"/wards/{loaded.row.ward_id}/visits/new?{query}&kind={kind}{minutes}&done=ended"
    if len(encounters) == 1:
        return f"/encounters/{encounters[0]}?done=ended"
    if loaded.strange:
        # its page is not theirs: it says whose visit it was
        return f"/wards/{loaded.row.ward_id}/visits?done=ended"
    return f"/visits/{loaded.row.id}?done=ended"


def _asked(form: Form, loaded: Loaded, wrong: list[Json]) -> wanted.End | None:
    """What was typed of each resident, or None with everything that is wrong with it."""
    subjects = []
    for one in loaded.subjects:
        fields: Json = {name: form.get(f"{name}_{one.id}", "").strip() for name in ("coding", "summary", "follow_up")}
        due = form.get(f"follow_up_due_{one.id}", "").strip()
        fields["follow_up_due"] = formats.read_date(due) if due else None
        if due and fields["follow_up_due"] is None:
            wrong.append(fault(f"follow_up_due_{one.id}", _TEXTS["follow_up_due"]))
        elif due and not fields["follow_up"]:
            wrong.append(fault(f"follow_up_{one.id}", "Say what is to be done by that day"))
        try:
            asked = wanted.SubjectEnds.model_validate({"resident": one.id, "mail": f"mail_{one.id}" in form, **fields})
        except ValidationError as error:
            places = {str(part["loc"][0]) for part in error.errors(include_input=False, include_url=False)}
            wrong += [fault(f"{name}_{one.id}", _TEXTS[name]) for name in sorted(places & set(_TEXTS))]
            continue
        if any(fields.values()):
            subjects.append(asked)
    outcome = form.get("outcome", "")
    if outcome not in visits_json.OUTCOMES:
        wrong.insert(0, fault("outcome", "Choose what came of it"))
        return None
    return None if wrong else wanted.End.model_validate({"outcome": outcome, "subjects": subjects})


async def _form_page(
    request: web.Request, form: Form | None = None, wrong: list[Json] | None = None, *, status: int | None = None
) -> web.Response:
    visit_id = request.match_info["visit_id"]
    async with access.opened(request, "visit.ending", kind="consultation", object_id=visit_id) as view:
        loaded = await api_visits.opened_visit(view, visit_id, strange=True)
        over = loaded.row.state in visits.OVER
        found = await api_visits.shown(view, loaded)
        addresses = await visit_desk.contacts(view.connection, [one.id for one in loaded.subjects])
        ward = boards.ward_json(await board.ward(view.connection, loaded.row.ward_id))
        context = await render.frame(request, view)
    if over:
        return await visits_room.room_page(request)
    notes = {one["resident"]: one["text"] for one in found["notes"]}
    seen = {one.id for one in loaded.subjects if one.since is not None or one.id == loaded.row.subject_id}
    more = {
        **WORDS,
        "visit": found,
        "ward": ward,
        "subjects": [
            {
                **one,
                "seen": one["id"] in seen,
                "note": notes.get(one["id"], ""),
                "email": next((a["email"] for a in addresses if _own(a, one["id"])), None),
            }
            for one in found["subjects"]
        ],
        "strange": loaded.strange,
        "form": dict(form or {}),
        "errors": wrong or [],
        "asked": [one["field"] for one in wrong or []],
        "simulated": ward["simulated"],
    }
    return render.page(request, "visit_end.html", {**context, **more}, status=status or (422 if wrong else 200))


def _own(contact: Any, resident_id: int) -> bool:
    return bool(contact["resident_id"] == resident_id and contact["relation"] == "self")


# What was written -----------------------------------------------------------------------------------


async def encounter(request: web.Request) -> web.StreamResponse:
    """An encounter of a resident."""
    encounter_id = request.match_info["encounter_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "encounter.open", kind="encounter", object_id=encounter_id) as view:
        found, resident = await api_visits.opened_encounter(request, view)
        recordings = await visit_desk.recordings(view.connection, found["id"])
        context = await render.frame(request, view)
    found["readings"] = [_reading(one) for one in found["readings"]]
    more = {
        **WORDS,
        "encounter": found,
        "recordings": [dict(one) for one in recordings],
        "resident": residents_json.banner(resident, now),
        "ward": {
            "id": found["ward_id"],
            "name": found["ward"],
            "simulated": resident["simulated"],
            "zone": formats.ZONE,
        },
        "simulated": resident["simulated"],
    }
    return render.page(request, "encounter.html", {**context, **more})


def _reading(one: Json) -> Json:
    code = str(one.get("code", ""))
    value = one.get("value")
    text = formats.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value or "")
    return {**one, "name": measures.name(code), "text": text or "failed", "unit": measures.shown_unit(one.get("unit"))}
