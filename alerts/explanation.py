"""The explanation of a verdict: one object for the API, the screen and whoever is told (docs/schemas/explanation.json).

Made from the evidence that an episode carries, which is of another shape for each kind of rule. It holds everything by
which somebody can work the verdict out again: the inputs with their times and ages, the limits, the numbers on the way,
the rule as it stood with its version, source and approval, and what would clear it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerts import codes, kinds, news2, plain, telling, working

Json = dict[str, Any]

_MOST_DEVICES = 20
_HOW = {
    "at once": "One reading is enough for this.",
    "repeated": "It needs a second reading in a row, which came.",
    "persisted": "Readings come close together: it has to hold for a time, and did.",
    "not repeated": "No further reading came in time, so the one there was is taken as true.",
}
#: What is said elsewhere in the explanation.
_PLACED = frozenset(
    {
        *("reason", "level", "rule", "clears_when", "ended", "how", "since", "inputs", "numbers", "score", "worst"),
        *("signal", "readings"),
    }
)
_ORIGIN = ("key", "kind", "name", "pathway", "version", "source", "approval")
#: Said by the limits, the inputs and the sentence.
_OF_LIMITS = ("amber", "red", "clears_when", "code", "codes", "conditions", "counts_from")
#: What is not said where it is not so.
_OPTIONAL = ("refractory_hours", "auto", "calls_after_hours", "percent", "hysteresis", "drop_first_day")
#: Numbers on the way whose own name says little to a nurse.
_NUMBERS = {
    "earlier": "Value before",
    "newest": "Newest value",
    "readings": "Readings",
    "window_from": "Readings since",
    "reference": "Set value",
    "nearest": "Value that decides",
    "mean": "Average",
    "from": "First day",
    "to": "Last day",
    "slope_per_day": "Change a day",
    "window_days": "Window (days)",
    "line_today": "The line today",
    "mann_kendall": "Pairs of days that rise, less those that fall",
    "z": "The same in standard deviations of chance",
    "p": "Chance of such a trend where there is none",
    "crossing_day": "Day looked ahead to",
    "line_at_crossing": "The line on that day",
    "days": "Days with a value",
    "fast": "Average of late",
    "slow": "Average of long",
    "values": "Days with a value",
    "sum": "Sum",
    "k": "Taken off each day (spreads)",
    "cap": "Most that a day counts (spreads)",
    "unit": "Deviation counted in",
    "deviation": "Deviation that decides",
    "usual.median": "Usual value (the middle one)",
    "usual.mad": "Middle distance from the usual",
    "usual.floor": "Least spread that counts",
    "usual.spread": "Usual spread",
    "usual.days": "Days of the baseline",
    "met": "Conditions met",
    "unknown": "Conditions not known",
    "minutes": "Minutes so far",
    "since": "Beyond since",
    "worst": "Worst value",
    "worst_at": "Time of the worst value",
    "share": "Share (%)",
    "inside": "Readings in the band",
    "needed": "Readings needed",
    "percent_of_reference": "Percent of the set value",
}
_UNIT_OF_A_DEVIATION = {"z": "usual spreads", "value": "the unit of the measure", "percent": "percent"}
_SETTINGS = {
    "auto": "What clears itself is handled automatically",
    "calls_after_hours": "Calls nobody before it has lasted (hours)",
    "max_age_seconds": "Oldest value that counts",
}


def explain(rule: str, evidence: Mapping[str, Any], *, provisional: bool = False) -> Json:
    """Of the evidence of an episode or alert of this rule key."""
    kind = _kind(rule)
    said: Mapping[str, Any] = evidence.get("rule") or (_of_devices(evidence) if kind == "technical" else {})
    return {
        "sentence": _sentence(evidence),
        "level": evidence.get("level") or "",
        "provisional": provisional,
        "rule": {
            "key": rule,
            "kind": kind,
            "pathway": said.get("pathway"),
            "version": said.get("version"),
            "source": said.get("source") or None,
            "sources": plain.sources(str(said.get("source") or "")),
            "approval": said.get("approval") or None,
            "settings": _settings(said),
        },
        "how": None if kind in kinds.KINDS else _HOW.get(evidence.get("how", "")),
        "since": evidence.get("since"),
        "inputs": _inputs(kind, evidence),
        "missing": _missing(evidence),
        "limits": _limits(rule, kind, said),
        "numbers": list(_numbers(kind, evidence)),
        "series": _series(evidence),
        "working": working.lines(rule, evidence),
        "worst": _worst(evidence),
        "clears_when": evidence.get("clears_when") or "",
        "ended": evidence.get("ended"),
    }


def _sentence(evidence: Mapping[str, Any]) -> str:
    """With what the devices tell of why a measure is missing, where that is known."""
    reason, cause = evidence.get("reason") or "", evidence.get("cause")
    return f"{reason}; {cause['text']}" if isinstance(cause, Mapping) and cause.get("text") else str(reason)


def _of_devices(evidence: Mapping[str, Any]) -> Json:
    """The settings by which a device is judged, as if they were one rule."""
    listed = evidence.get("settings")
    found = [one for one in (listed if isinstance(listed, list | tuple) else ()) if isinstance(one, Mapping)]
    told: Json = {str(one.get("name")): one.get("value") for one in found}
    for origin in ("source", "approval"):
        told[origin] = "; ".join(dict.fromkeys(str(one[origin]) for one in found if one.get(origin)))
    return told


def _kind(rule: str) -> str:
    kind = rule.partition("/")[0]
    return kind if kind in ("threshold", "news2", "silence") or kind in kinds.KINDS else "technical"


# The rule as it stood -----------------------------------------------------------------------------


def _settings(said: Mapping[str, Any]) -> list[Json]:
    """Its other numbers and choices, in words."""
    told = []
    for name, value in said.items():
        if name in _ORIGIN or name in _OF_LIMITS or value in (None, "", {}, []) or (name in _OPTIONAL and not value):
            continue
        told.append({"name": name, "label": _SETTINGS.get(name, plain.label(name)), "text": _setting(name, value)})
    return told


def _setting(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_part(part)} {_setting(name, one)}" for part, one in value.items() if one is not None)
    if isinstance(value, list | tuple):
        return "; ".join(_setting(name, one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if name.endswith("_seconds") and value and value % 60 == 0:
            return f"{telling.limit(value / 3600)} h" if value % 3600 == 0 else f"{telling.limit(value / 60)} min"
        for ending, unit in (("_seconds", "s"), ("_minutes", "min"), ("_hours", "h"), ("_days", "days")):
            if name.endswith(ending):
                return f"{telling.limit(value)} {unit}"
        return telling.limit(value)
    return str(value)


def _part(name: str) -> str:
    return codes.inner(name) if name in codes.BY_KEY else name.replace("_", " ")


def _limits(rule: str, kind: str, said: Mapping[str, Any]) -> list[Json]:
    if kind == "news2":
        told = {"high": "7 points or more", "medium": "5 or 6 points", "low-medium": "3 points for one measure"}
        return [{"level": level, "value": None, "text": text} for level, text in told.items()]
    if kind == "technical":
        return []
    found = []
    for level in ("red", "amber"):
        value = said.get(level)
        if kind == "sustained" and said.get("level") == level:
            value = said.get("limit")
        if value is not None:
            found.append({"level": level, "value": value, "text": _limit(rule, kind, said, value)})
    return found


def _limit(rule: str, kind: str, said: Mapping[str, Any], value: float) -> str:
    code = said.get("code") if kind != "threshold" else rule.split("/")[1]
    known = isinstance(code, str) and code in codes.BY_KEY
    shown = telling.limit_of(str(code), value) if known else telling.limit(value)
    match kind:
        case "threshold":
            return codes.beyond(str(code), str(said.get("side")), value)
        case "sustained":
            return f"{'below' if said.get('side') == 'low' else 'above'} {shown}"
        case "average":
            return f"{said.get('direction', '')} {shown}"
        case "in_range":
            return f"{said.get('direction', '')} {telling.limit(value)} %"
        case "combination" | "symptom":
            return f"{telling.limit(value)} or more"
        case "cusum":
            return f"more than {telling.limit(value)}"
        case "baseline" if said.get("unit") in ("z", "percent"):
            return f"more than {telling.limit(value)} {'usual spreads' if said['unit'] == 'z' else '%'}"
        case "distance" if said.get("percent"):
            return f"more than {telling.limit(value)} %"
        case _:
            return f"more than {telling.limit_apart(str(code), value) if known else shown}"


# What it looked at --------------------------------------------------------------------------------


def _inputs(kind: str, evidence: Mapping[str, Any]) -> list[Json]:
    given = evidence.get("inputs")
    if given is not None:
        limit = (evidence.get("rule") or {}).get("limit") if kind == "sustained" else None
        return [_input(kind, _charted(kind, entry, given, evidence), limit) for entry in given]
    if kind == "silence":
        named = (
            ("Due", evidence.get("due")),
            ("Counted from", (evidence.get("rule") or {}).get("counts_from")),
            ("Last reading", evidence.get("last")),
            ("Attempt that failed", evidence.get("failed_attempt")),
        )
        return [_blank(label, at=at) for label, at in named if at is not None] + _devices(evidence.get("cause"))
    # What was found on devices: every fact with a time.
    return [
        _blank(_label(name), text=str(entry.get("shown", "")), at=entry["at"])
        for name, entry in evidence.items()
        if isinstance(entry, Mapping) and name != "ended" and "at" in entry
    ]


def _charted(
    kind: str, entry: Mapping[str, Any], given: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]
) -> Mapping[str, Any]:
    """With the field of the NEWS2 chart that the value falls into."""
    if kind != "news2" or entry.get("points") is None or entry.get("code") not in news2.INPUT_CODES:
        return entry
    oxygen = next((one["value"] for one in given if one.get("code") == "on_oxygen" and one.get("fresh")), None)
    scale = (evidence.get("rule") or {}).get("scale")
    return {**entry, "chart": news2.row(entry["code"], entry["value"], scale, None if oxygen is None else bool(oxygen))}


def _devices(cause: Any) -> list[Json]:
    """When the devices that measure it were last heard of."""
    listed = cause.get("devices") if isinstance(cause, Mapping) else None
    return [
        _blank(f"Device {device.get('device_id')} last heard of", at=device.get("heard_at"))
        | {"notes": [{True: "on", False: "offline"}[device["online"]]] if device.get("online") is not None else []}
        for device in (listed if isinstance(listed, list | tuple) else ())
    ][:_MOST_DEVICES]


def _input(kind: str, entry: Mapping[str, Any], limit: float | None) -> Json:
    """limit: beyond which every one of the inputs is."""
    code = entry.get("code")
    known = isinstance(code, str) and code in codes.BY_KEY
    label = entry.get("label") or (codes.BY_KEY[str(code)].name if known else "")
    if not label and "rule" in entry:
        label = str(entry["rule"])
    value = entry.get("value")
    found = _blank(label, at=entry.get("at"))
    if value is not None:
        count = kind == "in_range"
        found["text"] = telling.limit(value) if count or not known else _shown(str(code), value, limit)
    return {
        **found,
        "code": code if known else None,
        "value": value,
        "unit": entry.get("unit") or None,
        "day": entry.get("day"),
        "age_seconds": entry.get("age_seconds"),
        "marks": list(entry.get("marks") or ()),
        "notes": list(_notes(kind, entry)),
    }


def _shown(code: str, value: float, limit: float | None = None) -> str:
    whole = codes.BY_KEY[code].key in codes.YES_NO or code == "consciousness"
    return codes.shown(code, value) if whole else telling.measured(code, value, limit)


def _blank(label: str, *, text: str = "", at: str | None = None) -> Json:
    return {
        "label": label,
        "code": None,
        "value": None,
        "text": text,
        "unit": None,
        "at": at,
        "day": None,
        "age_seconds": None,
        "marks": [],
        "notes": [],
    }


def _notes(kind: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """What else is known of an input."""
    if entry.get("points") is not None:
        chart = f" ({entry['chart']})" if entry.get("chart") else ""
        yield f"{entry['points']} point{'' if entry['points'] == 1 else 's'}{chart}"
    if entry.get("fresh") is False:
        yield "too old to count"
    if "met" in entry:
        yield {True: "met", False: "not met"}.get(entry["met"], f"unknown: {entry.get('why', '')}".rstrip(": "))
    if kind == "in_range" and "to" in entry:
        yield f"{entry['days']} days together, to {entry['to']}"
    if entry.get("part"):
        yield str(entry["part"])
    if entry.get("decides"):
        yield "decides"
    if "readings" in entry:
        count = entry["readings"]
        middle = "median of " if count > 1 and kind in ("baseline", "cusum", "slope", "crossover") else ""
        readings = f"{middle}{count} reading{'' if count == 1 else 's'}"
        yield f"of {readings}" if kind == "in_range" else f"average of {readings}" if kind == "average" else readings
    if kind == "cusum" and "sum" in entry:
        yield f"sum so far {telling.limit(round(entry['sum'], 3))}"


def _missing(evidence: Mapping[str, Any]) -> list[Json]:
    score: Mapping[str, Any] = evidence.get("score") or {}
    found = [{"name": _label(name), "why": "missing"} for name in score.get("missing") or ()]
    found += [{"name": _label(name), "why": "too old"} for name in score.get("stale") or ()]
    numbers = evidence.get("numbers")
    listed = numbers.get("missing") if isinstance(numbers, Mapping) else None
    for code in listed if isinstance(listed, list | tuple) else ():
        found.append({"name": codes.BY_KEY[code].name if code in codes.BY_KEY else str(code), "why": "missing"})
    return found


# What it worked out -------------------------------------------------------------------------------


def _numbers(kind: str, evidence: Mapping[str, Any]) -> Iterator[Json]:
    score: Mapping[str, Any] | None = evidence.get("score")
    if score is not None:
        told = f"{'' if score['complete'] else 'at least '}{score['total']} ({score['band']})"
        yield {"name": "score", "label": "Score", "value": score["total"], "text": told}
    if isinstance(evidence.get("readings"), int):
        count = evidence["readings"]
        yield {"name": "readings", "label": "Readings beyond limits", "value": count, "text": str(count)}
    yield from _scalars(evidence.get("numbers") or {}, "")
    if kind in ("technical", "silence"):
        facts = {name: value for name, value in evidence.items() if name not in _PLACED}
        if kind == "silence":
            facts = {name: value for name, value in facts.items() if name == "missed"}
        yield from _scalars(facts, "")


def _scalars(numbers: Mapping[str, Any], before: str) -> Iterator[Json]:
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            if "at" not in value:
                yield from _scalars(value, f"{before}{name}.")
        elif isinstance(value, str | bool | int | float):
            shown = value if isinstance(value, int | float) and not isinstance(value, bool) else None
            full = f"{before}{name}"
            if full == "unit":
                text = _UNIT_OF_A_DEVIATION.get(str(value), str(value))
            else:  # as in the arithmetic; what is smaller than that is a p
                text = _setting("", round(value, 4) if isinstance(value, float) and abs(value) >= 0.001 else value)
            label = _NUMBERS.get(full) or _label(full.replace(".", " "))
            yield {"name": full, "label": label, "value": shown, "text": text}


def _series(evidence: Mapping[str, Any]) -> list[Json]:
    """Values by day that are too many for the inputs: of a baseline, and those before the inputs."""
    numbers = evidence.get("numbers")
    if not isinstance(numbers, Mapping):
        return []
    usual = numbers.get("usual")
    found = [
        ("Days of the baseline", usual.get("values") if isinstance(usual, Mapping) else None),
        ("Left out of the baseline, because an alert about it was open", _days_left_out(numbers.get("left_out"))),
        ("Earlier days", numbers.get("earlier")),
    ]
    return [
        {"label": label, "rows": [[str(day), value] for day, value in rows]}
        for label, rows in found
        if isinstance(rows, list | tuple) and rows
    ]


def _days_left_out(listed: Any) -> list[list[Any]]:
    """As rows. Of an average it is one day, which the sentence names."""
    return [[entry["day"], entry["value"]] for entry in listed] if isinstance(listed, list | tuple) else []


def _worst(evidence: Mapping[str, Any]) -> Json | None:
    worst = evidence.get("worst")
    if not isinstance(worst, Mapping) or "at" not in worst:
        return None
    if "total" in worst:
        text = f"{'' if worst.get('complete') else 'at least '}{worst['total']} points"
    elif worst.get("sentence"):
        text = str(worst["sentence"])
    elif "code" in worst:
        text = _shown(worst["code"], worst["value"])
    else:
        text = telling.limit(round(float(worst.get("signal", 0.0)), 4))
    return {"at": worst["at"], "text": text}


def _label(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
