"""The live socket: snapshot, deltas, events, ticks, and when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from telehealth.store import alerts, db
from telehealth.web.auth import Caller
from telehealth.web.live import hub, subscriber
from telehealth.web.live.subscriber import Subscriber
from telehealth.web.live.watched import Changes
from tests.integration.web.conftest import NOW, Browser, Server, World, alert, audited, observe, token
from tests.support import world

Json = dict[str, Any]


class Socket:
    """A tab's connection, with everything that it received."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.received: list[Json] = []

    async def until(self, wanted: Callable[[Json], bool]) -> Json:
        """The next message that is wanted."""
        while True:
            message = await self.ws.receive(timeout=30)
            assert message.type is aiohttp.WSMsgType.TEXT, (message, self.ws.close_code, self.received)
            self.received.append(message.json())
            if wanted(self.received[-1]):
                return self.received[-1]

    async def kind(self, kind: str, **more: Any) -> Json:
        return await self.until(lambda m: m["t"] == kind and all(m.get(k) == v for k, v in more.items()))

    async def closed(self) -> int | None:
        """The code with which the server closes."""
        async for message in self.ws:
            self.received.append(message.json())
        return self.ws.close_code


@asynccontextmanager
async def board(browser: Browser, *wards: int, residents: tuple[int, ...] = (), **more: Any) -> AsyncIterator[Socket]:
    """A connection that has subscribed."""
    async with browser.session.ws_connect("/ws", headers={"Origin": browser.url}) as ws:
        socket = Socket(ws)
        await ws.send_json({"t": "sub", "wards": list(wards), "residents": list(residents), **more})
        yield socket


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and refreshes without the waits."""
    monkeypatch.setattr(hub, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(hub, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(hub, "_REFRESH_DEAF_SECONDS", 0.05)


async def test_a_change_reaches_the_board(server: Server, people: World) -> None:
    """Snapshot, then the row of whoever changed; sequence numbers never fall."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        snap = await socket.kind("snap", ward=people.north.id)
        assert [row["id"] for row in snap["board"]["rows"]] == [people.anna.id]
        await observe(server.database, people.anna, world.spo2(89.0, NOW - timedelta(minutes=1)))
        delta = await socket.until(lambda m: m["t"] == "d" and bool(m["rows"]))
        assert delta["rows"][0]["latest"]["spo2"]["text"] == "89"
        assert delta["removed"] == []
        seqs = [message["seq"] for message in socket.received]
        assert seqs == sorted(seqs)


async def test_a_held_reading_is_counted(server: Server, people: World) -> None:
    """How many readings wait for a person is said at first, and again when it is another number."""
    kit = await world.device(server.database, people.north, "kit-1")
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        assert (await socket.kind("snap", ward=people.north.id))["held"] == 0
        async with server.database.transaction(world.ACTOR) as connection:
            await world.insert_readings(connection, people.north, [world.spo2(93.0, NOW)], device_pk=kit.pk)
        assert (await socket.until(lambda m: m["t"] == "d" and "held" in m))["held"] == 1


async def test_an_alert_is_an_event(server: Server, people: World) -> None:
    """A new alert comes at once as an event, its handling too, and the row follows."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        raised = await alert(server.database, people.anna, rule="threshold/pulse/high", priority="medium")
        event = await socket.kind("event")
        assert (event["what"], event["alert"]["id"], event["alert"]["priority"]) == ("raised", raised, "medium")
        assert not event["replayed"]
        delta = await socket.until(lambda m: m["t"] == "d" and bool(m["rows"]))
        assert delta["rows"][0]["alert"]["count"] == 2
        response = await browser.post(f"/alerts/{raised}", f"/alerts/{raised}/acknowledge", note="seen")
        assert response.status == 303
        event = await socket.kind("event")
        assert (event["what"], event["alert"]["handling"]) == ("changed", "acknowledged")


async def test_events_missed_are_replayed(quick: None, server: Server, people: World) -> None:
    """A client that comes back says what it had, and gets the events since then, marked."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as watcher:
        snap = await watcher.kind("snap")
        await alert(server.database, people.anna, rule="threshold/pulse/high")
        await watcher.kind("event")
        since = {"epoch": snap["epoch"], "seq": snap["seq"]}
        async with board(browser, people.north.id, **since) as back:
            event = await back.kind("event")
            assert event["replayed"]
            assert event["alert"]["rule"] == "threshold/pulse/high"
        async with board(browser, people.north.id, epoch="other", seq=0) as back:
            await back.kind("snap")
            await back.kind("tick")
            assert not [m for m in back.received if m["t"] == "event"]


