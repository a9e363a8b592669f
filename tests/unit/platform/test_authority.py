"""What RabbitMQ is told of who may do what."""

from __future__ import annotations

import pytest

from telehealth.brokers.authority import Authority
from telehealth.model import secrets

STORED = {
    "ox-1": secrets.hash_device_password("word"),
    "ox-2": secrets.hash_device_password("word"),
    "a-device-id-with-22-ch": secrets.hash_device_password("word"),
}


async def lookup(device_id: str) -> str | None:
    return STORED.get(device_id)


authority = Authority(lookup)


@pytest.mark.parametrize(
    ("client_id", "allowed"),
    [
        ("ox-1", True),
        ("ox-1.run", True),
        ("ox-1:run", True),
        ("mPKd8ezZt_U_auqW1ao44w", True),
        ("ox-2", False),
        ("ox-2.run", False),
        ("ox-11", False),
        ("a-device-id-with-22-ch", False),
        ("telehealth-ingest-live", False),
        ("telehealth-ingest-live-0", False),
        ("anything", False),
        ("", False),
    ],
)
async def test_client_ids(client_id: str, allowed: bool) -> None:
    """Its own, or one that RabbitMQ made up; no other device's session and none of the service's."""
    assert await authority.user({"username": "ox-1", "password": "word", "client_id": client_id}) is allowed


@pytest.mark.parametrize(
    ("permission", "key", "allowed"),
    [
        ("write", "telehealth.v1.ox-1.readings", True),
        ("write", "telehealth.v1.ox-1.readings.gatt", True),
        ("write", "telehealth.v1.ox-2.readings", False),
        ("write", "telehealth.v1.ox-1.receipts", False),
        ("write", "elsewhere", False),
        ("read", "telehealth.v1.ox-1.receipts", True),
        ("read", "telehealth.v1.ox-1.#", True),
        ("read", "telehealth.v1.*.receipts", False),
        ("read", "telehealth.v1.ox-2.receipts", False),
        ("read", "#", False),
        ("read", "$share.telehealth.telehealth.v1.*.readings", False),
    ],
)
async def test_topics(permission: str, key: str, allowed: bool) -> None:
    asked = {"username": "ox-1", "resource": "topic", "name": "amq.topic", "permission": permission, "routing_key": key}
    assert await authority.topic(asked) is allowed
    # Whoever calls itself the service is RabbitMQ's own to know.
    assert not await authority.topic(asked | {"username": "telehealth"})


@pytest.mark.parametrize(
    ("resource", "name", "permission", "allowed"),
    [
        ("exchange", "amq.topic", "write", True),
        ("exchange", "amq.topic", "configure", False),
        ("exchange", "amq.direct", "write", False),
        ("queue", "mqtt-subscription-ox-1qos1", "configure", True),
        ("queue", "mqtt-subscription-ox-2qos1", "read", False),
        ("queue", "mqtt-subscription-telehealth-ingest-liveqos1", "read", False),
    ],
)
async def test_resources(resource: str, name: str, permission: str, allowed: bool) -> None:
    asked = {"username": "ox-1", "client_id": "ox-1", "resource": resource, "name": name, "permission": permission}
    assert await authority.resource(asked) is allowed
