"""What the demo's nurses have booked, and one video visit that they held yesterday, so that nobody begins with nothing.

Nobody is written to: residents of the demo have no contacts.
"""

from __future__ import annotations

import zoneinfo
from datetime import datetime, time, timedelta

from telehealth import clock
from telehealth.demo import cast, nurses
from telehealth.model import appointments as times
from telehealth.model import mails
from telehealth.model import visits as policies
from telehealth.store import (
    appointments,
    consultations,
    db,
    encounters,
    links,
    notes,
    participants,
    series,
    visit_desk,
    visit_policy,
)
from telehealth.store.db import Actor, Connection, Database

_NOBODY = mails.Sender()
_WEB = db.service("web")
#: (days from today, local time, minutes, reason); for one resident after the other.
_BOOKED = (
    (1, time(10, 30), 20, "Weekly review"),
    (1, time(11, 15), 15, "New inhaler: watch the technique"),
    (2, time(9, 30), 20, "Fluid balance"),
)
_ROUND = time(14, 0)
_ON_ROUND = 4


async def plan(database: Database, now: datetime) -> int:
    """Book as a nurse of each ward, and write down yesterday's visit; how many visits. now: clinical."""
    count = 0
    for staff_id, ward_ids in await nurses.on_wards(database, now):
        actor = db.staff(staff_id)
        await _allow_recording(database, ward_ids, now)
        async with database.transaction(actor) as connection:
            for ward_id in ward_ids:
                residents = [one["id"] for one in await visit_desk.choosable(connection, ward_id, now=now)]
                if residents:
                    count += await _book(connection, ward_id, residents, actor, now)
        for ward_id in ward_ids:
            count += await _yesterday(database, ward_id, staff_id, now)
    return count


async def _allow_recording(database: Database, ward_ids: list[int], now: datetime) -> None:
    """It may be asked for; nobody is recorded who does not agree."""
    decider = db.service("demo")
    async with database.transaction(decider) as connection:
        for ward_id in ward_ids:
            await visit_policy.set_for(connection, ward_id, policies.Policy(recording=True), actor=decider, now=now)


async def _book(connection: Connection, ward_id: int, residents: list[int], actor: Actor, now: datetime) -> int:
    real_now = clock.real_now()
    soon = now.replace(second=0, microsecond=0) + timedelta(minutes=30 - now.minute % 15)
    new = [times.New(ward_id, "one_to_one", residents[:1], soon, 20, "Breathlessness since the weekend")]
    today = now.astimezone(zoneinfo.ZoneInfo(cast.ZONE)).date()
    for resident, (days, at, minutes, reason) in zip(residents[1:], _BOOKED, strict=False):
        starts_at = times.at_local(today + timedelta(days=days), at, cast.ZONE)
        new.append(times.New(ward_id, "one_to_one", [resident], starts_at, minutes, reason))
    for one in new:
        await appointments.book(connection, one, sender=_NOBODY, actor=actor, now=now, real_now=real_now)
    weekly = times.NewSeries(
        ward_id=ward_id,
        kind="ward_round",
        resident_ids=residents[:_ON_ROUND],
        weekdays=[(today + timedelta(days=1)).weekday()],
        local_time=_ROUND,
        zone=cast.ZONE,
        first_on=today + timedelta(days=1),
        reason="Virtual ward round",
    )
    await series.begin(connection, weekly, sender=_NOBODY, actor=actor, now=now, real_now=real_now)
    return len(new) + 1


async def _yesterday(database: Database, ward_id: int, staff_id: int, now: datetime) -> int:
    """One visit from its beginning to its end, through the steps that people take."""
    actor, began = db.staff(staff_id), now - timedelta(days=1)
    over, real_now = began + timedelta(minutes=14), clock.real_now()
    async with database.transaction(actor) as connection:
        residents = await visit_desk.choosable(connection, ward_id, now=began)
        if not residents:
            return 0
        about = residents[-1]
        visit = await consultations.start(
            connection, kind="one_to_one", ward_id=ward_id, resident_ids=[about["id"]], actor=actor, now=began
        )
        nurse = await participants.of_staff(connection, visit, staff_id, now=began)
        link, _ = await links.make(
            connection,
            visit,
            role="resident",
            resident_id=about["id"],
            name=f"{about['given_name']} {about['family_name']}"[:100],
            actor=actor,
            now=began,
            real_now=real_now,
            expires_at=real_now + timedelta(minutes=1),
        )
    async with database.transaction(_WEB) as connection:
        resident = await participants.identified(connection, link, now=began)
        ready = {"camera": "ok", "microphone": "ok", "speaker": "ok", "network": "ok", "relay": "not_tried"}
        await consultations.arrive(connection, visit, resident, ready=ready, reason="as agreed", now=began)
    async with database.transaction(actor) as connection:
        await consultations.admit(connection, visit, resident, actor=actor, now=began)
    async with database.transaction(_WEB) as connection:
        for participant in (nurse, resident):
            await consultations.joined(connection, visit, participant, now=began + timedelta(minutes=1))
    async with database.transaction(actor) as connection:
        text = "Slept well, no swelling. Speaks whole sentences. Weighs every morning."
        await notes.save(connection, visit, about["id"], staff_id, text, 0, now=over)
        today = now.astimezone(zoneinfo.ZoneInfo(cast.ZONE)).date()
        ending = encounters.SubjectEnding(
            summary="Please go on weighing yourself every morning. We speak again next week.",
            follow_up="Ask the chemist for the new inhaler",
            follow_up_due=today + timedelta(days=1),
        )
        await consultations.end(
            connection, visit, encounters.Ending("advice", {about["id"]: ending}), actor=actor, now=over
        )
    return 1
