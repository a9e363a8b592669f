"""Requests that nobody's browser sends: nothing is repeated, nothing breaks, nothing is told."""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg
import pytest
from aiohttp import web

from telehealth.web import device_api, headers, parse, sign_in
from telehealth.web.auth import Who
from tests.conftest import Urls
from tests.integration.web.conftest import CONTROL, Browser, Server, World, audited, token
from tests.integration.web.test_access import WITH_IDS, foreign

SECRET = b"zq9Secret"
HOST = b"Host: 127.0.0.1\r\nConnection: close\r\n"
FORM = HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
STRANGE = b"\xff\xfe" + b"a" * 40


async def send(server: Server, data: bytes) -> bytes:
    """What comes back for these bytes until the connection is closed."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET " + SECRET + b"\r\n\r\n",
        b"GET /" + SECRET * 1000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + SECRET + b" x: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: " + SECRET * 1000 + b"\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: " + SECRET + b"\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + SECRET + b"\r\n",
        b"GET /" + SECRET + b" HTTP/9." + SECRET + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_without_repeating_it(server: Server, data: bytes) -> None:
    """The answer to a malformed request is ours: a problem, with the headers of every answer."""
    answer = await send(server, data)
    head, _, _ = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"application/problem+json" in head
    assert b"nosniff" in head
    assert SECRET not in answer
    assert b"aiohttp" not in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /api/v1/clock/advance HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + STRANGE + b"\r\n\r\n", 401),
        (b"GET /api/v1/me HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + STRANGE + b"\r\n\r\n", 401),
        (b"GET /api/v1/me HTTP/1.1\r\n" + HOST + b"Cookie: telehealth=" + STRANGE + b"\r\n\r\n", 401),
        (
            b"POST /api/v1/devices/north-1/readings HTTP/1.1\r\n" + HOST + b"Authorization: Basic " + STRANGE
            + b"\r\nContent-Length: 2\r\n\r\n{}",
            401,
        ),
        (
            b"POST /sign-in HTTP/1.1\r\n" + FORM + b"Cookie: telehealth-form=" + STRANGE
            + b"\r\nContent-Length: 6\r\n\r\ncsrf=a",
            422,
        ),
        (b"POST /sign-in HTTP/1.1\r\n" + FORM + b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\nabcdef", 400),
        (b"POST /sign-in HTTP/1.1\r\n" + FORM + b"Content-Length: 303\r\n\r\n" + b"a=&" * 101, 413),
        (b"POST /sign-in HTTP/1.1\r\n" + FORM + b"Content-Length: 90000\r\n\r\n" + b"a" * 90000, 413),
    ],
)  # fmt: skip
async def test_strange_bytes_are_refused_and_break_nothing(
    server: Server, people: World, data: bytes, status: int
) -> None:
    """Bytes that are no text, bodies that are not what they say, forms of a hundred fields: refused, never a 500."""
    assert int((await send(server, data)).split(b" ")[1]) == status


async def test_a_character_set_of_the_senders_choice_is_ignored(server: Server, people: World) -> None:
    """Forms are UTF-8; an unknown character set is no way to an error of ours."""
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=zq9Secret"}
    async with server.session() as session, session.post("/sign-in", data=b"csrf=a", headers=headers) as response:
        assert response.status == 422
        assert "zq9Secret" not in await response.text()


async def test_a_body_that_does_not_arrive_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps a request open by sending it slowly."""
    monkeypatch.setattr(parse, "_SECONDS", 0.01)
    data = b"POST /sign-in HTTP/1.1\r\n" + FORM + b"Content-Length: 50\r\n\r\ncsrf"
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    assert b" 408 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("path", ["/api/v1/devices/north-1/readings", "/sign-in"])
async def test_who_goes_away_in_the_middle_of_a_body_is_no_failure_of_ours(
    server: Server, people: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A device that loses its connection is not noted as a database that is away."""
    statuses: asyncio.Queue[int] = asyncio.Queue()
    noted = headers._log_access

    def note(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        noted(request, response, seconds)
        statuses.put_nowait(response.status)

    async def is_itself(*_: object) -> bool:
        return True

    monkeypatch.setattr(headers, "_log_access", note)
    monkeypatch.setattr(device_api, "_is_itself", is_itself)
    host, port = server.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {path} HTTP/1.1\r\n".encode() + FORM + b"Content-Length: 50\r\n\r\ncsrf")
    await writer.drain()
    writer.close()
    assert await statuses.get() == 400


async def test_somebody_elses_ids_are_not_found_whatever_is_sent_with_them(server: Server, people: World) -> None:
    """A body that would be refused anyway does not hide that the id is another ward's: 404 and a row."""
    async with server.session(headers=await token(server.database, "clara")) as session:
        for route in WITH_IDS:
            path = foreign(route, people)
            if route.who is not Who.CARE or route.method != "POST" or not path.startswith("/api/"):
                continue
            for data in (b"", b"{}", b"[", b'{"outcome": 1}'):
                before = await audited(server.database, outcome="denied")
                async with session.post(path, data=data, headers={"Content-Type": "application/json"}) as response:
                    assert response.status == 404, (path, data)
                assert await audited(server.database, outcome="denied") == before + 1, path


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
async def test_the_edges_of_the_calendar_are_refused(server: Server, people: World, moment: str) -> None:
    """A time that leaves the calendar when it is shifted is a wrong value, not an error of ours."""
    path = f"/api/v1/residents/{people.anna.id}"
    async with server.session(headers=await token(server.database, "clara")) as session:
        for place in ("readings", "trends"):
            for name in ("since", "until"):
                async with session.get(f"{path}/{place}", params={name: moment}) as response:
                    assert response.status == 422
                    assert (await response.json())["field"] == name
        body = {"taken_at": moment, "identity": "00000000-0000-0000-0000-000000000000", "value_key": "1", "reason": "x"}
        async with session.post(f"{path}/strikes", json=body) as response:
            assert response.status == 422
    page = f"/residents/{people.anna.id}"
    async with server.signed_in("clara") as browser:
        typed = {"entry": "entry-12345", "date": moment[:10], "time": "09:00", "pulse": "72"}
        assert (await browser.post(page, f"{page}/readings", **typed)).status == 422


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO membership (staff_id, ward_id, created_by, created_at) VALUES ($1, $2, 'x', now())",
        "UPDATE staff SET role = 'admin' WHERE id = $1 AND $2 > 0",
        "INSERT INTO audit (at, actor, action, outcome) VALUES (now(), 'staff:' || ($1 + $2), 'x', 'ok')",
        "INSERT INTO alert_event (organisation_id, alert_id, at, event, actor)"
        " SELECT organisation_id, id, now(), 'resolved', 'staff:' || ($1 + $2) FROM alert",
        "UPDATE resident SET family_name = 'x' WHERE $1 + $2 > 0",
        "UPDATE device SET revoked_at = now() WHERE $1 + $2 > 0",
        "DELETE FROM episode WHERE $1 + $2 > 0",
        "DELETE FROM membership WHERE $1 + $2 > 0",
        "UPDATE spell SET end_kind = 'died' WHERE $1 + $2 > 0",
        "DELETE FROM evaluation_due WHERE $1 + $2 > 0",
    ],
)
async def test_staff_change_nothing_but_what_care_needs(urls: Urls, people: World, statement: str) -> None:
    """Nobody makes themselves a member of a ward, or acts in another's name, even with SQL of their own."""
    connection = await asyncpg.connect(urls.app)
    try:
        await connection.execute("SET telehealth.actor = 'operator:tests'")
        clara = await connection.fetchval("SELECT id FROM staff WHERE username = 'clara'")
        await connection.execute(f"SET telehealth.actor = 'staff:{clara}'")
        assert await connection.fetchval("SELECT count(*) FROM resident") == 1
        try:
            assert (
                await connection.execute(statement.replace("$1", str(clara)).replace("$2", str(people.south.id)))
            ) in (
                "UPDATE 0",
                "DELETE 0",
            )
        except asyncpg.InsufficientPrivilegeError:
            pass
    finally:
        await connection.close()


