"""The HTTP handlers of a running service: devices', staff's and everybody's, and what is no HTTP at all."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tests.fuzz import http_wire
from tests.fuzz.http_wire import Answer
from tests.fuzz.requests_made import Request, Requests
from tests.fuzz.service import HIDDEN, NAMES, TYPED, Broken, Running
from tests.support import world

_AT_ONCE = 8
_KEPT = 400
_PATIENCE_SECONDS = 0.3
#: Whatever may be in the paths of what is asked for next.
_IDS = {
    "alert_id": re.compile(rb"/alerts/(\d+)"),
    "entry_id": re.compile(rb"/quarantine/(\d+)"),
    "appointment_id": re.compile(rb"/appointments/(\d+)"),
    "visit_id": re.compile(rb"/visits/(\d+)"),
    "encounter_id": re.compile(rb"/encounters/(\d+)"),
    "token": re.compile(rb"/join/([A-Za-z0-9_-]{20,60})"),
    "reading_key": re.compile(rb"(-?[0-9]{1,17}_[0-9a-f]{32}_-?[0-9]{1,19})"),
}


class Fuzzer:
    """Sends; good_messages() afterwards."""

    def __init__(self, service: Running, chosen: random.Random) -> None:
        self._service = service
        self._chosen = chosen
        self._requests = Requests(service, chosen)
        self._seen = set[tuple[str, int, bytes]]()
        self.done = 0
        #: Inputs that were answered by 2xx.
        self.good = 0

    @property
    def outcomes(self) -> int:
        return len(self._seen)

    async def some(self, inputs: int) -> None:
        """So many more. Raises Broken."""
        left = inputs

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await self._one()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            broken = failed.subgroup(Broken)
            raise (failed if broken is None else broken.exceptions[0]) from None

    async def _one(self) -> None:
        request = self._requests.next()
        try:
            answers = await http_wire.exchange(
                self._service.port,
                request.pieces,
                pause=request.pause,
                patience=None if request.whole else _PATIENCE_SECONDS,
            )
        except http_wire.Unbounded as error:
            raise Broken(f"{request.path_kind}: {error}: {request.pieces[0][:500]!r}") from None
        self.done += 1
        if request.whole and not answers and self._service.process.returncode is None:
            raise Broken(f"{request.path_kind} is not answered: {request.pieces[0][:1000]!r}")
        for answer in answers:
            self._check(request, answer)
            self._learn(request, answer)

    def _check(self, request: Request, answer: Answer) -> None:
        """Raises Broken."""

        def broken(what: str) -> Broken:
            asked = b"".join(request.pieces)[:1500]
            return Broken(
                f"{request.path_kind}: {what}\nasked: {asked!r}\nanswered: {answer.head!r} {answer.body[:300]!r}"
            )

        everything = answer.head + answer.body
        if answer.status == 0:
            # The end of one that was cut off by our own impatience, or the frames of a socket.
            return
        if answer.status >= 500:
            raise broken(f"answered by {answer.status}")
        if HIDDEN.encode() in everything and b"/ws" not in request.pieces[0][:10]:
            asked = b"".join(request.pieces)
            if HIDDEN.encode() not in asked:
                raise broken("shows what is on another ward")
        if answer.status >= 200 and b"nosniff" not in answer.head:
            raise broken("has not the headers of every answer")
        if b"<zqtag" in answer.body and b"text/html" in answer.head:
            raise broken("shows markup that was sent")
        # A form that was wrong, or came too late, comes back with what was typed, on its page.
        if answer.status >= 400 and not (answer.status in (409, 422) and b"text/html" in answer.head):
            for planted in (NAMES, TYPED):
                if planted.encode() in everything:
                    raise broken(f"refuses and shows {planted}")

    def _learn(self, request: Request, answer: Answer) -> None:
        self.good += 200 <= answer.status < 300
        detail = re.search(rb'"detail": ?"([^"]{0,80})|"error":"([a-z_]+)"', answer.body)
        outcome = (request.path_kind, answer.status, detail[0] if detail else b"")
        if outcome not in self._seen and answer.status:
            self._seen.add(outcome)
            data = b"".join(request.pieces)
            if len(data) < 20_000:
                if len(self._requests.kept) >= _KEPT:
                    self._requests.kept.pop(self._chosen.randrange(_KEPT))
                self._requests.kept.append((request.path_kind, data))
        for name, pattern in _IDS.items():
            known = self._requests.ids[name]
            for found in pattern.findall(answer.body)[:5]:
                if found.decode() not in known:
                    known.append(found.decode())
            del known[4:-200]

    async def settle(self) -> None:
        """What is sent by HTTP is taken in when it is answered."""

    async def good_messages(self) -> None:
        """A good message of every device is stored and receipted. Raises Broken."""
        for device, password in self._service.passwords.items():
            stream = f"good-{device}-{self.done}"
            reading = {"code": "pulse", "value": 71, "unit": "/min", "taken_at": datetime.now(UTC).isoformat()}
            body = json.dumps({"stream": stream, "seq": 1, "readings": [reading | {"source_id": stream}]}).encode()
            given = base64.b64encode(f"{device}:{password}".encode()).decode()
            head = (
                f"POST /api/v1/devices/{device}/readings HTTP/1.1\r\nHost: 127.0.0.1:{self._service.port}\r\n"
                f"Authorization: Basic {given}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            answers = await http_wire.exchange(self._service.port, [head.encode() + body])
            if len(answers) != 1 or answers[0].status != 200 or json.loads(answers[0].body).get("through") != 1:
                raise Broken(f"a good message of {device} has no receipt: {answers}")
            async with self._service.database.transaction(world.ACTOR, read_only=True) as connection:
                if not await connection.fetchval("SELECT count(*) FROM reading WHERE source_id = $1", stream):
                    raise Broken(f"a good message of {device} is receipted and not stored")


@asynccontextmanager
async def fuzzing(service: Running, seed: int) -> AsyncIterator[Fuzzer]:
    """Nothing to open."""
    yield Fuzzer(service, random.Random(f"http {seed}"))
