"""Why: one sentence that a nurse can read, and the evidence behind it, from a track that has opened."""

from __future__ import annotations

from typing import Any

from alerts import codes, moments, news2, peaks, profiles, rules, schedule, timeline, tracks
from alerts.episodes import Episode
from alerts.kinds.base import Assessment

_QUALITY = (
    (timeline.UNCERTAIN, "clock_uncertain"),
    (timeline.EXTREME, "extreme"),
    (timeline.POOR, "poor_quality"),
    (timeline.CONFLICT, "conflict"),
)
_ENDINGS = {
    "cleared": "it returned to normal",
    "withdrawn": "a repeat measurement did not confirm it",
    "paused": "monitoring was paused",
    "discharged": "the stay ended",
    "rule_removed": "the rule was taken out of the resident's rules",
}


instant = moments.instant
clock = moments.clock


# Rules as they stood ------------------------------------------------------------------------------


def threshold_rule(
    rule_set: rules.RuleSet, threshold: rules.Threshold, side: str, at: int, zone: str
) -> dict[str, Any]:
    """With the limits in force at a moment, by the resident's wall clock."""
    profile, rule = threshold.in_force(side, profiles.minute_of_day(at, zone))
    amber, red = rule.limit(side, "amber"), rule.limit(side, "red")
    limit = amber if amber is not None else red
    assert limit is not None  # only a side with a limit can open
    back = limit + rule.hysteresis if side == "low" else limit - rule.hysteresis
    far = f"{codes.shown(rule.code, back)} or {'more' if side == 'low' else 'less'}"
    if rule.code == "consciousness":
        far = "alert"
    clears = f"{codes.BY_KEY[rule.code].name} back to {far}"
    if rule.sampling == "continuous":
        clears += f" for {rule.persistence_seconds} s"
    hours = _hours(threshold, profile) if threshold.profiles else None
    if hours is not None:
        clears += f" {hours}; at other times by the limits for then"
    return {
        **_origin(rule_set, rule),
        "side": side,
        "amber": amber,
        "red": red,
        "hysteresis": rule.hysteresis,
        "sampling": rule.sampling,
        "persistence_seconds": rule.persistence_seconds,
        "repeat_seconds": rule.repeat_seconds,
        **_joining(rule),
        **({} if hours is None else {"hours": hours, "profiles": [entry.to_json() for entry in threshold.profiles]}),
        "clears_when": clears,
    }


def _hours(threshold: rules.Threshold, profile: profiles.Profile | None) -> str:
    """When the limits hold: "from 22:00 to 07:00", "outside 22:00 to 07:00"."""
    if profile is not None:
        return f"from {profile}"
    return "outside " + " and ".join(str(entry) for entry in threshold.profiles)


def news2_rule(rule_set: rules.RuleSet, rule: rules.News2) -> dict[str, Any]:
    return {
        **_origin(rule_set, rule),
        "scale": rule.scale,
        "max_age_seconds": dict(rule.max_age_seconds),
        **_joining(rule),
        "clears_when": "the score alerts no more (a 3 that is red by its own threshold does not count here), "
        "with a fresh value of everything that scored",
    }


def silence_rule(rule_set: rules.RuleSet, rule: rules.Silence, deadline: schedule.Deadline) -> dict[str, Any]:
    return {
        **_origin(rule_set, rule),
        "late_seconds" if deadline.late else "grace_seconds": (deadline.at - deadline.due) // 1_000_000,
        "counts_from": instant(deadline.counts_from),
        "clears_when": f"the next {codes.inner(rule.code)} reading",
        **({"auto": True} if rule.auto else {}),
        **({"calls_after_hours": rule.calls_after_hours} if rule.calls_after_hours else {}),
    }


def assessment_rule(rule_set: rules.RuleSet, rule: Assessment) -> dict[str, Any]:
    return {**rule.dump(), **_origin(rule_set, rule), "clears_when": rule.clears_when()}


def _joining(rule: rules.Threshold | rules.News2) -> dict[str, Any]:
    """What decides about alerts (alerts.joining), where the rule says anything of it."""
    told: dict[str, Any] = {"refractory_hours": rule.refractory_hours} if rule.refractory_hours else {}
    return {**told, "auto": True} if isinstance(rule, rules.Threshold) and rule.auto else told


def _origin(rule_set: rules.RuleSet, rule: rules.Rule) -> dict[str, Any]:
    return {
        "pathway": rule_set.pathway,
        "version": rule_set.version,
        "source": rule.source,
        "approval": rule.approval,
    }


# Episodes -----------------------------------------------------------------------------------------


