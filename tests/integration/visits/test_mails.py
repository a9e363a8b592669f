"""Mails reach a mail server at least once, say what they should and nothing else, and are not sent for nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import email
import email.policy
import ssl
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import aiosmtplib
import icalendar
import pytest
import structlog
from pydantic import SecretStr

from telehealth import clock as clocks
from telehealth import failpoints, main
from telehealth.clock import ClinicalClock, Step
from telehealth.config import Settings
from telehealth.errors import SettingError
from telehealth.model import appointments as times
from telehealth.model import mails as mails_model
from telehealth.model import visits
from telehealth.model.health import Health
from telehealth.notify import service, smtp
from telehealth.store import appointments, consultations, contacts, db, links, mail, series, visit_policy
from telehealth.store.db import Database
from telehealth.store.encounters import Ending
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import REAL, SENDER, T0
from tests.support import certificates, smtp_sink

OPERATOR = db.operator("tests")
CLOCK = ClinicalClock(Step(T0, T0))


def server(sink: smtp_sink.Sink) -> smtp.Server:
    return smtp.Server("127.0.0.1", sink.port, False, "ward@ward.example")


async def mails(database: Database) -> list[mail.Listed]:
    async with database.transaction(OPERATOR, read_only=True) as connection:
        return await mail.listing(connection)


async def make_due(database: Database) -> None:
    """As if the time for all that waits had come."""
    async with database.transaction(OPERATOR) as connection:
        await connection.execute("UPDATE mail SET due_at = $1 WHERE state = 'waiting'", REAL)


def calendar_of(message: EmailMessage) -> icalendar.Event:
    part = next(p for p in message.walk() if p.get_content_type() == "text/calendar")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    calendar = icalendar.Calendar.from_ical(content)
    assert calendar["method"] == part.get_param("method")
    event = next(iter(calendar.walk("VEVENT")))
    assert isinstance(event, icalendar.Event)
    return event


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_a_booking_is_mailed_with_link_and_calendar(database: Database) -> None:
    """Nothing of the resident's in it but when the visit is, and a link that lets them in."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "son@home.example", "family")
    booked = await scenes.book(database, scene)
    assert sorted(one.about for one in await mails(database)) == ["booked"] * 2 + ["reminder"] * 4
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        assert await service.once(server(sink), database, CLOCK) == 2
        assert await service.once(server(sink), database, CLOCK) == 0
    to = {message["To"]: message for message in sink.taken}
    assert set(to) == {"anna@home.example", "son@home.example"}
    anna = to["anna@home.example"]
    assert anna["Subject"] == "Your video visit on Wednesday 4 March 2026 at 09:00"
    assert anna["From"] == "ward@ward.example"
    url = booked.told[0].url
    assert url is not None
    assert url in text_of(anna)
    event = calendar_of(anna)
    assert (event.decoded("dtstart"), event["sequence"]) == (T0 + timedelta(days=2), 0)
    everything = str(anna) + str(to["son@home.example"]) + text_of(anna) + event.to_ical().decode()
    assert scene.anna.nhs_number not in everything
    assert "Resident" not in everything
    assert "for Test." in text_of(to["son@home.example"])


async def test_a_move_and_a_cancellation_follow_in_the_calendar(database: Database) -> None:
    """The same event at another time, then cancelled; the link stays what it was; reminders of before are dropped."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    there = T0 + timedelta(days=3)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(server(sink), database, CLOCK)
        async with database.transaction(scene.actor) as connection:
            moved = await appointments.move(
                connection, booked.appointment_id, starts_at=there, sender=SENDER, actor=scene.actor, now=T0,
                real_now=REAL,
            )  # fmt: skip
        await service.once(server(sink), database, CLOCK)
        async with database.transaction(scene.actor) as connection:
            await appointments.cancel(
                connection, booked.appointment_id, reason="in hospital", sender=SENDER, actor=scene.actor, now=T0,
                real_now=REAL,
            )  # fmt: skip
        await make_due(database)
        await service.once(server(sink), database, CLOCK)
    assert moved.told == booked.told
    events = [calendar_of(message) for message in sink.taken]
    assert len({event["uid"] for event in events}) == 1
    assert [int(str(event["sequence"])) for event in events] == [0, 1, 2]
    assert events[1].decoded("dtstart") == there
    assert [event["status"] for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert "hospital" not in text_of(sink.taken[2])
    assert {one.state for one in await mails(database) if one.about == "reminder"} == {"dropped"}


async def test_a_change_by_a_command_without_mail_settings_comes_from_the_same_organiser(database: Database) -> None:
    """Else a calendar that took in the invitation keeps a visit that was called off."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example", reminders=False)
    booked = await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(server(sink), database, CLOCK)
        async with database.transaction(OPERATOR) as connection:
            await appointments.cancel(
                connection, booked.appointment_id, reason="in hospital", sender=mails_model.Sender(), actor=OPERATOR,
                now=T0, real_now=REAL,
            )  # fmt: skip
        await service.once(server(sink), database, CLOCK)
    first, last = (calendar_of(message) for message in sink.taken)
    assert (str(first["organizer"]), first["uid"]) == (str(last["organizer"]), last["uid"])
    assert str(last["organizer"]) == "mailto:ward@ward.example"


