"""A scenario file, checked as a whole: everything that is wrong with it, each with its line, in plain words."""

from __future__ import annotations

import difflib
import itertools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devices import catalogue
from simulator import errors, scenario_lines
from simulator.bodies import physiology
from simulator.homes import faults
from simulator.scenario_model import Curve, Happening, Notice, Phase, Quiet, Scenario, Symptom, Value, Vital

_AT: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
#: Hours a year, in either direction; sizes within what any vital sign could ever change by.
_YEAR, _SIZE = 8784.0, 100_000.0
MOST_ENTRIES = 100
_PLAIN: Final[Mapping[str, str]] = {
    "Cannot overwrite a value": "the same name is there twice",
    "Invalid value": "there is no value that TOML knows after the =; texts need quotes",
    "Invalid statement": "a line must be a name, = and a value, or a head such as [[vital]]",
    "Expected '=' after a key in a key/value pair": "a name must be followed by = and a value",
    "Expected newline or end of document after a statement": "something follows the value on the same line",
    "Unclosed array": "a list is not closed with ]",
    "Unterminated string": "a text is not closed with its quotes",
    "Illegal character '\\n'": "a text is not closed with its quotes on the same line",
}
EVENTS: Final[Mapping[str, str]] = {
    "fall": "the resident falls; a fall detector says so",
    "button": "the resident presses the button of the pendant",
    "long_lie": "the resident lies on the floor, where nothing due is measured; values are said when found",
    "answer": "the resident answers questions outside the schedule",
}
PRIORITIES: Final = ("low", "medium", "high")
CATEGORIES: Final = ("clinical", "silence", "technical")

