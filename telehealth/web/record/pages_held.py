"""The page of a ward's readings that wait for a person."""

from __future__ import annotations

from aiohttp import web

from devices import topics
from telehealth.store import held
from telehealth.web import access, errors, render
from telehealth.web.record import api_readings
from telehealth.web.shown import held_json

_PAGE = 100


async def ward_held(request: web.Request) -> web.StreamResponse:
    """Readings of nobody by device and set, and those of residents about which there is a question."""
    ward_id = request.match_info["ward_id"]
    device = request.query.get("device") or None
    if device is not None and not topics.valid_device_id(device):
        # None of ours, so it has nothing; and what was sent is not repeated.
        device = None
    try:
        after = api_readings.place(request.query.get("after") or None)
    except errors.Problem:
        after = None
    async with access.opened(request, "held.open", kind="ward", object_id=ward_id) as view:
        found = await api_readings.listed(view, ward_id, after=after, device_id=device, limit=_PAGE)
        context = await render.frame(request, view)
    questions = found["questioned"]
    more = {
        "ward": found["ward"],
        "groups": held_json.groups(found["items"]),
        "conflicts": held_json.conflicts_together(q for q in questions if "conflict" in q["why"]),
        "doubts": [q for q in questions if "maybe_other" in q["why"]],
        "waiting": found["waiting"],
        "most": held.MOST_COUNTED,
        "next": found["next"],
        "first_page": after is None,
        "device": device,
        "simulated": found["ward"]["simulated"],
    }
    return render.page(request, "held.html", {**context, **more})
