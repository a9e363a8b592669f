"""Readings of wrong clocks on the screens: where they belong in time, and said in words to be estimated."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from devices import formats
from telehealth.model.delivery import Delivery
from telehealth.store import db, ingest
from tests.integration.ingest.wards import envelope, rfc3339, spo2
from tests.integration.web.conftest import NOW, Server, World
from tests.support import world

MINUTE = timedelta(minutes=1)


async def _send(server: Server, device: world.Device, value: float, at: datetime, skew: timedelta, seq: int) -> None:
    """Taken a minute before it is received, by a clock that is wrong by skew."""
    content = envelope(spo2(value, at=at - MINUTE + skew), seq=seq, sent_at=rfc3339(at + skew))
    topic = f"telehealth/v1/{device.device_id}/readings"
    one = Delivery("live", topic, device.device_id, content, at, formats.decode(None, device.device_id, content))
    async with server.database.transaction(db.service("ingest")) as connection:
        await ingest.take_in(connection, [one], now=at)


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (timedelta(hours=2), "about 2 h fast"),
        (datetime(1970, 1, 1, tzinfo=UTC) - NOW, "not set"),
    ],
)
async def test_charts_tables_and_values_say_that_a_time_is_estimated(
    server: Server, people: World, skew: timedelta, words: str
) -> None:
    device = await world.device(server.database, people.north, resident=people.anna)
    for n, value in enumerate((93, 94)):
        await _send(server, device, value, NOW - (30 - 29 * n) * MINUTE, skew, n + 1)
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/residents/{people.anna.id}") as response:
            page = await response.text()
        async with browser.session.get(f"/api/v1/residents/{people.anna.id}/trends") as response:
            trends = await response.json()
        async with browser.session.get(f"/api/v1/wards/{people.north.id}/board") as response:
            board = await response.json()
        async with browser.session.get(f"/api/v1/residents/{people.anna.id}/readings?code=spo2") as response:
            listed = (await response.json())["items"]
    assert page.count(f"time estimated: the device&#39;s clock was {words}") == 2
    assert re.search(rf"Clock {words} since", page)
    [chart] = [one for one in trends["charts"] if one["key"] == "spo2"]
    points = zip(chart["series"][0]["t"], chart["series"][0]["v"], chart["series"][0]["marks"], strict=True)
    estimated = [(at, value) for at, value, marks in points if marks == "uncertain"]
    ms = [round((NOW - minutes * MINUTE).timestamp() * 1000) for minutes in (31, 2)]
    assert estimated == list(zip(ms, (93, 94), strict=True))
    [row] = [one for one in board["rows"] if one["id"] == people.anna.id]
    assert (row["latest"]["spo2"]["value"], row["latest"]["spo2"]["uncertain"]) == (94, True)
    assert [ms[0], 93] in row["spark"]["points"] or [ms[1], 94] in row["spark"]["points"]
    [newest] = [one for one in listed if one["value"] == 94]
    assert newest["marks"] == ["clock_uncertain"]
    assert newest["taken_at"] == rfc3339(NOW - 2 * MINUTE + skew)
    assert newest["effective_at"] == rfc3339(NOW - 2 * MINUTE)


async def test_the_api_makes_up_no_time_for_what_was_sent_without_one(server: Server, people: World) -> None:
    """The time that we gave a reading is where it counts; the device said none, and the key names the reading."""
    kit = await world.device(server.database, people.north, resident=people.anna)
    at = NOW - MINUTE
    async with server.database.transaction(world.ACTOR) as connection:
        one = world.Sample("weight", 71.2, at, "kg", marks=("clock_uncertain", "undated"))
        await world.insert_readings(connection, people.north, [one], resident_id=people.anna.id, device_pk=kit.pk)
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/api/v1/residents/{people.anna.id}/readings?code=weight") as response:
            [listed] = (await response.json())["items"]
        async with browser.session.get(f"/api/v1/readings/{listed['key']}") as response:
            assert response.status == 200
    assert (listed["taken_at"], listed["effective_at"]) == (None, rfc3339(at))
