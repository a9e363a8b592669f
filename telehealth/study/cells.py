"""Times and numbers as people's files have them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
#: A log that counts days from 0 begins here, a Monday.
_FIRST_DAY_US = 10_958 * DAY_US + 2 * DAY_US

_MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "-", "nat"})
_OFFSET = re.compile(r"\s*(Z|UTC|[+-][0-9]{2}:?[0-9]{2})$")
_PATTERNS = (
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y %I:%M %p",
    "%m-%d-%Y %I:%M %p",
    "%d-%m-%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
)
_SAMPLE = 400

Parser = Callable[[str], int]


def number(text: str) -> float | None:
    """A finite number; None where the cell says that there is none. Raises ValueError."""
    text = text.strip()
    if text.lower() in _MISSING:
        return None
    value = float(text if "." in text or text.count(",") != 1 else text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError
    return value


def clock(texts: Sequence[str]) -> Parser:
    """How a column writes its times, found from all of it: microseconds since the epoch, by the local clock.

    An offset is left out: days and hours are those that the person lived. The parser raises ValueError.
    """
    given = [text.strip() for text in texts if text.strip().lower() not in _MISSING]
    step = max(1, len(given) // _SAMPLE)
    sample = given[::step]
    parsers: list[Parser] = [_iso, _number_of_day, _seconds, *(_pattern(pattern) for pattern in _PATTERNS)]
    return max(parsers, key=lambda parser: sum(_can(parser, text) for text in sample))


def _can(parser: Parser, text: str) -> bool:
    try:
        parser(text)
    except (ValueError, OverflowError):
        return False
    return True


def _iso(text: str) -> int:
    text = _OFFSET.sub("", text.strip())
    if text.isdigit():
        raise ValueError
    return _since(datetime.fromisoformat(text))


def _pattern(pattern: str) -> Parser:
    def parse(text: str) -> int:
        return _since(datetime.strptime(_OFFSET.sub("", text.strip()), pattern))  # noqa: DTZ007 - local on purpose

    return parse


def _number_of_day(text: str) -> int:
    day = int(text)
    if not -1000 <= day <= 40_000:
        raise ValueError
    return _FIRST_DAY_US + day * DAY_US


def _seconds(text: str) -> int:
    seconds = float(text)
    if not 1e8 <= seconds < 1e13:
        raise ValueError
    return int(seconds * (1_000_000 if seconds < 1e11 else 1000))


def _since(moment: datetime) -> int:
    span = moment.replace(tzinfo=UTC) - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
