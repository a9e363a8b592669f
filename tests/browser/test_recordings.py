"""A recording whose writer was killed, in real Chromium: asked why, played, moved about in."""

from __future__ import annotations

import base64
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from telehealth.model import media, recording_keys
from telehealth.store import recorded_visits, recordings
from telehealth.store.db import Connection, Database
from tests.browser import service as services
from tests.browser import visits
from tests.browser.conftest import Watched
from tests.browser.service import Service
from tests.support import written

pytestmark = pytest.mark.browser


@dataclass
class Killed:
    """A recording of the first resident; the process that wrote it was killed."""

    service: Service
    id: UUID


@pytest.fixture
def killed(browser_database: str, seeded: Any, tmp_path: Path) -> Iterator[Killed]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    place = recordings.Place(str(tmp_path), recording_keys.masters(key))
    settings = {"TELEHEALTH_RECORDINGS_DIR": str(tmp_path), "TELEHEALTH_RECORDING_KEYS": key}
    with services.running(browser_database, seeded, roles="web", **settings) as service:
        visits.allow_recording(service)
        visit = visits.start(service, service.people[0])
        to = visits.in_database(service, lambda connection, now: begun(connection, visit, service, place, now))
        command = [sys.executable, "-m", "tests.support.killed_recorder", str(to.recording), to.key.hex(), to.path]
        done = subprocess.run(command, cwd=services.ROOT, capture_output=True, timeout=60, text=True)
        assert done.returncode == -9, done.stderr
        chunks, size, head = done.stdout.split()
        told = media.Recorded(to.recording, int(chunks), int(size), bytes.fromhex(head), False)

        async def ended(connection: Connection, now: datetime) -> None:
            await recorded_visits.progress(connection, told, now=now)
            await recorded_visits.stop(connection, visit, why="asked", actor=None, now=now)

        visits.in_database(service, ended)
        yield Killed(service, to.recording)


async def begun(
    connection: Connection, visit: int, service: Service, place: recordings.Place, now: datetime
) -> media.RecordingTo:
    """Recording of the first resident, who is in the visit and has consented."""
    person = service.people[0]
    participant = await connection.fetchval(
        "INSERT INTO participant (organisation_id, consultation_id, role, resident_id, name, state, identity,"
        " joined_at, consent_at) SELECT organisation_id, id, 'resident', $2, $3, 'joined', 'birth_date', $4, $4"
        " FROM consultation WHERE id = $1 RETURNING id",
        visit,
        person.id,
        person.name,
        now,
    )
    return (await recorded_visits.begin(connection, visit, where=place, now=now))[participant]