async def test_reminders_come_when_the_ward_wants_them(database: Database) -> None:
    """As far before the visit in real time as the policy says in clinical time; only to those who want them."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "son@home.example", "family", reminders=False)
    async with database.transaction(OPERATOR) as connection:
        await visit_policy.set_for(
            connection, scene.ward.id, visits.Policy(reminder_hours=(30, 2)), actor=OPERATOR, now=T0
        )
    await scenes.book(database, scene)
    reminders = [one for one in await mails(database) if one.about == "reminder"]
    assert {one.to_address for one in reminders} == {"anna@home.example"}
    assert {one.due_at - REAL for one in reminders} == {timedelta(hours=18), timedelta(hours=46)}


async def test_what_nobody_needs_is_dropped(database: Database) -> None:
    """A visit that is over, a resident who died, a contact who was removed."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.bert, "bert@home.example")
    await scenes.book(database, scene)
    await scenes.book(database, scene, scene.bert)
    async with database.transaction(OPERATOR) as connection:
        await connection.execute("UPDATE resident SET died_at = $2 WHERE id = $1", scene.bert.id, T0)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await make_due(database)
        late = T0 + timedelta(days=3)
        assert await service.once(server(sink), database, ClinicalClock(Step(late, late))) == 0
    assert not sink.taken
    assert {one.state for one in await mails(database)} == {"dropped"}


async def test_a_contact_who_was_removed_hears_nothing_more(database: Database) -> None:
    scene = await scenes.build(database)
    removed = await scenes.contact(database, scene, scene.anna, "former@home.example", "carer")
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.book(database, scene)
    async with database.transaction(scene.actor) as connection:
        await contacts.remove(connection, removed, actor=scene.actor, now=T0)
    await make_due(database)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(server(sink), database, CLOCK)
    assert {message["To"] for message in sink.taken} == {"anna@home.example"}


async def test_a_server_that_closes_is_left_alone(database: Database) -> None:
    """421 is about the server: the others of the batch are not tried now, and none is lost."""
    scene = await scenes.build(database)
    for name in ("anna", "son"):
        await scenes.contact(database, scene, scene.anna, f"{name}@home.example", reminders=False)
    await scenes.book(database, scene)
    sink = smtp_sink.Sink()
    sink.answers = ["421 4.3.2 going down"]
    async with smtp_sink.running(sink):
        with pytest.raises(smtp.NotNow):
            await service.once(server(sink), database, CLOCK)
        assert not sink.taken
        await make_due(database)
        assert await service.once(server(sink), database, CLOCK) == 2


