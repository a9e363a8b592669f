"""The API: answers as documented, refusals that repeat nothing, paging, handling."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import openapi_spec_validator
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telehealth import errors as service_errors
from telehealth.model import secrets
from telehealth.web import errors, openapi, operations, requests, routes, schemas
from telehealth.web.record import explanation_models
from tests.integration.web.conftest import NOW, Server, World, alert, observe, token
from tests.support import world


def test_the_document_is_valid_and_committed() -> None:
    """docs/schemas/openapi.json is what the service serves: write it with `python -m telehealth.web.openapi`."""
    document = json.loads(openapi.text())
    openapi_spec_validator.validate(document)
    assert document["openapi"].startswith("3.1")
    assert "__" not in "".join(document["components"]["schemas"]), "two models have the same name"
    assert Path("docs/schemas/openapi.json").read_text("utf-8") == openapi.text()


def test_every_route_of_the_api_is_documented() -> None:
    """Nothing under /api/v1 is left out."""
    document = json.loads(openapi.text())
    described = {(method.upper(), path) for path, one in document["paths"].items() for method in one}
    assert len(described) == len(routes.API)
    assert all(route.handler in operations.OPERATIONS for route in routes.API)
    assert {path for _, path in described} >= {"/api/v1/wards/{ward_id}/board", "/api/v1/alerts/{alert_id}/resolve"}


async def test_the_document_is_served_to_everybody(server: Server) -> None:
    async with server.session() as session, session.get("/api/openapi.json") as response:
        assert response.status == 200
        assert await response.text() == openapi.text()


async def test_answers_are_as_documented(server: Server, people: World) -> None:
    """Each answer of a read validates against its model, field by field."""
    await observe(
        server.database,
        people.anna,
        world.Sample("systolic", 118.0, NOW - timedelta(hours=1), unit="mm[Hg]"),
        world.Sample("diastolic", 71.0, NOW - timedelta(hours=1), unit="mm[Hg]"),
        world.Sample("temperature", 36.85, NOW - timedelta(hours=14), unit="Cel"),
        world.Sample("pulse", None, NOW - timedelta(hours=1), unit="/min"),
    )
    await world.pause(server.database, people.anna, NOW - timedelta(minutes=1), None)
    paths: dict[str, type[pydantic.BaseModel]] = {
        "/me": schemas.Me,
        "/wards": schemas.Wards,
        f"/wards/{people.north.id}/board": schemas.Board,
        "/residents": schemas.Residents,
        f"/residents/{people.anna.id}": schemas.ResidentDetail,
        f"/residents/{people.anna.id}/readings": schemas.Readings,
        f"/residents/{people.anna.id}/trends": schemas.Trends,
        "/alerts": schemas.Alerts,
        f"/alerts/{people.anna_alert}": explanation_models.AlertDetail,
        "/devices": schemas.Devices,
        "/devices/north-1": schemas.Device,
    }
    async with server.session(headers=await token(server.database, "clara")) as session:
        for path, model in paths.items():
            async with session.get(f"/api/v1{path}") as response:
                assert response.status == 200, path
                model.model_validate_json(await response.read())


async def test_the_board_says_what_is_known(server: Server, people: World) -> None:
    """Latest values against the resident's limits, NEWS2 as a lower bound, the worst alert, the small chart."""
    headers, path = await token(server.database, "clara"), f"/api/v1/wards/{people.north.id}/board"
    async with server.session(headers=headers) as session, session.get(path) as response:
        board = await response.json()
    (row,) = board["rows"]
    assert row["name"].endswith(", Test")
    assert row["nhs_number"].isdigit()
    assert len(row["nhs_number"]) == 10
    assert row["latest"]["spo2"]["text"] == "91"
    assert (row["latest"]["spo2"]["level"], row["latest"]["spo2"]["side"]) == ("amber", "low")
    assert row["news2"]["label"] == "at least 3"
    assert not row["news2"]["complete"]
    assert "respiration" in row["news2"]["note"]
    assert row["alert"]["priority"] == "high"
    assert row["alert"]["count"] == row["alert"]["new"] == 1
    assert [point[1] for point in row["spark"]["points"]] == [91.0]
    assert row["contact"]["at"] is not None


