"""The rules of a resident on their page, changed by keyboard and without a script."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.service import Service

pytestmark = pytest.mark.browser

Axe = Callable[[Page], list[str]]


def later(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%d-%b-%Y")


def test_a_limit_is_changed_by_keyboard_without_a_script(
    watched: Watched, service: Service, nurses_cookies: Any
) -> None:
    """From the resident's page to the rule, what was wrong, the preview, and back to what is in force."""
    who = service.people[3]
    page = watched.page(service.url, storage_state=nurses_cookies, java_script_enabled=False)
    watched.expected.append("422")
    page.goto(f"/residents/{who.id}")
    page.get_by_role("link", name="Rules in force").press("Enter")
    rule = page.get_by_role("region", name="Pulse: limits", exact=True)
    expect(rule).to_contain_text("amber above 110 /min")
    rule.get_by_text("Numbers and sources").press("Enter")
    expect(rule).to_contain_text("NEWS2 (RCP 2017): 111 to 130 scores 2")
    expect(rule).to_contain_text("needs local approval")
    rule.get_by_role("link", name="Change").press("Enter")
    page.get_by_label("Amber above (/min)", exact=True).fill("140")
    page.get_by_role("button", name="Preview").press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("Say why")
    page.get_by_label("Why?").fill("usual for him")
    page.get_by_role("button", name="Preview").press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("must not be below")
    page.get_by_label("Amber above (/min)", exact=True).fill("104")
    page.get_by_label("To be looked at again on").fill(later(40))
    page.get_by_role("button", name="Preview").press("Enter")
    changes = page.get_by_role("table").first
    expect(changes).to_contain_text("110 /min")
    expect(changes).to_contain_text("104 /min")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The rules are changed")
    rule = page.get_by_role("region", name="Pulse: limits personal", exact=True)
    expect(rule).to_contain_text("amber above 104 /min")
    expect(rule).to_contain_text("set by Nurse Jones")
    expect(rule).to_contain_text(f"Review on {later(40)}")
    page.get_by_label("Rules at this date").fill((datetime.now(UTC) - timedelta(days=2)).strftime("%d-%b-%Y"))
    page.get_by_label("Rules at this time, 24-hour").fill("03:10")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.get_by_role("region", name="Pulse: limits", exact=True)).to_contain_text("amber above 110 /min")
    expect(page.locator("main")).to_contain_text("As they were in force at")


def test_pages_of_rules_are_for_everybody(nurse: Page, service: Service, axe: Axe, watched: Watched) -> None:
    """axe finds nothing and nothing scrolls sideways at 320 px: rules, forms, a form that was wrong, a preview."""
    watched.expected.append("422")
    here = f"/residents/{service.people[4].id}/rules"
    found: dict[str, list[str]] = {}
    sideways: dict[str, int] = {}

    def look(name: str) -> None:
        for detail in nurse.locator("details").all():
            detail.evaluate("one => { one.open = true }")
        found[name] = axe(nurse)
        nurse.set_viewport_size({"width": 320, "height": 800})
        sideways[name] = nurse.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        nurse.set_viewport_size({"width": 1366, "height": 900})

    nurse.goto(here)
    look("rules")
    nurse.goto(f"{here}/change?rule=spo2_scale")
    look("scale")
    nurse.goto(f"{here}/change?rule=distance/peak_flow_of_best")
    look("set value")
    nurse.goto(f"{here}/change?rule=threshold/spo2")
    look("form")
    nurse.get_by_label("Red below (%)", exact=True).fill("abc")
    nurse.get_by_role("button", name="Preview").click()
    expect(nurse.locator(".nhsuk-error-summary")).to_contain_text("Enter a number")
    look("wrong form")
    nurse.get_by_label("Red below (%)", exact=True).fill("86")
    nurse.get_by_label("Why?").fill("usual for her")
    nurse.get_by_role("button", name="Preview").click()
    expect(nurse.get_by_role("heading", name="What would change")).to_be_visible()
    look("preview")
    assert found == {name: [] for name in found}
    assert sideways == dict.fromkeys(sideways, 0)
