"""What mails say to whom: links, calendars, reminders; nothing else, and nothing that nobody needs."""

from __future__ import annotations

import email
import email.policy
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest

from telehealth.clock import ClinicalClock, Step
from telehealth.model import appointments as times
from telehealth.model import mails as mails_model
from telehealth.model import visits
from telehealth.notify import service, smtp
from telehealth.store import appointments, consultations, contacts, links, mail, series, visit_policy
from telehealth.store.db import Database
from telehealth.store.encounters import Ending
from tests.integration.visits import post
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import REAL, SENDER, T0
from tests.support import smtp_sink


async def test_a_booking_is_mailed_with_link_and_calendar(database: Database) -> None:
    """Nothing of the resident's in it but when the visit is, and a link that lets them in."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "son@home.example", "family")
    booked = await scenes.book(database, scene)
    assert sorted(one.about for one in await post.mails(database)) == ["booked"] * 2 + ["reminder"] * 4
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        assert await service.once(post.server(sink), database, post.CLOCK) == 2
        assert await service.once(post.server(sink), database, post.CLOCK) == 0
    to = {message["To"]: message for message in sink.taken}
    assert set(to) == {"anna@home.example", "son@home.example"}
    anna = to["anna@home.example"]
    assert anna["Subject"] == "Your video visit on Wednesday 4 March 2026 at 09:00"
    assert anna["From"] == "ward@ward.example"
    url = booked.told[0].url
    assert url is not None
    assert url in post.text_of(anna)
    event = post.calendar_of(anna)
    assert (event.decoded("dtstart"), event["sequence"]) == (T0 + timedelta(days=2), 0)
    everything = str(anna) + str(to["son@home.example"]) + post.text_of(anna) + event.to_ical().decode()
    assert scene.anna.nhs_number not in everything
    assert "Resident" not in everything
    assert "for Test." in post.text_of(to["son@home.example"])


async def test_a_move_and_a_cancellation_follow_in_the_calendar(database: Database) -> None:
    """The same event at another time, then cancelled; the link stays what it was; reminders of before are dropped."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    there = T0 + timedelta(days=3)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(post.server(sink), database, post.CLOCK)
        async with database.transaction(scene.actor) as connection:
            moved = await appointments.move(
                connection, booked.appointment_id, starts_at=there, sender=SENDER, actor=scene.actor, now=T0,
                real_now=REAL,
            )  # fmt: skip
        await service.once(post.server(sink), database, post.CLOCK)
        async with database.transaction(scene.actor) as connection:
            await appointments.cancel(
                connection, booked.appointment_id, reason="in hospital", sender=SENDER, actor=scene.actor, now=T0,
                real_now=REAL,
            )  # fmt: skip
        await post.make_due(database)
        await service.once(post.server(sink), database, post.CLOCK)
    assert moved.told == booked.told
    events = [post.calendar_of(message) for message in sink.taken]
    assert len({event["uid"] for event in events}) == 1
    assert [int(str(event["sequence"])) for event in events] == [0, 1, 2]
    assert events[1].decoded("dtstart") == there
    assert [event["status"] for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert "hospital" not in post.text_of(sink.taken[2])
    assert {one.state for one in await post.mails(database) if one.about == "reminder"} == {"dropped"}


async def test_a_change_by_a_command_without_mail_settings_comes_from_the_same_organiser(database: Database) -> None:
    """Else a calendar that took in the invitation keeps a visit that was called off."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example", reminders=False)
    booked = await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(post.server(sink), database, post.CLOCK)
        async with database.transaction(post.OPERATOR) as connection:
            await appointments.cancel(
                connection, booked.appointment_id, reason="in hospital", sender=mails_model.Sender(),
                actor=post.OPERATOR, now=T0, real_now=REAL,
            )  # fmt: skip
        await service.once(post.server(sink), database, post.CLOCK)
    first, last = (post.calendar_of(message) for message in sink.taken)
    assert (str(first["organizer"]), first["uid"]) == (str(last["organizer"]), last["uid"])
    assert str(last["organizer"]) == "mailto:ward@ward.example"


async def test_reminders_come_when_the_ward_wants_them(database: Database) -> None:
    """As far before the visit in real time as the policy says in clinical time; only to those who want them."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "son@home.example", "family", reminders=False)
    async with database.transaction(post.OPERATOR) as connection:
        await visit_policy.set_for(
            connection, scene.ward.id, visits.Policy(reminder_hours=(30, 2)), actor=post.OPERATOR, now=T0
        )
    await scenes.book(database, scene)
    reminders = [one for one in await post.mails(database) if one.about == "reminder"]
    assert {one.to_address for one in reminders} == {"anna@home.example"}
    assert {one.due_at - REAL for one in reminders} == {timedelta(hours=18), timedelta(hours=46)}


async def test_what_nobody_needs_is_dropped(database: Database) -> None:
    """A visit that is over, a resident who died, a contact who was removed."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.bert, "bert@home.example")
    await scenes.book(database, scene)
    await scenes.book(database, scene, scene.bert)
    async with database.transaction(post.OPERATOR) as connection:
        await connection.execute("UPDATE resident SET died_at = $2 WHERE id = $1", scene.bert.id, T0)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await post.make_due(database)
        late = T0 + timedelta(days=3)
        assert await service.once(post.server(sink), database, ClinicalClock(Step(late, late))) == 0
    assert not sink.taken
    assert {one.state for one in await post.mails(database)} == {"dropped"}


async def test_a_contact_who_was_removed_hears_nothing_more(database: Database) -> None:
    scene = await scenes.build(database)
    removed = await scenes.contact(database, scene, scene.anna, "former@home.example", "carer")
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.book(database, scene)
    async with database.transaction(scene.actor) as connection:
        await contacts.remove(connection, removed, actor=scene.actor, now=T0)
    await post.make_due(database)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(post.server(sink), database, post.CLOCK)
    assert {message["To"] for message in sink.taken} == {"anna@home.example"}


async def test_nobody_is_reminded_of_a_visit_that_was_held_before_its_time(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        assert await service.once(post.server(sink), database, post.CLOCK) == 1
        async with database.transaction(scene.actor) as connection:
            await consultations.end(connection, booked.consultation_id, Ending("completed"), actor=scene.actor, now=T0)
        await post.make_due(database)
        await service.once(post.server(sink), database, post.CLOCK)
    assert {(one.about, one.state) for one in await post.mails(database)} == {
        ("booked", "sent"),
        ("reminder", "dropped"),
    }


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
    assert post.text_of(read).replace("\r\n", "\n") == text.body
    assert "Zoë" not in read["Subject"]


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
        async with database.transaction(post.OPERATOR) as connection:
            await connection.execute("UPDATE mail SET state = 'sent', settled_at = $1 WHERE state = 'waiting'", REAL)
            await mail.scrub(connection)
    assert first.url not in told
    assert len(set(told)) == 1


async def test_secrets_go_from_mails_when_they_open_nothing(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        await service.once(post.server(sink), database, post.CLOCK)
    async with database.transaction(scene.actor) as connection:
        await appointments.cancel(
            connection, booked.appointment_id, reason="wrong day", sender=SENDER, actor=scene.actor, now=T0,
            real_now=REAL,
        )  # fmt: skip
    async with database.transaction(post.OPERATOR) as connection:
        await mail.scrub(connection)
        rows = await connection.fetch("SELECT body, calendar FROM mail")
    token = (booked.told[0].url or "").rsplit("/", maxsplit=1)[-1]
    assert token in post.text_of(sink.taken[0])
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
        await service.once(post.server(sink), database, post.CLOCK)
        async with database.transaction(scene.actor) as connection:
            moved = await appointments.move(
                connection, booked.appointment_id, starts_at=T0 + timedelta(days=3), sender=SENDER, actor=scene.actor,
                now=T0, real_now=REAL,
            )  # fmt: skip
        await service.once(post.server(sink), database, post.CLOCK)
    assert moved.told == booked.told
    assert len({one.url for one in moved.told}) == 2
    # a calendar that has both mails shows both ways in, and moves each
    events = [post.calendar_of(message) for message in sink.taken]
    assert sorted((event["uid"], event["url"], event["sequence"]) for event in events) == sorted(
        (event["uid"], event["url"], revision) for event in events[:2] for revision in (0, 1)
    )
    assert len({event["uid"] for event in events}) == 2


async def test_two_addresses_of_one_person_each_have_a_link_that_works(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "anna@phone.example")
    booked = await scenes.book(database, scene)
    async with database.transaction(post.OPERATOR, read_only=True) as connection:
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
    found = [one for one in await post.mails(database) if one.state == "waiting" and one.about in ("booked", "moved")]
    of_booked = {one.to_address: one.about for one in found if one.appointment_id == booked.appointment_id}
    assert of_booked == {"anna@home.example": "moved", "son@home.example": "booked"}
    announced = later[0].starts_at + timedelta(hours=1) - timedelta(days=7) - T0
    of_series = [(one.about, one.due_at - REAL) for one in found if one.appointment_id == later[0].id]
    assert of_series == [("booked", announced)] * 2
    async with database.transaction(scene.actor) as connection:
        await appointments.cancel(
            connection, later[0].id, reason="holiday", sender=SENDER, actor=scene.actor, now=T0, real_now=REAL
        )
    assert {one.state for one in await post.mails(database) if one.appointment_id == later[0].id} == {"dropped"}
