"""Pages: the template, what every page needs, and where a posted form leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from telehealth import clock
from telehealth.store import board, held, visit_desk
from telehealth.web import access, auth, keys
from telehealth.web.api_wards import ward_item
from telehealth.web.built import Built
from telehealth.web.live.hub import HUB
from telehealth.web.shown import formats

#: ?done=... after a form was carried out.
NOTICES = {
    "acknowledged": "The alert is acknowledged.",
    "resolved": "The alert is resolved.",
    "keyed": "The observations are stored.",
    "struck": "The entry is struck.",
    "moved": "It is noted whose the readings are. Everybody concerned is judged again.",
    "timed": "It is noted when the readings were taken.",
    "aside": "The readings are set aside. They count for nothing.",
    "chosen": "The value is chosen. The others are struck.",
    "tried": "It was tried again; the outcome is below.",
    "dismissed": "Dismissed.",
    "rules": "The rules are changed. They are in force from now on.",
    "visit": "Done.",
    "open": "A visit of this resident was open already: this is it.",
    "admitted": "They are let in.",
    "revoked": "The link works no more.",
    "rang": "The devices of the resident ring.",
    "asked": "The devices are asked.",
    "allowed": "The next device that opens the link takes it over.",
    "subject": "The visit is about another resident now.",
    "said": "The message is sent.",
    "noted": "The notes are saved.",
    "left": "You have left the visit. It goes on until somebody ends it.",
    "ended": "The visit is ended and written into the record.",
    "ticked": "The follow-up is done.",
    "contact": "They are told of visits from the next booking on.",
    "no_contact": "They are written to no more.",
    "booked": "The visit is booked.",
    "moved_visit": "The visit is moved.",
    "cancelled": "The visit is cancelled.",
    "broken": "The fault is switched on.",
    "mended": "The fault is over.",
    "measured": "The device takes a reading now.",
    "begun": "It has begun.",
    "well": "The resident is well again.",
}


class _Compiled(jinja2.BytecodeCache):
    """Templates are compiled once a process, however many applications there are in it: tests make hundreds."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        self._known[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def set_up(app: web.Application, built: Built) -> None:
    """Templates with our filters. Undefined names are empty, as the NHS macros expect; autoescape is on."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("telehealth.web"), jinja2.PackageLoader("nhsuk_frontend_jinja")]
        ),
        undefined=jinja2.ChainableUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_COMPILED,
    )
    environment.filters.update(formats.FILTERS)
    environment.globals["asset"] = built.url


async def frame(request: web.Request, view: access.Opened) -> dict[str, Any]:
    """What every page of a signed-in member of staff gets."""
    now = request.app[keys.CLOCK].now()
    wards = [ward_item(row) for row in await board.wards(view.connection, now=now)]
    member = view.caller.member
    return {
        **plain_frame(request),
        "user": {key: getattr(member, key) for key in ("id", "username", "display_name", "role")},
        "may_care": auth.may_care(member),
        "wards": wards,
        "csrf": request[keys.SESSION].csrf if keys.SESSION in request else "",
        "simulated": any(ward["simulated"] for ward in wards),
        "notice": NOTICES.get(request.query.get("done", "")),
        "live": request.app[HUB].first_live(),
        "waiting": None if view.ward_id is None else await held.count(view.connection, view.ward_id),
        "callers": None if view.ward_id is None else await visit_desk.waiting_count(view.connection, view.ward_id),
    }


def plain_frame(request: web.Request) -> dict[str, Any]:
    """What a page gets that knows nobody."""
    return {
        "now": formats.iso(request.app[keys.CLOCK].now()),
        "server_time": formats.iso(clock.real_now()),
        "path": request.path,
        "pages_nobody": True,
        "errors": [],
        "form": {},
    }


def page(request: web.Request, template: str, context: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """A rendered page, which no cache may keep."""
    return aiohttp_jinja2.render_template(template, request, context, status=status)


def own_path(wanted: str | None, otherwise: str) -> str:
    """A path of this service to go to, or otherwise: never an address of another."""
    if wanted is None or len(wanted) > 500 or not wanted.startswith("/") or not wanted.isprintable():
        return otherwise
    if wanted.startswith(("//", "/\\")) or "\\" in wanted:
        return otherwise
    return wanted


def then(wanted: str | None, otherwise: str, done: str) -> web.HTTPSeeOther:
    """After a form: to the page asked for, which says what was done."""
    path, _, query = own_path(wanted, otherwise).partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("done="))
    return web.HTTPSeeOther(f"{path}?{kept + '&' if kept else ''}done={done}")
