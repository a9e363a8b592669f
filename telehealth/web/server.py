"""The HTTP server below the application: what cannot even be parsed is answered here, in our own words."""

from __future__ import annotations

import asyncio
import http

import msgspec
from aiohttp import web

from telehealth import log
from telehealth.web import errors

_log = log.get("web")

#: A connection that has sent no whole request for so long is closed. Longer than proxies keep theirs.
IDLE_SECONDS = 75.0


class Connection(web.RequestHandler):
    """One connection. aiohttp's own answer to a malformed request repeats the line that it could not read."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """An answer that repeats nothing, also not in the log. Ends the connection."""
        _log.info("request not handled", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        text = errors.TEXTS.get(status, http.HTTPStatus(status).phrase)
        problem = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": text}
        answer = web.Response(
            body=msgspec.json.encode(problem),
            status=status,
            content_type="application/problem+json",
            headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Server": ""},
        )
        answer.force_close()
        return answer


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None turns it off, as in web.AppRunner
            keepalive_timeout=IDLE_SECONDS,
        )


class Runner(web.AppRunner):
    """web.AppRunner with our connections; no access log: the application logs requests itself, without addresses."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory)
