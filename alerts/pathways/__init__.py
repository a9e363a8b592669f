"""Packaged pathways: versioned rules and a usual schedule, every number with its source and approval state.

A resident's rules are a pathway version compiled with personal overrides and the SpO2 scale that a
clinician has set.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from alerts import errors, rules

NAMES = ("copd", "frailty", "heart_failure", "hypertension", "post_acute_infection")
_UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Number:
    """One default number of a pathway and where it comes from."""

    rule: str  #: threshold/spo2, threshold/spo2 (scale 2), news2, silence/spo2
    field: str
    value: float
    source: str
    approval: str


@dataclass(frozen=True, slots=True)
class Pathway:
    """One version of a pathway. `rules` are as in a rule set, those with a "scale" only for that SpO2 scale."""

    name: str
    version: str
    title: str
    rules: tuple[Mapping[str, Any], ...]
    schedule: Mapping[str, Any]  #: usual due times, local
    numbers: tuple[Number, ...]


def names() -> tuple[str, ...]:
    """The pathways that a resident can be admitted to."""
    return NAMES


@functools.cache
def load(name: str, version: str | None = None) -> Pathway:
    """A packaged pathway; version None: the newest. Raises RuleError when there is no such one."""
    if name not in (*NAMES, _UNASSIGNED):
        raise errors.RuleError("pathway", "is not one of " + ", ".join(NAMES))
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    if version not in (None, document["version"]):
        raise errors.RuleError("pathway_version", f"of {name} must be {document['version']}")
    plain: list[dict[str, Any]] = []
    numbers: list[Number] = []
    for entry in document["rules"]:
        rule, found = _split(entry, document["approval"])
        plain.append(rule)
        numbers += found
    return Pathway(
        name, document["version"], document["title"], tuple(plain), document.get("schedule", {}), tuple(numbers)
    )


def compile(  # the word for it, and always called as pathways.compile
    pathway: Pathway, overrides: Mapping[str, Mapping[str, Any] | None] | None = None, spo2_scale: Literal[1, 2] = 1
) -> rules.RuleSet:
    """The rule set of one resident.

    `overrides`: by rule (threshold/spo2, news2, silence/spo2) the fields to change, or None to leave the rule
    out; a rule that the pathway does not have is added. Raises RuleError.
    """
    if spo2_scale not in (1, 2):
        raise errors.RuleError("spo2_scale", "must be 1 or 2, set by a clinician")
    chosen: dict[str, dict[str, Any]] = {}
    for entry in pathway.rules:
        if entry["kind"] == "news2":
            chosen["news2"] = {**entry, "scale": spo2_scale}
        elif entry.get("scale", spo2_scale) == spo2_scale:
            rule = {field: value for field, value in entry.items() if field != "scale"}
            chosen[f"{rule['kind']}/{rule['code']}"] = rule
    for key, change in (overrides or {}).items():
        if change is None:
            chosen.pop(key, None)
            continue
        kind, _, code = key.partition("/")
        chosen[key] = {"kind": kind, **({"code": code} if code else {}), **chosen.get(key, {}), **change}
        if "source" not in change:
            chosen[key]["source"] = "personal limits of this resident"
    return rules.RuleSet.from_json(
        {"pathway": pathway.name, "version": pathway.version, "rules": list(chosen.values())}
    )


@functools.cache
def unassigned() -> rules.RuleSet:
    """Red limits for devices that nobody has: `unassigned().red(code, value)`."""
    return compile(load(_UNASSIGNED))


def _split(entry: Mapping[str, Any], approval: str) -> tuple[dict[str, Any], list[Number]]:
    """A rule with plain numbers, and the numbers with their sources."""
    scale = f" (scale {entry['scale']})" if "scale" in entry else ""
    key = (entry["kind"] + (f"/{entry['code']}" if "code" in entry else "")) + scale
    numbers: list[Number] = []

    def plain(field: str, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if "value" in value:
            numbers.append(Number(key, field, value["value"], value["source"], value.get("approval", approval)))
            return value["value"]
        return {name: plain(f"{field}.{name}", inner) for name, inner in value.items()}

    rule = {field: plain(field, value) for field, value in entry.items()}
    rule["source"] = "; ".join(dict.fromkeys(f"{number.field}: {number.source}" for number in numbers))[:500]
    rule["approval"] = approval
    return rule, numbers
