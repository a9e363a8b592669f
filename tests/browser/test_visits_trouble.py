"""Video visits at their edges: devices that are slow, refused or taken away, connections that break while somebody
presses a button, notes whose answer is lost, browsers that are old."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.browser import visits
from tests.browser.conftest import Watched
from tests.browser.service import Service
from tests.browser.visits import Desk, Guest, sees

pytestmark = pytest.mark.browser

#: Cameras and microphones are given when the test says so: window.give(). Every track that was given is in tracks.
SLOW_DEVICES = """(() => {
    window.tracks = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let open;
    const gate = new Promise((resolve) => { open = resolve; });
    window.give = open;
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        await gate;
        const stream = await ask(wanted);
        window.tracks.push(...stream.getTracks());
        return stream;
    };
})()"""
#: The person, or who looks after the computer, has said no.
NO_DEVICES = """() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
}"""
#: What browsers of some years ago do not have.
OLD = """
    delete Crypto.prototype.randomUUID;
    delete RTCRtpTransceiver.prototype.setCodecPreferences;
    delete Element.prototype.replaceChildren;
    delete Array.prototype.at;
    delete window.structuredClone;
    delete RTCPeerConnection.prototype.connectionState;
    const stats = RTCPeerConnection.prototype.getStats;
    RTCPeerConnection.prototype.getStats = async function () {
        const said = [...(await stats.call(this)).values()];
        return new Map(said.map(({ mid, lastPacketReceivedTimestamp, ...kept }) => [kept.id, kept]));
    };
"""
#: Notes what is to be kept awake.
AWAKE = """
    window.kept = [];
    navigator.wakeLock.request = async (sort) => {
        window.kept.push(sort);
        return Object.assign(new EventTarget(), { release: async () => {} });
    };
