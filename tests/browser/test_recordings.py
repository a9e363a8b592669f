"""A recording whose writer was killed, in real Chromium: asked why, played, moved about in."""

from __future__ import annotations

import base64
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
from telehealth.store import recordings
from telehealth.store.db import Connection
from tests.browser import service as services
from tests.browser import visits
from tests.browser.conftest import Watched
from tests.browser.service import Service

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
            await recordings.progress(connection, told, now=now)
            await recordings.stop(connection, visit, why="asked", actor=None, now=now)

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
    return (await recordings.begin(connection, visit, where=place, now=now))[participant]


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
