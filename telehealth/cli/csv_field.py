"""One value as a field of a CSV file."""

from __future__ import annotations

from typing import Any

import msgspec

from telehealth.cli import terminal


def text(value: Any) -> str:
    """Empty for null; lists of words joined by blanks; anything nested as JSON."""
    if isinstance(value, msgspec.Raw):
        token = bytes(value)
        return text(msgspec.json.decode(token)) if token[:1] in b'"n' else token.decode()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return " ".join(value)
    if isinstance(value, (dict, list, tuple)):
        return terminal.encode(value)
    return str(value)
