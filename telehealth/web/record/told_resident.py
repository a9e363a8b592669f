"""What a resident's devices showed because of a red flag, as an alert says it; and when somebody must ring instead."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts import advice
from telehealth.store import alerts, commands
from telehealth.store.commands import Told
from telehealth.store.db import Connection

Json = dict[str, Any]

_KEYED = "Staff entered the answer, so no device was told to show anything."
_NOBODY = "No device shows it: the resident had none in use, or the answer came too late."
_NOT_SENT = "It could not be sent in time."
_SAID = {"waiting": "not sent yet", "published": "sent", "expired": "not sent in time"}


async def shown(connection: Connection, found: alerts.Detail, *, now: datetime) -> Json | None:
    """Of the alert's newest red episode whose rule has words for the resident; None if there is none.

    text: the words; devices: each with its state; why: why no device shows them; ring: somebody has to ring.
    """
    resident_id = found.alert.resident_id
    if resident_id is None:
        return None
    every = [advice.of(resident_id, found.alert.rule, one.started_at, one.evidence) for one in found.episodes]
    about = max((one for one in every if one is not None), key=lambda one: one.about_at, default=None)
    if about is None:
        return None
    told = await commands.told(connection, about)
    why = None
    if not told:
        why = _NOBODY if await commands.by_device(connection, about) else _KEYED
    elif all(_missed(one, now) for one in told):
        why = _NOT_SENT
    return {
        "text": told[-1].text if told else about.text,
        "devices": [_device(one, now) for one in told],
        "why": why,
        "ring": why in (_NOBODY, _NOT_SENT),
    }


def _missed(one: Told, now: datetime) -> bool:
    return one.state == "expired" or (one.state == "waiting" and one.expires_at <= now)


def _device(one: Told, now: datetime) -> Json:
    state = "expired" if _missed(one, now) else one.state
    return {
        "device_id": one.device_id,
        "state": _SAID[state],
        "at": one.settled_at if state == "published" else one.created_at,
        "until": one.expires_at,
    }