async def test_a_resident_is_watched_alone(server: Server, people: World) -> None:
    """A resident's page gets that resident's row and alerts, nothing of the ward."""
    async with server.signed_in("clara") as browser, board(browser, residents=(people.anna.id,)) as socket:
        snap = await socket.kind("snap", resident=people.anna.id)
        assert [a["id"] for a in snap["alerts"]] == [people.anna_alert]
        await observe(server.database, people.anna, world.spo2(90.0, NOW - timedelta(minutes=1)))
        delta = await socket.kind("d", resident=people.anna.id)
        assert delta["row"]["latest"]["spo2"]["text"] == "90"
        assert not [m for m in socket.received if "ward" in m and m["t"] == "d"]


async def test_other_wards_are_not_told(server: Server, people: World) -> None:
    """What happens on one ward is not sent to those who watch another."""
    async with (
        server.signed_in("clara") as browser,
        board(browser, people.north.id) as socket,
        server.signed_in("sam") as other,
        board(other, people.south.id) as south,
    ):
        await socket.kind("snap")
        await south.kind("snap")
        await alert(server.database, people.bert, rule="threshold/pulse/high")
        await south.kind("event")
        await observe(server.database, people.anna, world.spo2(90.0, NOW - timedelta(minutes=1)))
        await socket.until(lambda m: m["t"] == "d" and bool(m["rows"]))
        assert not [m for m in socket.received if m["t"] == "event" or m.get("ward") == people.south.id]


async def test_a_lost_hint_is_made_up_for(quick: None, server: Server, people: World) -> None:
    """What nobody was notified of is found by the next refresh, events included."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute("UPDATE alert SET priority = 'low' WHERE id = $1", people.anna_alert)
        event = await socket.kind("event")
        assert event["alert"]["priority"] == "low"


async def test_ticks_tell_whether_the_board_is_live(quick: None, server: Server, people: World) -> None:
    """A part that fails, or alerting that falls behind, makes the board not live, and says why."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute("DELETE FROM evaluation_due")
        await socket.kind("tick", live=True)
        server.health.bad("broker", "cannot be reached")
        assert (await socket.kind("tick", live=False))["why"] == "broker: cannot be reached"
        server.health.good("broker")
        await socket.kind("tick", live=True)
        async with server.database.transaction(world.ACTOR) as connection:
            await world.due(connection, people.north, resident_id=people.anna.id, earliest_at=NOW, cause="reading")
            await connection.execute("UPDATE evaluation_due SET written_at = clock_timestamp() - interval '1 minute'")
        assert (await socket.kind("tick", live=False))["why"] == "alerting is behind"


async def test_a_silent_client_is_closed(
    quick: None, monkeypatch: pytest.MonkeyPatch, server: Server, people: World
) -> None:
    """A tab that acknowledges nothing may be frozen: it is closed, and one that does stays."""
    monkeypatch.setattr(hub, "ACK_SECONDS", 0.0)
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        assert await socket.closed() == subscriber.NO_ACK


async def test_signing_out_closes_the_sockets(server: Server, people: World) -> None:
    """A screen that nobody is signed in at any more shows nothing new."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        assert (await browser.post("/about-demo", "/sign-out")).status == 303
        assert await socket.closed() == subscriber.SESSION_OVER


async def test_a_session_that_ends_closes_its_sockets(quick: None, server: Server, people: World) -> None:
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute("UPDATE session SET expires_at = clock_timestamp()")
        assert await socket.closed() == subscriber.SESSION_OVER


async def test_a_lost_membership_ends_the_view(quick: None, server: Server, people: World) -> None:
    """Whoever leaves a ward is told so and gets nothing further of it."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute(
                "DELETE FROM membership USING staff WHERE staff.id = staff_id AND username = 'clara'"
            )
        assert (await socket.kind("refused"))["wards"] == [people.north.id]
        await observe(server.database, people.anna, world.spo2(80.0, NOW))
        before = len(socket.received)
        for _ in range(3):
            await socket.kind("tick")
        assert not [m for m in socket.received[before:] if m["t"] in ("d", "event", "snap")]


