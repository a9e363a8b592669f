"""What devices are asked to do from within a visit: ring, or measure now. Written here, published afterwards.

Times are clinical.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from devices import catalogue
from telehealth.errors import Invalid, NotFound
from telehealth.model import visits
from telehealth.store import audit, consultations
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

#: A late ring must not ring.
RINGS_FOR: Final = timedelta(seconds=60)
#: Somebody has to find the device first.
MEASURES_WITHIN: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class Asked:
    """What a device was asked in a visit. kind: ring or measure; state: waiting, published or expired."""

    kind: str
    codes: Sequence[str]
    device_id: str
    resident_id: int
    created_at: datetime
    expires_at: datetime
    state: str


async def ring(connection: Connection, consultation_id: int, resident_id: int, *, actor: Actor, now: datetime) -> int:
    """Ring the devices that a subject of the visit has now; how many. Their open page is told by the event, too.

    Devices that cannot ring ignore it. Raises NotFound, NotPossible once the visit is over.
    """
    return await _ask(connection, consultation_id, resident_id, "ring", [], RINGS_FOR, actor, now)


async def measure(
    connection: Connection,
    consultation_id: int,
    resident_id: int,
    codes: Sequence[str],
    *,
    actor: Actor,
    now: datetime,
) -> int:
    """Ask the devices of the current subject to measure these codes now; how many devices can.

    Raises Invalid for a code, NotFound, NotPossible for another than the current subject and once the visit is over.
    """
    unknown = [code for code in codes if code not in catalogue.ENTRIES]
    if unknown or not 1 <= len(set(codes)) <= 20:
        raise Invalid("codes", "must be some of the codes that devices measure")
    return await _ask(
        connection, consultation_id, resident_id, "measure", sorted(set(codes)), MEASURES_WITHIN, actor, now
    )


async def asked(connection: Connection, consultation_id: int) -> list[Asked]:
    """What devices were asked in a visit, newest first."""
    return [Asked(**dict(row)) for row in await connection.fetch(sql("commands.asked_in_visit"), consultation_id)]


async def _ask(
    connection: Connection,
    consultation_id: int,
    resident_id: int,
    kind: str,
    codes: list[str],
    within: timedelta,
    actor: Actor,
    now: datetime,
) -> int:
    held = await consultations.load(connection, consultation_id, hold=True)
    if held.row.state in visits.OVER:
        raise visits.NotPossible("This visit is over.")
    if resident_id not in held.visit.subjects:
        raise NotFound("this visit is not about that resident")
    if kind == "measure" and resident_id != held.row.subject_id:
        raise visits.GoneOn
    rows = await connection.fetch(
        sql("commands.ask_in_visit"), consultation_id, resident_id, kind, codes, now, now + within
    )
    event = "rang" if kind == "ring" else "measured"
    detail = {"resident": resident_id, "devices": len(rows), "codes": codes}
    await consultations.note_event(connection, consultation_id, event, detail=detail, actor=actor, now=now)
    await audit.write(
        connection, actor, f"visit.{event}", object_kind="consultation", object_id=consultation_id,
        resident_id=resident_id, ward_id=held.row.ward_id, detail={"devices": len(rows), "codes": codes},
    )  # fmt: skip
    return len(rows)
