"""What every broker must do, from MQTT 3.1.1. Where they differ and may, the test says what each does."""

from __future__ import annotations

import contextlib
import socket
import ssl

import pytest

from telehealth import check, config
from tests.contract import brokers
from tests.contract.brokers import Broker
from tests.integration.platform import clients

pytestmark = pytest.mark.broker

SESSION = "telehealth-ingest-live-contract"


def own(device_id: str, last: str = "readings") -> str:
    return f"telehealth/v1/{device_id}/{last}"


@pytest.fixture
def device_id(broker: Broker) -> str:
    return broker.new()


def test_who_gets_in(broker: Broker, device_id: str) -> None:
    """A device's own password, and nothing else; without one nobody."""
    with broker.device(device_id) as let_in:
        assert let_in.code == ""
    for user, word in ((device_id, "wrong"), ("unknown", brokers.password(device_id)), (device_id, ""), (None, None)):
        with clients.connected(broker.port, user, word, tls=broker.tls, client_id="x") as refused:
            assert refused.code, (user, word)
    with clients.connected(broker.port, "telehealth", "wrong", tls=broker.tls, client_id="x") as refused:
        assert refused.code


def test_a_revoked_device_is_cut_and_stays_out(broker: Broker, device_id: str) -> None:
    """Its connection ends within seconds, it does not come in again, and others are not disturbed."""
    other = broker.new()
    with broker.device(device_id) as connected, broker.device(other) as bystander:
        assert (connected.code, bystander.code) == ("", "")
        broker.revoke(device_id)
        assert connected.gone.wait(clients.SECONDS)
        with broker.device(device_id) as again:
            assert again.code
        bystander.publish(own(other))
        assert not bystander.gone.is_set()


def test_another_devices_client_id(broker: Broker, device_id: str) -> None:
    """It is refused, or replaced by the device's own: the other one's connection and receipts are its own."""
    victim = broker.new()
    with broker.device(victim) as connected, broker.service() as service:
        connected.subscribe(own(victim, "receipts"))
        with broker.device(device_id, client_id=victim) as intruder:
            # Mosquitto's listener takes the user name for the client id, whatever was asked for.
            assert bool(intruder.code) is not broker.name.startswith("mosquitto")
            service.publish(own(victim, "receipts"), b"for the victim")
            assert connected.next()[1] == b"for the victim"
            assert intruder.received.empty()
        assert not connected.gone.is_set()


def test_what_a_device_publishes_elsewhere_reaches_nobody(broker: Broker, device_id: str) -> None:
    """Neither the service nor another device hears of it. RabbitMQ also ends the connection, the others acknowledge."""
    victim = broker.new()
    with broker.service() as service, broker.device(victim) as listening:
        service.subscribe("telehealth/v1/+/readings", "telehealth/v1/+/status", "telehealth/check/#")
        listening.subscribe(own(victim, "receipts"))
        for topic in (
            own(victim),
            own(victim, "status"),
            own(victim, "receipts"),
            own(device_id, "receipts"),
            "telehealth/check/x",
            "elsewhere",
            "$SYS/broker/x",
        ):
            with broker.device(device_id) as device:
                device.paho.publish(topic, b"forged", qos=1)
                if broker.name == "rabbitmq":
                    assert device.gone.wait(clients.SECONDS), topic
                else:
                    device.publish(own(device_id, "status"), topic.encode())
                    assert service.next() == (own(device_id, "status"), topic.encode(), False)
        with broker.device(device_id) as device:
            device.publish(own(device_id), b"true")
        service.publish(own(victim, "receipts"), b"true")
        assert service.next() == (own(device_id), b"true", False)
        assert listening.next() == (own(victim, "receipts"), b"true", False)