"""
#: Whether closing the tab now would be asked about.
ASKS = """() => {
    const event = new Event('beforeunload', { cancelable: true });
    window.dispatchEvent(event);
    return event.defaultPrevented;
}"""
#: The connection breaks, and the button is pressed before there is another.
BREAK_AND_PRESS = "(button) => { window.dispatchEvent(new Event('offline')); button.click(); }"
LIVE = "window.tracks.filter((track) => track.kind === 'video' && track.readyState === 'live').length"


def meet(watched: Watched, calls: Service, desk: Desk, number: int, script: str = "") -> tuple[Guest, str, int]:
    """A resident and the nurse in a visit; the resident, their name, and the visit."""
    person = calls.people[number]
    visit = visits.start(calls, person)
    resident = visits.guest(watched, calls)
    if script:
        resident.page.add_init_script(script)
    resident.enter(visits.link(calls, visit, person), born=1940 + number)
    resident.check()
    desk.open(visit)
    desk.join()
    desk.admit(person.name)
    resident.in_room()
    return resident, person.name, visit


def test_a_camera_that_comes_late_stays_off(calls: Service, desk: Desk) -> None:
    """Switched off while the browser still asks: when it is given, nobody is filmed; nor after leaving."""
    desk.page.add_init_script(SLOW_DEVICES)
    desk.open(visits.start(calls, calls.people[0]))
    join = desk.page.get_by_role("button", name="Join the visit")
    join.click()
    desk.page.get_by_role("button", name="Camera is on").click()
    desk.page.evaluate("window.give()")
    expect(desk.page.get_by_role("button", name="Leave, visit goes on")).to_be_visible()
    assert desk.page.evaluate(LIVE) == 0
    # two presses are one camera, which goes off with one more
    camera = desk.page.get_by_role("button", name="Camera is off")
    camera.evaluate("(button) => { button.click(); button.click(); }")
    expect(desk.page.get_by_role("button", name="Camera is on")).to_be_visible()
    assert desk.page.evaluate(LIVE) == 1
    desk.page.get_by_role("button", name="Camera is on").click()
    assert desk.page.evaluate(LIVE) == 0


def test_devices_that_do_not_work_are_named(watched: Watched, calls: Service, desk: Desk) -> None:
    """What the others notice and what to do, on both sides; nothing is on that is said to be off."""
    resident, name, _ = meet(watched, calls, desk, 1)
    sees(desk.page, name)
    # the system takes the camera away, as when a telephone rings
    resident.page.evaluate(
        """() => {
            const [track] = document.querySelector('video[aria-label="Your own picture"]').srcObject.getTracks();
            Object.defineProperty(track, 'muted', { configurable: true, value: true });
            track.dispatchEvent(new Event('mute'));
            window.taken = track;
        }"""
    )
    expect(resident.page.get_by_text("This device has paused your camera")).to_be_visible()
    expect(visits.picture(desk.page, name)).to_have_count(0)
    resident.page.evaluate("() => { delete window.taken.muted; window.taken.dispatchEvent(new Event('unmute')); }")
    expect(resident.page.get_by_text("This device has paused your camera")).to_have_count(0)
    sees(desk.page, name)
    # unplugged, and not allowed any more when it is wanted again
    resident.page.evaluate("() => window.taken.dispatchEvent(new Event('ended'))")
    expect(resident.page.get_by_text("Your camera does not work: the others cannot see you")).to_be_visible()
    desk.page.evaluate(NO_DEVICES)
    desk.page.get_by_role("button", name="Camera is on").click()
    desk.page.get_by_role("button", name="Camera is off").click()
    expect(desk.page.get_by_text("This page may not use your camera: the others cannot see you")).to_be_visible()
    resident.page.close()


def test_answers_that_a_break_swallows_are_given_again(watched: Watched, calls: Service, desk: Desk) -> None:
    """To the ward that one is there; to being recorded; and above all that one is not recorded any more."""
    person = calls.people[2]
    visit = visits.start(calls, person)
    resident = visits.guest(watched, calls)
    page = resident.page
    resident.enter(visits.link(calls, visit, person), born=1942)
    page.get_by_role("button", name="Start the check").click()
    expect(page.get_by_text("Your camera works")).to_be_visible()
    page.get_by_role("button", name=re.compile("to the waiting room")).evaluate(BREAK_AND_PRESS)
    expect(page.get_by_role("heading", name="You are in the waiting room")).to_be_visible()

    # whoever is written to can answer
    desk.open(visit)
    desk.page.get_by_role("button", name=f"Write {person.name}").click()
    desk.page.get_by_label(f"Message to {person.name}").fill("Ten minutes?")
    desk.page.keyboard.press("Enter")
    page.get_by_label("Answer the ward").fill("That is all right.")
    page.keyboard.press("Enter")
    expect(desk.page.locator(".th-chat li").filter(has_text="That is all right.")).to_contain_text("to the ward")

    desk.join()
    desk.admit(person.name)
    resident.in_room()
    sees(desk.page, person.name)
    desk.page.get_by_role("button", name="Ask to record").click()
    desk.page.get_by_role("button", name="Yes, you may record").click()
    page.get_by_role("button", name="Yes, you may record").evaluate(BREAK_AND_PRESS)
    expect(page.locator(".th-recording")).to_be_visible()
    # both see it wherever they have scrolled to
    page.set_viewport_size({"width": 320, "height": 640})
    page.get_by_role("button", name=re.compile("^More")).click()
    page.get_by_role("button", name="Write a message").click()
    for looking in (page, desk.page):
        looking.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.get_by_text("This visit is being recorded")).to_be_in_viewport()
    expect(desk.page.locator(".th-tops__recording")).to_be_in_viewport()
    page.get_by_role("button", name="Stop recording me").evaluate(BREAK_AND_PRESS)
    expect(page.locator(".th-recording")).to_have_count(0)
    expect(desk.page.get_by_text("because somebody does not agree any more")).to_be_visible()
    page.close()


def test_notes_whose_answer_is_lost(watched: Watched, calls: Service, desk: Desk) -> None:
    """What was typed on is no conflict with what the service took; closing the tab meanwhile asks first."""
    person = calls.people[3]
    visit = visits.start(calls, person)
    watched.expected += ["ERR_FAILED", "409"]
    desk.open(visit)
    lost: list[Route] = []

    def lose(route: Route) -> None:
        """The service takes the first one, and its answer never comes."""
        if not lost:
            route.fetch()
        lost.append(route)
        route.abort()

    desk.page.route("**/notes", lose)
    notes = desk.page.get_by_label(f"Notes on {person.name}")
    state = desk.page.locator(".th-notes__state")
    notes.fill("Sleeps well.")
    expect(state).to_contain_text("Not saved on the server yet")
    assert visits.notes(calls, visit) == {person.id: "Sleeps well."}
    assert desk.page.evaluate(ASKS), "closing the tab would lose them"
    notes.fill("Sleeps well. Eats little.")
    desk.page.unroute_all()
    desk.page.reload()
    expect(notes).to_have_value("Sleeps well. Eats little.")
    expect(state).to_have_attribute("data-state", "saved")
    assert visits.notes(calls, visit) == {person.id: "Sleeps well. Eats little."}
    assert not desk.page.evaluate(ASKS)


def test_a_button_pressed_twice_does_its_work_once(calls: Service, desk: Desk) -> None:
    """Two presses make one link, and the focus stays in the page when what was pressed is gone."""
    person = calls.people[4]
    desk.open(visits.start(calls, person))
    made: list[str] = []
    desk.page.on("request", lambda request: made.append(request.url) if request.url.endswith("/invite") else None)
    desk.page.get_by_text("Invite somebody").click()
    desk.page.get_by_label("Name, as the others see it").fill("Ali, interpreter")
    desk.page.get_by_role("button", name="Make the link").evaluate("(button) => { button.click(); button.click(); }")
    expect(desk.page.get_by_label("Link to pass on")).to_be_visible()
    assert len(made) == 1
    join = desk.page.get_by_role("button", name="Join the visit")
    join.focus()
    desk.page.keyboard.press("Enter")
    expect(join).to_have_count(0)
    expect(desk.page.get_by_role("region", name="Video")).to_be_focused()


def test_an_old_browser_takes_part(watched: Watched, calls: Service, desk: Desk) -> None:
    """Without what browsers got in the last years; and the screen does not go dark while somebody waits."""
    resident, name, _ = meet(watched, calls, desk, 1, OLD + AWAKE)
    sees(desk.page, name)
    sees(resident.page, "Nurse Jones")
    expect(resident.page.get_by_text("Connecting you to the visit")).to_have_count(0)
    resident.page.wait_for_timeout(3_000)  # as long as a silence would have to last
    expect(resident.page.get_by_text("onnection lost")).to_have_count(0)
    assert resident.page.evaluate("window.kept") == ["screen"]
    resident.page.get_by_role("button", name="Leave").click()
    resident.page.get_by_role("button", name="No, stay").click()
    expect(resident.page.get_by_role("button", name="Leave")).to_be_focused()
    resident.page.close()


def test_a_browser_in_which_nothing_begins(watched: Watched, calls: Service) -> None:
    """The page says so in words, and the ward can still be told."""
    person = calls.people[4]
    resident = visits.guest(watched, calls)
    watched.expected.append("Failed to load resource")
    page: Page = resident.page
    page.route(re.compile(r"/static/visit-"), lambda route: route.abort())
    resident.enter(visits.link(calls, visits.start(calls, person), person), born=1944)
    words = page.get_by_text("Picture and sound have not started on this device")
    expect(words).to_be_hidden()
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    expect(words).to_be_visible()
    page.get_by_role("button", name="Tell the ward that I am here").click()
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    expect(page.get_by_text("The ward knows that you are here.")).to_be_visible()


@pytest.mark.parametrize("size", [(1366, 600), (768, 1024), (320, 640)])
def test_whose_record_it_is_stays_in_view(calls: Service, desk: Desk, size: tuple[int, int]) -> None:
    """On a laptop's low screen and a phone, and also when the page is not live: below all that there is to say then."""
    person = calls.people[0]
    desk.page.route_web_socket(re.compile(r"/ws$"), lambda socket: socket.close())
    desk.page.set_viewport_size({"width": size[0], "height": size[1]})
    desk.open(visits.start(calls, person))
    expect(desk.page.locator(".th-live--off")).to_be_visible()
    desk.page.get_by_text("Whole record of").focus()
    name = desk.page.locator(".th-identity__name dd")
    expect(name).to_be_in_viewport(ratio=1)
    assert name.evaluate(visits.ON_TOP), "something lies over the name"
    room = desk.page.evaluate("innerHeight - document.querySelector('.th-tops').getBoundingClientRect().bottom")
    assert room > size[1] / 2


def test_what_the_service_does_not_take_can_still_be_read(calls: Service, desk: Desk) -> None:
    """A message that is refused stays on the screen, with why."""
    person = calls.people[2]
    desk.page.route_web_socket(re.compile(r"/ws/visits/"), _refuse_chat)
    desk.open(visits.start(calls, person))
    desk.page.get_by_label("To everybody in the visit").fill("Please show me the tablets.")
    desk.page.keyboard.press("Enter")
    expect(desk.page.get_by_text("There are too many messages in this visit.")).to_be_visible()
    expect(desk.page.locator(".th-chat li")).to_contain_text("You, not sentPlease show me the tablets.")


def _refuse_chat(socket: WebSocketRoute) -> None:
    """The service, except that it takes no messages."""
    server = socket.connect_to_server()

    def heard(said: str | bytes) -> None:
        if '"t":"chat"' in str(said):
            socket.send('{"t":"refused","about":"chat","why":"There are too many messages in this visit."}')
        else:
            server.send(said)

    socket.on_message(heard)
