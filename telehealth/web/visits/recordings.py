"""The page of one recording: whoever says why may watch it, which is noted, and nobody else gets a byte of it."""

from __future__ import annotations

import asyncio
import collections
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from aiohttp import web

from telehealth import clock, errors, log
from telehealth.media import recording_playback
from telehealth.media.recording_playback import Film
from telehealth.media.webm import Kind
from telehealth.model import recording_keys, vault
from telehealth.store import board, recordings
from telehealth.store.recordings import Kept, Place
from telehealth.web import access, auth, keys, render
from telehealth.web.shown import boards, formats, visits_json

_log = log.get("web")

Json = dict[str, Any]

#: After so long a reason must be given again; within it a page may be reloaded and a film be moved about in.
PASS_SECONDS: Final = 4 * 3600
_PASS: Final = re.compile(r"[0-9a-f]{64}")
#: Films whose chunks this process remembers; of two hours each has some 10,000.
_REMEMBERED: Final = 8
_FIELD: Final = "reason"


class Unplayable(Exception):
    """Why a recording cannot be watched, as a sentence."""


@dataclass(frozen=True)
class Opened:
    """A recording that the caller may see, and where it lies."""

    kept: Kept
    place: Place | None

    def key(self) -> bytes:
        """Unplayable says why there is none."""
        if self.kept.deleted_at is not None:
            raise Unplayable("The recording has been deleted.")
        if self.kept.ended_at is None:
            raise Unplayable("The recording still goes on. It can be watched once it has ended.")
        if self.place is None:
            raise Unplayable("This service has no place or no key for recordings.")
        try:
            return self.kept.key(self.place)
        except recording_keys.NoKey:
            raise Unplayable("The master key of this recording is not among those of this service.") from None

    @property
    def path(self) -> str:
        assert self.place is not None
        return self.place.path(self.kept.id)


class Films:
    """Films as they were last looked at. A file is read through once, not for every part that a player asks for."""

    def __init__(self) -> None:
        self._known: collections.OrderedDict[tuple[UUID, Kind, int, int], Film] = collections.OrderedDict()
        self._looking = asyncio.Lock()

    async def film(self, opened: Opened, key: bytes, pictures: Kind) -> Film:
        """Unplayable if there is no file, or it is not this recording's."""
        async with self._looking:
            try:
                stat = await asyncio.to_thread(os.stat, opened.path)
                name = (opened.kept.id, pictures, stat.st_size, stat.st_mtime_ns)
                found = self._known.get(name)
                if found is None:
                    found = await asyncio.to_thread(_look, opened, key, pictures)
                    self._known[name] = found
                self._known.move_to_end(name)
            except vault.WrongKey:
                raise Unplayable("The file was not written with the key of this recording.") from None
            except FileNotFoundError:
                raise Unplayable("The file of the recording is not there.") from None
            except OSError as error:
                _log.error("a recording cannot be read", recording=str(opened.kept.id), error=type(error).__name__)
                raise Unplayable("The file of the recording cannot be read.") from None
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return found


FILMS = web.AppKey("films", Films)


def _look(opened: Opened, key: bytes, pictures: Kind) -> Film:
    kept = opened.kept
    verdict = recording_playback.look(opened.path, recording=kept.id, key=key, reported=kept.reported)
    return recording_playback.film(opened.path, verdict, recording=kept.id, key=key, pictures=pictures)


async def show(request: web.Request) -> web.StreamResponse:
    """The page: what is known of it, and the form, or with the pass that the form gives the film."""
    return await _page(request)


async def watch(request: web.Request) -> web.StreamResponse:
    """The form that says why. It is noted before a byte is shown."""
    form = await auth.form(request)
    reason = form.get(_FIELD, "").strip()
    if not 1 <= len(reason) <= 200 or not reason.isprintable():
        text = "Say why you watch it, in at most 200 characters"
        return await _page(request, status=422, wrong=[_wrong(text)], form=form)
    name = request.match_info["recording_id"]
    try:
        async with access.opened(request, "recording.play", kind="recording", object_id=name) as view:
            opened = await seen(request, view)
            key = opened.key()
            view.detail = {"reason": reason}
    except Unplayable as error:
        return await _page(request, status=409, wrong=[_wrong(str(error))], form=form)
    raise web.HTTPSeeOther(f"/recordings/{opened.kept.id}?{urlencode(granted(request, opened, key))}")


async def media(request: web.Request) -> web.StreamResponse:
    """The film, or the part of it that a player asks for. Only with a pass of the same session."""
    name = request.match_info["recording_id"]
    async with access.sought(request, "recording.play", kind="recording", object_id=name) as view:
        opened = await seen(request, view)
        try:
            key = opened.key()
        except Unplayable:
            raise errors.NotFound from None
        if not _passes(request, opened.kept.id, key):
            raise errors.NotFound
    try:
        film = await request.app[FILMS].film(opened, key, _pictures(request))
    except Unplayable:
        raise errors.NotFound from None
    return await _stream(request, opened, film, key)


async def seen(request: web.Request, view: access.Opened) -> Opened:
    """The recording that the request names, if the caller may see it, noted for the audit row. NotFound."""
    kept = await recordings.one(view.connection, UUID(request.match_info["recording_id"]))
    view.resident_id, view.ward_id = kept.resident_id, kept.ward_id
    return Opened(kept, recordings.place(request.app[keys.SETTINGS]))


