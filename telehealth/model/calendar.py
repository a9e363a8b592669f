"""Calendar files of appointments, for whoever is invited: no name and nothing about anybody's health in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import icalendar

Method = Literal["REQUEST", "CANCEL"]
SUMMARY: Final = "Video visit with your ward team"
#: Who invites, as long as nobody knows from which address: who sends the file puts that in its place (invited_by).
NOBODY: Final = "no-reply@telehealth.invalid"


def event(
    *,
    uid: UUID,
    revision: int,
    method: Method,
    starts_at: datetime,
    minutes: int,
    stamp: datetime,
    organiser: str | None,
    attendee: str,
    url: str | None = None,
) -> str:
    """A calendar file (RFC 5545, 5546) with one event: the same bytes for the same arguments.

    stamp: when the appointment was booked, moved or cancelled; aware, as starts_at. A later revision replaces an
    earlier one in the calendar of whoever took that in.
    """
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//telehealth//visits//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    entry = icalendar.Event()
    entry.add("uid", f"{uid}@telehealth")
    entry.add("sequence", revision)
    entry.add("dtstamp", _whole(stamp))
    entry.add("dtstart", _whole(starts_at))
    entry.add("dtend", _whole(starts_at) + timedelta(minutes=minutes))
    entry.add("summary", SUMMARY)
    entry.add("status", "CONFIRMED" if method == "REQUEST" else "CANCELLED")
    entry.add("class", "PRIVATE")
    entry.add("transp", "OPAQUE")
    entry["organizer"] = icalendar.vCalAddress(f"mailto:{organiser or NOBODY}")
    guest = icalendar.vCalAddress(f"mailto:{attendee}")
    guest.params["PARTSTAT"] = "NEEDS-ACTION"
    guest.params["RSVP"] = "FALSE"
    entry["attendee"] = guest
    if url is not None:
        entry.add("url", url)
        entry.add("location", url)
    if method == "REQUEST":
        alarm = icalendar.Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", SUMMARY)
        alarm.add("trigger", timedelta(minutes=-15))
        entry.add_component(alarm)
    calendar.add_component(entry)
    written: bytes = calendar.to_ical()
    return written.decode()


def invited_by(event: str, organiser: str) -> str:
    """The file with who invites, where it had nobody: a calendar follows changes of the same organiser only."""
    return event.replace(f"mailto:{NOBODY}", f"mailto:{organiser}")


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
