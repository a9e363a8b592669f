"""What the pages about visits show, beside what a visit itself is. The actor's policies decide what is seen.

now is clinical time everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telehealth.errors import NotFound
from telehealth.model import people, visits
from telehealth.store.db import Connection, Record
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Waiting:
    """Somebody who waits to be let in. starts_at: of the appointment, if there is one. Times are clinical."""

    consultation_id: int
    starts_at: datetime | None
    participant_id: int
    name: str
    role: visits.Role
    identity: visits.Identity
    resident_id: int | None
    waiting_since: datetime
    #: Seconds.
    waited: float
    reason: str | None
    ready: dict[str, Any] | None
    wrong_births: int
    refused_browsers: int


@dataclass(frozen=True)
class DiaryEntry:
    """A visit of a ward. appointment_id None: started at once. starts_at: planned, or when it was made; clinical."""

    consultation_id: int
    appointment_id: int | None
    series_id: int | None
    kind: visits.Kind
    state: visits.State
    starts_at: datetime
    minutes: int | None
    reason: str
    outcome: str | None
    resident_ids: list[int]
    waiting: int
    inside: int


async def waiting(connection: Connection, ward_id: int, *, now: datetime) -> list[Waiting]:
    """Who waits on a ward, longest first; nobody for a ward that is not the actor's."""
    rows = await connection.fetch(sql("visit_desk.waiting"), ward_id)
    return [Waiting(**dict(row), waited=max((now - row["waiting_since"]).total_seconds(), 0.0)) for row in rows]


async def diary(connection: Connection, ward_id: int, since: datetime, until: datetime) -> list[DiaryEntry]:
    """Visits of a ward that begin, or were begun, in [since, until), in order; cancelled ones too.

    And those that began before and are to last into it, as long as they are not over.
    """
    return [DiaryEntry(**dict(r)) for r in await connection.fetch(sql("visit_desk.diary"), ward_id, since, until, [])]


async def unfinished(connection: Connection, ward_id: int, *, before: datetime) -> list[DiaryEntry]:
    """Visits that a person has to end, and that were to be over by then: live once, waited for, or noted of."""
    found = [row["id"] for row in await connection.fetch(sql("visit_desk.unfinished"), ward_id, before)]
    if not found:
        return []
    return [DiaryEntry(**dict(r)) for r in await connection.fetch(sql("visit_desk.diary"), ward_id, None, None, found)]


async def appointment(connection: Connection, appointment_id: int) -> Record:
    """One appointment with its ward and visit. NotFound if there is none for this actor."""
    return await _one(connection, "visit_desk.appointment", appointment_id)


async def subjects(connection: Connection, appointment_id: int) -> list[Record]:
    """Whom an appointment is about, in order."""
    return await connection.fetch(sql("visit_desk.subjects_of_appointment"), appointment_id)


async def links(connection: Connection, consultation_id: int) -> list[Record]:
    """The ways into a visit and what happened to each."""
    return await connection.fetch(sql("visit_desk.links"), consultation_id)


async def link(connection: Connection, link_id: int) -> Record:
    """One of them. NotFound."""
    return await _one(connection, "visit_desk.link", link_id)


async def mails(connection: Connection, appointment_id: int) -> list[Record]:
    """Mails about an appointment, the newest first; never what they say."""
    return await connection.fetch(sql("visit_desk.mails"), appointment_id)


async def contacts(connection: Connection, resident_ids: Sequence[int]) -> list[Record]:
    """Whom mails about these residents go to."""
    return await connection.fetch(sql("visit_desk.contacts"), list(resident_ids))


async def contact(connection: Connection, contact_id: int) -> Record:
    """One of them. NotFound."""
    return await _one(connection, "visit_desk.contact", contact_id)


async def choosable(connection: Connection, ward_id: int, *, now: datetime) -> list[Record]:
    """Who is on the ward, by name, with how many contacts get mails; at most 500."""
    return await connection.fetch(sql("visit_desk.choosable"), ward_id, now)


async def begin_for(connection: Connection, resident_id: int) -> int | None:
    """The visit of a resident that there is already; whoever asks the same meanwhile waits for this transaction."""
    await connection.execute(sql("visit_desk.begin_for"), resident_id)
    found: int | None = await connection.fetchval(sql("visit_desk.open_of_resident"), resident_id)
    return found


