"""Whether the database is one that the service may run on."""

from __future__ import annotations

from datetime import datetime

from telehealth.errors import MigrationError, SettingError
from telehealth.store import db, migrate
from telehealth.store.db import Database
from telehealth.store.queries import sql

_ACTOR = db.service("schema")


async def check(database: Database) -> None:
    """Raises SettingError for a role that row-level security does not bind, MigrationError for another schema."""
    async with database.transaction(_ACTOR, read_only=True) as connection:
        role = await connection.fetchrow(sql("schema.role"))
        assert role is not None
        if role["super"] or role["bypass"] or role["owner"]:
            raise SettingError(
                "DATABASE_URL", "must be the application role: row-level security does not bind this one"
            )
        if not role["migrated"]:
            raise MigrationError("the database is empty: run `telehealth migrate` with DATABASE_OWNER_URL")
        applied = {row["name"]: row["checksum"] for row in await connection.fetch(sql("schema.applied"))}
    known = {migration.name: migration.checksum for migration in migrate.migrations()}
    if known.keys() - applied.keys():
        raise MigrationError("the database is older than this version: run `telehealth migrate`")
    if applied != known:
        raise MigrationError("the database is of another version: install the matching one")


async def database_now(database: Database) -> datetime:
    """The database server's real time."""
    async with database.transaction(_ACTOR, read_only=True) as connection:
        at: datetime = await connection.fetchval(sql("schema.database_now"))
    return at