async def test_nobody_is_reminded_of_a_visit_that_was_held_before_its_time(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        assert await service.once(server(sink), database, CLOCK) == 1
        async with database.transaction(scene.actor) as connection:
            await consultations.end(connection, booked.consultation_id, Ending("completed"), actor=scene.actor, now=T0)
        await make_due(database)
        await service.once(server(sink), database, CLOCK)
    assert {(one.about, one.state) for one in await mails(database)} == {("booked", "sent"), ("reminder", "dropped")}


async def test_a_mail_that_makes_us_fail_holds_up_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits, and an operator sees why: an error with its place, without what was in the mail."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "son@home.example", "family")
    await scenes.book(database, scene)
    whole = smtp.send

    async def send(client: aiosmtplib.SMTP, one: mail.Mail, mail_from: str) -> None:
        if one.to_address.startswith("anna"):
            raise KeyError(one.to_address)
        await whole(client, one, mail_from)

    monkeypatch.setattr(smtp, "send", send)
    with structlog.testing.capture_logs() as logged:
        async with smtp_sink.running(smtp_sink.Sink()) as sink:
            assert await service.once(server(sink), database, CLOCK) == 1
    assert [message["To"] for message in sink.taken] == ["son@home.example"]
    assert [(one["log_level"], one["error"]) for one in logged] == [("error", "KeyError")]
    assert "anna@" not in str(logged)
    waits = [one for one in await mails(database) if one.about == "booked" and one.state == "waiting"]
    assert [one.to_address for one in waits] == ["anna@home.example"]
    assert waits[0].last_error == "an error of the service: see its log"


async def test_grey_lists_are_tried_again_and_refusals_are_shown(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.bert, "gone@home.example")
    await scenes.book(database, scene)
    await scenes.book(database, scene, scene.bert)
    sink = smtp_sink.Sink()
    sink.answers = ["451 4.7.1 come again later"]
    sink.unknown = {"gone@home.example": "550 5.1.1 no such user"}
    async with smtp_sink.running(sink):
        assert await service.once(server(sink), database, CLOCK) == 0
        found = {one.to_address: one for one in await mails(database) if one.about == "booked"}
        assert found["anna@home.example"].state == "waiting"
        assert (found["anna@home.example"].last_error or "").startswith("451")
        assert found["anna@home.example"].due_at > clocks.real_now()
        assert found["gone@home.example"].state == "refused"
        assert (found["gone@home.example"].last_error or "").startswith("550")
        async with database.transaction(OPERATOR) as connection:
            await connection.execute("UPDATE mail SET due_at = $1 WHERE state = 'waiting' AND about = 'booked'", REAL)
        assert await service.once(server(sink), database, CLOCK) == 1
    assert [message["To"] for message in sink.taken] == ["anna@home.example"]


async def test_nothing_is_lost_while_the_server_is_away(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        pass
    with pytest.raises(smtp.NotNow):
        await service.once(server(sink), database, CLOCK)
    assert [(one.state, one.attempts) for one in await mails(database) if one.about == "booked"] == [("waiting", 1)]
    await make_due(database)
    async with smtp_sink.running(sink):
        assert await service.once(server(sink), database, CLOCK) == 3
    assert len(sink.taken) == 3


class Killed(BaseException):
    """As a process ends that is killed."""


async def test_killed_between_sending_and_committing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent once more when the lease is over, under the same Message-ID, so that the reader's server knows."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.book(database, scene)

    def die(_place: str) -> None:
        raise Killed

    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        with monkeypatch.context() as patched:
            patched.setattr(failpoints, "reach", die)
            with pytest.raises(Killed):
                await service.once(server(sink), database, CLOCK, lease=timedelta(minutes=1))
        assert await service.once(server(sink), database, CLOCK) == 0, "the lease is not over"
        await make_due(database)
        await service.once(server(sink), database, CLOCK)
    booked = [message for message in sink.taken if message["Subject"].startswith("Your")]
    assert len(booked) == 2
    assert booked[0]["Message-ID"] == booked[1]["Message-ID"]
    assert str(UUID(booked[0]["Message-ID"].strip("<>").split("@")[0])) in booked[0]["Message-ID"]


async def test_cancelled_while_it_was_claimed(database: Database) -> None:
    """The last look is taken just before a mail is sent."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    async with database.transaction(service.ACTOR) as connection:
        claimed = await mail.waiting(connection, real_now=REAL, lease=service.LEASE, clinical=T0)
    async with database.transaction(scene.actor) as connection:
        await appointments.cancel(
            connection, booked.appointment_id, reason="wrong day", sender=SENDER, actor=scene.actor, now=T0,
            real_now=REAL,
        )  # fmt: skip
    async with database.transaction(service.ACTOR, read_only=True) as connection:
        assert [await mail.still_wanted(connection, one.id) for one in claimed] == [False]


async def test_cancelled_while_others_of_the_batch_are_sent(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await scenes.build(database)
    for name in ("anna", "son"):
        await scenes.contact(database, scene, scene.anna, f"{name}@home.example", reminders=False)
    booked = await scenes.book(database, scene)
    whole = smtp.send

    async def send(client: aiosmtplib.SMTP, one: mail.Mail, mail_from: str) -> None:
        await whole(client, one, mail_from)
        async with database.transaction(scene.actor) as connection:
            await appointments.cancel(
                connection, booked.appointment_id, reason="wrong day", sender=SENDER, actor=scene.actor, now=T0,
                real_now=REAL,
            )  # fmt: skip

    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        with monkeypatch.context() as patched:
            patched.setattr(smtp, "send", send)
            assert await service.once(server(sink), database, CLOCK) == 1
    assert len(sink.taken) == 1


async def test_two_processes_send_each_mail_once(database: Database) -> None:
    scene = await scenes.build(database)
    for number in range(10):
        await scenes.contact(database, scene, scene.anna, f"c{number}@home.example", "family")
    await scenes.book(database, scene)
    async with (
        database.transaction(service.ACTOR) as one,
        database.transaction(service.ACTOR) as another,
    ):
        first = await mail.waiting(one, real_now=REAL, lease=service.LEASE, clinical=T0)
        second = await mail.waiting(another, real_now=REAL, lease=service.LEASE, clinical=T0)
    assert len(first) == 10
    assert not second


async def test_tls(database: Database, tmp_path: Path) -> None:
    """STARTTLS is used where it is offered; a certificate that nobody vouches for is not believed."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.book(database, scene)
    authority = certificates.Authority(tmp_path)
    own = authority.issue("mail")
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(own.certificate, own.key)
    async with smtp_sink.running(smtp_sink.Sink(), tls=offered) as sink:
        with pytest.raises(smtp.NotNow):
            await service.once(server(sink), database, CLOCK)
        await make_due(database)
        trusting = dataclasses.replace(server(sink), trusted=authority.context())
        assert await service.once(trusting, database, CLOCK) == 3
    assert sink.secure == [True] * 3


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-10-25T00:30Z", "01:30 comes twice that day, because the clocks go back: it is the first), for"),
        ("2026-10-25T01:30Z", "01:30 comes twice that day, because the clocks go back: it is the second), for"),
        ("2026-10-25T02:30Z", "at 02:30 (London time), for"),
        ("2026-03-29T01:30Z", "at 02:30 (London time), for"),
    ],
)
def test_a_time_that_comes_twice_says_which(at: str, said: str) -> None:
    starts_at = datetime.fromisoformat(at)
    text = mails_model.visit("booked", starts_at=starts_at, minutes=20, zone="Europe/London", url=None)
    assert said in text.body