async def test_the_board_says_what_is_awaited(server: Server, people: World) -> None:
    """Missing, late and due as the resident's schedule and rules say, from the stay or the last pause on."""
    zone = ZoneInfo("Europe/London")
    local = NOW.astimezone(zone).replace(second=0, microsecond=0)

    def clock(minutes: int) -> str:
        return (local - timedelta(minutes=minutes)).strftime("%H:%M")

    silence = {"kind": "silence", "code": "spo2", "grace_seconds": 7200, "late_seconds": 1800}
    rules = [silence, {**silence, "code": "pulse"}, {**silence, "code": "weight"}]
    carl = await world.resident(
        server.database,
        people.north,
        rules={"pathway": "p", "version": "1", "rules": rules},
        schedule={
            "spo2": {"times": [clock(180)], "early_minutes": 30},
            "pulse": {"times": [clock(45)], "early_minutes": 30},
            "weight": {"times": [clock(10)], "early_minutes": 30},
        },
        admitted_at=NOW - timedelta(hours=6),
    )
    headers, path = await token(server.database, "clara"), f"/api/v1/residents/{carl.id}"

    async def awaited() -> dict[str, str]:
        async with server.session(headers=headers) as session, session.get(path) as response:
            row = schemas.ResidentDetail.model_validate_json(await response.read()).row
        assert row is not None
        assert all(one.due < one.late_at < one.missing_at for one in row.expected)
        return {one.code: one.state for one in row.expected}

    assert await awaited() == {"spo2": "missing", "pulse": "late", "weight": "due"}
    async with (
        server.session(headers=headers) as session,
        session.get(f"/api/v1/wards/{people.north.id}/board") as told,
    ):
        rows = {row["id"]: row for row in (await told.json())["rows"]}
    assert {one["code"]: one["state"] for one in rows[carl.id]["expected"]}["spo2"] == "missing"
    await world.pause(server.database, carl, NOW - timedelta(hours=1), NOW - timedelta(minutes=30))
    assert await awaited() == {"spo2": "later", "pulse": "later", "weight": "due"}
    await world.pause(server.database, carl, NOW - timedelta(minutes=5), None)
    assert await awaited() == {}


async def test_a_chart_names_the_newest_readings(server: Server, people: World) -> None:
    """Of many readings of a minute a chart shows the least and the greatest; beside it is what came last."""
    at = [NOW - timedelta(seconds=50 - 5 * n) for n in range(5)]
    values = zip((90.0, 96.0, 88.0, 93.0, 92.0), at, strict=True)
    await observe(server.database, people.anna, *(world.spo2(value, when) for value, when in values))
    headers, path = await token(server.database, "clara"), f"/api/v1/residents/{people.anna.id}/trends"
    async with server.session(headers=headers) as session, session.get(path) as response:
        [chart] = [one for one in (await response.json())["charts"] if one["key"] == "spo2"]
    assert (chart["previous"]["text"], chart["latest"]["text"]) == ("93", "92")
    assert {88, 96} < set(chart["series"][0]["v"])


async def test_a_complete_set_is_news2(server: Server, people: World) -> None:
    """Seven fresh inputs give the score by its name; old ones are named as old."""
    at = NOW - timedelta(minutes=5)
    await observe(
        server.database,
        people.anna,
        world.Sample("resp_rate", 22.0, at, unit="/min"),
        world.Sample("on_oxygen", 0.0, at, unit=None),
        world.Sample("systolic", 118.0, at, unit="mm[Hg]"),
        world.Sample("pulse", 95.0, at, unit="/min"),
        world.Sample("consciousness", "A", at, unit=None),
        world.Sample("temperature", 37.0, at, unit="Cel"),
    )
    async with server.session(headers=await token(server.database, "clara")) as session:
        async with session.get(f"/api/v1/residents/{people.anna.id}") as response:
            news2 = (await response.json())["row"]["news2"]
        assert (news2["label"], news2["band"], news2["note"]) == ("NEWS2 6", "medium", "")
        server.clock.step = None
        async with session.get(f"/api/v1/residents/{people.anna.id}") as response:
            news2 = (await response.json())["row"]["news2"]
        assert not news2["complete"]
        assert set(news2["stale"]) >= {"resp_rate", "spo2"}


