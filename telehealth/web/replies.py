"""Answers given under an Idempotency-Key, so that a repeated request is answered and not carried out again.

Kept in this process for a short time: it is for the repeat that follows a lost answer. What must
never happen twice is prevented by the state of the alert itself.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from telehealth import clock
from telehealth.web import auth, errors

_KEPT_SECONDS = 600.0
_MOST = 2000


@dataclass(frozen=True)
class _Kept:
    at: float
    asked: bytes
    body: Any


class Replies:
    """Bounded memory of answers: (staff, key) -> answer."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[tuple[int, str], _Kept] = collections.OrderedDict()

    def find(self, place: tuple[int, str], asked: bytes, at: float) -> Any | None:
        """The answer given before. Problem 422 if the key was used for another request."""
        kept = self._kept.get(place)
        if kept is None or at - kept.at > _KEPT_SECONDS:
            return None
        if kept.asked != asked:
            raise errors.Problem(422, "This Idempotency-Key was used for another request.", field="Idempotency-Key")
        return kept.body

    def keep(self, place: tuple[int, str], asked: bytes, body: Any, at: float) -> None:
        self._kept[place] = _Kept(at, asked, body)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)


REPLIES = web.AppKey("replies", Replies)


async def once(request: web.Request, work: Callable[[], Awaitable[Any]]) -> Any:
    """The JSON that work returns, or what it returned when the same caller asked under the same key."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return await work()
    if not 1 <= len(key) <= 128 or not key.isprintable():
        raise errors.Problem(422, "must have 1 to 128 printable characters", field="Idempotency-Key")
    replies = request.app[REPLIES]
    place = (request[auth.CALLER].member.id, key)
    asked = hashlib.sha256(f"{request.method} {request.path}\n".encode() + await request.read()).digest()
    now = clock.monotonic()
    before = replies.find(place, asked, now)
    if before is not None:
        return before
    body = await work()
    replies.keep(place, asked, body, now)
    return body
