"""Tells devices which sets of their readings staff have seen, by a receipt that says nothing else.

A hint that is not part of the promises: told at least once where a session takes it, and to MQTT only.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from devices import receipts, topics
from telehealth import log
from telehealth.clock import ClinicalClock
from telehealth.store import db, seen
from telehealth.store.db import Database

_log = log.get("ingest")
_ACTOR = db.service("ingest")
_EVERY_SECONDS = 2.0


async def run(
    database: Database, clock: ClinicalClock, publish: Callable[[str, bytes], bool], ours: Callable[[], bool]
) -> None:
    """Until cancelled. ours: whether this process is the one that tells. publish: as Worker.publish."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        if not ours():
            continue
        try:
            async with database.transaction(_ACTOR, read_only=True) as connection:
                untold = await seen.untold(connection)
            told = _tell(untold, clock, publish)
            if told:
                async with database.transaction(_ACTOR) as connection:
                    await seen.told(connection, told, now=clock.now())
        except Exception as error:
            # To be told is a courtesy: nothing that goes wrong with it may stop taking readings in.
            _log.warning("cannot tell devices what was seen", error=type(error).__name__, where=log.where(error))


def _tell(untold: list[seen.Seen], clock: ClinicalClock, publish: Callable[[str, bytes], bool]) -> list[seen.Seen]:
    told: list[seen.Seen] = []
    for device_id, group in itertools.groupby(sorted(untold, key=lambda s: s.device_id), key=lambda s: s.device_id):
        theirs = list(group)
        receipt = receipts.receipt(None, (), clock.now(), seen=[receipts.Seen(s.set_id, s.at) for s in theirs])
        if not publish(f"{topics.PREFIX}/{device_id}/receipts", receipt.encode()):
            break
        told += theirs
    return told