@pytest.mark.parametrize("actor", ["", "x", "service", "service:", "service:X", "operator:", "staff:0", "staff:1x"])
async def test_what_is_no_actor_sees_and_leaves_nothing(urls: Urls, people: World, actor: str) -> None:
    """Anything but a well-formed actor is nobody."""
    connection = await asyncpg.connect(urls.app)
    try:
        await connection.execute("SELECT set_config('telehealth.actor', $1, false)", actor)
        for table in ("resident", "reading", "alert", "ward", "staff", "device", "session", "audit"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
        if not actor.startswith("staff:0"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(
                    "INSERT INTO audit (at, actor, action, outcome) VALUES (now(), $1, 'x', 'ok')", actor
                )
    finally:
        await connection.close()


async def test_a_temporary_table_does_not_stand_in_for_memberships(urls: Urls, people: World) -> None:
    """Where the database lets the application make temporary tables, the policies still ask the real one."""
    connection = await asyncpg.connect(urls.app)
    try:
        await connection.execute("CREATE TEMPORARY TABLE membership (staff_id bigint, ward_id bigint)")
        await connection.execute("GRANT SELECT ON pg_temp.membership TO PUBLIC")
        await connection.execute("SET telehealth.actor = 'operator:tests'")
        clara = await connection.fetchval("SELECT id FROM staff WHERE username = 'clara'")
        await connection.execute("INSERT INTO pg_temp.membership VALUES ($1, $2)", clara, people.south.id)
        await connection.execute(f"SET telehealth.actor = 'staff:{clara}'")
        found = await connection.fetch("SELECT id FROM resident")
        assert [row["id"] for row in found] == [people.anna.id]
    finally:
        await connection.close()


async def test_exports_with_a_users_rights_stay_theirs_and_are_audited(
    server: Server, urls: Urls, people: World
) -> None:
    """Another ward's resident is not found, and the try is in the journal without the number that was typed."""
    for resident, status, outcome in ((people.anna, 0, "ok"), (people.bert, 1, "denied")):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "telehealth", "export", "readings", "--user", "clara", "--resident", resident.nhs_number),
            env={**os.environ, "DATABASE_URL": urls.app},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await process.communicate()
        assert process.returncode == status, said
        assert (resident.nhs_number.encode() in out) == (status == 0)
        assert await audited(server.database, action="export.readings", outcome=outcome) == 1


async def test_the_control_token_is_compared_whole(server: Server) -> None:
    """Neither a part of it nor it with more at its end opens the clock."""
    async with server.session() as session:
        for given in (CONTROL[:-1], CONTROL + "x", ""):
            headers = {"Authorization": f"Bearer {given}"}
            async with session.post("/api/v1/clock/advance", json={}, headers=headers) as response:
                assert response.status == 401


async def test_those_who_are_slowed_down_keep_nobody_out(
    server: Server, people: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many tries of an address wait because it failed so often, another user there signs in."""
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slowed(*_: object) -> float:
        arrived.release()
        await go_on.wait()
        return 0.0

    at_once = sign_in._delay
    monkeypatch.setattr(sign_in, "_delay", slowed)
    async with server.session() as session, asyncio.TaskGroup() as tasks:
        csrf = await Browser(session, server.url).csrf("/sign-in")

        async def attempt(number: int) -> None:
            fields = {"csrf": csrf, "username": f"nobody{number}", "password": "wrong"}
            async with session.post("/sign-in", data=fields):
                pass

        for number in range(40):
            tasks.create_task(attempt(number))
        for _ in range(40):
            await arrived.acquire()
        monkeypatch.setattr(sign_in, "_delay", at_once)
        async with server.signed_in("clara"):
            pass
        go_on.set()
