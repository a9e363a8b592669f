"""Where in a TOML file a value stands, so that a mistake can be named with its line."""

from __future__ import annotations

import tomllib
from typing import Any

_CLOSERS = ("]", "}", '"""', "'''")


def lines(text: str) -> dict[str, int]:
    """Lines, from 1, by path (title, vital[2], vital[2].offset, adherence.part), of a text that tomllib has read.

    A statement ends with the first line at which tomllib can read it, so no grammar is repeated here.
    """
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    rows = text.replace("\r\n", "\n").split("\n")
    start = 0
    while start < len(rows):
        statement, end = _statement(rows, start)
        for name, value in (statement or {}).items():
            head = rows[start].lstrip()
            if head.startswith("[["):
                counts[name] = counts.get(name, -1) + 1
                prefix = f"{name}[{counts[name]}]"
                found.setdefault(prefix, start + 1)
            elif head.startswith("["):
                prefix = name
                found.setdefault(prefix, start + 1)
            else:
                _note(found, f"{prefix}.{name}" if prefix else name, value, start + 1)
        start = end
    return found


def _note(found: dict[str, int], path: str, value: Any, line: int) -> None:
    found.setdefault(path, line)
    for place, one in enumerate(value if isinstance(value, list) else ()):
        if isinstance(one, dict):
            found.setdefault(f"{path}[{place}]", line)


def _statement(rows: list[str], start: int) -> tuple[dict[str, Any] | None, int]:
    for end in range(start + 1, len(rows) + 1):
        if end > start + 1 and not any(closer in rows[end - 1] for closer in _CLOSERS):
            continue
        try:
            return tomllib.loads("\n".join(rows[start:end])), end
        except tomllib.TOMLDecodeError:
            continue
    return None, start + 1


def nearest(found: dict[str, int], path: str) -> int | None:
    """The line of a path, or of the nearest thing that it is part of."""
    while path:
        # Of what stands several times ([[vitals]]) the first is meant if none is named.
        line = found.get(path, found.get(f"{path}[0]"))
        if line is not None:
            return line
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return None
