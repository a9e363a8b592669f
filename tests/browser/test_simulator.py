"""What testers do to simulated residents, on the demo as it is started by its command."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from simulator.homes import catalogue
from tests.acceptance import platform_processes as processes
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.postgres, pytest.mark.broker]

Axe = Callable[[Page], list[str]]
Ready = dict[str, Any]


@pytest.fixture(scope="module")
def demo() -> Iterator[Ready]:
    """A demo of its own: the simulator is its child, and time may be stepped."""
    made = Path(tempfile.mkdtemp(prefix="th-demo-", dir="/tmp"))
    # PostgreSQL's account must reach it, so that nothing is left elsewhere.
    made.chmod(0o755)
    options = ("--residents", "6", "--port", "0", "--mqtt-port", "0", "--json")
    with processes.service("demo", *options, "--data-dir", str(made / "demo")) as running:
        yield json.loads(running.first_line())
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def cookies(chromium: Browser, demo: Ready) -> dict[str, Any]:
    """Of a tester and of a clinician."""
    found = {}
    for role in ("tester", "clinician"):
        login = next(one for one in demo["logins"] if one["role"] == role)
        context = chromium.new_context(base_url=demo["url"])
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_label("User name").fill(login["username"])
        page.get_by_label("Password").fill(login["password"])
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/sign-in" not in url)
        found[role] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def tester(watched: Watched, demo: Ready, cookies: dict[str, Any]) -> Page:
    return watched.page(demo["url"], storage_state=cookies["tester"])


def person(page: Page, demo: Ready, *, calm: bool = True) -> str:
    """Opens the page of a simulated resident who is well; answers with the id of their first device."""
    page.goto("/simulator")
    cards = page.locator(".th-sim-person")
    well = cards.filter(has_not=page.locator(".th-sim-course")) if calm else cards
    well.first.get_by_role("link").first.click()
    page.wait_for_url("**/simulator/residents/*")
    return str(page.locator("li.th-sim-device").first.get_attribute("id")).removeprefix("device-")


def test_clinicians_are_told_that_it_is_not_theirs(watched: Watched, demo: Ready, cookies: dict[str, Any]) -> None:
    page = watched.page(demo["url"], storage_state=cookies["clinician"])
    watched.expected.append("403")
    answer = page.goto("/simulator")
    assert answer is not None
    assert answer.status == 403
    page.goto("/")
    expect(page.get_by_role("link", name="Simulator")).to_have_count(0)


@pytest.mark.parametrize("width", [1366, 320])
def test_pages_are_for_everybody(watched: Watched, demo: Ready, cookies: dict[str, Any], axe: Axe, width: int) -> None:
    """No finding of axe, and nothing beyond the edge of a small screen."""
    page = watched.page(demo["url"], storage_state=cookies["tester"], viewport={"width": width, "height": 800})
    device = person(page, demo)
    paths = (
        "/simulator",
        page.url,
        f"/simulator/faults/new?target=device:{device}",
        f"/simulator/faults/new?target=device:{device}&kind=clipped",
    )
    for path in paths:
        page.goto(path)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_reading_is_taken_and_drawn_beside_the_truth(tester: Page, demo: Ready) -> None:
    """The page itself shows, without being loaded again, that it was sent, receipted and stored."""
    device = person(tester, demo)
    state = tester.locator(f"#sim-device-{device}")
    before = state.get_by_role("img").filter(has_text="").count()
    assert before >= 0
    tester.locator(f"#device-{device}").get_by_role("button", name="Take a reading now").click()
    expect(tester.get_by_text("The device takes a reading now.")).to_be_visible()
    expect(state.locator(".th-sim-strip .is-receipted").first).to_be_visible()
    expect(tester.locator(".th-sim-chart circle.is-measured:not(.is-lost)").first).to_be_visible()


def test_an_artefact_alerts_the_ward_until_it_is_mended(
    tester: Page, watched: Watched, demo: Ready, cookies: dict[str, Any]
) -> None:
    """From the button to the ward's board: what broke, what was sent, which alert followed."""
    device = person(tester, demo)
    card = tester.locator(f"#device-{device}")
    ward = str(tester.get_by_role("link", name="board").get_attribute("href"))
    alerts = tester.locator("#sim-alerts .th-sim-alerts li")
    before = alerts.count()
    card.get_by_label("What goes wrong").select_option("clipped")
    card.get_by_role("button", name="Break it").click()
    expect(tester.locator(f"#sim-device-{device} .th-chip")).to_contain_text("end of the scale")
    tester.locator(f"#device-{device}").get_by_role("button", name="Take a reading now").click()
    expect(alerts).not_to_have_count(before, timeout=30_000)
    who = tester.locator("h1").inner_text().split("\n")[0].split(",")[0]
    board = watched.page(demo["url"], storage_state=cookies["tester"])
    board.goto(ward)
    row = board.get_by_role("row").filter(has_text=who)
    expect(row.locator(".th-chip").first).to_be_visible()
    tester.locator(f"#sim-device-{device}").get_by_role("button", name="Mend").click()
    expect(tester.locator(f"#sim-device-{device} .th-sim-faults")).to_have_count(0)


