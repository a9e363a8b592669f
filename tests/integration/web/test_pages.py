"""Pages: what they hold, where forms lead, headers, files."""

from __future__ import annotations

import asyncio
import gzip
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from telehealth.web.built import BUILT
from tests.integration.web.conftest import NOW, Server, World, observe
from tests.support import world


async def test_one_ward_is_opened_at_once(server: Server, people: World) -> None:
    """Whoever has one ward lands on its board; the board shows every resident and says that it pages nobody."""
    async with server.signed_in("clara") as browser, browser.session.get("/") as response:
        assert response.url.path == f"/wards/{people.north.id}"
        page = await response.text()
    assert "999 " in page
    assert "Not for primary alarm use" in page
    assert "imulated" in page


async def test_a_real_ward_is_not_called_simulated(server: Server, people: World) -> None:
    async with server.signed_in("sam") as browser:
        async with browser.session.get(f"/wards/{people.south.id}") as response:
            assert "is simulated" not in await response.text()
        async with browser.session.get("/about-demo") as response:
            assert response.status == 404


async def test_what_residents_are_called_is_escaped(server: Server, people: World) -> None:
    """A name is text, on the page and in the data for its script."""
    async with server.database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "UPDATE resident SET given_name = '<script>alert(1)</script>' WHERE id = $1", people.anna.id
        )
    async with server.signed_in("clara") as browser:
        for path in (f"/wards/{people.north.id}", f"/residents/{people.anna.id}", f"/alerts/{people.anna_alert}"):
            async with browser.session.get(path) as response:
                assert response.status == 200
                assert "<script>alert(1)" not in await response.text()


async def test_the_residents_page_has_everything_without_scripts(server: Server, people: World) -> None:
    """Banner, values, table with entries that can be struck, keyed entry, alerts."""
    await observe(
        server.database,
        people.anna,
        world.Sample("systolic", 118.0, NOW - timedelta(hours=1), unit="mm[Hg]"),
        world.Sample("diastolic", 71.0, NOW - timedelta(hours=1), unit="mm[Hg]"),
    )
    async with server.signed_in("clara") as browser, browser.session.get(f"/residents/{people.anna.id}") as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        page = await response.text()
    assert "17-May-1950" in page
    assert "mmHg" in page
    assert 'name="value_key"' in page
    assert 'name="spo2"' in page
    assert f"/alerts/{people.anna_alert}" in page


async def test_how_what_is_expected_stands(server: Server, people: World) -> None:
    """What was due and has come, is late, or is missing, with its times."""
    local = NOW.astimezone(ZoneInfo("Europe/London"))
    times = {
        "spo2": local - timedelta(minutes=10),
        "pulse": local - timedelta(minutes=50),
        "weight": local - timedelta(hours=3),
        "temperature": local + timedelta(hours=1),
    }
    plan = {code: {"times": [f"{at:%H:%M}"], "grace_minutes": 60, "early_minutes": 30} for code, at in times.items()}
    async with server.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE spell SET schedule = $2 WHERE resident_id = $1", people.anna.id, plan)
    await observe(server.database, people.anna, world.spo2(97.0, NOW - timedelta(minutes=5)))
    async with server.signed_in("clara") as browser, browser.session.get(f"/residents/{people.anna.id}") as response:
        text = await response.text()
    card = text.partition("What is expected")[2].partition("</section>")[0]
    expected = " ".join(re.sub(r"<[^>]*>", " ", card).split())
    for name, told in (
        ("Oxygen saturation", "done for"),
        ("Pulse", "late since .*, missing from"),
        ("Body weight", "missing since 02-Mar"),
        ("Body temperature", "missing since 01-Mar"),
    ):
        assert re.search(rf"{name} \d\d:\d\d missing after \w+ {told}", expected), (name, expected)


async def test_an_alert_is_handled_by_forms(server: Server, people: World) -> None:
    """Acknowledge, then resolve; each leads back with a sentence; a second try explains itself."""
    path = f"/alerts/{people.anna_alert}"
    async with server.signed_in("clara") as browser:
        response = await browser.post(path, f"{path}/acknowledge", note="on my way")
        assert response.headers["Location"] == f"{path}?done=acknowledged"
        async with browser.session.get(response.headers["Location"]) as page:
            text = await page.text()
            assert "The alert is acknowledged." in text
            assert "on my way" in text
        response = await browser.post(path, f"{path}/resolve", outcome="nonsense")
        assert response.status == 422
        queue = f"/wards/{people.north.id}/alerts"
        response = await browser.post(path, f"{path}/resolve", outcome="false_alarm", next=queue)
        assert response.headers["Location"] == f"{queue}?done=resolved"
        response = await browser.post("/about-demo", f"{path}/resolve", outcome="action_taken")
        assert response.status == 422
        assert "resolved" in await response.text()


