"""From an MQTT message to what is to be stored."""

from __future__ import annotations

import functools
from datetime import datetime

import msgspec

from devices import formats, status, topics
from devices.errors import Refusal
from devices.message import PAYLOAD_LIMIT
from telehealth import metrics
from telehealth.model.delivery import Delivery, Lane, Status
from telehealth.store.quarantine import PAYLOAD_BYTES


@functools.lru_cache(maxsize=20_000)
def _parse(name: bytes) -> topics.Topic | None:
    """There are few topics and many messages."""
    try:
        return topics.parse(name.decode())
    except UnicodeDecodeError:
        return None


def read(lane: Lane, name: bytes, payload: bytes, received_at: datetime, *, retain: bool) -> Delivery | Status | None:
    """What a message says; None where it says nothing to store. Never raises, whatever the bytes."""
    topic = _parse(name)
    if topic is None:
        # Only a broker without our topic rules lets anybody publish here.
        metrics.REFUSALS.labels("topic_unknown").inc()
        return None
    if topic.channel == "status":
        return _status(topic.device_id, payload, received_at, retained=retain)
    decoded = formats.decode(topic.format, topic.device_id, payload)
    if len(payload) > PAYLOAD_LIMIT:
        payload = payload[:PAYLOAD_BYTES]
    return Delivery(lane, name.decode(), topic.device_id, payload, received_at, decoded)


def _status(device_id: str, payload: bytes, received_at: datetime, *, retained: bool) -> Status | None:
    if not payload:
        return None  # how a retained message is removed
    said = status.decode(payload)
    if isinstance(said, Refusal):
        metrics.REFUSALS.labels(said.error).inc()
        return None
    kept = msgspec.json.encode(said).decode()
    return Status(device_id, kept, said.online, received_at, retained)
