"""What people do on the screens, in a real browser on the real service."""

from __future__ import annotations

import re
import signal
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import visits
from tests.browser.conftest import Watched, sign_in
from tests.browser.service import Person, Service

pytestmark = pytest.mark.browser


def board(page: Page, service: Service) -> None:
    page.goto(f"/wards/{service.ward_id}")
    expect(page.locator(".th-live")).to_have_attribute("data-state", "live")


def row(page: Page, person: Person) -> Locator:
    return page.locator(f"tr[data-resident='{person.id}']")


def tab_to(page: Page, target: Locator, most: int = 150) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("not reached by keyboard")


def test_from_sign_in_to_the_table_by_keyboard(nurse: Page, service: Service) -> None:
    """A value changes, an alert comes, is reached and acknowledged without a mouse; the trend is zoomed and read."""
    page, person = nurse, service.people[1]
    board(page, service)
    value = row(page, person).locator("[data-code=spo2]")
    service.spo2(person, 97)
    expect(value).to_contain_text("97")
    expect(value).to_have_class(re.compile("th-changed"))

    service.spo2(person, 84)
    expect(value).to_contain_text("84")
    alert = page.get_by_role("link", name=re.compile("Open and acknowledge"))
    expect(alert).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text=person.name)).to_have_count(1)
    expect(row(page, person)).to_contain_text("not acknowledged")
    tab_to(page, alert)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text("84")
    expect(page.locator(".th-identity")).to_contain_text(person.name)
    tab_to(page, page.get_by_label("Note (optional)").first)
    page.keyboard.type("Rang him: well, cold hands. Will repeat.")
    tab_to(page, page.get_by_role("button", name="Acknowledge"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("acknowledged")
    expect(page.locator(".th-timeline")).to_contain_text("cold hands")
    expect(page.locator(".th-timeline")).to_contain_text("Nurse Jones")

    page.goto(f"/residents/{service.people[0].id}")
    shown = page.get_by_role("img", name=re.compile("^Oxygen saturation from"))
    expect(shown).to_be_visible()
    before = shown.get_attribute("aria-label")
    page.get_by_role("button", name="7 days").press("Enter")
    expect(shown).not_to_have_attribute("aria-label", before or "")
    expect(shown).to_have_attribute("aria-label", re.compile("stretch(es)? without data"))
    page.get_by_role("button", name="4hr", exact=True).press("Enter")
    page.get_by_role("button", name="Zoom out").press("Enter")
    page.get_by_role("button", name="Earlier").press("Enter")
    table = page.get_by_role("button", name="Show as table")
    table.press("Enter")
    expect(table).to_have_attribute("aria-pressed", "true")
    numbers = page.locator(".th-numbers")
    expect(numbers.get_by_role("columnheader", name=re.compile("Oxygen saturation"))).to_be_visible()
    assert 4 <= numbers.locator("tbody tr").count() <= 10


def test_drag_over_a_chart_zooms_all_of_them(nurse: Page, service: Service) -> None:
    page = nurse
    page.goto(f"/residents/{service.people[0].id}")
    shown = page.locator(".th-trends__range")
    expect(shown).to_contain_text("(now)")
    over = page.locator("[data-chart=spo2] .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40, steps=4)
    page.mouse.up()
    expect(shown).not_to_contain_text("(now)")
    ranges = page.get_by_role("img", name=re.compile(" from ")).evaluate_all(
        "charts => charts.map(chart => chart.getAttribute('aria-label').match(/ from (.*?);/)[1])"
    )
    assert len(ranges) >= 3
    assert len(set(ranges)) == 1


def test_what_a_wrong_clock_sent_is_said_to_be_estimated(nurse: Page, service: Service) -> None:
    """In words: on the board, in the chart's text, in its table."""
    page, person = nurse, service.people[4]
    service.say(person, {"code": "spo2", "value": 95, "unit": "%"}, skew=timedelta(hours=2))
    board(page, service)
    expect(row(page, person).locator("[data-code=spo2]")).to_contain_text("95")
    expect(row(page, person).locator("[data-code=spo2]")).to_contain_text("time uncertain")
    page.goto(f"/residents/{person.id}")
    shown = page.get_by_role("img", name=re.compile("^Oxygen saturation from"))
    expect(shown).to_have_attribute("aria-label", re.compile("the time of 1 is estimated because a device's clock was"))
    expect(page.locator(".th-readings")).to_contain_text("time estimated: the device's clock was about 2 h fast")
    page.get_by_role("button", name="Show as table").click()
    expect(page.locator(".th-numbers tbody tr").first).to_contain_text("95 (time estimated)")


def test_server_killed_says_not_live(watched: Watched, own_service: Service) -> None:
    page = watched.page(own_service.url)
    # A font or a script that was still coming when the server died is cut off too.
    watched.expected += ["WebSocket", "ERR_CONNECTION", "Failed to load resource"]
    sign_in(page)
    board(page, own_service)
    own_service.process.kill()
    bar = page.locator(".th-live")
    expect(bar).to_have_attribute("data-state", "off")
    expect(bar).to_contain_text("NOT LIVE")
    expect(page.get_by_role("alert").filter(has_text="not live")).to_have_count(1)


def test_silent_server_is_not_live_after_12_seconds_and_comes_back(watched: Watched, own_service: Service) -> None:
    page = watched.page(own_service.url)
    watched.expected += ["WebSocket"]
    sign_in(page)
    page.clock.install()
    board(page, own_service)
    own_service.process.send_signal(signal.SIGSTOP)
    bar = page.locator(".th-live")
    page.clock.run_for(9_000)
    expect(bar).to_have_attribute("data-state", "live")
    page.clock.run_for(5_000)
    expect(bar).to_have_attribute("data-state", "off")
    own_service.process.send_signal(signal.SIGCONT)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(bar).to_have_attribute("data-state", "live")


@pytest.mark.parametrize("size", [(1366, 600), (768, 1024), (320, 640)])
def test_whose_record_it_is_stays_in_view(nurse: Page, service: Service, size: tuple[int, int]) -> None:
    """However far one scrolls, on low and narrow screens, and when the page is not live."""
    nurse.route_web_socket(re.compile(r"/ws$"), lambda socket: socket.close())
    nurse.set_viewport_size({"width": size[0], "height": size[1]})
    nurse.goto(f"/residents/{service.people[0].id}")
    expect(nurse.locator(".th-live--off")).to_be_visible()
    nurse.evaluate("scrollTo(0, document.body.scrollHeight)")
    name = nurse.locator(".th-identity__name dd")
    expect(name).to_be_in_viewport(ratio=1)
    assert name.evaluate(visits.ON_TOP), "something lies over the name"
    room = nurse.evaluate("innerHeight - document.querySelector('.th-tops').getBoundingClientRect().bottom")
    assert room > size[1] / 2


def test_order_stays_while_the_focus_is_in_the_table(nurse: Page, service: Service) -> None:
    """Rows do not move under a hand; the change is told, and shown when asked for."""
    page, person = nurse, service.people[4]
    board(page, service)
    first = row(page, service.people[2]).get_by_role("link").first
    first.focus()
    order = "rows => rows.map(row => row.dataset.resident)"
    before = page.locator("tr[data-resident]").evaluate_all(order)
    service.spo2(person, 82)
    expect(row(page, person)).to_contain_text("82")
    show = page.get_by_role("button", name=re.compile("changes? – show"))
    expect(show).to_be_visible()
    assert page.locator("tr[data-resident]").evaluate_all(order) == before
    assert first.evaluate("link => link === document.activeElement")
    show.click()
    expect(page.locator(".th-scroll")).to_be_focused()
    after = page.locator("tr[data-resident]").evaluate_all(order)
    assert after.index(str(person.id)) < before.index(str(person.id))


def test_fixed_order_is_kept(nurse: Page, service: Service) -> None:
    page = nurse
    board(page, service)
    page.get_by_role("button", name="Fixed order").click()
    board(page, service)
    expect(page.get_by_role("button", name="Fixed order")).to_have_attribute("aria-pressed", "true")
    names = page.locator(".th-board__name").all_text_contents()
    assert names == sorted(names)


def test_acknowledge_in_the_queue_and_another_screen_sees_it(nurse: Page, service: Service) -> None:
    page, person = nurse, service.people[3]
    other = page.context.new_page()
    board(other, service)
    page.goto(f"/wards/{service.ward_id}/alerts")
    expect(page.locator(".th-live")).to_have_attribute("data-state", "live")
    service.spo2(person, 83)
    item = page.locator(".th-queue__item.is-high").filter(has_text=person.name)
    expect(item).to_contain_text("not acknowledged")
    item.locator("summary").press("Enter")
    item.get_by_label("Note (optional)").fill("On my way")
    item.get_by_role("button", name="Acknowledge").press("Enter")
    expect(page.get_by_role("status").filter(has_text="Acknowledged")).to_be_visible()
    expect(item).not_to_contain_text("not acknowledged")
    expect(item.locator(".th-queue__why a")).to_be_focused()
    expect(row(other, person)).not_to_contain_text("not acknowledged")
    expect(row(other, person)).to_contain_text("acknowledged")


def test_alerts_are_handled_without_a_script(watched: Watched, service: Service) -> None:
    """Sign in, read the board, acknowledge and resolve."""
    person = service.people[2]
    service.spo2(person, 85)
    watched.expected.append("422")
    page = watched.page(service.url, java_script_enabled=False)
    sign_in(page)
    page.goto(f"/wards/{service.ward_id}")
    line = page.locator("tbody tr").filter(has_text=person.name)
    expect(line).to_contain_text("85")
    expect(page.locator(".th-live")).to_contain_text("as it was at")
    page.goto(f"/wards/{service.ward_id}/alerts")
    page.locator(".th-queue__item.is-high").filter(has_text=person.name).locator(".th-queue__why a").click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".th-notice")).to_contain_text("acknowledged")
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("Choose")
    page.get_by_label("Outcome").select_option(index=1)
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".th-notice")).to_contain_text("resolved")


def test_observations_are_keyed_and_struck_without_a_script(
    watched: Watched, service: Service, nurses_cookies: Any
) -> None:
    person = service.people[2]
    watched.expected.append("422")
    page = watched.page(service.url, java_script_enabled=False, storage_state=nurses_cookies)
    page.goto(f"/residents/{person.id}")
    page.get_by_label("Respiration rate").fill("999")
    page.get_by_role("button", name="Save observations").click()
    expect(page.locator(".nhsuk-error-summary")).to_be_visible()
    page.get_by_label("Respiration rate").fill("18")
    page.get_by_label("Consciousness").select_option("A")
    page.get_by_role("button", name="Save observations").click()
    expect(page.locator(".th-notice")).to_contain_text("stored")
    keyed = page.locator(".th-readings tbody tr").filter(has_text="Respiration rate").first
    expect(keyed).to_contain_text("18")
    keyed.locator("summary").click()
    keyed.get_by_label("Why is it wrong?").fill("wrong person")
    keyed.get_by_role("button").click()
    expect(page.locator(".th-notice")).to_contain_text("struck")
    expect(page.locator(".th-readings s").first).to_contain_text("18")
