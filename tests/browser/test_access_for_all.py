"""Every page for everybody: axe finds nothing, nothing scrolls sideways at 320 px, the focus is never hidden."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.service import Service

pytestmark = pytest.mark.browser

Axe = Callable[[Page], list[str]]


def pages(service: Service) -> list[str]:
    ward, person = service.ward_id, service.people[0]
    return [
        f"/wards/{ward}",
        f"/wards/{ward}/alerts",
        f"/wards/{ward}/alerts?show=all",
        f"/residents/{person.id}",
        "/about-demo",
        "/nowhere",
    ]


def settled(page: Page) -> None:
    if page.locator(".th-live").count():
        expect(page.locator(".th-live")).to_have_attribute("data-state", "live")


def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    nurse: Page, watched: Watched, service: Service, axe: Axe
) -> None:
    service.spo2(service.people[0], 86)
    watched.expected.append("404")
    found: dict[str, list[str]] = {}
    sideways: dict[str, int] = {}

    def look(page: Page, name: str) -> None:
        settled(page)
        found[name] = axe(page)
        page.set_viewport_size({"width": 320, "height": 800})
        sideways[name] = page.evaluate("document.documentElement.scrollWidth")
        if page.locator(".th-table--cards").count():
            found[f"{name} as cards"] = axe(page)
        page.set_viewport_size({"width": 1366, "height": 900})

    stranger = watched.page(service.url)
    stranger.goto("/sign-in")
    look(stranger, "sign in")
    stranger.get_by_label("User name").fill("nobody")
    stranger.get_by_label("Password").fill("not the password")
    stranger.keyboard.press("Enter")
    expect(stranger.locator(".nhsuk-error-summary")).to_be_focused()
    watched.expected.append("422")
    look(stranger, "sign in refused")
    for path in pages(service):
        nurse.goto(path)
        look(nurse, path)
    nurse.goto(f"/wards/{service.ward_id}/alerts")
    nurse.locator(".th-queue__why a").first.click()
    look(nurse, "alert")
    nurse.goto(f"/residents/{service.people[0].id}")
    nurse.get_by_role("button", name="Show as table").click()
    look(nurse, "table")
    assert {name: violations for name, violations in found.items() if violations} == {}
    assert {name: width for name, width in sideways.items() if width > 320} == {}


@pytest.mark.parametrize("size", [(1366, 700), (640, 480)])
def test_focus_is_never_hidden(nurse: Page, service: Service, size: tuple[int, int]) -> None:
    """Through the resident's page by Tab: a sticky bar never covers what has the focus."""
    nurse.set_viewport_size({"width": size[0], "height": size[1]})
    nurse.goto(f"/residents/{service.people[0].id}")
    settled(nurse)
    hidden: list[str] = []
    for _ in range(60):
        nurse.keyboard.press("Tab")
        trouble = nurse.evaluate(
            """() => {
                const one = document.activeElement;
                if (!one || one === document.body) return null;
                const box = one.getBoundingClientRect();
                const points = [[0.5, 0.5], [0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]];
                const seen = points.some(([x, y]) => {
                    const top = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
                    return top && (one.contains(top) || top.contains(one) || top.closest('label')?.control === one);
                });
                return seen ? null : one.outerHTML.slice(0, 120);
            }"""
        )
        if trouble:
            hidden.append(trouble)
    assert hidden == []


def test_colours_of_the_system_keep_the_words(watched: Watched, service: Service, nurse: Page) -> None:
    """With forced colours every priority still has its word and its stars."""
    nurse.emulate_media(forced_colors="active", reduced_motion="reduce")
    service.spo2(service.people[0], 85)
    nurse.goto(f"/wards/{service.ward_id}")
    settled(nurse)
    expect(nurse.locator(".th-board .th-chip--high").first).to_contain_text("*** High".replace(" ", ""))
    animated = nurse.evaluate("document.getAnimations().length")
    assert animated == 0