async def test_without_a_session_the_close_code_says_so(server: Server, people: World) -> None:
    """A browser learns from the code that it must sign in; a wrong origin is refused as well."""
    async with server.session() as session, session.ws_connect("/ws") as ws:
        await ws.receive(timeout=20)
        assert ws.close_code == 4401
    elsewhere = {"Origin": "https://evil.example"}
    async with server.signed_in("clara") as browser, browser.session.ws_connect("/ws", headers=elsewhere) as ws:
        await ws.receive(timeout=20)
        assert ws.close_code == 4403
    assert await audited(server.database, action="live.ward") == 0


async def test_a_token_opens_a_socket(server: Server, people: World) -> None:
    """Programs watch with an API token."""
    headers = await token(server.database, "clara")
    async with server.session(headers=headers) as session, session.ws_connect("/ws") as ws:
        await ws.send_json({"t": "sub", "wards": [people.north.id]})
        await Socket(ws).kind("snap")


async def test_nonsense_is_answered_by_closing(server: Server, people: World) -> None:
    for sent in ("nonsense", '{"t":"unknown"}', '{"t":"sub","wards":["zq9Secret"]}', "[1]"):
        async with server.signed_in("clara") as browser, browser.session.ws_connect("/ws") as ws:
            await ws.send_str(sent)
            socket = Socket(ws)
            assert await socket.closed() == subscriber.REFUSED
            assert "zq9Secret" not in str(socket.received)


async def test_the_hub_survives_the_database_going_away(quick: None, server: Server, people: World) -> None:
    """Connections of the service are cut; the board catches up by itself."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND usename = current_user AND datname = current_database()"
            )
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute("UPDATE alert SET priority = 'low' WHERE id = $1", people.anna_alert)
        assert (await socket.kind("event"))["alert"]["priority"] == "low"


def subscriber_of(staff_id: int = 1) -> Subscriber:
    from telehealth.store.sessions import Member

    return Subscriber(Caller(Member(staff_id, 1, "x", "X", "clinician"), "session", b"x"), 0.0)


async def test_events_are_never_dropped() -> None:
    """A client that cannot keep up is closed, not skipped; rows are replaced by newer ones meanwhile."""
    one = subscriber_of()
    for i in range(subscriber.MOST_EVENTS):
        one.event({"t": "event", "seq": i})
        one.rows(1, Changes([{"id": 7, "value": i}], set(), None, set()))
    kept = one.close_code
    one.event({"t": "event", "seq": -1})
    assert (kept, one.close_code) == (None, subscriber.TOO_SLOW)
    taken = one.take(5000, None)
    assert [m["seq"] for m in taken if m["t"] == "event"] == list(range(subscriber.MOST_EVENTS))
    (delta,) = [m for m in taken if m["t"] == "d"]
    assert delta["rows"] == [{"id": 7, "value": subscriber.MOST_EVENTS - 1}]


async def test_a_member_has_a_hundred_connections_at_most(server: Server, people: World) -> None:
    found = server.app[hub.HUB]
    caller = subscriber_of(77).caller
    joined = [found.join(caller) for _ in range(hub.MOST_PER_MEMBER + 1)]
    assert joined[-1] is None
    for one in joined:
        if one is not None:
            found.leave(one)


async def test_a_stopping_server_says_goodbye(server: Server, people: World) -> None:
    """Browsers learn that it is the server that went, and reconnect."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        await asyncio.gather(server.app.shutdown(), _closed(socket))


async def _closed(socket: Socket) -> None:
    assert await socket.closed() == subscriber.GOING_AWAY


async def test_acknowledging_elsewhere_is_seen(server: Server, people: World) -> None:
    """What a colleague does by another process shows up as well."""
    async with server.signed_in("clara") as browser, board(browser, people.north.id) as socket:
        await socket.kind("snap")
        async with server.database.transaction(db.staff(1)) as connection:
            await alerts.acknowledge(connection, people.anna_alert, actor=db.staff(1), now=NOW)
        assert (await socket.kind("event"))["alert"]["handling"] == "acknowledged"
