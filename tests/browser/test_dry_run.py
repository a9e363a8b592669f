"""What changed limits would have done, on the preview of a resident's rules: without a script, and to be heard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.service import Service

pytestmark = pytest.mark.browser


def previewed(page: Page, resident: int) -> None:
    """The preview of SpO2 limits that nobody keeps to for long."""
    page.goto(f"/residents/{resident}/rules/change?rule=threshold/spo2")
    page.get_by_label("Amber below (%)", exact=True).fill("97")
    page.get_by_label("Red below (%)", exact=True).fill("95")
    page.get_by_label("Why?").fill("to see")
    page.get_by_label("To be looked at again on").fill((datetime.now(UTC) + timedelta(days=30)).strftime("%d-%b-%Y"))
    page.get_by_role("button", name="Preview").click()


def test_the_preview_says_what_it_would_have_done(watched: Watched, service: Service, nurses_cookies: Any) -> None:
    """One sentence, the alerts that it would be more, what it is reckoned by; and nothing is changed."""
    page = watched.page(service.url, storage_state=nurses_cookies, java_script_enabled=False)
    previewed(page, service.people[1].id)
    trial = page.get_by_role("region", name="What it would have done")
    expect(trial).to_contain_text("more alert")
    expect(trial).to_contain_text("needs local approval")
    expect(trial.get_by_role("table").first).to_contain_text("below 9")
    page.get_by_role("link", name="Rules of").click()
    expect(page.get_by_role("region", name="SpO2: limits", exact=True)).not_to_contain_text("97 %")


def test_everybody_can_use_it(
    watched: Watched, service: Service, nurses_cookies: Any, axe: Callable[[Page], list[str]]
) -> None:
    """axe finds nothing, and nothing scrolls sideways at 320 px."""
    page = watched.page(service.url, storage_state=nurses_cookies, viewport={"width": 320, "height": 700})
    previewed(page, service.people[1].id)
    expect(page.get_by_role("region", name="What it would have done")).to_be_visible()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