def test_names_that_are_not_ascii() -> None:
    """Seven bits on the way, the name on the screen; the link stays in one piece."""
    text = mails_model.visit(
        "booked", starts_at=T0, minutes=20, zone="Europe/London", url="https://ward.example/join/" + "a" * 43,
        given_name="Zoë",
    )  # fmt: skip
    one = mail.Mail(UUID(int=7), 1, "booked", "son@home.example", text.subject, text.body, None, None, 1, REAL)
    sent = smtp.message(one, "ward@ward.example").as_bytes()
    assert sent.isascii()
    read = email.message_from_bytes(sent, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert text_of(read).replace("\r\n", "\n") == text.body
    assert "Zoë" not in read["Subject"]


@pytest.mark.parametrize(
    ("url", "host", "port", "secure"),
    [
        ("smtp://mail.example", "mail.example", 25, False),
        ("smtp://me:p%40ss@mail.example", "mail.example", 587, False),
        ("smtps://mail.example", "mail.example", 465, True),
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, False),
    ],
)
def test_addresses_of_servers(url: str, host: str, port: int, secure: bool) -> None:
    found = smtp.server(Settings(smtp_url=SecretStr(url), mail_from="ward@ward.example"))
    assert found is not None
    assert (found.host, found.port, found.secure) == (host, port, secure)
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://host:port"])
def test_wrong_addresses_of_servers(url: str) -> None:
    with pytest.raises(SettingError, match="SMTP_URL"):
        smtp.server(Settings(smtp_url=SecretStr(url), mail_from="ward@ward.example"))
    with pytest.raises(SettingError, match="MAIL_FROM"):
        smtp.server(Settings(smtp_url=SecretStr("smtp://host")))


