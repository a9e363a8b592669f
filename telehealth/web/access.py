"""Every look at residents' data goes through here: the caller's own transaction, and its audit row."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from telehealth import clock, errors
from telehealth.store import audit
from telehealth.store.db import Connection
from telehealth.web import auth, keys
from telehealth.web.auth import Caller

#: A page that refreshes itself leaves one audit row in this time, not one for every refresh.
REPEAT_SECONDS = 900.0

_REMEMBERED = 10_000


@dataclass
class Opened:
    """A transaction in the caller's name. The handler says whose data it was, for the audit row."""

    connection: Connection
    caller: Caller
    resident_id: int | None = None
    ward_id: int | None = None
    detail: Any = None
    #: The store has written the row already.
    audited: bool = False


class Views:
    """Which views were opened lately, so that a refresh is not audited as another opening."""

    def __init__(self) -> None:
        self._opened: dict[tuple[int, str, str], float] = {}

    def is_new(self, staff_id: int, action: str, object_id: object, *, at: float) -> bool:
        """Whether this view was not opened within REPEAT_SECONDS; remembers that it is now."""
        key = (staff_id, action, str(object_id))
        last = self._opened.get(key)
        if last is not None and at - last < REPEAT_SECONDS:
            return False
        if len(self._opened) >= _REMEMBERED:
            self._opened.clear()
        self._opened[key] = at
        return True


VIEWS = web.AppKey("views", Views)


@contextlib.asynccontextmanager
async def opened(
    request: web.Request, action: str, *, kind: str, object_id: object = None, refreshes: bool = False
) -> AsyncIterator[Opened]:
    """A transaction as the caller, with one audit row: ok on success, denied when something is not found.

    refreshes: programs on our own pages ask for this again and again.
    """
    caller = request[auth.CALLER]
    try:
        async with request.app[keys.DATABASE].transaction(caller.actor) as connection:
            view = Opened(connection, caller)
            yield view
            views = request.app[VIEWS]
            again = refreshes and not views.is_new(caller.member.id, action, object_id, at=clock.monotonic())
            if not (view.audited or again):
                await audit.write(
                    connection,
                    caller.actor,
                    action,
                    object_kind=kind,
                    object_id=object_id,
                    resident_id=view.resident_id,
                    ward_id=view.ward_id,
                    organisation_id=caller.member.organisation_id,
                    detail=view.detail,
                )
    except (errors.NotFound, errors.Forbidden):
        await denied(request, action, kind=kind, object_id=object_id)
        raise


@contextlib.asynccontextmanager
async def sought(request: web.Request, action: str, *, kind: str, object_id: object) -> AsyncIterator[Opened]:
    """A transaction as the caller that only looks for something: a row when it is not found, none when it is."""
    caller = request[auth.CALLER]
    try:
        async with request.app[keys.DATABASE].transaction(caller.actor, read_only=True) as connection:
            yield Opened(connection, caller)
    except errors.NotFound:
        await denied(request, action, kind=kind, object_id=object_id)
        raise


def key(number: int | str) -> int:
    """A number of a database key. NotFound for what cannot be one."""
    found = int(number)
    if not 0 < found < 2**63:
        raise errors.NotFound
    return found


async def denied(request: web.Request, action: str, *, kind: str, object_id: object) -> None:
    """Somebody asked for what is not there, or not theirs."""
    caller = request[auth.CALLER]
    async with request.app[keys.DATABASE].transaction(caller.actor) as connection:
        await audit.write(
            connection,
            caller.actor,
            action,
            "denied",
            object_kind=kind,
            object_id=object_id,
            organisation_id=caller.member.organisation_id,
        )
