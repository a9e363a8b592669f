"""/api/v1: whom mails about a resident's video visits go to."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from telehealth.store import contacts, visit_desk
from telehealth.web import access, keys, parse, replies
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.record import api_residents
from telehealth.web.shown import residents_json
from telehealth.web.visits import visits_models as models
from telehealth.web.visits import visits_requests as wanted

Json = dict[str, Any]


@operation(models.Contacts, tag="visits")
async def resident_contacts(request: web.Request) -> web.Response:
    """Whom mails about a resident's visits go to."""
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "contact.list", kind="resident", object_id=resident_id) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        items = await _of_resident(view, found["id"])
    return reply({"items": items})


@operation(models.Contacts, body=wanted.AddContact, refusals=(409,), repeatable=True, tag="visits")
async def add_contact(request: web.Request) -> web.Response:
    """Add somebody who is told of a resident's visits by mail, from the next booking on."""
    await api_residents.seek(request, "contact.add")
    asked = await parse.body(request, wanted.AddContact)
    return reply(await replies.once(request, lambda: add(request, asked)))


@operation(models.Contacts, body=wanted.Nothing, refusals=(409,), repeatable=True, tag="visits")
async def remove_contact(request: web.Request) -> web.Response:
    """Mails go there no more, those that wait neither; the contacts that are left."""
    contact_id = request.match_info["contact_id"]
    async with access.sought(request, "contact.remove", kind="contact", object_id=contact_id) as view:
        await visit_desk.contact(view.connection, access.key(contact_id))
    await parse.body(request, wanted.Nothing)
    return reply(await replies.once(request, lambda: remove(request)))


async def add(request: web.Request, asked: wanted.AddContact) -> Json:
    """For page and API: the contacts afterwards. NotFound, Invalid, Conflict."""
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "contact.add", kind="resident", object_id=resident_id) as view:
        found = await api_residents.opened_resident(view, resident_id, now)
        await contacts.add(
            view.connection,
            found["id"],
            relation=asked.relation,
            name=asked.name.strip(),
            email=asked.email,
            reminders=asked.reminders,
            actor=view.caller.actor,
            now=now,
        )
        view.audited = True
        return {"items": await _of_resident(view, found["id"])}


async def remove(request: web.Request) -> Json:
    """For page and API: the contacts that are left. NotFound."""
    contact_id = request.match_info["contact_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "contact.remove", kind="contact", object_id=contact_id) as view:
        row = await visit_desk.contact(view.connection, access.key(contact_id))
        view.resident_id = row["resident_id"]
        await contacts.remove(view.connection, row["id"], actor=view.caller.actor, now=now)
        view.audited = True
        return {"resident": row["resident_id"], "items": await _of_resident(view, row["resident_id"])}


async def _of_resident(view: access.Opened, resident_id: int) -> list[Json]:
    found = await contacts.of_resident(view.connection, resident_id)
    return [residents_json.contact(one) for one in found]
