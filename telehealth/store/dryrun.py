"""What a dry run of other rules needs of a resident. It reads, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts import codes, dryrun, engine, rules, schedule, timeline
from telehealth.errors import Invalid, NotFound
from telehealth.store.db import Connection
from telehealth.store.library import Library
from telehealth.store.queries import sql

#: More readings than this are not folded while somebody waits for the page.
MOST_READINGS = 60_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)
_LOW_HALF = 2**64 - 1


@dataclass(frozen=True)
class Known:
    """One resident's rules, stays, pauses and readings; what staff acted on."""

    subject: engine.Subject
    readings: timeline.Timeline
    acted_on: tuple[dryrun.Event, ...]
    since: int
    now: int


async def load(connection: Connection, resident_id: int, changed: rules.RuleSet, *, weeks: int, now: datetime) -> Known:
    """What the last weeks hold, and what rules look back at before them.

    NotFound for a resident whom the actor may not see; Invalid for more readings than can be judged at once.
    """
    row = await connection.fetchrow(sql("dryrun.subject"), resident_id)
    if row is None:
        raise NotFound
    since = now - timedelta(weeks=weeks)
    subject = await _subject(connection, resident_id, row["zone"])
    named = set(Library.codes(changed)).union(*(Library.codes(version) for _, version in subject.versions))
    begin = since - timedelta(microseconds=dryrun.WARM_UP_US)
    events = await connection.fetch(sql("dryrun.acted_on"), resident_id, since)
    return Known(
        subject,
        await _readings(connection, resident_id, begin, now, sorted(named)),
        tuple(dryrun.Event(_micros(event["onset_at"]), event["rule"], event["reason"]) for event in events),
        _micros(since),
        _micros(now),
    )


async def _subject(connection: Connection, resident_id: int, zone: str) -> engine.Subject:
    versions = [
        (_micros(row["valid_from"]), rules.RuleSet.from_json(row["rules"]))
        for row in await connection.fetch(sql("dryrun.versions"), resident_id)
    ]
    spells = [
        engine.Spell(_micros(row["started_at"]), _end(row["ended_at"]), schedule.parse(row["schedule"], zone))
        for row in await connection.fetch(sql("dryrun.spells"), resident_id)
    ]
    pauses = [
        (_micros(row["started_at"] or _LONG_AGO), _end(row["ended_at"]))
        for row in await connection.fetch(sql("dryrun.pauses"), resident_id)
    ]
    return engine.Subject(resident_id, versions, spells, pauses, zone)


async def _readings(
    connection: Connection, resident_id: int, since: datetime, until: datetime, named: list[str]
) -> timeline.Timeline:
    rows = await connection.fetch(sql("dryrun.readings"), resident_id, since, until, named, MOST_READINGS + 1)
    if len(rows) > MOST_READINGS:
        raise Invalid("weeks", f"has more than {MOST_READINGS} readings with what rules look back at: choose fewer")
    identities = [row["identity"].int for row in rows]
    return timeline.build(
        [resident_id] * len(rows),
        [_micros(row["effective_at"]) for row in rows],
        [codes.INDEX[row["code"]] for row in rows],
        [codes.encode(row["value"], row["value_code"]) for row in rows],
        [identity >> 64 for identity in identities],
        [identity & _LOW_HALF for identity in identities],
        [timeline.quality_of(row["marks"] or (), row["flags"] or ()) for row in rows],
    )


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _end(at: datetime | None) -> int | None:
    return None if at is None else _micros(at)
