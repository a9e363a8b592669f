"""What is wrong with devices as things, as episodes: battery, firmware, silence, what runs out or has to be checked.

A pure function of the conditions that were noted and of the registry's dates; local days are the ward's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts import moments
from alerts.episodes import Episode, Priority
from telehealth.model import technical as rules
from telehealth.model.technical import Condition
from telehealth.store import evaluation, technical
from telehealth.store.db import Connection
from telehealth.store.technical import Upkeep

_ZONE: Final = ZoneInfo("Europe/London")
_PRIORITY: Final[dict[str, Priority]] = {
    "low": "low",
    "critical": "medium",
    "old": "low",
    "silent": "low",
    "soon": "low",
    "overdue": "medium",
}


async def judge(
    connection: Connection, device_pks: Sequence[int], since: dict[int, datetime], now: datetime
) -> tuple[dict[int, list[Episode]], dict[int, int]]:
    """Note what has changed about devices. Their episodes that reach a moment of each, and when to look again."""
    known = await technical.known(connection, device_pks, now)
    wakes: dict[int, int] = {}
    changed: dict[int, list[Condition]] = {}
    for device_pk, said in known.said.items():
        found, wake = rules.decide(said, known.present.get(device_pk, {}), known.settings_of(device_pk), now)
        if found:
            changed[device_pk] = found
        if wake is not None:
            wakes[device_pk] = evaluation.micros(wake)
    await technical.note(connection, changed, known)
    conditions = await technical.conditions(connection, since)
    upkeep = await technical.upkeep(connection, since)
    episodes: dict[int, list[Episode]] = {}
    for device_pk in device_pks:
        of_device = [condition_episode(device_pk, condition) for condition in conditions.get(device_pk, ())]
        for item in upkeep.get(device_pk, ()):
            of_device += upkeep_episodes(device_pk, item, now)
            if (at := _next(item, now)) is not None:
                wakes[device_pk] = min(at, wakes.get(device_pk, at))
        first = evaluation.micros(since[device_pk])
        episodes[device_pk] = [e for e in of_device if e.ended_at is None or e.ended_at >= first]
    return episodes, wakes


# Conditions ------------------------------------------------------------------------------------------


def condition_episode(device_pk: int, condition: Condition) -> Episode:
    """The episode of one condition."""
    detail = condition.detail
    peak: float | None = None
    match condition.kind:
        case "battery":
            reason, more, peak = _battery(condition)
        case "firmware":
            least = detail["settings"][0]["value"]
            reason = f"Firmware {detail['firmware']} of the device is older than {least}, the oldest that may be used"
            more = {"what_to_do": "Update the device, or exchange it.", "clears_when": f"it says {least} or later"}
        case "silent":
            reason, more = _silent(condition)
    inputs = {key: value for key, value in detail.items() if key != "settings"}
    return _episode(
        device_pk,
        condition.kind,
        condition.since,
        condition.until,
        condition.level,
        reason,
        peak,
        {**inputs, "settings": detail["settings"], **more},
    )


def _battery(condition: Condition) -> tuple[str, dict[str, Any], float]:
    detail, critical = condition.detail, condition.level == "critical"
    low, least = (setting["value"] for setting in detail["settings"][:2])
    limit = least if critical else low
    lowest = detail["lowest"]
    reason = f"Battery of the device at {_percent(lowest)}, below {_percent(limit)} ({condition.level})"
    if critical:
        reason += ": it may stop measuring"
    more = {
        "what_to_do": "Have it charged, or its batteries changed.",
        "clears_when": f"it says {_percent(detail['clears_from'])} or more",
    }
    return reason, more, round(100 * lowest, 1)


def _silent(condition: Condition) -> tuple[str, dict[str, Any]]:
    detail = condition.detail
    setting = detail["settings"][0]
    heard = datetime.fromisoformat(detail["heard_at"])
    since = f"{heard.astimezone(_ZONE):%d-%b %H:%M}"
    if detail["why"] == "offline":
        reason = f"Device offline since {since}, for {setting['value']:g} h or more"
    else:
        reason = f"Device not heard of since {since}; it is expected every {setting['value']:g} minutes"
    more = {
        "what_to_do": "Ask whether it is switched on and in reach of its network; what it measured meanwhile may come.",
        "clears_when": "anything is heard of it, or nobody has it any more",
    }
    return reason, more


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


# Upkeep ----------------------------------------------------------------------------------------------


def upkeep_episodes(device_pk: int, item: Upkeep, now: datetime) -> Iterator[Episode]:
    """From the first day of warning until the item was replaced or checked; as it is known now."""
    began = max(_midnight(item.due_on - timedelta(days=item.warn_days)), item.created_at)
    ended = item.ended_at
    if began > now or (ended is not None and ended <= began):
        return
    over_at = _midnight(item.due_on + timedelta(days=1))
    over = over_at <= (now if ended is None else min(ended, now))
    level = "overdue" if over else "soon"
    name = item.item.replace("_", " ")
    name = name[0].upper() + name[1:]
    day = f"{item.due_on.day} {item.due_on:%b %Y}"
    if item.kind == "consumable":
        reason = f"{name} of the device {'expired on' if over else 'to be replaced by'} {day}"
        to_do = "Replace it, and enter the new date: telehealth device upkeep."
    else:
        reason = f"{name} of the device {'should have been checked by' if over else 'to be checked by'} {day}"
        to_do = "Have it checked or exchange the device, and enter the next date: telehealth device upkeep."
    evidence = {
        "item": item.item,
        "due_on": item.due_on.isoformat(),
        "warn_days": item.warn_days,
        "what_to_do": to_do,
        "clears_when": "another date is entered, or the item is taken away",
    }
    yield _episode(device_pk, f"{item.kind}/{item.item}", began, ended, level, reason, None, evidence)


def _next(item: Upkeep, now: datetime) -> int | None:
    """When time alone changes what is said of it."""
    if item.ended_at is not None:
        return None
    days = (item.due_on - timedelta(days=item.warn_days), item.due_on + timedelta(days=1))
    return next((evaluation.micros(at) for at in map(_midnight, days) if at > now), None)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), _ZONE)


def _episode(
    device_pk: int,
    rule: str,
    since: datetime,
    until: datetime | None,
    level: str,
    reason: str,
    peak: float | None,
    evidence: dict[str, Any],
) -> Episode:
    started = evaluation.micros(since)
    ended = None if until is None else evaluation.micros(until)
    told = {"level": level, "reason": reason, "since": moments.instant(started), **evidence}
    if ended is not None:
        told["ended"] = {"at": moments.instant(ended), "how": "cleared"}
    return Episode(
        resident=device_pk,
        rule=rule,
        started_at=started,
        ended_at=ended,
        ending=None if ended is None else "cleared",
        peak_at=started,
        peak_value=peak,
        priority=_PRIORITY[level],
        level=level,
        provisional=False,
        reason=reason,
        evidence=told,
    )
