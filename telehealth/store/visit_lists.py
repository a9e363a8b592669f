"""What the pages about visits show, beside what a visit itself is. The actor's policies decide what is seen.

now is clinical time everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from telehealth.errors import Conflict, NotFound
from telehealth.store.db import Actor, Connection, Record
from telehealth.store.queries import sql


async def appointment(connection: Connection, appointment_id: int) -> Record:
    """One appointment with its ward and visit. NotFound if there is none for this actor."""
    return await _one(connection, "visit_lists.appointment", appointment_id)


async def subjects(connection: Connection, appointment_id: int) -> list[Record]:
    """Whom an appointment is about, in order."""
    return await connection.fetch(sql("visit_lists.subjects_of_appointment"), appointment_id)


async def links(connection: Connection, consultation_id: int) -> list[Record]:
    """The ways into a visit and what happened to each."""
    return await connection.fetch(sql("visit_lists.links"), consultation_id)


async def link(connection: Connection, link_id: int) -> Record:
    """One of them. NotFound."""
    return await _one(connection, "visit_lists.link", link_id)


async def mails(connection: Connection, appointment_id: int) -> list[Record]:
    """Mails about an appointment, the newest first; never what they say."""
    return await connection.fetch(sql("visit_lists.mails"), appointment_id)


async def contacts(connection: Connection, resident_ids: Sequence[int]) -> list[Record]:
    """Whom mails about these residents go to."""
    return await connection.fetch(sql("visit_lists.contacts"), list(resident_ids))


async def choosable(connection: Connection, ward_id: int, *, now: datetime) -> list[Record]:
    """Who is on the ward, by name, with how many contacts get mails; at most 500."""
    return await connection.fetch(sql("visit_lists.choosable"), ward_id, now)


async def begin_for(connection: Connection, resident_id: int) -> int | None:
    """The visit of a resident that there is already; whoever asks the same meanwhile waits for this transaction."""
    await connection.execute(sql("visit_lists.begin_for"), resident_id)
    found: int | None = await connection.fetchval(sql("visit_lists.open_of_resident"), resident_id)
    return found


async def elsewhere(connection: Connection, staff_id: int, consultation_id: int | None) -> Record | None:
    """The other visit that a member of staff is in now, if there is one: nobody is in two."""
    return await connection.fetchrow(sql("visit_lists.elsewhere"), staff_id, consultation_id or 0)


async def of_alert(connection: Connection, alert_id: int) -> list[Record]:
    """The visits that came of an alert, the newest first."""
    return await connection.fetch(sql("visit_lists.of_alert"), alert_id)


async def coming(connection: Connection, resident_id: int, *, since: datetime) -> list[Record]:
    """What is planned for a resident from a time on, and what was started and is not over."""
    return await connection.fetch(sql("visit_lists.coming"), resident_id, since)


async def encounters(
    connection: Connection, resident_id: int, *, before: int | None = None, limit: int = 20
) -> list[Record]:
    """What came of a resident's visits, the newest first; before: from that id on, for paging."""
    return await connection.fetch(sql("visit_lists.encounters"), resident_id, before, limit)


async def encounter(connection: Connection, encounter_id: int) -> Record:
    """One of them. NotFound."""
    return await _one(connection, "visit_lists.encounter", encounter_id)


async def notes(connection: Connection, encounter_ids: Sequence[int]) -> list[Record]:
    """What was noted in some encounters."""
    return await connection.fetch(sql("visit_lists.encounter_notes"), list(encounter_ids))


async def follow_ups(connection: Connection, encounter_ids: Sequence[int]) -> list[Record]:
    """What was to be done after some encounters."""
    return await connection.fetch(sql("visit_lists.follow_ups_of"), list(encounter_ids))


async def follow_ups_of_ward(connection: Connection, ward_id: int) -> list[Record]:
    """What is left to be done for the residents of a ward, the most urgent first; at most 200."""
    return await connection.fetch(sql("visit_lists.follow_ups_of_ward"), ward_id)


async def follow_up(connection: Connection, follow_up_id: int) -> Record:
    """One of them. NotFound."""
    return await _one(connection, "visit_lists.follow_up", follow_up_id)


async def done(connection: Connection, follow_up_id: int, *, actor: Actor, now: datetime) -> None:
    """It is done. Conflict if it was already."""
    if await connection.fetchval(sql("visit_lists.follow_up_done"), follow_up_id, actor, now) is None:
        raise Conflict("this is done already")


async def waiting_count(connection: Connection, ward_id: int) -> int:
    """How many people wait for the staff of a ward."""
    return int(await connection.fetchval(sql("visit_lists.waiting_count"), ward_id))


async def _one(connection: Connection, query: str, key: int) -> Record:
    row = await connection.fetchrow(sql(query), key)
    if row is None:
        raise NotFound
    return row
