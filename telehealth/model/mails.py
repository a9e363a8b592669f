"""What mails say, in plain words: who it is with, when, and the link; nothing about anybody's health, no surname."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

About = Literal["booked", "moved", "cancelled", "reminder", "invitation", "summary"]


@dataclass(frozen=True)
class Sender:
    """The service as mails name it. public_url: how browsers reach it; without it mails carry no link."""

    public_url: str | None = None
    mail_from: str | None = None

    def join_url(self, token: str | None) -> str | None:
        """The address of a way in."""
        return None if token is None or self.public_url is None else f"{self.public_url.rstrip('/')}/join/{token}"


@dataclass(frozen=True)
class Text:
    """A mail. subject: at most 200 characters, no name in it."""

    subject: str
    body: str


_OPENINGS = {
    "booked": "A video visit with the ward team has been booked{of}.",
    "moved": "The time of the video visit with the ward team{of} has changed.",
    "reminder": "This is a reminder of the video visit with the ward team{of}.",
    "invitation": "You are invited to a video visit with the ward team{of}.",
    "cancelled": "The video visit with the ward team{of} will not take place.",
}
_TWICE = "first", "second"
_SUBJECTS = {
    "booked": "Your video visit on {when}",
    "moved": "Your video visit is now on {when}",
    "reminder": "Reminder: your video visit on {when}",
    "invitation": "You are invited to a video visit on {when}",
    "cancelled": "Your video visit on {when} is cancelled",
}


def visit(
    about: About, *, starts_at: datetime, minutes: int, zone: str, url: str | None, given_name: str | None = None
) -> Text:
    """A mail about a visit. zone: of the resident. given_name: of the resident, to somebody else; None: to them."""
    when, where = spoken(starts_at, zone), f"{_place(zone)} time{_which(starts_at, zone)}"
    opening = _OPENINGS[about].format(of="" if given_name is None else f" for {given_name}")
    lines = ["Hello,", "", opening, "", f"When: {when} ({where}), for about {minutes} minutes."]
    if about == "cancelled":
        lines += ["", "You need not do anything. The ward team will be in touch if there is to be another visit."]
    else:
        lines += ["", *_way_in(url), "", *_advice()]
    return Text(_SUBJECTS[about].format(when=when), "\n".join([*lines, "", *_ending()]) + "\n")


def summary(text: str, *, starts_at: datetime, zone: str) -> Text:
    """What the ward team wrote to the resident after a visit, because they wished it by mail."""
    lines = [
        "Hello,",
        "",
        f"After the video visit on {spoken(starts_at, zone)} the ward team writes:",
        "",
        text.strip(),
    ]
    return Text("After your video visit", "\n".join([*lines, "", *_ending()]) + "\n")


def spoken(at: datetime, zone: str) -> str:
    """A moment as people say it: Tuesday 3 March 2026 at 10:30."""
    local = at.astimezone(zoneinfo.ZoneInfo(zone))
    return f"{local:%A} {local.day} {local:%B %Y} at {local:%H:%M}"


def _which(at: datetime, zone: str) -> str:
    """Of a time that comes twice that day: which of the two it is."""
    local = at.astimezone(zoneinfo.ZoneInfo(zone))
    if local.replace(fold=1 - local.fold).utcoffset() == local.utcoffset():
        return ""
    return f"; {local:%H:%M} comes twice that day, because the clocks go back: it is the {_TWICE[local.fold]}"


def _place(zone: str) -> str:
    return zone.rsplit("/", maxsplit=1)[-1].replace("_", " ")


def _way_in(url: str | None) -> list[str]:
    if url is None:
        return ["The ward team will tell you how to join."]
    return [
        "To join, open this link on the phone, tablet or computer that you will use, and press the button there:",
        "",
        url,
        "",
        "The link works only on the first device on which its button is pressed. Please do not pass it on.",
    ]


def _advice() -> list[str]:
    return [
        "You can come in from half an hour before. Your camera and sound are tried first, and then the ward team lets",
        "you in. You need no account and nothing to install.",
    ]


def _ending() -> list[str]:
    return [
        "If you feel very unwell, do not wait for this visit: call 999, or 111 for advice.",
        "",
        "This message was sent automatically; nobody reads answers to it. To change anything, call your ward team.",
    ]
