"""The evaluator's side of the database: work that is due, and what it takes to do it.

A subject is evaluated by one transaction at a time, which holds the lock of its row from before
it looks at the work until it commits: what it deletes is what it saw, and what it saw it has read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from alerts import codes, engine, errors, reconcile
from alerts.episodes import Episode
from alerts.lifecycle import Standing
from alerts.state import State
from telehealth.store.db import Connection
from telehealth.store.queries import sql

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Before everything.
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
#: After everything.
END = datetime(9999, 1, 1, tzinfo=UTC)
BEGINNING_US = (BEGINNING - _EPOCH) // _MICROSECOND

#: Readings of a resident after which a state is kept for those that come late.
RECENT_READINGS = 256


def micros(moment: datetime) -> int:
    """Microseconds since the epoch, as the engine counts."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(us: int) -> datetime:
    """Inverse of micros, aware, UTC."""
    return _EPOCH + us * _MICROSECOND


@dataclass(frozen=True)
class Subject:
    """Who or what is evaluated: a resident, or a device that has none (zone is null then)."""

    id: int
    organisation_id: int
    ward_id: int
    zone: str | None

    @property
    def resident_id(self) -> int | None:
        return self.id if self.zone is not None else None

    @property
    def device_pk(self) -> int | None:
        return self.id if self.zone is None else None


@dataclass(frozen=True)
class Work:
    """One due row. earliest_at: null if it touches nothing; attempts: how often it failed before."""

    id: int
    earliest_at: datetime | None
    cause: str
    detail: Mapping[str, Any]

    @property
    def attempts(self) -> int:
        return int(self.detail.get("attempts", 0))


class Done(NamedTuple):
    """How much was done: subjects, and their due rows."""

    subjects: int
    rows: int


@dataclass
class Taken:
    """Locked subjects and their due rows, by subject id."""

    subjects: dict[int, Subject]
    work: dict[int, list[Work]]

    def earliest(self, subject_id: int) -> datetime:
        """The first clinical moment touched; after everything if none is."""
        return min((work.earliest_at for work in self.work[subject_id] if work.earliest_at), default=END)

    def rows(self) -> list[int]:
        return [work.id for works in self.work.values() for work in works]

    def done(self) -> Done:
        return Done(len(self.subjects), sum(map(len, self.work.values())))

    def keep(self, subject_ids: Iterable[int]) -> None:
        """Leave the others, with their rows, to a later transaction."""
        kept = set(subject_ids)
        self.subjects = {key: value for key, value in self.subjects.items() if key in kept}
        self.work = {key: value for key, value in self.work.items() if key in kept}


@dataclass(frozen=True)
class Candidates:
    """Subjects that have work due."""

    residents: list[int]
    devices: list[int]
    #: There is late work, of these or of others.
    late_waiting: bool


@dataclass(frozen=True)
class Wanted:
    """Which work: live is what came in as it happened and what time brings, late what was old when it came.

    patience_seconds: how long late work waits for more of the same resident.
    """

    live: bool = True
    late: bool = True
    patience_seconds: float = 0.0


EVERYTHING = Wanted()
#: Rows of late work looked at in one transaction, where live work waits for it.
_LATE_ROWS = 200


async def candidates(
    connection: Connection, horizon: datetime, limit: int, *, until: datetime = END, wanted: Wanted = EVERYTHING
) -> Candidates:
    """Subjects with work due up to the horizon; limit: rows looked at, of each of the two sorts, and a
    quarter as many at the newest end of what is live.

    until: readings after it wait.
    """
    late_rows = limit if wanted.live else min(limit, _LATE_ROWS)
    row = await connection.fetchrow(
        sql("evaluation.candidates"),
        horizon,
        limit,
        until,
        wanted.live,
        wanted.late,
        wanted.patience_seconds,
        late_rows,
    )
    assert row is not None
    return Candidates(row["residents"], row["devices"], row["waiting"])


