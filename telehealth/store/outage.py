"""Why the database does not do its work, in words for an operator."""

from __future__ import annotations

import asyncpg

#: The first that fits; the more special ones come first.
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.DiskFullError, "the disk of the database is full"),
    (asyncpg.TooManyConnectionsError, "the database takes no more connections"),
    (asyncpg.OutOfMemoryError, "the database is out of memory"),
    (asyncpg.InsufficientResourcesError, "the database is short of resources"),
    (asyncpg.ReadOnlySQLTransactionError, "the database is read-only"),
    (asyncpg.LockNotAvailableError, "another transaction holds a lock in the database for too long"),
    (asyncpg.QueryCanceledError, "the database takes too long (statement timeout, or waiting for a lock)"),
    (asyncpg.CannotConnectNowError, "the database is starting or recovering"),
    (asyncpg.CrashShutdownError, "the database has crashed and is recovering"),
    (asyncpg.AdminShutdownError, "the database was stopped"),
    (asyncpg.PostgresIOError, "the database cannot read or write its disk"),
    (asyncpg.InvalidAuthorizationSpecificationError, "the database refuses this user name or password"),
    (asyncpg.PostgresSystemError, "the database has trouble with its system"),
    (asyncpg.InvalidCatalogNameError, "there is no such database"),
    (asyncpg.PostgresConnectionError, "the connection to the database was lost"),
    (asyncpg.InterfaceError, "the connection to the database was lost"),
    (TimeoutError, "the database does not answer"),
    (OSError, "the database cannot be reached"),
)


def sentence(error: BaseException) -> str:
    """One clause. Never anything of the error's own text, which may hold residents' data."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return f"the database refused the work ({type(error).__name__})"
