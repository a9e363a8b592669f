"""What MQTT 5 adds, on the brokers that speak it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.contract import brokers
from tests.contract.brokers import Broker
from tests.integration.platform import clients

pytestmark = pytest.mark.broker
SHARED = "$share/telehealth-live/telehealth/v1/+/readings"
#: As the service's is: known to nobody else.
SECRET = "$share/t-0c5be2f0d1b84a6f9a3e-live/telehealth/v1/+/readings"


@dataclass
class Client:
    """Connected when code is 0. received holds messages; left the reason code with which the broker hung up."""

    paho: paho.Client
    code: int = -1
    resumed: bool = False
    received: queue.Queue[MQTTMessage] = field(default_factory=queue.Queue)
    granted: queue.Queue[list[int]] = field(default_factory=queue.Queue)
    published: queue.Queue[int] = field(default_factory=queue.Queue)
    left: queue.Queue[int] = field(default_factory=queue.Queue)

    def subscribe(self, *filters: str) -> list[int]:
        self.paho.subscribe([(each, SubscribeOptions(qos=1)) for each in filters])
        return self.granted.get(timeout=clients.SECONDS)

    def publish(self, topic: str, payload: bytes, properties: Properties | None = None) -> int:
        self.paho.publish(topic, payload, qos=1, properties=properties)
        return self.published.get(timeout=clients.SECONDS)

    def payloads(self, count: int) -> list[bytes]:
        return [bytes(self.received.get(timeout=clients.SECONDS).payload) for _ in range(count)]


@contextlib.contextmanager
def connected(
    broker: Broker,
    user: str,
    word: str,
    *,
    client_id: str = "",
    clean: bool = True,
    by_hand: bool = False,
    **given: Any,
) -> Iterator[Client]:
    """A client of MQTT 5; given: properties of CONNECT."""
    service = user == "telehealth"
    client = Client(
        paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=by_hand,
        )
    )
    answered = threading.Event()
    client.paho.username_pw_set(user, word)
    if broker.tls is not None:
        client.paho.tls_set_context(broker.tls)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
    for name, value in given.items():
        setattr(properties, name, value)

    def on_connect(_c: object, _d: object, flags: Any, reason: Any, _p: object) -> None:
        client.code, client.resumed = reason.value, flags.session_present
        answered.set()

    client.paho.on_connect = on_connect
    client.paho.on_message = lambda _c, _d, message: client.received.put(message)
    client.paho.on_subscribe = lambda _c, _d, _m, reasons, _p: client.granted.put([each.value for each in reasons])
    client.paho.on_publish = lambda _c, _d, _m, reason, _p: client.published.put(reason.value)
    client.paho.on_disconnect = lambda _c, _d, _f, reason, _p: client.left.put(reason.value)
    port = broker.service_port if service else broker.port
    client.paho.connect("127.0.0.1", port, keepalive=20, clean_start=clean, properties=properties)
    client.paho.loop_start()
    try:
        assert answered.wait(clients.SECONDS)
        yield client
    finally:
        client.paho.disconnect()
        client.paho.loop_stop()
        client.paho._reset_sockets()  # paho leaves its own pair open


def service(broker: Broker, client_id: str, **options: Any) -> contextlib.AbstractContextManager[Client]:
    return connected(broker, "telehealth", brokers.SERVICE_PASSWORD, client_id=client_id, **options)


def device(broker: Broker, device_id: str, **options: Any) -> contextlib.AbstractContextManager[Client]:
    return connected(broker, device_id, brokers.password(device_id), client_id=device_id, **options)


def test_a_shared_subscription(modern: Broker) -> None:
    """Each message comes to one of the sessions; what a dead one has is kept for its client id."""
    device_id = modern.new()
    topic = f"telehealth/v1/{device_id}/readings"
    numbers = {str(number).encode() for number in range(100)}
    with (
        service(modern, "telehealth-ingest-live-1") as one,
        service(modern, "telehealth-ingest-live-2") as two,
        device(modern, device_id) as sender,
    ):
        assert one.subscribe(SHARED) == two.subscribe(SHARED) == [1]
        for number in numbers:
            assert sender.publish(topic, number) == 0
        assert one.received.qsize() > 0
        assert two.received.qsize() > 0
        first = [*one.payloads(50), *two.payloads(50)]
        assert (len(first), set(first)) == (100, numbers)


def test_a_device_in_the_services_share(modern: Broker) -> None:
    """The plugin refuses it. Without it Mosquitto grants it and then drops that share of the messages.

    Therefore the name of the service's group is a secret.
    """
    device_id, thief = modern.new(), modern.new()
    topic = f"telehealth/v1/{device_id}/readings"
    with (
        service(modern, "telehealth-ingest-live-1") as one,
        device(modern, device_id) as sender,
        device(modern, thief) as stealing,
    ):
        assert one.subscribe(SHARED) == [1]
        granted = stealing.subscribe(SHARED)
        for number in range(20):
            assert sender.publish(topic, str(number).encode()) == 0
        assert stealing.received.empty()
        if modern.name == "mosquitto-dynamic":
            assert granted == [0x87]
            assert len(one.payloads(20)) == 20
        else:
            assert granted == [1]
            stealing.paho.disconnect()
            assert sender.publish(topic, b"end") == 0
            seen = one.payloads(1)
            while seen[-1] != b"end":
                seen += one.payloads(1)
            assert len(seen) < 20


def test_a_device_in_a_group_that_it_guesses(modern: Broker) -> None:
    """Where it is granted it brings the device nothing; the service, whose group's name is a secret, loses nothing."""
    device_id, thief = modern.new(), modern.new()
    topic = f"telehealth/v1/{device_id}/readings"
    with (
        service(modern, "telehealth-ingest-live-1") as one,
        device(modern, device_id) as sender,
        device(modern, thief) as stealing,
    ):
        assert one.subscribe(SECRET) == [1]
        stealing.subscribe(SHARED)
        stealing.subscribe("$share/t-live/telehealth/v1/+/readings")
        for number in range(20):
            assert sender.publish(topic, str(number).encode()) == 0
        assert sorted(one.payloads(20)) == sorted(str(number).encode() for number in range(20))
        assert stealing.received.empty()


