"""What commands say: data and events on standard output, everything for people on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any


def say(line: str) -> None:
    """A line for people."""
    sys.stderr.write(f"telehealth-sim: {line}\n")
    sys.stderr.flush()


def event(found: dict[str, Any]) -> None:
    """An event, one JSON object a line."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def told(found: dict[str, Any]) -> None:
    """An event, for people."""
    say(" ".join(f"{name}={value}" for name, value in found.items()))


def data(text: str) -> None:
    """What was asked for."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