def episode(resident: int, key: str, track: tracks.Track, zone: str) -> Episode:
    """The episode of a track that is open or has just ended."""
    kind, _, rest = key.partition("/")
    opened = track["open"]
    rule = {"key": key, **opened["rule"]}
    told: dict[str, Any] = {"clears_when": rule.pop("clears_when"), "rule": rule}
    if "rose" in opened:
        told["rose"] = [{"priority": priority, "at": instant(at)} for priority, at in opened["rose"]]
    if opened.get("ended_at") is not None:
        told["ended"] = {
            "at": instant(opened["ended_at"]),
            "how": opened["ending"],
            "text": _ENDINGS[opened["ending"]],
        }
    if kind == "silence":
        if opened.get("ending") == "cleared":
            told["ended"]["text"] = "a reading came"
        return _silence(resident, key, rest, track, zone, told)
    if "told" in opened:
        return _assessment(resident, key, track, told)
    if kind == "news2" and opened.get("ending") == "cleared":
        told["ended"]["text"] = "the score alerts no more"
    worst, trigger = track["worst"], opened["trigger"]
    told["how"] = opened["how"]
    told["since"] = instant(track["first"][0])
    told["readings"] = track["good"]
    if kind == "news2":
        reason = _news2_reason(opened, worst, zone)
        told.update(_news2_evidence(opened, worst))
        level = opened["level_name"]
    else:
        code, _, side = rest.partition("/")
        reason = _threshold_reason(code, side, track, zone)
        told["inputs"] = [_input(code, sample, opened["level_at"]) for sample in _distinct(track["first"], trigger)]
        told["worst"] = _input(code, worst, opened["level_at"])
        level = opened["level_name"]
    return Episode(
        resident,
        key,
        opened["started_at"],
        opened.get("ended_at"),
        opened.get("ending"),
        worst[0],
        worst[1],
        opened["priority"],
        level,
        opened["provisional"],
        reason,
        {"reason": reason, "level": level, **told},
    )


def _distinct(*samples: tracks.Sample) -> list[tracks.Sample]:
    return [sample for position, sample in enumerate(samples) if sample not in samples[:position]]


def _input(code: str, sample: tracks.Sample, seen_at: int) -> dict[str, Any]:
    at, value, quality = sample[:3]
    return {
        "code": code,
        "value": value,
        "unit": codes.BY_KEY[code].unit,
        "at": instant(at),
        "age_seconds": max(0, seen_at - at) // 1_000_000,
        "marks": [name for bit, name in _QUALITY if quality & bit],
    }


def _threshold_reason(code: str, side: str, track: tracks.Track, zone: str) -> str:
    opened = track["open"]
    trigger, first = opened["trigger"], track["first"]
    at, value, quality = trigger[:3]
    rule, level = opened["rule"], opened["level_name"]
    # Where the limits changed while the level was waiting for its repeat, this one may have none of its own.
    limit = rule[level] if rule[level] is not None else rule["amber" if level == "red" else "red"]
    hours = f", limit {rule['hours']}" if "hours" in rule else ""
    told = (
        f"{codes.BY_KEY[code].name} {codes.shown(code, value)} at {clock(at, zone)}, "
        f"{codes.beyond(code, side, limit)} ({level}{hours})"
    )
    match opened["how"]:
        case "repeated" if first[0] < at:
            told += f", after {codes.shown(code, first[1])} at {clock(first[0], zone, at)}"
        case "persisted" if first[0] < at:
            told += f", out of limits since {clock(first[0], zone, at)}"
        case "not repeated":
            told += f", no further reading by {clock(opened['level_at'], zone, at)}"
    if quality & timeline.UNCERTAIN:
        told += ", device clock wrong"
    if quality & timeline.POOR:
        told += ", doubted by the device"
    if quality & timeline.CONFLICT:
        told += ", sent with different values"
    if opened["provisional"]:
        told += ", unconfirmed: repeat the measurement"
    worst = track["worst"]
    if codes.rounded(code, worst[1]) != codes.rounded(code, value):
        extreme = "worst" if code == "consciousness" else "lowest" if side == "low" else "highest"
        told += f"; {extreme} {codes.shown(code, worst[1])} at {clock(worst[0], zone, at)}"
    return told


def _assessment(resident: int, key: str, track: tracks.Track, told: dict[str, Any]) -> Episode:
    opened, peak = track["open"], track["worst"]
    reason = f"{opened['told']['sentence']} ({opened['level_name']})"
    peak_value = peaks.value(told["rule"], peak[1])
    told.update(
        how=opened["how"],
        since=instant(track["first"][0]),
        signal=peaks.value(told["rule"], opened["trigger"][1]),
        inputs=opened["told"]["inputs"],
        numbers=opened["told"]["numbers"],
        worst={"at": instant(peak[0]), "signal": peak_value, **track["told"]},
    )
    return Episode(
        resident,
        key,
        opened["started_at"],
        opened.get("ended_at"),
        opened.get("ending"),
        peak[0],
        peak_value,
        opened["priority"],
        opened["level_name"],
        False,
        reason,
        {"reason": reason, "level": opened["level_name"], **told},
    )


