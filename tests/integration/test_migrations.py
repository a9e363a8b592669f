"""Migrations give the schema that access depends on."""

from __future__ import annotations

import asyncpg

from telehealth.store import migrate
from tests.conftest import Urls


async def test_migrating_twice_applies_nothing(urls: Urls) -> None:
    """A migrated database is left alone."""
    assert await migrate.migrate(urls.owner) == []


async def test_every_table_has_forced_row_level_security(urls: Urls) -> None:
    """No table but the migration list is readable without a policy; partitions have no grants."""
    connection = await asyncpg.connect(urls.super)
    try:
        open_tables = await connection.fetch(
            """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
               AND NOT relispartition AND NOT (relrowsecurity AND relforcerowsecurity)"""
        )
        assert [row["relname"] for row in open_tables] == ["schema_migration"]
        granted = await connection.fetch(
            """SELECT c.relname FROM pg_class c WHERE c.relispartition
               AND has_table_privilege('telehealth_app', c.oid, 'SELECT,INSERT,UPDATE,DELETE')"""
        )
        assert granted == []
    finally:
        await connection.close()
