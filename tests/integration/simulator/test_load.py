"""Many devices from one process against Mosquitto: credentials of their own, receipts, what is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from simulator import errors, world
from simulator.load import run as loading
from tests.support import servers

NAMES = [f"load-{number}" for number in range(20)]


@pytest.fixture(scope="module")
def broker() -> Iterator[servers.Mosquitto]:
    with servers.mosquitto({**dict.fromkeys(NAMES, "secret"), "service": "secret"}) as found:
        yield found


def devices(password: str = "secret") -> list[world.Device]:
    return [world.Device(name, password) for name in NAMES]


@pytest.fixture
async def service(broker: servers.Mosquitto) -> AsyncIterator[None]:
    """Settles everything; refuses the second reading of every device's first message."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="service")
    client.username_pw_set("service", "secret")

    def heard(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        sent = json.loads(message.payload)
        refused = [{"seq": 1, "index": 1, "error": "unit_unknown"}] if sent["seq"] == 1 else []
        receipt = {"stream": sent["stream"], "through": sent["seq"], "refused": refused}
        client.publish(message.topic.rpartition("/")[0] + "/receipts", json.dumps(receipt), qos=1)

    client.on_message = heard
    subscribed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def connected(*_: object) -> None:
        client.subscribe("telehealth/v1/+/readings", 1)

    def answered(*_: object) -> None:
        loop.call_soon_threadsafe(subscribed.set)

    client.on_connect = connected
    client.on_subscribe = answered
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    await asyncio.wait_for(subscribed.wait(), 10)
    yield
    client.disconnect()
    client.loop_stop()


async def load(broker: servers.Mosquitto, plan: loading.Plan, password: str = "secret") -> loading.Load:
    where = world.Broker("127.0.0.1", broker.port)
    return await loading.load(plan, devices(password), where, asyncio.Event(), lambda _: None)


async def test_every_message_is_settled_by_its_receipt(broker: servers.Mosquitto, service: None) -> None:
    found = await load(broker, loading.Plan(every=0.2, ramp=0.1, duration=0.6, settle=20))
    assert (found.devices, found.connected, found.lost, found.disconnects) == (20, 20, 0, 0)
    assert found.messages == found.settled == found.receipt_ms.count > 0
    assert found.acknowledged == found.deliveries
    assert found.refused == found.refused_by_reason["unit_unknown"] > 0
    assert found.connect_ms.count == 20


async def test_without_a_service_the_broker_settles_or_everything_is_lost(broker: servers.Mosquitto) -> None:
    found = await load(broker, loading.Plan(every=0.2, ramp=0, duration=0.3, settle=20, by_receipt=False))
    assert (found.lost, found.receipt_ms.count) == (0, 0)
    lost = await load(broker, loading.Plan(every=0.2, ramp=0, duration=0.3, settle=0.1))
    assert lost.lost == lost.messages > 0


async def test_credentials_are_each_devices_own(broker: servers.Mosquitto) -> None:
    found = await load(broker, loading.Plan(every=0.2, ramp=0, duration=0.1, settle=0), password="wrong")
    assert (found.connected, found.messages) == (0, 0)
    assert sum(found.refused_connections.values()) == 20, "nobody tries again with what was refused"


async def test_no_broker_is_one_line() -> None:
    where = world.Broker("127.0.0.1", servers.free_port())
    with pytest.raises(errors.Unreachable, match="no broker at"):
        await loading.load(loading.Plan(1, 0, 1), devices(), where, asyncio.Event(), lambda _: None)
