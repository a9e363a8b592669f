"""Where in a TOML file a value stands, so that a mistake can be named with its line."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*="""
)


class Lines:
    """Lines, from 1, by path: name, rules[2].red_low, rules[2].conditions[1], schedule.spo2.times.

    Made for files that tomllib has read; what stands within one line is found by that line.
    """

    def __init__(self, text: str) -> None:
        self._found: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._read(text.splitlines())

    def of(self, path: str) -> int | None:
        """The line of a path, or of the nearest thing that it is part of."""
        while path:
            if path in self._found:
                return self._found[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None

    def _read(self, lines: list[str]) -> None:
        prefix, number = "", 0
        while number < len(lines):
            line = lines[number]
            number += 1
            if header := _HEADER.match(line):
                prefix = self._table(_parts(header[2]), several=header[1] == "[[")
                self._found.setdefault(prefix, number)
            elif key := _KEY.match(line):
                path = ".".join(filter(None, (prefix, *_parts(key[1]))))
                self._found.setdefault(path, number)
                number = self._value(path, lines, number, line[key.end() :])

    def _table(self, parts: list[str], *, several: bool) -> str:
        """The path of a table's head; arrays of tables go on with their last element."""
        path = ""
        for place, part in enumerate(parts):
            path = f"{path}.{part}" if path else part
            if several and place == len(parts) - 1:
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = f"{path}[{self._counts[path]}]"
        return path

    def _value(self, path: str, lines: list[str], number: int, rest: str) -> int:
        """Walks a value to its end; notes the line of each element of an array. Returns the lines read."""
        depth, element, quote, wanted = 0, 0, "", False
        while True:
            at = 0
            while at < len(rest):
                if quote:
                    if quote[0] == '"' and rest[at] == "\\":
                        at += 2
                        continue
                    if rest.startswith(quote, at):
                        at, quote = at + len(quote), ""
                        continue
                    at += 1
                    continue
                letter = rest[at]
                if letter == "#":
                    break
                if wanted and not letter.isspace() and letter != "]":
                    self._found.setdefault(f"{path}[{element}]", number)
                    wanted = False
                if letter in "\"'":
                    quote = letter * 3 if rest.startswith(letter * 3, at) else letter
                    at += len(quote)
                    continue
                if letter in "[{":
                    depth += 1
                    wanted = depth == 1 and letter == "["
                elif letter in "]}":
                    depth -= 1
                elif letter == "," and depth == 1:
                    element, wanted = element + 1, True
                at += 1
            if (depth <= 0 and len(quote) != 3) or number >= len(lines):
                return number
            rest = lines[number]
            number += 1


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
