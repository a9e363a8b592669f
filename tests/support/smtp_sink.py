"""A mail server that keeps what it is given, and can be told to refuse it."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import ssl
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Sink:
    """taken: the mails, in the order in which they came; answers: given to DATA one after another, then "250 OK"."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.senders: list[str] = []
        self.secure: list[bool] = []
        self.answers: list[str] = []
        #: Recipients that do not exist, by address, with the answer that says so.
        self.unknown: dict[str, str] = {}
        self.port = 0
        #: Called after a mail was taken, before the answer goes out.
        self.after: Callable[[], None] = lambda: None
        self._grown = asyncio.Condition()

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, to: str, _options: Any) -> str:
        if to in self.unknown:
            return self.unknown[to]
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            found = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(found, EmailMessage)
            self.taken.append(found)
            self.senders.append(envelope.mail_from or "")
            self.secure.append(session.ssl is not None)
            self.after()
            async with self._grown:
                self._grown.notify_all()
        return answer

    async def wait(self, count: int) -> None:
        """Until so many have been taken."""
        async with self._grown:
            await self._grown.wait_for(lambda: len(self.taken) >= count)


@contextlib.asynccontextmanager
async def running(sink: Sink, *, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Sink]:
    """The sink at a port of this machine; tls: it offers STARTTLS."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(sink, enable_SMTPUTF8=False, tls_context=tls, require_starttls=tls is not None, loop=loop),
        "127.0.0.1",
        port,
    )
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        await server.wait_closed()
