"""The embedded broker: amqtt in process behind our gate, on 127.0.0.1.

MQTT 3.1.1, sessions in memory. It gives up a message that its consumer has not acknowledged within
5 s: receipts are what guarantees delivery here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from telehealth import log
from telehealth.brokers import gate, packets, rules
from telehealth.brokers.packets import Kind, Malformed, Refusal
from telehealth.errors import SettingError, Unavailable
from telehealth.model import secrets

_log = log.get("broker")

#: device_id -> hash of its password, None when there is no such device or it is revoked. Raises
#: Unavailable when that cannot be found out now.
Lookup = Callable[[str], Awaitable[str | None]]

_CONNECT_SECONDS = 10
_CONNECTIONS = 2000
_CONNECTIONS_PER_DEVICE = 8
#: Messages for the service that may be on their way before devices have to wait.
_WAY_FULL, _QUEUE_FULL = 4_000, 50_000
_RECHECK_SECONDS = 30.0


class Admitted(BaseAuthPlugin):  # type: ignore[misc]  # amqtt ships no types
    """Whoever comes through the gate has shown a password there."""

    async def authenticate(self, *, session: Session) -> bool:
        return True


@dataclass
class _Client:
    user: str
    writer: asyncio.StreamWriter
    gone: asyncio.Event


class EmbeddedBroker:
    """Use running(). recheck() after credentials change."""

    def __init__(self, lookup: Lookup, service_password: str, awaited: Sequence[str] = ()) -> None:
        self._lookup = lookup
        self._awaited = awaited
        self._service_password = service_password.encode()
        self._retained = gate.Retained()
        self._clients: dict[str, _Client] = {}
        self._connections = 0
        self._broker = Broker(
            BrokerConfig(
                listeners={"default": ListenerConfig(type=ListenerType.EXTERNAL, bind="gate")},
                plugins={f"{Admitted.__module__}.{Admitted.__qualname__}": {}},
                session_expiry_interval=24 * 3600,
            )
        )

    async def start(self) -> None:
        await self._broker.start()

    async def stop(self) -> None:
        for client in list(self._clients.values()):
            client.writer.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._broker.shutdown()

    async def watch(self) -> None:
        """Hang up on devices whose credentials were revoked; runs until cancelled. recheck() hastens it."""
        while True:
            await asyncio.sleep(_RECHECK_SECONDS)
            with contextlib.suppress(Unavailable):
                await self.recheck()

    async def recheck(self, device_id: str | None = None) -> None:
        """Hang up on a device, or on any, that would not be admitted now."""
        for user in {client.user for client in self._clients.values()} - {rules.SERVICE}:
            if device_id in (None, user) and await self._lookup(user) is None:
                for client in self._clients.values():
                    if client.user == user:
                        client.writer.transport.abort()
                _log.info("hung up on a revoked device", device=user)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its last; never raises."""
        self._connections += 1
        try:
            if self._connections <= _CONNECTIONS:
                await self._serve(reader, writer)
        except (Malformed, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            _log.info("connection ended before it was admitted", error=type(error).__name__)
        except Exception as error:  # a broken client must never stop the service
            _log.warning(
                "connection ended by an error of the broker", error=type(error).__name__, where=log.where(error)
            )
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, body, _ = await gate.read_packet(reader, only=Kind.CONNECT << 4)
            wanted = packets.read_connect(body)
            refusal = await self._refusal(wanted)
        if refusal is not None:
            _log.info("connection refused", reason=refusal.name.lower())
            writer.write(packets.refusal(wanted.level, refusal))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            return
        assert wanted.username is not None
        await self._hand_over(wanted, wanted.username, reader, writer)

    async def _refusal(self, wanted: packets.Connect) -> Refusal | None:
        if wanted.level != 4:
            return Refusal.PROTOCOL
        user, password = wanted.username, wanted.password
        if user is None or password is None:
            return Refusal.NOT_AUTHORISED
        if user == rules.SERVICE:
            return None if hmac.compare_digest(password, self._service_password) else Refusal.PASSWORD
        try:
            stored = await self._lookup(user) if rules.is_device_id(user) else None
            if not secrets.verify_device_password(password.decode(errors="replace"), stored or secrets.NO_DEVICE):
                return Refusal.PASSWORD
            if stored is None:
                return Refusal.PASSWORD
            if await self._is_anothers(wanted.client_id, user):
                return Refusal.CLIENT_ID
        except Unavailable:
            return Refusal.UNAVAILABLE
        if sum(client.user == user for client in self._clients.values()) >= _CONNECTIONS_PER_DEVICE:
            return Refusal.UNAVAILABLE
        return None

    async def _is_anothers(self, client_id: str, user: str) -> bool:
        if client_id in ("", user):
            return False
        if client_id == rules.SERVICE or not rules.is_device_id(client_id):
            return client_id == rules.SERVICE
        return await self._lookup(client_id) is not None

    async def _hand_over(
        self, wanted: packets.Connect, user: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # ":" is in no device_id: whatever client id is chosen, the session stays the user's own.
        client_id = user if wanted.client_id in ("", user) else f"{user}:{wanted.client_id}"
        while (older := self._clients.get(client_id)) is not None:
            # amqtt mixes up two connections of one session: the older one is gone before the newer begins.
            older.writer.transport.abort()
            await older.gone.wait()
        if (known := self._broker.sessions.get(client_id)) is not None:
            # amqtt keeps what the first connection said, and would drop what comes while this one is away.
            known[0].clean_session = wanted.clean
        client = self._clients[client_id] = _Client(user, writer, asyncio.Event())
        will = wanted.will if wanted.will is not None and rules.may_publish(user, wanted.will.topic) else None
        try:
            inward = gate.Inward(
                reader,
                replace(wanted, client_id=client_id, will=will),
                user,
                retained=self._retained,
                ready=lambda pending: self._ready(client_id, user, pending),
                ended=lambda why: _log.debug("client left", reason=why),
            )
            outward = gate.Outward(writer, user, inward, self._retained)
            await self._broker.external_connected(inward, outward, "default")
        finally:
            del self._clients[client_id]
            client.gone.set()

    async def _ready(self, client_id: str, user: str, pending: int) -> None:
        """Wait until the broker has passed on all but a few of this client's messages, and the service has room.

        So memory stays bounded, nothing acknowledged is dropped, and devices keep what is still theirs.
        """
        await _soon(lambda: self._pending(client_id) <= pending)
        # The service itself is never held: its acknowledgements are what makes room.
        if user != rules.SERVICE:
            await _soon(lambda: self._is_heard() and self._has_room())

    def _pending(self, client_id: str) -> int:
        known = self._broker.sessions.get(client_id)
        return 0 if known is None else int(known[0].delivered_message_queue.qsize())

    def _is_heard(self) -> bool:
        """Whether the service has subscribed: what came before that would be acknowledged and reach nobody."""
        return all(self._broker.subscriptions.get(name) for name in self._awaited)

    def _has_room(self) -> bool:
        return all(
            session.inflight_out_count < _WAY_FULL and session.retained_messages_count < _QUEUE_FULL
            for session, _ in self._broker.sessions.values()
            if session.username == rules.SERVICE
        )


async def _soon(reached: Callable[[], bool]) -> None:
    """Wait for the broker to get there: it offers nothing to wait on. Other work of the loop comes first."""
    for turn in itertools.count():
        if reached():
            return
        await asyncio.sleep(0.0 if turn < 50 else 0.005)


@contextlib.asynccontextmanager
async def running(
    port: int, lookup: Lookup, service_password: str, *, awaited: Sequence[str] = ()
) -> AsyncIterator[EmbeddedBroker]:
    """A broker on 127.0.0.1:port inside the block; run its watch() beside. Raises SettingError if the port is taken.

    awaited: topic filters; until somebody has subscribed to them all, devices are connected and not read.
    """
    # It logs what clients do wrong, with tracebacks; the gate says what an operator needs.
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    broker = EmbeddedBroker(lookup, service_password, awaited)
    await broker.start()
    try:
        try:
            server = await asyncio.start_server(broker.serve, "127.0.0.1", port, limit=1 << 18)
        except OSError as error:
            raise SettingError("--mqtt-port", f"port {port} is in use or not allowed") from error
        try:
            yield broker
        finally:
            server.close()
    finally:
        await broker.stop()
