"""A little chaos at every run of the tests; `make chaos` does more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import run

pytestmark = [pytest.mark.postgres, pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture
def faketime() -> Path:
    found = next(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"), None)
    assert found is not None, "faketime is missing: apt-get install faketime"
    return found


async def test_nothing_is_lost_or_doubled_by_kills(faketime: Path) -> None:
    """Service, broker and database are killed where a commit and what follows from it come apart."""
    report = await run.chaos(4, 15, faketime=faketime, tell=lambda *_: None)
    assert report.stuck == []
    assert report.verdict.good, report.verdict
    assert report.verdict.receipted > 100
    assert sum(report.done.values()) >= 4
