"""Structured logs: one JSON object a line on standard error, or readable lines on a terminal.

An event is a static message with fields. Fields are ids, counts, durations and our own words,
never names, numbers or values of residents, and never what somebody sent. What an error says of itself may
hold any of those: its kind and `where` are logged, its text is not, whoever logs it.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import structlog

#: Fields that must never be logged; the processor drops them should somebody try.
FORBIDDEN = frozenset(
    {"name", "family_name", "given_name", "nhs_number", "born", "value", "payload", "password", "token", "note"}
)

#: The places of an error that are told, from the innermost one.
_FRAMES = 8


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
        _place_errors,
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
    logging.getLogger("asyncio").addFilter(_without_what_was_called)


def get(name: str) -> Any:
    """A logger: log.info("batch committed", messages=12)."""
    return structlog.get_logger(part=name)


def where(error: BaseException) -> list[str]:
    """The places that an error passed ("module.py:12 function"), the innermost last, without its text.

    Of a group of errors, those of its first one follow.
    """
    frames = list(traceback.extract_tb(error.__traceback__))
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        frames += traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-_FRAMES:]]


def _place_errors(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Libraries log errors with their texts: what is left of one is its kind and its places."""
    event.pop("stack_info", None)
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event.setdefault("error", type(error).__name__)
        event.setdefault("where", where(error))
    return event


def _without_what_was_called(record: logging.LogRecord) -> bool:
    """The event loop names the callback with its arguments, and the error of a task with its text."""
    if record.exc_info:
        record.msg, record.args = "an error that nobody handled", ()
    return True


def _drop_forbidden(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    for key in FORBIDDEN & event.keys():
        event[key] = "(left out)"
    return event
