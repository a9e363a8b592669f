"""Who sees what: every route with somebody else's ids, every route without a caller, every role."""

from __future__ import annotations

import re
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest
from yarl import URL

from telehealth.store import db
from telehealth.web import routes
from telehealth.web.auth import Who
from telehealth.web.routes import Route
from tests.conftest import Urls
from tests.integration.web.conftest import CONTROL, Planned, Server, World, audited, planned, reading_of, refused, token
from tests.support import world

#: What a route must be sent to get as far as looking for its object.
BODIES: dict[str, dict[str, object]] = {
    "/readings": {
        "entry": "test-entry-1",
        "taken_at": "2026-03-02T09:00:00Z",
        "values": [{"code": "spo2", "value": 97}],
    },
    "/strikes": {
        "taken_at": "2026-03-02T09:00:00Z",
        "identity": "00000000-0000-0000-0000-000000000000",
        "value_key": "1",
        "reason": "error",
    },
    "/resolve": {"outcome": "false_alarm"},
    "/quarantine/retry": {"device_id": "south-1", "device": "south-1"},
    "/dismiss": {"device_id": "south-1", "device": "south-1", "reason": "error"},
    "/end": {"outcome": "advice"},
    "/cancel": {"reason": "error"},
}


def foreign(route: Route, people: World) -> str:
    """The path of a route with the ids of the south ward."""
    ids = {
        "ward_id": people.south.id,
        "resident_id": people.bert.id,
        "alert_id": people.bert_alert,
        "device_id": people.south_device.device_id,
        "entry_id": people.south_entry,
        "reading_key": people.bert_reading,
        **visit_ids(people.bert_visit),
    }
    return filled(route, ids)


async def own(server: Server, people: World) -> dict[str, object]:
    """Ids of the north ward, of everything that paths name."""
    return {
        "ward_id": people.north.id,
        "resident_id": people.anna.id,
        "alert_id": people.anna_alert,
        "device_id": people.oximeter.device_id,
        "entry_id": await refused(server.database, people.oximeter, b"not json"),
        "reading_key": await reading_of(server.database, people.anna),
        **visit_ids(await planned(server.database, people.anna)),
    }


def visit_ids(of: Planned) -> dict[str, object]:
    return {
        "visit_id": of.visit,
        "appointment_id": of.appointment,
        "encounter_id": of.encounter,
        "follow_up_id": of.follow_up,
        "contact_id": of.contact,
        "recording_id": of.recording,
    }


def filled(route: Route, ids: dict[str, object]) -> str:
    return re.sub(r"\{(\w+):[^/]*\}", lambda found: str(ids[found.group(1)]), route.path)


def body(path: str) -> dict[str, object]:
    return next((one for end, one in BODIES.items() if path.endswith(end)), {})


STAFFED = [r for r in routes.ALL if r.who in (Who.STAFF, Who.CARE, Who.TESTER)]
WITH_IDS = [r for r in STAFFED if "{" in r.path and r.who is not Who.TESTER]


async def test_every_route_says_who_may_use_it(server: Server) -> None:
    """A route outside the table would be refused: access is denied by default."""
    known = {(r.method, re.sub(r":[^/]*\}", "}", r.path)) for r in routes.ALL}
    for route in server.app.router.routes():
        assert route.resource is not None
        method = "GET" if route.method == "HEAD" else route.method
        assert (method, route.resource.canonical) in known


async def test_without_a_caller_nothing_is_shown(server: Server, people: World) -> None:
    """No route for staff answers somebody who did not sign in, nor with a wrong token or cookie."""
    refused = {401, 303}
    async with server.session() as session:
        for route in STAFFED:
            path = foreign(route, people)
            for headers in ({}, {"Authorization": "Bearer " + "x" * 43}, {"Cookie": "telehealth=" + "x" * 43}):
                async with session.request(
                    route.method, path, headers=headers, json=body(path), allow_redirects=False
                ) as response:
                    assert response.status in refused, (route.path, response.status)


async def test_the_other_wards_ids_are_not_found_and_audited(server: Server, people: World) -> None:
    """By API token: each route of the API with the ids of another ward is 404 and leaves a row."""
    headers = await token(server.database, "clara")
    async with server.session(headers=headers) as session:
        for route in WITH_IDS:
            path = foreign(route, people)
            if not path.startswith("/api/"):
                continue
            before = await audited(server.database, outcome="denied")
            async with session.request(route.method, path, json=body(path)) as response:
                assert response.status == 404, route.path
                assert response.content_type == "application/problem+json"
                assert "Resident" not in await response.text()
            assert await audited(server.database, outcome="denied") == before + 1, route.path