async def test_the_newest_link_is_kept_through_moves(database: Database) -> None:
    """Also one that staff made the old one's successor, and after the daily tidying."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    first = booked.told[0]
    assert first.link_id is not None
    told = []
    for hours in (1, 2, 3):
        async with database.transaction(scene.actor) as connection:
            if hours == 1:
                await links.revoke(connection, first.link_id, actor=scene.actor, now=T0, real_now=REAL)
            moved = await appointments.move(
                connection, booked.appointment_id, starts_at=T0 + timedelta(days=2, hours=hours), sender=SENDER,
                actor=scene.actor, now=T0, real_now=REAL + timedelta(hours=hours),
            )  # fmt: skip
            told.append(moved.told[0].url)
        async with database.transaction(OPERATOR) as connection:
            await connection.execute("UPDATE mail SET state = 'sent', settled_at = $1 WHERE state = 'waiting'", REAL)
            await mail.scrub(connection)
    assert first.url not in told
    assert len(set(told)) == 1


async def test_secrets_go_from_mails_when_they_open_nothing(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(server(sink), database, CLOCK)
    async with database.transaction(scene.actor) as connection:
        await appointments.cancel(
            connection, booked.appointment_id, reason="wrong day", sender=SENDER, actor=scene.actor, now=T0,
            real_now=REAL,
        )  # fmt: skip
    async with database.transaction(OPERATOR) as connection:
        await mail.scrub(connection)
        rows = await connection.fetch("SELECT body, calendar FROM mail")
    token = (booked.told[0].url or "").rsplit("/", maxsplit=1)[-1]
    assert token in text_of(sink.taken[0])
    unfolded = "".join(str(row["body"]) + str(row["calendar"]).replace("\r\n ", "") for row in rows)
    assert token not in unfolded


async def test_a_round_tells_each_resident_of_their_own(database: Database) -> None:
    """Everybody gets a link of their own; nobody learns who else is on the list."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.bert, "bert@home.example")
    booked = await scenes.book(database, scene, scene.anna, scene.bert, kind="ward_round")
    assert len({one.url for one in booked.told}) == 2
    assert {one.resident_id for one in booked.told} == {scene.anna.id, scene.bert.id}


async def test_whoever_has_one_address_for_several_keeps_a_link_and_an_event_for_each(database: Database) -> None:
    """A care home looks after two residents of a round: moved, each mail has the link of its own resident still."""
    scene = await scenes.build(database)
    for one in (scene.anna, scene.bert):
        await scenes.contact(database, scene, one, "home@care.example", "care_home")
    booked = await scenes.book(database, scene, scene.anna, scene.bert, kind="ward_round")
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(server(sink), database, CLOCK)
        async with database.transaction(scene.actor) as connection:
            moved = await appointments.move(
                connection, booked.appointment_id, starts_at=T0 + timedelta(days=3), sender=SENDER, actor=scene.actor,
                now=T0, real_now=REAL,
            )  # fmt: skip
        await service.once(server(sink), database, CLOCK)
    assert moved.told == booked.told
    assert len({one.url for one in moved.told}) == 2
    # a calendar that has both mails shows both ways in, and moves each
    events = [calendar_of(message) for message in sink.taken]
    assert sorted((event["uid"], event["url"], event["sequence"]) for event in events) == sorted(
        (event["uid"], event["url"], revision) for event in events[:2] for revision in (0, 1)
    )
    assert len({event["uid"] for event in events}) == 2


async def test_two_addresses_of_one_person_each_have_a_link_that_works(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "anna@phone.example")
    booked = await scenes.book(database, scene)
    async with database.transaction(OPERATOR, read_only=True) as connection:
        for one in booked.told:
            assert one.url is not None
            found = await links.find(connection, one.url.rpartition("/")[2])
            assert found is not None
            assert (found.id, found.over(REAL)) == (one.link_id, False)


