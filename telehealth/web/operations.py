"""What each handler of /api/v1 says of itself, and the OpenAPI document made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from apispec import APISpec
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from telehealth import __version__
from telehealth.web import errors, keys, schemas
from telehealth.web.auth import Who

HandlerT = TypeVar("HandlerT", bound=Handler)
Mode = Literal["validation", "serialization"]

_REF = "#/components/schemas/{model}"
#: Parts of paths that are no numbers.
_PATTERNS = {
    "device_id": "^[A-Za-z0-9_-]{1,64}$",
    "recording_id": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    "format": "^[a-z0-9-]{1,32}$",
    "reading_key": "^-?[0-9]{1,17}_[0-9a-f]{32}_-?[0-9]{1,19}$",
}


@dataclass(frozen=True)
class Operation:
    """One operation; the first sentence of a handler's docstring is its summary."""

    answer: type[BaseModel]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    #: Media types of bodies that are not described here.
    media: tuple[str, ...] = ()
    tag: str = "residents"
    #: Statuses beside those that every operation may answer with.
    refusals: tuple[int, ...] = ()
    repeatable: bool = False


#: Handler -> what it says of itself; the walk over the router checks that none is missing.
OPERATIONS: dict[Handler, Operation] = {}


def operation(answer: type[BaseModel], **more: Any) -> Callable[[HandlerT], HandlerT]:
    """Describe a handler."""

    def described(handler: HandlerT) -> HandlerT:
        OPERATIONS[handler] = Operation(answer, **more)
        return handler

    return described


@dataclass(frozen=True)
class Described:
    """A route as the document needs it."""

    method: str
    path: str
    who: Who
    handler: Handler


def document(routes: Iterable[Described]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the given routes."""
    spec = APISpec(
        title="Telehealth",
        version=__version__,
        openapi_version="3.1.0",
        info={"description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": "/"}],
        tags=[{"name": tag, "description": text} for tag, text in _TAGS.items()],
    )
    for name, scheme in _SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    described = list(routes)
    models = _schemas(described)
    for name, schema in models.items():
        spec.components.schema(name, schema)
    for route in described:
        spec.path(path=_plain(route.path), operations={route.method.lower(): _operation(route, models)})
    return spec.to_dict()


async def show(request: web.Request) -> web.Response:
    """The document; public, it holds no data."""
    headers = {"Cache-Control": "public, max-age=300"}
    return web.Response(text=request.app[keys.OPENAPI], content_type="application/json", headers=headers)


def _schemas(routes: list[Described]) -> dict[str, Any]:
    wanted: set[tuple[type[BaseModel], Mode]] = {(schemas.Problem, "serialization")}
    for route in routes:
        found = OPERATIONS[route.handler]
        wanted.add((found.answer, "serialization"))
        if found.body is not None:
            wanted.add((found.body, "validation"))
    ordered = sorted(wanted, key=lambda pair: (pair[0].__name__, pair[1]))
    _, definitions = models_json_schema(ordered, ref_template=_REF)
    return dict(sorted(definitions["$defs"].items()))


def _operation(route: Described, models: dict[str, Any]) -> dict[str, Any]:
    found = OPERATIONS[route.handler]
    text = (route.handler.__doc__ or "").strip()
    summary, _, rest = text.partition("\n")
    result: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", "operation"),
        "summary": summary.rstrip("."),
        "tags": [found.tag],
        "security": _SECURITY[route.who],
        "parameters": [*_path_parameters(route.path), *_query_parameters(found.query), *_headers(route, found)],
        "responses": {"200": {"description": "Done", "content": _json(found.answer)}, **_refusals(route, found)},
    }
    if rest.strip():
        result["description"] = " ".join(rest.split())
    if found.body is not None or found.media:
        content: dict[str, Any] = {media: {"schema": {}} for media in found.media}
        content |= {} if found.body is None else _json(found.body)
        result["requestBody"] = {"required": True, "content": content}
    return result


def _plain(path: str) -> str:
    """/wards/{ward_id:[0-9]+} without the pattern."""
    return "".join(part.partition(":")[0] + "}" if part.startswith("{") else part for part in _parts(path))


def _parts(path: str) -> list[str]:
    parts, rest = [], path
    while "{" in rest:
        before, _, rest = rest.partition("{")
        inside, _, rest = rest.partition("}/") if "}/" in rest else (rest.removesuffix("}"), "", "")
        parts += [before, "{" + inside]
        if rest:
            rest = "/" + rest
    return [*parts, rest]


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:].partition(":")[0] for part in _parts(path) if part.startswith("{")]
    number = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": _PATTERNS[name]} if name in _PATTERNS else number,
        }
        for name in names
    ]


def _query_parameters(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=_REF)
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_title(one)}
        for name, one in schema["properties"].items()
    ]


def _without_title(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _headers(route: Described, found: Operation) -> list[dict[str, Any]]:
    headers = []
    if route.method != "GET" and route.who in (Who.STAFF, Who.CARE):
        text = "The token of the page; needed with a session, not with an API token."
        headers.append({"name": "X-CSRF-Token", "in": "header", "description": text, "schema": {"type": "string"}})
    if found.repeatable:
        text = "The same key within ten minutes: the same answer, nothing is done again."
        headers.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": text,
                "schema": {"type": "string", "maxLength": 128},
            }
        )
    return headers


def _refusals(route: Described, found: Operation) -> dict[str, Any]:
    statuses = {401, 404, 503, *found.refusals}
    if route.who is Who.CARE:
        statuses.add(403)
    if found.body is not None:
        statuses |= {400, 413, 415, 422}
    if found.media:
        statuses |= {400, 413}
    if found.query is not None:
        statuses.add(422)
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {str(s): {"description": errors.TEXTS[s], "content": content} for s in sorted(statuses)}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


_DESCRIPTION = (
    "Virtual wards: residents, their readings and alerts. Staff see the wards that they belong to; "
    "anything else is answered with 404 and noted. Errors are application/problem+json and repeat nothing sent."
)

_TAGS = {
    "staff": "Who is asking",
    "wards": "Virtual wards and their boards",
    "residents": "Residents and their readings",
    "rules": "Rules of residents: in force, their history, changing them",
    "alerts": "Alerts and their handling",
    "visits": "Video visits: appointments, the waiting area, the call, what comes of it",
    "devices": "Devices",
    "quarantine": "What devices sent that was refused or is held",
    "simulator": "The clock of simulations, for the simulator that the service started",
}

_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token; acts as its member of staff."},
    "session": {"type": "apiKey", "in": "cookie", "name": "telehealth", "description": "A signed-in browser."},
    "device": {"type": "http", "scheme": "basic", "description": "device_id and password of a device."},
    "control": {"type": "http", "scheme": "bearer", "description": "The control token; from this computer only."},
}

_SECURITY: dict[Who, list[dict[str, list[str]]]] = {
    Who.PUBLIC: [],
    Who.STAFF: [{"token": []}, {"session": []}],
    Who.CARE: [{"token": []}, {"session": []}],
    Who.DEVICE: [{"device": []}],
    Who.CONTROL: [{"control": []}],
}
