"""From an MQTT message to what is to be stored."""

from __future__ import annotations

import functools
from datetime import datetime

import msgspec
from paho.mqtt.client import MQTTMessage

from devices import formats, status, topics
from devices.errors import Refusal
from devices.message import PAYLOAD_LIMIT
from telehealth import metrics
from telehealth.model.delivery import Delivery, Lane, Status
from telehealth.store.quarantine import PAYLOAD_BYTES

#: There are few topics and many messages.
_parse = functools.lru_cache(maxsize=20_000)(topics.parse)


def read(lane: Lane, message: MQTTMessage, received_at: datetime) -> Delivery | Status | None:
    """What a message says; None where it says nothing to store. Never raises, whatever the bytes."""
    try:
        name = message.topic
    except UnicodeDecodeError:
        return None
    topic = _parse(name)
    if topic is None:
        # Only a broker without our topic rules lets anybody publish here.
        metrics.REFUSALS.labels("topic_unknown").inc()
        return None
    payload = bytes(message.payload)
    if topic.channel == "status":
        return _status(topic.device_id, payload, received_at, retained=message.retain)
    decoded = formats.decode(topic.format, topic.device_id, payload)
    if len(payload) > PAYLOAD_LIMIT:
        payload = payload[:PAYLOAD_BYTES]
    return Delivery(lane, name, topic.device_id, payload, received_at, decoded)


def _status(device_id: str, payload: bytes, received_at: datetime, *, retained: bool) -> Status | None:
    if not payload:
        return None  # how a retained message is removed
    said = status.decode(payload)
    if isinstance(said, Refusal):
        metrics.REFUSALS.labels(said.error).inc()
        return None
    kept = msgspec.json.encode(said).decode()
    return Status(device_id, kept, said.online, received_at, retained)
