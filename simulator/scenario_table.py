"""One table of a scenario file: hands out checked values, and says in plain words what is wrong with the others."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from simulator.scenario_model import Curve

#: Hours a year, in either direction; sizes within what any vital sign could ever change by.
YEAR: Final = 8784.0
SIZE: Final = 100_000.0
MOST_NAMED: Final = 40
#: Takes the path of what is wrong (vital[2].offset), and what is wrong.
Say = Callable[[str, str], None]


class Table:
    """One table of the file: hands out checked values and says what is wrong with the others."""

    def __init__(self, say: Say, value: Any, path: str, known: Sequence[str], what: str) -> None:
        self._say, self._path, self._what = say, path, what
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            section = path.partition("[")[0]
            self.say("", f"{section} must be a table: write [[{section}]] on a line of its own")
        for key in self.value:
            if key not in known:
                hint = meant(key, known) or f"; known are {', '.join(known)}"
                self.say(key, f"{what} has no {key!r}{hint}" if what else f"there is no {key!r}{hint}")

    def say(self, key: str, message: str) -> None:
        path = f"{self._path}.{key}" if self._path and key else self._path or key
        self._say(path, message)

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
        """One of the choices; the first one where what is written is none."""
        value = self.value.get(key, usual)
        if value is None:
            self.missing(key, f'{key} = "{choices[0]}" (or {", ".join(choices[1:6])})')
        elif value not in choices:
            near = meant(value, choices)
            few = ", ".join(choices) if len(choices) <= MOST_NAMED else "the codes that are known"
            wanted = f"{str(value)[:40]!r} is not known{near}" if near else f"must be one of {few}"
            self.say(key, f"{self.about(key)}: {wanted}" if near else f"{self.about(key)} {wanted}")
        else:
            return str(value)
        return choices[0]

    def number(self, key: str, low: float, high: float, *, usual: float | None = None) -> float | None:
        value = self.value.get(key, usual)
        if value is not None and not is_number(value, low, high):
            self.say(key, f"{self.about(key)} must be a number from {low:g} to {high:g}")
            return usual
        return None if value is None else float(value)

    def numbers(self, key: str, low: float, high: float) -> tuple[float, ...]:
        value = self.value.get(key)
        if value is None:
            self.missing(key, f"{key} = [0, 12, 24]")
            return ()
        wanted = f"{self.about(key)} must be a list of numbers from {low:g} to {high:g}"
        if not isinstance(value, list) or not 1 <= len(value) <= 1000:
            self.say(key, f"{wanted}, at least one")
            return ()
        wrong = [place for place, one in enumerate(value, 1) if not is_number(one, low, high)]
        if wrong:
            self.say(key, f"{wanted}; number {wrong[0]} of them is not: {str(value[wrong[0] - 1])[:40]!r}")
            return ()
        return tuple(float(one) for one in value)

    def words(self, key: str, choices: Sequence[str] = (), *, most: int = 500) -> tuple[str, ...]:
        value = self.value.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and 0 < len(one) <= most for one in value):
            self.say(key, f'{self.about(key)} must be a list of texts: {key} = ["...", "..."]')
            return ()
        for one in value:
            if choices and one not in choices:
                self.say(key, f"{self.about(key)}: {one!r} is not known{meant(one, choices)}")
        return tuple(value)

    def pathways(self, key: str, usual: Sequence[str]) -> tuple[str, ...]:
        """Anybody may have pathways of their own: only what is nearly a usual one is a mistake."""
        found = self.words(key, most=60)
        for one in found:
            if not one.startswith(tuple(usual)) and (hint := meant(one, usual)):
                self.say(key, f"{self.about(key)}: {one!r} is no pathway of ours{hint}")
        return found

    def span(self, key: str, low: float, high: float, usual: tuple[float, float]) -> tuple[float, float]:
        """One number, or a list of two that do not fall."""
        value = self.value.get(key)
        if value is None:
            return usual
        if is_number(value, low, high):
            return float(value), float(value)
        pair = isinstance(value, list) and len(value) == 2 and all(is_number(one, low, high) for one in value)
        if not pair or value[0] > value[1]:
            self.say(key, f"{self.about(key)} must be a number, or two with the lower first, from {low:g} to {high:g}")
            return usual
        return float(value[0]), float(value[1])

    def curve(self, key: str, low: float = -SIZE, high: float = SIZE) -> Curve | None:
        """The values of a key over the table's hours."""
        if key not in self.value:
            return None
        hours, values = self.hours(), self.numbers(key, low, high)
        if hours and values and len(hours) != len(values):
            self.say(key, f"{self.about(key)} has {len(values)} numbers but hours has {len(hours)}: one for each hour")
            return None
        return Curve(hours, values) if hours and values else None

    def hours(self) -> tuple[float, ...]:
        found = self.numbers("hours", -YEAR, YEAR)
        for before, after in itertools.pairwise(found):
            if after <= before:
                self.say("hours", f"{self.about('hours')} must rise: {after:g} comes after {before:g}")
                return ()
        return found


def is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def meant(value: object, choices: Sequence[str]) -> str:
    """Which of the choices was probably meant, as the end of a sentence; empty if none is near."""
    near = difflib.get_close_matches(str(value), choices, 1)
    return f"; is {near[0]} meant?" if near else ""
