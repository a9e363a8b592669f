"""From what the database holds of a resident to the row of the board. Pure; the shapes are in templates/CONTEXT.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from telehealth.model import people
from telehealth.store.alerts import Alert
from telehealth.store.board import SPARK, Occupant
from telehealth.store.db import Record
from telehealth.web.shown import expectations, formats, measures, score

Json = dict[str, Any]

_PRIORITY = {"high": 3, "medium": 2, "low": 1}
#: From when on a value is old, where no rule says so.
_OLD = timedelta(hours=24)
_OLD_SCHEDULED = timedelta(hours=36)
_OLD_CONTINUOUS = timedelta(minutes=30)


def row(occupant: Occupant, spark: Sequence[tuple[datetime, float]], now: datetime) -> Json:
    """One resident's row. spark: points of the principal code."""
    r = occupant.resident
    rules = rule_list(r["rules"])
    born = r["born"]
    scored = score.score(occupant.latest, rules, now=now, age=_age(born, r["zone"], now))
    return {
        "id": r["id"],
        "name": people.display_name(r["family_name"], r["given_name"], r["title"]),
        "sort_name": f"{r['family_name']} {r['given_name']} {r['id']}".casefold(),
        "nhs_number": r["nhs_number"],
        "born": born.isoformat(),
        "age": _age(born, r["zone"], now),
        "gender": r["gender"],
        "pathway": r["pathway"],
        "simulated": r["simulated"],
        "worse": worse(occupant.alerts, scored),
        "latest": {
            code: _latest(code, found, rules, r["schedule"] or {})
            for code, found in sorted(occupant.latest.items(), key=lambda item: measures.order(item[0]))
        },
        "news2": scored,
        "spark": _spark(principal(occupant), spark, now),
        "alert": _worst(occupant.alerts),
        "contact": {"at": formats.iso(_contact(occupant))},
        "pause": pause(r),
        "expected": expectations.awaited(r, occupant.latest, rules, now),
    }


def pause(r: Record) -> Json | None:
    """The pause that holds now."""
    if r["pause_reason"] is None:
        return None
    return {
        "since": formats.iso(r["paused_from"]),
        "until": formats.iso(r["paused_until"]),
        "reason": r["pause_reason"],
    }


def alert(found: Alert) -> Json:
    """An alert as lists, events and the API show it."""
    if found.resident_id is not None:
        subject = people.display_name(found.family_name or "", found.given_name or "", found.title)
    else:
        subject = f"device {found.device_id}"
    return {
        "id": found.id,
        "ward_id": found.ward_id,
        "resident_id": found.resident_id,
        "device_id": found.device_id,
        "subject": subject,
        "nhs_number": found.nhs_number,
        "rule": found.rule,
        "code": rule_code(found.rule, found.evidence),
        "kind": found.kind,
        "priority": found.priority,
        "condition": found.condition,
        "handling": found.handling,
        "open": found.open,
        "provisional": found.provisional,
        "late": found.late,
        "onset_at": formats.iso(found.onset_at),
        "raised_at": formats.iso(found.raised_at),
        "changed_at": formats.iso(found.changed_at),
        "reason": found.reason,
    }


def by_urgency(alerts: Iterable[Alert]) -> list[Alert]:
    """Open before closed, then the worst, then the newest."""
    return sorted(alerts, key=lambda a: (a.open, _urgency(a), a.raised_at, a.id), reverse=True)


def columns(rows: Sequence[Json]) -> list[Json]:
    """The board's columns: those of NEWS2, and what else somebody has."""
    present = {code for one in rows for code in one["latest"]}
    codes = [*measures.BOARD, *(code for code in measures.FURTHER if code in present)]
    return [{"code": c, "name": measures.name(c), "short": measures.short(c), "unit": measures.unit(c)} for c in codes]


def worse(alerts: Sequence[Alert], scored: Json | None) -> int:
    """Greater is worse: the most urgent open alert, how many need somebody, then NEWS2."""
    urgent = max((_urgency(a) for a in alerts), default=0)
    waiting = min(9, sum(a.handling == "new" for a in alerts))
    total = (scored or {}).get("total") or 0
    return urgent * 10_000 + waiting * 100 + int(total)


def principal(occupant: Occupant) -> str | None:
    """The code of the small chart: of the first rule of the pathway that has a value."""
    codes = [rule["code"] for rule in rule_list(occupant.resident["rules"]) if rule.get("kind") == "threshold"]
    codes += sorted(occupant.latest, key=measures.order)
    return next((c for c in codes if c in occupant.latest and measures.is_number(c)), None)