async def test_the_other_wards_pages_are_not_found_and_audited(server: Server, people: World) -> None:
    """In a browser: each page and form with the ids of another ward is 404 and leaves a row."""
    async with server.signed_in("clara") as browser:
        csrf = await browser.csrf("/")
        for route in WITH_IDS:
            path = foreign(route, people)
            before = await audited(server.database, outcome="denied")
            form = {"csrf": csrf, **{key: str(value) for key, value in body(path).items()}, "reason": "error"}
            sent = {"json": body(path)} if path.startswith("/api/") else {"data": form}
            headers = {"X-CSRF-Token": csrf}
            async with browser.session.request(
                route.method, path, headers=headers, allow_redirects=False, **sent
            ) as response:
                assert response.status == 404, route.path
            assert await audited(server.database, outcome="denied") == before + 1, route.path


@pytest.mark.parametrize("query", ["ward", "resident"])
async def test_foreign_ids_in_queries_are_not_found(server: Server, people: World, query: str) -> None:
    """A list filtered by what is not one's own is 404, not empty."""
    headers = await token(server.database, "clara")
    ids = {"ward": people.south.id, "resident": people.bert.id}
    paths = ["/api/v1/alerts"] + (["/api/v1/residents", "/api/v1/devices"] if query == "ward" else [])
    async with server.session(headers=headers) as session:
        for path in paths:
            async with session.get(path, params={query: ids[query]}) as response:
                assert response.status == 404
    assert await audited(server.database, outcome="denied") == len(paths)


async def test_lists_hold_only_ones_own(server: Server, people: World) -> None:
    """Lists without a filter show one's own wards and nothing of others."""
    async with server.session(headers=await token(server.database, "clara")) as session:
        for path, key, expected in (
            ("wards", "id", people.north.id),
            ("residents", "id", people.anna.id),
            ("alerts", "id", people.anna_alert),
            ("devices", "device_id", "north-1"),
        ):
            async with session.get(f"/api/v1/{path}") as response:
                assert [item[key] for item in (await response.json())["items"]] == [expected]


async def test_what_is_seen_is_audited_once(server: Server, people: World) -> None:
    """One row for an opening of a view, with the resident; refreshes by the page add none."""
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/residents/{people.anna.id}") as response:
            assert response.status == 200
        for _ in range(3):
            async with browser.session.get(f"/api/v1/residents/{people.anna.id}/trends") as response:
                assert response.status == 200
    opened = {"outcome": "ok", "resident_id": people.anna.id, "ward_id": people.north.id}
    assert await audited(server.database, action="resident.open", **opened) == 1
    assert await audited(server.database, action="trends.open", **opened) == 1


async def test_testers_see_simulated_wards_only(server: Server, people: World) -> None:
    """A tester belongs to a real ward in vain."""
    async with server.session(headers=await token(server.database, "tess")) as session:
        async with session.get("/api/v1/wards") as response:
            assert [ward["name"] for ward in (await response.json())["items"]] == ["North"]
        async with session.get(f"/api/v1/residents/{people.bert.id}") as response:
            assert response.status == 404
        async with session.get(f"/wards/{people.south.id}", allow_redirects=False) as response:
            assert response.status == 303  # tokens are for programs


async def test_administrators_do_not_act_on_residents(server: Server, people: World) -> None:
    """An administrator of a ward sees it, acts on nobody, and the attempt is audited."""
    async with server.session(headers=await token(server.database, "adam")) as session:
        async with session.get(f"/api/v1/wards/{people.north.id}/board") as response:
            assert response.status == 200
        for route in STAFFED:
            if route.who is Who.CARE and route.path.startswith("/api/"):
                path = foreign(route, people)
                async with session.request(route.method, path, json=body(path)) as response:
                    assert response.status == 403, route.path
    assert await audited(server.database, action="role", outcome="denied") > 0


@pytest.mark.parametrize("name", ["tess", "clara"])
async def test_a_tester_and_a_colleague_are_strangers_to_a_real_ward(server: Server, people: World, name: str) -> None:
    """A tester is a member of the real ward in vain: for both every route with its ids is 404, with nothing of it."""
    headers = await token(server.database, name)
    async with server.session(headers=headers) as session:
        for route in WITH_IDS:
            if route.path.startswith("/api/"):
                path = foreign(route, people)
                async with session.request(route.method, path, json=body(path)) as response:
                    assert response.status == 404, route.path
                    text = await response.text()
                    assert people.bert.nhs_number not in text
                    assert "south" not in text


