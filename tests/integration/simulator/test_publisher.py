"""Devices against a real broker: nothing is let go before its receipt, and nothing sent under another identity."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from simulator import clock, connection, kit, outbox, publisher, world
from tests.integration.simulator import fake
from tests.support import servers

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[servers.Mosquitto]:
    with servers.mosquitto({"service": "s", "dev-1": "one", "dev-2": "two"}) as broker:
        yield broker


@pytest.fixture
def service(mosquitto: servers.Mosquitto) -> Iterator[fake.FakeService]:
    with fake.service(mosquitto.port, "service", "s") as running:
        yield running


def batch(device_id: str, value: int, *, age_seconds: float = 0.0) -> kit.Batch:
    now_ms = clock.to_ms(clock.now())
    taken_ms = now_ms - int(age_seconds * 1000)
    taken = clock.text(clock.from_ms(taken_ms))
    body = json.dumps([{"code": "pulse", "value": value, "unit": "/min", "taken_at": taken}]).encode()
    return kit.Batch(device_id, taken_ms, now_ms, body, 1)


@contextlib.asynccontextmanager
async def sending(
    port: int, folder: Path, *, password: str = "one", device_id: str = "dev-1"
) -> AsyncIterator[publisher.Publisher]:
    with contextlib.closing(outbox.Outbox(folder)) as journal:
        sender = publisher.Publisher(world.Broker("127.0.0.1", port), journal, retry_seconds=(0.05,))
        sender.add(world.Device(device_id, password))
        async with sender.running():
            yield sender


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the stand-in runs on a thread of its own
            await asyncio.sleep(0.01)


async def test_a_message_is_held_until_its_receipt_and_then_gone(
    mosquitto: servers.Mosquitto, service: fake.FakeService, tmp_path: Path
) -> None:
    async with sending(mosquitto.port, tmp_path) as sender:
        sender.publish([batch("dev-1", value) for value in (70, 71, 72)])
        assert sender.unsettled == 3
        async with asyncio.timeout(20):
            await sender.settled()
    assert [delivery.message.seq for delivery in service.deliveries] == [1, 2, 3]
    assert {delivery.lane for delivery in service.deliveries} == {"readings"}
    with contextlib.closing(outbox.Outbox(tmp_path)) as journal:
        assert journal.held() == []


async def test_what_is_unsettled_is_sent_again_by_a_new_process_under_the_same_identity(
    mosquitto: servers.Mosquitto, service: fake.FakeService, tmp_path: Path
) -> None:
    service.answering = False
    async with sending(mosquitto.port, tmp_path) as sender:
        sender.publish([batch("dev-1", value) for value in (80, 81)])
        await until(lambda: len(service.deliveries) == 2)
    service.answering = True
    async with sending(mosquitto.port, tmp_path) as sender:
        async with asyncio.timeout(20):
            await sender.settled()
        sender.publish([batch("dev-1", 82)])
        async with asyncio.timeout(20):
            await sender.settled()
    first, second = service.deliveries[0], service.deliveries[2]
    sent = [json.loads(delivery.payload) for delivery in (first, second)]
    assert sent[0]["sent_at"] != sent[1]["sent_at"]
    assert [sent[0][name] for name in ("stream", "seq", "readings")] == [
        sent[1][name] for name in ("stream", "seq", "readings")
    ]
    assert len(service.stored) == 3
    assert [delivery.message.seq for delivery in service.deliveries] == [1, 2, 1, 2, 3]


async def test_a_broker_that_dies_loses_nothing(tmp_path: Path) -> None:
    with servers.mosquitto() as broker, contextlib.ExitStack() as stack:
        stack.enter_context(fake.service(broker.port))
        async with sending(broker.port, tmp_path) as sender:
            sender.publish([batch("dev-1", 60)])
            async with asyncio.timeout(20):
                await sender.settled()
            broker.stop(signal_number=9)
            sender.publish([batch("dev-1", 61)])
            await until(lambda: sender.connected == 0)
            broker.start()
            with fake.service(broker.port) as later:
                async with asyncio.timeout(20):
                    await sender.settled()
                assert [json.loads(d.payload)["seq"] for d in later.deliveries] == [2]
                assert sender.totals.reconnects >= 1


async def test_old_readings_go_by_the_backlog_with_at_most_four_unsettled(
    mosquitto: servers.Mosquitto, service: fake.FakeService, tmp_path: Path
) -> None:
    service.answering = False
    async with sending(mosquitto.port, tmp_path) as sender:
        sender.publish([batch("dev-1", 60 + number, age_seconds=3600 - number) for number in range(9)])
        await until(lambda: len(service.deliveries) >= 4)
        sender.publish([batch("dev-1", 75)])
        await until(lambda: any(delivery.lane == "readings" for delivery in service.deliveries))
        assert [delivery.lane for delivery in service.deliveries] == ["backlog"] * 4 + ["readings"]
        service.answering = True
    async with sending(mosquitto.port, tmp_path) as sender, asyncio.timeout(20):
        await sender.settled()
    assert len(service.stored) == 10


async def test_wrong_credentials_are_told_and_keep_what_is_held(mosquitto: servers.Mosquitto, tmp_path: Path) -> None:
    async with sending(mosquitto.port, tmp_path, password="wrong") as sender:
        sender.publish([batch("dev-1", 60)])
        await until(lambda: bool(sender.credentials_refused))
        assert "credentials" in sender.credentials_refused["dev-1"] or "refused" in sender.credentials_refused["dev-1"]
    with contextlib.closing(outbox.Outbox(tmp_path)) as journal:
        assert len(journal.held()) == 1


async def test_status_is_retained_online_and_offline_at_the_end(
    mosquitto: servers.Mosquitto, service: fake.FakeService, tmp_path: Path
) -> None:
    async with sending(mosquitto.port, tmp_path, device_id="dev-2", password="two") as sender:
        sender.connect("dev-2")
        await until(lambda: sender.connected == 1)
    await until(lambda: sum(name == "dev-2" for name, _ in service.statuses) >= 2)
    states = [json.loads(payload)["online"] for name, payload in service.statuses if name == "dev-2"]
    # The last will may say it too.
    assert states[0] is True
    assert states[-1] is False


async def test_a_connection_without_a_broker_is_unreachable() -> None:
    link = connection.connect(
        world.Broker("127.0.0.1", servers.free_port()),
        "dev-1",
        "x",
        topics=["t"],
        on_message=lambda _topic, _payload: None,
    )
    with pytest.raises(Exception, match="no broker at"):
        async with link:
            pass
