"""What a resident is told to do at once, by their devices: of an episode that their own answer made red."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.episodes import Episode

#: Chosen: afterwards somebody else has rung, or it is no longer about now.
LASTS = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Advice:
    """Words to show, about answers yes (or scores) to these codes. Until then; later they come too late."""

    resident: int
    rule: str
    since: datetime  #: beginning of the episode: it is told once from then on
    text: str
    codes: tuple[str, ...]
    about_at: datetime  #: of the newest of these answers
    until: datetime


def wanted(episode: Episode) -> Advice | None:
    """What devices should show while the episode goes on; None if its rule has no words or it is not red."""
    if episode.ended_at is not None:
        return None
    return of(episode.resident, episode.rule, _EPOCH + timedelta(microseconds=episode.started_at), episode.evidence)


def of(resident: int, rule: str, since: datetime, evidence: Mapping[str, Any]) -> Advice | None:
    """The same of an episode's evidence, whether it has ended or not."""
    text = (evidence.get("rule") or {}).get("resident_text")
    answers = [one for one in evidence.get("inputs") or () if one.get("fresh") and one.get("value")]
    if not text or evidence.get("level") != "red" or not answers:
        return None
    newest = max(datetime.fromisoformat(one["at"]) for one in answers)
    codes = tuple(sorted({str(one["code"]) for one in answers}))
    return Advice(resident, rule, since, text, codes, newest, newest + LASTS)