# NEWS2 --------------------------------------------------------------------------------------------


def _gaps(sample: tracks.Sample) -> tuple[list[str], list[str]]:
    """Codes that are missing, and those that are too old, among the inputs of a score."""
    missing = [entry[0] for entry in sample[3] if entry[1] is None]
    return missing, [entry[0] for entry in sample[3] if entry[1] is not None and not entry[5]]


def _news2_reason(opened: dict[str, Any], worst: tracks.Sample, zone: str) -> str:
    trigger = opened["trigger"]
    at, total = trigger[:2]
    missing, stale = _gaps(trigger)
    scored = sorted((entry for entry in trigger[3] if entry[3] > 0), key=lambda entry: -entry[3])
    parts = ", ".join(f"{_valued(entry[0], entry[1])} scores {entry[3]}" for entry in scored)
    if missing or stale:
        gaps = []
        if missing:
            gaps.append(_named(missing) + " missing")
        if stale:
            gaps.append(_named(stale) + " too old")
        told = f"Early warning score at least {total} at {clock(at, zone)} ({parts}), a lower bound: {', '.join(gaps)}"
    else:
        told = f"NEWS2 {total} at {clock(at, zone)} ({parts})"
    if opened["how"] == "not repeated":
        told += f", no further reading by {clock(opened['level_at'], zone, at)}"
    if any(entry[3] > 0 and entry[4] & timeline.UNCERTAIN for entry in trigger[3]):
        told += ", device clock wrong"
    if opened["provisional"]:
        told += ", unconfirmed: repeat the measurement"
    if worst[1] > total:
        told += f"; highest {'at least ' if any(_gaps(worst)) else ''}{worst[1]} at {clock(worst[0], zone, at)}"
    return told


def _valued(code: str, value: float) -> str:
    """ "Pulse 118 /min"; only a yes scores for oxygen."""
    name = codes.BY_KEY[code].name
    return name if code == "on_oxygen" else f"{name} {codes.shown(code, value)}"


def _named(some: list[str]) -> str:
    names = [codes.inner(code) for code in some]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _news2_evidence(opened: dict[str, Any], worst: tracks.Sample) -> dict[str, Any]:
    trigger = opened["trigger"]
    missing, stale = _gaps(trigger)
    return {
        "score": {
            "total": trigger[1],
            "complete": not missing and not stale,
            "band": opened["level_name"],
            "at": instant(trigger[0]),
            "missing": [news2.NAME_OF_CODE[code] for code in missing],
            "stale": [news2.NAME_OF_CODE[code] for code in stale],
        },
        "inputs": [
            {
                **_input(entry[0], [entry[2], entry[1], entry[4]], opened["level_at"]),
                "points": entry[3] if entry[3] >= 0 else None,
                "fresh": bool(entry[5]),
            }
            for entry in trigger[3]
            if entry[1] is not None
        ],
        "worst": {"total": worst[1], "complete": not any(_gaps(worst)), "at": instant(worst[0])},
    }


# Silence ------------------------------------------------------------------------------------------


def _silence(resident: int, key: str, code: str, track: tracks.Track, zone: str, told: dict[str, Any]) -> Episode:
    opened = track["open"]
    started, missed, level = opened["started_at"], track["missed"], opened["level_name"]
    by, due = clock(opened["level_at"], zone, started), clock(track["due"], zone, started)
    reason = f"No {codes.inner(code)} reading by {by}, due at {due}"
    if level == "late":
        reason += " (late)"
    if track["last"] is not None:
        reason += f", last at {clock(track['last'], zone, started)}"
    else:
        reason += ", none in this stay yet"
    if track["failed"] is not None:
        reason += f", an attempt at {clock(track['failed'], zone, started)} failed"
    if missed > 1:
        reason += f"; {missed} due times missed by {clock(track['missed_at'], zone, started)}"
    told.update(
        due=instant(track["due"]),
        missed=missed,
        last=None if track["last"] is None else instant(track["last"]),
        failed_attempt=None if track["failed"] is None else instant(track["failed"]),
    )
    return Episode(
        resident,
        key,
        started,
        opened.get("ended_at"),
        opened.get("ending"),
        track["missed_at"],
        float(missed),
        opened["priority"],
        level,
        False,
        reason,
        {"reason": reason, "level": level, **told},
    )
