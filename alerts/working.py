"""The arithmetic of a verdict, line by line: how somebody with the inputs and a calculator would write it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from alerts import codes, moments, telling

Json = Mapping[str, Any]


def lines(rule: str, evidence: Json) -> list[str]:
    """Of one episode's evidence; empty where nothing is worked out."""
    kind = rule.partition("/")[0]
    write = _KINDS.get(kind)
    if write is None:
        return []
    try:
        told = write(evidence)
        return told if kind in ("threshold", "news2", "silence", "sustained") else [*told, *_against(evidence)]
    except (KeyError, TypeError):
        return []  # evidence of an earlier version holds less


def _threshold(evidence: Json) -> list[str]:
    rule = evidence["rule"]
    side, told = rule["side"], []
    sign = "<" if side == "low" else ">"
    for entry in evidence["inputs"]:
        code, value = entry["code"], codes.rounded(entry["code"], entry["value"])
        if code == "consciousness":
            told.append(f"{codes.shown(code, value)} is not A (alert)")
            continue
        beyond = [level for level in ("red", "amber") if _beyond(value, rule[level], side)]
        if beyond:
            limit = rule[beyond[0]]
            told.append(f"{_n(value)} {sign} {_n(limit)}, the {beyond[0]} limit")
    if evidence.get("how") == "persisted" and "persistence_seconds" in rule:
        told.append(f"at this level for at least {rule['persistence_seconds']} s, over at least two readings")
    return told


def _beyond(value: float, limit: float | None, side: str) -> bool:
    return limit is not None and (value < limit if side == "low" else value > limit)


def _news2(evidence: Json) -> list[str]:
    scored = [entry for entry in evidence["inputs"] if entry["fresh"] and entry["points"] is not None]
    points = " + ".join(str(entry["points"]) for entry in scored) or "0"
    score = evidence["score"]
    told = [f"{points} = {score['total']} points ({', '.join(codes.inner(entry['code']) for entry in scored)})"]
    if not score["complete"]:
        told.append("a lower bound: what is missing or too old could only add points")
    meaning = {
        "high": "7 or more: high",
        "medium": "5 or 6: medium",
        "low-medium": "less than 5, but 3 for one of them: low-medium",
    }
    return [*told, meaning.get(score["band"], score["band"])]


def _silence(evidence: Json) -> list[str]:
    rule = evidence["rule"]
    seconds = rule["late_seconds"] if "late_seconds" in rule else rule["grace_seconds"]
    told = [f"no reading from the time it counts from until {_span(seconds)} after the due time"]
    last, counts_from = evidence.get("last"), rule.get("counts_from")
    if last and counts_from:
        before = (datetime.fromisoformat(counts_from) - datetime.fromisoformat(last)).total_seconds()
        if before > 0:
            told.append(f"the last reading was {_span(before)} before the time from which one counts")
    return [*told, f"due times missed: {evidence['missed']}"]


def _change(evidence: Json) -> list[str]:
    numbers, rise = evidence["numbers"], evidence["rule"]["direction"] == "rise"
    extreme = "lowest" if rise else "highest"
    confirm = evidence["rule"]["confirm"]
    told = [
        f"{'newest' if confirm == 1 else f'{extreme} of the newest {confirm}'}: {_n(numbers['newest'])}",
        f"{_before(evidence, extreme)} before that in the window: {_n(numbers['earlier'])}",
    ]
    first, second = ("newest", "earlier") if rise else ("earlier", "newest")
    return [*told, f"{_n(numbers[first])} - {_n(numbers[second])} = {_n(numbers['change'])}"]


def _before(evidence: Json, extreme: str) -> str:
    if evidence["rule"].get("against") != "median":
        return extreme
    values = sorted(entry["value"] for entry in evidence["inputs"] if entry.get("part") == "earlier")
    before = evidence["numbers"]["readings"] - evidence["rule"]["confirm"]
    if len(values) < before:  # an explanation does not hold that many
        return f"median of the {before} readings"
    return f"median of {', '.join(map(_n, values))}"


