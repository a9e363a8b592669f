"""Mails reach a mail server at least once, whatever becomes of the server, of other mails and of whoever sends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import aiosmtplib
import pytest
import structlog
from pydantic import SecretStr

from telehealth import clock as clocks
from telehealth import failpoints, main
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.errors import SettingError
from telehealth.model.health import Health
from telehealth.notify import service, smtp
from telehealth.store import appointments, db, mail
from telehealth.store.db import Database
from tests.integration.visits import post
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import REAL, SENDER, T0
from tests.support import certificates, smtp_sink


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
            await service.once(post.server(sink), database, post.CLOCK)
        assert not sink.taken
        await post.make_due(database)
        assert await service.once(post.server(sink), database, post.CLOCK) == 2


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
            assert await service.once(post.server(sink), database, post.CLOCK) == 1
    assert [message["To"] for message in sink.taken] == ["son@home.example"]
    assert [(one["log_level"], one["error"]) for one in logged] == [("error", "KeyError")]
    assert "anna@" not in str(logged)
    waits = [one for one in await post.mails(database) if one.about == "booked" and one.state == "waiting"]
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
        assert await service.once(post.server(sink), database, post.CLOCK) == 0
        found = {one.to_address: one for one in await post.mails(database) if one.about == "booked"}
        assert found["anna@home.example"].state == "waiting"
        assert (found["anna@home.example"].last_error or "").startswith("451")
        assert found["anna@home.example"].due_at > clocks.real_now()
        assert found["gone@home.example"].state == "refused"
        assert (found["gone@home.example"].last_error or "").startswith("550")
        async with database.transaction(post.OPERATOR) as connection:
            await connection.execute("UPDATE mail SET due_at = $1 WHERE state = 'waiting' AND about = 'booked'", REAL)
        assert await service.once(post.server(sink), database, post.CLOCK) == 1
    assert [message["To"] for message in sink.taken] == ["anna@home.example"]


async def test_nothing_is_lost_while_the_server_is_away(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.book(database, scene)
    async with smtp_sink.running(smtp_sink.Sink()) as sink:
        pass
    with pytest.raises(smtp.NotNow):
        await service.once(post.server(sink), database, post.CLOCK)
    assert [(one.state, one.attempts) for one in await post.mails(database) if one.about == "booked"] == [
        ("waiting", 1)
    ]
    await post.make_due(database)
    async with smtp_sink.running(sink):
        assert await service.once(post.server(sink), database, post.CLOCK) == 3
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
                await service.once(post.server(sink), database, post.CLOCK, lease=timedelta(minutes=1))
        assert await service.once(post.server(sink), database, post.CLOCK) == 0, "the lease is not over"
        await post.make_due(database)
        await service.once(post.server(sink), database, post.CLOCK)
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
            assert await service.once(post.server(sink), database, post.CLOCK) == 1
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
            await service.once(post.server(sink), database, post.CLOCK)
        await post.make_due(database)
        trusting = dataclasses.replace(post.server(sink), trusted=authority.context())
        assert await service.once(trusting, database, post.CLOCK) == 3
    assert sink.secure == [True] * 3


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
                await service.once(post.server(sink), database, post.CLOCK)
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
    async with database.transaction(post.OPERATOR) as connection:
        await connection.execute(
            "UPDATE mail SET state = 'sent', settled_at = $1 WHERE about <> 'cancelled'", REAL - mail.KEPT
        )
    async with database.transaction(db.service("upkeep")) as connection:
        assert await mail.forget(connection, before=REAL - mail.KEPT - timedelta(seconds=1)) == 0
        assert await mail.forget(connection, before=REAL - mail.KEPT + timedelta(seconds=1)) == 3
    left = await post.mails(database)
    assert {(one.appointment_id, one.about) for one in left} == {
        (over.appointment_id, "cancelled"),
        (to_come.appointment_id, "booked"),
        (to_come.appointment_id, "reminder"),
    }