def test_a_device_hears_only_what_is_its_own(broker: Broker, device_id: str) -> None:
    """Subscriptions to others' topics, by wildcard, to $ topics and shared ones are refused or give nothing."""
    victim = broker.new()
    foreign = (
        own(victim, "receipts"),
        "telehealth/v1/+/receipts",
        "telehealth/v1/#",
        "#",
        "+/+/+/+",
        "$SYS/#",
        "$CONTROL/dynamic-security/v1",
        "$share/telehealth-live/telehealth/v1/+/readings",
    )
    with broker.service() as service, contextlib.ExitStack() as stack:
        service.subscribe(own(victim))
        for topic_filter in foreign:
            # One after the other: a device may have one connection.
            with broker.device(device_id) as device:
                device.paho.subscribe(topic_filter, qos=1)
                if broker.name == "rabbitmq":
                    assert device.gone.wait(clients.SECONDS), topic_filter
                    continue
                granted = device.granted.get(timeout=clients.SECONDS)
                # Mosquitto without the plugin grants everything, and passes on only what may be read.
                assert granted == [broker.name == "mosquitto"], topic_filter
                service.publish(own(victim, "receipts"), b"secret")
                with broker.device(victim) as other:
                    other.publish(own(victim), b"secret")
                device.subscribe(own(device_id, "receipts"))
                service.publish(own(device_id, "receipts"), b"own")
                heard = [device.next()]
                while heard[-1][1] != b"own":
                    heard.append(device.next())
                assert all(topic == own(device_id, "receipts") for topic, _, _ in heard), topic_filter
        device = stack.enter_context(broker.device(device_id))
        assert device.subscribe(own(device_id, "receipts"), own(device_id, "commands")) == [True, True]


def test_a_reading_and_its_receipt(broker: Broker, device_id: str) -> None:
    """QoS 1 both ways, also on the topics of other formats and of the backlog."""
    with broker.service() as service, broker.device(device_id) as device:
        service.subscribe("telehealth/v1/+/readings", "telehealth/v1/+/readings/+", "telehealth/v1/+/backlog/+")
        assert device.subscribe(own(device_id, "receipts")) == [True]
        for last in ("readings", "readings/gatt", "backlog/fhir"):
            device.publish(own(device_id, last), last.encode())
            assert service.next() == (own(device_id, last), last.encode(), False)
        service.publish(own(device_id, "receipts"), b"receipt")
        assert device.next() == (own(device_id, "receipts"), b"receipt", False)


def test_status_and_last_will(broker: Broker, device_id: str) -> None:
    """The newest status is kept for who comes later; the will replaces it; one for a foreign topic is never published.

    RabbitMQ gives what it kept only to a subscription to that very topic, not to one with a wildcard.
    """
    victim = broker.new()
    with broker.service() as service:
        service.subscribe("telehealth/v1/+/status")
        with broker.device(device_id, topic=own(device_id, "status"), payload=b"off", qos=1, retain=True) as device:
            device.publish(own(device_id, "status"), b"on", retain=True)
            assert service.next()[1] == b"on"
            with broker.service() as later:
                later.subscribe(own(device_id, "status") if broker.name == "rabbitmq" else "telehealth/v1/+/status")
                kept = later.next()
                while kept[0] != own(device_id, "status"):
                    kept = later.next()
                assert kept == (own(device_id, "status"), b"on", True)
            break_off(device)
        assert service.next() == (own(device_id, "status"), b"off", False)
        with broker.device(device_id, topic=own(victim, "status"), payload=b"forged", qos=1) as device:
            if not device.code:
                break_off(device)
        with broker.device(victim) as honest:
            honest.publish(own(victim, "status"), b"true")
        assert service.next() == (own(victim, "status"), b"true", False)


def test_the_services_session_keeps_what_comes_while_it_is_away(broker: Broker, device_id: str) -> None:
    """All of it, and in order and once; the embedded broker may give the newest first, and one twice.

    It sends again what is not acknowledged when a session begins; what comes in that moment is not, yet.
    """
    with broker.service(SESSION, clean=False) as service:
        service.subscribe(own(device_id))
    with broker.device(device_id) as device:
        sent = [device.paho.publish(own(device_id), str(number), qos=1) for number in range(500)]
        for each in sent:
            each.wait_for_publish(clients.SECONDS)
    with broker.service(SESSION, clean=False) as service:
        found = [int(service.next()[1])]
        while len(set(found)) < 500:
            found.append(int(service.next()[1]))
        assert (sorted(set(found)) if broker.name == "embedded" else found) == list(range(500))
    with broker.service(SESSION):
        pass  # a clean session: the broker forgets


