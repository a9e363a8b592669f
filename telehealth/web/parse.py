"""What a request says, checked against a model; what is wrong is told by the field's name and never repeated."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from aiohttp import web
from aiohttp.http import HttpProcessingError
from pydantic import ValidationError

from telehealth.web import errors, requests

AskedT = TypeVar("AskedT", bound=requests.Asked)

#: No request of staff is larger; devices have their own limit.
MOST_BYTES = 64 * 1024
_SECONDS = 20.0
#: What reading a body raises that is not what it says.
BROKEN = (web.RequestPayloadError, HttpProcessingError)


def query(request: web.Request, model: type[AskedT]) -> AskedT:
    """The query string. Problem 422."""
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise _wrong(error, model) from None


async def body(request: web.Request, model: type[AskedT]) -> AskedT:
    """The JSON body; none counts as {}. Problem 413, 415, 422."""
    data = await limited(request)
    if data and request.content_type != "application/json":
        raise errors.Problem(415, "Send application/json.")
    try:
        return model.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise _wrong(error, model) from None


async def limited(request: web.Request, most: int = MOST_BYTES) -> bytes:
    """The whole body. Problem 408 if it does not arrive, 413 beyond most bytes, 400 if it is not what it says."""
    if (request.content_length or 0) > most:
        raise errors.Problem(413, errors.TEXTS[413])
    try:
        async with asyncio.timeout(_SECONDS):
            data = await request.read()
    except TimeoutError:
        raise errors.Problem(408, errors.TEXTS[408]) from None
    except BROKEN:
        raise errors.Problem(400, errors.TEXTS[400]) from None
    if len(data) > most:
        raise errors.Problem(413, errors.TEXTS[413])
    return data


def _wrong(error: ValidationError, model: type[requests.Asked]) -> errors.Problem:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # only names of ours: the place of a surplus field would repeat what was sent
    place = [str(part) for part in first["loc"] if isinstance(part, int) or part in _names(model)]
    field = ".".join(place) or None
    if first["type"] == "json_invalid":
        return errors.Problem(400, "The body is not valid JSON.")
    return errors.Problem(422, f"{field or 'body'}: {_TEXTS.get(first['type'], first['msg'])}", field=field)


#: Messages of the library that would repeat a part of what was sent.
_TEXTS = {"value_error": "is wrong", "assertion_error": "is wrong", "datetime_from_date_parsing": "is not a time"}


def _names(model: type[requests.Asked]) -> set[str]:
    names = set(model.model_fields)
    if model is requests.KeyedSet:
        names |= set(requests.KeyedValue.model_fields)
    return names
