"""Staff's pages about video visits: complete by keyboard and without a script, at 320 px, and for axe."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from telehealth.model import appointments as times
from telehealth.model import mails
from telehealth.store import appointments, consultations, db, encounters, links, participants
from telehealth.store.db import Database
from tests.browser import service as services
from tests.browser.conftest import Watched
from tests.browser.service import Service

pytestmark = pytest.mark.browser

Axe = Callable[[Page], list[str]]
_WEB = db.service("web")


@dataclass(frozen=True)
class Planned:
    """A visit for which the resident waits, a round that is planned, and what came of a visit before."""

    appointment: int
    visit: int
    round: int
    encounter: int


@pytest.fixture(scope="module")
def planned(service: Service) -> Planned:
    now = datetime.now(UTC)
    actor = services.OPERATOR

    async def job() -> Planned:
        async with Database.open(service.database_url, size=2) as database:
            async with database.transaction(actor) as connection:

                async def booked(kind: Any, residents: list[int], minutes: int) -> appointments.Booked:
                    new = times.New(service.ward_id, kind, residents, now + timedelta(minutes=minutes))
                    return await appointments.book(
                        connection, new, sender=mails.Sender(), actor=actor, now=now, real_now=now
                    )

                single = await booked("one_to_one", [service.people[0].id], 20)
                several = await booked("ward_round", [one.id for one in service.people], 90)
                before = await consultations.start(
                    connection,
                    kind="one_to_one",
                    ward_id=service.ward_id,
                    resident_ids=[service.people[1].id],
                    actor=actor,
                    now=now,
                )
                ending = encounters.SubjectEnding(summary="Drink more.", follow_up="Ring the chemist")
                (written,) = await consultations.end(
                    connection,
                    before,
                    encounters.Ending("advice", {service.people[1].id: ending}),
                    actor=actor,
                    now=now,
                )
            await waits(database, single.consultation_id, service.people[0].id, now)
            return Planned(single.appointment_id, single.consultation_id, several.consultation_id, written)

    return services.run(job())


async def waits(database: Database, visit: int, resident: int, now: datetime) -> None:
    """The resident has opened their link, tried another device, and waits."""
    async with database.transaction(_WEB) as connection:
        link, _ = await links.make(
            connection,
            visit,
            role="resident",
            resident_id=resident,
            name="Grace",
            actor=_WEB,
            now=now,
            real_now=now,
            expires_at=now + timedelta(hours=3),
        )
        for browser in (b"tablet", b"telephone"):
            await links.bind(connection, link, browser, now=now)
        participant = await participants.of_link(connection, link, now=now)
        ready = {"camera": "refused", "network": "slow"}
        await consultations.arrive(connection, visit, participant, ready=ready, reason="short of breath", now=now)


def paths(service: Service, planned: Planned) -> list[str]:
    ward = f"/wards/{service.ward_id}/visits"
    return [
        ward,
        f"{ward}/new?resident={service.people[0].id}",
        f"/appointments/{planned.appointment}",
        f"/visits/{planned.visit}",
        f"/visits/{planned.round}",
        f"/visits/{planned.round}/end",
        f"/encounters/{planned.encounter}",
        f"/residents/{service.people[1].id}",
    ]


def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    nurse: Page, service: Service, planned: Planned, axe: Axe
) -> None:
    found: dict[str, list[str]] = {}
    sideways: dict[str, int] = {}
    for path in paths(service, planned):
        nurse.goto(path)
        found[path] = axe(nurse)
        nurse.set_viewport_size({"width": 320, "height": 800})
        sideways[path] = nurse.evaluate("document.documentElement.scrollWidth")
        found[f"{path} narrow"] = axe(nurse)
        nurse.set_viewport_size({"width": 1366, "height": 900})
    assert {path: violations for path, violations in found.items() if violations} == {}
    assert {path: width for path, width in sideways.items() if width > 320} == {}


def test_axe_finds_nothing_without_a_script(
    watched: Watched, service: Service, planned: Planned, nurses_cookies: Any, axe: Axe
) -> None:
    """What the islands would replace: drawn with the scripts held back, so that axe can look at it."""
    page = watched.page(service.url, storage_state=nurses_cookies)
    watched.expected.append("Failed to load resource")
    page.route(re.compile(r"/static/(consultation|waiting|resident)-"), lambda route: route.abort())
    found: dict[str, list[str]] = {}
    sideways: dict[str, int] = {}
    for path in paths(service, planned)[:5]:
        page.goto(path)
        found[path] = axe(page)
        page.set_viewport_size({"width": 320, "height": 800})
        sideways[path] = page.evaluate("document.documentElement.scrollWidth")
        page.set_viewport_size({"width": 1366, "height": 900})
    assert {path: violations for path, violations in found.items() if violations} == {}
    assert {path: width for path, width in sideways.items() if width > 320} == {}


def test_a_visit_by_keyboard_without_a_script(watched: Watched, service: Service, nurses_cookies: Any) -> None:
    """Booked, a link made, opened, noted, ended; what was forgotten is said and kept; then what came of it."""
    page = watched.page(service.url, storage_state=nurses_cookies, java_script_enabled=False)
    watched.expected.append("422")
    person = service.people[3]
    page.goto(f"/wards/{service.ward_id}")
    page.get_by_role("link", name="Video visits").press("Enter")
    page.get_by_role("link", name="Book a video visit").press("Enter")
    page.get_by_label("Reason, for staff only").fill("weekly review")
    page.get_by_role("button", name="Book the visit").press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("Choose at least one resident")
    expect(page.get_by_label("Reason, for staff only")).to_have_value("weekly review")
    page.get_by_label(person.name).press("Space")
    page.get_by_role("button", name="Book the visit").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The visit is booked")
    page.get_by_text("Make a new link").press("Enter")
    page.get_by_role("button", name="Make the link").press("Enter")
    assert "/join/" in page.get_by_label("Link", exact=True).input_value()
    page.get_by_role("link", name="Open the visit").press("Enter")
    expect(page.locator(".th-identity__name")).to_have_text(re.compile(re.escape(person.name)))
    page.get_by_label("Notes", exact=True).fill("Chest clear.")
    page.get_by_role("button", name="Save the notes").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The notes are saved")
    page.get_by_role("link", name="End the visit").press("Enter")
    page.get_by_label("To the resident").fill("Well done.")
    page.get_by_role("button", name="End the visit").press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("Choose what came of it")
    expect(page.get_by_label("To the resident")).to_have_value("Well done.")
    page.get_by_label("What came of it").select_option(label="Advice given")
    page.get_by_label("To be done afterwards").fill("Weigh again")
    page.get_by_role("button", name="End the visit").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("written into the record")
    for text in ("Chest clear.", "Well done.", "Weigh again", "Advice given"):
        expect(page.get_by_role("main")).to_contain_text(text)
    page.get_by_role("button", name="Done Weigh again").press("Enter")
    expect(page.get_by_role("region", name="To be done afterwards")).to_contain_text("by Nurse Jones")


def test_whoever_waits_is_let_in_without_a_script(
    watched: Watched, service: Service, planned: Planned, nurses_cookies: Any
) -> None:
    """The waiting area says who, since when, why and what is wrong; letting in leads to the visit."""
    page = watched.page(
        service.url,
        storage_state=nurses_cookies,
        java_script_enabled=False,
        viewport={"width": 320, "height": 800},
    )
    page.goto(f"/wards/{service.ward_id}/visits")
    area = page.get_by_role("region", name="Waiting area")
    for text in ("Grace", "identity not checked", "short of breath", "camera not allowed, slow network"):
        expect(area).to_contain_text(text)
    page.get_by_text("Write to Grace").press("Enter")
    page.get_by_label("Message to Grace").fill("In five minutes")
    page.get_by_role("button", name="Send to Grace").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The message is sent")
    page.get_by_role("button", name="Let in Grace").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("let in")
    expect(page.locator("#people")).to_contain_text("let in, not connected yet")
    page.get_by_role("button", name="Let another device in by the link of Grace").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("takes it over")
