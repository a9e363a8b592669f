"""Ways in for people without an account: the page of a link, and the button that binds it to a browser.

A GET changes nothing, however often programs that look at mails make one; that a link is used after its end is noted.
Whether a link was ever real is told to nobody who does not hold it. Links and cookies are found by their hashes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web

from telehealth import clock, log
from telehealth.errors import NotFound
from telehealth.model import secrets, visits
from telehealth.store import audit, board, links
from telehealth.store.db import Connection
from telehealth.store.links import Link
from telehealth.web import access, auth, keys, origin, parse, render, throttle
from telehealth.web.auth import SERVICE
from telehealth.web.shown import formats

_log = log.get("join")

#: A browser keeps its cookie for a visit's day.
_COOKIE_SECONDS: Final = 24 * 3600
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: What a link has decided already, and no request may say.
_DECIDED: Final = frozenset({"role", "name", "resident", "participant", "link", "identity", "visit"})
_STATUS: Final = {"unknown": 404, "early": 409, "expired": 410, "over": 410, "another": 403}

GUESSES = web.AppKey("guesses", throttle.Guesses)


# The link ----------------------------------------------------------------------------------------


async def show(request: web.Request) -> web.StreamResponse:
    """What the link is for, and one button. Changes nothing."""
    async with request.app[auth.DOORKEEPER].place(place(request)):
        await _slowed(request)
        async with request.app[keys.DATABASE].transaction(SERVICE, read_only=True) as connection:
            link = await links.find(connection, request.match_info["token"])
            problem = _problem(request, link)
            known = link is not None and problem in (None, "early")
            context = await _join_page(request, connection, link) if link is not None and known else None
        if link is not None and problem in ("expired", "over") and _opened(request):
            # its page has no button any more that could be pressed, so this is all that there is to note
            async with request.app[keys.DATABASE].transaction(SERVICE) as connection:
                await note_refused(request, connection, link, problem)
        if context is None:
            return _refusal(request, problem or "unknown")
        return render.page(request, "visit_join.html", {**context, "problem": problem})


async def enter(request: web.Request) -> web.StreamResponse:
    """The button: the link belongs to this browser from now on, or does already."""
    # the button sends nothing: whatever comes along, of any kind, somebody has put there
    body = await parse.limited(request)
    async with request.app[auth.DOORKEEPER].place(place(request)):
        await _slowed(request)
        browser = browser_of(request) or secrets.new_token()
        async with request.app[keys.DATABASE].transaction(SERVICE) as connection:
            link = await links.find(connection, request.match_info["token"])
            problem = _problem(request, link)
            if link is not None and problem is not None:
                await note_refused(request, connection, link, problem)
            elif link is not None:
                tampered = bool(body) or not _DECIDED.isdisjoint(request.query)
                problem = await _bind(request, connection, link, browser, tampered=tampered)
        if link is None or problem is not None:
            return _refusal(request, problem or "unknown")
        response = web.Response(status=303, headers={"Location": f"/visit/{link.id}"})
        _set_cookie(request, response, browser)
        _log.info("entered", link=link.id, visit=link.consultation_id)
        return response


async def _bind(
    request: web.Request, connection: Connection, link: Link, browser: str, *, tampered: bool
) -> str | None:
    """Why the browser does not get in; None: it does."""
    if tampered:
        await _refused(connection, link, "tampered")
        return "unknown"
    bound = await links.bind(
        connection, link.id, browser.encode(), now=clock.real_now(), clinical=request.app[keys.CLOCK].now()
    )
    if bound in ("bound", "same"):
        return None
    request.app[GUESSES].missed(origin.address(request), at=clock.monotonic())
    return bound


def _opened(request: web.Request) -> bool:
    """Whether the page was asked for, and not only whether it is there, or what it would be."""
    return request.method == "GET" and "Sec-Purpose" not in request.headers and "Purpose" not in request.headers


def _problem(request: web.Request, link: Link | None) -> str | None:
    """Why a link does not lead in now, for anybody."""
    if link is None:
        request.app[GUESSES].missed(origin.address(request), at=clock.monotonic())
        return "unknown"
    if link.state in visits.OVER:
        return "over"
    if link.over(clock.real_now()):
        return "expired"
    if link.starts_at is not None and request.app[keys.CLOCK].now() < link.starts_at - visits.LINK_BEFORE:
        return "early"
    return None


async def _join_page(request: web.Request, connection: Connection, link: Link) -> dict[str, Any]:
    ward = await board.ward(connection, link.ward_id)
    return {
        **render.plain_frame(request),
        # the page's own address is a secret
        "path": "/join",
        "user": None,
        "join": {
            "ward": ward["name"],
            "starts_at": formats.iso(link.starts_at),
            "minutes": link.minutes,
            "zone": formats.ZONE,
            "role": link.role,
            # whose it is, nobody has shown yet
            "name": None,
        },
        "simulated": ward["simulated"],
    }


def _refusal(request: web.Request, problem: str) -> web.Response:
    context = {**render.plain_frame(request), "path": "/join", "user": None, "join": None, "problem": problem}
    return render.page(request, "visit_join.html", context, status=_STATUS[problem])


async def _slowed(request: web.Request) -> None:
    await asyncio.sleep(request.app[GUESSES].delay_seconds(origin.address(request), at=clock.monotonic()))


def place(request: web.Request) -> str:
    """Of whom no more than so many requests are looked at at one time."""
    return f"join {origin.address(request)}"


async def _refused(connection: Connection, link: Link, why: str) -> None:
    await audit.write(
        connection,
        SERVICE,
        "visit.link",
        "denied",
        object_kind="join_link",
        object_id=link.id,
        resident_id=link.resident_id,
        ward_id=link.ward_id,
        organisation_id=link.organisation_id,
        detail={"consultation": link.consultation_id, "why": why},
    )


# The browser ------------------------------------------------------------------------------------


def cookie_name(request: web.Request) -> str:
    """The __Host- prefix binds the cookie to this host and to https."""
    return "__Host-visit" if origin.secure(request.app[keys.SETTINGS]) else "visit"


def browser_of(request: web.Request) -> str | None:
    """The secret of the browser, if it has one of ours."""
    found = request.cookies.get(cookie_name(request), "")
    return found if _COOKIE.fullmatch(found) else None


def _set_cookie(request: web.Request, response: web.Response, browser: str) -> None:
    response.set_cookie(
        cookie_name(request),
        browser,
        path="/",
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=origin.secure(request.app[keys.SETTINGS]),
    )


@contextlib.asynccontextmanager
async def opened(request: web.Request, *, read_only: bool = False) -> AsyncIterator[tuple[Connection, Link]]:
    """A transaction of the service, and the link that the request names, if it is bound to this browser.

    NotFound otherwise, which is noted of a browser that holds another link, and slows it down.
    """
    database, browser = request.app[keys.DATABASE], browser_of(request)
    link_id = access.key(request.match_info["link_id"])
    async with database.transaction(SERVICE, read_only=read_only) as connection:
        link = None if browser is None else await links.of_browser(connection, link_id, browser.encode())
        if link is not None:
            yield connection, link
            return
    if browser is not None:
        await _slowed(request)
        request.app[GUESSES].missed(origin.address(request), at=clock.monotonic())
        async with database.transaction(SERVICE) as connection:
            await links.strayed(connection, link_id, browser.encode())
    raise NotFound


async def note_refused(request: web.Request, connection: Connection, link: Link, why: str) -> None:
    """In the audit; whoever keeps trying is slowed down, so that nobody fills it."""
    request.app[GUESSES].missed(origin.address(request), at=clock.monotonic())
    await _refused(connection, link, why)


async def note_tampered(request: web.Request) -> None:
    """That the holder of a link says more than it is theirs to say: a role, say. What nobody holds is noted as ever."""
    with contextlib.suppress(NotFound):
        async with request.app[auth.DOORKEEPER].place(place(request)):
            await _slowed(request)
            async with opened(request) as (connection, link):
                await note_refused(request, connection, link, "tampered")
