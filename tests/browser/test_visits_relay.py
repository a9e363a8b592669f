"""A resident's browser that gets out through coturn only, over a line that loses, delays and breaks."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from telehealth.model import turn
from tests.browser import service as services
from tests.browser import visits
from tests.browser.conftest import Watched
from tests.browser.service import ROOT, Service
from tests.browser.visits import Desk, Guest, sees
from tests.support import relays

pytestmark = pytest.mark.browser

#: As a firewall would have it: no way but the relay's, by one transport, or by any that it has (window.transport = '').
#: By other addresses than the service names, where there are window.relays.
ONLY = """(() => {
    window.transport = 'TRANSPORT';
    const fits = (url) => url.includes(`transport=${window.transport}`);
    const able = (urls) => [window.relays ?? urls].flat().filter(fits);
    const only = (given) => ({ ...given, iceTransportPolicy: 'relay',
        iceServers: given.iceServers.map((one) => ({ ...one, urls: able(one.urls) })) });
    const Stock = window.RTCPeerConnection;
    window.connections = [];
    window.RTCPeerConnection = class extends Stock {
        constructor(given) { super(only(given)); window.connections.push(this); }
        setConfiguration(given) { super.setConfiguration(only(given)); }
    };
})()"""
#: The way that media take now.
PATH = """async () => {
    const stats = [...(await window.connections.at(-1).getStats()).values()];
    const transport = stats.find((one) => one.type === 'transport');
    const pair = stats.find((one) => one.id === transport?.selectedCandidatePairId);
    const local = stats.find((one) => one.id === pair?.localCandidateId);
    return [local?.candidateType, local?.relayProtocol];
}"""

#: Notes when a page takes back that it is reconnecting although nothing has come since it said so.
WATCH = """() => {
    window.unheard = [];
    // Media, and answers to checks of the path: after a new path is found these come a round trip before media do.
    const received = async () => [...(await window.connections.at(-1).getStats()).values()]
        .filter((one) => one.type === 'candidate-pair')
        .reduce((sum, one) => sum + one.bytesReceived + one.responsesReceived, 0);
    let before = null;
    new MutationObserver(async () => {
        const told = document.body.innerText.includes('econnecting');
        if (told === (before !== null)) return;
        const since = before;
        before = told ? received() : null;
        if (!told && (await since) === (await received())) window.unheard.push(Date.now());
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


#: Looks for another path by a relay that does not answer.
ASTRAY = """(relay) => {
    const connection = window.connections.at(-1);
    window.relays = [relay];
    connection.setConfiguration(connection.getConfiguration());
    window.dispatchEvent(new Event('online'));
}"""

#: How many checks of the path that media take have been answered.
ANSWERED = """async () => {
    const stats = [...(await window.connections.at(-1).getStats()).values()];
    const transport = stats.find((one) => one.type === 'transport');
    return stats.find((one) => one.id === transport?.selectedCandidatePairId)?.responsesReceived ?? 0;
}"""

#: Notes whether the page waits until the browser gives its path up for good; what is built anew has another relay.
PATIENT = """() => {
    window.failed = false;
    for (const connection of window.connections) {
        const stock = connection.onconnectionstatechange;
        connection.oniceconnectionstatechange = connection.onconnectionstatechange = (event) => {
            window.relays = undefined;
            window.failed ||= [connection.connectionState, connection.iceConnectionState].includes('failed');
            stock(event);
        };
    }
}"""


@dataclass
class Line:
    """The impairment proxy before the relay, and what it is told."""

    process: subprocess.Popen[str]

    def say(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()


@pytest.fixture(scope="module")
def coturn() -> Iterator[relays.Coturn]:
    with relays.coturn() as server:
        yield server


@contextlib.contextmanager
def impairing(coturn: relays.Coturn, *options: str) -> Iterator[tuple[Line, str]]:
    """A good line until it is told otherwise, and the relay's URL by it."""
    command = [sys.executable, "-m", "simulator", "impair", "--to", f"{coturn.address}:{coturn.port}"]
    process = subprocess.Popen(
        [*command, "--listen", f"{coturn.address}:0", "--seed", "4", *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        at = process.stdout.readline().split("at=")[1].strip()
        yield Line(process), f"turn:{at}?transport=udp"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def line(coturn: relays.Coturn) -> Iterator[tuple[Line, str]]:
    with impairing(coturn) as made:
        yield made


@pytest.fixture(scope="module")
def relayed(browser_database: str, seeded: Any, coturn: relays.Coturn, line: tuple[Line, str]) -> Iterator[Service]:
    settings = {
        "TELEHEALTH_MEDIA_WORKERS": "1",
        "TELEHEALTH_TURN_URLS": f"{line[1]},{coturn.url('tcp')}",
        "TELEHEALTH_TURN_SECRET": relays.SECRET,
    }
    with services.running(browser_database, seeded, roles="alerting,web,consult", **settings) as running:
        yield running


@pytest.fixture
def desk(watched: Watched, relayed: Service, nurses_cookies: Any) -> Iterator[Desk]:
    page = watched.page(relayed.url, storage_state=nurses_cookies)
    yield Desk(page)
    page.close()
    visits.everybody_leaves(relayed)


def meet(
    watched: Watched, service: Service, desk: Desk, transport: turn.Transport, relay: str | None = None
) -> tuple[str, Page]:
    """A resident behind a firewall and the nurse see each other; the resident's name and page. relay: not ours."""
    person = service.people[1]
    visit = visits.start(service, person)
    page = watched.page(service.url, viewport={"width": 768, "height": 1024})
    page.add_init_script(ONLY.replace("TRANSPORT", transport))
    if relay is not None:
        page.add_init_script(f"window.relays = {json.dumps([relay])}")
    resident = Guest(page)
    resident.enter(visits.link(service, visit, person), born=1941)
    resident.check()
    desk.open(visit)
    desk.join()
    desk.admit(person.name)
    resident.in_room()
    sees(desk.page, person.name)
    sees(page, "Nurse Jones")
    return person.name, page


def until(page: Page, wanted: str, given: Any = None) -> None:
    """What the page has to be asked for: wait_for_function takes the promise of an answer for an answer."""
    asking = f"""async (given) => {{
        const wanted = {wanted};
        for (let time = 0; time < 30_000; time += 100) {{
            if (await wanted(given)) return true;
            await new Promise((done) => setTimeout(done, 100));
        }}
        return false;
    }}"""
    assert page.evaluate(asking, given), wanted


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_through_the_relay_only(watched: Watched, relayed: Service, desk: Desk, transport: turn.Transport) -> None:
    _, page = meet(watched, relayed, desk, transport)
    assert page.evaluate(PATH) == ["relay", transport]
    page.close()


def test_a_bad_line_before_the_relay(watched: Watched, relayed: Service, desk: Desk, line: tuple[Line, str]) -> None:
    """Loss, delay and jitter; five seconds of nothing; another network, by which the relaying is lost."""
    name, page = meet(watched, relayed, desk, "udp")
    for order in ("loss 5", "delay 40", "jitter 20"):
        line[0].say(order)
    for looking, other in ((desk.page, name), (page, "Nurse Jones")):
        sees(looking, other)
    page.evaluate(WATCH)
    line[0].say("cut 5")
    expect(page.get_by_text("econnecting").first).to_be_visible()
    expect(page.get_by_text("econnecting")).to_have_count(0, timeout=30_000)
    assert page.evaluate("window.unheard") == [], "said to be connected before anything came"
    for looking, other in ((desk.page, name), (page, "Nurse Jones")):
        sees(looking, other)
    before = page.evaluate("window.connections.length")
    line[0].say("rebind")
    # Some lines are back before anybody would have to be told; none stays away.
    expect(page.get_by_text("econnecting")).to_have_count(0, timeout=30_000)
    for looking, other in ((desk.page, name), (page, "Nurse Jones")):
        sees(looking, other)
    assert page.evaluate("window.connections.length") >= before
    assert page.evaluate(PATH) == ["relay", "udp"]
    page.close()


def test_a_path_goes_on_when_no_better_one_is_found(
    watched: Watched, relayed: Service, desk: Desk, coturn: relays.Coturn
) -> None:
    """The relay's answer about the next path never comes: the last one is answered as before."""
    name, page = meet(watched, relayed, desk, "udp")
    before = page.evaluate("window.connections.length")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((coturn.address, 0))
        offers = page.evaluate("window.connections.at(-1).localDescription.sdp")
        page.evaluate(ASTRAY, f"turn:{coturn.address}:{silent.getsockname()[1]}?transport=udp")
        page.wait_for_function(
            "before => window.connections.at(-1).signalingState === 'stable'"
            " && window.connections.at(-1).localDescription.sdp !== before",
            arg=offers,
        )
        answered = page.evaluate(ANSWERED)
        until(page, f"async (answered) => (await ({ANSWERED})()) > answered + 3", answered)
    expect(page.get_by_text("econnecting")).to_have_count(0)
    assert page.evaluate("window.connections.length") == before
    for looking, other in ((desk.page, name), (page, "Nurse Jones")):
        sees(looking, other)
    page.close()


def test_a_path_that_works_one_way_only(watched: Watched, relayed: Service, desk: Desk, coturn: relays.Coturn) -> None:
    """That something is still heard is no sign of being heard."""
    with impairing(coturn, "--direction", "up") as (line, relay):
        name, page = meet(watched, relayed, desk, "udp", relay)
        before = page.evaluate("window.connections.length")
        page.evaluate(PATIENT)
        line.say("loss 100")
        page.wait_for_function("before => window.connections.length > before", arg=before, timeout=40_000)
        assert not page.evaluate("window.failed"), "waited until the browser had given up"
        expect(page.get_by_text("econnecting")).to_have_count(0, timeout=30_000)
        for looking, other in ((desk.page, name), (page, "Nurse Jones")):
            sees(looking, other)
        page.close()


def test_a_line_too_weak_for_pictures(watched: Watched, relayed: Service, desk: Desk, line: tuple[Line, str]) -> None:
    """The voices stay, both sides are told why there is no picture, and pictures come back with the line."""
    name, page = meet(watched, relayed, desk, "udp")
    line[0].say("rate 60")
    expect(page.get_by_text("Your line is weak: sound only for now").first).to_be_visible(timeout=20_000)
    expect(desk.page.get_by_text("Their line is weak: sound only for now")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Your line is weak: sound only for now. The pictures come back")).to_be_visible(
        timeout=20_000
    )
    line[0].say("rate 100000")
    for looking, other in ((desk.page, name), (page, "Nurse Jones")):
        expect(visits.picture(looking, other)).to_be_visible(timeout=60_000)
        sees(looking, other)
    expect(page.get_by_text("line is weak")).to_have_count(0, timeout=60_000)
    page.close()


def test_a_network_that_lets_no_udp_out_any_more(
    watched: Watched, relayed: Service, desk: Desk, line: tuple[Line, str]
) -> None:
    """Out of the Wi-Fi into a guests' network: the relay is reached by TCP from then on."""
    name, page = meet(watched, relayed, desk, "udp")
    assert page.evaluate(PATH) == ["relay", "udp"]
    page.evaluate("window.transport = ''")
    line[0].say("cut 120")  # and the last test here
    # that it reconnects may be said for less than half a second
    until(page, f"async () => (await ({PATH})()).join() === 'relay,tcp'")
    expect(page.get_by_text("econnecting")).to_have_count(0, timeout=30_000)
    for looking, other in ((desk.page, name), (page, "Nurse Jones")):
        sees(looking, other)
    assert page.evaluate(PATH) == ["relay", "tcp"]
    page.close()
