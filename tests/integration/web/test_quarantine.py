"""Quarantine by its pages and its API: seen by the ward, opened on purpose, tried again, dismissed with a reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from types import MappingProxyType

import pytest

from devices import formats, native
from tests.integration.ingest.wards import envelope, spo2
from tests.integration.web.conftest import NOW, Server, World, audited, refused, token
from tests.support import world

#: Markup, a direction override, a terminal's escape, a byte that is no text, and a resident's name.
NASTY = b'<script>alert(1)</script>"\xe2\x80\xae drowssap \x1b[31m \xff Anna Smith'


@pytest.fixture
def fixed() -> Iterator[dict[str, formats.Decoder]]:
    """Decoders, which a test may add to as a new version would."""
    before = formats.DECODERS
    known = dict(before)
    formats.DECODERS = MappingProxyType(known)  # type: ignore[misc]  # what a restart would do
    yield known
    formats.DECODERS = before  # type: ignore[misc]


async def test_the_page_lists_counts_and_filters(server: Server, people: World) -> None:
    """By device and reason, newest first, with how often; nothing of another ward, and never the bytes."""
    await refused(server.database, people.oximeter, NASTY)
    await refused(server.database, people.oximeter, envelope(spo2(400, at=NOW)))
    path = f"/wards/{people.north.id}/quarantine"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(path) as response:
            page = await response.text()
            assert response.status == 200
        async with browser.session.get(path, params={"error": "value_impossible", "span": "7d"}) as response:
            filtered = await response.text()
        async with browser.session.get(path, params={"device": "'\"><script>", "state": "x", "span": "?"}) as response:
            assert response.status == 200
            assert "'\"><script>" not in await response.text()
    assert "not utf8" in page
    assert "value impossible" in page
    assert "2 refusals" in page
    assert "1 refusal of" not in filtered
    assert "1 refusal" in filtered
    assert "south-1" not in page
    assert "Anna Smith" not in page
    assert "script>alert" not in page
    assert await audited(server.database, action="quarantine.list", ward_id=people.north.id) == 3


async def test_bytes_are_opened_on_purpose_and_shown_as_nothing_but_bytes(server: Server, people: World) -> None:
    """Each opening leaves a row; markup, directions and escapes arrive as text; the file is no page."""
    entry = await refused(server.database, people.oximeter, NASTY)
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/quarantine/{entry}") as response:
            assert "drowssap" not in await response.text()
        assert await audited(server.database, action="quarantine.bytes") == 0
        async with browser.session.get(f"/quarantine/{entry}/bytes") as response:
            page = await response.text()
        async with browser.session.get(f"/quarantine/{entry}/download") as response:
            assert await response.read() == NASTY
            assert response.content_type == "application/octet-stream"
            assert response.headers["Content-Disposition"] == f'attachment; filename="quarantine-{entry}.bin"'
            assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\\u202e drowssap \\x1b[31m \\xff Anna" in page
    assert not any(one in page for one in ("\u202e", "\x1b", "<script>alert"))
    assert "3c 73 63 72 69 70 74" in page
    who = {"object_kind": "quarantine", "object_id": str(entry), "ward_id": people.north.id}
    assert await audited(server.database, action="quarantine.bytes", **who) == 1
    assert await audited(server.database, action="quarantine.download", **who) == 1


async def test_trying_again_in_the_browser(server: Server, people: World, fixed: dict[str, formats.Decoder]) -> None:
    """One entry, then all of a device and reason: the outcome is shown, and the readings are the resident's."""
    entries = [
        await refused(server.database, people.oximeter, envelope(spo2(n, at=NOW), seq=n), to="readings/fixed")
        for n in (95, 96, 97)
    ]
    fixed["fixed"] = native.decode
    path = f"/wards/{people.north.id}/quarantine"
    async with server.signed_in("clara") as browser:
        one = await browser.post(f"/quarantine/{entries[0]}", f"/quarantine/{entries[0]}/retry")
        assert (one.status, one.headers["Location"]) == (303, f"/quarantine/{entries[0]}?done=tried")
        async with browser.session.get(one.headers["Location"]) as response:
            assert "Stored 1." in await response.text()
        group = {"device": "north-1", "error": "format_unknown", "next": f"{path}?span=7d"}
        all_of_them = await browser.post(path, f"{path}/retry", **group)
        assert all_of_them.headers["Location"] == f"{path}?span=7d&taken=2&stored=2&still=0&left=0"
        async with browser.session.get(all_of_them.headers["Location"]) as response:
            assert "2 messages taken in with 2 new readings" in await response.text()
    async with server.database.transaction(world.ACTOR) as connection:
        stored = await connection.fetch("SELECT value FROM reading WHERE resident_id = $1", people.anna.id)
    assert {95.0, 96.0, 97.0} <= {row["value"] for row in stored}
    assert await audited(server.database, action="quarantine.retry", outcome="ok") == 2


