"""POST /api/v1/devices/{id}/readings and /backlog: what MQTT takes, for devices that speak HTTP; answered after the
commit. GET .../commands: what MQTT would tell them to do.

The last part of the path names the format as the last level of a topic does; without it the content type may.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime

import msgspec
from aiohttp import web

from devices import commands, formats, message, receipts
from telehealth import log, metrics
from telehealth.model import secrets
from telehealth.model.delivery import Answer, Delivery, Lane, set_aside
from telehealth.store import commands as orders
from telehealth.store import credentials, db, ingest, seen
from telehealth.store.commands import Waiting
from telehealth.store.ingest import Taken
from telehealth.web import errors, keys, origin, parse
from telehealth.web.admission import ADMISSION

_log = log.get("web")
_ACTOR = db.service("ingest")
_SECONDS = 20.0
_encoder = msgspec.json.Encoder()


class Answered(receipts.Receipt, frozen=True, gc=False, omit_defaults=True):
    """The receipt of a device that has no topic of commands: with what it is asked to do, if it is."""

    commands: tuple[commands.Command, ...] = ()


class Outstanding(msgspec.Struct, frozen=True, gc=False):
    """What a device is asked to do now, the newest first."""

    commands: tuple[commands.Command, ...]
    at: datetime


async def post_readings(request: web.Request) -> web.Response:
    """Take in one message of a device.

    It is stored before it is answered. The receipt says what is settled and what was refused for good, with its
    reason; a message of which everything was refused is answered by a receipt as well. Only the device's own
    credentials are accepted. A content type may name another format (application/fhir+json, application/cbor,
    application/vnd.telehealth.<format>); any other is taken for the native one.
    """
    return await _post(request, "live")


async def post_readings_format(request: web.Request) -> web.Response:
    """Take in one message of a device in another format.

    As without a format, whatever the content type says. A format that is not known is refused by the receipt.
    """
    return await _post(request, "live")


async def post_backlog(request: web.Request) -> web.Response:
    """Take in one message of readings over 15 minutes old when sent.

    The same as live ones but for the time of what has none: it is held for a person.
    """
    return await _post(request, "backlog")


async def post_backlog_format(request: web.Request) -> web.Response:
    """Take in one message of readings over 15 minutes old when sent, in another format.

    A format that is not known is refused by the receipt.
    """
    return await _post(request, "backlog")


async def get_commands(request: web.Request) -> web.Response:
    """What the device is asked to do.

    For devices that cannot subscribe to their topic of commands. A command is in every answer until it expires: one of
    the same id is obeyed once. The answer to readings has them too.
    """
    device_id = request.match_info["device_id"]
    try:
        with request.app[ADMISSION].message():
            async with asyncio.timeout(_SECONDS):
                if not await _is_itself(request, device_id):
                    raise _unauthorised()
                now = request.app[keys.CLOCK].now()
                transaction = request.app[keys.DATABASE].transaction(_ACTOR, read_only=True)
                async with request.app[ADMISSION].transaction(), transaction as connection:
                    asked = await orders.outstanding(connection, device_id, now=now)
    except TimeoutError:
        raise errors.Problem(503, errors.TEXTS[503], headers={"Retry-After": "30"}) from None
    return _answered(Outstanding(_told(request, asked), now))


def _told(request: web.Request, asked: Sequence[Waiting]) -> tuple[commands.Command, ...]:
    return tuple(orders.order(command, origin.base(request)) for command in asked)


def _answered(answer: msgspec.Struct) -> web.Response:
    return web.Response(body=_encoder.encode(answer), content_type="application/json")


async def _post(request: web.Request, lane: Lane) -> web.Response:
    device_id = request.match_info["device_id"]
    try:
        with request.app[ADMISSION].message():
            async with asyncio.timeout(_SECONDS):
                if not await _is_itself(request, device_id):
                    raise _unauthorised()
                answer, looked_at, asked = await _take_in(request, lane, device_id, await _body(request))
    except TimeoutError:
        raise errors.Problem(503, errors.TEXTS[503], headers={"Retry-After": "30"}) from None
    if answer is None:
        raise _unauthorised()
    receipt = receipts.receipt(
        answer.stream,
        answer.settled,
        request.app[keys.CLOCK].now(),
        answered=answer.seqs,
        refused=answer.refused,
        ids=answer.ids,
        seen=[receipts.Seen(one.set_id, one.at) for one in looked_at],
    )
    return _answered(Answered(**msgspec.structs.asdict(receipt), commands=_told(request, asked)))


def _unauthorised() -> errors.Problem:
    """The same for an unknown device, a revoked one, another one's and a wrong password."""
    return errors.Problem(
        401,
        "Use HTTP Basic with the device's own device_id and password.",
        headers={"WWW-Authenticate": 'Basic realm="devices", charset="UTF-8"'},
    )


