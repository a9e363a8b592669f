"""Answers RabbitMQ's questions (rabbitmq_auth_backend_http): who may come in, and to which queue and topic.

Plain HTTP on 127.0.0.1. The answer is the word allow or deny; when the registry cannot be asked, deny.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from aiohttp import web

from telehealth import log
from telehealth.brokers import rabbitmq, rules
from telehealth.errors import SettingError, Unavailable
from telehealth.model import secrets

_log = log.get("broker")

#: device_id -> hash of its password, None when there is no such device or it is revoked. Raises Unavailable.
Lookup = Callable[[str], Awaitable[str | None]]

#: What RabbitMQ makes up for a client that names none: 128 random bits, so nobody else's.
_MADE_UP = re.compile(r"[A-Za-z0-9_-]{22}")
_LARGEST_QUESTION = 16 * 1024


class Authority:
    """The decisions. A device's client id is its device_id, or begins with it and a dot or colon."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def user(self, asked: Mapping[str, str]) -> bool:
        user, password = asked.get("username", ""), asked.get("password", "")
        stored = await self._lookup(user) if rules.is_device_id(user) else None
        if not secrets.verify_device_password(password, stored or secrets.NO_DEVICE) or stored is None:
            return False
        return await self._is_own(asked.get("client_id", ""), user)

    async def vhost(self, asked: Mapping[str, str]) -> bool:
        return asked.get("vhost") == rabbitmq.VHOST

    async def resource(self, asked: Mapping[str, str]) -> bool:
        if asked.get("resource") == "exchange":
            return asked.get("name") == rabbitmq.EXCHANGE and asked.get("permission") in ("read", "write")
        queues = {f"mqtt-subscription-{asked.get('client_id', '')}qos{qos}" for qos in (0, 1)}
        return asked.get("resource") == "queue" and asked.get("name") in queues

    async def topic(self, asked: Mapping[str, str]) -> bool:
        """RabbitMQ writes a dot for our slash, and a star for our plus."""
        user, key = asked.get("username", ""), asked.get("routing_key", "").replace(".", "/")
        if user == rules.SERVICE:
            return False
        if asked.get("permission") == "write":
            return rules.may_publish(user, key)
        return rules.may_subscribe(user, "/".join("+" if level == "*" else level for level in key.split("/")))

    async def _is_own(self, client_id: str, user: str) -> bool:
        if client_id == user or client_id.startswith((f"{user}.", f"{user}:")):
            return True
        if not _MADE_UP.fullmatch(client_id) or client_id.startswith(rabbitmq.SERVICE_CLIENTS):
            return False
        return await self._lookup(client_id) is None


def application(lookup: Lookup) -> web.Application:
    """The four questions, each by POST of a form."""
    authority = Authority(lookup)
    answers = {
        "/user": authority.user,
        "/vhost": authority.vhost,
        "/resource": authority.resource,
        "/topic": authority.topic,
    }

    async def answer(request: web.Request) -> web.Response:
        asked = {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
        try:
            allowed = await answers[request.path](asked)
        except Unavailable:
            _log.warning("the registry cannot be asked: refused")
            allowed = False
        if not allowed:
            _log.info("refused", question=request.path.strip("/"))
        return web.Response(text="allow" if allowed else "deny")

    made = web.Application(client_max_size=_LARGEST_QUESTION)
    for path in answers:
        made.router.add_post(path, answer)
    return made


@contextlib.asynccontextmanager
async def running(port: int, lookup: Lookup) -> AsyncIterator[None]:
    """Answering on 127.0.0.1:port inside the block. Raises SettingError if the port is taken."""
    runner = web.AppRunner(application(lookup), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError:
            raise SettingError("--port", f"port {port} is in use or not allowed") from None
        yield
    finally:
        await runner.cleanup()
