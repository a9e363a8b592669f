"""All rooms of one worker: does what is asked, shares out what the worker can carry, and keeps time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Any

from telehealth import clock, log
from telehealth.media import protocol, slots, taps
from telehealth.media.room import Room
from telehealth.model.media import Answer, Event, Refused

_log = log.get("media")

_TICK_SECONDS = 0.02
_IDLE_SECONDS = 0.25
#: Every viewer keeps so many pictures before a newcomer is refused: who speaks, and an interpreter or a screen.
_LEAST = 2
#: A loop that is so late so often is given less to do, and more again when it is in time.
_LATE_SECONDS = 0.1
_IN_TIME_SECONDS = 0.02
_STRAINED_LEAST = 4
_STRAIN_SECONDS = 5.0
_LAG_SAMPLES = 2000
_UNWATCHED_SECONDS = 60.0


class Rooms:
    """tell: of a room's event, with its consultation. capacity: streams that are forwarded at most.

    trouble: why no rooms are taken at all; None: they are.
    """

    def __init__(
        self,
        *,
        capacity: int,
        tell: Callable[[int, Event], None],
        opener: taps.Opener | None,
        trouble: str | None = None,
    ) -> None:
        self._capacity, self._tell, self._opener, self.trouble = capacity, tell, opener, trouble
        self._rooms: dict[int, Room] = {}
        self._group: asyncio.TaskGroup | None = None
        self._lags: deque[float] = deque(maxlen=_LAG_SAMPLES)
        self._recent: deque[float] = deque(maxlen=int(_STRAIN_SECONDS / _TICK_SECONDS))
        #: Who was let in and has no transport yet, by room: many may come at once.
        self._coming: Counter[int] = Counter()
        self._strain: int | None = None
        self._strained_at = self._unwatched_at = 0.0
        self._unwatched: Counter[int] = Counter()
        #: When a room's trouble was told of last.
        self._troubled: dict[int, float] = {}
        #: Which consultations somebody watches.
        self.watched: Callable[[], set[int]] = set

    # What is asked -----------------------------------------------------------------------------------

    async def do(self, question: protocol.Question) -> Answer | None:
        """Raises Refused."""
        if isinstance(question, protocol.Check | protocol.Watch):
            return None
        if isinstance(question, protocol.Join):
            return await self._join(question)
        room = self._rooms.get(question.consultation)
        if room is None or room.epoch != question.epoch:
            if isinstance(question, protocol.Leave | protocol.Close):
                return None  # nobody is there
            raise Refused("unknown room")
        answer: Answer | None = None
        match question:
            case protocol.Restart():
                answer = await room.restart(question.participant, question.offer)
            case protocol.Allow():
                room.allow(question.participant, question.allowed)
            case protocol.Prefer():
                room.prefer(question.viewer, question.order)
            case protocol.Leave():
                room.leave(question.participant)
            case protocol.Close():
                room.close()
            case protocol.Record():
                room.record(question.to)
        self._tidy()
        return answer

    async def _join(self, question: protocol.Join) -> Answer:
        if self.trouble is not None:
            raise Refused("self-test failed")
        room = self._rooms.get(question.consultation)
        if room is not None and room.epoch < question.epoch:
            room.close()
            room = None
        elif room is not None and room.epoch > question.epoch:
            raise Refused("unknown room")
        new = room is None or question.participant not in room.people
        if new and not self._fits(question.consultation):
            raise Refused("full")
        if room is None:
            room = self._rooms[question.consultation] = self._open(question.consultation, question.epoch)
        self._coming[question.consultation] += new
        try:
            sdp = await room.join(question.participant, question.offer, question.allowed)
        finally:
            self._coming[question.consultation] -= new
            self._tidy()
        # As it is now that all is shared out: whatever events say of it later is later.
        return Answer(sdp, room.slots_of(question.participant))

    def _open(self, consultation: int, epoch: int) -> Room:
        return Room(
            consultation,
            epoch,
            tell=lambda event: self._tell(consultation, event),
            later=self._later,
            opener=self._opener,
            now=clock.monotonic(),
        )

    def _fits(self, consultation: int) -> bool:
        """Whether one more person in this room does."""
        coming = self._coming + Counter({consultation: 1})
        viewers = [viewer for one in {*self._rooms, *coming} for viewer in self._viewers(one, coming[one])]
        return slots.pictures_each(viewers, self._capacity, least=_LEAST) is not None

    def _viewers(self, consultation: int, coming: int) -> list[tuple[int, int]]:
        """Of a room to which so many come: whoever does is heard and seen by everybody, and hears and sees them."""
        room = self._rooms.get(consultation)
        there = room.wanted if room is not None else []
        others = len(there) + coming - 1
        return [(voices + coming, pictures + coming) for voices, pictures in there] + [(others, others)] * coming

    def _tidy(self) -> None:
        """After whatever changed: empty rooms go, and the others share what the worker can carry."""
        self._coming += Counter()  # without those of whom none are left
        for consultation, room in list(self._rooms.items()):
            if not room.people and not room.busy:
                room.close()
                del self._rooms[consultation]
                self._troubled.pop(consultation, None)
        viewers = [viewer for room in self._rooms.values() for viewer in room.wanted]
        each = slots.pictures_each(viewers, self._capacity, least=_LEAST)
        each = _LEAST if each is None else each
        if self._strain is not None:
            each = min(each, self._strain)
        limit = each if any(pictures > each for _, pictures in viewers) else None
        for room in self._rooms.values():
            if room.limit != limit:
                room.limit = limit
                room.arrange()

    def _later(self, job: Coroutine[Any, Any, None]) -> None:
        if self._group is None:
            job.close()
        else:
            self._group.create_task(job)

    # In time -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the rooms until cancelled; then all of them are closed."""
        async with asyncio.TaskGroup() as self._group:
            try:
                while True:
                    pause = _TICK_SECONDS if self._rooms else _IDLE_SECONDS
                    due = clock.monotonic() + pause
                    await asyncio.sleep(pause)
                    late = max(0.0, clock.monotonic() - due)
                    self._lags.append(late)
                    self._recent.append(late)
                    await self._tick()
            finally:
                for room in self._rooms.values():
                    room.close()
                self._rooms.clear()

    async def _tick(self) -> None:
        now = clock.monotonic()
        for room in list(self._rooms.values()):
            try:
                await room.tick(now)
            except Exception as error:
                if now - self._troubled.get(room.consultation, float("-inf")) < _STRAIN_SECONDS:
                    continue  # fifty lines a second would say no more
                self._troubled[room.consultation] = now
                _log.error(
                    "a room's tick failed",
                    consultation=room.consultation, error=type(error).__name__, where=log.where(error),
                )  # fmt: skip
        if now - self._strained_at >= _STRAIN_SECONDS:
            self._strained_at = now
            self._judge_strain()
            self._tidy()
        if now - self._unwatched_at >= 1.0:
            self._unwatched_at = now
            self._close_unwatched()

    def _judge_strain(self) -> None:
        lag = percentile(self._recent, 0.99)
        most = max((pictures for room in self._rooms.values() for _, pictures in room.wanted), default=0)
        if lag > _LATE_SECONDS and most > _STRAINED_LEAST:
            self._strain = max(_STRAINED_LEAST, (self._strain if self._strain is not None else most) - 2)
            _log.warning("this worker is late: viewers get fewer pictures", each=self._strain, lag=round(lag, 3))
        elif lag < _IN_TIME_SECONDS and self._strain is not None:
            self._strain = None if self._strain + 1 >= most else self._strain + 1

    def _close_unwatched(self) -> None:
        """Nobody could make anybody leave a room that no web process watches any more."""
        watched = self.watched()
        self._unwatched = Counter({who: self._unwatched[who] + 1 for who in self._rooms if who not in watched})
        for consultation, seconds in self._unwatched.items():
            if seconds >= _UNWATCHED_SECONDS:
                self._rooms[consultation].close()
                with contextlib.suppress(KeyError):
                    del self._rooms[consultation]

    def status(self, port: int) -> protocol.Status:
        rooms = list(self._rooms.values())
        people = [peer for room in rooms for peer in room.people.values()]
        return protocol.Status(
            port,
            streams=sum(room.streams for room in rooms),
            rooms=len(rooms),
            people=len(people),
            audio_only=sum(peer.line.audio_only for peer in people),
            lag=round(percentile(self._lags, 0.99), 4),
            trouble=self.trouble,
        )


def percentile(values: deque[float], share: float) -> float:
    """0 without values."""
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * share))] if found else 0.0
