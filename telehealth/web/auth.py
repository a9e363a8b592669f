"""Who is asking, and whether they may ask this: sessions, API tokens, roles, cross-site requests."""

from __future__ import annotations

import asyncio
import collections
import enum
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler

from telehealth import clock
from telehealth.model import secrets
from telehealth.store import audit, db, sessions
from telehealth.store.db import Actor
from telehealth.store.sessions import Member
from telehealth.web import errors, keys, origin, parse

SERVICE = db.service("web")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_FIELDS = 100


class Who(enum.Enum):
    """Who may use a route. A route that does not say is used by nobody."""

    #: Everybody: sign-in, static files, health.
    PUBLIC = "public"
    #: Any member of staff, signed in or by API token; what they see is decided by their wards.
    STAFF = "staff"
    #: Staff who act on residents: clinicians and testers, not administrators.
    CARE = "care"
    #: Testers, who steer the simulator.
    TESTER = "tester"
    #: A device, by its own credentials, which the handler checks.
    DEVICE = "device"
    #: Whoever was sent a link to a visit: by the link, and then by their browser's cookie, which the handler checks.
    GUEST = "guest"
    #: The simulator that this service started, by the control token, from this computer.
    CONTROL = "control"
    #: Monitoring on this computer.
    MONITOR = "monitor"


@dataclass(frozen=True)
class Caller:
    """The member of staff that a request acts as, and how they showed it."""

    member: Member
    via: Literal["session", "token"]
    #: Hash of the session's or the API token, to see later whether it still holds.
    credential: bytes

    @property
    def actor(self) -> Actor:
        return db.staff(self.member.id)


#: Who is asking; set by the middleware on every route that is not public.
CALLER = web.RequestKey("caller", Caller)


class Doorkeeper:
    """What signing in and access keep in memory: the work of hashing is bounded, for each address apart."""

    def __init__(self, access: Mapping[tuple[str, str], Who]) -> None:
        #: (method, canonical path) -> who may use it
        self.access = access
        self._hashing = asyncio.Semaphore(2)
        self._waiting: collections.Counter[str] = collections.Counter()

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one; as slow for nobody's password as for somebody's."""
        async with self._hashing:
            return await asyncio.to_thread(secrets.verify_staff_password, password, stored)

    @asynccontextmanager
    async def place(self, address: str, *, most: int = 32) -> AsyncIterator[None]:
        """One of an address's places in the queue of sign-ins. Problem 429 if it has used them all."""
        if self._waiting[address] >= most:
            raise errors.Problem(429, errors.TEXTS[429], headers={"Retry-After": "2"})
        self._waiting[address] += 1
        try:
            yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]


DOORKEEPER = web.AppKey("doorkeeper", Doorkeeper)


def cookie_name(request: web.Request) -> str:
    """The __Host- prefix binds the cookie to this host and to https."""
    return "__Host-telehealth" if origin.secure(request.app[keys.SETTINGS]) else "telehealth"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse whoever may not use the route; leave the caller in the request for the handler."""
    if request.match_info.http_exception is not None:
        raise request.match_info.http_exception
    if not origin.own_host(request):
        raise errors.Problem(400, "This service does not answer to that host name.")
    match access_of(request):
        case Who.PUBLIC:
            await _identify_page(request)
        case Who.DEVICE:
            pass
        case Who.GUEST:
            if (refused := _check_guest(request)) is not None:
                return await refuse_socket(request, refused)
        case Who.CONTROL:
            _check_control(request)
        case Who.MONITOR:
            if not origin.is_loopback(request):
                raise web.HTTPNotFound
        case Who.STAFF | Who.CARE | Who.TESTER as who:
            try:
                await _check_staff(request, who)
            except errors.Problem as problem:
                if not is_socket(request):
                    raise
                return await refuse_socket(request, 4401 if problem.status == 401 else 4403)
        case None:
            raise web.HTTPNotFound
    return await handler(request)


def is_socket(request: web.Request) -> bool:
    """Whether a browser asks for one of the sockets."""
    return _of_sockets(request) and request.headers.get("Upgrade", "").lower() == "websocket"


def _of_sockets(request: web.Request) -> bool:
    return request.path == "/ws" or request.path.startswith("/ws/")


async def refuse_socket(request: web.Request, code: int) -> web.StreamResponse:
    """A browser is not told the HTTP status of a refused socket, only a close code: so open it to close it."""
    ws = web.WebSocketResponse(max_msg_size=1)
    await ws.prepare(request)
    await ws.close(code=code)
    return ws


def access_of(request: web.Request) -> Who | None:
    """Who may use the route of a request."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = "GET" if request.method == "HEAD" else request.method
    return request.app[DOORKEEPER].access.get((method, resource.canonical))