async def test_nothing_changes_without_the_pages_token(server: Server, people: World) -> None:
    """Every form and call of a signed-in browser needs it, and comes from our own pages."""
    forged: tuple[dict[str, str], ...] = (
        {},
        {"X-CSRF-Token": "x" * 43},
        {"Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
    )
    async with server.signed_in("clara") as browser:
        csrf = await browser.csrf("/")
        # nothing that is refused changes them
        ids = await own(server, people)
        for route in STAFFED:
            if route.method == "GET":
                continue
            path = filled(route, ids)
            for headers in forged:
                given = {"X-CSRF-Token": csrf} | headers if "X-CSRF-Token" not in headers and headers else headers
                sent = {"json": body(path)} if path.startswith("/api/") else {"data": {"reason": "error"}}
                async with browser.session.post(path, headers=given, allow_redirects=False, **sent) as response:
                    assert response.status == 403, (route.path, headers)
    assert await audited(server.database, action="reading.move") == 0
    assert await audited(server.database, action="quarantine.retry") == 0
    assert await audited(server.database, action="quarantine.dismiss") == 0


async def test_other_methods_do_nothing(server: Server, people: World) -> None:
    """A route answers to its own method only; reading one never changes anything."""
    known = {(r.method, re.sub(r":[^/]*\}", "}", r.path)) for r in routes.ALL}
    ids = await own(server, people)
    async with server.session(headers=await token(server.database, "clara")) as session:
        for route in STAFFED:
            if not route.path.startswith("/api/"):
                continue
            path = filled(route, ids)
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
                if (method, re.sub(r":[^/]*\}", "}", route.path)) in known:
                    continue
                async with session.request(method, path, json=body(path)) as response:
                    assert response.status in (404, 405), (method, route.path, response.status)


#: In a query string: control characters, half a pair of surrogates, too long, too deep, no number, no time.
_NONSENSE = ["\0", "%ed%a0%80", "W1tbW1tbW1tbW1tb" * 300, "9" * 30]
#: By whether a program asks. Others are refused by their models, or looked up in a table.
_QUERIES = {True: ("device", "cursor"), False: ("device", "after", "cursor")}


async def test_nonsense_in_queries_is_no_error_of_ours(server: Server, people: World) -> None:
    """Whatever stands in a query string, the answer is the page, or a refusal."""
    ids = await own(server, people)
    async with server.signed_in("clara") as browser:
        for route in STAFFED:
            if route.method != "GET" or route.path == "/ws":
                continue
            path = filled(route, ids)
            known = {200, 303, 400, 404, 422} | ({403} if route.who is Who.TESTER else set())
            for nonsense in _NONSENSE:
                value = nonsense if nonsense.startswith("%") else quote(nonsense)
                for name in _QUERIES[path.startswith("/api/")]:
                    url = URL(f"{path}?{name}={value}", encoded=True)
                    async with browser.session.get(url, allow_redirects=False) as response:
                        assert response.status in known, (path, name, nonsense[:20])


async def test_nonsense_in_forged_keys_and_reasons(server: Server, people: World) -> None:
    """Keys of readings and reasons that cannot be are refused, with nothing of them repeated."""
    key = await reading_of(server.database, people.anna)
    at, identity, value = key.split("_")
    async with server.session(headers=await token(server.database, "clara")) as session:
        for forged in (
            f"{at}_{identity}_{'9' * 19}",
            f"{'9' * 17}_{identity}_{value}",
            f"{at}_{'0' * 32}_{value}",
            "x",
        ):
            async with session.get(f"/api/v1/readings/{forged}") as response:
                assert response.status == 404
        for end in ("resident", "set-aside", "choose"):
            for reason in ("", "\0", "x" * 501, "two\nlines", "\u202e"):
                sent = {"reason": reason} | ({"resident": people.anna.id} if end == "resident" else {})
                async with session.post(f"/api/v1/readings/{key}/{end}", json=sent) as response:
                    assert response.status in (409, 422), (end, reason, response.status)
        foreign_resident = {"reason": "error", "resident": people.bert.id}
        async with session.post(f"/api/v1/readings/{key}/resident", json=foreign_resident) as response:
            assert response.status == 404
        for period in (
            {"resident": people.anna.id, "reason": "x", "scope": "period"},
            {"resident": people.anna.id, "reason": "x", "scope": "period", "since": "0001-01-01T00:00:00Z"},
            {"resident": 2**63, "reason": "x"},
        ):
            async with session.post(f"/api/v1/readings/{key}/resident", json=period) as response:
                assert response.status == 422, period


async def test_control_characters_are_refused(server: Server, people: World) -> None:
    """A database takes no zero byte and a terminal obeys an escape: wherever people write, both are refused."""
    entry = await refused(server.database, people.oximeter, b"not json")
    async with server.signed_in("clara") as browser:
        csrf = await browser.csrf("/")
        for path, field in (
            (f"alerts/{people.anna_alert}/acknowledge", "note"),
            (f"alerts/{people.anna_alert}/resolve", "note"),
            (f"quarantine/{entry}/dismiss", "reason"),
            (f"wards/{people.north.id}/quarantine/dismiss", "reason"),
        ):
            for text in ("a\0b", "\x1b[2J"):
                words = {field: text, "outcome": "false_alarm", "device_id": "north-1", "device": "north-1"}
                headers = {"X-CSRF-Token": csrf, "Origin": server.url}
                async with browser.session.post(f"/api/v1/{path}", json=words, headers=headers) as response:
                    assert response.status == 422, (path, response.status)
                    assert "[2J" not in await response.text()
                form = {"csrf": csrf, **words}
                async with browser.session.post(
                    f"/{path}", data=form, headers=headers, allow_redirects=False
                ) as response:
                    assert response.status == 422, (path, response.status)


async def test_revoked_and_expired_tokens_are_refused(server: Server, people: World) -> None:
    """A token ends when it says so, and when somebody ends it."""
    for change in ("revoked_at = clock_timestamp()", "expires_at = clock_timestamp() - interval '1 second'"):
        headers = await token(server.database, "clara")
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute(f"UPDATE api_token SET {change}")
        async with server.session(headers=headers) as session, session.get("/api/v1/me") as response:
            assert response.status == 401


async def test_control_calls_need_the_control_token(server: Server, people: World) -> None:
    """Neither staff nor strangers move virtual time, nor does a request that a proxy passed on."""
    staff = await token(server.database, "clara")
    async with server.session() as session:
        for headers, status in (
            ({}, 401),
            (staff, 401),
            ({"Authorization": f"Bearer {CONTROL}", "X-Forwarded-For": "192.0.2.1"}, 404),
            ({"Authorization": f"Bearer {CONTROL}"}, 409),  # real time in the database: nothing to advance
        ):
            async with session.post("/api/v1/clock/advance", json={}, headers=headers) as response:
                assert response.status == status


async def test_metrics_stay_on_this_computer(server: Server, people: World) -> None:
    """Monitoring reads them from loopback; what came through a proxy did not."""
    async with server.session() as session:
        async with session.get("/metrics") as response:
            assert response.status == 200
            assert "telehealth_open_alerts" in await response.text()
        async with session.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}) as response:
            assert response.status == 404


