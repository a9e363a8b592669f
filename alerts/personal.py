"""What is personal about a resident's rules: each change of a pathway's version with who, when, why and review date.

Versions follow each other: a change makes the next rule set out of the one before, so that what was in force at any
time can be told and judged again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from alerts import errors, pathways, plausible, rules
from alerts.kinds.base import Assessment
from alerts.pathways.entry import known
from alerts.pathways.model import Pathway

#: The rule under which the SpO2 scale is changed; its field is "scale".
SCALE = "spo2_scale"
#: Never changed for one resident: what the rule is about, and where its defaults come from.
_FIXED = frozenset({"kind", "code", "codes", "name", "source", "approval", "scale", "unit"})
MOST_CHANGES = 50


@dataclass(frozen=True, slots=True)
class Override:
    """One field of one rule that is not the pathway's. field None: the rule is left out."""

    rule: str  #: threshold/spo2, distance/dry_weight_gain, spo2_scale
    field: str | None
    value: Any
    by: str  #: staff:3, operator:root
    at: str  #: ISO 8601
    why: str
    review_on: str  #: ISO date

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Override:
        return cls(**{field.name: document.get(field.name) for field in dataclasses.fields(cls)})  # type: ignore[arg-type]  # a row of ours

    def overdue(self, today: date) -> bool:
        return self.review_on < today.isoformat()


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants. how: set a field, go back to the pathway's, leave the rule out, take it in again.

    back with field None: everything of the rule as in the pathway.
    """

    rule: str
    field: str | None = None
    value: Any = None
    how: Literal["set", "back", "leave_out"] = "set"


@dataclass(frozen=True, slots=True)
class Rules:
    """A resident's rules of one version."""

    rule_set: rules.RuleSet
    scale: Literal[1, 2]
    overrides: tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who changes rules, when, why and until when it holds without being looked at again."""

    by: str
    at: str
    why: str
    review_on: str


def scale_of(rule_set: rules.RuleSet, said: int | None) -> Literal[1, 2]:
    """The SpO2 scale of a version; of one that does not say, that of its NEWS2."""
    found = said or (rule_set.news2.scale if rule_set.news2 else 1)
    return 2 if found == 2 else 1


def change(before: Rules, pathway: Pathway, wanted: Iterable[Change], signed: Signature) -> Rules:
    """The rules after changes. Raises RuleError naming rule and field: unknown ones, limits out of order, no change."""
    changes = _widened(before, tuple(wanted))
    if not 1 <= len(changes) <= MOST_CHANGES:
        raise errors.RuleError("changes", f"must be 1 to {MOST_CHANGES}")
    scale = _scale(before, changes)
    kept = {(one.rule, one.field): one for one in before.overrides}
    own = frozenset(kept)
    for one in changes:
        _note(kept, one, signed)
    if scale != before.scale:
        scaled = {pathways.key_of(entry) for entry in pathway.rules if "scale" in entry}
        asked = {one.rule for one in changes}
        kept = {key: one for key, one in kept.items() if key[0] not in scaled or key[0] in asked}
    overrides = tuple(kept.values())
    if scale != before.scale:
        # rules that depend on the scale are the pathway's then; everything else that is personal stays
        entries = _entries(pathways.compile(pathway, spo2_scale=scale))
        _lay_on(entries, overrides)
    else:
        entries = _entries(before.rule_set)
        usual = _entries(pathways.compile(pathway, spo2_scale=scale))
        for one in changes:
            _apply(entries, usual, one, signed, own)
    after = _checked(before, entries)
    _refer(after)
    _sensible(after, {one.rule for one in (overrides if scale != before.scale else changes)})
    if after == before.rule_set and scale == before.scale and overrides == before.overrides:
        raise errors.RuleError("changes", "change nothing: these are the rules in force")
    return Rules(after, scale, overrides)


def move(before: Rules, pathway: Pathway) -> tuple[Rules, tuple[Override, ...]]:
    """The rules by another pathway or version, with everything personal that fits it; and what does not.

    Raises RuleError where limits would be out of order: then what is personal is to be changed first.
    """
    entries = _entries(pathways.compile(pathway, spo2_scale=before.scale))
    usual = {key: dict(entry) for key, entry in entries.items()}
    kept = tuple(one for one in before.overrides if one.rule == SCALE or _fits(usual, one))
    _lay_on(entries, kept)
    after = Rules(
        _checked(Rules(rules.RuleSet(pathway.name, pathway.version, ()), before.scale, ()), entries), before.scale, kept
    )
    _refer(after.rule_set)
    _sensible(after.rule_set, {one.rule for one in kept})
    return after, tuple(one for one in before.overrides if one not in kept)


def _fits(usual: Mapping[str, Mapping[str, Any]], one: Override) -> bool:
    entry = usual.get(one.rule)
    return entry is not None and (one.field is None or one.field in known(entry["kind"]))


def _checked(before: Rules, entries: Mapping[str, dict[str, Any]]) -> rules.RuleSet:
    """The rule set of entries; what is wrong is named by rule and field."""
    document = {"pathway": before.rule_set.pathway, "version": before.rule_set.version}
    try:
        return rules.RuleSet.from_json({**document, "rules": list(entries.values())})
    except errors.RuleError as error:
        raise errors.keyed(error, list(entries)) from None


def _sensible(after: rules.RuleSet, personal: Collection[str]) -> None:
    """What is personal can be reached, and its alerts can end; the pathway's own rules are not looked at again."""
    for rule in after.rules:
        if (key := rules.key_of(rule)) in personal:
            plausible.check(rule, key)