async def test_what_nobody_has_heard_of_is_new_when_it_is_moved(database: Database) -> None:
    """A visit of a series that was not announced yet, and a contact who came later: no "the time has changed"."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    await scenes.contact(database, scene, scene.anna, "son@home.example", "family")
    wanted = times.NewSeries(
        scene.ward.id, "one_to_one", [scene.anna.id], [0], time(9, 0), "Europe/London", (T0 + timedelta(days=35)).date()
    )
    async with database.transaction(scene.actor) as connection:
        await series.begin(connection, wanted, sender=SENDER, actor=scene.actor, now=T0, real_now=REAL)
        later = await appointments.listing(connection, since=T0 + timedelta(days=30), until=T0 + timedelta(days=60))
        for one in (booked.appointment_id, later[0].id):
            before = await appointments.get(connection, one)
            await appointments.move(
                connection, one, starts_at=before.starts_at + timedelta(hours=1), sender=SENDER, actor=scene.actor,
                now=T0, real_now=REAL,
            )  # fmt: skip
    found = [one for one in await mails(database) if one.state == "waiting" and one.about in ("booked", "moved")]
    of_booked = {one.to_address: one.about for one in found if one.appointment_id == booked.appointment_id}
    assert of_booked == {"anna@home.example": "moved", "son@home.example": "booked"}
    announced = later[0].starts_at + timedelta(hours=1) - timedelta(days=7) - T0
    of_series = [(one.about, one.due_at - REAL) for one in found if one.appointment_id == later[0].id]
    assert of_series == [("booked", announced)] * 2
    async with database.transaction(scene.actor) as connection:
        await appointments.cancel(
            connection, later[0].id, reason="holiday", sender=SENDER, actor=scene.actor, now=T0, real_now=REAL
        )
    assert {one.state for one in await mails(database) if one.appointment_id == later[0].id} == {"dropped"}


async def test_a_mail_on_which_the_server_hangs_holds_up_no_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that looks for a dead recipient until the line breaks, say: after a while the others go without it."""
    scene = await scenes.build(database)
    for name in ("dead", "anna", "son"):
        await scenes.contact(database, scene, scene.anna, f"{name}@home.example", "family", reminders=False)
    await scenes.book(database, scene)
    whole, now = smtp.send, REAL + timedelta(seconds=1)
    monkeypatch.setattr(clocks, "real_now", lambda: now)

    async def hang(client: aiosmtplib.SMTP, one: mail.Mail, mail_from: str) -> None:
        if one.to_address.startswith("dead"):
            client.close()
        await whole(client, one, mail_from)

    monkeypatch.setattr(smtp, "send", hang)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        for _ in range(4):
            with contextlib.suppress(smtp.NotNow):
                await service.once(server(sink), database, CLOCK)
            now += timedelta(seconds=31)
    assert {message["To"] for message in sink.taken} == {"anna@home.example", "son@home.example"}


async def test_the_role_sends_until_it_is_stopped(database: Database) -> None:
    """As the service runs it: what is booked while it runs reaches the mail server; without one nothing fails."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        for url in (None, SecretStr(f"smtp://127.0.0.1:{sink.port}")):
            settings = Settings(smtp_url=url, mail_from="ward@ward.example", roles="notify")
            parts = main.Parts(settings, database, ClinicalClock(), Health())
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(main.run(parts, main.roles(settings), stop))
                now = clocks.real_now()
                await scenes.book(database, scene, starts_at=now + timedelta(hours=1), now=now)
                if url is not None:
                    async with asyncio.timeout(20):
                        await sink.wait(2)
                stop.set()
    assert {message["To"] for message in sink.taken} == {"anna@home.example"}


async def test_settled_mails_are_deleted_after_a_time(database: Database) -> None:
    """Of visits that are over; of one to come they are kept, because its way in is found there when it is moved."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    over, to_come = await scenes.book(database, scene), await scenes.book(database, scene)
    async with database.transaction(scene.actor) as connection:
        await appointments.cancel(
            connection, over.appointment_id, reason="in hospital", sender=SENDER, actor=scene.actor, now=T0,
            real_now=REAL,
        )  # fmt: skip
    async with database.transaction(OPERATOR) as connection:
        await connection.execute(
            "UPDATE mail SET state = 'sent', settled_at = $1 WHERE about <> 'cancelled'", REAL - mail.KEPT
        )
    async with database.transaction(db.service("upkeep")) as connection:
        assert await mail.forget(connection, before=REAL - mail.KEPT - timedelta(seconds=1)) == 0
        assert await mail.forget(connection, before=REAL - mail.KEPT + timedelta(seconds=1)) == 3
    left = await mails(database)
    assert {(one.appointment_id, one.about) for one in left} == {
        (over.appointment_id, "cancelled"),
        (to_come.appointment_id, "booked"),
        (to_come.appointment_id, "reminder"),
    }
