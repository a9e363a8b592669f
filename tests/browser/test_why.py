"""Why an alert holds: worked out again from the screens; what needed nobody; what rules cannot decide yet."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from telehealth.model import people
from telehealth.store import devices, residents
from telehealth.store.db import Database
from tests.browser import service as services
from tests.browser.service import Person, Service
from tests.support import world

pytestmark = pytest.mark.browser

Axe = Callable[[Page], list[str]]
MINUTE = timedelta(minutes=1)
RULES = {
    "pathway": "test_pathway",
    "version": "3",
    "rules": [
        {
            **world.threshold("spo2", repeat_seconds=600, auto=True, hysteresis=1.0),
            "source": "BTS guideline, table 2",
            "approval": "approved by Dr Okafor",
        },
        {
            **{"kind": "change", "code": "weight", "direction": "rise", "window_hours": 72, "confirm": 1},
            **{"amber": 1.5, "red": 2.3, "source": "ESC 2021", "approval": "needs local approval"},
        },
    ],
}


@pytest.fixture
def person(service: Service) -> Person:
    """Somebody of their own for each test, with an oximeter and a scale."""
    now, name = datetime.now(UTC), f"why-{secrets.token_hex(3)}"
    family = "Quill" + "".join(chr(97 + int(digit, 16)) for digit in secrets.token_hex(3))

    async def job() -> int:
        async with (
            Database.open(service.database_url, size=2) as database,
            database.transaction(services.OPERATOR) as connection,
        ):
            number = world.nhs_number(600_000 + secrets.randbelow(100_000))
            admitted = now - timedelta(days=5)
            found = await residents.add(
                connection,
                people.NewResident(
                    ward_id=service.ward_id,
                    family_name=family,
                    given_name="Ada",
                    title="Ms",
                    gender="female",
                    born=date(1950, 2, 3),
                    nhs_number=number,
                    zone="Europe/London",
                    pathway="test_pathway",
                    pathway_version="3",
                    schedule={},
                    rules=RULES,
                    admitted_at=admitted,
                ),
                actor=services.OPERATOR,
                now=now,
            )
            device, _ = await devices.add(
                connection,
                ward_id=service.ward_id,
                device_id=name,
                model="kit",
                codes=["spo2", "weight"],
                actor=services.OPERATOR,
                now=now,
            )
            resident = await residents.find(connection, number)
            actor = services.OPERATOR
            await devices.assign(connection, device, resident, since=admitted, until=None, actor=actor, now=now)
            return found

    return Person(services.run(job()), f"{family.upper()}, Ada (Ms)", name)


def reading(code: str, value: float, unit: str) -> dict[str, Any]:
    return {"code": code, "value": value, "unit": unit}


def test_a_nurse_works_it_out_again(nurse: Page, service: Service, person: Person, axe: Axe) -> None:
    """The alert shows inputs with times and ages, the sum, the limits, the rule with version, source and approval, and
    what would clear it; the inputs are the readings of the resident's page.
    """
    now = datetime.now(UTC)
    for hours, value in ((60, 80.0), (30, 80.4), (1, 82.6)):
        service.say(person, reading("weight", value, "kg"), at=now - timedelta(hours=hours))
    nurse.goto(f"/residents/{person.id}?hours=72")
    link = nurse.get_by_role("link", name=re.compile("^Weight up 2.6 kg"))
    expect(link).to_be_visible()
    times = nurse.locator(".th-readings tbody tr").filter(has_text="Body weight")
    expect(times).to_have_count(3)
    first = times.last.locator("td").first.inner_text()
    # as it happens, without loading the page again
    expect(nurse.locator("#rules-now")).to_contain_text("Open, red. Now 2.6 kg up within 72 hours")

    link.click()
    why = nurse.get_by_role("region", name="Why", exact=True)
    expect(why).to_contain_text("Weight up 2.6 kg within 72 hours, more than 2.3 kg")
    rows = why.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("80.0 kg")
    expect(rows.first).to_contain_text(first)  # the same minute as on the resident's page
    expect(rows.first).to_contain_text("2 days 11hr")
    expect(rows.first).to_contain_text("decides")
    expect(why).to_contain_text("82.6 - 80 = 2.6")
    expect(why).to_contain_text("2.6 > 2.3, the red limit")
    for said in ("more than 1.5 kg", "test_pathway, version 3", "change/weight", "ESC 2021", "needs local approval"):
        expect(why).to_contain_text(said)
    expect(why.locator("dl").first).to_contain_text("Clears when")
    why.get_by_text("All numbers").click()
    expect(why).to_contain_text("72 h")
    assert axe(nurse) == []
    nurse.set_viewport_size({"width": 320, "height": 800})
    assert nurse.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_who_was_asked_to_measure_again(nurse: Page, service: Service, person: Person, axe: Axe) -> None:
    """A single red value: the alert says which device was asked to repeat it."""
    nurse.goto(f"/residents/{person.id}")
    service.say(person, reading("spo2", 84, "%"))
    nurse.get_by_role("link", name=re.compile("^SpO2 84 %")).click()
    asked = nurse.get_by_role("region", name="Asked to measure again")
    expect(asked).to_contain_text(f"Oxygen saturation by {person.device_id}")
    expect(asked).to_contain_text("not sent yet")  # this service has no broker
    expect(nurse.get_by_role("region", name="Why", exact=True)).to_contain_text("84 < 88, the red limit")
    assert axe(nurse) == []


def test_what_cannot_decide_yet_says_what_it_lacks(nurse: Page, service: Service, person: Person, axe: Axe) -> None:
    service.say(person, reading("weight", 80.0, "kg"))
    nurse.goto(f"/residents/{person.id}")
    rules = nurse.locator("#rules-now")
    for _ in range(20):
        if rules.count() and "1 of 2 readings" in rules.inner_text():
            break
        nurse.wait_for_timeout(200)
        nurse.reload()
    expect(rules).to_contain_text("Cannot decide yet: 1 of 2 readings of weight within 72 hours")
    expect(rules).to_contain_text("Cannot decide yet: a first reading of SpO2 in this stay")
    assert axe(nurse) == []


def test_what_clears_itself_needs_nobody(nurse: Page, service: Service, person: Person, axe: Axe) -> None:
    """Shown while it is active, then counted and listed with its reason; the board says so as it happens."""
    board = nurse
    board.goto(f"/wards/{service.ward_id}")
    expect(board.locator(".th-live")).to_have_attribute("data-state", "live")
    line = board.locator("#automatic")
    before = int((line.text_content() or "0").split()[0])
    now = datetime.now(UTC)
    service.say(person, reading("spo2", 91, "%"), at=now - 3 * MINUTE)
    service.say(person, reading("spo2", 90, "%"), at=now - 2 * MINUTE)
    row = board.locator(f"tr[data-resident='{person.id}']")
    expect(row).to_contain_text("not acknowledged")
    service.say(person, reading("spo2", 96, "%"), at=now - MINUTE)
    expect(row).not_to_contain_text("not acknowledged")
    expect(line).to_contain_text(f"{before + 1} alert")
    expect(line).to_be_visible()
    assert axe(board) == []

    board.get_by_role("link", name="Show what was handled automatically").click()
    item = board.locator(".th-queue__item").filter(has_text=person.name)
    expect(item).to_contain_text("handled automatically")
    expect(item).to_contain_text("SpO2 90 %")
    expect(item.get_by_text("Acknowledge")).to_have_count(0)
    assert axe(board) == []
    item.get_by_role("link", name=re.compile("SpO2 90 %")).click()
    expect(board.locator(".th-timeline")).to_contain_text("Handled automatically")
    expect(board.locator(".th-timeline")).to_contain_text("by the service")
    board.goto(f"/residents/{person.id}")
    expect(board.get_by_role("region", name="1 handled automatically in the last 7 days")).to_contain_text("SpO2 90 %")