@pytest.fixture
def calls(browser_database: str, seeded: Any, tmp_path: Path) -> Iterator[Service]:
    """The service with media workers, on a ward that records."""
    settings = {
        "TELEHEALTH_MEDIA_WORKERS": "2",
        "TELEHEALTH_RECORDINGS_DIR": str(tmp_path),
        "TELEHEALTH_RECORDING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    with services.running(browser_database, seeded, roles="web,consult", **settings) as service:
        visits.allow_recording(service)
        yield service
        visits.everybody_leaves(service)


def test_a_visit_is_recorded_across_the_death_of_its_worker(
    watched: Watched, calls: Service, nurses_cookies: Any, tmp_path: Path
) -> None:
    """Both agree, the worker is killed, another one records on; what each of them wrote is listed and plays."""
    person = calls.people[2]
    visit = visits.start(calls, person)
    resident = visits.Guest(watched.page(calls.url))
    resident.enter(visits.link(calls, visit, person), born=1942)
    resident.check()
    desk = visits.Desk(watched.page(calls.url, storage_state=nurses_cookies))
    desk.open(visit)
    desk.join()
    desk.admit(person.name)
    resident.in_room()
    visits.sees(desk.page, person.name)
    ask = desk.page.get_by_role("button", name="Ask to record")
    ask.click()
    expect(resident.page.get_by_text(re.compile(r"kept there, locked, for \d+ days"))).to_be_visible()
    resident.page.get_by_role("button", name="No, do not record").click()
    expect(desk.page.get_by_text(re.compile(r"^Not recording\..* said no\."))).to_be_visible()
    ask.click()
    desk.page.get_by_role("button", name="Yes, you may record").click()
    resident.page.get_by_role("button", name="Yes, you may record").click()
    for page in (desk.page, resident.page):
        expect(page.locator(".th-recording")).to_be_visible()
    until(calls, visit, lambda rows: len(rows) == 2 and all((row.chunks or 0) >= 3 for row in rows))
    visits.kill_worker(calls, visit)
    until(calls, visit, lambda rows: len(rows) == 4 and all((row.chunks or 0) >= 3 for row in rows))
    for page in (desk.page, resident.page):
        expect(page.locator(".th-recording")).to_be_visible()
    with desk.page.context.expect_page() as opened:
        desk.page.get_by_role("link", name=re.compile("End the visit")).click()
    ending = opened.value
    ending.get_by_label("What came of it").select_option("advice")
    ending.get_by_role("button", name=re.compile("End the visit")).click()
    expect(desk.page.get_by_role("status").filter(has_text="The visit is over.")).to_be_visible()
    # The end of a file that nobody cut short is known, so that nobody can cut it unseen.
    until(calls, visit, lambda rows: all(row.ended_at is not None for row in rows))
    rows = until(
        calls,
        visit,
        lambda rows: all(row.bytes == (tmp_path / f"{row.id}.recording").stat().st_size for row in rows[2:]),
    )

    mine = [row for row in rows if row.role == "resident"]
    for row, text in ((mine[0], "The file ends before the recording did."), (mine[1], "The file is intact")):
        page = desk.page
        page.goto(f"/recordings/{row.id}")
        page.get_by_label("Why do you watch it?").fill("Looking again at the inhaler")
        page.get_by_role("button", name="Watch").click()
        expect(page.locator("main")).to_contain_text(text)
        frames = page.locator("video").evaluate(
            """async v => {
                v.muted = true;
                await v.play();
                await new Promise((done, failed) => {
                    v.onerror = failed;
                    v.ontimeupdate = () => { if (v.getVideoPlaybackQuality().totalVideoFrames > 10) done(); };
                });
                return v.getVideoPlaybackQuality().totalVideoFrames;
            }"""
        )
        assert frames > 10


def until(service: Service, visit: int, condition: Callable[[list[recordings.Shown]], bool]) -> list[recordings.Shown]:
    """The recordings of a visit once they are so."""

    async def job() -> list[recordings.Shown]:
        async with Database.open(service.database_url, size=1) as database:

            async def look() -> list[recordings.Shown]:
                async with database.transaction(services.OPERATOR, read_only=True) as connection:
                    return await recordings.of_consultation(connection, visit)

            return await written.until(service.database_url, "recording", look, condition)

    return services.run(job())


def test_it_plays_once_a_reason_is_given(
    watched: Watched, killed: Killed, nurses_cookies: Any, axe: Callable[[Page], list[str]]
) -> None:
    watched.expected.append("status of 422")
    page = watched.page(killed.service.url, storage_state=nurses_cookies)
    page.goto(f"/recordings/{killed.id}")
    expect(page.locator("video")).to_have_count(0)
    page.get_by_role("button", name="Watch").click()
    expect(page.get_by_role("alert")).to_contain_text("Say why you watch it")
    assert axe(page) == []
    page.get_by_label("Why do you watch it?").fill("Second opinion on the breathing")
    page.keyboard.press("Enter")
    film = page.locator("video")
    expect(film).to_be_visible()
    expect(page.locator("main")).to_contain_text("The file ends before the recording did.")
    assert axe(page) == []
    duration = film.evaluate(
        "v => v.readyState ? v.duration : new Promise(done => v.onloadedmetadata = () => done(v.duration))"
    )
    assert 11 < duration < 21
    # Forwards to a place that was not loaded: a picture is there, and it goes on from it.
    moved = film.evaluate(
        """async v => {
            v.muted = true;
            await new Promise((done, failed) => { v.onseeked = done; v.onerror = failed; v.currentTime = 8.5; });
            const before = v.currentTime;
            await v.play();
            await new Promise((done, failed) => {
                v.onerror = failed;
                v.ontimeupdate = () => { if (v.currentTime > before + 0.5) done(); };
            });
            return [v.videoWidth, v.getVideoPlaybackQuality().totalVideoFrames, v.webkitAudioDecodedByteCount];
        }"""
    )
    assert moved[0] == 320
    assert moved[1] > 3
    assert moved[2] > 0
    # At 320 CSS pixels nothing has to be scrolled to the side.
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