def _pictures(request: web.Request) -> Kind:
    return "screen" if request.query.get("view") == "screen" else "video"


# The pass: who gave a reason, in which session, and for how long it holds. It is kept nowhere; the key signs it.


def granted(request: web.Request, opened: Opened, key: bytes) -> dict[str, str]:
    """What the address of the film needs for a while, now that the caller has said why."""
    until = int(clock.real_now().timestamp()) + PASS_SECONDS
    return {"until": str(until), "pass": _pass(request, opened.kept.id, key, until)}


def _pass(request: web.Request, recording: UUID, key: bytes, until: int) -> str:
    caller = request[auth.CALLER]
    told = f"watch {recording} {caller.member.id} {caller.credential.hex()} {until}"
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


def _passes(request: web.Request, recording: UUID, key: bytes) -> bool:
    until, given = request.query.get("until", ""), request.query.get("pass", "")
    if not (until.isascii() and until.isdigit() and len(until) < 12 and _PASS.fullmatch(given)):
        return False
    if int(until) <= clock.real_now().timestamp():
        return False
    return auth.same(given, _pass(request, recording, key, int(until)))


# Streaming --------------------------------------------------------------------------------------------


async def _stream(request: web.Request, opened: Opened, film: Film, key: bytes) -> web.StreamResponse:
    since, until, partly = _range(request, film.size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="recording-{opened.kept.id}.webm"',
        "Content-Length": str(until - since),
    }
    if partly:
        headers["Content-Range"] = f"bytes {since}-{until - 1}/{film.size}"
    response = web.StreamResponse(status=206 if partly else 200, headers=headers)
    response.content_type = "video/webm"
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    parts = recording_playback.read(opened.path, film, key, since=since, until=until)
    try:
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            await response.write(part)
        await response.write_eof()
    except ConnectionError:
        pass  # the player has what it wanted
    except (recording_playback.Damaged, OSError) as error:
        _log.error(
            "a recording could not be read to its end", recording=str(film.recording), error=type(error).__name__
        )
        if request.transport is not None:
            request.transport.abort()
    finally:
        await asyncio.to_thread(parts.close)
    return response


def _range(request: web.Request, size: int) -> tuple[int, int, bool]:
    """First byte, one behind the last, whether a part was asked for. 416 for a part that there is not."""
    if "Range" not in request.headers:
        return 0, size, False
    try:
        asked = request.http_range
    except ValueError:
        return 0, size, False  # several parts, or another unit: as if nothing was asked
    since, until = asked.start or 0, size if asked.stop is None else min(asked.stop, size)
    if since < 0:
        since = max(0, size + since)
    if since >= until:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return since, until, True


# The page ---------------------------------------------------------------------------------------------


async def _page(
    request: web.Request, *, status: int = 200, wrong: list[Json] | None = None, form: dict[str, str] | None = None
) -> web.Response:
    name = request.match_info["recording_id"]
    async with access.opened(request, "recording.open", kind="recording", object_id=name) as view:
        opened = await seen(request, view)
        kept = opened.kept
        ward = boards.ward_json(await board.ward(view.connection, kept.ward_id))
        others = [_shown(one) for one in await recordings.of_consultation(view.connection, kept.consultation_id)]
        context = await render.frame(request, view)
    film, why = None, None
    try:
        key = opened.key()
        if _passes(request, kept.id, key):
            film = await _film(request, opened, key)
    except Unplayable as error:
        why = str(error)
    more = {
        "recording": _shown(kept),
        "others": [one for one in others if one["id"] != str(kept.id)],
        "film": film,
        "why_not": why,
        "ward": ward,
        "roles": visits_json.ROLES,
        "simulated": kept.simulated,
        "errors": wrong or [],
        "form": form or {},
    }
    return render.page(request, "recording.html", {**context, **more}, status=status)


async def _film(request: web.Request, opened: Opened, key: bytes) -> Json:
    """What the player needs, and what the file was found to be."""
    pictures = _pictures(request)
    found = await request.app[FILMS].film(opened, key, pictures)
    own = {name: request.query[name] for name in ("until", "pass")}
    verdict = found.verdict
    return {
        "src": f"/recordings/{opened.kept.id}/media?{urlencode({**own, 'view': pictures})}",
        "view": pictures,
        "empty": not found.clusters,
        "has": sorted(found.has),
        "views": {kind: "?" + urlencode({**own, "view": kind}) for kind in ("video", "screen")},
        "state": verdict.state,
        "line": verdict.line(),
        "findings": list(verdict.findings[:20]),
        "seconds": round(verdict.seconds),
    }


def _shown(one: recordings.Shown) -> Json:
    return {
        "id": str(one.id),
        "visit": one.consultation_id,
        "name": one.name,
        "role": one.role.replace("_", " "),
        "started_at": formats.iso(one.started_at),
        "ended_at": None if one.ended_at is None else formats.iso(one.ended_at),
        "delete_after": formats.iso(one.delete_after),
        "deleted_at": None if one.deleted_at is None else formats.iso(one.deleted_at),
    }


def _wrong(text: str) -> Json:
    return {"field": _FIELD, "text": text, "href": f"#{_FIELD}"}
