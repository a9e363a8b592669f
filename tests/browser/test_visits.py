"""Video visits with a real browser at every end, fake cameras, the real service and its media workers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import service as services
from tests.browser import visits
from tests.browser.conftest import Watched
from tests.browser.service import Service
from tests.browser.visits import Desk, Guest, sees

pytestmark = pytest.mark.browser

Axe = Callable[[Page], list[str]]


@pytest.fixture(scope="session")
def calls(browser_database: str, seeded: Any) -> Iterator[Service]:
    """The service with media workers."""
    with services.running(
        browser_database, seeded, roles="alerting,web,consult", TELEHEALTH_MEDIA_WORKERS="2"
    ) as running:
        visits.allow_recording(running)
        yield running


@pytest.fixture
def desk(watched: Watched, calls: Service, nurses_cookies: Any) -> Desk:
    return Desk(watched.page(calls.url, storage_state=nurses_cookies))


def guest(watched: Watched, calls: Service, **more: Any) -> Guest:
    return Guest(watched.page(calls.url, **{"viewport": {"width": 768, "height": 1024}, **more}))


def test_a_visit_from_the_link_to_the_end(watched: Watched, calls: Service, desk: Desk) -> None:
    """They see each other, write, a third comes by a link, a reading is accepted, notes survive a reload."""
    person = calls.people[1]
    visit = visits.start(calls, person)
    resident = guest(watched, calls)
    resident.enter(visits.link(calls, visit, person), born=1941)
    resident.check("My breathing")

    desk.open(visit)
    expect(desk.page.locator(".th-identity")).to_contain_text(person.name)
    expect(desk.page.locator(".th-identity")).to_contain_text("14-Aug-1941")
    desk.join()
    row = desk.person(person.name)
    expect(row).to_contain_text("My breathing")
    desk.admit(person.name)
    resident.in_room()
    sees(desk.page, person.name)
    sees(resident.page, "Nurse Jones")

    desk.page.get_by_label("To everybody in the visit").fill("Please show me the tablets.")
    desk.page.keyboard.press("Enter")
    expect(resident.page.get_by_role("status").filter(has_text="Please show me the tablets.")).to_be_visible()
    expect(desk.page.locator(".th-chat .is-pending")).to_have_count(0)

    # muted by the host: both see it, and the resident is told what to do
    desk.page.get_by_role("button", name=f"Mute {person.name}").click()
    expect(resident.page.get_by_role("button", name="Microphone is off")).to_be_visible()
    expect(resident.page.get_by_text("The ward has turned your microphone off")).to_be_visible()
    desk.page.get_by_role("button", name=f"Unmute {person.name}").click()
    # by themselves: the other side sees it
    resident.page.get_by_role("button", name="Microphone is on").click()
    expect(desk.page.locator(f".th-tile[data-participant] >> text=microphone off")).to_be_visible()
    resident.page.get_by_role("button", name="Camera is on").click()
    expect(visits.picture(desk.page, person.name)).to_have_count(0)
    resident.page.get_by_role("button", name="Camera is off").click()
    sees(desk.page, person.name)

    desk.page.get_by_text("Invite somebody").click()
    desk.page.get_by_label("Name, as the others see it").fill("Ali, interpreter")
    desk.page.get_by_role("button", name="Make the link").click()
    path = re.sub(r"^https?://[^/]+", "", desk.page.get_by_label("Link to pass on").input_value())
    third = guest(watched, calls)
    third.enter(path)
    third.check()
    desk.admit("Ali, interpreter")
    third.in_room()
    for page, other in ((third.page, "Nurse Jones"), (desk.page, "Ali, interpreter")):
        sees(page, other)
    desk.page.get_by_role("button", name="Pin Ali, interpreter").click()
    expect(resident.page.locator(".th-stage--pinned").get_by_label("Picture of Ali, interpreter")).to_be_visible()

    calls.spo2(person, 97)
    reading = desk.page.locator(".th-visit-readings li").filter(has_text="97")
    expect(reading).to_contain_text("not decided")
    reading.get_by_role("button", name=re.compile("Accept")).click()
    expect(reading).to_contain_text("in the record of this visit")

    notes = desk.page.get_by_label(f"Notes on {person.name}")
    notes.fill("Feels better. Ankles less swollen.")
    desk.page.reload()
    expect(notes).to_have_value("Feels better. Ankles less swollen.")
    expect(desk.page.locator(".th-notes__state")).to_have_attribute("data-state", "saved")
    desk.join()
    sees(desk.page, person.name)
    sees(resident.page, "Nurse Jones")
