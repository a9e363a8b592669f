"""Recording a visit while it goes on: who is asked, who is recorded to which file, and when it stops.

What begins and ends runs as the service or an operator: staff only read (row-level security). now is clinical.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from telehealth.model import media, recording_keys, recordings, vault, visits
from telehealth.model.recordings import Heard
from telehealth.store import audit, consultations
from telehealth.store import recordings as kept
from telehealth.store.db import Actor, Connection, Record
from telehealth.store.queries import sql
from telehealth.store.recordings import Place
from telehealth.store.visit_view import Loaded


@dataclass(frozen=True)
class Stopped:
    """Nobody is recorded, or asked, any more. why: a word of the event; began: something had been recorded by then."""

    why: str
    at: datetime
    began: bool


@dataclass(frozen=True)
class Standing:
    """on: somebody is recorded now. asked: everybody present is asked for consent. possible: here and on this ward.

    ask: which time of asking the answers belong to, while asked or on. against: participants who said no, or no longer
    yes, since everybody was asked the last time. stopped: why and when it stopped last, until everybody is asked again.
    """

    on: bool
    asked: bool
    possible: bool
    ask: int | None = None
    against: frozenset[int] = frozenset()
    stopped: Stopped | None = None


def heard(loaded: Loaded) -> list[Heard]:
    """The people of a visit, for the rules of telehealth.model.recordings."""
    return [Heard(person.id, person.state, person.consent_at) for person in loaded.people]


async def standing(connection: Connection, loaded: Loaded, where: Place | None) -> Standing:
    """How recording stands in a visit."""
    on = bool(await connection.fetch(sql("recordings.open_of"), loaded.row.id))
    last = await connection.fetchrow(sql("recordings.last"), loaded.row.id)
    asked = last is not None and last["event"] == "recording_asked"
    possible = loaded.policy.recording and where is not None and loaded.row.state not in visits.OVER
    return Standing(
        on,
        asked and possible and not on,
        possible,
        last["id"] if last is not None and asked else None,
        await _against(connection, loaded.row.id),
        None if last is None or asked else _stopped(last),
    )


def _stopped(event: Record) -> Stopped:
    detail = event["detail"] if isinstance(event["detail"], dict) else {}
    return Stopped(str(detail.get("why", "")), event["at"], bool(detail.get("began") or detail.get("recordings")))


async def _against(connection: Connection, consultation_id: int) -> frozenset[int]:
    rows = await connection.fetch(sql("recordings.against"), consultation_id)
    return frozenset(row["participant_id"] for row in rows)


async def _asked(connection: Connection, consultation_id: int) -> int | None:
    """The number of the asking that is open, or led to what is recorded now; None: nobody is asked."""
    last = await connection.fetchrow(sql("recordings.last"), consultation_id)
    return None if last is None or last["event"] != "recording_asked" else int(last["id"])


async def ask(
    connection: Connection, consultation_id: int, *, where: Place | None, actor: Actor | None, now: datetime
) -> None:
    """Ask everybody present for their consent; recording begins by itself once all have given it (settle).

    Consent is given to one recording: whoever agreed to an earlier one is asked anew.
    """
    loaded = await consultations.load(connection, consultation_id, hold=True)
    _refuse_over(loaded)
    if await connection.fetch(sql("recordings.open_of"), consultation_id):
        raise visits.NotPossible("This visit is being recorded already.")
    # Of the obstacles that consent is missing is none: it is what is asked for.
    agreed = [Heard(person.participant, person.presence, now) for person in heard(loaded)]
    why = recordings.obstacle(agreed, allowed=loaded.policy.recording, ready=where is not None)
    if why is not None:
        raise visits.NotPossible(why)
    await connection.execute(sql("recordings.clear_consents"), consultation_id)
    await consultations.note_event(connection, consultation_id, "recording_asked", actor=actor, now=now)
    await _audit(connection, actor, "recording.ask", loaded)


async def agree(
    connection: Connection, consultation_id: int, participant_id: int, *, ask: int | None, now: datetime
) -> None:
    """Somebody agrees to the recording that everybody was asked for under this number (Standing.ask). NotPossible."""
    await consultations.load(connection, consultation_id, hold=True)
    asked = await _asked(connection, consultation_id)
    if asked is None:
        raise visits.NotPossible("Nobody asks to record this visit at the moment.")
    if ask != asked:
        raise visits.NotPossible("You have been asked anew since: answer the question that is on your screen now.")
    await consultations.consent(connection, consultation_id, participant_id, given=True, ask=ask, now=now)


async def refuse(connection: Connection, consultation_id: int, participant_id: int, *, now: datetime) -> None:
    """Somebody says no while everybody is asked: nobody is asked any more, and staff see who did. Else nothing."""
    loaded = await consultations.load(connection, consultation_id, hold=True)
    person = loaded.participant(participant_id)
    asked = await _asked(connection, consultation_id)
    on = await connection.fetch(sql("recordings.open_of"), consultation_id)
    if loaded.row.state in visits.OVER or person.state not in recordings.PRESENT or asked is None or on:
        return
    if person.consent_at is None:
        await consultations.note_event(
            connection, consultation_id, "consent_refused", participant_id=participant_id, actor=None, now=now
        )
        await _audit(connection, None, "visit.consent_refused", loaded, detail={"participant": participant_id})
    else:
        await consultations.consent(connection, consultation_id, participant_id, given=False, now=now)
    await _stop(connection, loaded, "refused", None, now)


async def begin(
    connection: Connection,
    consultation_id: int,
    *,
    where: Place | None,
    now: datetime,
    actor: Actor | None = None,
) -> dict[int, media.RecordingTo]:
    """Whom to record to which file, from now on: everybody who has joined. What is being recorded goes on as it is.

    Once the room was given to another worker (its epoch has grown), to new files: none is ever continued. Raises
    visits.NotPossible unless the ward allows it, everybody in the room or let in has consented, and there is a place.
    """
    loaded = await consultations.load(connection, consultation_id, hold=True)
    return await _begin(connection, loaded, where, actor, now)


async def stop(connection: Connection, consultation_id: int, *, why: str, actor: Actor | None, now: datetime) -> bool:
    """Nobody is recorded any more, or asked; whether anybody was. why: a word for the record. Tell the worker too."""
    loaded = await consultations.load(connection, consultation_id, hold=True)
    return await _stop(connection, loaded, why, actor, now)


async def settle(
    connection: Connection, consultation_id: int, *, where: Place | None, now: datetime
) -> dict[int, media.RecordingTo]:
    """What should be recorded, now that something in the visit has changed: what MediaBackend.record is to be told.

    Stops what must not go on (also with the turn of a resident), begins what was asked for once everybody has
    consented, takes in who joined, and goes on at another worker. Several processes may ask this of one visit: they are
    answered the same.
    """
    loaded = await consultations.load(connection, consultation_id, hold=True)
    present = heard(loaded)
    on = bool(await connection.fetch(sql("recordings.open_of"), loaded.row.id))
    asked = await _asked(connection, loaded.row.id)
    if not on and asked is None:
        return {}
    over = await _over(connection, loaded, asked, recording=on)
    if over is not None:
        await _stop(connection, loaded, over, None, now)
        return {}
    ready = where is not None
    if loaded.row.state in visits.OVER:
        return {}
    if recordings.obstacle(present, allowed=loaded.policy.recording or on, ready=ready) is not None:
        return {}
    return await _begin(connection, loaded, where, None, now)


async def _over(connection: Connection, loaded: Loaded, asked: int | None, *, recording: bool) -> str | None:
    """Why nobody may be recorded, or asked, any more; None: it may go on."""
    turns = asked is not None and loaded.row.kind in visits.ONE_AT_A_TIME
    if turns and await connection.fetchval(sql("recordings.switched_since"), loaded.row.id, asked):
        # what people agreed to was about the resident whose turn it was
        return "switched"
    if not recording:
        return None
    if loaded.row.state in visits.OVER:
        return "ended"
    return recordings.stop_needed(heard(loaded), await _against(connection, loaded.row.id))


async def _begin(
    connection: Connection, loaded: Loaded, where: Place | None, actor: Actor | None, now: datetime
) -> dict[int, media.RecordingTo]:
    _refuse_over(loaded)
    visit, epoch, present = loaded.row.id, loaded.row.epoch, heard(loaded)
    running = await connection.fetch(sql("recordings.open_of"), visit)
    why = recordings.obstacle(present, allowed=loaded.policy.recording or bool(running), ready=where is not None)
    if why is not None or where is None:
        raise visits.NotPossible(why or "")
    joined = {person.participant for person in present if person.presence == "joined"}
    open_ones = {r["participant_id"]: r for r in running if r["epoch"] == epoch and r["participant_id"] in joined}
    for row in running:
        if open_ones.get(row["participant_id"]) is not row:
            await connection.execute(sql("recordings.finish"), row["id"], now)
    ask = await _asked(connection, visit)
    consents = [
        {"participant_id": p.participant, "consent_at": p.consent_at.isoformat(), "ask": ask}
        for p in present
        if p.presence in recordings.PRESENT and p.consent_at is not None
    ]
    found = {}
    for person in present:
        if person.participant not in joined:
            continue
        known = open_ones.get(person.participant)
        if known is not None:
            found[person.participant] = _again(known, where)
        else:
            found[person.participant] = await _add(connection, loaded, person.participant, consents, where, now)
            await _note_begun(connection, loaded, person.participant, found[person.participant].recording, actor, now)
    return found


def _again(row: Record, where: Place) -> media.RecordingTo:
    """Of a recording that runs."""
    try:
        key = recording_keys.unwrap(where.masters, row["key_id"], row["id"], row["wrapped_key"])
    except recording_keys.NoKey:
        raise visits.NotPossible("The key of a recording that runs is missing here.") from None
    return media.RecordingTo(row["id"], key, where.path(row["id"]), row["participant_id"])


async def _add(
    connection: Connection,
    loaded: Loaded,
    participant: int,
    consents: list[dict[str, Any]],
    where: Place,
    now: datetime,
) -> media.RecordingTo:
    recording, key, master = uuid4(), secrets.token_bytes(vault.KEY_BYTES), where.masters[0]
    wrapped = recording_keys.wrap(master, recording, key, nonce=secrets.token_bytes(vault.NONCE_BYTES))
    until = now + timedelta(days=loaded.policy.keep_recording_days)
    await connection.execute(
        sql("recordings.add"), recording, loaded.row.id, participant, now, master.id, wrapped, consents, until,
        loaded.row.epoch,
    )  # fmt: skip
    return media.RecordingTo(recording, key, where.path(recording), participant)


async def _note_begun(
    connection: Connection, loaded: Loaded, participant: int, recording: UUID, actor: Actor | None, now: datetime
) -> None:
    detail = {"recording": str(recording)}
    await consultations.note_event(
        connection, loaded.row.id, "recording_started", participant_id=participant, detail=detail, actor=actor, now=now
    )
    await _audit(connection, actor, "recording.start", loaded, recording)


async def _stop(connection: Connection, loaded: Loaded, why: str, actor: Actor | None, now: datetime) -> bool:
    ended = await connection.fetch(sql("recordings.finish_all"), loaded.row.id, now)
    asked = await _asked(connection, loaded.row.id)
    if not ended and asked is None:
        return False
    # nobody's consent outlives the recording that it was given to
    await connection.execute(sql("recordings.clear_consents"), loaded.row.id)
    detail = {"why": why, "recordings": [str(row["id"]) for row in ended], "ask": asked}
    if asked is not None and not ended:
        detail["began"] = await connection.fetchval(sql("recordings.begun_since"), loaded.row.id, asked)
    await consultations.note_event(connection, loaded.row.id, "recording_stopped", detail=detail, actor=actor, now=now)
    await _audit(connection, actor, "recording.stop", loaded, detail={"why": why})
    return bool(ended)


def _refuse_over(loaded: Loaded) -> None:
    if loaded.row.state in visits.OVER:
        raise visits.NotPossible("This visit is over.")


async def _audit(
    connection: Connection,
    actor: Actor | None,
    action: str,
    loaded: Loaded,
    recording: UUID | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    await audit.write(
        connection,
        actor,
        action,
        object_kind="consultation" if recording is None else "recording",
        object_id=loaded.row.id if recording is None else recording,
        resident_id=loaded.row.subject_id,
        ward_id=loaded.row.ward_id,
        detail=detail,
    )


# What workers tell ------------------------------------------------------------------------------------


async def progress(connection: Connection, told: media.Recorded, *, now: datetime) -> bool:
    """Note how a file stands; whether a recording has ended that nobody had ended.

    Where the disk takes no more, all of the visit's recordings stop: nobody believes that they are recorded, and none
    is begun anew over and over.
    """
    if told.chunks:
        await connection.execute(sql("recordings.progress"), told.recording, told.chunks, told.size, told.head)
    if not told.over:
        return False
    why = "cannot be written" if told.failed else "no longer written"
    ended = await finish(connection, told.recording, why=why, now=now)
    if told.failed and ended:
        found = await kept.one(connection, told.recording)
        await stop(connection, found.consultation_id, why="cannot be written", actor=None, now=now)
    return ended


async def finish(connection: Connection, recording: UUID, *, why: str = "no longer written", now: datetime) -> bool:
    """Nothing more is written to it; False if that is known. With a visit's last one people see that it ended."""
    row = await connection.fetchrow(sql("recordings.finish"), recording, now)
    if row is None:
        return False
    if await connection.fetch(sql("recordings.open_of"), row["consultation_id"]):
        return True
    await connection.execute(sql("recordings.clear_consents"), row["consultation_id"])
    detail = {"why": why, "recordings": [str(recording)]}
    await consultations.note_event(
        connection, row["consultation_id"], "recording_stopped", detail=detail, actor=None, now=now
    )
    return True
