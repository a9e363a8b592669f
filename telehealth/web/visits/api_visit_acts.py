"""/api/v1: what staff do in a video visit."""

from __future__ import annotations

from aiohttp import web

from telehealth.web import keys, parse, replies
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.visits import api_visits, visit_acts
from telehealth.web.visits import visits_models as models
from telehealth.web.visits import visits_requests as wanted


@operation(models.Done, body=wanted.OfParticipant, refusals=(409,), repeatable=True, tag="visits")
async def admit(request: web.Request) -> web.Response:
    """Let in somebody who waits.

    While a visit of several residents is about one, nobody comes in who is there for another.
    """
    return await _do(request, "admit")


@operation(models.Done, body=wanted.OfParticipant, refusals=(409,), repeatable=True, tag="visits")
async def return_to_waiting(request: web.Request) -> web.Response:
    """Send somebody back to the waiting area."""
    return await _do(request, "waiting")


@operation(models.Done, body=wanted.OfParticipant, refusals=(409,), repeatable=True, tag="visits")
async def remove(request: web.Request) -> web.Response:
    """Take somebody out, who cannot come back unless they are sent to the waiting area again."""
    return await _do(request, "remove")


@operation(models.Done, body=wanted.Switched, refusals=(409,), repeatable=True, tag="visits")
async def mute(request: web.Request) -> web.Response:
    """Silence somebody for everybody, or let them be heard again."""
    return await _do(request, "mute")


@operation(models.Done, body=wanted.Switched, refusals=(409,), repeatable=True, tag="visits")
async def pin(request: web.Request) -> web.Response:
    """Show everybody this person first, an interpreter for example, or nobody any more."""
    return await _do(request, "pin")


@operation(models.Done, body=wanted.OfParticipantOrLink, refusals=(409,), repeatable=True, tag="visits")
async def allow_browser(request: web.Request) -> web.Response:
    """Let the next device that opens a link take it over; the one before opens nothing then."""
    return await _do(request, "allow-browser")


@operation(models.Done, body=wanted.Lock, refusals=(409,), repeatable=True, tag="visits")
async def lock(request: web.Request) -> web.Response:
    """Let nobody new in, or open the visit again."""
    return await _do(request, "lock")


@operation(models.Done, body=wanted.OfResident, refusals=(409,), repeatable=True, tag="visits")
async def switch_subject(request: web.Request) -> web.Response:
    """Make another of its residents the current one.

    In rounds and conferences the previous resident leaves, and everybody who came with them.
    """
    return await _do(request, "subject")


@operation(models.Done, body=wanted.Say, refusals=(409,), repeatable=True, tag="visits")
async def message(request: web.Request) -> web.Response:
    """Write to everybody in the call, or to one person who waits."""
    return await _do(request, "message")


@operation(models.Asking, body=wanted.OfResident, refusals=(409,), repeatable=True, tag="visits")
async def ring(request: web.Request) -> web.Response:
    """Ring a resident's devices, and their waiting page if it is open."""
    return await _do(request, "ring")


@operation(models.Asking, body=wanted.Measure, refusals=(409,), repeatable=True, tag="visits")
async def measure_now(request: web.Request) -> web.Response:
    """Ask the devices of the current subject to measure now."""
    return await _do(request, "measure")


@operation(models.Done, body=wanted.Record, refusals=(409,), repeatable=True, tag="visits")
async def record_visit(request: web.Request) -> web.Response:
    """Ask everybody present whether the visit may be recorded, or stop recording.

    It begins by itself once everybody present has agreed on their screen, and stops when anybody withdraws.
    """
    return await _do(request, "record")


@operation(models.Invited, body=wanted.Invite, refusals=(409,), repeatable=True, tag="visits")
async def invite(request: web.Request) -> web.Response:
    """Make a link for one more person, who comes with the current subject, or with the resident who is named.

    The link is answered this once: only its hash is kept.
    """
    return await _do(request, "invite")


@operation(models.Done, body=wanted.Decide, refusals=(409,), repeatable=True, tag="visits")
async def decide_reading(request: web.Request) -> web.Response:
    """Take a reading that came in during the visit into its encounter, or leave it out."""
    return await _do(request, "readings")


@operation(models.Saved, body=wanted.Note, refusals=(409,), tag="visits")
async def save_notes(request: web.Request) -> web.Response:
    """Save the caller's notes of one resident.

    With an older version than the one that is there nothing is saved; the refusal has the newer text as "newer".
    """
    return await _do(request, "notes")


@operation(models.Done, body=wanted.Nothing, refusals=(409,), repeatable=True, tag="visits")
async def leave(request: web.Request) -> web.Response:
    """Leave the call without ending the visit."""
    return await _do(request, "leave")


async def _do(request: web.Request, name: str) -> web.Response:
    act = visit_acts.ACTS[name]
    await api_visits.seek(request, act.action)
    asked = await parse.body(request, act.model)
    try:
        return reply(await replies.once(request, lambda: visit_acts.perform(request, name, asked)))
    except visit_acts.Newer as newer:
        body = {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "These notes were saved in another window meanwhile. Nothing was overwritten.",
            "request_id": request.get(keys.REQUEST_ID, ""),
            "newer": newer.note,
        }
        return web.json_response(body, status=409, content_type="application/problem+json")