def _distance(evidence: Json) -> list[str]:
    numbers, rule = evidence["numbers"], evidence["rule"]
    nearest, reference = _n(numbers["nearest"]), _n(numbers["reference"])
    if rule["percent"]:
        share = _n(numbers["percent_of_reference"])
        first = f"100 x {nearest} / {reference} = {share} %"
        rest = f"{share} - 100" if rule["direction"] == "above" else f"100 - {share}"
        return [first, f"{rest} = {_n(numbers['distance'])}"]
    pair = (nearest, reference) if rule["direction"] == "above" else (reference, nearest)
    return [f"{pair[0]} - {pair[1]} = {_n(numbers['distance'])}"]


def _average(evidence: Json) -> list[str]:
    numbers = evidence["numbers"]
    parts = [entry.get("sum", entry["value"]) for entry in evidence["inputs"]]
    total, count = sum(parts), numbers["readings"]
    return [f"sum of {count} readings {_n(total)}, divided by {count} = {_n(numbers['mean'])}"]


def _slope(evidence: Json) -> list[str]:
    numbers, days = evidence["numbers"], evidence["rule"]["window_days"]
    told = [
        f"median of the slopes between all pairs of days: {_n(numbers['slope_per_day'])} a day",
        f"{_n(numbers['slope_per_day'])} x {days} days = {_n(numbers['change'])}",
        f"Mann-Kendall S = {numbers['mann_kendall']}, z = {_n(numbers['z'])}, p = {numbers['p']:.3g}, "
        f"below {_n(evidence['rule']['p'])}",
    ]
    if "line_at_crossing" in numbers:
        told.append(
            f"the line is at {_n(numbers['line_today'])} today and at {_n(numbers['line_at_crossing'])} "
            f"on {moments.named(numbers['crossing_day'])}"
        )
    return told


def _crossover(evidence: Json) -> list[str]:
    numbers, rule = evidence["numbers"], evidence["rule"]
    pair = ("fast", "slow") if rule["direction"] == "rise" else ("slow", "fast")
    return [
        "both averages begin with the first value; each further one moves them by (1 - e^(-days / tau)) of the "
        "difference",
        f"fast (tau {_n(rule['fast_days'])} days) {_n(numbers['fast'])}, slow (tau {_n(rule['slow_days'])} days) "
        f"{_n(numbers['slow'])}",
        f"{_n(numbers[pair[0]])} - {_n(numbers[pair[1]])} = {_n(numbers['difference'])}",
    ]


def _usual(evidence: Json) -> list[str]:
    usual = evidence["numbers"]["usual"]
    left_out = [moments.named(entry["day"]) for entry in evidence["numbers"].get("left_out") or ()]
    told = [f"left out, because an alert about it was open: {', '.join(left_out)}"] if left_out else []
    values = sorted(value for _, value in usual["values"])
    return [
        *told,
        f"usual: median of {usual['days']} days = {_n(usual['median'])}; in order of size they are "
        f"{', '.join(map(_n, values))}",
        f"spread: 1.4826 x {_n(usual['mad'])} (median distance from it), at least {_n(usual['floor'])} "
        f"= {_n(usual['spread'])}",
    ]


def _cusum(evidence: Json) -> list[str]:
    numbers, rise = evidence["numbers"], evidence["rule"]["direction"] == "rise"
    difference = "value - usual" if rise else "usual - value"
    step = f"({difference}) / {_n(numbers['usual']['spread'])}, at most {_n(numbers['cap'])}, less {_n(numbers['k'])}"
    return [
        *_usual(evidence),
        f"each day adds {step}; the sum never falls below 0",
        f"sum now {_n(numbers['sum'])}",
    ]