def test_every_fault_can_be_switched_on_and_off(tester: Page, demo: Ready) -> None:
    """Without a script, as forms: every kind there is, at some device, resident or home."""
    tester.goto("/simulator")
    offered = {
        str(value)
        for value in tester.evaluate("[...document.querySelectorAll('select[name=kind] option')].map(o => o.value)")
    }
    hrefs = tester.evaluate("[...document.querySelectorAll('.th-sim-person h3 a')].map(a => a.getAttribute('href'))")
    left = set(catalogue.KINDS)
    for href in hrefs:
        tester.goto(href)
        for card in tester.locator("li.th-sim-device").all():
            target = str(card.locator("input[name=target]").get_attribute("value"))
            here = set(card.locator("select[name=kind] option").evaluate_all("all => all.map(o => o.value)"))
            offered |= here
            for kind in sorted(here & left):
                answer = _post(tester, "/simulator/faults", kind=kind, target=target, minutes="60")
                assert answer == 303, (kind, answer)
                left.discard(kind)
    assert left == set()
    assert offered == set(catalogue.KINDS)
    tester.goto("/simulator")
    while (on := tester.locator("input[name=fault]")).count():
        assert _post(tester, "/simulator/faults/end", fault=str(on.first.get_attribute("value"))) == 303
        tester.goto("/simulator")


def test_a_kit_of_a_care_home_measures_whom_it_is_told(tester: Page, demo: Ready) -> None:
    """The home by its own name, its kit once; a reading of one resident, who has it, and nobody else."""
    (kit,) = demo["shared_kits"]
    name = kit["device_id"]
    tester.goto("/simulator")
    home = tester.locator(".th-sim-home").filter(has_text=name)
    expect(home.get_by_role("heading", name="Holly House")).to_be_visible()
    expect(home.get_by_text(f"{name}, shared by {len(kit['seats'])}")).to_have_count(1)
    hrefs = home.locator(".th-sim-person h3 a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    tester.goto(hrefs[1])
    card = tester.locator(f"#sim-device-{name}")
    before = int(re.findall(r"(\d+) sent", card.inner_text())[0])
    tester.locator(f"#device-{name}").get_by_role("button", name="Take a reading now").click()
    # A measurement of all four would be as many messages.
    expect(card).to_contain_text(f"{before + 1} sent, {before + 1} receipted", timeout=20_000)
    tester.goto(hrefs[1].replace("/simulator", ""))
    expect(tester.get_by_text("Shared; here as “room 2”")).to_be_visible()


def test_an_illness_runs_faster_than_life(tester: Page, demo: Ready) -> None:
    """Started on the page, sped up, noticed; time goes on in real pace afterwards, ahead of this computer's."""
    person(tester, demo)
    where = tester.url
    tester.get_by_label("Start").select_option("sepsis_chest")
    tester.get_by_label("Began how many hours ago").fill("20")
    tester.get_by_role("button", name="Start it").click()
    expect(tester.locator("#sim-courses")).to_contain_text("To be noticed by")
    tester.goto("/simulator")
    tester.get_by_role("button", name="3600 times as fast").click()
    # The page follows by itself; the first steps take what a backlog of steps takes.
    expect(tester.locator("#sim-time")).to_contain_text("ahead of this computer", timeout=60_000)
    tester.goto(where)
    expect(tester.locator("#sim-alerts")).to_contain_text("after the onset of", timeout=60_000)
    tester.goto("/simulator")
    tester.get_by_role("button", name="Real time").click()
    expect(tester.locator("#sim-time")).to_contain_text("in real time")
    expect(tester.locator("#sim-time")).to_contain_text("ahead of this computer")


def test_a_wrong_form_says_what_is_wrong(tester: Page, watched: Watched, demo: Ready) -> None:
    watched.expected.append("422")
    device = person(tester, demo)
    tester.get_by_label("Began how many hours ago").fill("soon")
    tester.get_by_role("button", name="Start it").click()
    expect(tester.locator(".nhsuk-error-summary")).to_contain_text("Hours must be a number")
    tester.goto(f"/simulator/faults/new?target=device:{device}&kind=clock_skew")
    tester.get_by_label("For how many minutes").fill("0")
    tester.get_by_role("button", name="Break it").click()
    expect(tester.locator(".nhsuk-error-summary")).to_contain_text("Minutes must be a number")


def test_what_is_not_simulated_is_not_found(tester: Page, watched: Watched, demo: Ready) -> None:
    watched.expected.append("404")
    answer = tester.goto("/simulator/residents/999999")
    assert answer is not None
    assert answer.status == 404
    answer = tester.goto("/simulator/faults/new?target=device:somebody-elses")
    assert answer is not None
    assert answer.status == 404


def _post(page: Page, path: str, **fields: str) -> int:
    """A form of the page, posted as a browser without a script would."""
    csrf = str(page.locator("input[name=csrf]").first.get_attribute("value"))
    found: int = page.evaluate(
        """async ([path, fields]) => {
            const answer = await fetch(path, {method: "POST", body: new URLSearchParams(fields), redirect: "manual"});
            return answer.type === "opaqueredirect" ? 303 : answer.status;
        }""",
        [path, {**fields, "csrf": csrf}],
    )
    return found