async def test_readings_are_paged_without_loss(server: Server, people: World) -> None:
    """Pages follow each other; every reading comes once, the newest first."""
    samples = [world.spo2(95.0, NOW - timedelta(minutes=11 + i)) for i in range(10)]
    await observe(server.database, people.anna, *samples)
    async with server.session(headers=await token(server.database, "clara")) as session:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            query = {"limit": "4", "code": "spo2", **({"cursor": cursor} if cursor else {})}
            async with session.get(f"/api/v1/residents/{people.anna.id}/readings", params=query) as response:
                page = await response.json()
            seen += [item["taken_at"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert len(seen) == len(set(seen)) == 11
    assert seen == sorted(seen, reverse=True)


async def test_an_alert_is_acknowledged_and_resolved(server: Server, people: World) -> None:
    """Handling is in the history with name and note; the same key again does nothing again."""
    headers = await token(server.database, "clara")
    path = f"/api/v1/alerts/{people.anna_alert}"
    async with server.session(headers=headers) as session:
        for _ in range(2):
            keyed = {"Idempotency-Key": "k-1"}
            async with session.post(f"{path}/acknowledge", json={"note": "rang her"}, headers=keyed) as response:
                assert response.status == 200
                found = await response.json()
        assert found["handling"] == "acknowledged"
        assert [e["event"] for e in found["events"]] == ["raised", "acknowledged"]
        assert found["events"][1]["actor"] == "Clara"
        assert found["events"][1]["note"] == "rang her"
        async with session.post(f"{path}/resolve", json={"outcome": "action_taken"}, headers=keyed) as response:
            assert response.status == 422  # the key belongs to another request
        async with session.post(f"{path}/resolve", json={"outcome": "action_taken"}) as response:
            assert response.status == 200
            assert (await response.json())["handling"] == "resolved"
        async with session.post(f"{path}/acknowledge", json={}) as response:
            assert response.status == 409
        async with session.get("/api/v1/alerts", params={"open": "true"}) as response:
            assert len((await response.json())["items"]) == 1  # its condition still holds


SECRET = "zq9Secret"

BAD = (
    ("GET", "/api/v1/alerts?ward=" + SECRET, None, 422),
    ("GET", "/api/v1/alerts?open=" + SECRET, None, 422),
    ("GET", "/api/v1/alerts?cursor=" + SECRET, None, 422),
    ("GET", "/api/v1/alerts?handling=" + SECRET, None, 422),
    ("GET", "/api/v1/" + SECRET, None, 404),
    ("GET", "/" + SECRET, None, 404),
    ("GET", "/static/" + SECRET, None, 404),
    ("GET", "/wards/" + SECRET, None, 404),
    ("DELETE", "/api/v1/alerts", None, 405),
    ("POST", "{anna}/readings", SECRET, 400),
    ("POST", "{anna}/readings", [SECRET], 422),
    ("POST", "{anna}/readings", {SECRET: 1}, 422),
    ("POST", "{anna}/readings", {"entry": SECRET, "taken_at": SECRET, "values": []}, 422),
    ("POST", "{anna}/strikes", {"taken_at": SECRET, "identity": SECRET, "value_key": SECRET, "reason": SECRET}, 422),
    ("POST", "{alert}/resolve", {"outcome": SECRET}, 422),
    ("POST", "{alert}/acknowledge", {"note": SECRET * 1000}, 422),
    ("GET", "{anna}/trends?since=" + SECRET, None, 422),
    ("GET", "{anna}/readings?code=" + SECRET, None, 422),
)


async def test_refusals_repeat_nothing(server: Server, people: World) -> None:
    """Whatever was sent, the answer is a problem with our own words only."""
    ids = {"anna": f"/api/v1/residents/{people.anna.id}", "alert": f"/api/v1/alerts/{people.anna_alert}"}
    async with server.session(headers=await token(server.database, "clara")) as session:
        for method, path, sent, status in BAD:
            data = sent if isinstance(sent, str) else json.dumps(sent)
            async with session.request(
                method,
                path.format(**ids),
                data=None if sent is None else data,
                headers={"Content-Type": "application/json"},
            ) as response:
                text = await response.text()
                assert response.status == status, (method, path, sent, text)
                assert SECRET not in text
                if path.startswith(("/api", "{")):
                    assert response.content_type == "application/problem+json"
                    schemas.Problem.model_validate_json(text)


async def test_large_bodies_and_other_content_are_refused(server: Server, people: World) -> None:
    path = f"/api/v1/alerts/{people.anna_alert}/acknowledge"
    async with server.session(headers=await token(server.database, "clara")) as session:
        async with session.post(path, json={"note": "x" * 70_000}) as response:
            assert response.status == 413
        async with session.post(path, data="note=x", headers={"Content-Type": "text/plain"}) as response:
            assert response.status == 415


OWN_WORDS = (
    "ward limit cursor open condition handling resident body: Input should be a valid integer, unable to parse string"
    " as an integer"
)


@given(st.text(min_size=5, max_size=40))
@settings(max_examples=50, deadline=None)
def test_validation_never_repeats_a_value(text: str) -> None:
    """The library's own messages do not leak what was sent, whatever it was."""
    from telehealth.web.parse import _wrong

    asked = {"ward": text, "limit": text, "cursor": text * 20, "open": text, "condition": text, text: text}
    try:
        requests.AlertsQuery.model_validate(asked)
    except pydantic.ValidationError as error:
        problem = _wrong(error, requests.AlertsQuery)
        # a short text may happen to be a part of our own words
        assert text not in problem.text or text in OWN_WORDS


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (service_errors.NotFound("x"), 404),
        (service_errors.Invalid("f", "p"), 422),
        (service_errors.Conflict("x"), 409),
        (service_errors.Forbidden("x"), 403),
        (service_errors.Unavailable("x"), 503),
        (ConnectionResetError("secret"), 503),
        (RuntimeError("secret"), 500),
    ],
)
def test_errors_map_to_statuses_in_one_place(error: Exception, status: int) -> None:
    problem = errors.problem_of(error)
    assert problem.status == status
    assert "secret" not in problem.text