async def same_booked(
    connection: Connection, ward_id: int, kind: str, starts_at: datetime, minutes: int, resident_ids: Sequence[int]
) -> Record | None:
    """The same visit, booked already; whoever books it meanwhile waits for this transaction."""
    for resident_id in sorted(resident_ids):
        await connection.execute(sql("visit_desk.begin_for"), resident_id)
    return await connection.fetchrow(
        sql("visit_desk.same_booked"), ward_id, kind, starts_at, minutes, sorted(resident_ids)
    )


async def first_of_series(connection: Connection, series_id: int) -> Record | None:
    """The next appointment of a series."""
    return await connection.fetchrow(sql("visit_desk.first_of_series"), series_id)


async def elsewhere(connection: Connection, staff_id: int, consultation_id: int | None) -> Record | None:
    """The other visit that a member of staff is in now, if there is one: nobody is in two."""
    return await connection.fetchrow(sql("visit_desk.elsewhere"), staff_id, consultation_id or 0)


async def of_alert(connection: Connection, alert_id: int) -> list[Record]:
    """The visits that came of an alert, the newest first."""
    return await connection.fetch(sql("visit_desk.of_alert"), alert_id)


async def coming(connection: Connection, resident_id: int, *, since: datetime) -> list[Record]:
    """What is planned for a resident from a time on, and what was started and is not over."""
    return await connection.fetch(sql("visit_desk.coming"), resident_id, since)


async def encounters(
    connection: Connection, resident_id: int, *, before: int | None = None, limit: int = 20
) -> list[Record]:
    """What came of a resident's visits, the newest first; before: from that id on, for paging."""
    return await connection.fetch(sql("visit_desk.encounters"), resident_id, before, limit)


async def encounters_of_visit(connection: Connection, consultation_id: int) -> list[Record]:
    """What came of a visit, for each of its residents."""
    return await connection.fetch(sql("visit_desk.encounters_of_visit"), consultation_id)


async def encounter(connection: Connection, encounter_id: int) -> Record:
    """One of them. NotFound."""
    return await _one(connection, "visit_desk.encounter", encounter_id)


async def notes(connection: Connection, encounter_ids: Sequence[int]) -> list[Record]:
    """What was noted in some encounters."""
    return await connection.fetch(sql("visit_desk.encounter_notes"), list(encounter_ids))


async def recordings(connection: Connection, encounter_id: int) -> list[Record]:
    """What was recorded while a visit was about the resident of an encounter."""
    return await connection.fetch(sql("visit_desk.recordings"), encounter_id)


async def follow_ups(connection: Connection, encounter_ids: Sequence[int]) -> list[Record]:
    """What was to be done after some encounters."""
    return await connection.fetch(sql("visit_desk.follow_ups_of"), list(encounter_ids))


async def follow_ups_of_ward(connection: Connection, ward_id: int) -> list[Record]:
    """What is left to be done for the residents of a ward, the most urgent first; at most 200."""
    return await connection.fetch(sql("visit_desk.follow_ups_of_ward"), ward_id)


async def follow_up(connection: Connection, follow_up_id: int) -> Record:
    """One of them. NotFound."""
    return await _one(connection, "visit_desk.follow_up", follow_up_id)


async def waiting_count(connection: Connection, ward_id: int) -> int:
    """How many people wait for the staff of a ward."""
    return int(await connection.fetchval(sql("visit_desk.waiting_count"), ward_id))


async def names(connection: Connection, resident_ids: Iterable[int]) -> dict[int, str]:
    """How staff's screens name these residents: SMITH, Anna (Ms); without those whom the actor may not see."""
    rows = await connection.fetch(sql("visit_desk.residents"), sorted(set(resident_ids)))
    return {r["id"]: people.display_name(r["family_name"], r["given_name"], r["title"]) for r in rows}


async def own_notes(connection: Connection, consultation_id: int, staff_id: int) -> list[Record]:
    """What a member of staff has noted in a visit so far, of each resident."""
    return await connection.fetch(sql("visit_desk.own_notes"), consultation_id, staff_id)


async def others_notes(connection: Connection, consultation_id: int, resident_id: int, staff_id: int) -> list[Record]:
    """What others have noted of one resident in a visit so far."""
    return await connection.fetch(sql("visit_desk.others_notes"), consultation_id, resident_id, staff_id)


async def measurable(connection: Connection, resident_id: int, *, now: datetime) -> list[str]:
    """Codes that the devices of a resident say that they measure."""
    return [row["code"] for row in await connection.fetch(sql("visit_desk.measurable"), resident_id, now)]


async def _one(connection: Connection, query: str, key: int) -> Record:
    row = await connection.fetchrow(sql(query), key)
    if row is None:
        raise NotFound
    return row