async def _is_itself(request: web.Request, device_id: str) -> bool:
    """Whether the credentials are this device's; a device that does not exist takes as long."""
    given = _basic(request.headers.get("Authorization", ""))
    stored = None
    if given is not None and given[0] == device_id:
        transaction = request.app[keys.DATABASE].transaction(_ACTOR, read_only=True)
        async with request.app[ADMISSION].transaction(), transaction as connection:
            stored = await credentials.of_device(connection, device_id)
    matches = secrets.verify_device_password(given[1] if given else "", stored or secrets.NO_DEVICE)
    return matches and stored is not None


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 1024:
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:  # not ASCII, not base64, not UTF-8
        return None
    return (name, password) if colon else None


async def _body(request: web.Request) -> bytes:
    """The body; read by hand, because the limit of pages and forms is another."""
    body = bytearray()
    too_long = (request.content_length or 0) > message.SEARCH_LIMIT
    try:
        while not too_long and (chunk := await request.content.read(65536)):
            body += chunk
            too_long = len(body) > message.SEARCH_LIMIT
    except parse.BROKEN:
        raise errors.Problem(400, errors.TEXTS[400]) from None
    if too_long:
        raise errors.Problem(413, f"A message is at most {message.SEARCH_LIMIT} bytes.")
    if not body:
        raise errors.Problem(400, "The body is empty; it should be a message, see docs/devices.md.")
    return bytes(body)


def _format(request: web.Request) -> str | None:
    named = request.match_info.get("format")
    given = request.headers.get("Content-Type")
    if named is None and given is not None:
        named = formats.by_content_type(given)
    # The topic that quarantine keeps says nothing of what is the usual one.
    return None if named == "native" else named


async def _take_in(
    request: web.Request, lane: Lane, device_id: str, payload: bytes
) -> tuple[Answer | None, Sequence[seen.Seen], Sequence[Waiting]]:
    """What to answer, what staff have looked at, and what the device is asked to do."""
    now = request.app[keys.CLOCK].now()
    format = _format(request)
    decoded = formats.decode(format, device_id, payload)
    topic = f"POST /api/v1/devices/{device_id}/{'readings' if lane == 'live' else 'backlog'}"
    if format is not None:
        topic = f"{topic}/{format}"
    delivery = Delivery(lane, topic, device_id, payload, now, decoded)
    try:
        taken, looked_at, asked = await _store(request, delivery, now)
    except db.DATA as error:
        if isinstance(error, db.AWAY):
            raise
        # The same message again would fail again, for ever; as by MQTT its bytes are kept for a person.
        _log.error(
            "a message cannot be stored and is set aside",
            lane="http",
            error=type(error).__name__,
            where=log.where(error),
        )
        taken, looked_at, asked = await _store(request, set_aside(delivery), now)
    metrics.MESSAGES.labels("http").inc()
    metrics.READINGS.labels("stored").inc(taken.stored)
    metrics.READINGS.labels("duplicate").inc(taken.received - taken.stored)
    for kind, count in taken.refusals.items():
        metrics.REFUSALS.labels(kind).inc(count)
    return (taken.answers[0] if taken.answers else None), looked_at, asked


async def _store(
    request: web.Request, delivery: Delivery, now: datetime
) -> tuple[Taken, Sequence[seen.Seen], Sequence[Waiting]]:
    transaction = request.app[keys.DATABASE].transaction(_ACTOR)
    async with request.app[ADMISSION].transaction(), transaction as connection:
        stepped = request.app[keys.CLOCK].virtual
        taken = await ingest.take_in(connection, [delivery], now=now, stepped=stepped)
        looked_at = await seen.lately(connection, delivery.device_id, now=now)
        return taken, looked_at, await orders.outstanding(connection, delivery.device_id, now=now)
