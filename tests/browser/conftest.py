"""One service, one Chromium for all tests here; a fresh context for each, in which nothing may go wrong unseen."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser import service as services
from tests.browser import visits
from tests.browser.service import Service
from tests.support import servers

AXE = services.ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    # a camera that shows a clock, a microphone that beeps, and nobody who has to be asked
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def browser_database(postgres_18: servers.Postgres) -> Iterator[str]:
    with services.database(postgres_18, "browser") as url:
        yield url


@pytest.fixture(scope="session")
def seeded(browser_database: str) -> Any:
    return services.seed(browser_database)


@pytest.fixture(scope="session")
def service(browser_database: str, seeded: Any) -> Iterator[Service]:
    with services.running(browser_database, seeded) as running:
        yield running


@pytest.fixture(scope="session")
def calls(browser_database: str, seeded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with media workers, and a place for recordings."""
    settings = {
        "TELEHEALTH_MEDIA_WORKERS": "2",
        "TELEHEALTH_RECORDINGS_DIR": str(tmp_path_factory.mktemp("recordings")),
        "TELEHEALTH_RECORDING_KEYS": base64.b64encode(bytes(range(32))).decode(),
    }
    with services.running(browser_database, seeded, roles="alerting,web,consult", **settings) as running:
        visits.allow_recording(running)
        yield running


@pytest.fixture
def own_service(browser_database: str, seeded: Any) -> Iterator[Service]:
    """A second process on the same database, which a test may stop."""
    with services.running(browser_database, seeded) as running:
        yield running


# For this package only, and after the database: in the thread of an open Playwright no other event loop can run.
@pytest.fixture(scope="package")
def chromium(service: Service) -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail("Chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """Contexts whose console, errors and requests are looked at when the test ends."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    #: Parts of messages that a test provokes itself.
    expected: list[str] = field(default_factory=list)

    def page(self, url: str, **more: Any) -> Page:
        context = self.browser.new_context(
            base_url=url,
            locale="en-US",
            timezone_id="America/New_York",
            **{"viewport": {"width": 1366, "height": 900}, **more},
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", lambda request: self._asked(request.url, url))
        return page

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type}: {message.text}")

    def _asked(self, wanted: str, own: str) -> None:
        if urlsplit(wanted).netloc != urlsplit(own).netloc:
            self.troubles.append(f"asked another host: {wanted}")

    def unexpected(self) -> list[str]:
        return [trouble for trouble in self.troubles if not any(part in trouble for part in self.expected)]


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    found = Watched(chromium)
    yield found
    for context in found.contexts:
        context.close()
    assert found.unexpected() == []


def sign_in(page: Page) -> None:
    """By keyboard, as a person with a password manager would."""
    page.goto("/sign-in")
    page.get_by_label("User name").fill("nurse")
    page.get_by_label("Password").fill(services.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)


@pytest.fixture(scope="package")
def nurses_cookies(chromium: Browser, service: Service) -> Any:
    """Signing in takes a second, by design of the password hash: once is enough."""
    context = chromium.new_context(base_url=service.url)
    sign_in(context.new_page())
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def nurse(watched: Watched, service: Service, nurses_cookies: Any) -> Page:
    """A page of somebody who has signed in."""
    return watched.page(service.url, storage_state=nurses_cookies)


@pytest.fixture
def desk(watched: Watched, calls: Service, nurses_cookies: Any) -> Iterator[visits.Desk]:
    """The nurse, at no visit yet; out of all of them afterwards."""
    page = watched.page(calls.url, storage_state=nurses_cookies)
    yield visits.Desk(page)
    page.close()
    visits.everybody_leaves(calls)


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """What axe-core finds on a page: rule and element."""
    if not AXE.exists():
        pytest.fail("axe-core is missing: python web/build.py")
    script = AXE.read_text()

    def check(page: Page) -> list[str]:
        page.evaluate(script)
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = page.evaluate("tags => axe.run({runOnly: tags})", tags)
        return [f"{v['id']}: {node['html'][:200]}" for v in found["violations"] for node in v["nodes"]]

    return check
