"""The demo's nurses, who do what would else wait for whoever tries it."""

from __future__ import annotations

from datetime import datetime

from telehealth.demo import seed
from telehealth.store import db, staff, wards
from telehealth.store.db import Database


async def on_wards(database: Database, now: datetime) -> list[tuple[int, list[int]]]:
    """(staff id, ids of the wards that they see) of each. now: clinical."""
    found = []
    for login in seed.LOGINS:
        if login.role != "clinician":
            continue
        async with database.transaction(db.service("demo"), read_only=True) as connection:
            known = await staff.by_username(connection, login.username)
        if known is None:
            continue
        async with database.transaction(db.staff(known.staff.id), read_only=True) as connection:
            listed = await wards.listing(connection, now=now)
        found.append((known.staff.id, [ward.id for ward, _ in listed]))
    return found
