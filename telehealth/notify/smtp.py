"""One mail to the mail server, and what its answer means."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from telehealth.config import Settings
from telehealth.errors import SettingError
from telehealth.model import calendar
from telehealth.store.mail import Mail

#: Each answer of the server may take so long.
_SECONDS = 20.0
#: Coming to the point of sending, and one mail as a whole: together well within a lease.
_CONNECT_SECONDS = 30.0
_MAIL_SECONDS = 50.0


class Refused(Exception):
    """This mail will never be taken. why: for whoever looks after it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotNow(Exception):
    """It may be taken later. everything: the server, not this mail: others need not be tried now.

    broke: the line broke, or stood still, with this mail: perhaps it is this mail all the same.
    """

    def __init__(self, why: str, *, everything: bool, broke: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.everything = everything
        self.broke = broke


@dataclass(frozen=True)
class Server:
    """Where mails go. secure: TLS from the start; a server elsewhere that wants a password gets it only by TLS."""

    host: str
    port: int
    secure: bool
    mail_from: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    #: Whom to believe; None: whom the system does.
    trusted: ssl.SSLContext | None = None

    @property
    def _must_secure(self) -> bool | None:
        return True if self.password is not None and not _here(self.host) else None

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Connected and signed in. Raises NotNow."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.secure,
            start_tls=False if self.secure else self._must_secure,
            username=self.username,
            password=self.password,
            tls_context=self.trusted,
            timeout=_SECONDS,
        )
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            raise NotNow(_said(error), everything=True) from None
        try:
            yield client
        finally:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit()
            client.close()


def server(settings: Settings) -> Server | None:
    """By the settings; None without a mail server. Raises SettingError."""
    if settings.smtp_url is None:
        return None
    mail_from = settings.needed("mail_from")
    try:
        found = urllib.parse.urlsplit(settings.smtp_url.get_secret_value())
        port = found.port
    except ValueError:
        raise SettingError("TELEHEALTH_SMTP_URL", "is not an address like smtp://user:password@host:587") from None
    if found.scheme not in ("smtp", "smtps") or not found.hostname or found.path not in ("", "/"):
        raise SettingError("TELEHEALTH_SMTP_URL", "is not an address like smtp://user:password@host:587")
    secure = found.scheme == "smtps"
    return Server(
        host=found.hostname,
        port=port or (465 if secure else 587 if found.username else 25),
        secure=secure,
        mail_from=mail_from,
        username=None if found.username is None else urllib.parse.unquote(found.username),
        password=None if found.password is None else urllib.parse.unquote(found.password),
    )


def message(mail: Mail, mail_from: str) -> EmailMessage:
    """The same bytes, but for the boundary, whenever it is sent; its Message-ID is the mail's id."""
    found = EmailMessage(policy=SMTP)
    found["From"] = mail_from
    found["To"] = mail.to_address
    found["Subject"] = mail.subject
    found["Date"] = format_datetime(mail.written_at)
    found["Message-ID"] = f"<{mail.id}@{mail_from.rpartition('@')[2]}>"
    found["Auto-Submitted"] = "auto-generated"
    # Not every server on the way takes eight bits.
    found.set_content(mail.body, cte="7bit" if mail.body.isascii() else "quoted-printable")
    if mail.calendar is not None:
        event = calendar.invited_by(mail.calendar, mail_from).encode()
        found.add_alternative(
            event, maintype="text", subtype="calendar", filename="visit.ics", cte="base64",
            params={"method": mail.calendar_method or "REQUEST", "charset": "utf-8"},
        )  # fmt: skip
    return found


async def send(client: aiosmtplib.SMTP, mail: Mail, mail_from: str) -> None:
    """Give one mail to the server. Raises Refused or NotNow; returns once the server has taken it."""
    try:
        async with asyncio.timeout(_MAIL_SECONDS):
            await client.send_message(message(mail, mail_from), sender=mail_from, recipients=[mail.to_address])
    except aiosmtplib.SMTPRecipientsRefused as error:
        _answered(error.recipients[0].code, error.recipients[0].message)
    except aiosmtplib.SMTPDataError as error:
        _answered(error.code, error.message)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        # A sender or a password that the server does not take is ours to put right: no mail is lost by it.
        answered = isinstance(error, aiosmtplib.SMTPResponseException)
        raise NotNow(_said(error), everything=True, broke=not answered) from None


def _answered(code: int, text: str) -> None:
    why = f"{code} {' '.join(text.split())}"[:200]
    if 500 <= code <= 599:
        raise Refused(why)
    raise NotNow(why, everything=code == 421)


def _said(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {' '.join(error.message.split())}"[:200]
    return type(error).__name__


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
