"""Quarantine as people see it: entries, how many of each kind, how often by the hour, and the bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from devices import topics
from telehealth.errors import NotFound
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

#: Still to be looked at.
OPEN = ("refused", "held")
STATES = ("refused", "held", "dismissed", "retried")

_POSTED = re.compile(r"POST /api/v1/devices/(.*)", re.ASCII)


@dataclass(frozen=True)
class Filter:
    """Which entries; None: whatever. unknown: only of devices that are not registered, which no ward has."""

    ward_id: int | None = None
    device_id: str | None = None
    error: str | None = None
    states: Sequence[str] | None = None
    unknown: bool = False

    @property
    def arguments(self) -> tuple[object, ...]:
        states = None if self.states is None else list(self.states)
        return (self.ward_id, self.device_id, self.error, states, self.unknown)


@dataclass(frozen=True)
class Entry:
    """One refusal. reading_index -1: of the whole message. whole: all its bytes are there; kept: some are.

    handled_by: the actor; handled_name: of a member of staff. note: why it was dismissed, or what trying again came to.
    """

    id: int
    device_id: str | None
    ward_id: int | None
    topic: str
    reading_index: int
    state: str
    error: str
    field: str | None
    detail: str
    stream: str | None
    seq: int | None
    message_id: str | None
    size: int
    first_at: datetime
    last_at: datetime
    times: int
    tried_at: datetime | None
    handled_at: datetime | None
    handled_by: str | None
    handled_name: str | None
    note: str | None
    whole: bool
    kept: bool

    @property
    def source(self) -> topics.Topic | None:
        """Where the message was sent to; None if it cannot be told."""
        return source(self.topic)

    @property
    def retryable(self) -> bool:
        """Whether its bytes can be decoded anew: readings that were kept whole and are not taken in yet."""
        found = self.source
        return self.whole and self.state in OPEN and found is not None and found.channel in topics.LANES


@dataclass(frozen=True)
class Group:
    """Entries of one device, reason and state. times: how often their bytes came."""

    device_id: str | None
    error: str
    state: str
    entries: int
    times: int
    last_at: datetime


@dataclass(frozen=True)
class Hour:
    """How often a reason came in the hour from then on."""

    hour: datetime
    error: str
    times: int


def source(topic: str) -> topics.Topic | None:
    """The topic of an entry, also of one that came by HTTP; it says lane and format."""
    posted = _POSTED.fullmatch(topic)
    # The paths end as the topics do.
    return topics.parse(topic if posted is None else f"{topics.PREFIX}/{posted[1]}")


async def entries(
    connection: Connection, wanted: Filter, *, before: tuple[datetime, int] | None = None, limit: int = 100
) -> list[Entry]:
    """The newest first, as far as the actor may see them, after the (last_at, id) of the page before."""
    place = before or (None, None)
    found = await connection.fetch(sql("quarantine.listing"), *wanted.arguments, *place, limit, None)
    return [Entry(**dict(row)) for row in found]


async def entry(connection: Connection, entry_id: int) -> Entry:
    """One entry. NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("quarantine.listing"), *Filter().arguments, None, None, 1, entry_id)
    if row is None:
        raise NotFound
    return Entry(**dict(row))


async def groups(connection: Connection, wanted: Filter, *, limit: int = 200) -> list[Group]:
    """By device, reason and state; those that came last first."""
    found = await connection.fetch(sql("quarantine.groups"), *wanted.arguments, limit)
    return [Group(**dict(row)) for row in found]


async def hours(
    connection: Connection,
    *,
    since: datetime,
    ward_id: int | None = None,
    device_id: str | None = None,
    error: str | None = None,
) -> list[Hour]:
    """How often what came, by hour and reason; entries that are gone since are counted as well."""
    found = await connection.fetch(sql("quarantine.hours"), ward_id, device_id, error, since)
    return [Hour(**dict(row)) for row in found]


async def payload(connection: Connection, entry_id: int) -> bytes:
    """The bytes kept of an entry's message, at most 65,536, perhaps none. NotFound if it is not this actor's."""
    found = await connection.fetchval(sql("quarantine.payload"), entry_id)
    if found is None:
        raise NotFound
    return bytes(found)


async def dismiss(
    connection: Connection,
    *,
    ids: Sequence[int] | None = None,
    wanted: Filter | None = None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> int:
    """Nothing more is to be done about these open entries: by id, or all that are wanted. How many they were."""
    chosen = wanted or Filter()
    assert ids is not None or chosen.ward_id or chosen.device_id or chosen.error or chosen.unknown
    done = await connection.execute(
        sql("quarantine.dismiss"),
        None if ids is None else list(ids),
        chosen.ward_id,
        chosen.device_id,
        chosen.error,
        chosen.unknown,
        now,
        actor,
        reason,
    )
    return int(done.rpartition(" ")[2])
