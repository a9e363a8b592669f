"""Video visits with a real browser at every end, fake cameras, the real service and its media workers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import visits
from tests.browser.conftest import Watched
from tests.browser.service import Service
from tests.browser.visits import Desk, Guest, sees

pytestmark = pytest.mark.browser

Axe = Callable[[Page], list[str]]


def test_a_visit_from_the_link_to_the_end(watched: Watched, calls: Service, desk: Desk) -> None:
    """They see each other, write, a third comes by a link, a reading is accepted, notes survive a reload."""
    person = calls.people[1]
    visit = visits.start(calls, person)
    resident = visits.guest(watched, calls)
    resident.enter(visits.link(calls, visit, person), born=1941)
    resident.check("My breathing")

    desk.open(visit)
    expect(desk.page.locator(".th-identity")).to_contain_text(person.name)
    expect(desk.page.locator(".th-identity")).to_contain_text("14-Aug-1941")
    desk.join()
    row = desk.person(person.name)
    expect(row).to_contain_text("My breathing")
    desk.admit(person.name)
    resident.in_room()
    sees(desk.page, person.name)
    sees(resident.page, "Nurse Jones")

    desk.page.get_by_label("To everybody in the visit").fill("Please show me the tablets.")
    desk.page.keyboard.press("Enter")
    expect(resident.page.get_by_role("status").filter(has_text="Please show me the tablets.")).to_be_visible()
    expect(desk.page.locator(".th-chat .is-pending")).to_have_count(0)

    # muted by the host: both see it, and the resident is told what to do
    desk.page.get_by_role("button", name=f"Mute {person.name}").click()
    expect(resident.page.get_by_role("button", name="Microphone is off")).to_be_visible()
    expect(resident.page.get_by_text("The ward has turned your microphone off")).to_be_visible()
    desk.page.get_by_role("button", name=f"Unmute {person.name}").click()
    # by themselves: the other side sees it
    resident.page.get_by_role("button", name="Microphone is on").click()
    expect(desk.page.locator(".th-tile[data-participant] >> text=microphone off")).to_be_visible()
    resident.page.get_by_role("button", name="Camera is on").click()
    expect(visits.picture(desk.page, person.name)).to_have_count(0)
    resident.page.get_by_role("button", name="Camera is off").click()
    sees(desk.page, person.name)

    desk.page.get_by_text("Invite somebody").click()
    desk.page.get_by_label("Name, as the others see it").fill("Ali, interpreter")
    desk.page.get_by_role("button", name="Make the link").click()
    path = re.sub(r"^https?://[^/]+", "", desk.page.get_by_label("Link to pass on").input_value())
    third = visits.guest(watched, calls)
    third.enter(path)
    third.check()
    desk.admit("Ali, interpreter")
    third.in_room()
    for page, other in ((third.page, "Nurse Jones"), (desk.page, "Ali, interpreter")):
        sees(page, other)
    desk.page.get_by_role("button", name="Pin Ali, interpreter").click()
    expect(resident.page.locator(".th-stage--pinned").get_by_label("Picture of Ali, interpreter")).to_be_visible()

    calls.spo2(person, 97)
    reading = desk.page.locator(".th-visit-readings li").filter(has_text="97")
    expect(reading).to_contain_text("not decided")
    reading.get_by_role("button", name=re.compile("Accept")).click()
    expect(reading).to_contain_text("in the record of this visit")
    expect(resident.page.get_by_text("Your reading arrived: oxygen saturation 97 %")).to_be_visible()

    # recorded only while everybody agrees, and everybody sees it
    desk.page.get_by_role("button", name="Ask to record").click()
    expect(desk.page.get_by_role("dialog", name="May we record this visit?")).to_contain_text("locked, for 30 days")
    desk.page.get_by_role("button", name="Yes, you may record").click()
    third.page.get_by_role("button", name="Yes, you may record").click()
    expect(third.page.get_by_text("You have agreed to be recorded")).to_be_visible()
    expect(desk.page.locator(".th-notice").filter(has_text="Not recording yet")).to_contain_text(person.name)
    resident.page.get_by_role("button", name="Yes, you may record").click()
    for page in (desk.page, third.page, resident.page):
        expect(page.locator(".th-recording")).to_be_visible()
    third.page.get_by_role("button", name="Stop recording me").click()
    for page in (desk.page, third.page, resident.page):
        expect(page.locator(".th-recording")).to_have_count(0)
        expect(page.get_by_text("because somebody does not agree any more. Nothing is recorded now.")).to_be_visible()
    # asked again, everybody is asked: whoever agreed before has not agreed to this
    desk.page.get_by_role("button", name="Ask to record").click()
    expect(desk.page.locator(".th-notice").filter(has_text="Not recording yet")).to_contain_text(" you and ")
    resident.page.get_by_role("button", name="No, do not record").click()
    expect(desk.page.get_by_text("This visit is not recorded, because somebody said no.")).to_be_visible()

    notes = desk.page.get_by_label(f"Notes on {person.name}")
    notes.fill("Feels better. Ankles less swollen.")
    desk.page.reload()
    expect(notes).to_have_value("Feels better. Ankles less swollen.")
    expect(desk.page.locator(".th-notes__state")).to_have_attribute("data-state", "saved")
    desk.join()
    sees(desk.page, person.name)
    sees(resident.page, "Nurse Jones")

    # the call goes on while its end is written, and ends with it
    with desk.page.context.expect_page() as opened:
        desk.page.get_by_role("link", name=re.compile("End the visit")).click()
    ending = opened.value
    ending.get_by_label("What came of it").select_option("completed")
    sees(resident.page, "Nurse Jones")
    ending.get_by_role("button", name=re.compile("End the visit")).click()
    for guest_page in (resident.page, third.page):
        expect(guest_page.get_by_role("heading", name="Your visit is over")).to_be_visible()
    expect(desk.page.get_by_role("status").filter(has_text="The visit is over.")).to_be_visible()
    resident.page.reload()
    expect(resident.page.get_by_role("heading", name="Your visit is over")).to_be_visible()


def test_a_second_tab_asks_and_captions_are_read_by_all(watched: Watched, calls: Service, desk: Desk) -> None:
    person = calls.people[3]
    visit = visits.start(calls, person)
    resident = visits.guest(watched, calls)
    resident.enter(visits.link(calls, visit, person), born=1943)
    resident.check()
    desk.open(visit)
    desk.join()
    desk.admit(person.name)
    resident.in_room()
    sees(desk.page, person.name)

    # what is said is written down, by staff and by a captioner
    writer = visits.guest(watched, calls)
    writer.enter(visits.link(calls, visit, person, "captioner", "Kim, captions"))
    writer.check()
    desk.admit("Kim, captions")
    writer.in_room()
    field = writer.page.get_by_label("Write captions")
    field.fill("How are you today?")
    field.press("Enter")
    for page in (desk.page, resident.page, writer.page):
        expect(page.get_by_role("log", name="Captions")).to_contain_text("Kim, captions: How are you today?")
    desk.page.keyboard.press("Alt+Shift+KeyT")
    desk.page.keyboard.type("And your knee?")
    desk.page.keyboard.press("Enter")
    expect(resident.page.get_by_role("log", name="Captions")).to_contain_text("And your knee?")

    # another tab of staff, another of the resident: the visit stays where it is until they say so
    second = desk.page.context.new_page()
    second.goto(f"/visits/{visit}")
    expect(second.get_by_text("You have this visit open in another window")).to_be_visible()
    sees(desk.page, person.name)
    second.get_by_role("button", name="Go on here").click()
    expect(desk.page.get_by_text("You go on with this visit in another window")).to_be_visible()
    Desk(second).join()
    sees(second, person.name)
    other = resident.page.context.new_page()
    other.goto(resident.page.url)
    expect(other.get_by_role("heading", name="This visit is open already")).to_be_visible()
    other.get_by_role("button", name="Go on here").click()
    Guest(other).in_room()
    expect(resident.page.get_by_role("heading", name="The visit goes on elsewhere")).to_be_visible()
    sees(other, "Nurse Jones")
    # loaded again it is the same page, which asks nothing
    other.reload()
    Guest(other).in_room()
    # closed: shown as lost at once
    other.close()
    people = second.locator(".th-consultation__people")
    expect(people.get_by_text("Connection lost").first).to_be_visible()
    # they may come back at any moment, so nothing is recorded without their answer, and staff read whose is missing
    second.get_by_role("button", name="Ask to record").click()
    second.get_by_role("button", name="Yes, you may record").click()
    writer.page.get_by_role("button", name="Yes, you may record").click()
    expect(second.locator(".th-notice")).to_contain_text(f"{person.name} cannot answer now: connection lost")
    expect(second.locator(".th-recording")).to_have_count(0)


def test_a_round_on_a_worker_that_dies(watched: Watched, calls: Service, desk: Desk) -> None:
    """Pictures come back by themselves; the next resident's turn says goodbye to the one before, and to the record."""
    first, second = calls.people[2], calls.people[3]
    visit = visits.start(calls, first, second, kind="ward_round")
    resident = visits.guest(watched, calls)
    resident.enter(visits.link(calls, visit, first), born=1942)
    resident.check()
    desk.open(visit)
    desk.join()
    desk.admit(first.name)
    sees(desk.page, first.name)
    sees(resident.page, "Nurse Jones")

    visits.kill_worker(calls, visit)
    expect(resident.page.get_by_text("The others cannot see or hear you")).to_be_visible()
    expect(resident.page.get_by_text("The others cannot see or hear you")).to_have_count(0)
    sees(resident.page, "Nurse Jones")
    sees(desk.page, first.name)

    desk.page.get_by_label(f"Notes on {first.name}").fill("Of the first.")
    desk.page.get_by_role("button", name=f"Next resident: {second.name}").click()
    desk.page.get_by_role("button", name=f"Yes, {second.name}").click()
    expect(resident.page.get_by_role("heading", name="Your part of the visit is over")).to_be_visible()
    banner = desk.page.locator(".th-identity")
    expect(banner).to_contain_text(second.name)
    expect(banner).not_to_contain_text(first.name)
    expect(desk.page.get_by_label(f"Notes on {second.name}")).to_have_value("")
    expect(visits.picture(desk.page, first.name)).to_have_count(0)
    desk.page.reload()
    expect(banner).to_contain_text(second.name)
    assert visits.notes(calls, visit) == {first.id: "Of the first."}


