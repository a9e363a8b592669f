"""Whether a rule can do anything: limits that values can reach, in the right unit, and alerts that can end.

Looked at where rules are written: a pathway file, overrides, the rules of one resident. Rules that are in force already
are not looked at again: what once was taken must go on being judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from alerts import codes, errors, rules, telling
from alerts.kinds import condition
from alerts.kinds.average import Average
from alerts.kinds.base import Assessment
from alerts.kinds.baseline import Baseline
from alerts.kinds.change import Change
from alerts.kinds.combination import Combination
from alerts.kinds.crossover import Crossover
from alerts.kinds.cusum import Cusum
from alerts.kinds.distance import Distance
from alerts.kinds.in_range import InRange
from alerts.kinds.slope import Slope
from alerts.kinds.sustained import Sustained

#: Four times the set value.
_MOST_PERCENT_ABOVE = 300

Problem = tuple[str, str]  #: the field of the rule, and what is wrong


class Range(NamedTuple):
    """Of one code, in its unit: what values and limits can be. A test compares it with the catalogue of devices."""

    low: float  #: no value is below
    high: float  #: nor above
    margin: float  #: the widest hysteresis
    #: What a limit of a difference must be below: no two values of one person differ as much within two months. Chosen.
    apart: float
    #: Limits can be narrower than values, so that one in another unit is found out.
    least: float | None = None
    most: float | None = None

    @property
    def span(self) -> tuple[float, float]:
        """Of limits."""
        return self.low if self.least is None else self.least, self.high if self.most is None else self.most


_SCORE = Range(0, 10, 5, 10)
RANGES: dict[str, Range] = {
    "spo2": Range(10, 100, 10, 50, least=50),
    "pulse": Range(10, 350, 40, 200),
    "systolic": Range(20, 320, 45, 180, least=40),
    "diastolic": Range(10, 220, 30, 120, least=20),
    "mean_arterial": Range(10, 260, 30, 150, least=20),
    "temperature": Range(20, 46, 2.5, 10),
    "resp_rate": Range(1, 120, 10, 60),
    "weight": Range(10, 500, 20, 30),
    "glucose": Range(0.3, 80, 5, 25, least=1, most=33.3),
    "ketones": Range(0, 25, 3, 15),
    "peak_flow": Range(10, 1000, 200, 600),
    "fev1": Range(0.1, 10, 1.5, 4),
    "steps": Range(0, 250_000, 20_000, 50_000),
    "resting_pulse": Range(10, 250, 40, 100),
    "oxygen_flow": Range(0, 100, 5, 60),
    "consciousness": Range(0, 4, 1, 4),
    **dict.fromkeys(("breathlessness", "pain", "wellbeing"), _SCORE),
    **dict.fromkeys(codes.YES_NO, Range(0, 1, 1, 1)),
}
#: Units that limits are written in by mistake: name, and how much one of it is in the code's own.
_OTHER_UNITS: dict[str, tuple[tuple[str, float], ...]] = {
    "glucose": (("mg/dL", 1 / 18.0182),),
    "ketones": (("mg/dL", 1 / 10.41),),
    "weight": (("g", 0.001),),
    "fev1": (("mL", 0.001),),
    "peak_flow": (("L/s", 60.0),),
    **dict.fromkeys(("systolic", "diastolic", "mean_arterial"), (("kPa", 7.50062),)),
}


def check(rule: rules.Rule, where: str) -> None:
    """Raises RuleError for the first thing that is wrong, naming the field below `where`."""
    for field, problem in problems(rule):
        raise errors.RuleError(f"{where}.{field}", problem)


def problems(rule: rules.Rule) -> Iterator[Problem]:
    """Everything that keeps a rule, which is in order otherwise, from alerting or from ending an alert."""
    match rule:
        case rules.Threshold():
            yield from _threshold(rule)
        case Average():
            side = "high" if rule.direction == "above" else "low"
            for level in ("amber", "red"):
                yield from _limit(rule.code, level, side, getattr(rule, level))
            yield from _hysteresis(rule.code, side, telling.lower(rule.amber, rule.red), rule.hysteresis)
        case Sustained():
            yield from _limit(rule.code, "limit", rule.side, rule.limit)
        case Distance():
            yield from _distance(rule)
        case Combination():
            yield from _conditions(rule)
        case Change():
            yield from _amounts(rule, rule.code, of_readings=True)
        case Crossover():
            yield from _amounts(rule, rule.code)
        case Slope():
            side = "high" if rule.direction == "rise" else "low"
            yield from _limit(rule.code, "crossing_limit", side, rule.crossing_limit)
            yield from _amounts(rule, rule.code)
        case InRange() if rule.direction == "above":
            yield from _most(rule, 100, "no share is above 100 %")
        case InRange():
            for level in ("amber", "red"):
                if getattr(rule, level) == 0:
                    yield level, "cannot be 0, the alert would never come: no share is below 0 %"
        case Baseline() | Cusum():
            yield from _deviations(rule)


def _conditions(rule: Combination) -> Iterator[Problem]:
    for place, one in enumerate(rule.conditions):
        if isinstance(one, condition.ValueIs) and one.comparison in ("above", "below"):
            side = "high" if one.comparison == "above" else "low"
            yield from _limit(one.code, f"conditions[{place}].{one.comparison}", side, one.value)


def _deviations(rule: Baseline | Cusum) -> Iterator[Problem]:
    known = RANGES[rule.code]
    if rule.floor >= known.apart:
        yield "floor", _too_far_apart(rule.code, rule.floor)
        return
    most = known.apart / rule.floor  # in usual spreads, which are the floor at least
    if isinstance(rule, Cusum):
        most = max(0.0, (min(rule.cap, most) - rule.k) * rule.run_days)
        told = f"the sum is never more than {most:.4g}: run_days times what a day adds at most, cap less k"
        yield from _most(rule, most, told)
    elif rule.unit == "value":
        yield from _amounts(rule, rule.code)
    elif rule.unit == "z":
        yield from _most(rule, most, f"with this floor the deviation is never more than {most:.4g}")


def _threshold(rule: rules.Threshold) -> Iterator[Problem]:
    for place, (profile, variant) in enumerate(rule.variants):
        written = {"red_low", "amber_low", "amber_high", "red_high"} if profile is None else dict(profile.limits)
        at = "" if profile is None else f"profiles[{place - 1}]."
        found = False
        for side in ("low", "high"):
            for level in ("red", "amber"):
                if f"{level}_{side}" in written:
                    for problem in _limit(rule.code, f"{at}{level}_{side}", side, variant.limit(side, level)):
                        found = True
                        yield problem
        for side in ("low", "high"):
            inner = variant.limit(side, "amber")
            inner = variant.limit(side, "red") if inner is None else inner
            if inner is not None and not found:
                yield from _hysteresis(rule.code, side, inner, rule.hysteresis)


def _limit(code: str, field: str, side: str, limit: float | None) -> Iterator[Problem]:
    """Of a limit that is a value of the code itself. side "": a set value, which need not be passed."""
    if limit is None:
        return
    known = RANGES[code]
    least, most = known.span
    told = telling.limit_of(code, limit)
    if not least <= limit <= most:
        span = f"{telling.limit(least)} to {telling.limit_of(code, most)}"
        if (least, most) == (known.low, known.high):
            why = f"that is outside what is possible at all, {span}"
        else:
            why = f"limits of {codes.inner(code)} are from {span}"
        yield field, f"cannot be {told}: {why}{_meant(code, limit, (least, most), amount=False)}"
    elif (side == "low" and limit <= known.low) or (side == "high" and limit >= known.high):
        beyond = "below" if side == "low" else "above"
        yield field, f"cannot be {told}: no value is {beyond} that, and the alert would never come; leave the limit out"


def _hysteresis(code: str, side: str, limit: float, hysteresis: float) -> Iterator[Problem]:
    """Whether an alert at this limit, the one nearer to normal, can end."""
    known = RANGES[code]
    back = limit + hysteresis if side == "low" else limit - hysteresis
    room = known.high - limit if side == "low" else limit - known.low
    most = min(known.margin, room)
    if hysteresis <= most + 1e-9:
        return
    name, at = codes.inner(code), telling.limit_of(code, back)
    if hysteresis > room:
        edge = telling.limit_of(code, known.high if side == "low" else known.low)
        why = f"no {name} is {'above' if side == 'low' else 'below'} {edge}, so it could never end"
    else:
        why = "that is far beyond the limit, so it could hardly end"
    told = f"cannot be {telling.limit_of(code, hysteresis)}: an alert at {telling.limit_of(code, limit)}"
    widest = telling.limit_of(code, max(0.0, most))
    yield "hysteresis", f"{told} would end only at {at}; {why}. Give at most {widest}"


def _amounts(rule: Assessment, code: str, *, of_readings: bool = False) -> Iterator[Problem]:
    """Of limits that are differences of values of the code: of single readings, or of what is worked out from many."""
    step = 10.0 ** -codes.BY_KEY[code].decimals
    least = step if of_readings else step / 10
    for field in ("amber", "red"):
        limit = getattr(rule, field)
        if limit is not None and limit >= RANGES[code].apart:
            yield field, _too_far_apart(code, limit)
        elif limit is not None and 0 < limit < least - 1e-9:
            fraction = code == "spo2" and 100 * limit >= 1
            meant = f"; did you mean {telling.limit_apart(code, 100 * limit)}?" if fraction else ""
            steps = f"{codes.inner(code)} is measured in steps of {telling.limit_of(code, step)}"
            yield (
                field,
                f"cannot be {telling.limit_apart(code, limit)}: {steps}, and nearly anything would alert{meant}",
            )


def _too_far_apart(code: str, amount: float) -> str:
    apart = RANGES[code].apart
    step, told = 10.0 ** -codes.BY_KEY[code].decimals, telling.limit_apart(code, apart)
    why = f"nobody's {codes.inner(code)} changes by {told} or more, and the alert would never come"
    meant = _meant(code, amount, (step, apart), amount=True) or f"; give less than {told}"
    return f"cannot be {telling.limit_apart(code, amount)}: {why}{meant}"


def _most(rule: Assessment, most: float, why: str) -> Iterator[Problem]:
    for field in ("amber", "red"):
        limit = getattr(rule, field)
        if limit is not None and limit >= most:
            yield field, f"cannot be {telling.limit(limit)}, the alert would never come: {why}"


def _distance(rule: Distance) -> Iterator[Problem]:
    side = "high" if rule.direction == "above" else "low"
    wrong = list(_shares(rule) if rule.percent else _amounts(rule, rule.code, of_readings=True))
    if rule.reference is not None:
        wrong = list(_limit(rule.code, "reference", "", rule.reference)) or wrong
    if wrong or rule.reference is None:
        yield from wrong
        return
    least, most = RANGES[rule.code].low, RANGES[rule.code].high
    room = most - rule.reference if side == "high" else rule.reference - least
    for field in ("amber", "red"):
        limit = getattr(rule, field)
        away = None if limit is None else rule.reference * limit / 100 if rule.percent else limit
        if away is not None and away >= room:
            told = telling.limit(limit) + " %" if rule.percent else telling.limit_of(rule.code, limit)
            beyond, set_value = rule.direction, telling.limit_of(rule.code, rule.reference)
            edge = telling.limit_of(rule.code, most if side == "high" else least)
            why = f"no value is beyond {edge}, and the alert would never come"
            yield field, f"cannot be {told} {beyond} the set {set_value}: {why}"


def _shares(rule: Distance) -> Iterator[Problem]:
    """Of limits in percent of a set value."""
    for field in ("amber", "red"):
        limit = getattr(rule, field)
        if limit is None:
            continue
        if 0 < limit < 1:
            yield (
                field,
                (
                    f"cannot be {telling.limit(limit)} %: less than 1 % is nothing; "
                    f"did you mean {telling.limit(100 * limit)} %?"
                ),
            )
        elif limit >= _MOST_PERCENT_ABOVE:
            why = f"nothing is {_MOST_PERCENT_ABOVE} % above the set value; give less than {_MOST_PERCENT_ABOVE}"
            yield field, f"cannot be {telling.limit(limit)} %: {why}"


def _meant(code: str, value: float, span: tuple[float, float], *, amount: bool) -> str:
    """What somebody may have had in mind: "; did you mean mg/dL? 54 mg/dL is 3.0 mmol/L"."""
    least, most = span

    def told(said: str, found: float) -> str:
        return f"{said} is {codes.measure(code, f'{codes.rounded(code, found):.{codes.BY_KEY[code].decimals}f}')}"

    number = telling.limit(value)
    if code == "temperature" and not amount and least <= (celsius := (value - 32) / 1.8) <= most:
        return f"; did you mean degrees Fahrenheit? {told(f'{number} °F', celsius)}"
    if code == "spo2" and not amount and least <= 100 * value <= most:
        return f"; did you mean a fraction? {told(number, 100 * value)}"
    for unit, factor in _OTHER_UNITS.get(code, ()):
        if least <= value * factor < most:
            return f"; did you mean {unit}? {told(f'{number} {unit}', value * factor)}"
    if least <= value / 10 <= most and not amount:
        return f"; did you mean {telling.limit_of(code, value / 10)}?"
    return ""
