"""When a resident is expected to measure: due times in local time, and their deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Expected measures in one time zone. Keep and reuse the object: it caches the days it has worked out."""

    zone: str
    document: Mapping[str, Any]


def parse(document: Mapping[str, Any], zone: str) -> Schedule:
    """From {"<code>": {"times": ["08:00"], "grace_minutes": 120, "early_minutes": 240}} (early_minutes may be
    left out) and an IANA zone. Raises RuleError.
    """
    raise NotImplementedError