async def test_an_old_note_stays_where_it_belongs(server: Server, people: World) -> None:
    """Alerts of a ward come worst first on its page; resolved and cleared ones only when asked for all."""
    await alert(server.database, people.anna, rule="threshold/pulse/high", priority="medium")
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/wards/{people.north.id}/alerts") as response:
            page = await response.text()
        assert response.status == 200
        assert page.count("/acknowledge") == 2


async def test_health_says_why(server: Server) -> None:
    """/readyz names the part that does not work; /healthz only says that the process lives."""
    async with server.session() as session:
        async with session.get("/readyz") as response:
            assert response.status == 200
        server.health.bad("broker", "cannot be reached")
        async with session.get("/readyz") as response:
            assert response.status == 503
            assert (await response.json())["parts"]["broker"] == "cannot be reached"
        async with session.get("/healthz") as response:
            assert response.status == 200


async def test_health_misses_another_process_that_evaluates(server: Server, people: World) -> None:
    """A process without the role alerting says when live work waits for nobody; a backlog may take its time."""
    due = """
        INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at, late)
        SELECT organisation_id, id, now(), 'test', now() - interval '1 minute', $2 FROM resident WHERE id = $1
        """
    async with server.session() as session:
        for late, status in ((True, 200), (False, 503)):
            async with server.database.transaction(world.ACTOR) as connection:
                await connection.execute(due, people.anna.id, late)
            async with session.get("/readyz") as response:
                assert response.status == status
                assert ("alerting" in (await response.json())["parts"]) == (status == 503)


async def test_a_device_sends_by_http(server: Server, people: World) -> None:
    """With its own credentials a device gets the receipt, and the value is on the board; others' are refused."""
    password = secrets.new_device_password()
    async with server.database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "UPDATE device SET password_hash = $1 WHERE device_id = 'north-1'", secrets.hash_device_password(password)
        )
    reading = {"code": "spo2", "value": 97, "unit": "%", "taken_at": "2026-03-02T09:59:00Z"}
    sent = {"stream": "s1", "seq": 1, "sent_at": "2026-03-02T09:59:01Z", "readings": [reading]}
    path = "/api/v1/devices/north-1/readings"
    async with server.session() as session:
        for name, given, status in (("north-1", "wrong", 401), ("south-1", password, 401), ("north-1", password, 200)):
            headers = {"Authorization": aiohttp.encode_basic_auth(name, given)}
            async with session.post(path, json=sent, headers=headers) as response:
                assert response.status == status, await response.text()
                answer = await response.json()
        assert (answer["stream"], answer["through"]) == ("s1", 1)
        schemas.Receipt.model_validate(answer)
    headers, path = await token(server.database, "clara"), f"/api/v1/residents/{people.anna.id}"
    async with server.session(headers=headers) as session, session.get(path) as response:
        assert (await response.json())["row"]["latest"]["spo2"]["text"] == "97"
