"""Device clocks that are wrong, as episodes of the technical rule "clock": a pure function of when they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts import reasons
from alerts.episodes import Episode
from devices import clockwork
from telehealth.store import evaluation
from telehealth.store.clocks import Period

#: Not to be confused with clock/<code>/low|high: red values of no known time.
RULE: Final = "clock"
_ZONE: Final = ZoneInfo("Europe/London")
_TO_DO: Final = {
    "unset": "Set the device's clock, or let it reach its time server; look at its battery.",
    "fast": "Set the device's clock; look at its time zone and daylight saving.",
    "slow": "Set the device's clock; look at its time zone and daylight saving.",
}


def episodes(device_pk: int, periods: Sequence[Period]) -> list[Episode]:
    """One for each time that the clock was wrong in one way; of lowest priority, and over when it is right again."""
    return [_episode(device_pk, period) for period in periods]


def _episode(device_pk: int, period: Period) -> Episode:
    started = evaluation.micros(period.since)
    ended = None if period.until is None else evaluation.micros(period.until)
    told = clockwork.sentence(period.kind, period.skew_ms, period.since, _ZONE)
    reason = f"Device clock {told}; times of its readings are estimated"
    evidence: dict[str, Any] = {
        "level": "wrong",
        "reason": reason,
        "wrong": clockwork.wrongness(period.kind, period.skew_ms),
        "since": reasons.instant(started),
        "probably": None if period.kind == "unset" else clockwork.cause(period.skew_ms),
        "seconds_ahead": None if period.kind == "unset" else round(period.skew_ms / 1000),
        "step_seconds": None if period.step_ms is None else round(period.step_ms / 1000),
        "what_to_do": _TO_DO[period.kind],
        "clears_when": "the device's clock is right again",
    }
    if ended is not None:
        evidence["ended"] = {"at": reasons.instant(ended), "how": "cleared"}
    return Episode(
        resident=device_pk,
        rule=RULE,
        started_at=started,
        ended_at=ended,
        ending=None if ended is None else "cleared",
        peak_at=started,
        peak_value=None,
        priority="low",
        level="wrong",
        provisional=False,
        reason=reason,
        evidence=evidence,
    )
