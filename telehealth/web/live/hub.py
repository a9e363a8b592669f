"""Live boards: hears what changed, loads it once a ward, and hands it to whoever may see it.

NOTIFY is a hint; every few seconds each watched ward is loaded whole and compared, so that a lost
hint is made up for. Alert events come from one place (_tell_alerts), which loads the present state of an
alert and compares it with what was told last, so that each change is told once and in order.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from telehealth import clock, log, metrics
from telehealth.clock import ClinicalClock
from telehealth.model import secrets
from telehealth.model.health import Health
from telehealth.store import alerts, board, db, held, sessions
from telehealth.store.db import Database
from telehealth.web.auth import SERVICE, Caller
from telehealth.web.live import subscriber
from telehealth.web.live.subscriber import Subscriber
from telehealth.web.live.watched import Changes, Watched
from telehealth.web.shown import boards, formats, rows

Json = dict[str, Any]

_log = log.get("live")

TICK_SECONDS = 5.0
ACK_SECONDS = 15.0
#: The database answers within this, or is away.
_ANSWER_SECONDS = 5.0
#: A whole ward is loaded and compared this often; more often while nothing can be heard.
REFRESH_SECONDS = 10.0
_REFRESH_DEAF_SECONDS = 2.0
#: At most a fifth of the time goes into loading rows: under load boards are shed first, alerts are not.
_SHORTEST_PAUSE_SECONDS = 0.05
_REST = 4.0
#: Loads that failed for this long, or work that waits for alerting this long, make the board not live.
_STALE_SECONDS = 10.0
_BEHIND_SECONDS = 15.0

MOST_PER_MEMBER = 100
_REPLAY_EVENTS = 5000
_REPLAY_SECONDS = 600.0


class _Hint(msgspec.Struct):
    """The payload of the channel "changes"; nothing named means anything."""

    residents: list[int] = []
    alerts: list[int] = []
    wards: list[int] = []


class Hub:
    """One a process; run() for as long as the application serves."""

    def __init__(self, database: Database, clinical: ClinicalClock, health: Health) -> None:
        self._database = database
        self._clock = clinical
        self._health = health
        self.epoch = secrets.new_token()[:8]
        self.seq = 0
        self._subscribers: set[Subscriber] = set()
        self._watched: dict[int, Watched] = {}
        self._starting = asyncio.Lock()
        self._events: collections.deque[tuple[float, Json]] = collections.deque(maxlen=_REPLAY_EVENTS)
        self._residents: set[int] = set()
        self._alerts: set[int] = set()
        self._everything = False
        self._rows_wake = asyncio.Event()
        self._alerts_wake = asyncio.Event()
        self._hears = False
        self._loaded_at = clock.monotonic()
        self._behind: str | None = None

    # Connections -------------------------------------------------------------------------------

    def join(self, caller: Caller) -> Subscriber | None:
        """A connection's place; None if its member of staff has too many."""
        if sum(s.caller.member.id == caller.member.id for s in self._subscribers) >= MOST_PER_MEMBER:
            return None
        joined = Subscriber(caller, clock.monotonic())
        self._subscribers.add(joined)
        metrics.SOCKETS.set(len(self._subscribers))
        joined.whole({"t": "hello", "epoch": self.epoch, "seq": self.seq, "server_time": formats.iso(clock.real_now())})
        joined.tick(self._tick())
        return joined

    def leave(self, gone: Subscriber) -> None:
        self._subscribers.discard(gone)
        metrics.SOCKETS.set(len(self._subscribers))

    def close_all(self, code: int = subscriber.GOING_AWAY) -> None:
        for one in self._subscribers:
            one.close(code)

    def session_over(self, credential: bytes) -> None:
        """Somebody signed out."""
        for one in self._subscribers:
            if one.caller.credential == credential:
                one.close(subscriber.SESSION_OVER)

    async def subscribe(
        self, one: Subscriber, wards: Sequence[int], residents: dict[int, int], since: tuple[str, int] | None
    ) -> None:
        """Show these instead of what was shown before. The caller has checked that they may be seen.

        residents: id -> ward. since: (epoch, seq) of what the client has already, to replay events.
        """
        for ward_id in {*wards, *residents.values()}:
            await self._watch(ward_id)
        # from here on without waiting, so that no change falls between snapshot and deltas
        one.wards, one.residents = set(wards), dict(residents)
        for ward_id in wards:
            if (watched := self._watched.get(ward_id)) is not None:
                snap = {"t": "snap", "epoch": self.epoch, "seq": self.seq, "ward": ward_id}
                one.whole(
                    {
                        **snap,
                        "board": watched.board(self._clock.now()),
                        "held": watched.held,
                        "automatic": watched.automatic,
                    }
                )
        for resident_id, ward_id in residents.items():
            watched = self._watched.get(ward_id)
            row = None if watched is None else watched.rows.get(resident_id)
            found = [] if watched is None else watched.alerts_of(resident_id)
            snap = {"t": "snap", "epoch": self.epoch, "seq": self.seq, "resident": resident_id}
            one.whole({**snap, "row": row, "alerts": found})
        if since is not None and since[0] == self.epoch:
            oldest = clock.monotonic() - _REPLAY_SECONDS
            for at, message in self._events:
                if at >= oldest and message["seq"] > since[1] and _concerns(one, message):
                    one.event({**message, "replayed": True})

    async def _watch(self, ward_id: int) -> None:
        async with self._starting:
            if ward_id in self._watched:
                return
            async with self._database.transaction(SERVICE, read_only=True) as connection:
                watched = Watched(boards.ward_json(await board.ward(connection, ward_id)))
                found = await alerts.open_of_ward(connection, ward_id, limit=boards.MOST_ALERTS)
                now = self._clock.now()
                watched.begin(await boards.rows_of(connection, ward_id, now=now, open_alerts=found), found)
                watched.count(await held.count(connection, ward_id))
                watched.count_automatic(await boards.automatic(connection, ward_id, now=now))
            self._watched[ward_id] = watched

    # Work --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. Survives the database going away; anything unexpected ends it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="live listen")
            tasks.create_task(self._again(self._tell_alerts), name="live alerts")
            tasks.create_task(self._again(self._tell_rows), name="live rows")
            tasks.create_task(self._refresh(), name="live refresh")
            tasks.create_task(self._beat(), name="live beat")

    def heard(self, payload: str) -> None:
        """A hint of what changed."""
        try:
            hint = msgspec.json.decode(payload or "{}", type=_Hint)
        except msgspec.MsgspecError:
            hint = _Hint()
        if not (hint.residents or hint.alerts or hint.wards):
            self._everything = True
            self._rows_wake.set()
        if hint.alerts:
            self._alerts.update(hint.alerts)
            self._alerts_wake.set()
        if hint.residents:
            self._residents.update(hint.residents)
            self._rows_wake.set()
        elif hint.wards and not hint.alerts:
            self._everything = True
            self._rows_wake.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._database.listen("changes", self.heard) as lost:
                    self._hears = True
                    self.heard("{}")  # whatever happened before
                    await lost.wait()
            except db.AWAY as error:
                _log.warning("cannot listen for changes", error=type(error).__name__)
            self._hears = False
            await asyncio.sleep(1)

    async def _again(self, work: Any) -> None:
        while True:
            try:
                await work()
            except db.AWAY as error:
                _log.warning("cannot load what changed", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _tell_alerts(self) -> None:
        await self._alerts_wake.wait()
        self._alerts_wake.clear()
        wanted, self._alerts = self._alerts, set()
        try:
            async with self._database.transaction(SERVICE, read_only=True) as connection:
                found = await alerts.many(connection, sorted(wanted))
        except BaseException:
            self._alerts |= wanted
            self._alerts_wake.set()
            raise
        for alert in found:
            watched = self._watched.get(alert.ward_id)
            what = None if watched is None else watched.learn(alert)
            if what is not None:
                self._tell_event(alert, what)
            if alert.resident_id is not None:
                self._residents.add(alert.resident_id)
            else:
                self._everything = True
        self._rows_wake.set()

    def _tell_event(self, alert: alerts.Alert, what: str) -> None:
        self.seq += 1
        message: Json = {
            "t": "event",
            "seq": self.seq,
            "ward": alert.ward_id,
            "alert": rows.alert(alert),
            "what": what,
            "replayed": False,
        }
        self._events.append((clock.monotonic(), message))
        for one in self._subscribers:
            if _concerns(one, message):
                one.event(message)

    async def _tell_rows(self) -> None:
        await self._rows_wake.wait()
        self._rows_wake.clear()
        started = clock.monotonic()
        everything, self._everything = self._everything, False
        wanted, self._residents = self._residents, set()
        try:
            await self._load(None if everything else wanted)
        except BaseException:
            self._everything = True
            self._rows_wake.set()
            raise
        self._loaded_at = clock.monotonic()
        await asyncio.sleep(max(_SHORTEST_PAUSE_SECONDS, _REST * (self._loaded_at - started)))

    async def _load(self, residents: set[int] | None) -> None:
        if not self._watched:
            return
        async with self._database.transaction(SERVICE, read_only=True) as connection:
            now = self._clock.now()
            if residents is None:
                affected: dict[int, set[int] | None] = dict.fromkeys(self._watched)
            else:
                affected = await self._affected(connection, residents)
            for ward_id, only in affected.items():
                watched = self._watched.get(ward_id)
                if watched is None:
                    continue
                found = await alerts.open_of_ward(connection, ward_id, limit=boards.MOST_ALERTS)
                loaded = await boards.rows_of(
                    connection, ward_id, now=now, open_alerts=found, only=None if only is None else sorted(only)
                )
                changes = watched.compare(loaded, found, only)
                if only is None:
                    changes.held = watched.count(await held.count(connection, ward_id))
                changes.automatic = watched.count_automatic(await boards.automatic(connection, ward_id, now=now))
                self._tell_changes(ward_id, watched, changes)

    async def _affected(self, connection: db.Connection, residents: set[int]) -> dict[int, set[int] | None]:
        """Watched ward -> those of the residents who are on it, or were when it was last loaded."""
        found: dict[int, set[int] | None] = {}
        places = await board.wards_of_residents(connection, sorted(residents), now=self._clock.now())
        for ward_id, watched in self._watched.items():
            here = {r for r in residents if places.get(r) == ward_id or r in watched.rows}
            if here:
                found[ward_id] = here
        return found

    def _tell_changes(self, ward_id: int, watched: Watched, changes: Changes) -> None:
        if changes.alerts:
            self._alerts |= changes.alerts
            self._alerts_wake.set()
        if not changes:
            return
        self.seq += 1
        touched = {row["id"] for row in changes.rows} | changes.removed
        for one in self._subscribers:
            if ward_id in one.wards:
                one.rows(ward_id, changes)
            for resident_id in touched & one.residents.keys():
                one.resident(resident_id, watched.rows.get(resident_id), watched.alerts_of(resident_id))

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS if self._hears else _REFRESH_DEAF_SECONDS)
            for ward_id in list(self._watched):
                if not any(one.watches(ward_id) for one in self._subscribers):
                    del self._watched[ward_id]
            self._everything = True
            self._rows_wake.set()

    # Every few seconds -------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._check_access()
                self._health.good("database")
            except db.AWAY:
                self._health.bad("database", "does not answer")
            message = self._tick()
            now = clock.monotonic()
            for one in list(self._subscribers):
                one.tick(message)
                if now - one.acked_at > ACK_SECONDS:
                    one.close(subscriber.NO_ACK)
            await asyncio.sleep(TICK_SECONDS)

    async def _check_access(self) -> None:
        """Close what is no longer signed in; take away wards that are no longer theirs; look at alerting's queue."""
        present = list(self._subscribers)
        async with self._database.transaction(SERVICE, read_only=True) as connection:
            now = clock.real_now()
            valid = await sessions.still_valid(connection, [one.caller.credential for one in present], now=now)
            wards = await sessions.memberships(connection, sorted({one.caller.member.id for one in present}))
            # Not what devices kept: that takes its time, and nothing live waits for it.
            waiting = await board.oldest_due(connection, horizon=self._clock.horizon(), backlog=False)
        late = waiting is not None and (now - waiting).total_seconds() > _BEHIND_SECONDS
        self._behind = "alerting is behind" if late else None
        for one in present:
            if one.caller.credential not in valid:
                one.close(subscriber.SESSION_OVER)
            else:
                self._restrict(one, wards[one.caller.member.id])

    def _restrict(self, one: Subscriber, allowed: set[int]) -> None:
        lost_wards = one.wards - allowed
        lost_residents = {r for r, ward_id in one.residents.items() if ward_id not in allowed}
        if lost_wards or lost_residents:
            one.wards -= lost_wards
            one.residents = {r: w for r, w in one.residents.items() if r not in lost_residents}
            refused = {"wards": sorted(lost_wards), "residents": sorted(lost_residents)}
            one.whole({"t": "refused", "seq": self.seq, **refused})

    def live(self) -> tuple[bool, str | None]:
        """Whether boards show the present, and if not, why, in words for staff."""
        for part, trouble in self._health.parts().items():
            if trouble is not None:
                return False, f"{part}: {trouble}"
        if not self._health.ready:
            return False, "the service is starting"
        if self._behind is not None:
            return False, self._behind
        if self._watched and clock.monotonic() - self._loaded_at > REFRESH_SECONDS + _STALE_SECONDS:
            return False, "the database does not answer"
        return True, None

    def _tick(self) -> Json:
        live, why = self.live()
        return {
            "t": "tick",
            "server_time": formats.iso(clock.real_now()),
            "at": formats.iso(self._clock.now()),
            "live": live,
            "why": why,
        }

    def first_live(self) -> Json:
        """The state of things for the first paint of a page."""
        live, why = self.live()
        return {"live": live, "why": why, "server_time": formats.iso(clock.real_now()), "ws": "/ws"}

    def at(self) -> str | None:
        """Clinical now, as in messages."""
        return formats.iso(self._clock.now())


HUB = web.AppKey("hub", Hub)


def _concerns(one: Subscriber, message: Json) -> bool:
    wards: Iterable[int] = one.wards
    return message["ward"] in wards or message["alert"]["resident_id"] in one.residents