def test_notes_are_kept_while_the_service_is_away(calls: Service, desk: Desk, watched: Watched) -> None:
    """What could not be saved is in the window still after a reload, and is saved then."""
    person = calls.people[4]
    visit = visits.start(calls, person)
    watched.expected.append("ERR_FAILED")
    desk.open(visit)
    desk.page.route("**/notes", lambda route: route.abort())
    notes = desk.page.get_by_label(f"Notes on {person.name}")
    notes.fill("Never lost.")
    expect(desk.page.locator(".th-notes__state")).to_contain_text("Not saved on the server yet")
    assert visits.notes(calls, visit) == {}
    desk.page.unroute_all()
    desk.page.reload()
    expect(notes).to_have_value("Never lost.")
    expect(desk.page.locator(".th-notes__state")).to_have_attribute("data-state", "saved")
    assert visits.notes(calls, visit) == {person.id: "Never lost."}


def test_everybody_can_use_them(watched: Watched, calls: Service, desk: Desk, axe: Axe) -> None:
    """axe finds nothing on any page of a visit, nothing scrolls sideways at 320 px, and every button can be hit."""
    person = calls.people[3]
    visit = visits.start(calls, person)
    path = visits.link(calls, visit, person)
    resident = visits.guest(watched, calls)
    found: dict[str, list[str]] = {}
    sideways: dict[str, int] = {}
    small: dict[str, list[str]] = {}

    def look(page: Page, name: str) -> None:
        """Residents press with an old hand: 44 pixels; staff have a mouse."""
        found[name] = axe(page)
        size = page.viewport_size
        assert size is not None
        page.set_viewport_size({"width": 320, "height": 640})
        sideways[name] = page.evaluate("document.documentElement.scrollWidth")
        small[name] = page.evaluate(visits.TOO_SMALL, 44 if page is resident.page else 24)
        page.set_viewport_size(size)

    page = resident.page
    page.goto(path)
    look(page, "join")
    page.get_by_role("button", name="Open my video visit").click()
    look(page, "birth")
    watched.expected.append("422")
    resident.say_born(1950)
    look(page, "birth refused")
    resident.say_born(1943)
    page.get_by_role("button", name="Start the check").click()
    expect(page.get_by_text("Your camera works")).to_be_visible()
    look(page, "check")
    page.get_by_role("button", name="Yes, I heard them").click()
    page.get_by_role("button", name=re.compile("to the waiting room")).click()
    desk.open(visit)
    desk.page.get_by_role("button", name=f"Ring {person.name}").click()
    expect(page.get_by_role("alert").filter(has_text="The ward is calling")).to_be_visible()
    look(page, "waiting")
    desk.join()
    look(desk.page, "staff alone")
    desk.admit(person.name)
    sees(desk.page, person.name)
    sees(page, "Nurse Jones")
    page.get_by_role("button", name=re.compile("^More")).click()
    page.get_by_role("button", name="Write a message").click()
    page.get_by_role("button", name="Captions off").click()
    look(page, "room")
    for summary in ("Invite somebody", "Keyboard"):
        desk.page.get_by_text(summary).click()
    look(desk.page, "staff")
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("button", name="Yes, leave").click()
    expect(page.get_by_role("heading", name="You have left the visit")).to_be_focused()
    look(page, "left")
    assert {name: violations for name, violations in found.items() if violations} == {}
    assert {name: width for name, width in sideways.items() if width > 320} == {}
    assert {name: targets for name, targets in small.items() if targets} == {}