def test_receive_maximum(modern: Broker) -> None:
    """Until the first acknowledgement the broker has no more under way than was asked for; all comes in order.

    Afterwards Mosquitto 2.0.11 sends more than that of what had to wait (15 unacknowledged with a maximum of 5 were
    seen): whoever must bound its memory has to stop reading.
    """
    device_id = modern.new()
    topic = f"telehealth/v1/{device_id}/readings"
    with (
        service(modern, "telehealth-ingest-live-1", by_hand=True, ReceiveMaximum=5) as slow,
        device(modern, device_id) as sender,
    ):
        slow.subscribe(topic)
        for number in range(20):
            sender.publish(topic, str(number).encode())
        for expected in range(20):
            assert expected > 0 or slow.received.qsize() <= 5
            message = slow.received.get(timeout=clients.SECONDS)
            assert message.payload == str(expected).encode()
            slow.paho.ack(message.mid, message.qos)


def test_session_expiry(modern: Broker) -> None:
    """A session without an expiry ends with its connection; one with it is there again."""
    with service(modern, "telehealth-ingest-live-3", clean=False, SessionExpiryInterval=60) as kept:
        assert not kept.resumed
    with service(modern, "telehealth-ingest-live-3", clean=False, SessionExpiryInterval=0) as kept:
        assert kept.resumed
    with service(modern, "telehealth-ingest-live-3", clean=False, SessionExpiryInterval=0) as fresh:
        assert not fresh.resumed


def test_a_session_taken_over(modern: Broker) -> None:
    """A second connection with a client id ends the first and gets what that had not acknowledged."""
    device_id = modern.new()
    topic = f"telehealth/v1/{device_id}/readings"
    with service(modern, "telehealth-ingest-live-4", clean=False, by_hand=True, SessionExpiryInterval=60) as dead:
        dead.subscribe(SHARED)
        with device(modern, device_id) as sender:
            sender.publish(topic, b"unsettled")
        assert dead.payloads(1) == [b"unsettled"]
        with service(modern, "telehealth-ingest-live-4", clean=False, SessionExpiryInterval=0) as survivor:
            assert survivor.resumed
            assert survivor.payloads(1) == [b"unsettled"]
            assert dead.left.get(timeout=clients.SECONDS)


def test_content_type_and_reason_codes(modern: Broker) -> None:
    """The content type comes through; what is not allowed is answered with the reason."""
    device_id = modern.new()
    topic = f"telehealth/v1/{device_id}/readings"
    said = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
    said.ContentType = "application/fhir+json"
    with service(modern, "telehealth-ingest-live-5") as listening, device(modern, device_id) as sender:
        listening.subscribe(topic)
        assert sender.publish(topic, b"{}", said) == 0
        message = listening.received.get(timeout=clients.SECONDS)
        assert getattr(message.properties, "ContentType", None) == "application/fhir+json"
        assert sender.publish("telehealth/v1/another/readings", b"x") == 0x87
    with connected(modern, device_id, "wrong") as refused:
        assert refused.code in (0x86, 0x87)
