"""TLS: devices and the service prove themselves by certificate; `telehealth check` names the setting that is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from telehealth import check
from telehealth.config import Settings, from_environment
from telehealth.errors import SettingError
from telehealth.ingest import address, mqtt
from tests.contract import brokers
from tests.contract.brokers import Broker
from tests.integration.platform import clients
from tests.support import certificates, servers

pytestmark = pytest.mark.broker


def settings(broker: Broker, **changes: object) -> Settings:
    url = f"mqtts://telehealth:{brokers.SERVICE_PASSWORD}@127.0.0.1:{broker.service_port}"
    assert broker.authority is not None
    return from_environment({"MQTT_URL": url, "mqtt_ca": str(broker.authority.certificate)} | changes)


def test_a_device_with_a_certificate(mosquitto_dynamic: Broker) -> None:
    """Its CN is the device_id, whatever user it names; it has the same topics as with the password."""
    broker = mosquitto_dynamic
    device_id, other = broker.new(), broker.new()
    assert broker.authority is not None
    tls = broker.authority.context(broker.authority.issue(device_id))
    with (
        broker.service() as service,
        clients.connected(broker.certificate_port, other, "guess", tls=tls, client_id=other) as device,
    ):
        assert device.code == ""
        service.subscribe("telehealth/v1/+/readings")
        assert device.subscribe(f"telehealth/v1/{device_id}/receipts", f"telehealth/v1/{other}/receipts") == [
            True,
            False,
        ]
        device.publish(f"telehealth/v1/{other}/readings", b"forged")
        device.publish(f"telehealth/v1/{device_id}/readings", b"true")
        assert service.next() == (f"telehealth/v1/{device_id}/readings", b"true", False)


def test_a_revoked_device_with_a_certificate(mosquitto_dynamic: Broker) -> None:
    """It is thrown out. Mosquitto lets its certificate in again, without any rights: nothing passes either way."""
    broker = mosquitto_dynamic
    device_id = broker.new()
    assert broker.authority is not None
    tls = broker.authority.context(broker.authority.issue(device_id))
    topic = f"telehealth/v1/{device_id}/readings"
    with broker.service() as service, clients.connected(broker.certificate_port, None, tls=tls) as device:
        service.subscribe("telehealth/v1/+/readings")
        device.publish(topic, b"before")
        assert service.next()[1] == b"before"
        broker.revoke(device_id)
        assert device.gone.wait(clients.SECONDS)
        with clients.connected(broker.certificate_port, None, tls=tls) as again:
            again.publish(topic, b"after")
            assert again.subscribe(f"telehealth/v1/{device_id}/receipts") == [False]
        honest = broker.new()
        with broker.device(honest) as last:
            last.publish(f"telehealth/v1/{honest}/readings", b"honest")
        assert service.next()[1] == b"honest"


def test_a_certificate_of_somebody_else(mosquitto_dynamic: Broker, tmp_path: Path) -> None:
    """A certificate that the authority did not sign, or none, gets nobody in."""
    broker = mosquitto_dynamic
    device_id = broker.new()
    assert broker.authority is not None
    stranger = certificates.Authority(tmp_path, "stranger").issue(device_id)
    for own in (stranger, None):
        tls = broker.authority.context(own)
        with clients.connected(broker.certificate_port, None, tls=tls) as refused:
            assert refused.code


@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
async def test_the_service_speaks_tls(mosquitto_dynamic: Broker, protocol: MQTTProtocolVersion) -> None:
    """Its sessions trust the authority that is named in the settings; nothing stays behind in the TLS layer."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    device_id = mosquitto_dynamic.new()
    topic = f"telehealth/v1/{device_id}/readings"

    def received(connection: mqtt.Connection, _topic: bytes, payload: bytes, mid: int, qos: int, _r: bool) -> None:
        heard.put_nowait(payload)
        # Later, as it is when a transaction is committed first.
        asyncio.get_running_loop().call_later(0.001, settle, connection, mid, qos)

    def settle(connection: mqtt.Connection, mid: int, qos: int) -> None:
        connection.acknowledge(mid, qos)
        connection.resume()

    def publish() -> None:
        with mosquitto_dynamic.device(device_id) as device:
            for number in range(400):
                device.paho.publish(topic, str(number).encode() + b" " * 3000, qos=1)
            device.publish(topic, b"end")

    async with mqtt.connect(
        address.of(settings(mosquitto_dynamic)),
        [topic],
        client_id="telehealth-ingest-live-tls",
        window=10,
        protocol=protocol,
        received=received,
        sent=lambda: None,
    ):
        await asyncio.to_thread(publish)
        assert [int(await heard.get()) for _ in range(400)] == list(range(400))
        assert await heard.get() == b"end"
    with mosquitto_dynamic.service("telehealth-ingest-live-tls"):
        pass


