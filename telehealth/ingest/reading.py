"""From an MQTT message to what is to be stored."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import datetime

import msgspec

from devices import formats, status, topics
from devices.errors import Refusal
from devices.message import PAYLOAD_LIMIT
from telehealth import metrics
from telehealth.model.delivery import Delivery, Lane, Status
from telehealth.store.quarantine import PAYLOAD_BYTES

#: Longer than any topic of ours, so that what is remembered stays small.
_TOPIC_BYTES = 160


def _topic(name: bytes) -> topics.Topic | None:
    return _parse(name) if len(name) <= _TOPIC_BYTES else None


@functools.lru_cache(maxsize=20_000)
def _parse(name: bytes) -> topics.Topic | None:
    """There are few topics and many messages."""
    try:
        return topics.parse(name.decode())
    except UnicodeDecodeError:
        return None


def read(
    lane: Lane, name: bytes, payload: bytes, received_at: datetime, *, retain: bool, content_type: str | None = None
) -> Delivery | Status | None:
    """What a message says; None where it says nothing to store. Never raises, whatever the bytes.

    content_type: as MQTT 5 gave it; it counts where the topic names no format.
    """
    topic = _topic(name)
    if topic is None:
        # Only a broker without our topic rules lets anybody publish here.
        metrics.REFUSALS.labels("topic_unknown").inc()
        return None
    if topic.channel == "status":
        return _status(topic, payload, received_at, retained=retain)
    format = topic.format
    if format is None and content_type is not None:
        format = formats.by_content_type(content_type[:_TOPIC_BYTES])
    decoded = formats.decode(format, topic.device_id, payload)
    if len(payload) > PAYLOAD_LIMIT:
        payload = payload[:PAYLOAD_BYTES]
    # With its format: trying a refused message again finds its decoder by it.
    source = name.decode() if format == topic.format else str(replace(topic, format=format))
    return Delivery(lane, source, topic.device_id, payload, received_at, decoded)


def _status(topic: topics.Topic, payload: bytes, received_at: datetime, *, retained: bool) -> Status | None:
    if not payload:
        return None  # how a retained message is removed
    said = status.decode(payload)
    if isinstance(said, Refusal):
        bytes_kept = payload[:PAYLOAD_BYTES]
        return Status(topic.device_id, None, False, received_at, retained, said, str(topic), bytes_kept, len(payload))
    kept = msgspec.json.encode(said).decode()
    return Status(topic.device_id, kept, said.online, received_at, retained)
