"""One value as a field of a CSV file."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from telehealth.cli import terminal

_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def text(value: Any) -> str:
    """Empty for null; lists of words joined by blanks; anything nested as JSON.

    A text that a spreadsheet would take for a formula gets an apostrophe before it: devices choose some of these.
    """
    if isinstance(value, msgspec.Raw):
        token = bytes(value)
        return text(msgspec.json.decode(token)) if token[:1] in b'"n' else token.decode()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return _harmless(" ".join(value))
    if isinstance(value, (dict, list, tuple)):
        return terminal.encode(value)
    return _harmless(value) if isinstance(value, str) else str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _NUMBER.fullmatch(text) else text
