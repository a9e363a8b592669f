"""Observations that staff key, and entries that they strike."""

from __future__ import annotations

from typing import Any

from tests.integration.web.conftest import Browser, Server, World, audited, token
from tests.support import world

SET = {
    "entry": "entry-12345",
    "taken_at": "2026-03-02T09:58:00Z",
    "values": [
        {"code": "resp_rate", "value": 18},
        {"code": "on_oxygen", "value": False},
        {"code": "consciousness", "value": "A"},
        {"code": "temperature", "value": 98.6, "unit": "[degF]"},
    ],
}


async def stored(server: Server, people: World) -> list[Any]:
    async with server.database.transaction(world.ACTOR) as connection:
        return await connection.fetch(
            "SELECT * FROM reading WHERE resident_id = $1 AND method = 'keyed' ORDER BY code", people.anna.id
        )


async def test_a_keyed_set_is_stored_once(server: Server, people: World) -> None:
    """By the API: units are converted, sending it again adds nothing, who keyed it is kept, it is judged."""
    path = f"/api/v1/residents/{people.anna.id}"
    async with server.session(headers=await token(server.database, "clara")) as session:
        for expected in ({"stored": 4, "duplicates": 0}, {"stored": 0, "duplicates": 4}):
            async with session.post(f"{path}/readings", json=SET) as response:
                assert response.status == 200, await response.text()
                assert await response.json() == expected
        async with session.get(path) as response:
            row = (await response.json())["row"]
    assert row["latest"]["temperature"]["text"] == "37.0"
    assert row["latest"]["on_oxygen"]["text"] == "no"
    assert row["news2"]["missing"] == ["systolic", "pulse"]
    rows = await stored(server, people)
    assert {r["entered_by"] for r in rows} == {"staff:1"}
    assert await audited(server.database, action="reading.key", object_kind="entry") == 1
    async with server.database.transaction(world.ACTOR) as connection:
        assert await connection.fetchval("SELECT count(*) FROM evaluation_due WHERE cause <> 'admitted'") >= 1


async def test_a_set_with_one_mistake_is_not_stored(server: Server, people: World) -> None:
    """All or nothing, and the mistake is named."""
    path = f"/api/v1/residents/{people.anna.id}/readings"
    async with server.session(headers=await token(server.database, "clara")) as session:
        for value, field in (
            ({"code": "spo2", "value": 0.96}, "spo2"),
            ({"code": "spo2", "value": "98"}, "spo2"),
            ({"code": "spo2", "value": 96, "unit": "furlong"}, "spo2"),
            ({"code": "unheard_of", "value": 1}, "code"),
        ):
            values = [{"code": "pulse", "value": 72}, value]
            async with session.post(path, json={**SET, "values": values}) as response:
                assert response.status == 422
                problem = await response.json()
                assert problem["field"] == field
                assert "furlong" not in problem["detail"]
                assert "unheard_of" not in problem["detail"]
        async with session.post(path, json={**SET, "taken_at": "2026-03-03T09:58:00Z"}) as response:
            assert response.status == 422
        body = '{"entry":"entry-12345","taken_at":"2026-03-02T09:58:00Z","values":[{"code":"pulse","value":NaN}]}'
        async with session.post(path, data=body, headers={"Content-Type": "application/json"}) as response:
            assert response.status in (400, 422)
    assert await stored(server, people) == []


async def test_the_form_stores_in_the_residents_zone(server: Server, people: World) -> None:
    """The times on the form are the resident's; a double click stores one entry."""
    async with server.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE resident SET zone = 'America/New_York' WHERE id = $1", people.anna.id)
    page = f"/residents/{people.anna.id}"
    async with server.signed_in("clara") as browser:
        fields = {"entry": "entry-12345", "date": "2026-03-02", "time": "04:30", "pulse": "72", "temperature": "36.9"}
        for _ in range(2):
            response = await browser.post(page, f"{page}/readings", **fields)
            assert response.headers.get("Location") == f"{page}?done=keyed", await response.text()
    rows = await stored(server, people)
    assert [(r["code"], r["value"], r["taken_at"].isoformat()) for r in rows] == [
        ("pulse", 72.0, "2026-03-02T09:30:00+00:00"),
        ("temperature", 36.9, "2026-03-02T09:30:00+00:00"),
    ]


async def test_the_future_is_refused_on_the_form(server: Server, people: World) -> None:
    page = f"/residents/{people.anna.id}"
    async with server.signed_in("clara") as browser:
        response = await browser.post(
            page, f"{page}/readings", entry="entry-12345", date="2026-03-02", time="23:59", pulse="72"
        )
        assert response.status == 422
        assert "The time is in the future" in await response.text()


async def struck_by_form(browser: Browser, page: str, reason: str) -> int:
    """Strike the first entry of the table, as the page offers it."""
    async with browser.session.get(page) as response:
        text = await response.text()
    form = text.split(f'action="{page}/strike"', 1)[1]
    fields = {
        name: form.split(f'name="{name}" value="', 1)[1].split('"', 1)[0]
        for name in ("taken_at", "identity", "value_key")
    }
    response = await browser.post(page, f"{page}/strike", reason=reason, **fields)
    return response.status


async def test_an_entry_made_in_error_is_struck(server: Server, people: World) -> None:
    """It stays visible as struck, and no longer counts; striking it twice is refused."""
    page = f"/residents/{people.anna.id}"
    async with server.signed_in("clara") as browser:
        assert await struck_by_form(browser, page, "") == 422
        assert await struck_by_form(browser, page, "wrong resident") == 303
        async with browser.session.get(page) as response:
            assert "wrong resident" in await response.text()
    headers = await token(server.database, "clara")
    async with server.session(headers=headers) as session:
        async with session.get(f"/api/v1{page}") as response:
            assert "spo2" not in (await response.json())["row"]["latest"]
        async with session.get(f"/api/v1{page}/readings") as response:
            (item,) = (await response.json())["items"]
            assert item["struck"]
        again = {key: item[key] for key in ("taken_at", "identity", "value_key")} | {"reason": "again"}
        async with session.post(f"/api/v1{page}/strikes", json=again) as response:
            assert response.status == 409
        async with session.post(f"/api/v1{page}/strikes", json=again | {"value_key": "1"}) as response:
            assert response.status == 404
