"""A pathway file, checked as a whole: everything that is wrong with it, each with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerts import codes, errors, plausible, schedule
from alerts.kinds.base import APPROVAL
from alerts.pathways import approval as approvals
from alerts.pathways import entry as entries
from alerts.pathways.lines import Lines
from alerts.pathways.model import Number, Pathway, Problem, Unusable

MOST_BYTES = 1_000_000
MOST_RULES = 200
_TOP = ("name", "version", "title", "approval", "rules", "schedule")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
_AT = re.compile(r"\s*\(at line (\d+), column (\d+)\)$")
_EXAMPLES = {
    "name": 'name = "copd": small letters, digits and _',
    "version": 'version = "1": letters, digits, points and dashes, in quotes',
    "title": 'title = "Chronic obstructive pulmonary disease"',
    "approval": 'approval = "needs local approval", or who approved the file and when, "approved by ..., 3 Nov 2026"',
}


def read(text: str) -> Pathway:
    """The pathway of a TOML text. Raises Unusable, which has every problem."""
    text = text.removeprefix("\ufeff")  # some editors begin a file with a mark
    if len(text) > MOST_BYTES:
        raise Unusable((Problem(None, "", "", "is longer than a pathway can be, 1 MB"),))
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._problems: list[Problem] = []
        self._lines: Lines | None = None
        self._entries: list[Any] = []

    def read(self) -> Pathway:
        document = self._toml()
        self._lines = Lines(self._text)
        for name in document:
            if name not in _TOP:
                self._say(name, entries.unknown(name, _TOP, "a pathway"))
        self._top(document)
        approval = str(document.get("approval", ""))
        if approvals.problem(approval) is not None:  # said of the file, and not again of each number
            approval = APPROVAL
        found = document.get("rules")
        if not isinstance(found, list) or not found:
            self._say("rules", "there is no rule: each rule begins with [[rules]]")
            found = []
        if len(found) > MOST_RULES:
            self._say("rules", f"there are more than {MOST_RULES} rules")
        self._entries = found[:MOST_RULES]
        plain: list[dict[str, Any]] = []
        numbers: list[Number] = []
        for place, one in enumerate(self._entries):
            taken = self._rule(one, place, approval)
            if taken is not None:
                plain.append(taken[0])
                numbers += taken[1]
        self._across()
        self._schedule(document.get("schedule", {}))
        if self._problems:
            raise Unusable(tuple(sorted(self._problems, key=lambda p: p.line or 0)))
        return Pathway(
            document["name"],
            document["version"],
            document["title"],
            tuple(plain),
            document.get("schedule", {}),
            tuple(numbers),
            self._text,
        )

    def _toml(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            at = _AT.search(message)
            line = int(at[1]) if at else len(self._text.splitlines())
            raise Unusable((Problem(line, "", "", _toml_words(_AT.sub("", message), self._line(line))),)) from None
        except RecursionError:
            raise Unusable((Problem(None, "", "", "is nested too deeply to be a pathway"),)) from None

    def _line(self, number: int) -> str:
        lines = self._text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def _say(self, path: str, message: str) -> None:
        line = self._lines.of(path) if self._lines else None
        problem = Problem(line, path, place_of(path, self._entries), message)
        if problem not in self._problems:
            self._problems.append(problem)

    def _top(self, document: Mapping[str, Any]) -> None:
        for field, example in _EXAMPLES.items():
            value = document.get(field)
            if value is None:
                self._say(field, f"is missing: write {example}")
            elif not isinstance(value, str):
                self._say(field, f"must be a text in quotes, {example}")
            elif (field == "name" and not NAME.fullmatch(value)) or (
                field == "version" and not VERSION.fullmatch(value)
            ):
                self._say(field, f"must be like {example}")
            elif not 1 <= len(value.strip()) <= 200 or not value.isprintable():
                self._say(field, "must be a text of 1 to 200 characters")
            elif field == "approval" and (wrong := approvals.problem(value)) is not None:
                self._say(field, wrong)

    def _rule(self, one: object, place: int, approval: str) -> tuple[dict[str, Any], list[Number]] | None:
        where = f"rules[{place}]"
        before = len(self._problems)
        if not isinstance(one, Mapping):
            self._say(where, "must be a table: each rule begins with [[rules]]")
            return None

        def say(path: str, message: str) -> None:
            self._say(f"{where}.{path}", message)

        known = entries.check(one, say)
        # what is not known yet must not hide what else is wrong
        plain, numbers = entries.split(one, approval, say)
        if not known or len(self._problems) > before:
            return None
        try:
            rule = entries.parse({name: value for name, value in plain.items() if name != "scale"}, where)
        except errors.RuleError as error:
            self._say(error.field, error.problem + values(plain, error))
            return None
        for field, problem in plausible.problems(rule):
            say(field, problem)
        return plain, numbers

    def _across(self) -> None:
        """What only several rules together show: one twice, and references to none."""
        for scale in (1, 2):
            keys: dict[str, int] = {}
            present = [
                (place, one)
                for place, one in enumerate(self._entries)
                if isinstance(one, Mapping) and one.get("scale", scale) == scale
            ]
            for place, one in present:
                key = entries.named(one)
                if key and keys.setdefault(key, place) != place:
                    first = self._lines.of(f"rules[{keys[key]}]") if self._lines else None
                    self._say(
                        f"rules[{place}]", f"there is a rule {key} already, in line {first}: one of them is too many"
                    )
            names = [name for key, place in keys.items() for name in entries.looked_at(key, self._entries[place])]
            for place, one in present:
                for number, rule in references(one):
                    if rule not in names and not rule.startswith(
                        ("silence/", "combination/")
                    ):  # told by the rule itself
                        self._say(f"rules[{place}].conditions[{number}].rule", unresolved(rule, names))

    def _schedule(self, found: object) -> None:
        if not isinstance(found, Mapping):
            self._say("schedule", "must be tables such as [schedule.spo2] with times")
            return
        for code, one in found.items():
            if code not in codes.INDEX:
                near = entries.similar(code, codes.CODES)
                self._say(f"schedule.{code}", f'"{code:.40}" is not a measure that is known{near}')
                continue
            try:
                schedule.parse({code: one}, "Europe/London")
            except errors.RuleError as error:
                self._say(error.field, error.problem + _times(one, error))


def place_of(path: str, listed: Sequence[Any]) -> str:
    """rules[2].red_low as "rule 3 (threshold spo2), red_low"."""
    match = re.match(r"rules\[(\d+)\]\.?(.*)", path)
    if match is None:
        return path
    one = listed[int(match[1])] if int(match[1]) < len(listed) else None
    what = ""
    if isinstance(one, Mapping):
        words = (one.get(field) for field in ("kind", "name", "code"))
        what = " ".join(word[:40] for word in words if isinstance(word, str))
    return f"rule {int(match[1]) + 1}" + (f" ({what})" if what else "") + (f", {match[2]}" if match[2] else "")


def references(one: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Rules that a combination names, each with the place of its condition."""
    conditions = one.get("conditions")
    for number, condition in enumerate(conditions if isinstance(conditions, list) else ()):
        if isinstance(condition, Mapping) and isinstance(condition.get("rule"), str):
            yield number, condition["rule"]