def rule_list(rules: Any) -> list[Json]:
    """The rules of a rule set as stored; empty if there is none."""
    return list(rules.get("rules", ())) if isinstance(rules, Mapping) else []


def rule_code(rule: str, evidence: Mapping[str, Any] | None = None) -> str | None:
    """The code that a rule is about: spo2 of threshold/spo2/low; of change/weight_3_days what its evidence says."""
    said = ((evidence or {}).get("rule") or {}).get("code")
    named = said if isinstance(said, str) else next(iter(rule.split("/")[1:2]), None)
    return named if named is not None and measures.known(named) else None


def _urgency(a: Alert) -> int:
    """Unhandled before handled of the same priority, active before cleared, physiological before technical.

    What was withdrawn comes last: by what is known now, its rule finds nothing.
    """
    if a.condition == "withdrawn":
        return 0
    return (
        _PRIORITY[a.priority] * 8
        + (a.handling == "new") * 4
        + (a.condition == "active") * 2
        + (a.kind == "physiological")
    )


def _worst(alerts: Sequence[Alert]) -> Json | None:
    if not alerts:
        return None
    worst = by_urgency(alerts)[0]
    return {
        "id": worst.id,
        "priority": worst.priority,
        "kind": worst.kind,
        "condition": worst.condition,
        "handling": worst.handling,
        "rule": worst.rule,
        "reason": worst.reason,
        "since": formats.iso(worst.onset_at),
        "provisional": worst.provisional,
        "late": worst.late,
        "count": len(alerts),
        "new": sum(a.handling == "new" for a in alerts),
    }


def _latest(code: str, found: Record, rules: Sequence[Json], schedule: Mapping[str, Any]) -> Json:
    marks = found["marks"] or ()
    level, side = _level(code, found["value"], rules)
    return {
        "value": measures.plain(code, found["value"], found["value_code"]),
        "text": measures.text(code, found["value"], found["value_code"]),
        "unit": measures.shown_unit(found["unit"]),
        "effective_at": formats.iso(found["effective_at"]),
        "received_at": formats.iso(found["received_at"]),
        "stale_at": formats.iso(found["effective_at"] + _old_after(code, rules, schedule)),
        "level": level,
        "side": side,
        "absent": found["absent"],
        "uncertain": "clock_uncertain" in marks,
        "extreme": "extreme" in marks,
        "method": found["method"],
    }


def _level(code: str, value: float | None, rules: Sequence[Json]) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    for rule in rules:
        if rule.get("kind") != "threshold" or rule.get("code") != code:
            continue
        for level in ("red", "amber"):
            low, high = rule.get(f"{level}_low"), rule.get(f"{level}_high")
            if low is not None and value < low:
                return level, "low"
            if high is not None and value > high:
                return level, "high"
    return None, None


def _old_after(code: str, rules: Sequence[Json], schedule: Mapping[str, Any]) -> timedelta:
    for rule in rules:
        if rule.get("kind") == "threshold" and rule.get("code") == code and rule.get("sampling") == "continuous":
            return _OLD_CONTINUOUS
    for rule in rules:
        seconds = (rule.get("max_age_seconds") or {}).get(code) if rule.get("kind") == "news2" else None
        if seconds is not None:
            return timedelta(seconds=seconds)
    return _OLD_SCHEDULED if code in schedule else _OLD


def _contact(occupant: Occupant) -> datetime | None:
    heard = [found["received_at"] for found in occupant.latest.values()]
    if occupant.resident["seen_at"] is not None:
        heard.append(occupant.resident["seen_at"])
    return max(heard, default=None)


def _spark(code: str | None, points: Sequence[tuple[datetime, float]], now: datetime) -> Json | None:
    if code is None or not points:
        return None
    drawn: list[tuple[int, float | None]] = [(formats.milliseconds(at), value) for at, value in points]
    for start, end in measures.gaps([at.timestamp() for at, _ in points]):
        drawn.append((round((start + end) * 500), None))
    return {
        "code": code,
        "name": measures.name(code),
        "unit": measures.unit(code),
        "from_ms": formats.milliseconds(now - SPARK),
        "to_ms": formats.milliseconds(now),
        "points": [list(point) for point in sorted(drawn, key=lambda point: point[0])],
    }


def _age(born: Any, zone: str, now: datetime) -> int:
    return formats.years(born, now.astimezone(formats.zone_of(zone)).date())
