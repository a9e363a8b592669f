"""What devices are asked to do: written in the transaction of what caused it, published afterwards, at least once.

Times are clinical.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alerts.advice import Advice
from alerts.repeats import Repeat
from devices.commands import Command
from telehealth.model import orders
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Published in one go.
_MOST = 100
#: In one answer to a device that asks by HTTP.
_MOST_ANSWERED = 32


@dataclass(frozen=True)
class Waiting:
    """A command that the broker does not have yet. subject: whom it is for, on a kit that several share.

    kind: measure, ring or message. link_id: of a ring, the resident's way in to the visit, if there is one. text: of a
    message.
    """

    id: UUID
    device_id: str
    codes: Sequence[str]
    subject: str | None
    expires_at: datetime
    kind: str = "measure"
    link_id: int | None = None
    text: str | None = None


@dataclass(frozen=True)
class Asked:
    """What a device was asked to measure again. state: waiting, published or expired."""

    codes: Sequence[str]
    device_id: str
    about_at: datetime
    created_at: datetime
    expires_at: datetime
    state: str
    settled_at: datetime | None


@dataclass(frozen=True)
class Told:
    """What a device was to show. state: waiting, published (given to the broker) or expired."""

    device_id: str
    text: str
    about_at: datetime
    created_at: datetime
    expires_at: datetime
    state: str
    settled_at: datetime | None


async def ask(connection: Connection, repeats: Sequence[Repeat], *, now: datetime) -> int:
    """Ask the devices that residents have now, and that can measure what is to be repeated; how many are asked.

    A device is asked once about one reading; nobody is where it would be too late.
    """
    single = [(repeat, code) for repeat in repeats if repeat.until > now for code in repeat.codes]
    if not single:
        return 0
    rows = await connection.fetch(
        sql("commands.ask"),
        [repeat.resident for repeat, _ in single],
        [code for _, code in single],
        [repeat.about_at for repeat, _ in single],
        [repeat.until for repeat, _ in single],
        now,
    )
    return len(rows)


async def tell(connection: Connection, advice: Advice, *, now: datetime) -> int:
    """Have the resident's devices show words about an answer that a device sent; how many are to.

    Once an episode, and not where it would be too late. Nobody is told what staff have entered: they are there.
    """
    if advice.until <= now:
        return 0
    rows = await connection.fetch(
        sql("commands.tell"),
        advice.resident,
        advice.rule,
        advice.since,
        advice.text,
        list(advice.codes),
        advice.about_at,
        advice.until,
        now,
    )
    return len(rows)


async def told(connection: Connection, advice: Advice) -> list[Told]:
    """What devices were to show about an episode, in that order."""
    rows = await connection.fetch(sql("commands.told"), advice.resident, advice.rule, advice.since, advice.about_at)
    return [Told(*row) for row in rows]


async def by_device(connection: Connection, advice: Advice) -> bool:
    """Whether a device sent one of the answers that the advice is about, rather than staff entered it."""
    return bool(
        await connection.fetchval(sql("commands.by_device"), advice.resident, list(advice.codes), advice.about_at)
    )


async def waiting(connection: Connection) -> list[Waiting]:
    """Commands that wait to be published, oldest first, some at most."""
    return [Waiting(*row) for row in await connection.fetch(sql("commands.waiting"), _MOST)]


async def outstanding(connection: Connection, device_id: str, *, now: datetime) -> list[Waiting]:
    """What a device is asked to do and could still do, the newest first, some at most; published or not."""
    return [
        Waiting(*row) for row in await connection.fetch(sql("commands.outstanding"), device_id, now, _MOST_ANSWERED)
    ]


def order(command: Waiting, public_url: str | None = None) -> Command:
    """As the device is told. public_url: where calls are taken."""
    if command.kind == "message":
        return orders.message(command.id, command.text or "", command.subject, command.expires_at)
    if command.kind == "ring":
        return orders.ring(command.id, command.link_id, command.subject, command.expires_at, public_url)
    return orders.measure(command.id, command.codes, command.subject, command.expires_at)


async def about(
    connection: Connection, resident_id: int, codes: Sequence[str], *, since: datetime, until: datetime
) -> list[Asked]:
    """What was asked about a resident's readings of these codes taken in a time, in that order."""
    rows = await connection.fetch(sql("commands.about"), resident_id, list(codes), since, until)
    return [Asked(*row) for row in rows]


async def settle(connection: Connection, ids: Sequence[UUID], state: str, *, now: datetime) -> None:
    """The broker has them ("published"), or they came too late ("expired"): they are not looked at again."""
    if ids:
        await connection.execute(sql("commands.settle"), list(ids), state, now)
