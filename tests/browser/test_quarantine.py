"""Quarantine in a browser: for everybody, on a phone, by keyboard, and without a script."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from telehealth.ingest import reading
from telehealth.model.delivery import Delivery
from telehealth.store import db, ingest
from telehealth.store.db import Database
from tests.browser import service as services
from tests.browser.conftest import Watched
from tests.browser.service import Service

pytestmark = pytest.mark.browser

NASTY = b'{"readings": "<img src=x onerror=alert(1)>", "note": "\xe2\x80\xaetxet"}' + b" " * 300


def refuse(service: Service, payload: bytes, *, to: str = "readings", hours: int = 0, person: int = 1) -> None:
    """Taken in as from the broker, so many hours ago."""
    at = datetime.now(UTC) - timedelta(hours=hours)
    device_id = service.people[person].device_id
    found = reading.read("live", f"telehealth/v1/{device_id}/{to}".encode(), payload, at, retain=False)
    assert isinstance(found, Delivery)

    async def job() -> None:
        async with (
            Database.open(service.database_url, size=2) as opened,
            opened.transaction(db.service("ingest")) as connection,
        ):
            await ingest.take_in(connection, [found], now=at)

    services.run(job())


def picture(page: Page, name: str) -> None:
    """For whoever wants to look: set TELEHEALTH_TEST_PICTURES to a folder."""
    folder = os.environ.get("TELEHEALTH_TEST_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.fixture(scope="module")
def filled(service: Service) -> Service:
    """With some of everything in quarantine."""
    for hours in (0, 1, 1, 2, 5, 9, 9, 9, 30):
        refuse(service, NASTY + str(hours).encode(), hours=hours)
    refuse(service, b'{"readings": [{"code": "spo2", "value": 400, "unit": "%", "taken_at": "2026-11-21T10:00:01Z"}]}')
    for number in range(3):
        refuse(service, f"frame {number}".encode(), to="readings/vendor-x", person=2)
    return service


def test_quarantine_is_for_everybody(nurse: Page, filled: Service, axe: Callable[[Page], list[str]]) -> None:
    """axe finds nothing on the list, an entry and its bytes, and nothing scrolls sideways at 320 px."""
    found: dict[str, Any] = {}
    nurse.goto(f"/wards/{filled.ward_id}")
    nurse.get_by_role("link", name="Quarantine").click()
    expect(nurse.get_by_role("heading", level=1)).to_contain_text("Quarantine")
    pages = {"list": nurse.url, "week": f"{nurse.url}?span=7d&state=all"}
    nurse.locator("#entries + .th-scroll tbody a").first.click()
    pages["entry"] = nurse.url
    for name, url in (*pages.items(), ("bytes", f"{pages['entry']}/bytes")):
        nurse.goto(url)
        found[name] = axe(nurse)
        picture(nurse, f"quarantine_{name}")
        nurse.set_viewport_size({"width": 320, "height": 800})
        found[f"{name} on a phone"] = axe(nurse)
        picture(nurse, f"quarantine_{name}_phone")
        if nurse.evaluate("document.documentElement.scrollWidth") > 320:
            found[f"{name} sideways"] = "scrolls"
        nurse.set_viewport_size({"width": 1366, "height": 900})
    assert {name: violations for name, violations in found.items() if violations} == {}


def test_bytes_do_nothing(nurse: Page, filled: Service) -> None:
    """Markup in them is text; the page has no picture and no script of theirs."""
    nurse.goto(f"/wards/{filled.ward_id}/quarantine?error=not_json")
    nurse.locator("#entries + .th-scroll tbody a").first.click()
    expect(nurse.locator("body")).not_to_contain_text("onerror")
    nurse.get_by_role("link", name="Show the bytes").click()
    expect(nurse.locator("pre").first).to_contain_text('"<img src=x onerror=alert(1)>"')
    expect(nurse.locator("pre").first).to_contain_text("\\u202etxet")
    assert nurse.locator("main img").count() == 0
    with nurse.expect_download() as download:
        nurse.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.endswith(".bin")


def test_handling_by_keyboard_and_without_a_script(watched: Watched, filled: Service, nurses_cookies: Any) -> None:
    """Try all again, dismiss without a reason, then with one: only forms, only keys."""
    watched.expected.append("422")
    page = watched.page(filled.url, storage_state=nurses_cookies, java_script_enabled=False)
    path = f"/wards/{filled.ward_id}/quarantine"
    page.goto(path)
    row = page.locator("#groups + .th-scroll tbody tr", has_text="format unknown")
    row.get_by_role("button", name="Try all again").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("0 messages taken in with 0 new readings, 3 still refused.")
    row.locator("summary").press("Enter")
    reason = row.get_by_label("Why is nothing to be done?")
    reason.press("Enter")
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    picture(page, "quarantine_problem")
    expect(reason).to_be_visible()
    reason.fill("Not one of our kits")
    reason.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("3 entries dismissed.")
    page.goto(f"{path}?state=dismissed")
    page.locator("#entries + .th-scroll tbody a").first.press("Enter")
    expect(page.locator("main")).to_contain_text("by Nurse Jones: Not one of our kits")
