"""Pages of quarantine: a ward's, one entry, and its bytes, each of which is opened on purpose and noted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from pydantic import ValidationError

from telehealth import errors
from telehealth.store import quarantine_view
from telehealth.store.quarantine_view import Filter
from telehealth.web import access, auth, keys, render, requests
from telehealth.web.quarantine import quarantine, quarantine_bytes
from telehealth.web.shown import residents_json

Json = dict[str, Any]

_PAGE = 50
_GROUPS = 100

#: What "state" may ask for on the page: open is what is still to be looked at.
_STATES = {
    "open": quarantine_view.OPEN,
    "all": None,
    "dismissed": ("dismissed",),
    "retried": ("retried",),
}


async def ward_quarantine(request: web.Request) -> web.StreamResponse:
    """What a ward's devices sent that was refused or is held."""
    return await ward_page(request)


async def ward_page(
    request: web.Request, *, status: int = 200, wrong: list[Json] | None = None, form: Json | None = None
) -> web.Response:
    """The page of a ward's quarantine, perhaps with what was wrong with a form."""
    ward_id = request.match_info["ward_id"]
    now = request.app[keys.CLOCK].now()
    asked = _asked(request.query)
    place = residents_json.place(request.query.get("cursor"), (datetime, int))
    async with access.opened(request, "quarantine.list", kind="ward", object_id=ward_id) as view:
        ward = await quarantine.ward(view, ward_id)
        wanted = Filter(ward["id"], asked["device"], asked["error"], _STATES[asked["state"]])
        found = await quarantine_view.entries(
            view.connection, wanted, before=None if place is None else (place[0], place[1]), limit=_PAGE + 1
        )
        groups = await quarantine_view.groups(view.connection, wanted, limit=_GROUPS)
        # What there is to choose from, whatever is chosen now.
        every = await quarantine_view.groups(view.connection, Filter(ward["id"]), limit=1000)
        hours = await quarantine_view.hours(
            view.connection,
            since=quarantine.since(asked["span"], now, ward["zone"]),
            ward_id=ward["id"],
            device_id=asked["device"],
            error=asked["error"],
        )
        context = await render.frame(request, view)
    page = found[:_PAGE]
    periods = quarantine.periods(hours, asked["span"], now, ward["zone"])
    # Also when a form was answered in place of it.
    path = f"/wards/{ward['id']}/quarantine"
    more = {
        "path": path,
        "ward": ward,
        "asked": asked,
        "entries": [quarantine.entry_json(one) for one in page],
        "groups": [quarantine.group_json(one) for one in groups],
        "devices": sorted({one.device_id for one in every if one.device_id} | _given(asked["device"])),
        "reasons": [{"value": e, "text": e.replace("_", " ")} for e in _reasons(every, asked["error"])],
        "periods": periods,
        "most": max((one["times"] for one in periods), default=0),
        "total": sum(one["times"] for one in periods),
        "next": _next(asked, page[-1]) if len(found) > _PAGE else None,
        "here": f"{path}?{urlencode(_query(asked))}",
        "simulated": ward["simulated"],
        "errors": wrong or [],
        "form": form or {},
    }
    outcome = _outcome(request.query)
    if outcome is not None:
        more["notice"] = outcome
    return render.page(request, "quarantine.html", {**context, **more}, status=status)


def _asked(query: Mapping[str, str]) -> Json:
    """The filter, without whatever is none."""
    state, span = query.get("state", "open"), query.get("span", "24h")
    return {
        "device": _checked("device", query.get("device")),
        "error": _checked("error", query.get("error")),
        "state": state if state in _STATES else "open",
        "span": span if span in quarantine.SPANS else "24h",
    }


def _checked(field: str, value: str | None) -> str | None:
    if not value:
        return None
    try:
        found: str | None = getattr(requests.QuarantineQuery.model_validate({field: value}), field)
        return found
    except ValidationError:
        return None


def _given(value: str | None) -> set[str]:
    return set() if value is None else {value}


def _reasons(groups: list[quarantine_view.Group], asked: str | None) -> list[str]:
    return sorted({one.error for one in groups} | _given(asked))


def _query(asked: Json) -> Json:
    usual = {"state": "open", "span": "24h", "device": None, "error": None}
    return {key: value for key, value in asked.items() if value != usual[key]}


def _next(asked: Json, last: quarantine_view.Entry) -> str:
    return "?" + urlencode({**_query(asked), "cursor": residents_json.cursor(last.last_at, last.id)})


def _outcome(query: Mapping[str, str]) -> str | None:
    """What a form on this page came to, in words of ours and numbers."""
    numbers = {}
    for name in ("taken", "stored", "still", "left", "dismissed"):
        given = query.get(name, "")
        numbers[name] = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None
    if numbers["dismissed"] is not None:
        return f"{_count(numbers['dismissed'], 'entry', 'entries')} dismissed."
    if numbers["taken"] is None:
        return None
    messages = _count(numbers["taken"], "message", "messages")
    text = f"Tried again: {messages} taken in with {_count(numbers['stored'] or 0, 'new reading', 'new readings')}"
    if numbers["still"]:
        text += f", {numbers['still']} still refused"
    if numbers["left"]:
        text += f". {_count(numbers['left'], 'entry is', 'entries are')} left: try again once more"
    return text + "."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


