"""Which rules: a packaged pathway, a pathway file, a rule set, or a resident's own changes on top of a pathway."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from alerts import errors as refusals
from alerts import pathways, rules
from alerts.pathways import ruleset
from telehealth import errors

_MOST_BYTES = 1_000_000
#: Of a file of overrides that says more than these.
_FIELDS = ("pathway", "version", "spo2_scale", "overrides")
Json = dict[str, Any]
T = TypeVar("T")
Scale = Literal[1, 2]


@dataclass(frozen=True)
class Chosen:
    """Rules to replay. label: what the report calls them; schedule: what the pathway expects, local times."""

    rule_set: rules.RuleSet
    schedule: Mapping[str, Any]
    label: str


def choose(pathway: str | None, file: Path | None, scale: Scale, options: tuple[str, str]) -> Chosen:
    """The rules of a pathway (name, name@version or a .toml file) and a rules file; one of them may be missing.

    The file: a pathway (.toml), or JSON: a rule set {"rules": [...]}, which takes the pathway's place, or overrides
    by rule, as {"overrides": {...}} with an own "pathway" and "spo2_scale" or for the pathway given.
    options: their names, for messages. Raises Invalid.
    """
    if file is None:
        if pathway is None:
            raise errors.Invalid(options[0], "is needed, or a file of rules")
        return _compiled(_pathway(pathway, options[0]), {}, scale, pathway, options[0])
    label = file.name if pathway is None else f"{pathway} with {file.name}"
    if file.suffix == ".toml":
        own = _pathway(str(file), options[1])
        return _compiled(own, {}, scale, file.name, options[1])
    document = _json(file, options[1])
    base = document.get("pathway") if "rules" not in document else None
    named = base if isinstance(base, str) else pathway
    if "rules" in document:
        rule_set = _checked(lambda: ruleset.read(document, file.stem), options[1])
        usual = {} if pathway is None else _pathway(pathway, options[0]).schedule
        return Chosen(rule_set, usual, label)
    if named is None:
        raise errors.Invalid(options[1], 'holds changes only: it needs "pathway", or say which with the other option')
    laid_out = "overrides" in document or "pathway" in document
    if laid_out and (wrong := [name for name in document if name not in _FIELDS]):
        raise errors.Invalid(options[1], f'"{wrong[0]:.40}" is not known beside "overrides": {", ".join(_FIELDS)}')
    if laid_out and document.get("spo2_scale", scale) not in (1, 2):
        raise errors.Invalid(options[1], "spo2_scale must be 1 or 2")
    overrides = document.get("overrides", {}) if laid_out else document
    if not isinstance(overrides, Mapping) or not all(o is None or isinstance(o, Mapping) for o in overrides.values()):
        raise errors.Invalid(options[1], "overrides must be an object by rule, such as threshold/spo2")
    version = document.get("version")
    name = named if not isinstance(version, str) or "@" in named else f"{named}@{version}"
    own_scale: Scale = 2 if document.get("spo2_scale", scale) == 2 else 1
    return _compiled(_pathway(name, options[1]), overrides, own_scale, label, options[1])


def _pathway(source: str, option: str) -> pathways.Pathway:
    if source.endswith(".toml"):
        return _checked(lambda: pathways.read(source), option)
    name, _, version = source.partition("@")
    return _checked(lambda: pathways.load(name, version or None), option)


def _compiled(pathway: pathways.Pathway, overrides: Mapping[str, Any], scale: Scale, label: str, option: str) -> Chosen:
    rule_set = _checked(lambda: ruleset.overridden(pathway, overrides, scale), option)
    return Chosen(rule_set, pathway.schedule, label)


def _checked(work: Callable[[], T], option: str) -> T:
    try:
        return work()
    except pathways.Unusable as error:
        raise errors.Invalid(option, "; ".join(str(problem) for problem in error.problems[:20])) from None
    except refusals.AlertError as error:
        raise errors.Invalid(option, str(error)) from None


def _json(file: Path, option: str) -> Json:
    try:
        with file.open("rb") as source:
            content = source.read(_MOST_BYTES + 1)
    except OSError as error:
        raise errors.Invalid(option, f"cannot be read: {error.strerror or type(error).__name__}") from None
    if len(content) > _MOST_BYTES:
        raise errors.Invalid(option, f"is larger than {_MOST_BYTES} bytes")
    try:
        document = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise errors.Invalid(option, f"is not JSON{where}") from None
    if not isinstance(document, dict):
        raise errors.Invalid(option, "must be a JSON object")
    return document


def _no_constant(_: str) -> None:
    raise ValueError
