"""One MQTT session on the event loop: paho-mqtt over a wire of ours, persistent, acknowledged by hand.

MQTT 5 where the broker speaks it: its receive maximum bounds what is under way. A broker that only
speaks 3.1.1 may send its whole backlog at once, so the socket is held shut while the window is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from telehealth.errors import Unavailable
from telehealth.ingest.address import Address
from telehealth.ingest.wire import Wire

_KEEPALIVE_SECONDS = 30
_CONNECT_SECONDS = 10.0
#: How long the broker keeps our session, and with it what devices send, while we are away.
_SESSION_SECONDS = 7 * 24 * 3600
#: Packets handled before other work of the loop gets its turn.
_PACKETS_A_TURN = 200
#: Larger ones the broker should not even send; ours are refused from 256 KiB on.
_PACKET_BYTES = 2 * 1024 * 1024
#: Receipts under way unless the broker says otherwise; Mosquitto's default.
_PUBLISHABLE = 20
_MOST_PUBLISHABLE = 200

#: received(connection, topic, payload, mid, qos, retain)
Received = Callable[["Connection", bytes, bytes, int, int, bool], None]


class WrongProtocol(Unavailable):
    """The broker does not speak this version of MQTT."""


class _Client(paho.Client):
    """paho over a Wire."""

    wire: Wire
    wrap: Callable[[Any], Wire]

    def _create_socket(self) -> Any:
        self.wire = self.wrap(super()._create_socket())
        return self.wire


class Connection:
    """A live session. received() is called for every message, in order, on the loop, and must not raise."""

    def __init__(
        self,
        address: Address,
        *,
        client_id: str,
        window: int,
        protocol: MQTTProtocolVersion,
        received: Received,
        sent: Callable[[], None],
    ) -> None:
        self.protocol = protocol
        self._window = window
        five = protocol == MQTTProtocolVersion.MQTTv5
        # A broker of MQTT 5 keeps to the window by itself, and its pings can be read all the time.
        self._limit = window + 1 if five else window
        self._publishable = _PUBLISHABLE
        #: Delivered to received() and not acknowledged yet.
        self.unacknowledged = 0
        #: Published by us and not yet acknowledged by the broker.
        self.unconfirmed = 0
        self._received = received
        self._sent = sent
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        #: Done, with a clause for an operator, when the connection is gone.
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._turn: asyncio.Handle | None = None
        self._flush: asyncio.Handle | None = None
        self._fd = -1
        self._address = address
        self._client = self._prepare(address, client_id)

    def _prepare(self, address: Address, client_id: str) -> _Client:
        five = self.protocol == MQTTProtocolVersion.MQTTv5
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else False,
            protocol=self.protocol,
            reconnect_on_failure=False,
        )
        client.wrap = lambda socket: Wire(socket, self._on_message, five=five)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set_context(ssl.create_default_context())
        client.connect_timeout = 5.0
        client.max_inflight_messages_set(0)  # Receipts bounds its own
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_socket_close = self._on_socket_close
        return client

    # Coming and going ----------------------------------------------------------------------------

    async def open(self, topics: Sequence[str]) -> None:
        """Connect and subscribe. Raises Unavailable with the reason."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.to_thread(self._connect)
                self._client.on_socket_register_write = self._on_wants_write
                self._fd = self._client.wire.fileno()
                self._loop.add_reader(self._fd, self._read)
                await self._either(self._connected)
                self._client.subscribe([(topic, self._options()) for topic in topics])
                await self._either(self._subscribed)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise Unavailable(f"the broker cannot be reached ({type(error).__name__})") from error

    def _connect(self) -> None:
        properties = None
        if self.protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
            properties.SessionExpiryInterval = _SESSION_SECONDS
            properties.ReceiveMaximum = self._window
            properties.MaximumPacketSize = _PACKET_BYTES
        address, five = self._address, properties is not None
        self._client.connect(
            address.host,
            address.port,
            _KEEPALIVE_SECONDS,
            clean_start=False if five else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )
        self._client.wire.flush()

    def _options(self) -> Any:
        return SubscribeOptions(qos=1) if self.protocol == MQTTProtocolVersion.MQTTv5 else 1

    async def _either(self, wanted: asyncio.Future[None]) -> None:
        either: list[asyncio.Future[Any]] = [wanted, self.lost]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            wanted.result()
        else:
            # A broker of an older version may just hang up.
            raise WrongProtocol(f"the broker closed the connection ({self.lost.result()})")

    async def keep_alive(self) -> None:
        """Pings and deadlines, until the connection is lost."""
        while not self.lost.done():
            await asyncio.wait([self.lost], timeout=1.0)
            self._client.loop_misc()

    def close(self) -> None:
        """Say goodbye; the broker keeps the session."""
        if not self.lost.done():
            self._client.on_socket_register_write = None
            self._client.disconnect()
        self._client.loop_write()
        self._forget()

    def _forget(self) -> None:
        for handle in (self._turn, self._flush):
            if handle is not None:
                handle.cancel()
        self._turn = self._flush = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = -1

    # Messages ------------------------------------------------------------------------------------

    def acknowledge(self, mid: int, qos: int) -> None:
        """The message is settled: the broker may forget it."""
        self.unacknowledged -= 1
        if qos:
            self._client.wire.acknowledge(mid)
            self._on_wants_write()

    def resume(self) -> None:
        """Read on, if the window allows it; call after acknowledging."""
        if self._client.wire.shut and self.unacknowledged < self._limit and self._fd >= 0:
            self._client.wire.shut = False
            self._loop.add_reader(self._fd, self._read)
            self._again()

    def shut(self) -> None:
        """Stop reading until resume(): what the broker sends waits in the kernel, then at the broker."""
        if not self._client.wire.shut and self._fd >= 0:
            self._client.wire.shut = True
            self._loop.remove_reader(self._fd)

    def publish(self, topic: str, payload: bytes) -> None:
        """QoS 1. unconfirmed counts up until the broker has it; sent() is called then."""
        self.unconfirmed += 1
        self._client.publish(topic, payload, qos=1)

    @property
    def may_publish(self) -> bool:
        """Whether the broker allows one more message under way."""
        return not self.lost.done() and self.unconfirmed < self._publishable

    def _read(self) -> None:
        wire = self._client.wire
        more = wire.read(_PACKETS_A_TURN)
        while wire.for_paho and not self.lost.done():
            self._client.loop_read()
        if more and not wire.shut:
            self._again()

    def _again(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        if not self._client.wire.shut and not self.lost.done():
            self._read()

    def _on_wants_write(self, *_: object) -> None:
        if self._flush is None:
            self._flush = self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._flush = None
        if self.lost.done() or self._fd < 0:
            return
        client = self._client
        client.loop_write()
        try:
            done = client.wire.flush()
        except OSError:
            done = True  # the reader hears of it
        if done and not client.want_write():
            self._loop.remove_writer(self._fd)
        else:
            self._loop.add_writer(self._fd, self._write)

    # paho's callbacks ----------------------------------------------------------------------------

    def _on_connect(
        self, _client: object, _userdata: object, _flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if self._connected.done():
            return
        if not reason.is_failure:
            if self.protocol == MQTTProtocolVersion.MQTTv5:
                self._publishable = min(getattr(properties, "ReceiveMaximum", _MOST_PUBLISHABLE), _MOST_PUBLISHABLE)
            self._connected.set_result(None)
        elif reason.getName() == "Unsupported protocol version":
            self._connected.set_exception(WrongProtocol("the broker does not speak this version of MQTT"))
        else:
            self._connected.set_exception(Unavailable(f"the broker refused us: {reason.getName()}; see MQTT_URL"))

    def _on_subscribe(
        self, _client: object, _userdata: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        if self._subscribed.done():
            return
        if any(reason.is_failure for reason in reasons):
            self._subscribed.set_exception(Unavailable("the broker does not let us subscribe: see its topic rules"))
        else:
            self._subscribed.set_result(None)

    def _on_message(self, topic: bytes, payload: bytes, mid: int, qos: int, retain: bool) -> None:
        self.unacknowledged += 1
        if self.unacknowledged >= self._limit:
            self.shut()
        self._received(self, topic, payload, mid, qos, retain)

    def _on_publish(self, _client: object, _userdata: object, _mid: int, _reason: object, _properties: object) -> None:
        self.unconfirmed -= 1
        self._sent()

    def _on_disconnect(
        self, _client: object, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if not self.lost.done():
            self.lost.set_result(reason.getName())

    def _on_socket_close(self, _client: object, _userdata: object, _socket: object) -> None:
        self._forget()


@contextlib.asynccontextmanager
async def connect(
    address: Address,
    topics: Sequence[str],
    *,
    client_id: str,
    window: int,
    protocol: MQTTProtocolVersion,
    received: Received,
    sent: Callable[[], None],
) -> AsyncIterator[Connection]:
    """A session for the duration of the block; raises Unavailable, WrongProtocol among them."""
    connection = Connection(
        address, client_id=client_id, window=window, protocol=protocol, received=received, sent=sent
    )
    try:
        await connection.open(topics)
        yield connection
    finally:
        connection.close()


def other(protocol: MQTTProtocolVersion) -> MQTTProtocolVersion:
    """The version to try next."""
    five = protocol == MQTTProtocolVersion.MQTTv5
    return MQTTProtocolVersion.MQTTv311 if five else MQTTProtocolVersion.MQTTv5
