"""Structured logs: one JSON object a line on standard error, or readable lines on a terminal.

An event is a static message with fields. Fields are ids, counts, durations and our own words,
never names, numbers or values of residents, and never what somebody sent.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

#: Fields that must never be logged; the processor drops them should somebody try.
FORBIDDEN = frozenset(
    {"name", "family_name", "given_name", "nhs_number", "born", "value", "payload", "password", "token", "note"}
)

#: Without local variables: they hold whatever was being worked on.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure(level: str = "info", *, pretty: bool | None = None) -> None:
    """Set up logging of this process. pretty: None decides by whether stderr is a terminal."""
    if pretty is None:
        pretty = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer(colors=True) if pretty else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _drop_forbidden,
        _tracebacks if not pretty else structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[1:],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, getattr(logging, level.upper())))


def get(name: str) -> Any:
    """A logger: log.info("batch committed", messages=12)."""
    return structlog.get_logger(part=name)


def _drop_forbidden(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    for key in FORBIDDEN & event.keys():
        event[key] = "(left out)"
    return event
