"""The testers' pages: homes and devices, one resident's truth beside the record, and what may be done to them."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import web

from telehealth import clock, errors
from telehealth.store import alerts, residents_view
from telehealth.web import access, auth, keys, render
from telehealth.web.access import Opened
from telehealth.web.shown import rows
from telehealth.web.simulator import simulator_chart as charts
from telehealth.web.simulator import simulator_link as link
from telehealth.web.simulator import simulator_view as view
from telehealth.web.simulator.simulator_view import Seen, Words

Json = dict[str, Any]
Form = Mapping[str, str]

_SPANS = ((6, "6 hours"), (24, "A day"), (72, "3 days"), (168, "A week"))
_ALERTS, _RESIDENTS = 500, 1000
#: The parameter of faults that says in how many of all cases.
_SHARE = "share"
_LONGEST_MINUTES = 60 * 24 * 28


@dataclass(frozen=True)
class _World:
    """Who is simulated, and who of them the caller may see."""

    homes: list[link.Home]
    seen: Mapping[str, Seen]
    words: Words


async def home(request: web.Request) -> web.StreamResponse:
    """All homes."""
    return await _home(request)


async def resident(request: web.Request) -> web.StreamResponse:
    """One resident: truth and record."""
    return await _resident(request)


async def fault(request: web.Request) -> web.StreamResponse:
    """What can go wrong with something; or the form of one kind of fault with its settings."""
    if "kind" in request.query:
        return await _fault(request, request.query)
    async with access.opened(request, "simulator.open", kind="simulator", refreshes=True) as opened:
        world = await _joined(request, opened)
        context = await render.frame(request, opened)
    target = _target(world, request.query)
    offered = {one["name"] for one in view.offered_of(world.homes, target, world.words.catalogue)}
    more = {
        "kinds": sorted(
            (one for one in world.words.catalogue.faults if one.name in offered), key=lambda one: one.title
        ),
        "target": target,
        "target_words": view.targets(world.homes, world.seen)[target],
        "next": render.own_path(request.query.get("next"), "/simulator"),
    }
    return render.page(request, "simulator_faults.html", {**context, **more})


async def start_fault(request: web.Request) -> web.StreamResponse:
    """The form that switches a fault on."""
    form = await auth.form(request)
    world = await _world(request)
    kind = _kind(world, form)
    target = _target(world, form)
    wrong: list[Json] = []
    asked = {
        "kind": kind.name,
        "target": target,
        "minutes": _minutes(form, wrong),
        "parameters": _parameters(kind, form, wrong),
    }
    if not wrong:
        try:
            await request.app[link.LINK].post("/faults", asked)
        except link.Declined as refused:
            wrong.append(_wrong("kind", str(refused)))
    if wrong:
        return await _fault(request, form, wrong)
    raise render.then(form.get("next"), "/simulator", "broken")


async def end_fault(request: web.Request) -> web.StreamResponse:
    """The form that mends something."""
    form = await auth.form(request)
    world = await _world(request)
    fault_id = form.get("fault", "")
    found = [
        *(one for home in world.homes for one in home.faults),
        *(one for home in world.homes for device in home.devices for one in device.faults),
    ]
    # A fault may befall more than what the caller sees of it.
    known = view.targets(world.homes, world.seen)
    if fault_id not in {one.id for one in found if one.target in known}:
        raise errors.NotFound("there is no such fault")
    await request.app[link.LINK].delete(f"/faults/{quote(fault_id, safe='')}")
    raise render.then(form.get("next"), "/simulator", "mended")


async def measure(request: web.Request) -> web.StreamResponse:
    """The form that takes one reading now."""
    form = await auth.form(request)
    device_id = request.match_info["device_id"]
    world = await _world(request)
    _known(world, f"device:{device_id}")
    asked = {"device_id": device_id}
    if form.get("resident"):
        # With a kit that several share: whom.
        asked["resident"] = _known(world, f"resident:{form['resident']}").partition(":")[2]
    await request.app[link.LINK].post("/measure", asked)
    raise render.then(form.get("next"), "/simulator", "measured")


async def speed(request: web.Request) -> web.StreamResponse:
    """The form that makes time go faster, slower, or not at all."""
    form = await auth.form(request)
    simulator = request.app[link.LINK]
    catalogue = await simulator.get("/catalogue", link.Catalogue)
    wanted = next((one for one in catalogue.speeds if f"{one:g}" == form.get("speed")), None)
    if wanted is None:
        return await _home(request, [_wrong("speed", "Choose one of the speeds")])
    try:
        await simulator.post("/speed", {"speed": wanted})
    except link.Declined as refused:
        return await _home(request, [_wrong("speed", str(refused))])
    raise web.HTTPSeeOther("/simulator")


async def start_scenario(request: web.Request) -> web.StreamResponse:
    """The form that makes a resident ill."""
    form = await auth.form(request)
    world = await _world(request)
    key, seen = _person(request, world)
    wrong: list[Json] = []
    hours = _number(form.get("hours") or "0", -48, 240)
    if hours is None:
        wrong.append(_wrong("hours", "Hours must be a number from -48 (in two days) to 240 (ten days ago)"))
    if form.get("scenario") not in {one.name for one in world.words.catalogue.scenarios}:
        wrong.append(_wrong("scenario", "Choose what is to happen"))
    if not wrong:
        asked = {"resident": key, "scenario": form["scenario"], "onset_hours_ago": hours}
        try:
            await request.app[link.LINK].post("/scenarios", asked)
        except link.Declined as refused:
            wrong.append(_wrong("scenario", str(refused)))
    if wrong:
        return await _resident(request, wrong, form)
    raise render.then(None, f"/simulator/residents/{seen.row['id']}", "begun")


async def recover(request: web.Request) -> web.StreamResponse:
    """The form that makes a resident well again."""
    key, seen = _person(request, await _world(request))
    await request.app[link.LINK].delete(f"/scenarios/{key}")
    raise render.then(None, f"/simulator/residents/{seen.row['id']}", "well")


# What is asked ---------------------------------------------------------------------------------------------


async def _home(request: web.Request, wrong: list[Json] | None = None) -> web.Response:
    simulator = request.app[link.LINK]
    async with access.opened(request, "simulator.open", kind="simulator", refreshes=True) as opened:
        context = await render.frame(request, opened)
        try:
            world = await _joined(request, opened)
            status, recent = await asyncio.gather(
                simulator.get("/status", link.Status), simulator.get("/messages", link.Messages)
            )
        except link.Away as away:
            return render.page(request, "simulator_away.html", {**context, "why": str(away)}, status=503)
    more = {
        "status": view.status(status, world.words.catalogue.speeds, clock.real_now()),
        "homes": view.homes(world.homes, world.seen, world.words, _by_device(recent)),
        "catalogue": world.words.catalogue,
        "errors": wrong or [],
    }
    return render.page(request, "simulator.html", {**context, **more}, status=422 if wrong else 200)


async def _resident(request: web.Request, wrong: list[Json] | None = None, form: Form | None = None) -> web.Response:
    resident_id = request.match_info["resident_id"]
    simulator = request.app[link.LINK]
    hours = next((size for size, _ in _SPANS if request.query.get("hours") == str(size)), 24)
    async with access.opened(
        request, "simulator.resident", kind="resident", object_id=resident_id, refreshes=True
    ) as opened:
        world = await _joined(request, opened)
        key, seen = _person(request, world)
        opened.resident_id, opened.ward_id = seen.row["id"], seen.row["ward_id"]
        now = world.words.now
        span = charts.Span(now - timedelta(hours=hours), now, seen.row["zone"])
        history = await residents_view.history(opened.connection, seen.row["id"], since=span.since, until=now)
        place = next(one for one in world.homes if key in {person.key for person in one.residents})
        person = next(one for one in place.residents if one.key == key)
        truth = await simulator.get("/truth", link.Truth, resident=key, **_between(span))
        recent = {
            device_id: (await simulator.get("/messages", link.Messages, device_id=device_id)).messages
            for device_id in person.devices
        }
        context = await render.frame(request, opened)
    words = world.words
    more = {
        "resident": view.resident(person, place, seen, words, recent),
        "devices": [
            view.device(one, words, recent.get(one.device_id, [])) for one in place.devices if one.device_id in recent
        ],
        "courses": [view.course(one, words) for one in _now(truth.courses, now)],
        "alerts": view.followed(seen.alerts, truth.courses, words),
        "charts": view.pictures(truth, history, seen.alerts, words, span),
        "scenarios": words.catalogue.scenarios,
        "faults": words.catalogue.faults,
        "offered": view.offered(words.catalogue, "resident", view.codes_of(place, key)),
        "spans": [{"hours": size, "text": text} for size, text in _SPANS],
        "hours": hours,
        "errors": wrong or [],
        "form": form or {},
    }
    return render.page(request, "simulator_resident.html", {**context, **more}, status=422 if wrong else 200)


async def _fault(request: web.Request, form: Form, wrong: list[Json] | None = None) -> web.Response:
    async with access.opened(request, "simulator.open", kind="simulator", refreshes=True) as opened:
        world = await _joined(request, opened)
        context = await render.frame(request, opened)
    kind, target = _kind(world, form), _target(world, form)
    more = {
        "kind": kind,
        "target": target,
        "target_words": view.targets(world.homes, world.seen)[target],
        "minutes": form.get("minutes", "" if kind.minutes is None else str(kind.minutes)),
        "next": render.own_path(form.get("next"), "/simulator"),
        "errors": wrong or [],
        "form": form,
    }
    return render.page(request, "simulator_fault.html", {**context, **more}, status=422 if wrong else 200)


async def _world(request: web.Request) -> _World:
    """For what is done. Raises Away."""
    caller = request[auth.CALLER]
    async with request.app[keys.DATABASE].transaction(caller.actor, read_only=True) as connection:
        return await _joined(request, Opened(connection, caller))


async def _joined(request: web.Request, opened: Opened) -> _World:
    simulator = request.app[link.LINK]
    catalogue, homes, status = await asyncio.gather(
        simulator.get("/catalogue", link.Catalogue),
        simulator.get("/homes", link.Homes),
        simulator.get("/status", link.Status),
    )
    now = request.app[keys.CLOCK].now()
    found = await residents_view.residents(opened.connection, ward_id=None, now=now, after=None, limit=_RESIDENTS)
    about: dict[int, list[Json]] = collections.defaultdict(list)
    for alert in await alerts.page(opened.connection, limit=_ALERTS):
        if alert.resident_id is not None:
            about[alert.resident_id].append(rows.alert(alert))
    seen = {row["nhs_number"]: Seen(row, about[row["id"]]) for row in found if row["simulated"]}
    return _World(view.visible(homes.homes, seen), seen, Words(catalogue, status.now))


def _by_device(recent: link.Messages) -> dict[str, list[link.Message]]:
    found: dict[str, list[link.Message]] = collections.defaultdict(list)
    for message in recent.messages:
        found[message.device_id].append(message)
    return found


def _person(request: web.Request, world: _World) -> tuple[str, Seen]:
    resident_id = access.key(request.match_info["resident_id"])
    simulated = {person.key for home in world.homes for person in home.residents}
    for key, seen in world.seen.items():
        if seen.row["id"] == resident_id and key in simulated:
            return key, seen
    raise errors.NotFound("nobody of this kind is simulated")


def _kind(world: _World, form: Form) -> link.Kind:
    kind = next((one for one in world.words.catalogue.faults if one.name == form.get("kind")), None)
    if kind is None:
        raise errors.NotFound("there is no such fault")
    return kind


def _target(world: _World, form: Form) -> str:
    return _known(world, form.get("target", ""))


def _known(world: _World, target: str) -> str:
    if target not in view.targets(world.homes, world.seen):
        raise errors.NotFound("nothing of this name is simulated")
    return target


def _now(courses: list[link.Course], now: datetime) -> list[link.Course]:
    return [one for one in courses if one.end is None or one.end > now]


def _between(span: charts.Span) -> dict[str, str]:
    return {"from": _iso(span.since), "to": _iso(span.until)}


def _iso(at: datetime) -> str:
    return at.isoformat()


def _minutes(form: Form, wrong: list[Json]) -> float | None:
    typed = form.get("minutes", "").strip()
    if not typed:
        return None
    minutes = _number(typed, 1, _LONGEST_MINUTES)
    if minutes is None:
        wrong.append(_wrong("minutes", "Minutes must be a number from 1 to 40320 (four weeks), or nothing"))
    return minutes


def _parameters(kind: link.Kind, form: Form, wrong: list[Json]) -> Json:
    found: Json = {}
    whole = form.get("settings") == "shown"
    for one in kind.parameters:
        typed = form.get(f"p_{one.name}")
        if one.name == _SHARE and not whole:
            # Whoever only presses the button wants to see it every time, not in the part that is usual.
            found[one.name] = one.highest
            continue
        if one.type == "boolean":
            # A box that is not ticked is not sent.
            if whole:
                found[one.name] = typed is not None
        elif typed is None or not typed.strip():
            continue
        elif one.type == "text":
            found[one.name] = typed.strip()
        else:
            number = _number(typed, one.lowest, one.highest)
            if number is None:
                limits = f"{one.lowest:g} to {one.highest:g} {one.unit}".strip()
                wrong.append(_wrong(f"p_{one.name}", f"{one.title} must be a number from {limits}"))
            else:
                found[one.name] = number
    return found


def _number(typed: str, lowest: float, highest: float) -> float | None:
    try:
        number = float(typed.strip().replace(",", "."))
    except ValueError:
        return None
    return number if lowest <= number <= highest else None


def _wrong(field: str, text: str) -> Json:
    return {"field": field, "text": text, "href": f"#{field}"}