async def retry_group(request: web.Request) -> web.StreamResponse:
    """The button "Try all again" of a device and reason."""
    form = await auth.form(request)
    ward_id = request.match_info["ward_id"]
    await _seek_ward(request, "quarantine.retry")
    device_id, error = _checked("device", form.get("device")), _checked("error", form.get("error"))
    if device_id is None:
        raise errors.NotFound
    tried = await quarantine.retry_group(request, device_id, error)
    found = {"taken": tried.taken_in, "stored": tried.stored, "still": tried.refused, "left": tried.left}
    raise _back(form.get("next"), f"/wards/{ward_id}/quarantine", found)


async def dismiss_group(request: web.Request) -> web.StreamResponse:
    """The form that dismisses what is open of a device and reason."""
    form = await auth.form(request)
    ward_id = request.match_info["ward_id"]
    await _seek_ward(request, "quarantine.dismiss")
    device_id, error = _checked("device", form.get("device")), _checked("error", form.get("error"))
    if device_id is None:
        raise errors.NotFound
    reason = _reason(form)
    if reason is None:
        return await ward_page(request, status=422, wrong=[_WHY], form=form)
    dismissed = await quarantine.dismiss_group(request, device_id, error, reason)
    raise _back(form.get("next"), f"/wards/{ward_id}/quarantine", {"dismissed": dismissed})


async def _seek_ward(request: web.Request, action: str) -> None:
    ward_id = request.match_info["ward_id"]
    async with access.sought(request, action, kind="ward", object_id=ward_id) as view:
        await quarantine.ward(view, ward_id)


_WHY = {"field": "reason", "text": "Say why it is dismissed, in at most 500 characters", "href": "#reason"}


def _reason(form: Mapping[str, str]) -> str | None:
    reason = form.get("reason", "").strip()
    return reason if 0 < len(reason) <= 500 and requests.plain(reason) else None


def _back(wanted: str | None, otherwise: str, found: Mapping[str, int]) -> web.HTTPSeeOther:
    path, _, query = render.own_path(wanted, otherwise).partition("?")
    kept = [
        part for part in query.split("&") if part and part.partition("=")[0] in ("device", "error", "state", "span")
    ]
    return web.HTTPSeeOther(f"{path}?{'&'.join([*kept, urlencode(found)])}")


# One entry -------------------------------------------------------------------------------------------


async def entry(request: web.Request) -> web.StreamResponse:
    """One entry, without its bytes."""
    return await entry_page(request)


async def entry_page(
    request: web.Request,
    *,
    status: int = 200,
    wrong: list[Json] | None = None,
    form: Json | None = None,
    with_bytes: bool = False,
) -> web.Response:
    """The page of an entry, perhaps with its bytes, perhaps with what was wrong with a form."""
    entry_id = request.match_info["entry_id"]
    action = "quarantine.bytes" if with_bytes else "quarantine.open"
    shown = None
    async with access.opened(request, action, kind="quarantine", object_id=entry_id) as view:
        found = await quarantine.entry(view, entry_id)
        assert found.ward_id is not None  # staff see no entry that is no ward's
        ward = await quarantine.ward(view, str(found.ward_id))
        if with_bytes:
            shown = quarantine_bytes.shown(await quarantine_view.payload(view.connection, found.id))
        context = await render.frame(request, view)
    more = {
        "ward": ward,
        "entry": quarantine.entry_json(found),
        "bytes": shown,
        "simulated": ward["simulated"],
        "errors": wrong or [],
        "form": form or {},
    }
    return render.page(request, "quarantine_entry.html", {**context, **more}, status=status)


async def entry_bytes(request: web.Request) -> web.StreamResponse:
    """The entry with its bytes, which may hold a resident's data: opening them is noted."""
    return await entry_page(request, with_bytes=True)


async def download(request: web.Request) -> web.StreamResponse:
    """The bytes as a file, which no browser takes for a page."""
    entry_id = request.match_info["entry_id"]
    async with access.opened(request, "quarantine.download", kind="quarantine", object_id=entry_id) as view:
        found = await quarantine.entry(view, entry_id)
        payload = await quarantine_view.payload(view.connection, found.id)
    headers = {"Content-Disposition": f'attachment; filename="quarantine-{found.id}.bin"'}
    return web.Response(body=payload, content_type="application/octet-stream", headers=headers)


async def retry_entry(request: web.Request) -> web.StreamResponse:
    """The button "Try again" of an entry."""
    form = await auth.form(request)
    await quarantine.retry_entry(request)
    raise render.then(form.get("next"), f"/quarantine/{request.match_info['entry_id']}", "tried")


async def dismiss_entry(request: web.Request) -> web.StreamResponse:
    """The form that dismisses an entry."""
    form = await auth.form(request)
    entry_id = request.match_info["entry_id"]
    reason = _reason(form)
    if reason is None:
        return await entry_page(request, status=422, wrong=[_WHY], form=form)
    try:
        await quarantine.dismiss_entry(request, reason)
    except errors.Conflict as error:
        text = str(error)
        wrong = [{"field": "reason", "text": text[:1].upper() + text[1:], "href": "#reason"}]
        return await entry_page(request, status=409, wrong=wrong, form=form)
    raise render.then(form.get("next"), f"/quarantine/{entry_id}", "dismissed")