def unresolved(rule: str, names: Sequence[str]) -> str:
    """Why no rule is called so, and what there is."""
    there_are = f"there are {', '.join(names) or 'none that a combination can look at'}"
    sides = [name for name in names if name.rpartition("/")[0] == rule]
    if sides:
        return f'"{rule:.80}" does not say which limits: write {" or ".join(sides)}; {there_are}'
    kind, _, rest = rule.partition("/")
    code, _, side = rest.rpartition("/")
    other = [name for name in names if name.startswith(f"{kind}/{code}/")]
    if kind == "threshold" and side in ("low", "high") and other:
        return f"threshold/{code:.40} has no {side} limits to look at: write {' or '.join(other)}; {there_are}"
    return f'there is no rule "{rule:.80}" in this pathway; {there_are}'


def _times(one: object, error: errors.RuleError) -> str:
    """The first time that is none: " (one of them is 8pm)"."""
    times = one.get("times") if error.field.endswith(".times") and isinstance(one, Mapping) else None
    wrong = [time for time in (times if isinstance(times, list) else ()) if not schedule.is_time(time)]
    return f" (one of them is {wrong[0]!s:.40}: write 20:00 for 8 in the evening)" if wrong else ""


def values(rule: Mapping[str, Any], error: errors.RuleError) -> str:
    """The numbers that a message is about: " (red_low is 93, amber_low is 92)"."""
    words = set(re.findall(r"[a-z0-9_]+", f"{error.field} {error.problem}"))
    if profile := re.search(r"\.profiles\[(\d+)\]", error.field):  # its limits go before the rule's
        found = rule["profiles"][int(profile[1])] if isinstance(rule.get("profiles"), list) else None
        rule = {**rule, **found} if isinstance(found, Mapping) else rule
    if "limits" in words or "band" in words:
        words |= {"red_low", "amber_low", "amber_high", "red_high"}
    if "amber" in words or "red" in words:
        words |= {"amber", "red"}
    told = [f"{name} is {value:g}" for name, value in rule.items() if name in words and entries.is_number(value)]
    last = error.field.rpartition(".")[2]
    if isinstance(given := rule.get(last), str):
        told.append(f'{last} is "{given:.40}"')
    return f" ({', '.join(told)})" if told else ""


def _toml_words(message: str, line: str) -> str:
    """What tomllib says, for somebody who does not know TOML."""
    if re.search("[“”„‘’‚«»]", line) and not message.startswith("Cannot"):
        told = 'quotes must be straight, " at both ends, not curly as a word processor makes them'
        return f"is not valid TOML: {told} ({message})"
    if re.search(r"\d,\d", line):
        return f"is not valid TOML: write decimal numbers with a point, 37.8 and not 37,8 ({message})"
    hints = {
        "Cannot overwrite a value": "the same field is given twice",
        "Cannot declare ('rules',)": "each rule begins with [[rules]], in two brackets",
        "Cannot mutate immutable namespace ('rules',)": "each rule begins with [[rules]], in two brackets",
        "Cannot declare": "the same table is given twice",
        "Illegal character": "a text must end with its quote on the same line",
        "Unterminated": "a quote is not closed",
        "Unclosed inline table": "what begins with { must end with } on the same line",
        "Unclosed array": "what begins with [ must end with ]",
        "Invalid value": "a text must be in quotes, a number not",
        "Expected '='": "a line must be like name = value",
        "Expected newline": "there is something more behind the value",
    }
    hint = next((hint for start, hint in hints.items() if message.startswith(start)), "")
    return f"is not valid TOML: {hint} ({message})" if hint else f"is not valid TOML: {message}"