async def identify(request: web.Request) -> Caller | None:
    """The caller by bearer token (API and sockets) or session cookie; None if there is neither."""
    authorization = request.headers.get("Authorization")
    is_program = request.path.startswith("/api/") or _of_sockets(request)
    if authorization is not None and is_program:
        return await _by_token(request, authorization)
    session = await session_of(request)
    if session is None:
        return None
    request[keys.SESSION] = session
    return Caller(session.member, "session", session.token_hash)


async def session_of(request: web.Request) -> sessions.Session | None:
    """The live session of the request's cookie."""
    token = request.cookies.get(cookie_name(request), "")
    if not 20 <= len(token) <= 100 or not token.isascii():
        return None
    async with request.app[keys.DATABASE].transaction(SERVICE) as connection:
        return await sessions.find(connection, token, now=clock.real_now())


async def _by_token(request: web.Request, authorization: str) -> Caller | None:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not 20 <= len(token) <= 100 or not token.isascii():
        return None
    async with request.app[keys.DATABASE].transaction(SERVICE) as connection:
        member = await sessions.by_api_token(connection, token, now=clock.real_now())
    return None if member is None else Caller(member, "token", secrets.hash_token(token))


async def _identify_page(request: web.Request) -> None:
    """Public pages show who is signed in; public files and probes do not touch the database."""
    if request.path == "/sign-in":
        session = await session_of(request)
        if session is not None:
            request[keys.SESSION] = session


def _check_guest(request: web.Request) -> int | None:
    """A guest's request that changes something, or opens a socket, must come from one of our pages.

    Problem 403; for a socket the code to close it with.
    """
    if (request.method in _SAFE and not is_socket(request)) or origin.same_origin(request):
        return None
    if is_socket(request):
        return 4403
    raise errors.Problem(403, "This request did not come from a page of this service.")


def _check_control(request: web.Request) -> None:
    expected = request.app.get(keys.CONTROL_TOKEN)
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if expected is None or not origin.is_loopback(request):
        raise web.HTTPNotFound
    if not same(given, expected):
        raise errors.Problem(401, errors.TEXTS[401], headers={"WWW-Authenticate": "Bearer"})


async def _check_staff(request: web.Request, who: Who) -> None:
    caller = await identify(request)
    if caller is None:
        raise _not_signed_in(request)
    request[CALLER] = caller
    if caller.via == "session" and (request.method not in _SAFE or _of_sockets(request)):
        await _check_own_page(request)
    if not _may(caller.member, who):
        async with request.app[keys.DATABASE].transaction(caller.actor) as connection:
            await audit.write(
                connection,
                caller.actor,
                "role",
                "denied",
                object_kind="route",
                object_id=_pattern(request),
                organisation_id=caller.member.organisation_id,
            )
        raise errors.Problem(403, errors.TEXTS[403])


def _may(member: Member, who: Who) -> bool:
    if who is Who.TESTER:
        return member.role == "tester"
    return who is not Who.CARE or may_care(member)


def may_care(member: Member) -> bool:
    """Whether this member of staff acts on residents: handles alerts, keys observations, strikes entries."""
    return member.role in ("clinician", "tester")


def _not_signed_in(request: web.Request) -> Exception:
    if _of_sockets(request) or errors.wants_json(request):
        return errors.Problem(401, errors.TEXTS[401], headers={"WWW-Authenticate": "Bearer"})
    if request.method in _SAFE:
        return web.HTTPSeeOther(str(request.rel_url.with_path("/sign-in").with_query(next=request.path)))
    return web.HTTPSeeOther("/sign-in")


async def _check_own_page(request: web.Request) -> None:
    """A session's request that changes something, or opens a socket, must come from one of our pages."""
    if not origin.same_origin(request):
        raise errors.Problem(403, "This request did not come from a page of this service.")
    if request.method in _SAFE:
        return
    given = request.headers.get("X-CSRF-Token")
    if given is None:
        given = (await form(request)).get("csrf", "")
    if not same(given, request[keys.SESSION].csrf):
        raise errors.Problem(403, "This page was too old. Go back, reload it and try again.")


async def form(request: web.Request) -> dict[str, str]:
    """The fields of a posted form, in UTF-8, by name; the last wins. No uploads. Empty for any other content.

    Problem 408, 413.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    text = (await parse.limited(request)).decode(errors="replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise errors.Problem(413, errors.TEXTS[413]) from None


def same(given: str, expected: str) -> bool:
    """Whether two secrets are the same, in time that does not tell where they differ; given may be any bytes."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())


def _pattern(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource is not None else '?'}"