async def test_forms_are_shown_to_those_who_may_use_them(server: Server, people: World) -> None:
    """An administrator of a ward sees its residents and alerts, and nothing to press."""
    paths = (f"/residents/{people.anna.id}", f"/alerts/{people.anna_alert}", f"/wards/{people.north.id}/alerts")
    for who, offered in (("clara", True), ("adam", False)):
        async with server.signed_in(who) as browser:
            for path in paths:
                async with browser.session.get(path) as response:
                    text = await response.text()
                    assert response.status == 200
                    actions = set(re.findall(r'action="([^"]+)"', text)) - {"/sign-out"}
                    assert bool(actions) is offered, path


async def test_a_wrong_form_keeps_what_was_typed(server: Server, people: World) -> None:
    """Every mistake is named; nothing is stored; nothing has to be typed again."""
    page = f"/residents/{people.anna.id}"
    async with server.signed_in("clara") as browser:
        response = await browser.post(
            page, f"{page}/readings", entry="entry-12345", date="2026-03-02", time="25:00", spo2="9600", pulse="72"
        )
        assert response.status == 422
        text = await response.text()
        assert "Oxygen saturation: must be a number from 10 to 100 %" in text
        assert "Enter the time of 24 hours like this" in text
        assert 'value="72"' in text
        assert "entry-12345" in text


async def test_a_newcomer_is_told_what_goes_on(server: Server, people: World) -> None:
    async with server.signed_in("clara") as browser, browser.session.get("/about-demo") as response:
        assert response.status == 200
        text = await response.text()
        assert "mosquitto_pub" in text
        assert "north-1" in text


async def test_browsers_are_kept_safe(server: Server, people: World) -> None:
    """Strict headers on every answer, errors too."""
    async with server.signed_in("clara") as browser:
        for path in ("/", "/nothing-here", "/api/v1/me", "/static/nothing", "/sign-in"):
            async with browser.session.get(path) as response:
                policy = response.headers["Content-Security-Policy"]
                for part in (
                    "default-src 'none'",
                    "script-src 'self';",
                    "frame-ancestors 'none'",
                    "form-action 'self'",
                    "base-uri 'none'",
                ):
                    assert part in policy
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Cache-Control"] == "no-store"
                assert "Server" not in response.headers


async def test_built_files_are_kept_for_ever_and_compressed(server: Server) -> None:
    """Hashed names never change their content; the .gz beside a file is sent as it is."""
    built = server.app[BUILT]
    if not built.manifest:
        pytest.fail("the screens are not built: make web")
    async with server.session(auto_decompress=False) as session:
        for name in ("board.js", "main.css"):
            async with session.get(built.url(name), headers={"Accept-Encoding": "gzip"}) as response:
                assert response.status == 200
                assert "immutable" in response.headers["Cache-Control"]
                assert gzip.decompress(await response.read())
        async with session.get("/static/../app.py") as response:
            assert response.status == 404
        async with session.get("/static/%2e%2e/app.py") as response:
            assert response.status == 404


async def test_head_is_answered_like_get(server: Server, people: World) -> None:
    async with server.signed_in("clara") as browser, browser.session.head(f"/wards/{people.north.id}") as response:
        assert response.status == 200


async def test_logs_hold_patterns_not_addresses(
    server: Server, people: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """No id of a resident, query or name in the access log."""
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/residents/{people.anna.id}?name=zq9Secret") as response:
            assert response.status == 200
        async with browser.session.get("/zq9Secret"):
            pass
    captured = capsys.readouterr()
    logged = captured.out + captured.err
    assert "/residents/{resident_id}" in logged
    assert "zq9Secret" not in logged
    assert people.anna.nhs_number not in logged


async def test_what_cannot_be_parsed_is_not_logged(
    server: Server, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A line that is no HTTP may hold anything; it stays out of the logs."""
    host, port = server.url.removeprefix("http://").split(":")
    for raw in (b"GET /zq9Secret HTTP/9.x\r\n\r\n", b"zq9Secret\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        assert b"400" in await reader.read()
        writer.close()
    captured = capsys.readouterr()
    assert "zq9Secret" not in captured.out + captured.err + caplog.text
    assert "request not handled" in captured.out + captured.err


async def test_a_broken_rest_of_a_request_is_no_error_of_ours(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong after the answer was given is noted, quietly: nobody is called for it."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with caplog.at_level("INFO"):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n")
        assert b"200" in await reader.readline()
        writer.write(b"zq9Secret")
        await reader.read()
    writer.close()
    noted = [record for record in caplog.records if "request not handled" in record.getMessage()]
    assert [record.levelname for record in noted] == ["INFO"]
    assert "zq9Secret" not in caplog.text
