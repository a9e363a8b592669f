"""One broker of each kind for the whole run. RabbitMQ takes 9 s to start, so it begins with the first test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import brokers
from tests.contract.brokers import Broker


@pytest.fixture(scope="session", autouse=True)
def rabbitmq_starting(request: pytest.FixtureRequest) -> Iterator[Any]:
    wanted = any("broker-rabbitmq" in item.keywords or "[rabbitmq" in item.name for item in request.session.items)
    if not wanted:
        yield None
        return
    with brokers.rabbitmq_starting() as starting:
        yield starting


@pytest.fixture(scope="session")
def embedded() -> Iterator[Broker]:
    with brokers.embedded_broker() as made:
        yield made


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Broker]:
    with brokers.mosquitto_with_files() as made:
        yield made


@pytest.fixture(scope="session")
def mosquitto_dynamic() -> Iterator[Broker]:
    with brokers.mosquitto_with_plugin() as made:
        yield made


@pytest.fixture(scope="session")
def rabbitmq(rabbitmq_starting: Any) -> Broker:
    return brokers.rabbitmq_broker(*rabbitmq_starting)


@pytest.fixture(scope="session", params=["embedded", "mosquitto", "mosquitto_dynamic", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> Broker:
    made: Broker = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="session", params=["mosquitto", "mosquitto_dynamic"])
def modern(request: pytest.FixtureRequest) -> Broker:
    """Brokers that speak MQTT 5."""
    made: Broker = request.getfixturevalue(request.param)
    return made