def differing(now: Rules, pathway: Pathway) -> dict[tuple[str, str], Any]:
    """The pathway's own value of every (rule, field) that is another in these rules."""
    ours, usual = _entries(now.rule_set), _entries(pathways.compile(pathway, spo2_scale=now.scale))
    found: dict[tuple[str, str], Any] = {}
    for key, entry in ours.items():
        for field, value in entry.items():
            if field not in _FIXED and key in usual and usual[key].get(field) != value:
                found[key, field] = usual[key].get(field)
    return found


def left_out(now: Rules, pathway: Pathway) -> tuple[rules.Rule, ...]:
    """Rules of the pathway that these have not."""
    own = {rules.key_of(rule) for rule in now.rule_set.rules}
    usual = pathways.compile(pathway, spo2_scale=now.scale)
    return tuple(rule for rule in usual.rules if rules.key_of(rule) not in own)


def _widened(before: Rules, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """A set value, such as the dry weight, is one for all rules that measure the distance from it."""
    result = list(changes)
    for one in changes:
        mine = before.rule_set.assessments.get(one.rule)
        if one.field != "reference" or one.how == "leave_out" or mine is None:
            continue
        for key, other in before.rule_set.assessments.items():
            same = other.kind == mine.kind and other.codes == mine.codes
            if same and _reference(other) == _reference(mine) and all(c.rule != key for c in result):
                result.append(dataclasses.replace(one, rule=key))
    return tuple(result)


def _reference(rule: Assessment) -> Any:
    return getattr(rule, "reference", None)


def _scale(before: Rules, changes: Sequence[Change]) -> Literal[1, 2]:
    for one in changes:
        if one.rule == SCALE:
            if one.value not in (1, 2) or isinstance(one.value, bool) or one.how != "set":
                raise errors.RuleError(SCALE, "must be 1 or 2, set by a clinician")
            return 2 if one.value == 2 else 1
    return before.scale


def _note(kept: dict[tuple[str, str | None], Override], one: Change, signed: Signature) -> None:
    """Who, when and why of a change, or that there is nothing personal any more."""
    if one.how == "back":
        for key in [key for key in kept if key[0] == one.rule and one.field in (None, key[1])]:
            del kept[key]
        return
    field = "scale" if one.rule == SCALE else None if one.how == "leave_out" else one.field
    value = None if one.how == "leave_out" else one.value
    kept[one.rule, field] = Override(one.rule, field, value, signed.by, signed.at, signed.why, signed.review_on)


def _apply(
    entries: dict[str, dict[str, Any]],
    usual: dict[str, dict[str, Any]],
    one: Change,
    signed: Signature,
    own: frozenset[tuple[str, str | None]],
) -> None:
    """own: what is personal already, which may be signed again as it is."""
    if one.rule == SCALE:
        return
    if one.how == "leave_out":
        if entries.pop(one.rule, None) is None and (one.rule, None) not in own:
            raise errors.RuleError(one.rule, "is not a rule of this resident")
        return
    if one.how == "back":
        _back(entries, usual, one)
        return
    entry = entries.get(one.rule)
    if entry is None:
        raise errors.RuleError(one.rule, "is not a rule of this resident")
    if one.field is None or one.field in _FIXED or one.field not in known(entry["kind"]):
        raise errors.RuleError(f"{one.rule}.{one.field}", "is not a field that can be changed for one resident")
    if entry.get(one.field) == one.value and (one.rule, one.field) not in own:
        raise errors.RuleError(f"{one.rule}.{one.field}", "is that already: nothing is changed")
    entry[one.field] = one.value
    _mark(entry, f"{one.field} set for this resident by {signed.by}: {signed.why}")


def _back(entries: dict[str, dict[str, Any]], usual: dict[str, dict[str, Any]], one: Change) -> None:
    if one.rule not in usual:
        raise errors.RuleError(one.rule, "is not a rule of the pathway")
    if one.field is None or one.rule not in entries:
        entries[one.rule] = dict(usual[one.rule])
        return
    entry = entries[one.rule]
    if one.field in _FIXED or one.field not in known(entry["kind"]):
        raise errors.RuleError(f"{one.rule}.{one.field}", "is not a field of this rule")
    if one.field in usual[one.rule]:
        entry[one.field] = usual[one.rule][one.field]
    else:
        entry.pop(one.field, None)
    _unmark(entry, one.field)
    if all(entry.get(f) == usual[one.rule].get(f) for f in {*entry, *usual[one.rule]} - _FIXED):
        entries[one.rule] = dict(usual[one.rule])


def _lay_on(entries: dict[str, dict[str, Any]], overrides: Sequence[Override]) -> None:
    """What is personal, on the pathway's rules for another scale."""
    for one in overrides:
        if one.rule == SCALE or one.rule not in entries:
            continue
        if one.field is None:
            del entries[one.rule]
        elif one.field in known(entries[one.rule]["kind"]):
            entries[one.rule][one.field] = one.value
            _mark(entries[one.rule], f"{one.field} set for this resident by {one.by}: {one.why}")


def _mark(entry: dict[str, Any], said: str) -> None:
    """Where the numbers come from now: what is personal first."""
    _unmark(entry, said.partition(" ")[0])
    entry["source"] = f"{said[:240].replace('; ', ', ')}; {entry['source']}"[:500]


def _unmark(entry: dict[str, Any], field: str) -> None:
    parts = str(entry.get("source", "")).split("; ")
    entry["source"] = "; ".join(part for part in parts if not part.startswith(f"{field} set for this resident"))


def _refer(after: rules.RuleSet) -> None:
    """Combinations must not name a rule that is left out."""
    keys = {rules.key_of(rule) for rule in after.rules}
    for rule in after.assessments.values():
        if rule.kind != "combination":
            continue
        for condition in rule.dump().get("conditions", ()):
            named = condition.get("rule") if isinstance(condition, Mapping) else None
            if named and str(named).removesuffix("/low").removesuffix("/high") not in keys:
                raise errors.RuleError(
                    rule.key, f"looks at {named}, which would be left out: leave both out or neither"
                )


def _entries(rule_set: rules.RuleSet) -> dict[str, dict[str, Any]]:
    documents = rule_set.to_json()["rules"]
    return {rules.key_of(rule): document for rule, document in zip(rule_set.rules, documents, strict=True)}
