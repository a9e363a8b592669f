"""Charts draw the limits that held: of each version of the rules, and of each time of the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from telehealth.store.residents_view import History
from telehealth.web.shown import trends

T0 = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHT = {"from": "22:00", "to": "07:00", "amber_low": 88}


def version(since: datetime, **fields: Any) -> Any:
    rule = {"kind": "threshold", "code": "spo2", "red_low": 85, "amber_low": 92, **fields}
    return {"valid_from": since, "rules": {"rules": [rule]}}


def drawn(versions: list[Any], since: datetime, until: datetime) -> list[tuple[float, float | None, float | None]]:
    """Hours from T0 on and the amber limit."""
    point: Any = {"code": "spo2", "effective_at": since, "value": 96.0, "marks": [], "method": "device"}
    history: Any = History(points=[point], medians={}, alerts=[], pauses=[], rules=versions)
    built = trends.build(1, "Europe/London", history, since=since, until=until, now=until)

    def hours(at: int | None) -> float | None:
        return None if at is None else (at / 1000 - T0.timestamp()) / 3600

    return [
        (hours(one["from_ms"]) or 0.0, hours(one["to_ms"]), one["amber_low"]) for one in built["charts"][0]["limits"]
    ]


def test_the_limits_of_the_night_are_drawn_at_night() -> None:
    limits = [version(T0 - 48 * HOUR, profiles=[NIGHT])]
    assert drawn(limits, T0, T0 + 36 * HOUR) == [(0, 7, 88), (7, 22, 92), (22, 31, 88), (31, None, 92)]


def test_each_version_has_its_own() -> None:
    versions = [version(T0 - HOUR, profiles=[NIGHT]), version(T0 + 10 * HOUR, amber_low=93)]
    assert drawn(versions, T0, T0 + 24 * HOUR) == [(0, 7, 88), (7, 10, 92), (10, None, 93)]
    assert drawn(versions, T0 + 12 * HOUR, T0 + 24 * HOUR) == [(12, None, 93)]


def test_without_profiles_there_is_one_stretch() -> None:
    assert drawn([version(T0 - HOUR)], T0, T0 + 24 * HOUR) == [(0, None, 92)]
