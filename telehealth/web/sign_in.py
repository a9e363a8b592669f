"""Signing in and out."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from telehealth import clock, log, metrics
from telehealth.model import secrets
from telehealth.store import audit, board, sessions, staff
from telehealth.store.db import Connection
from telehealth.web import auth, errors, keys, origin, render, throttle
from telehealth.web.auth import SERVICE
from telehealth.web.calls.rooms import ROOMS
from telehealth.web.live.hub import HUB

_log = log.get("sign_in")

_FORM_COOKIE = "telehealth-form"
_WRONG = "The user name or the password is wrong."


async def show(request: web.Request) -> web.StreamResponse:
    """The form; straight on for whoever is signed in."""
    if keys.SESSION in request:
        raise web.HTTPSeeOther(render.own_path(request.query.get("next"), "/"))
    return await _form(request, next_path=request.query.get("next"))


async def submit(request: web.Request) -> web.StreamResponse:
    """Check user name and password; a new session replaces whatever session the browser had."""
    fields = await auth.form(request)
    expected = _form_token(request)
    if not origin.same_origin(request):
        raise errors.Problem(403, "This request did not come from a page of this service.")
    if not expected or not auth.same(fields.get("csrf", ""), expected):
        return await _form(request, next_path=fields.get("next"), status=422, error="This page was too old. Try again.")
    username, password = fields.get("username", "").strip().lower(), fields.get("password", "")
    if not 1 <= len(username) <= 64 or not 1 <= len(password) <= 1024 or "\x00" in username:
        return await _form(request, next_path=fields.get("next"), status=422, error=_WRONG, username=username)
    address = origin.address(request)
    # before its place is taken: whoever is slowed down must not keep others of the address from theirs
    await asyncio.sleep(await _delay(request, address))
    async with request.app[auth.DOORKEEPER].place(address):
        member, wait = await _check(request, username, password, address)
    if wait:
        return _wait(await _form(request, next_path=fields.get("next"), status=429, error=_waiting(wait)), wait)
    if member is None:
        return await _form(request, next_path=fields.get("next"), status=422, error=_WRONG, username=username)
    return await _enter(request, member, render.own_path(fields.get("next"), "/"))


async def _delay(request: web.Request, address: str) -> float:
    """By how many seconds a try from this address is slowed down."""
    key = throttle.address_key(address)
    async with request.app[keys.DATABASE].transaction(SERVICE, read_only=True) as connection:
        failures = await sessions.failures(connection, [key], now=clock.real_now())
    return throttle.delay_seconds(failures.get(key))


async def _check(request: web.Request, username: str, password: str, address: str) -> tuple[staff.Staff | None, int]:
    """The member of staff if all is right, and how many seconds to wait before the next try is looked at."""
    database, now = request.app[keys.DATABASE], clock.real_now()
    pair, whole = throttle.pair_key(username, address), throttle.address_key(address)
    async with database.transaction(SERVICE) as connection:
        failures = await sessions.failures(connection, [pair], now=now)
        wait = throttle.wait_seconds(failures.get(pair), now)
        if wait:
            metrics.SIGN_INS.labels("throttled").inc()
            return None, wait
        # counted before the password is looked at: tries at the same moment count as well
        await sessions.count_failure(connection, [pair, whole], now=now)
        login = await staff.by_username(connection, username)
    right = await request.app[auth.DOORKEEPER].verify(password, None if login is None else login.password_hash)
    good = right and login is not None and not login.disabled
    metrics.SIGN_INS.labels("ok" if good else "refused").inc()
    async with database.transaction(SERVICE) as connection:
        if good:
            await sessions.forget_failures(connection, pair)
            await sessions.uncount_failure(connection, whole)
            await sessions.sweep(connection, now=now)
        else:
            await _note_failure(connection, login, address)
    return (login.staff if good and login is not None else None), 0


async def _note_failure(connection: Connection, login: staff.Login | None, address: str) -> None:
    # the user name stays out: people type passwords there
    known = None if login is None else login.staff
    await audit.write(
        connection,
        SERVICE,
        "sign_in",
        "failed",
        object_kind="staff",
        object_id=None if known is None else known.id,
        organisation_id=None if known is None else known.organisation_id,
        detail={"address": address},
    )


async def _enter(request: web.Request, member: staff.Staff, path: str) -> web.StreamResponse:
    settings = request.app[keys.SETTINGS]
    before = await auth.session_of(request)
    async with request.app[keys.DATABASE].transaction(SERVICE) as connection:
        if before is not None:
            await sessions.end(connection, before.token_hash)
        token = await sessions.begin(connection, member.id, now=clock.real_now(), hours=settings.session_hours)
        await audit.write(
            connection,
            SERVICE,
            "sign_in",
            object_kind="staff",
            object_id=member.id,
            organisation_id=member.organisation_id,
            detail={"address": origin.address(request)},
        )
    response = web.Response(status=303, headers={"Location": path})
    _set_cookie(request, response, auth.cookie_name(request), token, samesite="Lax")
    response.del_cookie(_FORM_COOKIE, path="/")
    _log.info("signed in", staff=member.id)
    return response


async def leave(request: web.Request) -> web.StreamResponse:
    """Sign out: the session ends here, on the server, and so do its sockets."""
    session, caller = request[keys.SESSION], request[auth.CALLER]
    async with request.app[keys.DATABASE].transaction(SERVICE) as connection:
        await sessions.end(connection, session.token_hash)
        await audit.write(
            connection,
            caller.actor,
            "sign_out",
            object_kind="staff",
            object_id=caller.member.id,
            organisation_id=caller.member.organisation_id,
        )
    request.app[HUB].session_over(session.token_hash)
    request.app[ROOMS].session_over(session.token_hash)
    response = web.Response(status=303, headers={"Location": "/sign-in"})
    response.del_cookie(auth.cookie_name(request), path="/", secure=origin.secure(request.app[keys.SETTINGS]))
    return response


def _form_token(request: web.Request) -> str:
    """The token that the form's cookie holds; empty for none, and for what cannot be one of ours."""
    token = request.cookies.get(_FORM_COOKIE, "")
    return token if 20 <= len(token) <= 100 and token.isascii() and token.isprintable() else ""


async def _form(
    request: web.Request,
    *,
    next_path: str | None,
    status: int = 200,
    error: str | None = None,
    username: str = "",
) -> web.Response:
    token = _form_token(request)
    fresh = not token
    if fresh:
        token = secrets.new_token()
    now = request.app[keys.CLOCK].now()
    async with request.app[keys.DATABASE].transaction(SERVICE, read_only=True) as connection:
        demo = any(ward["simulated"] for ward in await board.wards(connection, now=now))
    context: dict[str, Any] = {
        **render.plain_frame(request),
        "user": None,
        "csrf": token,
        "next": render.own_path(next_path, "/"),
        "demo": demo,
        "form": {"username": username},
        "errors": [] if error is None else [{"field": "username", "text": error, "href": "#username"}],
    }
    response = render.page(request, "sign_in.html", context, status=status)
    if fresh:
        _set_cookie(request, response, _FORM_COOKIE, token, samesite="Strict")
    return response


def _set_cookie(request: web.Request, response: web.Response, name: str, value: str, *, samesite: str) -> None:
    secure = origin.secure(request.app[keys.SETTINGS])
    response.set_cookie(name, value, path="/", httponly=True, samesite=samesite, secure=secure)


def _waiting(seconds: int) -> str:
    return f"Too many attempts. Wait {seconds} seconds and try again."


def _wait(response: web.Response, seconds: int) -> web.Response:
    response.headers["Retry-After"] = str(seconds)
    return response
