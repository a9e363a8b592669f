"""Puts the demo's wards, residents, devices and logins into an empty database, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from telehealth import clock
from telehealth.demo import cast
from telehealth.model import people
from telehealth.store import clock as clock_row
from telehealth.store import db, devices, residents, seats, staff, wards
from telehealth.store.db import Connection, Database

_ACTOR = db.operator("demo")


@dataclass(frozen=True)
class Login:
    username: str
    display_name: str
    role: str
    wards: tuple[str, ...]


LOGINS = (
    Login("nurse.beech", "Nurse of Beech ward", "clinician", (cast.WARDS[0],)),
    Login("nurse.rowan", "Nurse of Rowan ward", "clinician", (cast.WARDS[1],)),
    Login("tester", "Tester", "tester", cast.WARDS),
    Login("admin", "Administrator", "admin", ()),
)


async def ensure(
    database: Database, cast_of: Callable[[], Sequence[cast.Person]], password: Callable[[str], str], start: datetime
) -> bool:
    """Seed the world in one transaction if there is none yet, with virtual time at start. Whether it did."""
    async with database.transaction(_ACTOR) as connection:
        if await wards.listing(connection, now=start):
            return False
        await clock_row.begin_virtual(connection, start)
        await _logins_and_wards(connection, password, start)
        admitted = cast_of()
        for person in admitted:
            await _admit(connection, person, password, start)
        for kit in cast.shared_kits(admitted):
            await _share(connection, kit, password, start)
    return True


async def _logins_and_wards(connection: Connection, password: Callable[[str], str], start: datetime) -> None:
    places = {}
    for name in cast.WARDS:
        places[name] = await wards.add(connection, name=name, simulated=True, actor=_ACTOR, now=start)
    for login in LOGINS:
        await staff.add(
            connection,
            username=login.username,
            display_name=login.display_name,
            role=login.role,
            wards=[places[name].id for name in login.wards],
            password=password(f"login {login.username}"),
            actor=_ACTOR,
            now=clock.real_now(),
        )


async def _admit(connection: Connection, person: cast.Person, password: Callable[[str], str], start: datetime) -> None:
    ward = await wards.find(connection, person.ward)
    await residents.add(
        connection,
        people.NewResident(
            ward_id=ward.id,
            family_name=person.family_name,
            given_name=person.given_name,
            title=person.title,
            gender=person.gender,
            born=person.born,
            nhs_number=person.nhs_number,
            zone=cast.ZONE,
            pathway=person.pathway.name,
            pathway_version=person.pathway.version,
            schedule=person.schedule,
            rules=person.rules.to_json(),
            admitted_at=start,
        ),
        actor=_ACTOR,
        now=start,
    )
    resident = await residents.find(connection, person.nhs_number)
    for each in person.devices:
        device, _ = await devices.add(
            connection,
            ward_id=ward.id,
            device_id=each.device_id,
            model=each.model,
            codes=each.codes,
            actor=_ACTOR,
            now=start,
            password=password(f"device {each.device_id}"),
        )
        await devices.assign(connection, device, resident, since=start, until=None, actor=_ACTOR, now=start)


async def _share(connection: Connection, kit: cast.SharedKit, password: Callable[[str], str], start: datetime) -> None:
    """A kit of a care home, with a place for everybody who lives there."""
    ward = await wards.find(connection, kit.ward)
    device, _ = await devices.add(
        connection,
        ward_id=ward.id,
        device_id=kit.device.device_id,
        model=kit.device.model,
        codes=kit.device.codes,
        actor=_ACTOR,
        now=start,
        password=password(f"device {kit.device.device_id}"),
    )
    await seats.share(connection, device, shared=True, at=start, actor=_ACTOR, now=start)
    for person in kit.residents:
        resident = await residents.find(connection, person.nhs_number)
        place = seats.seat_of(person.room, None)
        await seats.seat(connection, device, place, resident, since=start, actor=_ACTOR, now=start)
