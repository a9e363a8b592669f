"""Sends the mails that wait, at least once each.

A mail is claimed (committed) before it is sent, and settled (committed) after the server has taken it. A process that
dies between those leaves it claimed; when the lease is over another sends it again, with the same Message-ID: that
is the only way in which a mail comes twice. Several processes share the work.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiosmtplib

from telehealth import clock as clocks
from telehealth import failpoints, log, metrics
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.notify import smtp
from telehealth.notify.smtp import Server
from telehealth.store import db, mail
from telehealth.store.db import Database
from telehealth.store.mail import Mail

_log = log.get("notify")
ACTOR = db.service("notify")

_EVERY_SECONDS = 2.0
#: How long a claimed mail is left alone: longer than a batch takes to send.
LEASE = timedelta(minutes=2)
_FIRST = timedelta(seconds=30)
_LONGEST = timedelta(hours=1)
#: While the server as a whole takes nothing: what waits should follow soon when it is back.
_LONGEST_AWAY = timedelta(minutes=5)
#: After an error of our own, which trying again at once does not mend.
_BROKEN_SECONDS = 60.0


async def run(*, settings: Settings, database: Database, clock: ClinicalClock) -> None:
    """Until cancelled; database and mail server may go away and come back. Raises SettingError."""
    server = smtp.server(settings)
    if server is None:
        _log.info("no mail server is set: mails wait")
        await asyncio.Event().wait()
        return
    reachable = True
    while True:
        sent = 0
        try:
            sent = await once(server, database, clock)
            reachable = True
        except smtp.NotNow as error:
            if reachable:
                _log.warning("the mail server takes nothing now", error=error.why[:3])
            reachable = False
        except db.AWAY as error:
            _log.warning("the database is away: mails are left for later", error=type(error).__name__)
        except Exception as error:
            _log.error("mails cannot be sent", error=type(error).__name__, where=log.where(error))
            await asyncio.sleep(_BROKEN_SECONDS)
        if not sent:
            await asyncio.sleep(_EVERY_SECONDS)


async def once(server: Server, database: Database, clock: ClinicalClock, *, lease: timedelta = LEASE) -> int:
    """Send some of what is due; how many the server has taken. Raises NotNow when it takes nothing at all."""
    begun = clocks.monotonic()
    async with database.transaction(ACTOR) as connection:
        claimed = await mail.waiting(connection, real_now=clocks.real_now(), lease=lease, clinical=clock.now())
        standing = await mail.standing(connection, real_now=clocks.real_now())
    metrics.MAILS_DUE.set(standing.due)
    metrics.MAILS_REFUSED.set(standing.refused)
    age = 0.0 if standing.oldest is None else (clocks.real_now() - standing.oldest).total_seconds()
    metrics.MAILS_AGE_SECONDS.set(max(age, 0.0))
    if not claimed:
        return 0
    left = list(claimed)
    sent = 0
    try:
        async with server.session() as client:
            while left and clocks.monotonic() - begun < lease.total_seconds() / 2:
                sent += await _try(client, server, database, left[0])
                left.pop(0)
    except smtp.NotNow as error:
        for number, one in enumerate(left):
            # where it is the first alone on which the server hangs, the others soon go without it
            longest = _FIRST if error.broke and number > 0 else _LONGEST_AWAY
            await _put_off(database, one, error.why, longest=longest)
        raise
    for one in left:
        await _put_off(database, one, "there was no time left")
    return sent


async def _try(client: aiosmtplib.SMTP, server: Server, database: Database, one: Mail) -> int:
    """1 if the server has taken it. A mail that makes us fail waits and holds up no other; NotNow is raised."""
    try:
        return await _send(client, server, database, one) if await _still_wanted(database, one) else 0
    except smtp.NotNow:
        raise
    except Exception as error:
        if isinstance(error, db.AWAY):
            raise
        _log.error("a mail cannot be sent", mail=str(one.id), error=type(error).__name__, where=log.where(error))
    await _put_off(database, one, "an error of the service: see its log")
    return 0


async def _send(client: aiosmtplib.SMTP, server: Server, database: Database, one: Mail) -> int:
    """1 if the server has taken it. Raises NotNow when it takes nothing at all."""
    try:
        await smtp.send(client, one, server.mail_from)
    except smtp.Refused as refusal:
        async with database.transaction(ACTOR) as connection:
            await mail.settle(connection, one.id, "refused", real_now=clocks.real_now(), error=refusal.why)
        metrics.MAILS.labels("refused").inc()
        _log.warning("a mail was refused", mail=str(one.id), code=refusal.why[:3])
        return 0
    except smtp.NotNow as error:
        if error.everything:
            raise
        await _put_off(database, one, error.why)
        return 0
    failpoints.reach("mail.sent")
    async with database.transaction(ACTOR) as connection:
        await mail.settle(connection, one.id, "sent", real_now=clocks.real_now())
    metrics.MAILS.labels("sent").inc()
    return 1


async def _still_wanted(database: Database, one: Mail) -> bool:
    async with database.transaction(ACTOR, read_only=True) as connection:
        return await mail.still_wanted(connection, one.id)


async def _put_off(database: Database, one: Mail, why: str, *, longest: timedelta = _LONGEST) -> None:
    metrics.MAILS.labels("put_off").inc()
    until = clocks.real_now() + min(longest, _FIRST * 2 ** min(one.attempts - 1, 10))
    async with database.transaction(ACTOR) as connection:
        await mail.put_off(connection, one.id, until=until, error=why)
