"""What a device is asked to do, as it is told: the same words by MQTT and by HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from devices import catalogue, commands

#: Who calls, on the resident's screen.
_CALLER = "Your ward team"


def measure(id: UUID, codes: Sequence[str], subject: str | None, expires_at: datetime) -> commands.Measure:
    """Measure these again."""
    names = [_called(code) for code in codes]
    listed = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
    return commands.Measure(
        id=str(id),
        expires_at=_whole(expires_at),
        codes=tuple(codes),
        reason=f"Please sit still and measure again: {listed}.",
        subject=subject,
    )


def ring(
    id: UUID, link_id: int | None, subject: str | None, expires_at: datetime, public_url: str | None
) -> commands.Ring:
    """An incoming call; its page opens in the browser that the resident's link is bound to."""
    base = (public_url or "").rstrip("/")
    return commands.Ring(
        id=str(id),
        expires_at=_whole(expires_at),
        url=f"{base}/" if link_id is None else f"{base}/visit/{link_id}",
        caller=_CALLER,
        subject=subject,
    )


def message(id: UUID, text: str, subject: str | None, expires_at: datetime) -> commands.Text:
    """Words to show."""
    return commands.Text(id=str(id), expires_at=_whole(expires_at), text=text, subject=subject)


def _called(code: str) -> str:
    name = catalogue.ENTRIES[code].display
    return name if name[:2].isupper() else name[:1].lower() + name[1:]


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
