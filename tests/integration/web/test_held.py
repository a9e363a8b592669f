"""Readings that wait for a person: the page and the API on which staff decide about them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from telehealth.web.shown import held_json
from tests.integration.web.conftest import NOW, Server, World, audited, token
from tests.support import world
from tests.support.world import Sample, spo2

MINUTE = timedelta(minutes=1)


async def hold(server: Server, people: World, *samples: Sample) -> list[str]:
    """Readings of nobody of a kit of the north ward; their keys, in the order in which they were taken."""
    kit = await world.device(server.database, people.north, "kit-1")
    async with server.database.transaction(world.ACTOR) as connection:
        await world.insert_readings(connection, people.north, samples, device_pk=kit.pk, received_at=NOW)
        rows = await connection.fetch("SELECT * FROM reading WHERE device_pk = $1 ORDER BY taken_at, code", kit.pk)
    return [held_json.key(row) for row in rows]


async def rows(server: Server, query: str, *arguments: Any) -> list[Any]:
    async with server.database.transaction(world.ACTOR) as connection:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]


async def test_a_held_reading_is_assigned_by_form(server: Server, people: World) -> None:
    """The list says what keeps it; the form gives it to a resident; the list, with its count, is shorter then."""
    [key] = await hold(server, people, spo2(91, NOW - MINUTE))
    page = f"/wards/{people.north.id}/held"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(page) as response:
            text = await response.text()
        assert "kit-1" in text
        assert "assigned to nobody" in text
        assert 'Held readings<span id="held-count"> (1)</span>' in text
        path = f"/readings/{key}"
        assert f'"{path}?next=' in text
        wrong = await browser.post(path, f"{path}/resident", resident="", reason="", scope="reading")
        assert wrong.status == 422
        assert {"#resident", "#reason"} <= set(re.findall(r'href="(#\w+)"', await wrong.text()))
        fields = {"resident": str(people.anna.id), "reason": "it is hers", "scope": "reading", "next": page}
        done = await browser.post(path, f"{path}/resident", **fields)
        assert (done.status, done.headers["Location"]) == (303, f"{page}?done=moved")
        async with browser.session.get(page) as response:
            assert "No reading waits" in await response.text()
        async with browser.session.get(f"/residents/{people.anna.id}") as response:
            text = await response.text()
        assert "1 reading moved here from nobody: it is hers" in text
        assert "put right by staff" in text
    assert await audited(server.database, action="reading.move", resident_id=people.anna.id, outcome="ok") == 1
    assert await audited(server.database, action="held.open", ward_id=people.north.id) == 2


async def test_one_click_sets_the_time(server: Server, people: World) -> None:
    """From the list, with nothing to type; a time can also be typed, in the ward's zone, and is checked."""
    ahead = NOW + timedelta(days=2)
    marks = ["no_time", "held"]
    samples = [
        Sample(c, 60, ahead, u, marks, set_id="s", known_time=False) for c, u in (("pulse", "/min"), ("spo2", "%"))
    ]
    first, second = await hold(server, people, *samples)
    page = f"/wards/{people.north.id}/held"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(page) as response:
            text = await response.text()
        assert "Nobody knows when it was taken" in text
        assert "Taken as the device said" not in text
        path = f"/readings/{first}"
        whose = await browser.post(path, f"{path}/resident", resident=str(people.anna.id), reason="x", scope="reading")
        assert "First say when" in await whose.text()
        for date, time, status, said in (
            ("30-Mar-2025", "01:30", 422, "no 01:30 that day"),
            ("26-Oct-2025", "01:30", 422, "came twice"),
            ("03-Mar-2026", "10:00", 422, "after the reading arrived"),
        ):
            answer = await browser.post(path, f"{path}/time", how="at", date=date, time=time)
            assert answer.status == status
            assert said in await answer.text()
        done = await browser.post(page, f"{path}/time", how="arrived", next=page)
        assert (done.status, done.headers["Location"]) == (303, f"{page}?done=timed")
    assert await rows(server, "SELECT DISTINCT effective_at FROM reading WHERE set_id = 's'") == [(NOW,)]
    assert second != first


async def test_the_api_lists_and_decides(server: Server, people: World) -> None:
    """Page by page; whose, when, aside; each once, and what is gone is gone."""
    times = [NOW - n * MINUTE for n in (3, 2, 1)]
    keys = await hold(server, people, *(spo2(90 + n, at) for n, at in enumerate(times)))
    async with server.session(headers=await token(server.database, "clara")) as session:
        listed: list[Any] = []
        cursor: dict[str, str] = {}
        for _ in range(2):
            async with session.get(
                f"/api/v1/wards/{people.north.id}/held", params={"limit": "2", **cursor}
            ) as response:
                found = await response.json()
            listed += found["items"]
            cursor = {"cursor": found["next"]} if found["next"] else {}
        assert [one["key"] for one in listed] == keys[::-1]
        assert {one["why"] for one in listed} == {"unassigned"}
        assert found["waiting"] == 3

        async def post(key: str, what: str, body: dict[str, Any]) -> tuple[int, Any]:
            async with session.post(f"/api/v1/readings/{key}/{what}", json=body) as response:
                return response.status, await response.json()

        body = {"resident": people.anna.id, "reason": "hers", "scope": "period"}
        assert (await post(keys[0], "resident", body))[0] == 422
        span = {"since": times[0].isoformat(), "until": times[2].isoformat()}
        status, done = await post(keys[0], "resident", body | span)
        assert (status, done["readings"]) == (200, 2)
        assert (await post(keys[2], "set-aside", {"reason": "a test"}))[0] == 200
        assert (await post(keys[2], "set-aside", {"reason": "a test"}))[0] == 409
        assert (await post(keys[0], "time", {"how": "arrived"}))[0] == 409
        assert (await post(keys[0], "choose", {"reason": "right"}))[0] == 409
        async with session.get(f"/api/v1/readings/{keys[0]}") as response:
            detail = await response.json()
        assert detail["resident"]["id"] == people.anna.id
        [decision] = detail["decisions"]
        assert (decision["before"], decision["after"]["id"], decision["reason"]) == (None, people.anna.id, "hers")


