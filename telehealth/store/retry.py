"""Trying again: what was refused is decoded anew from the bytes kept, and taken in by the transaction of all readings.

After a fix of a decoder, or when a device was registered that was not. Identity makes it harmless: what is stored
already is stored once. The time of arrival is that of then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from devices import formats, topics
from devices.errors import Refusal
from devices.message import Message
from telehealth.model.delivery import Delivery
from telehealth.store import db, ingest, quarantine, quarantine_view
from telehealth.store.db import Actor, Connection, Record
from telehealth.store.queries import sql

#: Messages in one transaction.
MOST = 100


@dataclass
class Outcome:
    """What became of one message. why: in words, where nothing could be tried. stored: new readings."""

    entry_ids: list[int]
    device_id: str | None
    stored: int = 0
    #: Readings that were there already.
    duplicates: int = 0
    refused: list[Refusal] = field(default_factory=list)
    why: str | None = None

    @property
    def taken_in(self) -> bool:
        """Nothing of it is refused any more."""
        return self.why is None and not self.refused

    def text(self) -> str:
        """One sentence."""
        if self.why is not None:
            return self.why
        known = f", {self.duplicates} known already" if self.duplicates else ""
        reasons = sorted({refusal.error for refusal in self.refused})
        still = f"; still refused: {', '.join(reasons)}" if reasons else ""
        return f"Stored {self.stored}{known}{still}."[:500]


@dataclass
class Tried:
    """What became of a choice. left: entries of the choice that were not tried yet."""

    outcomes: list[Outcome] = field(default_factory=list)
    left: int = 0

    @property
    def stored(self) -> int:
        return sum(outcome.stored for outcome in self.outcomes)

    @property
    def taken_in(self) -> int:
        return sum(outcome.taken_in for outcome in self.outcomes)

    @property
    def refused(self) -> int:
        return len(self.outcomes) - self.taken_in


async def entries(connection: Connection, ids: Sequence[int], *, actor: Actor, now: datetime) -> Tried:
    """Try some entries again; their whole messages, because a message has one identity. now: clinical.

    The transaction is a service's or an operator's; actor: who asked for it, and may see the entries.
    """
    tried = Tried()
    await connection.execute(sql("quarantine.lock_devices"), list(ids))
    for row in await connection.fetch(sql("quarantine.messages"), list(ids)):
        tried.outcomes.append(await _message(connection, row, actor, now))
    return tried


async def group(
    connection: Connection,
    *,
    device_id: str | None,
    error: str | None,
    unknown: bool = False,
    actor: Actor,
    now: datetime,
    since: datetime | None = None,
) -> Tried:
    """Try open entries of a device and reason again, a bounded number; left says how many remain.

    since: entries tried at or after it are not tried again; the now of the first call of several.
    """
    assert device_id is not None or unknown
    start = now if since is None else since
    chosen = await connection.fetch(sql("quarantine.chosen"), None, device_id, error, unknown, start, MOST)
    tried = await entries(connection, [row["id"] for row in chosen], actor=actor, now=now)
    tried.left = await connection.fetchval(sql("quarantine.waiting"), device_id, error, unknown, start)
    return tried


async def _message(connection: Connection, row: Record, actor: Actor, now: datetime) -> Outcome:
    source = quarantine_view.source(row["topic"])
    outcome = Outcome(list(row["ids"]), None if source is None else source.device_id)
    outcome.why = _obstacle(row, source)
    if outcome.why is not None or source is None:
        await _note(connection, row, {}, outcome, actor, now)
        return outcome
    device = await connection.fetchrow(sql("quarantine.registered"), source.device_id)
    if device is None:
        outcome.why = "The device is not registered here, or was revoked."
        await _note(connection, row, {}, outcome, actor, now)
        return outcome
    decoded = formats.decode(source.format, source.device_id, row["payload"])
    refusals = list(decoded.refusals)
    delivery = Delivery(
        "backlog" if source.channel == "backlog" else "live",
        row["topic"],
        source.device_id,
        row["payload"],
        row["first_at"],
        # Its refusals are kept below: they did not arrive once more.
        msgspec.structs.replace(decoded, refusals=()),
        again=True,
    )
    try:
        async with connection.transaction():
            taken = await ingest.take_in(connection, [delivery], now=now)
        outcome.stored, outcome.duplicates = taken.stored, taken.received - taken.stored
    except db.DATA as error:
        if isinstance(error, db.AWAY):
            raise
        refusals = [Refusal("not_storable", None, "The message could not be stored; its bytes are kept for a person.")]
    outcome.refused = refusals
    await _keep_new(connection, row, delivery, decoded, refusals, device, now)
    await _note(connection, row, {_index(refusal): refusal for refusal in refusals}, outcome, actor, now)
    return outcome


def _obstacle(row: Record, source: topics.Topic | None) -> str | None:
    if source is None or source.channel not in topics.LANES:
        return "Only messages with readings can be tried again."
    if row["size"] > quarantine.PAYLOAD_BYTES:
        return "The message was too long to be kept whole."
    if len(row["payload"]) != row["size"]:
        return "Its bytes were not kept: the device sent too much that was refused."
    return None


def _index(refusal: Refusal) -> int:
    return -1 if refusal.index is None else refusal.index


async def _keep_new(
    connection: Connection,
    row: Record,
    delivery: Delivery,
    decoded: Message,
    refusals: Sequence[Refusal],
    device: Record,
    now: datetime,
) -> None:
    """Refusals of readings that had none of their own, such as those of a format that was not known."""
    stranger = row["device_pk"] is None
    fresh = [refusal for refusal in refusals if stranger or _index(refusal) not in row["indexes"]]
    if not fresh:
        return
    found = quarantine.rows(
        msgspec.structs.replace(delivery, message=decoded),
        device_pk=device["id"],
        organisation_id=device["organisation_id"],
        refusals=fresh,
        with_bytes=stranger,
    )
    await quarantine.keep(connection, found, first_at=row["first_at"], tried_at=now)


async def _note(
    connection: Connection,
    row: Record,
    still: dict[int, Refusal],
    outcome: Outcome,
    actor: Actor,
    now: datetime,
) -> None:
    """What became of each entry of the message; what was dismissed stays so unless it was taken in."""
    states, refusals = [], []
    for index, before in zip(row["indexes"], row["states"], strict=True):
        refusal = None if row["device_pk"] is None else still.get(index)
        refusals.append(refusal)
        states.append(before if outcome.why is not None or refusal is not None else "retried")
    await connection.execute(
        sql("quarantine.tried"),
        row["ids"],
        states,
        [None if refusal is None else refusal.error for refusal in refusals],
        [None if refusal is None else refusal.field for refusal in refusals],
        [None if refusal is None else refusal.detail for refusal in refusals],
        [outcome.text()] * len(states),
        now,
        actor,
    )