async def test_dismissing_in_the_browser_needs_a_reason(server: Server, people: World) -> None:
    """Without one the page says so; with one everything of the device and reason is done with."""
    entry = await refused(server.database, people.oximeter, b"a")
    await refused(server.database, people.oximeter, b"b")
    path = f"/wards/{people.north.id}/quarantine"
    group = {"device": "north-1", "error": "not_json", "next": path}
    async with server.signed_in("clara") as browser:
        for page, target in ((path, f"{path}/dismiss"), (f"/quarantine/{entry}", f"/quarantine/{entry}/dismiss")):
            response = await browser.post(page, target, **group, reason=" ")
            assert response.status == 422
            assert "Say why it is dismissed" in await response.text()
        response = await browser.post(path, f"{path}/dismiss", **group, reason="firmware 1.2, replaced")
        assert response.headers["Location"] == f"{path}?dismissed=2"
        async with browser.session.get(f"/quarantine/{entry}") as response:
            page = await response.text()
        assert "firmware 1.2, replaced" in page
        assert "by Clara" in page
        late = await browser.post(path, f"/quarantine/{entry}/dismiss", reason="again")
        assert late.status == 409


async def test_the_api(server: Server, people: World, fixed: dict[str, formats.Decoder]) -> None:
    """List by pages, counts, bytes, retry and dismissal, as the page has them."""
    payload = envelope(spo2(95, at=NOW), spo2(400, at=NOW))
    entry = await refused(server.database, people.oximeter, payload, to="readings/fixed")
    for n in range(3):
        await refused(server.database, people.oximeter, f"{n}".encode())
    base = f"/api/v1/wards/{people.north.id}/quarantine"
    async with server.session(headers=await token(server.database, "clara")) as session:
        found: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            async with session.get(base, params={"limit": "3"} | ({"cursor": cursor} if cursor else {})) as response:
                page = await response.json()
            found += [item["id"] for item in page["items"]]
            cursor = page["next"]
        assert found == sorted(found, reverse=True)
        assert len(found) == 4
        async with session.get(f"{base}/counts", params={"error": "schema"}) as response:
            counts = await response.json()
        assert [group["entries"] for group in counts["groups"]] == [3]
        assert counts["periods"][-1]["times"] == 3
        assert len(counts["periods"]) == 24
        async with session.get(f"/api/v1/quarantine/{entry}/bytes") as response:
            held = await response.json()
        assert base64.b64decode(held["base64"]) == payload
        assert held["whole"]
        fixed["fixed"] = native.decode
        async with session.post(f"/api/v1/quarantine/{entry}/retry") as response:
            tried = await response.json()
        assert (tried["stored"], tried["outcomes"][0]["refused"][0]["error"]) == (1, "value_impossible")
        body = {"device_id": "north-1", "error": "schema"}
        async with session.post(f"{base}/retry", json=body) as response:
            tried = await response.json()
        assert [outcome["taken_in"] for outcome in tried["outcomes"]] == [False] * 3
        async with session.post(f"{base}/dismiss", json=body) as response:
            assert response.status == 422
        async with session.post(f"{base}/dismiss", json={**body, "reason": "test"}) as response:
            assert await response.json() == {"dismissed": 3}
        async with session.post(f"{base}/dismiss", data=json.dumps({**body, "reason": "x" * 501})) as response:
            assert response.status == 415


async def test_administrators_look_and_do_not_touch(server: Server, people: World) -> None:
    """As everywhere: they see, and act on nothing."""
    entry = await refused(server.database, people.oximeter, b"?")
    async with server.session(headers=await token(server.database, "adam")) as session:
        async with session.get(f"/api/v1/quarantine/{entry}") as response:
            assert response.status == 200
        async with session.post(f"/api/v1/quarantine/{entry}/retry") as response:
            assert response.status == 403
