"""What each rule of a resident thinks now: open, watching, or unable to decide and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, assert_never

from alerts import book, codes, rules
from alerts.kinds.base import Assessment, Finding
from alerts.state import State

Doing = Literal["open", "watching", "cannot_decide"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of one rule. key as in overrides; level of what is open; needs: what it lacks, in plain words."""

    key: str
    doing: Doing
    level: str = ""
    needs: str = ""
    #: Of an assessment that can decide, oriented so that greater is worse: peaks.value says what it stands for.
    signal: float | None = None


def opinions(state: State, rule_set: rules.RuleSet, zone: str, at: int) -> list[Opinion]:
    """In the order of the rules. state: the newest one of the resident; at: microseconds, not before it."""
    desk = book.Desk(zone, state.kept, state.pages, state.last.get, lambda key: _level(state, key))
    desk.at, desk.day = at, book.local_day(zone, at)
    return [_opinion(rule, state, desk) for rule in rule_set.rules]


def _opinion(rule: rules.Rule, state: State, desk: book.Desk) -> Opinion:
    key = rules.key_of(rule)
    level = _open(state, key)
    found = rule.assess(desk) if isinstance(rule, Assessment) else None
    signal = found.signal if isinstance(found, Finding) else None
    if level:
        return Opinion(key, "open", level, signal=signal)
    if found is not None and not isinstance(found, Finding):
        return Opinion(key, "cannot_decide", needs=found.needs)
    match rule:
        case Assessment():
            return Opinion(key, "watching", signal=signal)
        case rules.Threshold():
            if rule.code in state.last:
                return Opinion(key, "watching")
            return Opinion(
                key, "cannot_decide", needs=f"a first reading of {codes.BY_KEY[rule.code].name} in this stay"
            )
        case rules.News2() | rules.Silence():
            return Opinion(key, "watching")
        case _:
            assert_never(rule)


def _open(state: State, key: str) -> str:
    """The level that a rule is open at, of both sides of a threshold the worse; "" if it is not."""
    names: list[tuple[int, str]] = []
    for name, track in state.tracks.items():
        if (name == key or name.startswith(key + "/")) and track["open"] is not None:
            opened: dict[str, Any] = track["open"]
            names.append((opened.get("level", 1), opened.get("level_name", "missing")))
    return max(names, default=(0, ""))[1]


def _level(state: State, key: str) -> int:
    track = state.tracks.get(key)
    return 0 if track is None or track["open"] is None else int(track["open"].get("level", 1))