def _baseline(evidence: Json) -> list[str]:
    numbers, rise = evidence["numbers"], evidence["rule"]["direction"] == "rise"
    usual = numbers["usual"]
    told = _usual(evidence) if numbers["unit"] == "z" else _usual(evidence)[:-1]
    for entry in evidence["inputs"]:
        off = (entry["value"] - usual["median"]) * (1 if rise else -1)
        pair = (entry["value"], usual["median"]) if rise else (usual["median"], entry["value"])
        text = f"{moments.named(entry['day'])}: {_n(pair[0])} - {_n(pair[1])} = {_n(off)}"
        if numbers["unit"] == "z":
            text += f"; / {_n(usual['spread'])} = {_n(off / usual['spread'])}"
        elif numbers["unit"] == "percent":
            text += f"; 100 x / {_n(usual['median'])} = {_n(100 * off / usual['median'])} %"
        told.append(text)
    return [*told, f"the least of them: {_n(numbers['deviation'])}"] if len(evidence["inputs"]) > 1 else told


def _combination(evidence: Json) -> list[str]:
    numbers = evidence["numbers"]
    told = [f"{numbers['met']} of {numbers['conditions']} conditions are met"]
    if numbers["unknown"]:
        told.append(f"{numbers['unknown']} unknown, which count as not met")
    return told


def _symptom(evidence: Json) -> list[str]:
    fresh = [entry for entry in evidence["inputs"] if entry["fresh"]]
    return [f"{' + '.join(_n(entry['value']) for entry in fresh)} = {_n(evidence['numbers']['sum'])}"]


def _sustained(evidence: Json) -> list[str]:
    numbers, rule = evidence["numbers"], evidence["rule"]
    sign = "<" if rule["side"] == "low" else ">"
    return [
        f"{numbers['readings']} readings in a row {sign} {_n(numbers['limit'])}, none more than "
        f"{_n(rule['gap_minutes'])} min after the one before; the {'lowest' if rule['side'] == 'low' else 'highest'} "
        f"{telling.measured(rule['code'], numbers['worst'], numbers['limit'])}",
        f"from the first to the last, and {_n(rule['reading_minutes'])} min for the last: {_n(numbers['minutes'])} "
        f"min; {_n(rule['for_minutes'])} min are needed to begin",
    ]


def _in_range(evidence: Json) -> list[str]:
    numbers = evidence["numbers"]
    counted = [entry["value"] for entry in evidence["inputs"]]
    return [
        f"in the band: {' + '.join(map(_n, counted))} = {_n(sum(counted))}",
        f"{numbers['readings']} readings, of {_n(numbers['needed'])} needed",
        f"100 x {numbers['inside']} / {numbers['readings']} = {_n(numbers['share'])} %",
    ]


def _against(evidence: Json) -> list[str]:
    """The result beside the limit that it is beyond."""
    rule, signal = evidence["rule"], evidence.get("signal")
    limit = rule.get(evidence["level"])
    if limit is None or signal is None:
        return []
    below = rule["kind"] in ("average", "in_range") and rule["direction"] == "below"
    if rule["kind"] in ("combination", "symptom"):
        return [f"{_n(signal)} >= {_n(limit)}, the {evidence['level']} limit"]
    return [f"{_n(signal)} {'<' if below else '>'} {_n(limit)}, the {evidence['level']} limit"]


def _span(seconds: float) -> str:
    """ "4 h", "6 h 39 min", "45 min": whole minutes."""
    hours, minutes = divmod(int(seconds // 60), 60)
    told = ([f"{hours} h"] if hours else []) + ([f"{minutes} min"] if minutes or not hours else [])
    return " ".join(told)


def _n(value: float) -> str:
    return telling.limit(round(value, 4))


_KINDS: dict[str, Callable[[Json], list[str]]] = {
    "threshold": _threshold,
    "news2": _news2,
    "silence": _silence,
    "change": _change,
    "distance": _distance,
    "average": _average,
    "slope": _slope,
    "crossover": _crossover,
    "cusum": _cusum,
    "baseline": _baseline,
    "combination": _combination,
    "symptom": _symptom,
    "sustained": _sustained,
    "in_range": _in_range,
}
