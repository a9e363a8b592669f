"""Acting checks: each does what the service will do, and says which setting is wrong if it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import socket
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from devices import formats
from telehealth import clock
from telehealth.config import Settings
from telehealth.errors import SettingError, TelehealthError
from telehealth.ingest import address
from telehealth.media import recording_playback
from telehealth.model import turn
from telehealth.store import audit, db, recordings, schema
from telehealth.store.db import Database

_SECONDS = 10.0
_GOING_ON = (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_AGAIN)
_LARGEST_DIFFERENCE = timedelta(seconds=2)


@dataclass(frozen=True)
class Result:
    name: str
    #: What is wrong and which setting to look at; None: it works.
    trouble: str | None


async def everything(settings: Settings) -> list[Result]:
    """Every check, in the order in which one needs the other. Never raises for what it checks."""
    return [
        await _tried("database: connect, role and schema", lambda: _schema(settings)),
        await _tried("database: write and roll back", lambda: _write(settings)),
        await _tried("database: its clock and ours agree", lambda: _clocks(settings)),
        await _tried("adapters: each that is installed can be used", _adapters),
        await _tried("broker: publish and receive", lambda: _round_trip(settings)),
        *[result async for result in _relays(settings)],
        *[result async for result in _recordings(settings)],
    ]


async def _tried(name: str, check: Callable[[], Awaitable[None]]) -> Result:
    try:
        async with asyncio.timeout(_SECONDS):
            await check()
    except TelehealthError as error:
        return Result(name, str(error))
    except TimeoutError:
        return Result(name, f"no answer within {_SECONDS:.0f} s")
    except db.AWAY as error:
        return Result(name, f"DATABASE_URL: {type(error).__name__}")
    return Result(name, None)


async def _schema(settings: Settings) -> None:
    async with Database.open(settings.needed("database_url"), size=2) as database:
        await schema.check(database)


class _RolledBack(Exception):  # not an error: the way out of the transaction
    pass


async def _write(settings: Settings) -> None:
    actor = db.service("check")
    async with Database.open(settings.needed("database_url"), size=2) as database:
        try:
            async with database.transaction(actor) as connection:
                await audit.write(connection, actor, "check")
                raise _RolledBack
        except _RolledBack:
            pass


async def _clocks(settings: Settings) -> None:
    async with Database.open(settings.needed("database_url"), size=2) as database:
        before = clock.real_now()
        there = await schema.database_now(database)
        after = clock.real_now()
    if not before - _LARGEST_DIFFERENCE <= there <= after + _LARGEST_DIFFERENCE:
        raise TelehealthError(f"the clocks differ by {abs(there - after).total_seconds():.0f} s: set both by NTP")


async def _adapters() -> None:
    broken = formats.adapters().broken
    if broken:
        raise TelehealthError("; ".join(f"{name}: {reason}" for name, reason in sorted(broken.items())))


async def _relays(settings: Settings) -> AsyncIterator[Result]:
    """Each of TELEHEALTH_TURN_URLS."""
    try:
        found = turn.relays(settings)
    except TelehealthError as error:
        yield Result("relays: packets to media workers, and nowhere else", str(error))
        return
    for relay in found:
        name = f"relay {relay.url}: packets to media workers, and nowhere else"
        yield await _tried(name, functools.partial(_relay, settings, relay))


async def _recordings(settings: Settings) -> AsyncIterator[Result]:
    """Where something can be recorded: write, read back, and have the keys of all that is kept."""
    if settings.recordings_dir is None and settings.recording_keys is None:
        return
    yield await _tried("recordings: write, read back and delete", lambda: _record(settings))
    yield await _tried("recordings: keys of all that are kept", lambda: _keys(settings))


async def _record(settings: Settings) -> None:
    where = recordings.place(settings)
    assert where is not None
    try:
        sound = await asyncio.to_thread(recording_playback.try_out, where.path(uuid.uuid4()))
    except OSError as error:
        raise SettingError("TELEHEALTH_RECORDINGS_DIR", f"cannot be written ({type(error).__name__})") from None
    if not sound:
        raise SettingError("TELEHEALTH_RECORDINGS_DIR", "does not give back what was written there")


async def _keys(settings: Settings) -> None:
    where = recordings.place(settings)
    assert where is not None
    known = {master.id for master in where.masters}
    async with (
        Database.open(settings.needed("database_url"), size=2) as database,
        database.transaction(db.service("check"), read_only=True) as connection,
    ):
        used = await recordings.key_ids(connection)
    lost = sum(count for key_id, count in used.items() if key_id not in known)
    if lost:
        raise SettingError("TELEHEALTH_RECORDING_KEYS", f"lacks the keys of {lost} recordings that are kept")


async def _relay(settings: Settings, relay: turn.Relay) -> None:
    try:
        from telehealth.media import relay_probe
    except ImportError:
        raise TelehealthError("WebRTC is missing: pip install telehealth[consult]") from None
    secret = settings.needed("turn_secret")
    strangers = await _addresses(settings)
    await relay_probe.probe(relay, secret, now=clock.real_now(), strangers=strangers)


async def _addresses(settings: Settings) -> list[str]:
    """Of the database's and the broker's computers, which a relay would be a way to."""
    found: dict[str, None] = {}
    for url in (settings.database_url, settings.mqtt_url):
        with contextlib.suppress(OSError, ValueError):
            host = None if url is None else urllib.parse.urlsplit(url.get_secret_value()).hostname
            for each in await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET) if host else ():
                found[str(each[4][0])] = None
    return list(found)


async def _round_trip(settings: Settings) -> None:
    where = address.of(settings)
    trouble = await asyncio.to_thread(_publish_and_receive, where)
    if trouble is not None:
        raise TelehealthError(trouble)


def _publish_and_receive(where: address.Address) -> str | None:
    """On a topic of the service's own. Returns what went wrong."""
    trouble = _shake_hands(where)
    if trouble is not None:
        return trouble
    topic, token = f"telehealth/check/{secrets.token_hex(8)}", secrets.token_bytes(16)
    outcome: list[str | None] = []
    # RabbitMQ names queues after client ids, and the account may only have those that begin so.
    client_id = f"telehealth-check-{secrets.token_hex(8)}"
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
    if where.username is not None:
        client.username_pw_set(where.username, where.password)
    if where.tls:
        client.tls_set_context(where.context())

    def connected(
        c: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            outcome.append(f"MQTT_URL: the broker refused the connection ({reason})")
        else:
            c.subscribe(topic, qos=1)

    def subscribed(
        c: paho.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            outcome.append("MQTT_URL: the broker refused the subscription: see its topic rules")
        else:
            c.publish(topic, token, qos=1)

    def received(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if message.payload == token:
            outcome.append(None)

    client.on_connect = connected
    client.on_subscribe = subscribed
    client.on_message = received
    try:
        client.connect(where.host, where.port, keepalive=30)
    except OSError as error:
        return f"MQTT_URL: cannot connect ({type(error).__name__})"
    deadline = clock.monotonic() + _SECONDS - 1
    while not outcome and clock.monotonic() < deadline:
        if client.loop(0.2) not in _GOING_ON:
            outcome.append(_shake_hands(where, listen=True) or "MQTT_URL: the broker closes the connection")
    client.disconnect()
    return outcome[0] if outcome else "MQTT_URL: published, but nothing came back: see the broker's topic rules"


def _shake_hands(where: address.Address, *, listen: bool = False) -> str | None:
    """What is wrong with a connection by TLS or without; None if it comes about.

    listen: also hear what the broker says afterwards, which is where it refuses our certificate.
    """
    try:
        with socket.create_connection((where.host, where.port), 3) as plain:
            if where.tls:
                with where.context().wrap_socket(plain, server_hostname=where.host) as secured:
                    if listen:
                        secured.recv(1)
    except OSError as error:
        return where.trouble(error) or f"MQTT_URL: cannot connect ({type(error).__name__})"
    return None
