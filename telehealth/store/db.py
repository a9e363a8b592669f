"""Connections, transactions and notifications.

Every transaction has an actor; row-level security decides by it what the transaction sees. There
is one function that opens transactions, Database.transaction, so that none can forget it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, NewType, TypeAlias

import asyncpg
import msgspec

from telehealth.errors import SettingError, Unavailable

Actor = NewType("Actor", str)

#: What Database.transaction hands out: a connection inside a transaction with an actor.
Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

#: A row as queries return it; by column name.
Record: TypeAlias = asyncpg.Record

_ACTOR = re.compile(r"^(staff:[0-9]{1,18}|service:[a-z_]{1,32}|operator:[^\s'\\:]{1,64})$")


def staff(staff_id: int) -> Actor:
    """A signed-in member of staff."""
    return Actor(f"staff:{staff_id}")


def service(role: str) -> Actor:
    """A part of the service itself: ingest, alerting, web, broker."""
    return Actor(f"service:{role}")


def operator(os_user: str) -> Actor:
    """Somebody at a terminal of the server, by the name the system knows them by."""
    return Actor("operator:" + (re.sub(r"[\s'\\:]", "_", os_user)[:64] or "unknown"))


#: Errors that mean "the database is away or refuses work for now": stop acknowledging, try again.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    # its disk, or itself; whatever it is, trying later is all that there is to do
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # a connection that went while something was under way on it, and does not know where it is
    asyncpg.InternalClientError,
    # a password that is being changed, a database that is being moved
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

#: Errors that lie in what was to be stored: trying the same again cannot help.
DATA = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

#: Those of them that say that this piece of work was refused, while the database itself is there.
REFUSED_WORK = (
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)


#: Somebody else changed the same meanwhile: begin anew.
COLLIDED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


def unclear(error: BaseException) -> bool:
    """Whether an error may lie in the database or in one piece of work: only trying other work tells which."""
    return isinstance(error, asyncpg.InternalServerError) or not isinstance(error, (*AWAY, *DATA))


class Database:
    """A pool of connections of the application role."""

    def __init__(self, pool: Any, url: str) -> None:
        self._pool = pool
        self.url = url

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        size: int = 8,
        name: str = "telehealth",
        statement_seconds: float = 30.0,
        stall_seconds: float | None = None,
    ) -> AsyncIterator[Database]:
        """Open a pool; raises Unavailable if the server cannot be reached.

        stall_seconds: of a process that stands still for so long within a transaction, or does not read what it asked
        for, the server ends the session: what it had locked is free, and nothing that it had begun is ever committed.
        """
        settings = {
            "application_name": name,
            "timezone": "UTC",
            "statement_timeout": str(int(statement_seconds * 1000)),
            # Compiling takes longer than any of our queries.
            "jit": "off",
        }
        if stall_seconds is not None:
            limit = str(int(stall_seconds * 1000))
            settings |= {"idle_in_transaction_session_timeout": limit, "tcp_user_timeout": limit}
        try:
            pool = await asyncpg.create_pool(
                url, min_size=1, max_size=size, init=_prepare_connection, server_settings=settings, timeout=10
            )
        except ValueError as error:
            raise SettingError("DATABASE_URL", "is not a PostgreSQL address") from error
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise SettingError("DATABASE_URL", "the database refused this user name or password") from error
        except asyncpg.InvalidCatalogNameError as error:
            raise SettingError("DATABASE_URL", "there is no such database") from error
        except AWAY as error:
            raise Unavailable("the database cannot be reached: see DATABASE_URL") from error
        try:
            yield cls(pool, url)
        finally:
            try:
                await _close(pool)
            finally:
                pool.terminate()

    @contextlib.asynccontextmanager
    async def transaction(
        self, actor: Actor, *, read_only: bool = False, steady: bool = False
    ) -> AsyncIterator[Connection]:
        """One transaction in the name of an actor. Commits at the end of the block.

        steady: every statement sees the database as the first one did; a change of a row that somebody else
        changed meanwhile raises SerializationError.
        """
        if not _ACTOR.match(actor):
            raise ValueError("not an actor")
        isolation = "repeatable_read" if steady else None
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction(isolation=isolation, readonly=read_only):
                    await connection.execute("SELECT set_config('telehealth.actor', $1, true)", actor)
                    yield connection
            except (asyncpg.ReadOnlySQLTransactionError, asyncpg.InternalClientError):
                # That it is read-only may be a setting of the session, which stays with it when the database's changes;
                # and a connection that has lost count of itself never finds it again.
                connection.terminate()
                raise

    @contextlib.asynccontextmanager
    async def listen(self, channel: str, heard: Callable[[str], None]) -> AsyncIterator[asyncio.Event]:
        """Call heard(payload) for each NOTIFY while the block runs. A hint only: poll as well.

        Yields an event that is set when the connection is gone: nothing more will be heard then.
        """
        lost = asyncio.Event()

        def callback(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
            heard(str(payload))

        # A connection of its own: LISTEN belongs to a session, and a pool resets its sessions.
        connection = await asyncpg.connect(
            self.url, timeout=10, server_settings={"application_name": "telehealth-listen"}
        )
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            await connection.add_listener(channel, callback)
            yield lost
        finally:
            connection.terminate()


async def _close(pool: Any) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            await pool.close()


async def _prepare_connection(connection: Any) -> None:
    """Teach a connection our types: jsonb is whatever msgspec reads and writes."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
    )