async def take_residents(
    connection: Connection,
    resident_ids: Sequence[int],
    horizon: datetime,
    *,
    until: datetime = END,
    late: bool = True,
) -> Taken:
    """Lock those residents whom no other evaluator holds, and take their due rows, late ones only if asked."""
    rows = await connection.fetch(sql("evaluation.lock_residents"), resident_ids)
    subjects = {row["id"]: Subject(**dict(row)) for row in rows}
    due = await connection.fetch(sql("evaluation.take_of_residents"), list(subjects), horizon, until, late)
    return _taken(subjects, due)


async def take_devices(connection: Connection, device_pks: Sequence[int], horizon: datetime) -> Taken:
    """Lock those devices which no other evaluator holds, and take their due rows."""
    rows = await connection.fetch(sql("evaluation.lock_devices"), device_pks)
    subjects = {row["id"]: Subject(**dict(row), zone=None) for row in rows}
    due = await connection.fetch(sql("evaluation.take_of_devices"), list(subjects), horizon)
    return _taken(subjects, due)


def _taken(subjects: dict[int, Subject], due: Sequence[asyncpg.Record]) -> Taken:
    work: dict[int, list[Work]] = {}
    for row in due:
        work.setdefault(row["subject"], []).append(
            Work(row["id"], row["earliest_at"], row["cause"], row["detail"] or {})
        )
    return Taken({key: subjects[key] for key in work}, work)


async def postpone(connection: Connection, taken: Taken, until: datetime, detail: Mapping[str, Any]) -> None:
    """Keep work that failed, for later."""
    await connection.execute(sql("evaluation.postpone"), taken.rows(), until, dict(detail))


async def queue(connection: Connection, horizon: datetime) -> tuple[int, datetime | None]:
    """How many rows are due (counted up to 10,000), and when (real time) the oldest was written."""
    row = await connection.fetchrow(sql("evaluation.queue"), horizon)
    assert row is not None
    return row["rows"], row["oldest"]


@dataclass(frozen=True)
class Base:
    """A checkpoint to go on from. kind: "head", "recent" or "daily".

    readings: of a head, folded since the newest of the other kinds; place: number of the newest recent one.
    """

    kind: str
    state: State
    readings: int
    place: int


async def checkpoints(connection: Connection, taken: Taken) -> dict[int, Base]:
    """What to go on from, by resident; residents who must begin at the beginning are left out."""
    ids = list(taken.subjects)
    rows = await connection.fetch(sql("evaluation.checkpoints"), ids, [taken.earliest(i) for i in ids])
    found: dict[int, Base] = {}
    for row in rows:
        # One of another format, as after an update, is none: the fold begins at the beginning.
        with contextlib.suppress(errors.InputError):
            state = State.from_json(row["state"])
            found[row["resident_id"]] = Base(row["kind"], state, row["readings"], row["place"])
    return found


async def weights(connection: Connection, since: Mapping[int, datetime], most: int) -> dict[int, int]:
    """About how many readings the folds of residents from these moments would take, counted up to most each."""
    rows = await connection.fetch(sql("evaluation.weights"), list(since), list(since.values()), list(codes.INDEX), most)
    return {row["resident_id"]: row["readings"] for row in rows}


async def hold_back(connection: Connection, taken: Taken, until: datetime, written_at: datetime) -> None:
    """Leave work for the residents' readings after until, which load left out. written_at: real time."""
    await connection.execute(sql("evaluation.hold_back"), list(taken.subjects), until, written_at)


#: (subject, rule)
Key = tuple[int, str]


@dataclass
class History:
    """What is stored about subjects: episodes and alerts by (subject, rule)."""

    episodes: dict[Key, list[reconcile.Stored]] = field(default_factory=dict)
    alerts: dict[Key, list[reconcile.Alert]] = field(default_factory=dict)


async def touched(connection: Connection, since: Mapping[int, int]) -> dict[int, dict[tuple[str, int], Episode]]:
    """Stored episodes that a fold of residents from `since` (microseconds, by id) says again, by (rule, started_at)."""
    found: dict[int, dict[tuple[str, int], Episode]] = {}
    moments = [moment(us) for us in since.values()]
    for row in await connection.fetch(sql("evaluation.touched"), list(since), moments):
        episode = _episode(row)
        found.setdefault(episode.resident, {})[episode.rule, episode.started_at] = episode
    return found


