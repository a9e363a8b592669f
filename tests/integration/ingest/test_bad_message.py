"""One message that cannot be stored, whatever the error: it is set aside with its bytes, and no other waits for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from telehealth import clock
from telehealth.model.delivery import Delivery
from telehealth.store import ingest
from telehealth.store.db import Database
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.ingest.wards import envelope, spo2
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_BAD = 61

#: Of the message's own kind; of no kind that anybody foresaw; of the database's insides; of its rules.
_ERRORS = [KeyError("bug"), RuntimeError("bug"), asyncpg.InternalServerError("row"), asyncpg.RaiseError("rule")]


@pytest.fixture(params=["postgres_18"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    """Which PostgreSQL it is does not matter."""
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    with servers.mosquitto() as server:
        yield Broker(server.port)


def _message(value: int, seq: int) -> bytes:
    at = clock.real_now()
    return envelope(spo2(value, at=at - timedelta(seconds=seq + 1)), seq=seq, sent_at=wards.rfc3339(at))


def _fails_on_bad(error: Exception, monkeypatch: pytest.MonkeyPatch, *, always: bool = False) -> None:
    """Taking in fails wherever the bad value is; always: set aside or not."""
    whole = ingest.take_in

    async def take_in(connection: Any, deliveries: Sequence[Delivery], *more: Any, **named: Any) -> ingest.Taken:
        for one in deliveries:
            if any(reading.value == _BAD for reading in one.message.readings) or (
                always and json.loads(one.payload)["readings"][0]["value"] == _BAD
            ):
                raise error
        return await whole(connection, deliveries, *more, **named)

    monkeypatch.setattr(ingest, "take_in", take_in)


def _settles(seq: int, receipt: Any) -> bool:
    return receipt["through"] >= seq or any(first <= seq <= last for first, last in receipt["also"])


@pytest.mark.parametrize("error", _ERRORS, ids=lambda error: type(error).__name__)
async def test_it_is_set_aside_and_no_other_waits(
    error: Exception, database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bad one is refused by receipt, its bytes are in quarantine; those before, beside and after it are stored."""
    await world.device(database, await world.ward(database), "bad-1")
    _fails_on_bad(error, monkeypatch)
    async with sessions.ingest(database, broker) as health, Device("bad-1").connected(broker) as device:
        for seq in range(1, 21):
            device.publish(_message(_BAD if seq == 7 else 96, seq))
        await device.answered(lambda receipt: [8, 20] in receipt["also"] or receipt["through"] == 20)
        # While others are stored, the error is the message's.
        for seq in range(21, 60):
            device.publish(_message(96, seq))
            await device.answered(partial(_settles, seq))
            if any(receipt["refused"] for receipt in device.receipts):
                break
            # Paced, not waited for: what fails is tried again after a while, and others must get through meanwhile.
            await asyncio.sleep(0.1)
        refused = [one for receipt in device.receipts for one in receipt["refused"]]
        assert [(one["seq"], one["error"]) for one in refused[:1]] == [(7, "not_storable")]
        await sessions.until(lambda: health.ready)
        assert len(await wards.rows(database, "SELECT 1 FROM reading")) == seq - 1
        kept = await wards.rows(database, "SELECT error, payload FROM quarantine")
        assert [row["error"] for row in kept] == ["not_storable"]
        assert json.loads(kept[0]["payload"])["seq"] == 7


async def test_nothing_is_refused_while_nothing_can_be_stored(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An internal error of the database for everybody is nobody's message: all wait, and all are stored afterwards."""
    await world.device(database, await world.ward(database), "bad-1")
    whole = ingest.take_in
    failures = 0

    async def take_in(*more: Any, **named: Any) -> ingest.Taken:
        nonlocal failures
        if failures < 25:
            failures += 1
            raise asyncpg.InternalServerError("everything")
        return await whole(*more, **named)

    monkeypatch.setattr(ingest, "take_in", take_in)
    async with sessions.ingest(database, broker) as health, Device("bad-1").connected(broker) as device:
        for seq in range(1, 5):
            device.publish(_message(96, seq))
        await sessions.until(lambda: health.parts()["ingest"] is not None)
        await device.answered(lambda receipt: receipt["through"] == 4, seconds=60)
        await sessions.until(lambda: health.ready)
    assert not [one for receipt in device.receipts for one in receipt["refused"]]
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 4


async def test_what_cannot_even_be_set_aside_stops_nobody(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left out without a receipt: its device still has it."""
    await world.device(database, await world.ward(database), "bad-1")
    _fails_on_bad(KeyError("bug"), monkeypatch, always=True)
    async with sessions.ingest(database, broker), Device("bad-1").connected(broker) as device:
        for seq in range(1, 11):
            device.publish(_message(_BAD if seq == 7 else 96, seq))
        await device.answered(lambda receipt: receipt["through"] == 6 and [8, 10] in receipt["also"])
    assert not await wards.rows(database, "SELECT 1 FROM quarantine")
