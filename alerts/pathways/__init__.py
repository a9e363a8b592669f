"""Pathways: versioned rules and a usual schedule, every number with its source and approval state.

A resident's rules are a pathway version compiled with personal overrides and the SpO2 scale that a
clinician has set. Packaged ones are here, `<name>-<version>.toml`; `read` takes those of a hospital's own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from alerts import errors, kinds, plausible, rules
from alerts.pathways import document, entry
from alerts.pathways.model import Number, Pathway, Problem, Unusable

__all__ = ("Number", "Pathway", "Problem", "Unusable", "compile", "load", "names", "parse", "read", "unassigned")

_UNASSIGNED = "unassigned"


@functools.cache
def _packaged() -> dict[str, tuple[str, ...]]:
    """Versions by name, the oldest first."""
    found: dict[str, list[str]] = {}
    for file in resources.files(__name__).iterdir():
        name, dash, version = file.name.removesuffix(".toml").partition("-")
        if dash and file.name.endswith(".toml"):
            found.setdefault(name, []).append(version)
    return {name: tuple(sorted(found[name], key=_order)) for name in sorted(found)}


def _order(version: str) -> tuple[tuple[int, int, str], ...]:
    """10 comes after 9, and letters after numbers."""
    parts = re.findall(r"\d+|[^\d.]+", version)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def names() -> tuple[str, ...]:
    """The packaged pathways that a resident can be admitted to."""
    return tuple(name for name in _packaged() if name != _UNASSIGNED)


def versions(name: str) -> tuple[str, ...]:
    """Of a packaged pathway, the oldest first; none of another."""
    return _packaged().get(name, ())


@functools.cache
def load(name: str, version: str | None = None) -> Pathway:
    """A packaged pathway; version None: the newest. Raises RuleError when there is no such one."""
    known = versions(name)
    if not known:
        raise errors.RuleError("pathway", "is not one of " + ", ".join(names()))
    if version is not None and version not in known:
        raise errors.RuleError("pathway_version", f"of {name} must be {' or '.join(known)}")
    file = resources.files(__name__).joinpath(f"{name}-{version or known[-1]}.toml")
    return document.read(file.read_text(encoding="utf-8"))


def parse(text: str) -> Pathway:
    """A pathway from its text. Raises Unusable, a RuleError with every problem and its line."""
    return document.read(text)


def read(path: str | Path) -> Pathway:
    """A pathway from a file of one's own. Raises Unusable as `parse` does, also when the file cannot be read."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(document.MOST_BYTES + 1)
        return document.read(content.decode("utf-8"))
    except OSError as error:
        raise Unusable((Problem(None, "", "", f"cannot be read ({error.strerror})"),)) from None
    except UnicodeDecodeError:
        raise Unusable((Problem(None, "", "", "is not a text file in UTF-8"),)) from None


def compile(  # the word for it, and always called as pathways.compile
    pathway: Pathway, overrides: Mapping[str, Mapping[str, Any] | None] | None = None, spo2_scale: Literal[1, 2] = 1
) -> rules.RuleSet:
    """The rule set of one resident.

    `overrides`: by rule (threshold/spo2, news2, silence/spo2, change/weight_3_days) the fields to change, or
    None to leave the rule out; a rule that the pathway does not have is added. Raises RuleError.
    """
    if spo2_scale not in (1, 2):
        raise errors.RuleError("spo2_scale", "must be 1 or 2, set by a clinician")
    chosen: dict[str, dict[str, Any]] = {}
    for rule in pathway.rules:
        if rule["kind"] == "news2":
            chosen["news2"] = {**rule, "scale": spo2_scale}
        elif rule.get("scale", spo2_scale) == spo2_scale:
            chosen[key_of(rule)] = {field: value for field, value in rule.items() if field != "scale"}
    for key, change in (overrides or {}).items():
        if change is None:
            chosen.pop(key, None)
            continue
        kind, _, name = key.partition("/")
        called = {("name" if kind in kinds.KINDS else "code"): name} if name and key not in chosen else {}
        chosen[key] = {"kind": kind, **called, **chosen.get(key, {}), **change}
        if "source" not in change:
            chosen[key]["source"] = "personal limits of this resident"
    try:
        compiled = rules.RuleSet.from_json(
            {"pathway": pathway.name, "version": pathway.version, "rules": list(chosen.values())}
        )
    except errors.RuleError as error:
        raise errors.keyed(error, list(chosen)) from None
    for key, made in zip(chosen, compiled.rules, strict=True):
        if (overrides or {}).get(key) is not None:
            plausible.check(made, key)
    return compiled


def key_of(rule: Mapping[str, Any]) -> str:
    """What overrides call a rule of a pathway: threshold/spo2, news2, change/weight_3_days."""
    return entry.named(rule)


@functools.cache
def unassigned() -> rules.RuleSet:
    """Red limits for devices that nobody has: `unassigned().red(code, value)`."""
    return compile(load(_UNASSIGNED))
