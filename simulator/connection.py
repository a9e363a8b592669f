"""One MQTT 3.1.1 connection of one device: paho-mqtt on the running asyncio loop, no thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulator import errors, world

#: Paho's words for wrong credentials (MQTT 3.1.1 codes 4 and 5).
_REFUSALS = ("Not authorized", "Bad user name or password")
TIMEOUT_SECONDS = 15.0
KEEPALIVE_SECONDS = 60
MessageHandler = Callable[[str, bytes], None]


class CredentialsRefused(errors.Refused):
    """The broker does not accept this device's credentials."""


class Link:
    """An open connection. A new one starts with nothing in flight: what to send again is the outbox's decision."""

    def __init__(
        self,
        device_id: str,
        password: str,
        client_id: str,
        will: tuple[str, bytes] | None,
        on_message: MessageHandler,
    ) -> None:
        self.device_id = device_id
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[str] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self._on_message = on_message
        self._socket: socket.socket | None = None
        self._attached = False
        self.error: Exception | None = None
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        client.username_pw_set(device_id, password)
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        # The contract bounds what is unsettled; paho's own limit of 20 would only hold messages back unseen.
        client.max_inflight_messages_set(65535)
        client.on_connect = self._connect_answered
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribe_answered
        client.on_message = self._message
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closed
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._no_write
        self._client = client

    async def open(self, broker: world.Broker, topics: list[str]) -> None:
        """Connects and subscribes. Raises CredentialsRefused or Unreachable."""
        try:
            # Resolving and connecting block; paho touches the loop only once the socket is attached.
            await self._loop.run_in_executor(None, self._client.connect, broker.host, broker.port, KEEPALIVE_SECONDS)
        except (OSError, ValueError) as error:
            raise errors.Unreachable(f"no broker at {broker.host}:{broker.port}: {error}") from None
        self._attach()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                refusal = await self._connected
                if refusal:
                    kind = CredentialsRefused if refusal in _REFUSALS else errors.Unreachable
                    raise kind(f"device {self.device_id}: the broker refused the connection: {refusal}")
                self._client.subscribe([(topic, 1) for topic in topics])
                await self._subscribed
        except TimeoutError:
            raise errors.Unreachable(f"device {self.device_id}: the broker does not answer") from None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hands a QoS 1 message to the connection; what comes of it a receipt tells."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    def keep_alive(self) -> None:
        """To be called about every second: pings, and notices a dead connection."""
        if self._attached:
            self._guard(self._client.loop_misc)

    def close(self) -> None:
        """Says goodbye, so that the broker does not send the last will, and closes. May be called twice."""
        if self._attached:
            self._client.disconnect()
            # The goodbye is queued by paho; the loop may be about to end.
            self._guard(self._client.loop_write)
        self._detach()

    def abandon(self) -> None:
        """Drops the connection without a word, as a device does that loses its power."""
        self._detach()

    def _attach(self) -> None:
        if self._socket is None:
            raise errors.Unreachable(f"device {self.device_id}: the connection broke at once")
        self._attached = True
        self._loop.add_reader(self._socket.fileno(), self._guard, self._client.loop_read)
        if self._client.want_write():
            self._loop.add_writer(self._socket.fileno(), self._guard, self._client.loop_write)

    def _detach(self) -> None:
        held = self._socket
        if held is not None:
            self._socket_closed(self._client, None, held)
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()
        self._finish("closed")

    def _finish(self, reason: str) -> None:
        if not self._connected.done():
            self._connected.set_result(reason)
        if not self._subscribed.done():
            self._subscribed.cancel()
        self.closed.set()

    def _guard(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except Exception as error:  # a broken connection must not break the loop that all devices share
            self.error = error
            self._detach()

    def _connect_answered(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not self._connected.done():
            self._connected.set_result(str(reason) if reason.is_failure else "")

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._finish(str(reason))

    def _subscribe_answered(self, _client: Any, _data: Any, _mid: int, _codes: Any, _properties: Any) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(None)

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._on_message(message.topic, bytes(message.payload))

    def _socket_opened(self, _client: Any, _data: Any, opened: Any) -> None:
        # Small packets one after the other would else wait for each other's acknowledgement, 40 ms each time.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = opened

    def _socket_closed(self, _client: Any, _data: Any, opened: Any) -> None:
        if self._attached and opened.fileno() >= 0:
            self._loop.remove_reader(opened.fileno())
            self._loop.remove_writer(opened.fileno())
        self._attached = False
        self._socket = None

    def _want_write(self, _client: Any, _data: Any, opened: Any) -> None:
        if self._attached:
            self._loop.add_writer(opened.fileno(), self._guard, self._client.loop_write)

    def _no_write(self, _client: Any, _data: Any, opened: Any) -> None:
        if self._attached:
            self._loop.remove_writer(opened.fileno())


@contextlib.asynccontextmanager
async def connect(
    broker: world.Broker,
    device_id: str,
    password: str,
    *,
    topics: list[str],
    on_message: MessageHandler,
    will: tuple[str, bytes] | None = None,
    client_id: str | None = None,
) -> AsyncIterator[Link]:
    """A connection for the length of a block; closed properly at its end, dropped if the block fails."""
    link = Link(device_id, password, client_id or device_id, will, on_message)
    try:
        await link.open(broker, topics)
        yield link
    except BaseException:
        link.close() if not link.closed.is_set() else link.abandon()
        raise
    else:
        link.close()
