"""Bring a database up to date with migrations/, forward only, as the owner role."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import asyncpg

from telehealth.errors import MigrationError, SettingError

_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")
_LOCK = 7_239_114  # any number that is ours


@dataclass(frozen=True)
class Migration:
    """One file, applied once, never changed afterwards."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations in order: from the wheel's own data, or beside the package in a checkout."""
    inside = resources.files("telehealth").joinpath("migrations")
    folder: Traversable = inside if inside.is_dir() else Path(__file__).parents[2] / "migrations"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    for file in found:
        if not _NAME.match(file.name):
            raise MigrationError(f"migration file name {file.name} is not like 0001_what.sql")
    return [Migration(file.name, file.read_text("utf-8")) for file in found]


async def migrate(owner_url: str) -> list[str]:
    """Apply what is missing, each in a transaction of its own; returns the names applied.

    Raises MigrationError when the database has a migration this version does not know, or one
    whose text has changed since.
    """
    try:
        connection = await asyncpg.connect(owner_url, timeout=10)
    except (OSError, asyncpg.PostgresError, ValueError) as error:
        raise SettingError("DATABASE_OWNER_URL", f"cannot connect ({type(error).__name__})") from error
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (name text PRIMARY KEY, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        done = {
            row["name"]: row["checksum"]
            for row in await connection.fetch("SELECT name, checksum FROM schema_migration")
        }
        known = migrations()
        _check(done, known)
        applied = []
        for migration in known:
            if migration.name in done:
                continue
            async with connection.transaction():
                await connection.execute(migration.text)
                await connection.execute(
                    "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
                )
            applied.append(migration.name)
        await connection.execute("GRANT SELECT ON schema_migration TO telehealth_app")
        return applied
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{type(error).__name__}: {error}" + (f" ({error.hint})" if error.hint else "")) from error
    finally:
        await connection.close()


def _check(done: dict[str, str], known: list[Migration]) -> None:
    by_name = {m.name: m for m in known}
    for name, checksum in done.items():
        if name not in by_name:
            raise MigrationError(f"the database has {name}, which this version does not know: install a newer version")
        if by_name[name].checksum != checksum:
            raise MigrationError(f"{name} was changed after it was applied")
