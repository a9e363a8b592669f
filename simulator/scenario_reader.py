"""A scenario file, checked as a whole: everything that is wrong with it, each with its line, in plain words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devices import catalogue
from simulator import errors, scenario_lines, scenario_table
from simulator.bodies import physiology
from simulator.bodies.profile import PATHWAYS
from simulator.homes import catalogue as homes
from simulator.homes import faults
from simulator.scenario_model import Curve, Happening, Notice, Phase, Quiet, Scenario, Symptom, Value, Vital
from simulator.scenario_table import YEAR, Table

_AT: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_TWICE: Final = re.compile(r"Cannot declare \('(\w+)',\) twice")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
MOST_ENTRIES = 100
_PLAIN: Final[Mapping[str, str]] = {
    "Cannot overwrite a value": "the same name is there twice",
    "Invalid value": "there is no value that TOML knows after the =; texts need quotes",
    "Invalid statement": "a line must be a name, = and a value, or a head such as [[vital]]",
    "Expected '=' after a key in a key/value pair": "a name must be followed by = and a value",
    "Expected newline or end of document after a statement": "something follows the value on the same line",
    "Unclosed array": "a list is not closed with ]",
    "Unterminated string": "a text is not closed with its quotes",
    "Expected ']]' at the end of an array declaration": "a head with two brackets must be closed with two: [[vital]]",
    "Expected ']' at the end of a table declaration": "a head with one bracket must be closed with one: [adherence]",
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
    """line: from 1; None where it belongs to no line (a file that is nested too deeply)."""

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
    twice = _TWICE.fullmatch(said)
    plain = f"[{twice[1]}] is there twice" if twice else said[:1].lower() + said[1:]
    said = _PLAIN.get(said, plain)
    shown = rows[line - 1].strip() if line <= len(rows) else ""
    near = f" in {shown[:60]!r}" if shown and shown.isprintable() else ""
    return Problem(line, f"this is not TOML: {said}{near}")


class _Reader:
    def __init__(self, document: Mapping[str, Any], lines: dict[str, int]) -> None:
        self._document, self._lines = document, lines
        self.problems: list[Problem] = []

    def say(self, path: str, message: str) -> None:
        # What is missing from the file as a whole is told at its beginning.
        self.problems.append(Problem(scenario_lines.nearest(self._lines, path) or 1, message))

    def scenario(self, text: str) -> Scenario:
        top = Table(self.say, self._document, "", _TOP, "")
        name = top.text("name", example='name = "my_scenario"', most=60)
        peak, end = top.number("peak_hours", 0, YEAR), top.number("end_hours", 0, YEAR)
        if peak is not None and end is not None and end < peak:
            top.say(
                "end_hours", f"end_hours ({end:g}) is before peak_hours ({peak:g}): it cannot be worst when it is over"
            )
        if name and not _NAME.fullmatch(name):
            top.say("name", "name must be small letters, digits and _, beginning with a letter")
        return Scenario(
            name=name,
            title=top.text("title", example='title = "What it is, in one line"'),
            description=top.text("description", example='description = """What happens and why"""', most=5000),
            text=text,
            sources=top.words("sources"),
            pathways=top.pathways("pathways", PATHWAYS),
            severity=top.span("severity", 0.05, 5.0, (1.0, 1.0)),
            tempo=top.span("tempo", 0.05, 20.0, (1.0, 1.0)),
            starts=self._starts(top),
            peak_hours=peak,
            end_hours=end,
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
            table = Table(self.say, value, path, known, self._named("vital", value))
            code = table.word("code", tuple(physiology.VITALS))
            if not table.has("offset", "level", "spread"):
                table.say("", f"{self._named('vital', value)} needs offset, level or spread, one value for each hour")
            level = physiology.VITALS[code]
            if table.has("part") and not table.has("level"):
                table.say("part", "part says how far a vital is drawn towards its level: it needs level")
            if code in found and code == table.value.get("code"):
                table.say("code", f"vital {code} is there twice: one [[vital]] for each code")
            found[code] = Vital(
                code,
                table.curve("offset"),
                table.curve("level", level.lowest, level.highest),
                table.curve("part", 0, 1),
                table.curve("spread", 0, 20),
            )
        return found

    def _states(self) -> dict[str, tuple[tuple[float, Value], ...]]:
        found: dict[str, tuple[tuple[float, Value], ...]] = {}
        for value, path in self._each("state"):
            table = Table(self.say, value, path, ("code", "hours", "value"), self._named("state", value))
            code = table.word("code", (*_answers(), "consciousness", *_scales()))
            hours, given = table.hours(), table.value.get("value")
            if not isinstance(given, list) or (hours and len(given) != len(hours)):
                table.say("value", f"{table.about('value')} must be a list, one for each of the {len(hours)} hours")
                given = []
            for one in given:
                if problem := _wrong(code, one):
                    table.say("value", f"{table.about('value')}: {problem}")
            if code in found and code == table.value.get("code"):
                table.say("code", f"state {code} is there twice: one [[state]] for each code")
            found[code] = tuple(zip(hours, given, strict=False))
        return found

    def _symptoms(self) -> dict[str, Symptom]:
        found: dict[str, Symptom] = {}
        for value, path in self._each("symptom"):
            named = self._named("symptom", value)
            table = Table(self.say, value, path, ("code", "hours", "chance", "offset"), named)
            code = table.word("code", (*_answers(), *_scales()))
            wanted, other = ("offset", "chance") if code in _scales() else ("chance", "offset")
            if not table.has(wanted) or table.has(other):
                kind = "is a scale of 0 to 10" if wanted == "offset" else "is yes or no"
                table.say(other if table.has(other) else "", f"{named} {kind}: it needs {wanted}, one for each hour")
            if code in found and code == table.value.get("code"):
                table.say("code", f"{named} is there twice: one [[symptom]] for each code")
            found[code] = Symptom(code, table.curve("chance", 0, 1), table.curve("offset", -10, 10))
        return found

    def _adherence(self) -> Curve | None:
        if "adherence" not in self._document:
            return None
        if isinstance(self._document["adherence"], list):
            self.say("adherence", "adherence must be written [adherence], with one bracket, only once")
            return None
        table = Table(self.say, self._document["adherence"], "adherence", ("hours", "part"), "adherence")
        if not table.has("part"):
            table.missing("part", "part = [1, 0.5]: how much of what is due is measured, one for each hour")
        return table.curve("part", 0, 1)

    def _event(self, value: Any, path: str) -> Happening:
        table = Table(self.say, value, path, ("kind", "at", "chance", "lasts", "values"), "event")
        kind = table.word("kind", tuple(EVENTS))
        hours = table.span("at", -YEAR, YEAR, (0.0, 0.0))
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
        kinds = tuple(homes.KINDS)
        known = tuple(value) if isinstance(value, dict) else ()  # what else a kind may have, it knows itself
        table = Table(self.say, value, path, known, "fault")
        before = len(self.problems)
        kind = table.word("kind", kinds)
        codes = table.words("codes", tuple(catalogue.ENTRIES))
        self._from_to(table)
        if len(self.problems) > before or not isinstance(value, dict):
            return None
        try:
            return faults.planned({**value, "kind": kind, "codes": codes})
        except errors.BadInput as error:
            key = next((key for key in value if re.search(rf"\b{re.escape(key)}\b", str(error))), "")
            self.say(f"{path}.{key}" if key else path, str(error))
        return None

    def _phase(self, value: Any, path: str) -> Phase:
        table = Table(self.say, value, path, ("name", "from_hours", "to_hours", "text"), "phase")
        name = table.text("name", example='name = "Fever"', most=60)
        start, end = self._from_to(table)
        return Phase(name, start, end, table.text("text", most=1000, needed=False))

    def _notice(self, value: Any, path: str) -> Notice:
        known = ("what", "by_hours", "priority", "codes", "categories", "pathways", "source")
        table = Table(self.say, value, path, known, "notice")
        by = table.number("by_hours", 0, YEAR)
        if not table.has("by_hours"):
            table.missing("by_hours", "by_hours = 24: hours from the onset")
        return Notice(
            table.text("what", example='what = "the fever"'),
            by or 0.0,
            table.word("priority", PRIORITIES, usual="low"),
            table.text("source", example='source = "why this can be asked"', most=1000),
            table.words("codes", tuple(catalogue.ENTRIES)),
            table.words("categories", CATEGORIES) or ("clinical",),
            table.pathways("pathways", PATHWAYS),
        )

    def _quiet(self, value: Any, path: str) -> Quiet:
        table = Table(self.say, value, path, ("why", "from_hours", "to_hours", "codes", "pathways"), "quiet")
        start, end = self._from_to(table)
        why = table.text("why", example='why = "nothing is wrong with it"')
        codes = table.words("codes", tuple(catalogue.ENTRIES))
        return Quiet(why, start, end, codes, table.pathways("pathways", PATHWAYS))

    def _from_to(self, table: Table) -> tuple[float, float | None]:
        start = table.number("from_hours", -YEAR, YEAR, usual=0.0) or 0.0
        end = table.number("to_hours", -YEAR, YEAR)
        if end is not None and end <= start:
            table.say("to_hours", f"{table.about('to_hours')} must be later than from_hours")
        return start, end

    def _starts(self, top: Table) -> tuple[int, int] | None:
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
    good = scenario_table.is_number(value, entry.impossible_low, entry.impossible_high)
    return None if good else f"must be a number from {entry.impossible_low:g} to {entry.impossible_high:g}"