_TOP: Final = (
    "name", "title", "description", "sources", "pathways", "severity", "tempo", "starts", "peak_hours", "end_hours",
    "phase", "vital", "state", "symptom", "adherence", "event", "fault", "notice", "quiet",
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """line: from 1; None where it belongs to no line."""

    line: int | None
    message: str

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


class Unusable(errors.BadInput):
    """The file is not a scenario. problems: all of them, in the order of their lines."""

    def __init__(self, where: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{where}: {problem}" for problem in problems))
        self.problems = tuple(problems)


def read(text: str, where: str = "scenario") -> Scenario:
    """Raises Unusable."""
    text = text.removeprefix("\ufeff")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unusable(where, [_syntax(str(error), text)]) from None
    except RecursionError:
        raise Unusable(where, [Problem(None, "is nested too deeply to be a scenario")]) from None
    reader = _Reader(document, scenario_lines.lines(text))
    found = reader.scenario(text)
    if reader.problems:
        unique = dict.fromkeys(sorted(reader.problems, key=lambda problem: problem.line or 0))
        raise Unusable(where, list(unique))
    return found


def _syntax(message: str, text: str) -> Problem:
    at = _AT.search(message)
    rows = text.split("\n")
    line = int(at[1]) if at and at[1] else len(rows)
    said = _AT.sub("", message)
    said = _PLAIN.get(said, said[:1].lower() + said[1:])
    shown = rows[line - 1].strip() if line <= len(rows) else ""
    near = f" in {shown[:60]!r}" if shown and shown.isprintable() else ""
    return Problem(line, f"this is not TOML: {said}{near}")


class _Table:
    """One table of the file: hands out checked values and says what is wrong with the others."""

    def __init__(self, reader: _Reader, value: Any, path: str, known: Sequence[str], what: str) -> None:
        self._reader, self._path, self._what = reader, path, what
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.say("", f"must be a table: write [{path}] or [[{path.partition('[')[0]}]] on a line of its own")
        for key in self.value:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; is {near[0]} meant?" if near else f"; known are {', '.join(known)}"
                self.say(key, f"{what} has no {key!r}{hint}" if what else f"there is no {key!r}{hint}")

    def say(self, key: str, message: str) -> None:
        path = f"{self._path}.{key}" if self._path and key else self._path or key
        self._reader.say(path, message)

    def about(self, key: str) -> str:
        return f"{self._what}: {key}" if self._what else key

    def has(self, *keys: str) -> bool:
        return any(key in self.value for key in keys)

    def missing(self, key: str, example: str) -> None:
        self.say("" if self._path else key, f"{self.about(key)} is missing: write {example}")

    def text(self, key: str, *, example: str = "", most: int = 200, needed: bool = True) -> str:
        value = self.value.get(key)
        if value is None:
            if needed:
                self.missing(key, example)
            return ""
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= most:
            self.say(key, f"{self.about(key)} must be a text in quotes of 1 to {most} characters")
            return ""
        return value.strip()

    def word(self, key: str, choices: Sequence[str], *, usual: str | None = None) -> str:
        value = self.value.get(key, usual)
        if value is None:
            self.missing(key, f'{key} = "{choices[0]}" (or {", ".join(choices[1:6])})')
        elif value not in choices:
            near = difflib.get_close_matches(str(value), choices, 1)
            several = f"one of {', '.join(choices)}" if len(choices) <= 12 else "one of the codes that are known"
            self.say(key, f"{self.about(key)} must be {several}" + (f"; is {near[0]} meant?" if near else ""))
        else:
            return str(value)
        return choices[0]

    def number(self, key: str, low: float, high: float, *, usual: float | None = None) -> float | None:
        value = self.value.get(key, usual)
        if value is not None and not _is_number(value, low, high):
            self.say(key, f"{self.about(key)} must be a number from {low:g} to {high:g}")
            return usual
        return None if value is None else float(value)

    def numbers(self, key: str, low: float, high: float) -> tuple[float, ...]:
        value = self.value.get(key)
        good = isinstance(value, list) and 1 <= len(value) <= 1000 and all(_is_number(one, low, high) for one in value)
        if value is None:
            self.missing(key, f"{key} = [0, 12, 24]")
        elif not good:
            self.say(key, f"{self.about(key)} must be a list of numbers from {low:g} to {high:g}")
        return tuple(float(one) for one in value) if isinstance(value, list) and good else ()

    def words(self, key: str, choices: Sequence[str] = (), *, most: int = 500) -> tuple[str, ...]:
        value = self.value.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and 0 < len(one) <= most for one in value):
            self.say(key, f'{self.about(key)} must be a list of texts: {key} = ["...", "..."]')
            return ()
        for one in value:
            if choices and one not in choices:
                near = difflib.get_close_matches(one, choices, 1)
                self.say(key, f"{self.about(key)}: {one!r} is not known" + (f"; is {near[0]} meant?" if near else ""))
        return tuple(value)

    def span(self, key: str, low: float, high: float, usual: tuple[float, float]) -> tuple[float, float]:
        """One number, or a list of two that do not fall."""
        value = self.value.get(key)
        if value is None:
            return usual
        if _is_number(value, low, high):
            return float(value), float(value)
        pair = isinstance(value, list) and len(value) == 2 and all(_is_number(one, low, high) for one in value)
        if not pair or value[0] > value[1]:
            self.say(key, f"{self.about(key)} must be two numbers, the lower first, from {low:g} to {high:g}")
            return usual
        return float(value[0]), float(value[1])

    def curve(self, key: str, low: float = -_SIZE, high: float = _SIZE) -> Curve | None:
        """The values of a key over the table's hours."""
        if key not in self.value:
            return None
        hours, values = self.hours(), self.numbers(key, low, high)
        if hours and values and len(hours) != len(values):
            self.say(key, f"{self.about(key)} has {len(values)} numbers but hours has {len(hours)}: one for each hour")
            return None
        return Curve(hours, values) if hours and values else None

    def hours(self) -> tuple[float, ...]:
        found = self.numbers("hours", -_YEAR, _YEAR)
        for before, after in itertools.pairwise(found):
            if after <= before:
                self.say("hours", f"{self.about('hours')} must rise: {after:g} comes after {before:g}")
                return ()
        return found


class _Reader:
    def __init__(self, document: Mapping[str, Any], lines: dict[str, int]) -> None:
        self._document, self._lines = document, lines
        self.problems: list[Problem] = []

    def say(self, path: str, message: str) -> None:
        self.problems.append(Problem(scenario_lines.nearest(self._lines, path), message))

    def scenario(self, text: str) -> Scenario:
        top = _Table(self, self._document, "", _TOP, "")
        name = top.text("name", example='name = "my_scenario"', most=60)
        if name and not _NAME.fullmatch(name):
            top.say("name", "name must be small letters, digits and _, beginning with a letter")
        return Scenario(
            name=name,
            title=top.text("title", example='title = "What it is, in one line"'),
            description=top.text("description", example='description = """What happens and why"""', most=5000),
            text=text,
            sources=top.words("sources"),
            pathways=top.words("pathways", most=60),
            severity=top.span("severity", 0.05, 5.0, (1.0, 1.0)),
            tempo=top.span("tempo", 0.05, 20.0, (1.0, 1.0)),
            starts=self._starts(top),
            peak_hours=top.number("peak_hours", 0, _YEAR),
            end_hours=top.number("end_hours", 0, _YEAR),
            phases=tuple(self._phase(*one) for one in self._each("phase")),
            vitals=self._vitals(),
            states=self._states(),
            symptoms=self._symptoms(),
            adherence=self._adherence(),
            events=tuple(self._event(*one) for one in self._each("event")),
            faults=tuple(fault for one in self._each("fault") if (fault := self._fault(*one)) is not None),
            notice=tuple(self._notice(*one) for one in self._each("notice")),
            quiet=tuple(self._quiet(*one) for one in self._each("quiet")),
        )

    def _each(self, name: str) -> list[tuple[Any, str]]:
        found = self._document.get(name, [])
        if not isinstance(found, list):
            self.say(name, f"{name} must be written [[{name}]], with two brackets, once for each")
            return []
        if len(found) > MOST_ENTRIES:
            self.say(name, f"there are more than {MOST_ENTRIES} of [[{name}]]")
        return [(one, f"{name}[{place}]") for place, one in enumerate(found[:MOST_ENTRIES])]

    def _named(self, what: str, value: Any) -> str:
        code = value.get("code") if isinstance(value, dict) else None
        return f"{what} {code}" if isinstance(code, str) else what

    def _vitals(self) -> dict[str, Vital]:
        known = ("code", "hours", "offset", "level", "part", "spread")
        found: dict[str, Vital] = {}
        for value, path in self._each("vital"):
            table = _Table(self, value, path, known, self._named("vital", value))
            code = table.word("code", tuple(physiology.VITALS))
            if not table.has("offset", "level", "spread"):
                table.say("", f"{self._named('vital', value)} needs offset, level or spread, one value for each hour")
            if table.has("part") and not table.has("level"):
                table.say("part", "part says how far a vital is drawn towards its level: it needs level")
            if code in found:
                table.say("code", f"vital {code} is there twice: one [[vital]] for each code")
            found[code] = Vital(
                code,
                table.curve("offset"),
                table.curve("level"),
                table.curve("part", 0, 1),
                table.curve("spread", 0, 20),
            )
        return found

    def _states(self) -> dict[str, tuple[tuple[float, Value], ...]]:
        found: dict[str, tuple[tuple[float, Value], ...]] = {}
        for value, path in self._each("state"):
            table = _Table(self, value, path, ("code", "hours", "value"), self._named("state", value))
            code = table.word("code", (*_answers(), "consciousness", *_scales()))
            hours, given = table.hours(), table.value.get("value")
            if not isinstance(given, list) or (hours and len(given) != len(hours)):
                table.say("value", f"{table.about('value')} must be a list, one for each of the {len(hours)} hours")
                given = []
            for one in given:
                if problem := _wrong(code, one):
                    table.say("value", f"{table.about('value')}: {problem}")
            if code in found:
                table.say("code", f"state {code} is there twice: one [[state]] for each code")
            found[code] = tuple(zip(hours, given, strict=False))
        return found

    def _symptoms(self) -> dict[str, Symptom]:
        found: dict[str, Symptom] = {}
        for value, path in self._each("symptom"):
            named = self._named("symptom", value)
            table = _Table(self, value, path, ("code", "hours", "chance", "offset"), named)
            code = table.word("code", (*_answers(), *_scales()))
            wanted, other = ("offset", "chance") if code in _scales() else ("chance", "offset")
            if not table.has(wanted) or table.has(other):
                kind = "is a scale of 0 to 10" if wanted == "offset" else "is yes or no"
                table.say(other if table.has(other) else "", f"{named} {kind}: it needs {wanted}, one for each hour")
            if code in found:
                table.say("code", f"{named} is there twice: one [[symptom]] for each code")
            found[code] = Symptom(code, table.curve("chance", 0, 1), table.curve("offset", -10, 10))
        return found

    def _adherence(self) -> Curve | None:
        if "adherence" not in self._document:
            return None
        table = _Table(self, self._document["adherence"], "adherence", ("hours", "part"), "adherence")
        if not table.has("part"):
            table.missing("part", "part = [1, 0.5]: how much of what is due is measured, one for each hour")
        return table.curve("part", 0, 1)

    def _event(self, value: Any, path: str) -> Happening:
        table = _Table(self, value, path, ("kind", "hours", "at", "chance", "lasts", "values"), "event")
        kind = table.word("kind", tuple(EVENTS))
        hours = table.span("at", -_YEAR, _YEAR, (0.0, 0.0))
        if not table.has("at"):
            table.missing("at", "at = 3, or at = [2, 5] for an hour in between that is drawn")
        given = table.value.get("values", {"fall": True} if kind in ("fall", "button") else {})
        if not isinstance(given, dict):
            table.say("values", "event: values must be codes with values: values = { fall = true }")
            given = {}
        for code, one in given.items():
            if code not in catalogue.ENTRIES:
                table.say("values", f"event: values names {code!r}, which is no code")
            elif problem := _wrong(code, one):
                table.say("values", f"event: {code}: {problem}")
        if kind == "answer" and not given:
            table.missing("values", "values = { chest_pain = true }")
        if kind == "long_lie" and not table.has("lasts"):
            table.missing("lasts", "lasts = 6, or lasts = [2, 12]: hours on the floor")
        chance = table.number("chance", 0, 1, usual=1.0)
        lasts = table.span("lasts", 0, 24 * 7, (0.0, 0.0))
        return Happening(kind, hours, given, 1.0 if chance is None else chance, lasts)

    def _fault(self, value: Any, path: str) -> faults.Planned | None:
        if not isinstance(value, dict):
            self.say(path, "fault must be written [[fault]] on a line of its own")
            return None
        try:
            return faults.planned(value)
        except errors.BadInput as error:
            key = next((key for key in value if re.search(rf"\b{re.escape(key)}\b", str(error))), "")
            self.say(f"{path}.{key}" if key else path, str(error))
        except (TypeError, ValueError):
            self.say(path, "fault: codes must be a list of codes")
        return None

    def _phase(self, value: Any, path: str) -> Phase:
        table = _Table(self, value, path, ("name", "from_hours", "to_hours", "text"), "phase")
        name = table.text("name", example='name = "Fever"', most=60)
        start, end = self._from_to(table)
        return Phase(name, start, end, table.text("text", most=1000, needed=False))

    def _notice(self, value: Any, path: str) -> Notice:
        known = ("what", "by_hours", "priority", "codes", "categories", "pathways", "source")
        table = _Table(self, value, path, known, "notice")
        by = table.number("by_hours", 0, _YEAR)
        if not table.has("by_hours"):
            table.missing("by_hours", "by_hours = 24: hours from the onset")
        return Notice(
            table.text("what", example='what = "the fever"'),
            by or 0.0,
            table.word("priority", PRIORITIES, usual="low"),
            table.text("source", example='source = "why this can be asked"', most=1000),
            table.words("codes", tuple(catalogue.ENTRIES)),
            table.words("categories", CATEGORIES) or ("clinical",),
            table.words("pathways", most=60),
        )

    def _quiet(self, value: Any, path: str) -> Quiet:
        table = _Table(self, value, path, ("why", "from_hours", "to_hours", "codes", "pathways"), "quiet")
        start, end = self._from_to(table)
        why = table.text("why", example='why = "nothing is wrong with it"')
        return Quiet(why, start, end, table.words("codes", tuple(catalogue.ENTRIES)), table.words("pathways", most=60))

    def _from_to(self, table: _Table) -> tuple[float, float | None]:
        start = table.number("from_hours", -_YEAR, _YEAR, usual=0.0) or 0.0
        end = table.number("to_hours", -_YEAR, _YEAR)
        if end is not None and end <= start:
            table.say("to_hours", f"{table.about('to_hours')} must be later than from_hours")
        return start, end

    def _starts(self, top: _Table) -> tuple[int, int] | None:
        value = self._document.get("starts")
        if value is None:
            return None
        found = [_CLOCK.fullmatch(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []
        first, last = found if len(found) == 2 else (None, None)
        if first is None or last is None:
            top.say("starts", 'starts must be two local times: starts = ["23:00", "03:00"]')
            return None
        return 60 * int(first[1]) + int(first[2]), 60 * int(last[1]) + int(last[2])


def _answers() -> tuple[str, ...]:
    return tuple(code for code, entry in catalogue.ENTRIES.items() if entry.kind == "boolean")


def _scales() -> tuple[str, ...]:
    return tuple(
        code for code, entry in catalogue.ENTRIES.items() if entry.kind == "number" and entry.impossible_high == 10
        and entry.unit is None
    )  # fmt: skip


def _wrong(code: str, value: Any) -> str | None:
    entry = catalogue.ENTRIES[code]
    if entry.kind == "boolean":
        return None if isinstance(value, bool) else "must be true or false"
    if entry.kind == "code":
        allowed = ", ".join(entry.codes)
        return None if isinstance(value, str) and value in entry.codes else f"must be one of {allowed}"
    good = _is_number(value, entry.impossible_low, entry.impossible_high)
    return None if good else f"must be a number from {entry.impossible_low:g} to {entry.impossible_high:g}"


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
