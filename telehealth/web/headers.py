"""What surrounds every request: its id in the logs, errors, and the headers that keep browsers safe."""

from __future__ import annotations

import asyncio
import logging
import secrets

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler

from telehealth import clock, log
from telehealth.web import auth, errors, keys, origin

_log = log.get("web")

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # not no-referrer: with it browsers say "Origin: null" when our own forms are posted
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), display-capture=(), geolocation=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}


#: Pages of video visits, by their routes: they alone may use a camera and a microphone, and play what comes of them.
_CALL_PAGES = frozenset({"/visit/{link_id}", "/visits/{visit_id}", "/visits/{consultation_id}"})
_CALL_PERMISSIONS = (
    "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), geolocation=(), payment=(), usb=()"
)
_CALL_MEDIA = "; media-src 'self' blob:"
#: The page that plays a recording, which comes from here.
_FILM_PAGE = "/recordings/{recording_id}"
_FILM_MEDIA = "; media-src 'self'"
#: Pages whose own address is a secret. (Not no-referrer, as above.)
_SECRET_PAGES = frozenset({"/join/{token}"})

#: The rest of a request that is broken, after its answer: nobody needs to look into that.
_OF_CLIENTS = (web.RequestPayloadError, HttpProcessingError, ConnectionError)


class _Discreet(logging.Filter):
    """The HTTP server's own errors, without the request that caused them: it logs what it could not parse."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        record.msg, record.args = "request not handled: %s", (kind.__name__ if kind is not None else "unknown",)
        record.exc_info = record.exc_text = record.stack_info = None
        if kind is not None and issubclass(kind, _OF_CLIENTS):
            record.levelno, record.levelname = logging.INFO, "INFO"
        return logging.getLogger(record.name).isEnabledFor(record.levelno)


_DISCREET = _Discreet()


def keep_requests_out_of_logs() -> None:
    """Once a process; again does nothing."""
    logging.getLogger("aiohttp.server").addFilter(_DISCREET)


#: Only our own files, nothing inline, and no text that scripts turn into markup or code.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@web.middleware
async def surround(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost: nothing leaves without its headers, nothing fails without an answer of ours."""
    request[keys.REQUEST_ID] = secrets.token_hex(8)
    started = clock.monotonic()
    with structlog.contextvars.bound_contextvars(request=request[keys.REQUEST_ID]):
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            raise
        except web.HTTPException as error:
            response = errors.answer(request, error)
        except Exception as error:
            if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
                # Not the database: who asked has gone, and hears no answer.
                error = errors.Problem(400, errors.TEXTS[400])
            response = errors.answer(request, error)
        _log_access(request, response, clock.monotonic() - started)
    return response


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Headers go out with the first byte, whoever sends it."""
    response.headers.update(_ALWAYS)
    response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    if (page := _page_of(request)) in _CALL_PAGES:
        response.headers["Permissions-Policy"] = _CALL_PERMISSIONS
        response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY + _CALL_MEDIA
    elif page == _FILM_PAGE:
        response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY + _FILM_MEDIA
    elif page in _SECRET_PAGES:
        response.headers["Referrer-Policy"] = "strict-origin"
    if keys.REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[keys.REQUEST_ID]
    if "Cache-Control" not in response.headers:
        # nothing about residents stays in a cache, on a disk or in a proxy
        response.headers["Cache-Control"] = "no-store"
    if origin.secure(request.app[keys.SETTINGS]):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    response.headers.popall("Server", None)


def _page_of(request: web.Request) -> str | None:
    """The route's pattern."""
    resource = request.match_info.route.resource if request.match_info.http_exception is None else None
    return None if resource is None else resource.canonical


def _log_access(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    """The route's pattern, never the address: that holds ids and whatever somebody typed."""
    caller = request.get(auth.CALLER)
    _log.info(
        "request",
        method=request.method if request.method.isalpha() and len(request.method) < 10 else "other",
        route=_page_of(request) or "none",
        status=response.status,
        milliseconds=round(seconds * 1000, 1),
        staff=None if caller is None else caller.member.id,
    )
