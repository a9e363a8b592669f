"""What time brings, while the service ends, starts again, and its clock is stepped."""

from __future__ import annotations

import contextlib
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from telehealth import clock
from telehealth.store.db import Database
from tests.acceptance.evaluators import SECONDS, evaluator, faked, until
from tests.conftest import Urls
from tests.integration.ingest import wards
from tests.support import world

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ZONE = "UTC"
WAITING = "SELECT 1 FROM evaluation_due WHERE resident_id = $1 AND cause = 'time'"
RAISED = "SELECT raised_at, onset_at FROM alert WHERE resident_id = $1 AND rule = 'silence/spo2'"


class Clock:
    """The service's clock: the computer's, and what is added to it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "offset"
        self.step(timedelta())

    def step(self, offset: timedelta) -> None:
        self.offset = offset
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{offset.total_seconds():+.0f}\n")
        beside.rename(self.file)

    def now(self) -> datetime:
        return clock.real_now() + self.offset

    def set(self, moment: datetime) -> None:
        self.step(timedelta(seconds=round((moment - clock.real_now()).total_seconds())))


async def _expected(database: Database, ward: world.Ward, due: datetime, admitted_at: datetime) -> world.Resident:
    """A resident who is to measure once a day at that minute, and has a minute's grace; evaluated once."""
    local = due.astimezone(ZoneInfo(ZONE))
    resident = await world.resident(
        database,
        ward,
        zone=ZONE,
        admitted_at=admitted_at,
        rules=world.rule_set({"kind": "silence", "code": "spo2", "grace_seconds": 60}),
        schedule={"spo2": {"times": [f"{local:%H:%M}"], "early_minutes": 1}},
    )
    await until(database, WAITING, resident.id)
    return resident


async def _fires(database: Database, resident: world.Resident, due: datetime) -> timedelta:
    """How late the rule fired, by the service's own clock."""
    await until(database, RAISED, resident.id, seconds=SECONDS)
    [(raised_at, onset_at)] = await wards.rows(database, RAISED, resident.id)
    assert onset_at == due + MINUTE
    late: timedelta = raised_at - onset_at
    return late


@pytest.mark.parametrize("monotonic", [False, True], ids=["wall_clock", "every_clock"])
async def test_restarts_and_steps_of_the_clock(urls: Urls, database: Database, tmp_path: Path, monotonic: bool) -> None:
    """An overdue rule fires within 10 s of its time, or of the service's start; none fires twice, or too early."""
    service = Clock(tmp_path)
    settings = faked(service.file, monotonic=monotonic)
    ward = await world.ward(database)
    begin = service.now().replace(second=0, microsecond=0)
    dues = [begin + hours * HOUR for hours in (2, 4, 6)]
    async with contextlib.AsyncExitStack() as stack:
        process = await stack.enter_async_context(evaluator(urls.app, **settings))
        residents = [await _expected(database, ward, due, begin - MINUTE) for due in dues]

        # It is not there when the time comes: it fires when it is back, although the clock was stepped meanwhile.
        process.send_signal(signal.SIGKILL)
        await process.wait()
        service.set(dues[0] + 5 * MINUTE)
        process = await stack.enter_async_context(evaluator(urls.app, **settings))
        await _fires(database, residents[0], dues[0])

        # Stepped over the time while it runs, to just before it, and over it once more.
        service.set(dues[1] + MINUTE - 2 * SECOND)
        assert not await wards.rows(database, RAISED, residents[1].id)
        assert timedelta() <= await _fires(database, residents[1], dues[1]) < 10 * SECOND

        # Stepped back by hours: what has fired does not fire again, and what comes is not forgotten.
        service.set(dues[0] - HOUR)
        extra = await _expected(database, ward, dues[0] - 30 * MINUTE, begin - MINUTE)
        service.set(dues[0] - 29 * MINUTE - 2 * SECOND)
        assert timedelta() <= await _fires(database, extra, dues[0] - 30 * MINUTE) < 10 * SECOND
        assert not await wards.rows(database, RAISED, residents[2].id)

        # Forward over everything, with a kill in between.
        process.kill()
        await process.wait()
        service.set(dues[2] + MINUTE)
        await stack.enter_async_context(evaluator(urls.app, **settings))
        await _fires(database, residents[2], dues[2])
    told = await wards.rows(database, "SELECT event FROM alert_event WHERE event <> 'raised'")
    assert told == []
    counted = await wards.rows(database, "SELECT count(*) FROM alert GROUP BY resident_id")
    assert [row["count"] for row in counted] == [1] * 4
    assert datetime.now(UTC) < dues[1]
