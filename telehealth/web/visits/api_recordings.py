"""/api/v1: recordings of visits: which there are, what is known of one, whether its file is whole, and how to watch it.

The same rules as on the page: nobody gets a byte of what was recorded, nor of what its file is found to be, without
saying why.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from aiohttp import web

from telehealth.media import recording_playback
from telehealth.model import vault, visits
from telehealth.store import recordings as store
from telehealth.web import access, parse
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.shown import formats
from telehealth.web.visits import api_visits, recordings
from telehealth.web.visits import visits_models as models
from telehealth.web.visits import visits_requests as wanted
from telehealth.web.visits.recordings import Opened, Unplayable

Json = dict[str, Any]


@operation(models.Recordings, tag="visits")
async def visit_recordings(request: web.Request) -> web.Response:
    """What was recorded of a visit, one for each person and stretch; deleted ones too."""
    visit_id = request.match_info["visit_id"]
    async with access.opened(request, "recording.list", kind="consultation", object_id=visit_id) as view:
        loaded = await api_visits.opened_visit(view, visit_id)
        found = await store.of_consultation(view.connection, loaded.row.id)
    return reply({"items": [_short(one) for one in found]})


@operation(models.RecordingShown, tag="visits")
async def recording(request: web.Request) -> web.Response:
    """What is known of one recording: whose, from when to when, who agreed, the head of its chain of chunks."""
    name = request.match_info["recording_id"]
    async with access.opened(request, "recording.open", kind="recording", object_id=name) as view:
        kept = (await recordings.seen(request, view)).kept
    consents = [
        {"participant": one["participant_id"], "at": one["consent_at"], "ask": one.get("ask")} for one in kept.consents
    ]
    return reply(
        {
            **_short(kept),
            "resident": kept.resident_id,
            "ward_id": kept.ward_id,
            "ward": kept.ward,
            "head": None if kept.head is None else kept.head.hex(),
            "key_id": kept.key_id,
            "consents": consents,
        }
    )


@operation(models.RecordingVerdict, body=wanted.JudgeRecording, refusals=(409,), tag="visits")
async def judge_recording(request: web.Request) -> web.Response:
    """Read a recording's file through and say whether it is whole.

    Refused (409) while it goes on, once it is deleted, and where its key or its file is missing.
    """
    await _seek(request, "recording.verify")
    asked = await parse.body(request, wanted.JudgeRecording)
    opened, key = await _with_reason(request, "recording.verify", asked.reason)
    kept = opened.kept
    try:
        verdict = await asyncio.to_thread(
            recording_playback.look, opened.path, recording=kept.id, key=key, reported=kept.reported
        )
    except vault.WrongKey:
        raise visits.NotPossible("The file was not written with the key of this recording.") from None
    except OSError:
        raise visits.NotPossible("The file of the recording is not there, or cannot be read.") from None
    return reply(_judged(kept.id, verdict, None if kept.head is None else kept.head.hex(), asked))


@operation(models.RecordingMedia, body=wanted.WatchRecording, refusals=(409,), tag="visits")
async def watch_recording(request: web.Request) -> web.Response:
    """Say why a recording is watched, and be told where its WebM is.

    The address works in the caller's session only, for four hours; parts can be asked for by Range.
    """
    await _seek(request, "recording.play")
    asked = await parse.body(request, wanted.WatchRecording)
    opened, key = await _with_reason(request, "recording.play", asked.reason)
    granted = recordings.granted(request, opened, key)
    until = datetime.fromtimestamp(int(granted["until"]), UTC)
    query = urlencode({**granted, "view": asked.view})
    name = str(opened.kept.id)
    return reply({"id": name, "media": f"/recordings/{name}/media?{query}", "until": formats.iso(until)})


async def _seek(request: web.Request, action: str) -> None:
    """Somebody else's recording is not found, whatever else is wrong with the request. NotFound."""
    name = request.match_info["recording_id"]
    async with access.sought(request, action, kind="recording", object_id=name) as view:
        await store.one(view.connection, UUID(name))


async def _with_reason(request: web.Request, action: str, reason: str) -> tuple[Opened, bytes]:
    """The recording and its key, once it is noted why. NotFound, NotPossible."""
    name = request.match_info["recording_id"]
    try:
        async with access.opened(request, action, kind="recording", object_id=name) as view:
            opened = await recordings.seen(request, view)
            key = opened.key()
            view.detail = {"reason": reason.strip()}
    except Unplayable as error:
        raise visits.NotPossible(str(error)) from None
    return opened, key


def _short(one: store.Shown) -> Json:
    return {
        "id": str(one.id),
        "visit": one.consultation_id,
        "participant": one.participant_id,
        "name": one.name,
        "role": one.role,
        "started_at": formats.iso(one.started_at),
        "ended_at": formats.iso(one.ended_at),
        "chunks": one.chunks,
        "bytes": one.bytes,
        "delete_after": formats.iso(one.delete_after),
        "deleted_at": formats.iso(one.deleted_at),
    }


def _judged(name: UUID, verdict: vault.Verdict, reported: str | None, asked: wanted.JudgeRecording) -> Json:
    listed = verdict.pieces[asked.since : asked.since + asked.limit]
    return {
        "id": str(name),
        "state": verdict.state,
        "line": verdict.line(),
        "findings": list(verdict.findings[:100]),
        "seconds": round(verdict.seconds, 3),
        "good_chunks": len(verdict.pieces),
        "expected_chunks": verdict.expected,
        "head": verdict.head.hex(),
        "reported_head": reported,
        "chunks": [
            {
                "number": one.number,
                "at": one.at,
                "size": one.size,
                "bytes_of_media": one.media,
                "since": one.since,
                "until": one.until,
            }
            for one in listed
        ],
    }
