"""The envelope that native, CBOR and gatt messages share: who numbers the message, and when it was sent.

A bad field of the envelope becomes a refusal of that field and is left out; what the message holds is taken all
the same.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

from devices import fields, message
from devices.errors import Refusal, refusal
from devices.message import Message, Reading

#: What parse() gives for what is no JSON.
MALFORMED: Final = object()


class Envelope(NamedTuple):
    """As the fields of Message. taken_at, zone: what a gateway says of readings that carry no time of their own."""

    stream: str | None
    seq: int | None
    oldest: int | None
    id: str | None
    sent_at: datetime | None
    refusals: tuple[Refusal, ...]
    taken_at: datetime | None = None
    zone: str | None = None


def parse(text: str) -> Any:
    """The JSON content with numbers as written (devices.fields), or MALFORMED. A byte order mark is ignored."""
    try:
        return json.loads(
            text.removeprefix("\ufeff"),
            parse_int=fields.Whole,
            parse_float=fields.Real,
            parse_constant=fields.NotFinite,
        )
    except (ValueError, RecursionError):
        return MALFORMED


def read(content: Any, digest: str, *, gateway: bool = False) -> Envelope:
    """The envelope of any content. gateway: taken_at and zone are fields of this format."""
    if not isinstance(content, dict):
        return Envelope(None, None, None, digest, None, ())
    wrong: list[Refusal] = []

    def field(name: str, read: Any) -> Any:
        given = content.get(name)
        if given is None:
            return None
        try:
            return read(given)
        except fields.Wrong as error:
            wrong.append(error.refusal)
            return None

    stream = field("stream", lambda given: fields.text(given, "stream"))
    seq = field("seq", lambda given: fields.whole(given, "seq", message.SEQ_LIMIT))
    # Beside a stream and seq an id is one of the keys that are ignored.
    own_id = None if stream and seq else field("id", lambda given: fields.text(given, "id"))
    sent_at = field("sent_at", lambda given: fields.moment(given, "sent_at", "sent_at_invalid"))
    if seq is not None and content.get("stream") is None and own_id is None:
        wrong.append(refusal("stream_invalid", "stream"))
    if stream is not None and content.get("seq") is None and own_id is None:
        wrong.append(refusal("seq_invalid", "seq"))
    if stream is None:
        seq = None
    oldest = None
    if seq is not None:
        oldest = field("oldest", lambda given: fields.whole(given, "oldest", seq))
    taken_at = field("taken_at", lambda given: fields.aware(given, "taken_at")) if gateway else None
    zone = field("zone", fields.zone) if gateway else None
    answer = None if seq is not None else own_id or digest
    return Envelope(stream, seq, oldest, answer, sent_at, tuple(wrong), taken_at, zone)


def made(
    digest: str, size: int, envelope: Envelope, readings: tuple[Reading, ...], refusals: tuple[Refusal, ...]
) -> Message:
    """The message of an envelope and of what was in it."""
    return Message(
        digest,
        size,
        envelope.stream,
        envelope.seq,
        envelope.oldest,
        envelope.id,
        envelope.sent_at,
        readings,
        envelope.refusals + refusals,
        envelope.zone,
    )


def refused(payload: bytes, digest: str, why: Refusal, size: int | None = None) -> Message:
    """A JSON message refused whole, by stream and seq or id where they can still be found in it."""
    content: Any = None
    if len(payload) <= message.SEARCH_LIMIT:
        content = parse(payload.decode(errors="surrogateescape"))
    return refused_content(content, digest, why, len(payload) if size is None else size)


def refused_content(content: Any, digest: str, why: Refusal, size: int) -> Message:
    """As refused(), of content in whatever format."""
    # Only how to answer it matters now: what else was wrong with the envelope would say nothing more.
    return made(digest, size, read(content, digest)._replace(refusals=()), (), (why,))


def opened(payload: bytes, digest: str) -> Any:
    """The content of a JSON message within its limits, or the Message that refuses it whole."""
    if len(payload) > message.PAYLOAD_LIMIT:
        return refused(payload, digest, refusal("payload_too_large"))
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return refused(payload, digest, refusal("not_utf8"))
    content = parse(text)
    if content is MALFORMED:
        return refused(b"", digest, refusal("not_json"), len(payload))
    return content
