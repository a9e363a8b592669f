"""A web process that is killed while people are in a visit: they go on, and their pages come back with it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import service as services
from tests.browser import visits
from tests.browser.conftest import Watched
from tests.browser.service import ROOT, Service
from tests.browser.visits import Desk, Guest, sees

pytestmark = pytest.mark.browser


@contextlib.contextmanager
def media_workers(database_url: str) -> Iterator[None]:
    """In a process of their own, as in an installation that is more than a trial."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "TELEHEALTH_LOG_LEVEL": "warning",
        "TELEHEALTH_MEDIA_WORKERS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "telehealth", "serve", "--roles", "consult"], cwd=ROOT, env=environment
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module", params=["together", "apart"])
def clinic(request: pytest.FixtureRequest, browser_database: str, seeded: Any) -> Iterator[Service]:
    """together: media workers end with the web process, as its children; apart: they do not."""
    with contextlib.ExitStack() as stack:
        if request.param == "apart":
            stack.enter_context(media_workers(browser_database))
        roles = "alerting,web" if request.param == "apart" else "alerting,web,consult"
        settings = {"TELEHEALTH_MEDIA_WORKERS": "1"}
        yield stack.enter_context(services.running(browser_database, seeded, roles=roles, **settings))


def test_a_web_process_is_killed_in_a_visit(
    watched: Watched, clinic: Service, nurses_cookies: Any, request: pytest.FixtureRequest
) -> None:
    watched.expected += ["WebSocket", "ERR_CONNECTION", "Failed to load resource"]
    person = clinic.people[1]
    visit = visits.start(clinic, person)
    desk = Desk(watched.page(clinic.url, storage_state=nurses_cookies))
    page: Page = watched.page(clinic.url)
    resident = Guest(page)
    resident.enter(visits.link(clinic, visit, person), born=1941)
    resident.check()
    desk.open(visit)
    desk.join()
    desk.admit(person.name)
    resident.in_room()
    both = (desk.page, person.name), (page, "Nurse Jones")
    for looking, other in both:
        sees(looking, other)
    clinic.killed()
    for looking, _ in both:
        expect(looking.get_by_text("econnecting").first).to_be_visible(timeout=20_000)
    if "apart" in request.node.name:
        for looking, other in both:
            sees(looking, other)  # what they see and hear needs no web process
    notes = desk.page.get_by_label(f"Notes on {person.name}")
    notes.fill("Written while the service was away.")
    expect(desk.page.locator(".th-notes__state")).to_contain_text("Not saved on the server yet")
    clinic.again()
    for looking, _ in both:
        expect(looking.get_by_text("econnecting")).to_have_count(0, timeout=20_000)
    # with the visit's own connection all else comes back, too
    expect(desk.page.locator(".th-notes__state")).to_have_attribute("data-state", "saved")
    expect(desk.page.locator(".th-live")).to_have_attribute("data-state", "live")
    for looking, other in both:
        sees(looking, other)
    desk.page.close()
    page.close()
    visits.everybody_leaves(clinic)
