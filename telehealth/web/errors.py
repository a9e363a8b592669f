"""Errors to HTTP, in one place: pages for browsers, application/problem+json for programs.

Nothing that was sent to us is ever in an answer: texts are our own.
"""

from __future__ import annotations

import http
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from telehealth import errors, log
from telehealth.model import visits
from telehealth.store import db
from telehealth.web import keys

_log = log.get("web")


class Problem(errors.TelehealthError):
    """An answer with a status of its own. field: which part of the request was wrong."""

    def __init__(
        self, status: int, text: str, *, field: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.field = field
        self.headers = headers or {}


class NotBuilt(errors.TelehealthError):
    """The screens were not built: install a release, or run `make web` in a checkout."""


TEXTS = {
    400: "The request could not be understood.",
    401: "Sign in first.",
    403: "Your role does not allow this.",
    404: "There is no such page, or it is not yours to see.",
    405: "This cannot be done here.",
    408: "The request took too long to arrive.",
    409: "This clashes with what is there already.",
    413: "That is too large.",
    415: "This kind of content is not accepted.",
    422: "Something in the request is wrong.",
    429: "Too many attempts. Wait a little and try again.",
    500: "Something went wrong on our side. It has been logged.",
    503: "The service is not ready. Try again shortly.",
}


def problem_of(error: BaseException) -> Problem:
    """What an error looks like from outside."""
    match error:
        case Problem():
            return error
        case errors.NotFound():
            # whatever was asked for: not there, and not yours, look the same
            return Problem(404, TEXTS[404])
        case errors.Invalid():
            return Problem(422, str(error), field=error.field)
        case errors.Conflict():
            return Problem(409, str(error))
        case visits.NotPossible():
            return Problem(409, error.why)
        case errors.Forbidden():
            return Problem(403, TEXTS[403])
        case errors.Unavailable():
            return Problem(503, TEXTS[503], headers={"Retry-After": "5"})
        case NotBuilt():
            return Problem(503, str(error))
        case web.HTTPException():
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return Problem(error.status, TEXTS.get(error.status, TEXTS[400]), headers=headers)
        case jinja2.TemplateNotFound():
            return Problem(503, str(NotBuilt()))
    if isinstance(error, db.AWAY):
        return Problem(503, TEXTS[503], headers={"Retry-After": "5"})
    return Problem(500, TEXTS[500])


def wants_json(request: web.Request) -> bool:
    """Programs get problem+json: all of /api, and whoever asks for JSON and not for a page."""
    accepted = request.headers.get("Accept", "")
    return request.path.startswith("/api/") or ("json" in accepted and "text/html" not in accepted)


def answer(request: web.Request, error: BaseException) -> web.StreamResponse:
    """The response for an error."""
    if isinstance(error, web.HTTPException) and error.status < 400:
        return web.Response(status=error.status, headers={"Location": error.headers.get("Location", "/")})
    problem = problem_of(error)
    if problem.status >= 500:
        _log.error("request failed", error=type(error).__name__, status=problem.status, where=log.where(error))
    if wants_json(request):
        return _json(request, problem)
    return _page(request, problem)


def title(status: int) -> str:
    return "Too many attempts" if status == 429 else http.HTTPStatus(status).phrase


def _json(request: web.Request, problem: Problem) -> web.Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title(problem.status),
        "status": problem.status,
        "detail": problem.text,
        "request_id": request.get(keys.REQUEST_ID, ""),
    }
    if problem.field is not None:
        body["field"] = problem.field
    return web.json_response(
        body, status=problem.status, content_type="application/problem+json", headers=problem.headers
    )


def _page(request: web.Request, problem: Problem) -> web.Response:
    context = {
        "status": problem.status,
        "title": title(problem.status),
        "text": problem.text,
        "request_id": request.get(keys.REQUEST_ID, ""),
    }
    try:
        response = aiohttp_jinja2.render_template("error.html", request, context, status=problem.status)
    except (jinja2.TemplateError, NotBuilt):
        # the page about an error must not depend on what may be the error
        response = web.Response(
            status=problem.status,
            text=f"{problem.status} {context['title']}\n\n{problem.text}\n{context['request_id']}\n",
        )
    response.headers.update(problem.headers)
    return response