def test_a_kept_session_after_a_clean_one_of_the_same_name(embedded: Broker) -> None:
    """It keeps what comes while its client is away, although the one before did not."""
    device_id = embedded.new()
    for clean in (True, False):
        with embedded.service(SESSION, clean=clean) as service:
            service.subscribe(own(device_id))
    with embedded.device(device_id) as device:
        device.publish(own(device_id), b"kept")
    with embedded.service(SESSION, clean=False) as service:
        assert service.next()[1] == b"kept"
    with embedded.service(SESSION):
        pass


def test_redelivers_what_was_not_acknowledged(broker: Broker, device_id: str) -> None:
    """After a new connection of the session it comes again.

    Not from the embedded broker: there the device sends it again, because no receipt came.
    """
    with broker.service(SESSION, clean=False, by_hand=True) as service:
        service.subscribe(own(device_id))
        with broker.device(device_id) as device:
            for number in range(3):
                device.publish(own(device_id), str(number))
        assert [service.next()[1] for _ in range(3)] == [b"0", b"1", b"2"]
        break_off(service)
    with broker.service(SESSION, clean=False) as service:
        if broker.name != "embedded":
            assert sorted(service.next()[1] for _ in range(3)) == [b"0", b"1", b"2"]
        with broker.device(device_id) as device:
            device.publish(own(device_id), b"later")
        assert service.next()[1] == b"later"
    with broker.service(SESSION):
        pass


async def test_check(broker: Broker) -> None:
    """`telehealth check` publishes and receives on its own topic."""
    scheme = "mqtt" if broker.service_tls is None else "mqtts"
    url = f"{scheme}://telehealth:{brokers.SERVICE_PASSWORD}@127.0.0.1:{broker.service_port}"
    ca = None if broker.authority is None else str(broker.authority.certificate)
    results = await check.everything(config.from_environment({"MQTT_URL": url, "mqtt_ca": ca}))
    assert results[-1].trouble is None


def test_large_messages(broker: Broker, device_id: str) -> None:
    """Up to 1 MiB passes, so that the service can refuse it by receipt; above that the connection ends.

    RabbitMQ leaves the connection open and deaf: it acknowledges nothing more, until the device connects again.
    """
    with broker.service() as service:
        service.subscribe(own(device_id))
        with broker.device(device_id) as device:
            for size in (256 * 1024 + 1, 1024 * 1024 - 1024):
                device.publish(own(device_id), b"x" * size)
                assert len(service.next()[1]) == size
        with broker.device(device_id) as device:
            large = device.paho.publish(own(device_id), b"x" * (1024 * 1024 + 64 * 1024), qos=1)
            if broker.name == "rabbitmq":
                device.paho.publish(own(device_id), b"unheard", qos=1)
                assert not large.is_published()
            else:
                assert device.gone.wait(clients.SECONDS)
        with broker.device(device_id) as device:
            device.publish(own(device_id), b"after")
        assert service.next()[1] == b"after"


def test_bytes_that_are_not_mqtt(broker: Broker, device_id: str) -> None:
    """They end their own connection only."""
    for junk in (b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\xff"):
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", broker.port), clients.SECONDS))
            if broker.tls is not None:
                raw = stack.enter_context(broker.tls.wrap_socket(raw, server_hostname="127.0.0.1"))
            # It may be gone before we have said all.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                raw.sendall(junk)
                if broker.tls is None:
                    with contextlib.suppress(OSError):
                        raw.shutdown(socket.SHUT_WR)
                while raw.recv(1024):
                    pass
    with broker.device(device_id) as device:
        assert device.code == ""


def break_off(client: clients.Client) -> None:
    """As a cable that is pulled out, but noticed at once."""
    stream = client.paho.socket()
    assert isinstance(stream, socket.socket)
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)
    client.gone.wait(clients.SECONDS)
