"""Readings that wait for a person, on the screens on which somebody decides about them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from telehealth.store import devices, residents, seats
from telehealth.store.db import Database
from tests.browser import service as services
from tests.browser.conftest import Watched
from tests.browser.service import Service

pytestmark = pytest.mark.browser

Axe = Callable[[Page], list[str]]
MINUTE = timedelta(minutes=1)


@dataclass
class Kit:
    """A shared kit of the ward on which the first resident is "A" and the second "B"."""

    service: Service
    device_id: str

    def say(self, *readings: dict[str, Any], at: datetime) -> None:
        async def job() -> None:
            async with Database.open(self.service.database_url, size=2) as database:
                await services.take_in(database, self.device_id, [(at, list(readings))])

        services.run(job())


@pytest.fixture
def kit(service: Service) -> Kit:
    now = datetime.now(UTC)
    name = f"home-{secrets.token_hex(3)}"

    async def job() -> None:
        async with (
            Database.open(service.database_url, size=2) as database,
            database.transaction(services.OPERATOR) as connection,
        ):
            device, _ = await devices.add(
                connection,
                ward_id=service.ward_id,
                device_id=name,
                model="kit",
                codes=["spo2"],
                actor=services.OPERATOR,
                now=now,
            )
            actor = services.OPERATOR
            since = now - timedelta(days=1)
            await seats.share(connection, device, shared=True, at=since, actor=actor, now=now)
            numbers = await connection.fetch("SELECT nhs_number FROM resident ORDER BY id")
            for label, row in zip("AB", numbers, strict=False):
                resident = await residents.find(connection, row["nhs_number"])
                place = seats.seat_of(label, None)
                await seats.seat(connection, device, place, resident, since=since, actor=actor, now=now)

    services.run(job())
    return Kit(service, name)


def test_somebody_decides_by_keyboard_without_a_script(
    watched: Watched, service: Service, nurses_cookies: Any, kit: Kit
) -> None:
    """From the list to the reading, whose it is, and back; what was forgotten is said and kept."""
    kit.say({"code": "spo2", "value": 93, "unit": "%", "subject": "C"}, at=datetime.now(UTC) - MINUTE)
    page = watched.page(service.url, storage_state=nurses_cookies, java_script_enabled=False)
    watched.expected.append("422")
    page.goto(f"/wards/{service.ward_id}")
    page.get_by_role("link", name="Held readings").click()
    group = page.get_by_role("region", name=f"Device {kit.device_id}, names “C”")
    expect(group).to_contain_text("names somebody who has no place")
    group.get_by_role("link", name="Decide").press("Enter")
    page.get_by_role("button", name="Assign").press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("Choose whose it is")
    whose = page.get_by_label("It is the reading of")
    name = service.people[1].name
    whose.select_option(label=next(t for t in whose.locator("option").all_inner_texts() if t.startswith(name)))
    page.get_by_label("Why?").fill("asked the carer")
    page.get_by_role("button", name="Assign").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("noted whose")
    assert page.url.split("?")[0].endswith(f"/wards/{service.ward_id}/held")
    page.goto(f"/residents/{service.people[1].id}")
    expect(page.get_by_role("region", name="Readings put right")).to_contain_text("asked the carer")


def test_pages_of_held_readings_are_for_everybody(nurse: Page, service: Service, kit: Kit, axe: Axe) -> None:
    """axe finds nothing and nothing scrolls sideways at 320 px: the list, a reading, a form that was wrong."""
    at = datetime.now(UTC) - 2 * MINUTE
    kit.say({"code": "spo2", "value": 92, "unit": "%"}, {"code": "pulse", "value": 70, "unit": "/min"}, at=at)
    same = {"code": "pulse", "unit": "/min", "subject": "A", "source_id": "x"}
    kit.say({**same, "value": 71}, at=at)
    kit.say({**same, "value": 75}, at=at)
    found: dict[str, list[str]] = {}
    sideways: dict[str, int] = {}

    def look(name: str) -> None:
        found[name] = axe(nurse)
        nurse.set_viewport_size({"width": 320, "height": 800})
        sideways[name] = nurse.evaluate("document.documentElement.scrollWidth")
        found[f"{name}, small"] = axe(nurse)
        nurse.set_viewport_size({"width": 1366, "height": 900})

    held = f"/wards/{service.ward_id}/held"
    nurse.goto(held)
    look("list")
    nurse.get_by_role("region", name="Two values for one reading").get_by_role("link").first.click()
    expect(nurse.get_by_role("heading", name="Two values for one reading")).to_be_visible()
    look("two values")
    nurse.goto(held)
    nurse.get_by_role("region", name=f"Device {kit.device_id}").get_by_role("link", name="Decide").first.click()
    look("reading")
    nurse.get_by_text("These times", exact=True).click()
    look("times")
    assert {name: violations for name, violations in found.items() if violations} == {}
    assert {name: width for name, width in sideways.items() if width > 320} == {}


def test_the_board_counts_what_is_held_meanwhile(nurse: Page, service: Service, kit: Kit) -> None:
    """The link in the head of an open board shows another number when a reading has come that is nobody's."""
    nurse.goto(f"/wards/{service.ward_id}")
    expect(nurse.get_by_text("LIVE", exact=True)).to_be_visible()
    link = nurse.get_by_role("link", name="Held readings")
    before = int("0" + "".join(filter(str.isdigit, link.inner_text())))
    kit.say({"code": "spo2", "value": 94, "unit": "%", "subject": "Z"}, at=datetime.now(UTC) - MINUTE)
    expect(link).to_have_text(f"Held readings ({before + 1})", timeout=20_000)


def test_a_place_on_a_shared_kit_is_on_the_residents_page(nurse: Page, service: Service, kit: Kit) -> None:
    """On a phone as well, where each reading is a card whose ways to decide need no scrolling sideways."""
    kit.say({"code": "spo2", "value": 95, "unit": "%", "subject": "A"}, at=datetime.now(UTC) - MINUTE)
    nurse.set_viewport_size({"width": 320, "height": 800})
    nurse.goto(f"/residents/{service.people[0].id}")
    devices = nurse.get_by_role("region", name="Devices")
    expect(devices.locator("dt", has_text=kit.device_id)).to_be_visible()
    expect(devices).to_contain_text("here as “A”")
    table = nurse.get_by_role("region", name="Readings", exact=True)
    assert table.evaluate("it => it.scrollWidth <= it.clientWidth")
    table.get_by_role("link", name="Move").first.press("Enter")
    expect(nurse.get_by_role("heading", name="Is it somebody else's?")).to_be_visible()
