"""The page of one reading, where staff decide about it: whose it is, when it was taken, that it counts for nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from telehealth import errors
from telehealth.model import people
from telehealth.store import board, held, repair, residents_view
from telehealth.web import access, auth, keys, render
from telehealth.web.record import api_readings, repair_models
from telehealth.web.shown import boards, formats, held_json, local_time, measures, residents_json

Json = dict[str, Any]
Form = Mapping[str, str]

_SCOPES = ("reading", "set", "period")


class WrongForm(Exception):
    """The form cannot be taken; wrong: as the error summary wants it."""

    def __init__(self, wrong: list[Json]) -> None:
        super().__init__("the form is wrong")
        self.wrong = wrong


async def reading(request: web.Request) -> web.StreamResponse:
    """The page."""
    return await _page(request)


async def move(request: web.Request) -> web.StreamResponse:
    """The form that says whose it is."""

    async def work(form: Form, zone: str) -> None:
        wrong: list[Json] = []
        to = form.get("resident", "")
        if to != "nobody" and not (to.isascii() and to.isdigit() and 0 < int(to) < 2**63):
            wrong.append(_wrong("resident", "Choose whose it is"))
        asked = {**_scoped(form, zone, wrong), "reason": _reason(form, "reason", wrong)}
        if wrong:
            raise WrongForm(wrong)
        resident = None if to == "nobody" else int(to)
        await api_readings.move(request, repair_models.Move.model_validate({**asked, "resident": resident}))

    return await _decide(request, "moved", "reason", work)


async def set_time(request: web.Request) -> web.StreamResponse:
    """The form that says when it was taken; some of its buttons need nothing else."""

    async def work(form: Form, zone: str) -> None:
        wrong: list[Json] = []
        how = form.get("how", "")
        if how not in ("arrived", "said", "at"):
            wrong.append(_wrong("date", "Choose when it was taken"))
        at = local_time.read(form, "", zone, wrong) if how == "at" else None
        if wrong:
            raise WrongForm(wrong)
        scope = "reading" if form.get("time_scope") == "reading" else "set"
        await api_readings.set_time(
            request, repair_models.SetTime.model_validate({"how": how, "at": at, "scope": scope})
        )

    return await _decide(request, "timed", "date", work)


async def set_aside(request: web.Request) -> web.StreamResponse:
    """The form that sets it aside."""

    async def work(form: Form, zone: str) -> None:
        wrong: list[Json] = []
        reason = _reason(form, "aside_reason", wrong)
        if wrong:
            raise WrongForm(wrong)
        scope = "set" if form.get("aside_scope") == "set" else "reading"
        await api_readings.set_aside(request, repair_models.SetAside.model_validate({"scope": scope, "reason": reason}))

    return await _decide(request, "aside", "aside_reason", work)


async def choose(request: web.Request) -> web.StreamResponse:
    """The form that chooses this value of several."""

    async def work(form: Form, zone: str) -> None:
        wrong: list[Json] = []
        reason = _reason(form, "choose_reason", wrong)
        if wrong:
            raise WrongForm(wrong)
        await api_readings.choose(request, repair_models.Choose.model_validate({"reason": reason}))

    return await _decide(request, "chosen", "choose_reason", work)


async def _decide(
    request: web.Request, done: str, field: str, work: Callable[[Form, str], Awaitable[None]]
) -> web.StreamResponse:
    """Do what a form says, and go back to where it came from; or the page again with what was wrong."""
    form = await auth.form(request)
    name = request.match_info["reading_key"]
    async with access.sought(request, f"reading.{done}", kind="reading", object_id=name) as view:
        found = await repair.reading(view.connection, held_json.read_key(name))
        zone, ward_id = found["zone"] or formats.ZONE, found["resident_ward_id"] or found["device_ward_id"]
    try:
        await work(form, zone)
    except WrongForm as error:
        return await _page(request, status=422, wrong=error.wrong, form=form)
    except errors.Invalid as error:
        names = {"at": "date", "since": "since_date", "until": "until_date"}
        where = names.get(error.field, field)
        return await _page(request, status=422, wrong=[_wrong(where, f"This {error.problem}")], form=form)
    except errors.Conflict as error:
        text = str(error)
        return await _page(request, status=422, wrong=[_wrong(field, text[:1].upper() + text[1:])], form=form)
    raise render.then(form.get("next"), f"/wards/{ward_id}/held", done)


def _scoped(form: Form, zone: str, wrong: list[Json]) -> Json:
    scope = form.get("scope", "reading")
    if scope not in _SCOPES:
        wrong.append(_wrong("scope", "Choose how much goes with it"))
    if scope != "period":
        return {"scope": scope}
    return {
        "scope": scope,
        "since": local_time.read(form, "since_", zone, wrong),
        "until": local_time.read(form, "until_", zone, wrong),
    }


def _reason(form: Form, field: str, wrong: list[Json]) -> str:
    reason = form.get(field, "").strip()
    if not 1 <= len(reason) <= 500 or not reason.isprintable():
        wrong.append(_wrong(field, "Say why, in at most 500 characters"))
    return reason


def _wrong(field: str, text: str) -> Json:
    return {"field": field, "text": text, "href": f"#{field}"}


# The page ---------------------------------------------------------------------------------------------


async def _page(
    request: web.Request, *, status: int = 200, wrong: list[Json] | None = None, form: Form | None = None
) -> web.Response:
    name = request.match_info["reading_key"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "reading.open", kind="reading", object_id=name) as view:
        found = await api_readings.opened(view, name, now)
        r = found.reading
        resident = None
        if r["resident_id"] is not None:
            resident = residents_json.banner(
                await residents_view.resident(view.connection, r["resident_id"], now=now), now
            )
        ward = None
        if view.ward_id is not None:
            ward = boards.ward_json(await board.ward(view.connection, view.ward_id))
        context = await render.frame(request, view)
    given = form or {}
    content = _content(found, resident["zone"] if resident else formats.ZONE)
    more = {
        "resident": resident,
        "ward": ward,
        "simulated": bool(ward and ward["simulated"]),
        "errors": wrong or [],
        "asked": [error["field"] for error in wrong or []],
        "form": given,
        "next": render.own_path(given.get("next") or request.query.get("next"), _back(resident, ward)),
    }
    return render.page(request, "reading.html", {**context, **content, **more}, status=status)


def _back(resident: Json | None, ward: Json | None) -> str:
    if resident is not None:
        return f"/residents/{resident['id']}"
    return "/" if ward is None else f"/wards/{ward['id']}/held"


def _content(found: held.One, zone: str) -> Json:
    r = found.reading
    marks = set(r["marks"] or ())
    detail = held_json.detail(found)
    nobody = r["resident_id"] is None
    whole = formats.zone_of(zone)
    at = (r["effective_at"] or r["received_at"]).astimezone(whole)
    doubtful = not repair.DOUBTFUL.isdisjoint(marks) and not r["struck"]
    open_values = [value for value in detail["values"] if not value["struck"]]
    return {
        "reading": {
            **detail,
            "words": held_json.words([*(r["marks"] or ()), *(r["flags"] or ())]),
            "source": "keyed by staff" if r["device_id"] is None else f"device {r['device_id']}",
        },
        "zone": zone,
        "held": dict(zip(("why", "helps"), held_json.REASONS[held_json.why(r)], strict=True)) if nobody else None,
        "doubt": _doubt(found) if "maybe_other" in marks else None,
        "conflicting": open_values if len(open_values) > 1 else [],
        "options": _options(found),
        "can_time": doubtful,
        "says_time": not {"undated", "zone_assumed"} & marks
        and r["taken_at"] <= r["received_at"] + timedelta(minutes=1),
        "day": {
            "since_date": formats.staff_date(at, zone),
            "since_time": "00:00",
            "until_date": formats.staff_date(at.replace(hour=12) + timedelta(days=1), zone),
            "until_time": "00:00",
            "date": formats.staff_date(at, zone),
            "time": at.strftime("%H:%M"),
        },
    }


def _doubt(found: held.One) -> Json | None:
    if found.doubt is None:
        return None
    r, d = found.reading, found.doubt
    return {
        "usual": measures.text(r["code"], d["usual"], None),
        "allowed": measures.text(r["code"], d["allowed"], None),
        "unit": measures.shown_unit(r["unit"]),
        "fits": held_json.named(d["fits_resident_id"], d, ""),
    }


def _options(found: held.One) -> list[Json]:
    """Whom the reading may be given to: by ward, those who use the device before all others."""
    own = found.reading["resident_id"]
    groups: dict[str, list[Json]] = {}
    for c in found.candidates:
        if c["id"] == own:
            continue
        group = "Has or had the device" if c["likely"] else c["ward"]
        name = people.display_name(c["family_name"], c["given_name"], c["title"])
        text = f"{name}, born {formats.born(c['born'])}, {formats.nhs_number(c['nhs_number'])}"
        groups.setdefault(group, []).append({"value": str(c["id"]), "text": text})
    return [{"name": name, "options": options} for name, options in groups.items()]