async def broker_check(wanted: Settings) -> str | None:
    """What `telehealth check` says of the broker."""
    results = await check.everything(wanted)
    return results[-1].trouble


async def test_check_names_the_setting(mosquitto_dynamic: Broker, tmp_path: Path) -> None:
    """Every way in which TLS can be wrong points at what to change."""
    broker = mosquitto_dynamic
    assert broker.authority is not None
    stranger = certificates.Authority(tmp_path, "stranger")
    pair = stranger.issue("service")
    (tmp_path / "empty").touch()
    plain = f"mqtt://telehealth:{brokers.SERVICE_PASSWORD}@127.0.0.1"
    asks = f"mqtts://telehealth:{brokers.SERVICE_PASSWORD}@127.0.0.1:{broker.certificate_port}"
    elsewhere = f"mqtts://telehealth:{brokers.SERVICE_PASSWORD}@localhost:{broker.service_port}"
    own = {"mqtt_certificate": str(pair.certificate), "mqtt_key": str(pair.key)}
    assert await broker_check(settings(broker)) is None
    for changes, named in (
        ({"mqtt_ca": str(stranger.certificate)}, "TELEHEALTH_MQTT_CA: does not vouch"),
        ({"mqtt_ca": None}, "TELEHEALTH_MQTT_CA: does not vouch"),
        ({"mqtt_ca": str(tmp_path / "absent")}, "TELEHEALTH_MQTT_CA: is not a file"),
        ({"mqtt_ca": str(tmp_path / "empty")}, "TELEHEALTH_MQTT_CA: is not a file"),
        ({"mqtt_certificate": str(pair.certificate)}, "TELEHEALTH_MQTT_KEY: and TELEHEALTH_MQTT_CERTIFICATE"),
        ({"MQTT_URL": elsewhere}, "MQTT_URL: the broker's certificate is for another host"),
        ({"MQTT_URL": asks}, "TELEHEALTH_MQTT_CERTIFICATE: the broker asks for a client certificate"),
        ({"MQTT_URL": asks} | own, "TELEHEALTH_MQTT_CERTIFICATE: the broker does not accept it"),
        ({"MQTT_URL": plain}, "TELEHEALTH_MQTT_CA: needs an MQTT_URL that begins with mqtts://"),
        ({"MQTT_URL": f"mqtts://a:b@127.0.0.1:{servers.free_port()}"}, "MQTT_URL: cannot connect"),
    ):
        trouble = await broker_check(settings(broker, **changes))
        assert trouble is not None, named
        assert trouble.startswith(named), (trouble, named)


async def test_tls_to_a_port_without(mosquitto: Broker, mosquitto_dynamic: Broker) -> None:
    url = f"mqtts://telehealth:{brokers.SERVICE_PASSWORD}@127.0.0.1:{mosquitto.service_port}"
    trouble = await broker_check(settings(mosquitto_dynamic, MQTT_URL=url))
    assert trouble is not None
    assert trouble.startswith("MQTT_URL: ")


def test_a_service_does_not_start_with_a_wrong_file(mosquitto_dynamic: Broker) -> None:
    with pytest.raises(SettingError, match="TELEHEALTH_MQTT_CERTIFICATE"):
        address.of(settings(mosquitto_dynamic, mqtt_certificate="/absent", mqtt_key="/absent"))
