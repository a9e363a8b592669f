"""Signing in, staying signed in, and being throttled."""

from __future__ import annotations

from telehealth.store.db import Database
from tests.integration.web.conftest import PASSWORD, Server, World, audited
from tests.support import world


async def test_pages_lead_to_sign_in_and_back(server: Server, people: World) -> None:
    """Whoever is not signed in is asked to, and then gets the page that they wanted."""
    async with server.session() as session:
        async with session.get(f"/wards/{people.north.id}", allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == f"/sign-in?next=/wards/{people.north.id}"
        async with session.get(f"/sign-in?next=/wards/{people.north.id}") as response:
            page = await response.text()
            assert f'name="next" value="/wards/{people.north.id}"' in page
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        fields = {"csrf": csrf, "username": " Clara", "password": PASSWORD, "next": f"/wards/{people.north.id}"}
        async with session.post("/sign-in", data=fields, allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == f"/wards/{people.north.id}"
            assert any("HttpOnly; Path=/; SameSite=Lax" in c for c in response.headers.getall("Set-Cookie"))
        async with session.get(f"/wards/{people.north.id}") as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-store"
            assert "script-src 'self';" in response.headers["Content-Security-Policy"]


async def test_next_never_leads_elsewhere(server: Server, people: World) -> None:
    """An address of another site is not followed after signing in."""
    async with server.session() as session:
        for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
            async with session.get("/sign-in", params={"next": elsewhere}) as response:
                assert 'name="next" value="/"' in await response.text()


async def test_wrong_password_and_unknown_user_look_the_same(server: Server, people: World) -> None:
    """Nobody learns which user names exist; failures are audited without what was typed."""
    async with server.session() as session:
        pages = []
        async with session.get("/sign-in") as response:
            csrf = (await response.text()).split('name="csrf" value="')[1].split('"')[0]
        for username in ("clara", "zebedee"):
            fields = {"csrf": csrf, "username": username, "password": "wrong password", "next": "/"}
            async with session.post("/sign-in", data=fields) as response:
                assert response.status == 422
                pages.append((await response.text()).replace(username, ""))
        assert pages[0].split("<form", 1)[1] == pages[1].split("<form", 1)[1]
    assert await audited(server.database, action="sign_in", outcome="failed") == 2


async def test_throttling_locks_out_nobody_else(server: Server, people: World) -> None:
    """After many failures for one user the next try waits; other users of the same address sign in at once."""
    async with server.session() as session:
        async with session.get("/sign-in") as response:
            csrf = (await response.text()).split('name="csrf" value="')[1].split('"')[0]
        statuses = []
        for _ in range(8):
            fields = {"csrf": csrf, "username": "clara", "password": "wrong password", "next": "/"}
            async with session.post("/sign-in", data=fields) as response:
                statuses.append(response.status)
                if response.status == 429:
                    assert int(response.headers["Retry-After"]) >= 1
        assert statuses[:5] == [422] * 5
        assert 429 in statuses
    async with server.signed_in("adam"):
        pass


async def test_a_new_session_replaces_the_old_one(server: Server, people: World) -> None:
    """Signing in again ends the session that the browser had."""
    async with server.signed_in("clara") as browser:
        jar = browser.session.cookie_jar
        old = next(cookie.value for cookie in jar if cookie.key == "telehealth")
        async with server.session() as other:
            async with other.get("/sign-in") as response:
                csrf = (await response.text()).split('name="csrf" value="')[1].split('"')[0]
            fields = {"csrf": csrf, "username": "clara", "password": PASSWORD, "next": "/"}
            headers = {"Cookie": f"telehealth={old}; telehealth-form={csrf}"}
            async with other.post("/sign-in", data=fields, headers=headers, allow_redirects=False) as response:
                assert response.status == 303
        async with browser.session.get("/api/v1/me") as response:
            assert response.status == 401


async def test_sign_out_ends_the_session_on_the_server(server: Server, people: World) -> None:
    """A copied cookie is worth nothing after signing out."""
    async with server.signed_in("clara") as browser:
        cookie = next(c.value for c in browser.session.cookie_jar if c.key == "telehealth")
        response = await browser.post("/", "/sign-out")
        assert response.status == 303
        stolen = {"Cookie": f"telehealth={cookie}"}
        async with server.session() as thief, thief.get("/api/v1/me", headers=stolen) as refused:
            assert refused.status == 401
    async with server.database.transaction(world.ACTOR) as connection:
        assert await connection.fetchval("SELECT count(*) FROM session") == 0


async def test_sessions_end_in_real_time_and_with_their_owner(server: Server, people: World) -> None:
    """An expired session, and one of somebody who was disabled, is none."""
    async with server.signed_in("clara") as browser:
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute("UPDATE session SET expires_at = clock_timestamp() - interval '1 second'")
        async with browser.session.get("/api/v1/me") as response:
            assert response.status == 401
    async with server.signed_in("adam") as browser:
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute("UPDATE staff SET disabled_at = clock_timestamp() WHERE username = 'adam'")
        async with browser.session.get("/api/v1/me") as response:
            assert response.status == 401


async def test_only_hashes_of_tokens_are_kept(server: Server, people: World) -> None:
    """Whoever reads the database cannot use a session."""
    async with server.signed_in("clara") as browser:
        cookie = next(c.value for c in browser.session.cookie_jar if c.key == "telehealth")
        async with server.database.transaction(world.ACTOR) as connection:
            row = await connection.fetchrow("SELECT * FROM session")
        assert row is not None
        assert cookie.encode() not in bytes(row["token_hash"])
        assert cookie != row["csrf"]


async def test_forms_need_the_token_and_our_own_page(server: Server, people: World, database: Database) -> None:
    """A forged post changes nothing."""
    path = f"/alerts/{people.anna_alert}/acknowledge"
    async with server.signed_in("clara") as browser:
        csrf = await browser.csrf("/")
        for fields, headers in (
            ({}, {}),
            ({"csrf": "wrong"}, {}),
            ({"csrf": csrf}, {"Origin": "https://evil.example"}),
            ({"csrf": csrf}, {"Origin": "null"}),
            ({"csrf": csrf}, {"Sec-Fetch-Site": "cross-site"}),
        ):
            async with browser.session.post(path, data=fields, headers=headers, allow_redirects=False) as response:
                assert response.status == 403
        async with browser.session.post(f"/api/v1{path}", json={}) as response:
            assert response.status == 403
    async with database.transaction(world.ACTOR) as connection:
        assert await connection.fetchval("SELECT handling FROM alert WHERE id = $1", people.anna_alert) == "new"


async def test_other_host_names_are_refused(server: Server, people: World) -> None:
    """A service on loopback does not answer a page that reached it under another name."""
    async with server.session() as session, session.get("/sign-in", headers={"Host": "evil.example"}) as response:
        assert response.status == 400
