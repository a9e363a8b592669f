"""What a browser in a visit may say, and what comes of it. Who it is, its link or session says; no message does.

Each function does one message for one socket. What may not be is Refusal: told in a sentence, noted without contents.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from telehealth import errors
from telehealth.model import media, visits
from telehealth.store import audit, call_sockets, consultations, messages, recorded_visits
from telehealth.store.db import Connection
from telehealth.store.visit_view import Participant
from telehealth.web.auth import SERVICE
from telehealth.web.calls import call_media, call_messages, call_room
from telehealth.web.calls.call_line import Line
from telehealth.web.calls.call_messages import Asked
from telehealth.web.calls.call_room import Room

_WORKER_SECONDS: Final = 10.0
_INSIDE: Final = frozenset({"admitted", "joined"})
_NOT_IN: Final = "You have not been let in yet. The ward knows that you are here."


class Refusal(Exception):
    """why: a sentence for whoever sits there. code: for the record. strike: counts towards hanging up."""

    def __init__(self, why: str, code: str, *, strike: bool = True) -> None:
        super().__init__(code)
        self.why = why
        self.code = code
        self.strike = strike


async def act(room: Room, line: Line, asked: Asked) -> None:
    """Do what was asked. Refusal."""
    try:
        await _act(room, line, asked)
    except visits.GoneOn as error:
        raise Refusal(error.why, "gone_on", strike=False) from None
    except visits.NotPossible as error:
        raise Refusal(error.why, "not_possible") from None
    except errors.Invalid as error:
        raise Refusal(f"This cannot be sent: {error.problem}.", "invalid") from None
    except errors.NotFound:
        raise Refusal("That person is not in this visit.", "not_found") from None


async def _act(room: Room, line: Line, asked: Asked) -> None:
    match asked:
        case call_messages.Ping():
            line.tell(call_messages.Pong(asked.n))
        case call_messages.Offer():
            await _offer(room, line, asked)
        case call_messages.Stats():
            if _is_inside(room, line):
                room.measured(line.participant, asked)
            elif not line.staff:
                # staff may try to connect before they are inside
                raise Refusal(_NOT_IN, "not_inside")
        case call_messages.Ready():
            await _ready(room, line, asked)
        case call_messages.Leave():
            await leave(room, line)
        case call_messages.Chat():
            await _chat(room, line, asked)
        case call_messages.Caption():
            async with room.means.database.transaction(SERVICE) as connection:
                await messages.caption(
                    connection,
                    room.id,
                    line.participant,
                    asked.text,
                    key=asked.key,
                    about=asked.about,
                    now=room.means.clock.now(),
                )
        case _:
            await _from_inside(room, line, asked)


async def _from_inside(
    room: Room, line: Line, asked: call_messages.Media | call_messages.Hand | call_messages.Consent
) -> None:
    now = room.means.clock.now()
    async with room.means.database.transaction(SERVICE) as connection:
        match asked:
            case call_messages.Media():
                await consultations.set_media(
                    connection,
                    room.id,
                    line.participant,
                    audio=asked.audio,
                    video=asked.video,
                    screen=asked.screen,
                    now=now,
                )
            case call_messages.Hand():
                await consultations.raise_hand(connection, room.id, line.participant, up=asked.up, now=now)
            case call_messages.Consent():
                if asked.recording:
                    await recorded_visits.agree(connection, room.id, line.participant, ask=asked.ask, now=now)
                else:
                    await recorded_visits.refuse(connection, room.id, line.participant, now=now)
                    await consultations.consent(connection, room.id, line.participant, given=False, now=now)


def _is_inside(room: Room, line: Line) -> bool:
    return room.loaded is not None and room.loaded.participant(line.participant).state in _INSIDE


async def _ready(room: Room, line: Line, asked: call_messages.Ready) -> None:
    now = room.means.clock.now()
    async with room.means.database.transaction(SERVICE) as connection:
        loaded = await consultations.load(connection, room.id)
        if visits.too_early(loaded.participant(line.participant).role, loaded.row.starts_at, now):
            raise Refusal(visits.EARLY, "early", strike=False)
        reason = "".join(one for one in asked.reason if one.isprintable())
        ready = msgspec.to_builtins(asked.check)
        await consultations.arrive(connection, room.id, line.participant, ready=ready, reason=reason, now=now)


async def leave(room: Room, line: Line) -> None:
    """They go, and mean it."""
    async with room.means.database.transaction(SERVICE) as connection:
        await consultations.left(connection, room.id, line.participant, now=room.means.clock.now())
    await room.gone(line.participant)


async def _chat(room: Room, line: Line, asked: call_messages.Chat) -> None:
    async with room.means.database.transaction(SERVICE) as connection:
        if asked.to is None:
            await _refuse_elsewhere(connection, line)
        await messages.say(
            connection,
            room.id,
            line.participant,
            asked.text,
            key=asked.key,
            to=asked.to,
            about=asked.about,
            now=room.means.clock.now(),
        )


# Media ------------------------------------------------------------------------------------------


async def _offer(room: Room, line: Line, asked: call_messages.Offer) -> None:
    person = await _may_offer(room, line)
    studio = room.studio
    if studio is None:
        raise Refusal("Video is not set up on this service.", "no_media", strike=False)
    epoch = studio.epoch
    if epoch is None:
        raise Refusal(call_media.REFUSED_OTHERWISE, "no_room", strike=False)
    if asked.epoch > epoch:
        raise Refusal("That is not this visit's room.", "epoch")
    if asked.epoch < epoch:
        line.epoch = epoch
        line.tell(call_messages.Rebuild(epoch))
        return
    await room.before(person)
    try:
        async with asyncio.timeout(_WORKER_SECONDS):
            epoch, answer = await studio.offer(person, asked.sdp, restart=asked.restart)
    except media.Gone:
        raise Refusal(call_media.REFUSALS["unknown room"], "worker_gone", strike=False) from None
    except TimeoutError:
        raise Refusal(call_media.REFUSED_OTHERWISE, "worker_slow", strike=False) from None
    except media.Refused as refused:
        _not_answered(room, line, asked, refused)
        return
    line.tell(call_messages.Answer(epoch, answer.sdp, call_room.slots(answer.slots), asked.restart))


def _not_answered(room: Room, line: Line, asked: call_messages.Offer, refused: media.Refused) -> None:
    if asked.restart:
        # the transport by which it came is not there any more: a new one
        line.tell(call_messages.Rebuild(asked.epoch))
        return
    if refused.why == "full":
        room.tell_staff("The video service is full: somebody who was let in cannot be connected.")
    why = call_media.REFUSALS.get(refused.why, call_media.REFUSED_OTHERWISE)
    raise Refusal(why, refused.why.replace(" ", "_"), strike=refused.why == "bad offer")


async def _may_offer(room: Room, line: Line) -> Participant:
    """Whoever was let in, as the database says now; staff let themselves in."""
    if line.member is not None:
        await room.let_go(line.member)
    async with room.means.database.transaction(SERVICE, read_only=True) as connection:
        loaded = await consultations.load(connection, room.id)
        await _refuse_elsewhere(connection, line)
    person = loaded.participant(line.participant)
    try:
        # the same rule as when media flow, so that nobody is seen who will be put out again
        visits.join(loaded.visit, person.id)
    except visits.NotPossible as error:
        raise Refusal(error.why, "not_let_in", strike=not line.staff) from None
    return person


async def _refuse_elsewhere(connection: Connection, line: Line) -> None:
    """Who is in the visit of one resident says nothing in that of another."""
    if line.staff and await call_sockets.elsewhere(connection, line.participant) is not None:
        raise Refusal(visits.ELSEWHERE, "elsewhere", strike=False)


async def note_refusal(room: Room, line: Line, about: str, code: str) -> None:
    """For the record of the visit: who was refused what, without what they sent."""
    async with room.means.database.transaction(SERVICE) as connection:
        await consultations.note_event(
            connection,
            room.id,
            f"refused_{about}",
            participant_id=line.participant,
            detail={"why": code},
            actor=None,
            now=room.means.clock.now(),
        )
        await audit.write(
            connection,
            None,
            "visit.message",
            "denied",
            object_kind="consultation",
            object_id=room.id,
            ward_id=None if room.loaded is None else room.loaded.row.ward_id,
            organisation_id=None if room.loaded is None else room.loaded.row.organisation_id,
            detail={"participant": line.participant, "about": about, "why": code},
        )
