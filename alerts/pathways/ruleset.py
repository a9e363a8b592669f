"""Rules written as JSON, checked as a pathway file is: everything that is wrong, in words, by rule and field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from alerts import errors, kinds, pathways, plausible, rules
from alerts.kinds.base import APPROVAL
from alerts.pathways import entry as entries
from alerts.pathways.document import MOST_RULES, place_of, references, unresolved, values
from alerts.pathways.model import Pathway, Problem, Unusable

_TOP = ("pathway", "version", "rules")


def read(document: Mapping[str, Any], name: str) -> rules.RuleSet:
    """The rule set of {"rules": [...]}. Raises Unusable, which has every problem.

    name: of the file, where the document does not name its pathway. Numbers may have a source and need none.
    """
    return _Reader(document).read(name)


def overridden(pathway: Pathway, overrides: Mapping[str, Any], scale: Literal[1, 2]) -> rules.RuleSet:
    """The pathway with changes by rule, as pathways.compile has it. Raises Unusable with every problem."""
    usual = {
        entries.named(one): one for one in pathway.rules if one["kind"] == "news2" or one.get("scale", scale) == scale
    }
    found: list[Problem] = []
    for key, change in overrides.items():
        if change is None and key not in usual:
            told = f"cannot be left out: {pathway.name} has no such rule, only {', '.join(usual)}"
            found.append(Problem(None, key, f"{key:.80}", told))
        elif isinstance(change, Mapping):
            found += _changed(key, change, usual)
        elif change is not None:
            found.append(Problem(None, key, f"{key:.80}", "must be null, or the fields to change in braces"))
    if found:
        raise Unusable(tuple(found))
    return pathways.compile(pathway, overrides, scale)


def _changed(key: str, change: Mapping[str, Any], usual: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """What is wrong with one override before the rule is put together."""
    kind, _, name = key.partition("/")
    found: list[Problem] = []

    def say(path: str, message: str) -> None:
        found.append(Problem(None, f"{key}.{path}", f"{key:.80}, {path}", message))

    known = usual.get(key)
    if known is None and kind in entries.kinds_of_rules() and name and kind not in kinds.KINDS:
        entries.check({"code": name, **change, "kind": kind}, say)
    elif known is None:
        entries.check({**change, "kind": kind}, say)
    else:
        entries.check({**known, **change, "kind": kind}, _without_scale(say, known))
    entries.split({"source": "given", **change}, APPROVAL, _numbers_only(say))
    return found


def _without_scale(say: entries.Say, known: Mapping[str, Any]) -> entries.Say:
    """A packaged rule may say for which scale it is."""

    def told(path: str, message: str) -> None:
        if path != "scale" or "scale" not in known:
            say(path, message)

    return told


def _numbers_only(say: entries.Say) -> entries.Say:
    return lambda path, message: say(path, message) if message.startswith("must be a number") else None


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._found: list[Problem] = []
        self._entries: Sequence[Any] = ()

    def read(self, name: str) -> rules.RuleSet:
        for field in self._document:
            if field not in _TOP:
                self._say(field, entries.unknown(field, _TOP, "a rule set"))
        for field in ("pathway", "version"):
            value = self._document.get(field, name)
            if not isinstance(value, str) or not 1 <= len(value) <= 100:
                self._say(field, "must be a text of 1 to 100 characters, in quotes")
        listed = self._document.get("rules")
        if not isinstance(listed, list) or not listed:
            self._say("rules", "must be a list of rules in square brackets, with one at least")
            raise Unusable(tuple(self._found))
        if len(listed) > MOST_RULES:
            self._say("rules", f"there are more than {MOST_RULES} rules")
        self._entries = listed[:MOST_RULES]
        plain = [self._rule(one, place) for place, one in enumerate(self._entries)]
        self._across()
        if self._found:
            raise Unusable(tuple(self._found))
        top = {"pathway": name, "version": "file", **self._document}
        return rules.RuleSet.from_json({**top, "rules": plain})

    def _say(self, path: str, message: str) -> None:
        problem = Problem(None, path, place_of(path, self._entries), message)
        if problem not in self._found:
            self._found.append(problem)

    def _rule(self, one: object, place: int) -> dict[str, Any]:
        where = f"rules[{place}]"
        before = len(self._found)
        if not isinstance(one, Mapping):
            self._say(where, "must be an object in braces, with a kind")
            return {}

        def say(path: str, message: str) -> None:
            self._say(f"{where}.{path}", message)

        scored = one.get("kind") == "news2"
        known = entries.check({name: value for name, value in one.items() if name != "scale" or not scored}, say)
        if scored and (one.get("scale") not in (1, 2) or isinstance(one.get("scale"), bool)):
            say("scale", 'must be 1 or 2, the SpO2 scale, set by a clinician: write "scale": 1')
        elif not scored and "scale" in one:
            say("scale", "belongs to the news2 rule only: leave it out here")
        plain, _ = entries.split({**one, "source": "given", "approval": APPROVAL}, APPROVAL, say)
        plain = {name: value for name, value in plain.items() if name not in ("source", "approval", "scale")}
        plain |= {name: one[name] for name in ("source", "approval") if name in one}
        if not known or len(self._found) > before:
            return {}
        try:
            rule = entries.parse(plain, where)
        except errors.RuleError as error:
            self._say(error.field, error.problem + values(plain, error))
            return {}
        for field, problem in plausible.problems(rule):
            say(field, problem)
        return {**plain, **({"scale": one["scale"]} if scored else {})}

    def _across(self) -> None:
        keys: dict[str, int] = {}
        for place, one in enumerate(self._entries):
            key = entries.named(one) if isinstance(one, Mapping) else ""
            if key and keys.setdefault(key, place) != place:
                told = f"there is a rule {key} already, rule {keys[key] + 1}: one of them is too many"
                self._say(f"rules[{place}]", told)
        names = [name for key, place in keys.items() for name in entries.looked_at(key, self._entries[place])]
        for place, one in enumerate(self._entries):
            for number, rule in references(one) if isinstance(one, Mapping) else ():
                if rule not in names and not rule.startswith(("silence/", "combination/")):
                    self._say(f"rules[{place}].conditions[{number}].rule", unresolved(rule, names))
