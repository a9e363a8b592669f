"""Video visits for browsers: the service with media workers, visits and links, and who sits at which page."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from playwright.sync_api import Locator, Page, expect

from telehealth.model import visits
from telehealth.store import consultations, links, visit_policy
from telehealth.store.db import Connection, Database
from tests.browser import service as services
from tests.browser.service import OPERATOR, Person, Service

T = TypeVar("T")

#: Buttons and links on their own that are smaller than so many CSS pixels, either way.
TOO_SMALL = """(least) => [...document.querySelectorAll('button, input, select, textarea, summary, p > a:only-child')]
    .filter((one) => one.getClientRects().length && !one.closest('.nhsuk-u-visually-hidden'))
    .filter((one) => one.getBoundingClientRect().width < least || one.getBoundingClientRect().height < least)
    .map((one) => one.outerHTML.slice(0, 100))"""
#: Whether an element is what one sees at its middle.
ON_TOP = """(element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""
BORN = {"Day": "14", "Month": "8"}


def start(service: Service, *people: Person, kind: visits.Kind = "one_to_one") -> int:
    """A visit at once."""
    return in_database(
        service,
        lambda connection, now: consultations.start(
            connection,
            kind=kind,
            ward_id=service.ward_id,
            resident_ids=[person.id for person in people],
            actor=OPERATOR,
            now=now,
        ),
    )


def link(service: Service, visit: int, person: Person, role: visits.Role = "resident", name: str | None = None) -> str:
    """The path of a way in for a resident, or for somebody who comes with them."""

    async def job(connection: Connection, now: datetime) -> str:
        _, token = await links.make(
            connection,
            visit,
            role=role,
            resident_id=person.id,
            name=name or person.name,
            actor=OPERATOR,
            now=now,
            real_now=now,
            expires_at=now + timedelta(hours=2),
        )
        return f"/join/{token}"

    return in_database(service, job)


def allow_recording(service: Service) -> None:
    policy = visits.Policy(keep_chat=True, recording=True)
    in_database(
        service,
        lambda connection, now: visit_policy.set_for(connection, service.ward_id, policy, actor=OPERATOR, now=now),
    )


def in_database(service: Service, work: Callable[[Connection, datetime], Coroutine[Any, Any, T]]) -> T:
    """What the work returns, in a transaction of its own."""

    async def job() -> T:
        opened = Database.open(service.database_url, size=1)
        async with opened as database, database.transaction(OPERATOR) as connection:
            return await work(connection, datetime.now(UTC))

    return services.run(job())


def notes(service: Service, visit: int) -> dict[int, str]:
    """What is saved, by resident."""

    async def job(connection: Connection, _: datetime) -> dict[int, str]:
        found = await connection.fetch(
            "SELECT resident_id, text FROM consultation_note WHERE consultation_id = $1", visit
        )
        return {row["resident_id"]: row["text"] for row in found}

    return in_database(service, job)


def everybody_leaves(service: Service) -> None:
    """Nobody is in a visit any more: a member of staff is in one at a time."""

    async def job(connection: Connection, now: datetime) -> None:
        for row in await connection.fetch("SELECT id, consultation_id FROM participant WHERE state = 'joined'"):
            await consultations.left(connection, row["consultation_id"], row["id"], now=now)

    in_database(service, job)


def kill_worker(service: Service, visit: int) -> None:
    """The media worker in which the visit's room is, at once and without a word."""

    async def find(connection: Connection, _: datetime) -> int:
        port = await connection.fetchval(
            "SELECT w.port FROM media_worker w JOIN consultation c ON c.worker_id = w.id WHERE c.id = $1", visit
        )
        assert isinstance(port, int)
        return port

    port = in_database(service, find)
    for pid in _children(service.process.pid):
        if _listens(pid, port):
            os.kill(pid, signal.SIGKILL)
            return
    raise AssertionError("no worker has this room")


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _listens(pid: int, port: int) -> bool:
    listening = {
        columns[9]
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        if (columns := line.split())[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port
    }
    try:
        opened = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(f"socket:[{inode}]" in opened for inode in listening)


# Pages ----------------------------------------------------------------------------------------------


@dataclass
class Guest:
    """Somebody at the page of a link."""

    page: Page

    def enter(self, path: str, born: int | None = None) -> None:
        """Press the button; a resident says when they were born."""
        self.page.goto(path)
        self.page.get_by_role("button", name="Open my video visit").click()
        if born is not None:
            self.say_born(born)

    def say_born(self, year: int) -> None:
        for label, value in {**BORN, "Year": str(year)}.items():
            self.page.get_by_label(label).fill(value)
        self.page.get_by_role("button", name="Go on").click()

    def check(self, reason: str = "") -> None:
        """The device check, to the waiting room."""
        self.page.get_by_role("button", name="Start the check").click()
        expect(self.page.get_by_text("Your camera works")).to_be_visible()
        self.page.get_by_role("button", name="Yes, I heard them").click()
        self.page.get_by_label("What would you like to talk about?").fill(reason)
        self.page.get_by_role("button", name=re.compile("to the waiting room")).click()
        expect(self.page.get_by_role("heading", name="You are in the waiting room")).to_be_visible()

    def in_room(self) -> None:
        expect(self.page.get_by_role("button", name="Leave")).to_be_visible()


class Opens(Protocol):
    """Opens a page in a context of its own."""

    def page(self, url: str, **more: Any) -> Page: ...


def guest(browsers: Opens, service: Service, **more: Any) -> Guest:
    """Somebody with a tablet."""
    return Guest(browsers.page(service.url, **{"viewport": {"width": 768, "height": 1024}, **more}))


@dataclass
class Desk:
    """A member of staff at the page of a visit."""

    page: Page

    def open(self, visit: int) -> None:
        self.page.goto(f"/visits/{visit}")
        expect(self.page.get_by_role("button", name="Join the visit")).to_be_visible()

    def join(self) -> None:
        self.page.get_by_role("button", name="Join the visit").click()
        expect(self.page.get_by_role("button", name="Leave, visit goes on")).to_be_visible()

    def admit(self, name: str) -> None:
        self.page.get_by_role("button", name=f"Let in {name}").click()

    def person(self, name: str) -> Locator:
        return self.page.locator(".th-person").filter(has_text=name)


def picture(page: Page, name: str) -> Locator:
    return page.get_by_label(f"Picture of {name}")


def sees(page: Page, name: str, *, more: int = 5) -> None:
    """The picture of somebody moves: so many more frames are shown."""
    video = picture(page, name)
    expect(video).to_be_visible()
    page.wait_for_function(
        """([label, more]) => {
            const video = document.querySelector(`video[aria-label="${label}"]`);
            const shown = video ? video.getVideoPlaybackQuality().totalVideoFrames : 0;
            window.__shown ??= {};
            window.__shown[label] ??= shown;
            if (video && shown < window.__shown[label]) window.__shown[label] = shown;
            if (shown < window.__shown[label] + more) return false;
            delete window.__shown[label];
            return true;
        }""",
        arg=[f"Picture of {name}", more],
    )
