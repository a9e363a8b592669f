"""Watching a recording: who may, what is noted, what a player gets, and what the page says of a damaged file."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import av
import pytest
from aiohttp import web
from pydantic import SecretStr

from telehealth import clock as clocks
from telehealth.clock import ClinicalClock, Step
from telehealth.config import Settings
from telehealth.media import recording
from telehealth.model import media, recording_keys, visits
from telehealth.model.health import Health
from telehealth.store import consultations, recorded_visits, visit_policy
from telehealth.store import recordings as store
from telehealth.store.db import Database
from telehealth.web import app, keys
from telehealth.web import server as web_server
from telehealth.web.visits import recordings
from tests.integration.visits import scene
from tests.integration.web.conftest import CONTROL, NOW, Browser, Server, audited, member
from tests.support import rtp, world

REASON = "Clinical review of the call"


@pytest.fixture
async def server(database: Database, tmp_path: Path) -> AsyncIterator[Server]:
    """A service that has a place for recordings."""
    clock = ClinicalClock(Step(NOW, NOW))
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # a setting of pydantic's constructor, not a field
        port=0,
        recordings_dir=str(tmp_path),
        recording_keys=SecretStr(base64.b64encode(secrets.token_bytes(32)).decode()),
    )
    application = app.build(settings=settings, database=database, clock=clock, health=Health(), control_token=CONTROL)
    runner = web_server.Runner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        where = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield Server(where, database, Health(), clock, application)
    finally:
        await runner.cleanup()


@dataclass
class Recorded:
    """A recording of a resident, whole unless a test changes it."""

    id: str
    path: Path
    where: store.Place
    ward: world.Ward


@pytest.fixture
async def recorded(server: Server) -> Recorded:
    database = server.database
    at = await scene.build(database)
    place = store.place(server.app[keys.SETTINGS])
    assert place is not None
    async with database.transaction(world.ACTOR) as connection:
        decided = visits.Policy(recording=True)
        await visit_policy.set_for(connection, at.ward.id, decided, actor=world.ACTOR, now=NOW)
    await member(database, "clara", at.ward)
    await member(database, "adam", at.ward, role="admin")
    await member(database, "sam", await world.ward(database))
    visit, nurse, anna = await scene.live(database, at)
    async with database.transaction(scene.WEB) as connection:
        for person in (nurse, anna):
            await consultations.consent(connection, visit, person, given=True, now=NOW)
        to = (await recorded_visits.begin(connection, visit, where=place, now=NOW))[anna]
    last = await write(to)
    async with database.transaction(scene.WEB) as connection:
        await recorded_visits.progress(connection, last, now=NOW)
        await recorded_visits.stop(connection, visit, why="asked", actor=None, now=NOW)
    return Recorded(str(to.recording), Path(to.path), place, at.ward)


async def write(to: media.RecordingTo) -> media.Recorded:
    """Six seconds of somebody."""
    told: asyncio.Queue[media.Recorded] = asyncio.Queue()
    tap = recording.open(to, lambda kind: None, told.put_nowait)
    zero = clocks.monotonic()
    for one in rtp.sent(6.0):
        tap.packet(one.kind, one.packet, zero + one.at)
    tap.close()
    while not (last := await told.get()).over:
        pass
    return last


async def watch(browser: Browser, recorded: Recorded, reason: str = REASON) -> str:
    """Give a reason; the path of the film."""
    page = f"/recordings/{recorded.id}"
    async with await browser.post(page, page, reason=reason) as answer:
        assert answer.status == 303
        async with browser.session.get(answer.headers["Location"]) as shown:
            assert shown.status == 200
            assert shown.headers["Cache-Control"] == "no-store"
            assert "; media-src 'self'" in shown.headers["Content-Security-Policy"]
            found = re.search(r'<video[^>]* src="([^"]+)"', await shown.text())
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_whoever_says_why_watches_it(server: Server, recorded: Recorded) -> None:
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/recordings/{recorded.id}") as page:
            text = await page.text()
        assert "Why do you watch it?" in text
        assert "<video" not in text
        film = await watch(browser, recorded)
        async with browser.session.get(film) as answer:
            data = await answer.read()
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "video/webm"
            assert answer.headers["Content-Disposition"].startswith("inline")
            assert answer.headers["Cache-Control"] == "no-store"
    with av.open(io.BytesIO(data), "r") as container:
        assert sum(1 for frame in container.decode(video=0)) == 90
    assert (
        await audited(server.database, action="recording.play", detail={"reason": REASON}, object_id=recorded.id) == 1
    )


async def test_a_visit_that_is_over_lists_its_recordings(server: Server, recorded: Recorded) -> None:
    async with server.database.transaction(scene.WEB) as connection:
        visit = await connection.fetchval(
            "UPDATE consultation SET state = 'ended', ended_at = $1, ended_by = 'x', outcome = 'advice' RETURNING id",
            NOW,
        )
    async with server.signed_in("clara") as browser, browser.session.get(f"/visits/{visit}") as page:
        assert f'href="/recordings/{recorded.id}"' in await page.text()


async def test_a_player_gets_the_parts_that_it_asks_for(server: Server, recorded: Recorded) -> None:
    async with server.signed_in("clara") as browser:
        film = await watch(browser, recorded)
        async with browser.session.get(film) as answer:
            whole = await answer.read()
        size = len(whole)
        for asked, since, until in (
            ("bytes=0-", 0, size),
            ("bytes=0-0", 0, 1),
            ("bytes=1000-5000", 1000, 5001),
            (f"bytes={size - 7}-", size - 7, size),
            ("bytes=-500", size - 500, size),
            (f"bytes=100-{size * 2}", 100, size),
        ):
            async with browser.session.get(film, headers={"Range": asked}) as answer:
                assert answer.status == 206
                assert answer.headers["Content-Range"] == f"bytes {since}-{until - 1}/{size}"
                assert await answer.read() == whole[since:until]
        async with browser.session.get(film, headers={"Range": f"bytes={size}-"}) as answer:
            assert answer.status == 416
        async with browser.session.head(film) as answer:
            assert (answer.status, answer.headers["Content-Length"]) == (200, str(size))


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "two\nlines"])
async def test_without_a_reason_nothing_is_shown(server: Server, recorded: Recorded, reason: str) -> None:
    page = f"/recordings/{recorded.id}"
    async with server.signed_in("clara") as browser, await browser.post(page, page, reason=reason) as answer:
        text = await answer.text()
        assert answer.status == 422
    assert "Say why you watch it" in text
    assert "<video" not in text
    assert await audited(server.database, action="recording.play", outcome="ok") == 0


async def test_a_pass_is_of_one_session_and_one_recording_and_ends(
    server: Server, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server.signed_in("clara") as browser:
        film = await watch(browser, recorded)
        changed = [
            film.replace("until=", "until=1"),
            re.sub("pass=.", "pass=", film),
            re.sub(r"pass=\w+", "pass=" + "0" * 64, film),
            film.split("?")[0],
        ]
        for path in changed:
            async with browser.session.get(path) as answer:
                assert answer.status == 404, path
        async with server.signed_in("clara") as other, other.session.get(film) as answer:
            assert answer.status == 404
        # Four hours later; the session is looked at by the clock of its own module.
        known = clocks.real_now()
        monkeypatch.setattr(recordings, "clock", Later(known + timedelta(hours=4, seconds=1)))
        async with browser.session.get(film) as answer:
            assert answer.status == 404


@dataclass(frozen=True)
class Later:
    """A clock that stands."""

    at: datetime

    def real_now(self) -> datetime:
        return self.at


async def test_other_wards_and_administrators_get_nothing(server: Server, recorded: Recorded) -> None:
    async with server.signed_in("clara") as browser:
        film = await watch(browser, recorded)
    page = f"/recordings/{recorded.id}"
    for name, status in (("sam", 404), ("adam", 403)):
        async with server.signed_in(name) as browser:
            for path in (page, film):
                async with browser.session.get(path) as answer:
                    assert answer.status == status
            async with await browser.post("/", page, reason=REASON) as answer:
                assert answer.status == status
    async with server.session() as nobody, nobody.get(film, allow_redirects=False) as answer:
        assert answer.status == 303
    assert await audited(server.database, object_id=recorded.id, outcome="denied") >= 3


async def test_the_page_says_what_is_wrong_with_a_file(server: Server, recorded: Recorded) -> None:
    whole = recorded.path.read_bytes()
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 1
    cases = {
        "The file was altered.": bytes(spoilt),
        "The file ends before the recording did.": whole[: len(whole) * 2 // 3],
        "The file is intact": whole,
    }
    async with server.signed_in("clara") as browser:
        for text, data in cases.items():
            recorded.path.write_bytes(data)
            page = f"/recordings/{recorded.id}"
            async with await browser.post(page, page, reason=REASON) as answer:
                where = answer.headers["Location"]
            async with browser.session.get(where) as shown:
                assert text in await shown.text()


async def test_a_file_that_is_not_there_or_was_swapped_or_has_lost_its_key_is_said_so(
    server: Server, recorded: Recorded
) -> None:
    page = f"/recordings/{recorded.id}"
    async with server.signed_in("clara") as browser:
        async with await browser.post(page, page, reason=REASON) as answer:
            where = answer.headers["Location"]
        os.rename(recorded.path, f"{recorded.path}.elsewhere")
        async with browser.session.get(where) as shown:
            assert "The file of the recording is not there." in await shown.text()
        await write(media.RecordingTo(uuid4(), secrets.token_bytes(32), str(recorded.path)))
        async with browser.session.get(where) as shown:
            assert "was not written with the key of this recording" in await shown.text()
        async with server.database.transaction(scene.WEB) as connection:
            await connection.execute("UPDATE recording SET key_id = 'another'")
        async with await browser.post(page, page, reason=REASON) as answer:
            assert answer.status == 409
            assert "master key of this recording is not among" in await answer.text()


async def test_what_is_deleted_or_still_goes_on_is_not_played(server: Server, recorded: Recorded) -> None:
    page = f"/recordings/{recorded.id}"
    changes = {
        "UPDATE recording SET ended_at = NULL": "still goes on",
        "UPDATE recording SET ended_at = started_at, deleted_at = started_at": "has been deleted",
    }
    async with server.signed_in("clara") as browser:
        film = await watch(browser, recorded)
        for change, text in changes.items():
            async with server.database.transaction(scene.WEB) as connection:
                await connection.execute(change)
            async with browser.session.get(film) as answer:
                assert answer.status == 404
            async with await browser.post("/", page, reason=REASON) as answer:
                assert answer.status == 409
                assert text in await answer.text()


def test_settings_of_recordings_go_together_and_are_checked(tmp_path: Path) -> None:
    def settings(**given: object) -> Settings:
        return Settings(_env_file=None, **given)  # type: ignore[arg-type,call-arg]  # as above

    assert store.place(settings()) is None
    key = SecretStr(base64.b64encode(b"k" * 32).decode())
    for given, name in (
        ({"recordings_dir": str(tmp_path)}, "TELEHEALTH_RECORDING_KEYS"),
        ({"recording_keys": key}, "TELEHEALTH_RECORDINGS_DIR"),
        ({"recordings_dir": str(tmp_path), "recording_keys": SecretStr("abc")}, "TELEHEALTH_RECORDING_KEYS"),
    ):
        with pytest.raises(Exception, match=name):
            store.place(settings(**given))
    found = store.place(settings(recordings_dir=str(tmp_path), recording_keys=key))
    assert found is not None
    assert found.masters == recording_keys.masters(key.get_secret_value())


async def send(browser: Browser, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
    headers = {"X-CSRF-Token": await browser.csrf("/"), "Origin": browser.url}
    return await browser.session.post(path, json=body, headers=headers)


async def test_the_api_lists_tells_judges_and_says_where_the_film_is(server: Server, recorded: Recorded) -> None:
    path = f"/api/v1/recordings/{recorded.id}"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(path) as answer:
            assert answer.status == 200
            about = await answer.json()
        assert (about["ward_id"], about["role"], about["deleted_at"]) == (recorded.ward.id, "resident", None)
        assert len(about["head"]) == 64
        assert len(about["consents"]) == 2
        assert not {"wrapped_key", "key"} & set(about)
        async with browser.session.get(f"/api/v1/visits/{about['visit']}/recordings") as answer:
            listed = (await answer.json())["items"]
        assert recorded.id in {one["id"] for one in listed}
        # nothing of the file without a reason
        for action in ("verdict", "watch"):
            for body in ({}, {"reason": " "}, {"reason": "x" * 201}):
                async with await send(browser, f"{path}/{action}", body) as answer:
                    assert answer.status == 422
        assert await audited(server.database, action="recording.play", outcome="ok") == 0
        async with await send(browser, f"{path}/verdict", {"reason": REASON, "since": 1, "limit": 2}) as answer:
            verdict = await answer.json()
        assert (verdict["state"], verdict["head"], verdict["findings"]) == ("intact", about["head"], [])
        assert verdict["good_chunks"] == about["chunks"] == verdict["expected_chunks"]
        assert [one["number"] for one in verdict["chunks"]] == [1, 2]
        async with await send(browser, f"{path}/watch", {"reason": REASON}) as answer:
            film = (await answer.json())["media"]
        async with browser.session.get(film) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, "video/webm")
        data = bytearray(recorded.path.read_bytes())
        data[len(data) // 2] ^= 1
        recorded.path.write_bytes(data)
        async with await send(browser, f"{path}/verdict", {"reason": REASON}) as answer:
            verdict = await answer.json()
        assert (verdict["state"], verdict["chunks"]) == ("altered", [])
        assert verdict["findings"]
        recorded.path.unlink()
        async with await send(browser, f"{path}/verdict", {"reason": REASON}) as answer:
            assert answer.status == 409
    for action in ("recording.play", "recording.verify"):
        assert await audited(server.database, action=action, detail={"reason": REASON}, object_id=recorded.id) >= 1


async def test_the_api_tells_nobody_else(server: Server, recorded: Recorded) -> None:
    for who, status in (("sam", 404), ("adam", 403)):
        async with server.signed_in(who) as browser:
            async with browser.session.get(f"/api/v1/recordings/{recorded.id}") as answer:
                assert answer.status == status
            for action in ("verdict", "watch"):
                path = f"/api/v1/recordings/{recorded.id}/{action}"
                async with await send(browser, path, {"reason": REASON}) as answer:
                    assert answer.status == status