async def test_a_wrong_person_reading_is_moved_from_the_residents_page(server: Server, people: World) -> None:
    """The move is one link away; both records show it; a resident whom the caller cannot see is not there."""
    carl = await world.resident(server.database, people.north)
    [row] = await rows(
        server, "SELECT taken_at, identity, value_key FROM reading WHERE resident_id = $1", people.anna.id
    )
    key = held_json.key(dict(zip(("taken_at", "identity", "value_key"), row, strict=True)))
    path, page = f"/readings/{key}", f"/residents/{people.anna.id}"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(page) as response:
            assert f'href="{path}"' in await response.text()
        hers = await browser.post(path, f"{path}/resident", resident=str(people.bert.id), reason="x", scope="reading")
        assert hers.status == 404
        assert await audited(server.database, action="reading.move", outcome="denied") == 1
        done = await browser.post(path, f"{path}/resident", resident=str(carl.id), reason="mixed up", scope="reading")
        assert done.status == 303
        for whose, said in ((people.anna, "1 reading moved to"), (carl, "1 reading moved here from")):
            async with browser.session.get(f"/residents/{whose.id}") as response:
                assert said in await response.text()
    latest = await rows(
        server, "SELECT resident_id FROM latest WHERE resident_id = ANY ($1)", [people.anna.id, carl.id]
    )
    assert latest == [(carl.id,)]
    due = await rows(server, "SELECT DISTINCT resident_id FROM evaluation_due WHERE cause = 'repair' ORDER BY 1")
    assert due == [(people.anna.id,), (carl.id,)]


async def test_two_values_are_listed_and_one_is_chosen(server: Server, people: World) -> None:
    """On the holding page and the reading's own."""
    at = NOW - 2 * MINUTE
    for value in (84, 95):
        await world.readings(server.database, people.anna, spo2(value, at, marks=["conflict"]))
    found = await rows(
        server, "SELECT taken_at, identity, value_key FROM reading WHERE taken_at = $1 ORDER BY value", at
    )
    keys = [held_json.key(dict(zip(("taken_at", "identity", "value_key"), row, strict=True))) for row in found]
    page = f"/wards/{people.north.id}/held"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(page) as response:
            text = await response.text()
        assert "Two values for one reading" in text
        async with browser.session.get(f"/residents/{people.anna.id}") as response:
            assert "two values for one reading" in await response.text()
        path = f"/readings/{keys[1]}"
        done = await browser.post(path, f"{path}/choose", choose_reason="seen on the display", next=page)
        assert done.status == 303
        async with browser.session.get(page) as response:
            assert "No reading waits" in await response.text()
    assert await rows(server, "SELECT value, struck FROM reading WHERE taken_at = $1 ORDER BY value", at) == [
        (84, True),
        (95, False),
    ]


async def test_who_may_decide(server: Server, people: World) -> None:
    """Clinicians of the ward; others of it look on; for everybody else there is nothing there."""
    [key] = await hold(server, people, spo2(91, NOW - MINUTE))
    body = {"resident": people.anna.id, "reason": "hers"}
    for name, listed, moved in (("adam", 200, 403), ("sam", 404, 404), ("tess", 200, 200)):
        async with server.session(headers=await token(server.database, name)) as session:
            async with session.get(f"/api/v1/wards/{people.north.id}/held") as response:
                assert response.status == listed
            async with session.get(f"/api/v1/readings/{key}") as response:
                assert response.status == listed
            async with session.post(f"/api/v1/readings/{key}/resident", json=body) as response:
                assert response.status == moved, await response.text()
    assert await audited(server.database, action="held.open", outcome="denied") == 1
    assert await audited(server.database, action="reading.move", outcome="denied") == 1
    async with server.session(headers=await token(server.database, "clara")) as session:
        for nonsense in ("1_" + "0" * 32 + "_1", "99999999999999999_" + "0" * 32 + "_1", "x"):
            async with session.get(f"/api/v1/readings/{nonsense}") as response:
                assert response.status == 404


def test_a_reading_is_named_by_its_key() -> None:
    """Every key of the database has a name that reads back."""
    taken_at = datetime.fromisoformat("1969-07-20T20:17:40.123456+00:00")
    row = {"taken_at": taken_at, "identity": UUID(int=7), "value_key": -(2**63)}
    key = held_json.read_key(held_json.key(row))
    assert (key.taken_at, key.identity.int, key.value_key) == (taken_at, 7, -(2**63))
