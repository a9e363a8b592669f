"""The visit's page, for the browser that a link is bound to: the date of birth, then whatever the socket brings."""

from __future__ import annotations

import calendar
from datetime import date
from typing import Any, Final, Literal

from aiohttp import web

from telehealth import clock
from telehealth.model import visits
from telehealth.store import board, consultations, links, participants
from telehealth.store.db import Connection
from telehealth.store.links import Link
from telehealth.web import auth, keys, render
from telehealth.web.calls import join
from telehealth.web.shown import formats

#: Digits of a number that somebody typed are shown again; nothing else that they typed is.
_MOST_DIGITS: Final = 4
_AS_NUMBERS: Final = "Enter the date of birth as numbers, for example 27 3 1941."


async def visit(request: web.Request) -> web.StreamResponse:
    """Wherever the holder of the link is: the date of birth, the room (checking and waiting too), or the end."""
    async with join.opened(request, read_only=True) as (connection, link):
        return render.page(request, "visit.html", await _visit_page(request, connection, link))


async def birth(request: web.Request) -> web.StreamResponse:
    """A resident's date of birth. Wrong too often: they wait as "identity not checked", and staff are told."""
    fields = await auth.form(request)
    async with request.app[auth.DOORKEEPER].place(join.place(request)):
        async with join.opened(request) as (connection, link):
            if link.over(clock.real_now()) or not link.asks_birth:
                raise _onwards(link)
            text, left = await _try(request, connection, link, fields)
            if text is None:
                response: web.StreamResponse = web.Response(status=303, headers={"Location": f"/visit/{link.id}"})
            else:
                context = await _visit_page(request, connection, link)
                context["tries"] = left
                context["form"] = {name: _digits(fields.get(name, "")) for name in ("day", "month", "year")}
                context["errors"] = [{"field": "day", "text": text, "href": "#day"}]
                response = render.page(request, "visit.html", context, status=422)
        return response


async def _try(
    request: web.Request, connection: Connection, link: Link, fields: dict[str, str]
) -> tuple[str | None, int]:
    """What to say to whoever typed it, and how many tries are left; None: go on."""
    born = _born(fields, request.app[keys.CLOCK].now().date())
    if isinstance(born, str):
        return born, visits.MOST_WRONG_BIRTHS - link.wrong_births
    right, left = await links.try_birth(connection, link.id, born, now=request.app[keys.CLOCK].now())
    if right or left == 0:
        return None, left
    return "This date is not the one that the ward has. Check it and try again.", left


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isascii() and one.isdigit())[:_MOST_DIGITS]


def _born(fields: dict[str, str], today: date) -> date | str:
    """The day that was typed, or what to say about it. What is no day at all is no wrong try."""
    parts = [fields.get(name, "").strip() for name in ("year", "month", "day")]
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        return _AS_NUMBERS
    year, month, day = (int(part) for part in parts)
    if not 1880 <= year <= today.year:
        return f"Enter the year with four digits, between 1880 and {today.year}."
    if not 1 <= month <= 12:
        return "Enter the month as a number from 1 to 12."
    try:
        born = date(year, month, day)
    except ValueError:
        last = calendar.monthrange(year, month)[1]
        return f"There is no such day: {calendar.month_name[month]} {year} has the days 1 to {last}."
    return born if born <= today else "This day has not come yet. Check the year."


async def wait(request: web.Request) -> web.StreamResponse:
    """Whoever has no JavaScript says that they are here: they wait, and the ward can call them by other means."""
    fields = await auth.form(request)
    now = request.app[keys.CLOCK].now()
    async with join.opened(request) as (connection, link):
        if link.over(clock.real_now()) or link.asks_birth:
            raise _onwards(link)
        if visits.too_early(link.role, link.starts_at, now):
            raise visits.NotPossible(visits.EARLY)
        participant = await participants.of_link(connection, link.id, now=now)
        reason = "".join(c for c in fields.get("reason", "") if c.isprintable())[:200]
        await consultations.arrive(connection, link.consultation_id, participant, ready=None, reason=reason, now=now)
    raise _onwards(link)


def _onwards(link: Link) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"/visit/{link.id}")


def bye(link: Link) -> Literal["ended", "removed", "expired"] | None:
    """Why the holder of a link does not get in (any more), as the socket would say it; None: they do."""
    if link.presence == "removed":
        return "removed"
    if link.state in visits.OVER:
        return "ended"
    if link.revoked_at is None and link.presence in ("admitted", "joined"):
        # a visit that takes longer than its link is worth: whoever is in it may come back after a break
        return None
    return "expired" if link.over(clock.real_now()) else None


async def _visit_page(request: web.Request, connection: Connection, link: Link) -> dict[str, Any]:
    ward = await board.ward(connection, link.ward_id)
    loaded = await consultations.load(connection, link.consultation_id)
    over = bye(link)
    known = link.identity is not None
    return {
        **render.plain_frame(request),
        "user": None,
        "stage": "bye" if over is not None else "birth" if link.asks_birth else "room",
        "bye": over,
        "tries": visits.MOST_WRONG_BIRTHS - link.wrong_births,
        "visit": {
            "link": link.id,
            "ward": ward["name"],
            "starts_at": formats.iso(link.starts_at),
            "minutes": link.minutes,
            "zone": formats.ZONE,
            "role": link.role,
            # whoever has not shown whose link it is is told no name
            "name": link.name if known or link.role != "resident" else None,
            "ws": f"/ws/visit/{link.id}",
            "recording": loaded.policy.recording,
            "recording_days": loaded.policy.keep_recording_days,
            "presence": link.presence,
        },
        "simulated": ward["simulated"],
    }
