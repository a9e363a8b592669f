"""Named queries from the .sql files of store/sql, one file per subject.

A query is found as ``sql("readings.window")``: file, then name. Parameters are PostgreSQL's own
``$1``. Every query is prepared against the migrated schema in tests/integration/test_queries.py.
"""

from __future__ import annotations

import functools
import logging
from importlib import resources
from typing import Any

import aiosql


@functools.cache
def _load() -> dict[str, str]:
    # It guesses which queries return rows, and warns; we ask for texts only.
    logging.getLogger("aiosql").setLevel(logging.ERROR)
    found: dict[str, str] = {}
    for file in sorted(resources.files("telehealth.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        subject = file.name.removesuffix(".sql")
        loaded: Any = aiosql.from_str(file.read_text("utf-8"), "asyncpg", mandatory_parameters=False)
        for name in loaded.available_queries:
            text = getattr(loaded, name).sql
            if text and not name.endswith("_cursor"):
                found[f"{subject}.{name}"] = text
    return found


def sql(name: str) -> str:
    """The text of one named query. KeyError if there is none: a programming error."""
    return _load()[name]


def names() -> list[str]:
    """Every query there is, for the test that prepares them all."""
    return sorted(_load())
