"""The rules that are judged, of the packaged pathways where they are: see docs/clinical/performance.md for why."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from alerts import errors as refusals
from alerts import pathways, rules
from telehealth import errors

_HOURS_8 = 8 * 3600

#: The inputs of NEWS2 that a hospital's hourly chart has; all carried forward for eight hours.
_NEWS2_AGES = dict.fromkeys(
    ("resp_rate", "spo2", "on_oxygen", "systolic", "pulse", "consciousness", "temperature"), _HOURS_8
)


def _set(name: str, *entries: Mapping[str, Any]) -> rules.RuleSet:
    return rules.RuleSet.from_json({"pathway": name, "version": "study", "rules": list(entries)})


@functools.cache
def weight(pathway: str | None = None) -> rules.RuleSet:
    """The rules of a pathway on gains of weight (dry weight needs a clinician's setting).

    pathway: a name, name@version or .toml file; the packaged one of heart failure. Raises Invalid.
    """
    found = _pathway(pathway or "heart_failure")
    chosen = [rule for rule in found.rules if _gains(rule)]
    if not chosen:
        raise errors.Invalid("--pathway", "has no rule on gains of weight")
    return _set(found.name, *chosen)


def _pathway(source: str) -> pathways.Pathway:
    name, _, version = source.partition("@")
    try:
        return pathways.read(source) if source.endswith(".toml") else pathways.load(name, version or None)
    except refusals.RuleError as error:
        raise errors.Invalid("--pathway", str(error)) from None


def _gains(rule: Mapping[str, Any]) -> bool:
    return (
        rule.get("code") == "weight"
        and rule.get("direction") == "rise"
        and rule["kind"] in ("change", "slope", "baseline", "crossover", "cusum")
    )


@functools.cache
def pulse(limit: float | None = None) -> rules.RuleSet:
    """The rule of the packaged post-acute pathway on resting pulse; limit: another one than its own."""
    (rule,) = [rule for rule in pathways.load("post_acute_infection").rules if rule["kind"] == "cusum" and _rests(rule)]
    return _set("post_acute_infection", {**rule, **({} if limit is None else {"amber": limit})})


def _rests(rule: Mapping[str, Any]) -> bool:
    return rule.get("code") == "resting_pulse"


@functools.cache
def glucose(minutes: int) -> rules.RuleSet:
    """The consensus events of the packaged diabetes pathway, for a sensor with a reading every so many minutes."""
    chosen = [
        {**rule, "reading_minutes": minutes}
        for rule in pathways.load("diabetes", "1").rules
        if rule["kind"] == "sustained"
    ]
    return _set("diabetes", *chosen)


@functools.cache
def hospital(refractory_hours: int) -> rules.RuleSet:
    """NEWS2 on scale 1 with all of its bands, and one alert for what comes again within the refractory time."""
    entry = {
        "kind": "news2",
        "scale": 1,
        "max_age_seconds": _NEWS2_AGES,
        "refractory_hours": refractory_hours,
        "source": "RCP 2017; carried forward for 8 hours",
    }
    return _set("news2", entry)


def told(rule_set: rules.RuleSet) -> list[dict[str, Any]]:
    """The rules with every parameter, for a report."""
    return [dict(rule) for rule in rule_set.to_json()["rules"]]
