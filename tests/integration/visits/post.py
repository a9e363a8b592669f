"""Mails as tests see them: a server that takes them, what waits, and what is in one."""

from __future__ import annotations

from email.message import EmailMessage

import icalendar

from telehealth.clock import ClinicalClock, Step
from telehealth.notify import smtp
from telehealth.store import db, mail
from telehealth.store.db import Database
from tests.integration.visits.scene import REAL, T0
from tests.support import smtp_sink

OPERATOR = db.operator("tests")
CLOCK = ClinicalClock(Step(T0, T0))


def server(sink: smtp_sink.Sink) -> smtp.Server:
    return smtp.Server("127.0.0.1", sink.port, False, "ward@ward.example")


async def mails(database: Database) -> list[mail.Listed]:
    async with database.transaction(OPERATOR, read_only=True) as connection:
        return await mail.listing(connection)


async def make_due(database: Database) -> None:
    """As if the time for all that waits had come."""
    async with database.transaction(OPERATOR) as connection:
        await connection.execute("UPDATE mail SET due_at = $1 WHERE state = 'waiting'", REAL)


def calendar_of(message: EmailMessage) -> icalendar.Event:
    part = next(p for p in message.walk() if p.get_content_type() == "text/calendar")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    calendar = icalendar.Calendar.from_ical(content)
    assert calendar["method"] == part.get_param("method")
    event = next(iter(calendar.walk("VEVENT")))
    assert isinstance(event, icalendar.Event)
    return event


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
