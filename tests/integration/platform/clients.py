"""An MQTT client as a device's maker would write one: paho, 3.1.1."""

from __future__ import annotations

import contextlib
import queue
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

SECONDS = 10.0


@dataclass
class Client:
    """Connected when code is 0. received holds (topic, payload, retained)."""

    paho: paho.Client
    code: str = ""
    received: queue.Queue[tuple[str, bytes, bool]] = field(default_factory=queue.Queue)
    granted: queue.Queue[list[bool]] = field(default_factory=queue.Queue)
    gone: threading.Event = field(default_factory=threading.Event)

    def publish(self, topic: str, payload: bytes | str = b"x", *, qos: int = 1, retain: bool = False) -> None:
        """Returns once the broker has acknowledged it."""
        self.paho.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(SECONDS)

    def subscribe(self, *filters: str) -> list[bool]:
        """For each filter whether the broker granted it."""
        self.paho.subscribe([(each, 1) for each in filters])
        return self.granted.get(timeout=SECONDS)

    def next(self) -> tuple[str, bytes, bool]:
        return self.received.get(timeout=SECONDS)


@contextlib.contextmanager
def connected(
    port: int,
    user: str | None,
    password: str | None = None,
    *,
    client_id: str = "",
    clean: bool = True,
    tls: ssl.SSLContext | None = None,
    by_hand: bool = False,
    **will: Any,
) -> Iterator[Client]:
    """A client that has been answered; code says how. It does not connect again by itself.

    by_hand: what it receives is not acknowledged.
    """
    answered = threading.Event()
    client = Client(
        paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean,
            reconnect_on_failure=False,
            manual_ack=by_hand,
        )
    )
    if tls is not None:
        client.paho.tls_set_context(tls)
    if user is not None:
        client.paho.username_pw_set(user, password)
    if will:
        client.paho.will_set(**will)

    def on_connect(_c: object, _d: object, _flags: object, reason: Any, _properties: object) -> None:
        client.code = "" if not reason.is_failure else reason.getName()
        answered.set()

    client.paho.on_connect = on_connect
    client.paho.on_message = lambda _c, _d, m: client.received.put((m.topic, bytes(m.payload), m.retain))
    client.paho.on_subscribe = lambda _c, _d, _m, reasons, _p: client.granted.put(
        [not reason.is_failure for reason in reasons]
    )

    def on_disconnect(*_: object) -> None:
        client.gone.set()
        if not answered.is_set():
            client.code = "hung up"
            answered.set()

    client.paho.on_disconnect = on_disconnect
    client.paho.connect("127.0.0.1", port, keepalive=20)
    client.paho.loop_start()
    try:
        assert answered.wait(SECONDS), "the broker did not answer"
        yield client
    finally:
        client.paho.disconnect()
        client.paho.loop_stop()
        client.paho._reset_sockets()  # paho leaves its own pair open