async def history(connection: Connection, since: Mapping[int, int], *, devices: bool = False) -> History:
    """All that decides about the alerts of subjects whose episodes change from `since` on (microseconds, by id).

    People handle alerts at any time: these are held until the transaction ends.
    """
    ids, moments = list(since), [moment(us) for us in since.values()]
    rows = await connection.fetch(sql("evaluation.device_episodes" if devices else "evaluation.episodes"), ids, moments)
    linked = sorted({row["alert_id"] for row in rows})
    await connection.execute(sql("evaluation.lock_alerts"), [] if devices else ids, ids if devices else [], linked)
    found = History()
    for row in rows:
        stored = reconcile.Stored(row["id"], row["alert_id"], _episode(row))
        found.episodes.setdefault((row["subject"], row["rule"]), []).append(stored)
    query = "evaluation.device_alerts" if devices else "evaluation.alerts"
    for row in await connection.fetch(sql(query), ids, linked):
        standing = Standing(row["condition"], row["handling"], row["priority"])
        alert = reconcile.Alert(row["id"], standing, micros(row["raised_at"]))
        found.alerts.setdefault((row["subject"], row["rule"]), []).append(alert)
    return found


def _episode(row: asyncpg.Record) -> Episode:
    return Episode.restore(
        resident=row["subject"],
        rule=row["rule"],
        started_at=micros(row["started_at"]),
        ended_at=_micros(row["ended_at"]),
        peak_at=micros(row["peak_at"]),
        peak_value=row["peak_value"],
        priority=row["priority"],
        provisional=row["provisional"],
        evidence=row["evidence"],
    )


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


async def finish(
    connection: Connection,
    taken: Taken,
    results: Sequence[engine.Result],
    bases: Mapping[int, Base],
    written_at: datetime,
) -> None:
    """Write the residents' new states and next wakings, and delete exactly the work that was taken.

    written_at: real time.
    """
    await _checkpoint(connection, taken, results, bases)
    await connection.execute(sql("evaluation.delete_taken"), taken.rows())
    await connection.execute(
        sql("evaluation.replace_wakes"),
        [result.resident for result in results],
        [taken.subjects[result.resident].organisation_id for result in results],
        [None if result.wake_at is None else moment(result.wake_at) for result in results],
        written_at,
    )


async def _checkpoint(
    connection: Connection, taken: Taken, results: Sequence[engine.Result], bases: Mapping[int, Base]
) -> None:
    heads, others, thinned = [], [], {}
    for result in results:
        base = bases.get(result.resident)
        if base is not None and base.kind == "head" and base.state == result.state:
            continue
        # As a refold writes a day anew, it counts from the beginning of what it writes.
        since = base.readings if base is not None and base.kind == "head" else 0
        readings, place = since + result.readings, 0 if base is None else base.place
        organisation_id = taken.subjects[result.resident].organisation_id
        others += [_row(result.resident, organisation_id, "daily", state) for state in result.daily]
        if readings >= RECENT_READINGS:
            readings, place = 0, place + 1
            others.append(_row(result.resident, organisation_id, "recent", result.state, place=place))
            thinned[result.resident] = place
        heads.append(_row(result.resident, organisation_id, "head", result.state, readings=readings, place=place))
    again = [r.resident for r in results if r.resident not in bases or bases[r.resident].kind != "head"]
    if again:
        since_moments = [moment(bases[i].state.through) if i in bases else BEGINNING for i in again]
        await connection.execute(sql("evaluation.forget_overtaken"), again, since_moments)
    if heads:
        moved = {row["resident_id"] for row in await connection.fetch(sql("evaluation.move_heads"), heads)}
        others += [head for head in heads if head["resident_id"] not in moved]
    if others:
        await connection.execute(sql("evaluation.insert_checkpoints"), others)
    if thinned:
        await connection.execute(sql("evaluation.thin_recent"), list(thinned), list(thinned.values()))


def _row(
    resident_id: int, organisation_id: int, kind: str, state: State, *, readings: int = 0, place: int = 0
) -> dict[str, Any]:
    return {
        "resident_id": resident_id,
        "organisation_id": organisation_id,
        "kind": kind,
        "at": moment(state.through),
        "state": state.to_json(),
        "readings": readings,
        "place": place,
    }