async def test_the_application_role_sees_nothing_as_somebody_else(urls: Urls, people: World) -> None:
    """Straight to the database as the application: another member of staff, or nobody, sees no resident's data."""
    tables = ("resident", "reading", "latest", "alert", "alert_event", "spell", "device", "rule_version")
    connection = await asyncpg.connect(urls.app)
    try:
        for actor in ("", db.staff(999_999)):
            async with connection.transaction():
                await connection.execute("SELECT set_config('telehealth.actor', $1, true)", actor)
                for table in tables:
                    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, (actor, table)
    finally:
        await connection.close()


async def test_sockets_refuse_foreign_wards(server: Server, people: World) -> None:
    """A subscription to another ward or resident is refused and audited; nothing of them is sent."""
    async with server.signed_in("clara") as browser, browser.session.ws_connect("/ws") as ws:
        await ws.send_json({"t": "sub", "wards": [people.south.id, people.north.id, 0], "residents": [people.bert.id]})
        texts = []
        while True:
            message = await ws.receive(timeout=20)
            assert message.type is aiohttp.WSMsgType.TEXT
            texts.append(message.data)
            if message.json()["t"] == "refused":
                assert message.json()["wards"] == [people.south.id, 0]
                assert message.json()["residents"] == [people.bert.id]
                break
        number = people.bert.nhs_number
        for form in (number, f"{number[:3]} {number[3:6]} {number[6:]}"):
            assert form not in "".join(texts)
    assert await audited(server.database, action="live.ward", outcome="denied") == 2
    assert await audited(server.database, action="live.resident", outcome="denied") == 1
