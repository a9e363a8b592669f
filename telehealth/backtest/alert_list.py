"""The alerts of a replay in the format of an export: `telehealth backtest --alerts`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import about, backtest
from telehealth import clock
from telehealth.model import alert_list

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def document(people: Sequence[str], replay: backtest.Replay, pathway: str | None) -> dict[str, Any]:
    """raised_at is the clinical time: in a replay every reading comes at once."""
    return alert_list.document("telehealth backtest", clock.real_now(), listed(people, replay, pathway))


def listed(people: Sequence[str], replay: backtest.Replay, pathway: str | None) -> Iterator[alert_list.Listed]:
    """Nobody handles anything in a replay; human: somebody would have had to."""
    for number, alert in enumerate(replay.alerts, start=1):
        raised = _time(alert.started_at)
        yield alert_list.Listed(
            str(number) if pathway is None else f"{pathway}/{number}",
            people[alert.person],
            None,
            pathway,
            alert.rule,
            alert.codes,
            alert.priority,
            [(priority, _time(at)) for priority, at in alert.priorities],
            raised,
            raised,
            None if alert.ended_at is None else _time(alert.ended_at),
            not alert.auto,
            None,
            about.category(alert.rule),
        )


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
