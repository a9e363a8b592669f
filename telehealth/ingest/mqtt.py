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
_PING_SECONDS = 1.0
#: How long the broker keeps our session, and with it what devices send, while we are away.
_SESSION_SECONDS = 7 * 24 * 3600
#: Packets handled before other work of the loop gets its turn.
_PACKETS_A_TURN = 200
#: Larger ones the broker should not even send; ours are refused from 256 KiB on.
_PACKET_BYTES = 2 * 1024 * 1024
#: Receipts under way unless the broker says otherwise; Mosquitto's default.
_PUBLISHABLE = 20
_MOST_PUBLISHABLE = 200
#: So often a broker that speaks MQTT 5 may hang up on us in a row before 3.1.1 is tried.
_HANG_UPS = 8

#: received(connection, topic, payload, mid, qos, retain)
Received = Callable[["Connection", bytes, bytes, int, int, bool], None]


class WrongProtocol(Unavailable):
    """The broker does not speak this version of MQTT; said: in so many words."""

    def __init__(self, message: str, *, said: bool) -> None:
        super().__init__(message)
        self.said = said


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
        fresh: bool = False,
    ) -> None:
        self.protocol = protocol
        #: Whether the broker had kept our session; known once open() has returned.
        self.resumed = False
        #: Whether several sessions can share a subscription.
        self.shares = protocol == MQTTProtocolVersion.MQTTv5
        self._window = window
        five = protocol == MQTTProtocolVersion.MQTTv5
        # A broker of MQTT 5 keeps to the window by itself, and its pings can be read all the time.
        self._limit = window + 1 if five else window
        self._publishable = _PUBLISHABLE
        #: Delivered to received() and not acknowledged yet.
        self.unacknowledged = 0
        #: Delivered to received() in all.
        self.received_count = 0
        #: Published by us and not yet acknowledged by the broker.
        self.unconfirmed = 0
        self._asking: dict[int, asyncio.Future[bool]] = {}
        self._received = received
        self._sent = sent
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._answered: asyncio.Future[None] = self._loop.create_future()
        #: Done, with a clause for an operator, when the connection is gone.
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._turn: asyncio.Handle | None = None
        self._flush: asyncio.Handle | None = None
        self._fd = -1
        self._address = address
        self._fresh = fresh
        self._ends = False
        self._finishing = False
        self._client = self._prepare(address, client_id)

    def _prepare(self, address: Address, client_id: str) -> _Client:
        five = self.protocol == MQTTProtocolVersion.MQTTv5
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else self._fresh,
            protocol=self.protocol,
            reconnect_on_failure=False,
        )
        client.wrap = lambda socket: Wire(socket, self._on_message, five=five)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set_context(address.context())
        client.connect_timeout = 5.0
        client.max_inflight_messages_set(0)  # Receipts bounds its own
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_answer
        client.on_unsubscribe = self._on_answer
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_socket_close = self._on_socket_close
        return client

    # Coming and going ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect. Raises Unavailable with the reason."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.to_thread(self._connect)
                self._client.on_socket_register_write = self._on_wants_write
                self._fd = self._client.wire.fileno()
                self._loop.add_reader(self._fd, self._read)
                await self._either(self._connected)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            why = self._address.trouble(error) or f"the broker cannot be reached ({type(error).__name__})"
            raise Unavailable(why) from error

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for these topics too; retained messages of theirs come again. Raises Unavailable."""
        await self._asked(lambda: self._client.subscribe([(topic, self._options()) for topic in topics]))

    async def unsubscribe(self, topics: Sequence[str]) -> None:
        """Ask for these topics no longer; that they were not asked for does not matter. Raises Unavailable."""
        await self._asked(lambda: self._client.unsubscribe(list(topics)))

    async def _asked(self, ask: Callable[[], object]) -> None:
        self._answered = self._loop.create_future()
        ask()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._either(self._answered)
        except TimeoutError as error:
            raise Unavailable("the broker does not answer") from error

    def _connect(self) -> None:
        properties = None
        if self.protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
            properties.SessionExpiryInterval = 0 if self._fresh else _SESSION_SECONDS
            properties.ReceiveMaximum = self._window
            properties.MaximumPacketSize = _PACKET_BYTES
        address, five = self._address, properties is not None
        self._client.connect(
            address.host,
            address.port,
            _KEEPALIVE_SECONDS,
            clean_start=self._fresh if five else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )
        self._client.wire.flush()

    def _options(self) -> Any:
        return SubscribeOptions(qos=1) if self.protocol == MQTTProtocolVersion.MQTTv5 else 1

    async def _either(self, wanted: asyncio.Future[None]) -> None:
        either: list[asyncio.Future[Any]] = [wanted, self.lost]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            return wanted.result()
        trouble = f"the broker closed the connection ({self.lost.result()})"
        if wanted is self._connected:
            # A broker of an older version may just hang up.
            raise WrongProtocol(trouble, said=False)
        raise Unavailable(trouble)

    async def keep_alive(self) -> None:
        """Pings and deadlines, until the connection is lost."""
        while not self.lost.done():
            await asyncio.wait([self.lost], timeout=_PING_SECONDS)
            self.ping()

    def ping(self) -> None:
        """What has to be done every few seconds to stay connected."""
        self._client.loop_misc()

    def end_session(self) -> None:
        """At the goodbye the broker shall forget the session, and whatever it still has for it. MQTT 5 only."""
        self._ends = True

    def close(self) -> None:
        """Say goodbye; the broker keeps the session unless told otherwise."""
        if not self.lost.done():
            self._client.on_socket_register_write = None
            properties = None
            if self._ends and self.protocol == MQTTProtocolVersion.MQTTv5:
                properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]  # as above
                properties.SessionExpiryInterval = 0
            self._client.disconnect(properties=properties)
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
        for confirmed in self._asking.values():
            if not confirmed.done():
                confirmed.set_result(False)
        self._asking.clear()

    # Messages ------------------------------------------------------------------------------------

    def acknowledge(self, mid: int, qos: int) -> None:
        """The message is settled: the broker may forget it."""
        self.unacknowledged -= 1
        if qos:
            self._client.wire.acknowledge(mid)
            self._on_wants_write()

    def resume(self) -> None:
        """Read on, if the window allows it; call after acknowledging."""
        if self._client.wire.shut and not self._finishing and self.unacknowledged < self._limit and self._fd >= 0:
            self._client.wire.shut = False
            self._loop.add_reader(self._fd, self._read)
            self._again()

    def shut(self) -> None:
        """Stop reading until resume(): what the broker sends waits in the kernel, then at the broker."""
        if not self._client.wire.shut and self._fd >= 0:
            self._client.wire.shut = True
            self._loop.remove_reader(self._fd)

    def read_no_more(self) -> None:
        """Stop reading for good; what was delivered can still be acknowledged."""
        self._finishing = True
        self.shut()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1. unconfirmed counts up until the broker has it; sent() is called then."""
        self.unconfirmed += 1
        self._client.publish(topic, payload, qos=1, retain=retain)

    def publish_confirmed(self, topic: str, payload: bytes) -> asyncio.Future[bool]:
        """As publish; the future says whether the broker has it, False when the connection was lost before."""
        confirmed: asyncio.Future[bool] = self._loop.create_future()
        self.unconfirmed += 1
        self._asking[self._client.publish(topic, payload, qos=1).mid] = confirmed
        return confirmed

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
        self, _client: object, _userdata: object, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if self._connected.done():
            return
        if not reason.is_failure:
            self.resumed = bool(flags.session_present)
            if self.protocol == MQTTProtocolVersion.MQTTv5:
                self._publishable = min(getattr(properties, "ReceiveMaximum", _MOST_PUBLISHABLE), _MOST_PUBLISHABLE)
                self.shares = bool(getattr(properties, "SharedSubscriptionAvailable", 1))
            self._connected.set_result(None)
        elif reason.getName() == "Unsupported protocol version":
            self._connected.set_exception(WrongProtocol("the broker does not speak this version of MQTT", said=True))
        else:
            self._connected.set_exception(Unavailable(f"the broker refused us: {reason.getName()}; see MQTT_URL"))

    def _on_answer(
        self, _client: object, _userdata: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        """To subscribe or unsubscribe."""
        if self._answered.done():
            return
        if any(reason.is_failure for reason in reasons):
            self._answered.set_exception(Unavailable("the broker does not let us subscribe: see its topic rules"))
        else:
            self._answered.set_result(None)

    @property
    def content_type(self) -> str | None:
        """What MQTT 5 says of the payload, while received() is called."""
        return self._client.wire.content_type

    def _on_message(self, topic: bytes, payload: bytes, mid: int, qos: int, retain: bool) -> None:
        self.unacknowledged += 1
        self.received_count += 1
        if self.unacknowledged >= self._limit:
            self.shut()
        self._received(self, topic, payload, mid, qos, retain)

    def _on_publish(
        self, _client: object, _userdata: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        self.unconfirmed -= 1
        confirmed = self._asking.pop(mid, None)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(not reason.is_failure)
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
    fresh: bool = False,
) -> AsyncIterator[Connection]:
    """A session for the duration of the block; raises Unavailable, WrongProtocol among them.

    topics: to begin with; there may be none. fresh: whatever the broker had kept for this client id is thrown away,
    and nothing will be kept.
    """
    connection = Connection(
        address, client_id=client_id, window=window, protocol=protocol, received=received, sent=sent, fresh=fresh
    )
    try:
        await connection.open()
        if topics:
            await connection.subscribe(topics)
        yield connection
    finally:
        connection.close()


class Version:
    """Which version of MQTT to try: 5, unless the broker says that it does not speak it.

    A broker that stops may hang up on us in the middle, as one may that is too old to say what is wrong. Where 5 has
    worked before, it is taken for the former several times over.
    """

    def __init__(self) -> None:
        self._five_worked = False
        self._hung_up = 0

    def first(self) -> MQTTProtocolVersion:
        return MQTTProtocolVersion.MQTTv5

    def next(self) -> MQTTProtocolVersion:
        return MQTTProtocolVersion.MQTTv311

    def worked(self, protocol: MQTTProtocolVersion) -> None:
        self._five_worked |= protocol == MQTTProtocolVersion.MQTTv5
        self._hung_up = 0

    def older(self, error: WrongProtocol) -> bool:
        """Whether to try next() now."""
        self._hung_up += not error.said
        if error.said or not self._five_worked or self._hung_up > _HANG_UPS:
            self._hung_up = 0
            return True
        return False
