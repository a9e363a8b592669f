"""Asks devices to repeat what alerts rest on, and to show residents at once what their answers call for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from alerts import advice, engine, repeats
from alerts.repeats import Repeat
from telehealth.store import commands, evaluation
from telehealth.store.db import Connection
from telehealth.store.episodes import Planned


async def ask(
    connection: Connection, planned: Sequence[Planned], results: Sequence[engine.Result], *, now: datetime
) -> None:
    """For what has just been found out: in the transaction that raises the alerts. now: clinical time."""
    states = {result.resident: result.state.last for result in results}
    found: dict[tuple[int, tuple[str, ...], datetime], Repeat] = {}
    for one in planned:
        for episode in (*one.plan.insert, *(changed for _, changed in one.plan.update)):
            repeat = repeats.wanted(episode)
            if repeat is not None and not _repeated(repeat, states.get(repeat.resident, {})):
                found[repeat.resident, repeat.codes, repeat.about_at] = repeat
    await commands.ask(connection, list(found.values()), now=now)


async def tell(connection: Connection, planned: Sequence[Planned], *, now: datetime) -> None:
    """Have devices show what red flags call for, in the transaction that raises the alerts. now: clinical time."""
    for one in planned:
        for episode in (*one.plan.insert, *(changed for _, changed in one.plan.update)):
            if (wanted := advice.wanted(episode)) is not None:
                await commands.tell(connection, wanted, now=now)


def _repeated(repeat: Repeat, last: Mapping[str, Sequence[object]]) -> bool:
    """Whether a later reading of all of it is there already."""
    about = evaluation.micros(repeat.about_at)
    return all(code in last and _later(last[code][0], about) for code in repeat.codes)


def _later(at: object, about: int) -> bool:
    # The evidence tells times in whole milliseconds.
    return isinstance(at, int) and at // 1000 > about // 1000
