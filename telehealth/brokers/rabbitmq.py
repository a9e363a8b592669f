"""A RabbitMQ set-up for its MQTT plugin: configuration, definitions, and how to throw somebody out.

Written for RabbitMQ 3.10 (Debian 12), which speaks MQTT 3.1.1. It cannot be given our hashes of devices' passwords,
so it asks us (authority) who may come in and do what; only the service's own account is RabbitMQ's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telehealth.brokers import rules
from telehealth.errors import Unavailable

CONFIGURATION, DEFINITIONS, PLUGINS = "rabbitmq.conf", "definitions.json", "enabled_plugins"
VHOST, EXCHANGE = "/", "amq.topic"
#: How the service's client ids begin. Queues are named after client ids.
SERVICE_CLIENTS = "telehealth-"
_SERVICE_QUEUES = f"mqtt-subscription-{SERVICE_CLIENTS}"
_MESSAGE_BYTES = 1024 * 1024
_QUEUED_FOR_A_DEVICE = 1000
_SESSION_MILLISECONDS = 14 * 24 * 3600 * 1000
_SECONDS = 20.0

#: Connected users with the process of their connection. For 3.10: MQTT connections are in no list of the core's.
_LIST = (
    "[U || {_, P} <- rabbit_mqtt_collector:list(), "
    "[{user, U}] <- [catch rabbit_mqtt_reader:info(P, [user])], is_binary(U)]."
)
_CUT = (
    "[exit(P, shutdown) || {{_, P}} <- rabbit_mqtt_collector:list(), "
    "[{{user, U}}] <- [catch rabbit_mqtt_reader:info(P, [user])], lists:member(U, [{users}])]."
)
_USER = re.compile(r'<<"([A-Za-z0-9_-]{1,64})">>')


@dataclass(frozen=True)
class Plan:
    """What to write. Addresses are host and port; authority: where we answer its questions, on 127.0.0.1."""

    directory: Path
    devices: tuple[str, int]
    service: tuple[str, int] | None
    authority_port: int
    service_user: str = rules.SERVICE
    certificate: Path | None = None
    key: Path | None = None
    queued_messages: int = 200_000


def configuration(plan: Plan) -> str:
    """The text of rabbitmq.conf."""
    asked = f"http://127.0.0.1:{plan.authority_port}"
    listeners = [f"mqtt.listeners.{'tcp' if plan.certificate is None else 'ssl'}.1 = {_at(plan.devices)}"]
    if plan.service is not None:
        listeners.append(f"mqtt.listeners.tcp.2 = {_at(plan.service)}")
    if plan.certificate is not None:
        listeners += ["ssl_options.verify = verify_none", "ssl_options.fail_if_no_peer_cert = false"]
        listeners += [f"ssl_options.certfile = {plan.certificate}", f"ssl_options.keyfile = {plan.key}"]
        if plan.service is None:
            listeners.append("mqtt.listeners.tcp = none")
    lines = [
        "# Written by `telehealth broker rabbitmq-config`; run it again instead of editing.",
        "# MQTT only: no AMQP listener.",
        "listeners.tcp = none",
        *listeners,
        "mqtt.allow_anonymous = false",
        f"mqtt.vhost = {VHOST}",
        f"mqtt.exchange = {EXCHANGE}",
        "# Its own 10 would be all that the service can have in hand: it acknowledges only after commit.",
        "mqtt.prefetch = 4000",
        f"mqtt.subscription_ttl = {_SESSION_MILLISECONDS}",
        "mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_dets",
        f"max_message_size = {_MESSAGE_BYTES}",
        "",
        "# The service's account is in the definitions; for devices `telehealth broker rabbitmq-auth` is asked.",
        f"load_definitions = {plan.directory / DEFINITIONS}",
        "auth_backends.1 = internal",
        "auth_backends.2 = http",
        "auth_http.http_method = post",
        *(f"auth_http.{each}_path = {asked}/{each}" for each in ("user", "vhost", "resource", "topic")),
    ]
    return "\n".join(lines) + "\n"


def definitions(plan: Plan, password_hash: str) -> str:
    """The text of the definitions: the service's account, what it may do, and how long its queues may grow."""
    user = plan.service_user
    own = f"^({re.escape(_SERVICE_QUEUES)}.*|{re.escape(EXCHANGE)})$"
    answers = "|".join(rules.DEVICE_READS)
    check = rules.CHECK.replace("/", "\\.")
    document = {
        "vhosts": [{"name": VHOST}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash,
                "hashing_algorithm": "rabbit_password_hashing_sha512",
                "tags": "",
            }
        ],
        "permissions": [{"user": user, "vhost": VHOST, "configure": own, "write": own, "read": own}],
        "topic_permissions": [
            {
                "user": user,
                "vhost": VHOST,
                "exchange": EXCHANGE,
                "write": f"^(telehealth\\.v1\\.[^.]+\\.({answers})|{check}\\..*)$",
                "read": f"^(telehealth\\.v1|{check})\\.",
            }
        ],
        "policies": [
            # Refused, not dropped: the device is not told that it arrived, and keeps it.
            _policy(user, _SERVICE_QUEUES, plan.queued_messages, "reject-publish", priority=1),
            # Receipts and commands for a device that is away: the newest say all.
            _policy("devices", "mqtt-subscription-", _QUEUED_FOR_A_DEVICE, "drop-head", priority=0),
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _policy(name: str, queues: str, length: int, overflow: str, *, priority: int) -> dict[str, Any]:
    return {
        "vhost": VHOST,
        "name": name,
        "pattern": f"^{re.escape(queues)}",
        "apply-to": "queues",
        "priority": priority,
        "definition": {"max-length": length, "overflow": overflow},
    }


def plugins() -> str:
    """The text of enabled_plugins."""
    return "[rabbitmq_mqtt,rabbitmq_auth_backend_http].\n"


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """As RabbitMQ keeps it: salted SHA-512, for random passwords."""
    salt = secrets.token_bytes(4) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha512(salt + password.encode()).digest()).decode()


def kept_hash(directory: Path, user: str, password: str | None) -> str | None:
    """The hash that the present definitions have for the service, if it is of this password (None: any)."""
    try:
        users = json.loads((directory / DEFINITIONS).read_text("utf-8"))["users"]
        stored = str(next(each["password_hash"] for each in users if each["name"] == user))
        salt = base64.b64decode(stored)[:4]
    except (OSError, ValueError, KeyError, StopIteration):
        return None
    return stored if password is None or hash_password(password, salt=salt) == stored else None


@dataclass(frozen=True)
class Control:
    """rabbitmqctl of the node that the environment names."""

    program: str = "rabbitmqctl"
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    account: str | None = None

    async def connected(self) -> set[str]:
        """User names of the MQTT clients that are connected. Raises Unavailable."""
        return set(_USER.findall(await self._eval(_LIST)))

    async def cut(self, users: Collection[str]) -> None:
        """End the connections of these users. Raises Unavailable."""
        names = ", ".join(f'<<"{user}">>' for user in sorted(users) if rules.is_device_id(user))
        await self._eval(_CUT.format(users=names))

    async def _eval(self, expression: str) -> str:
        options: dict[str, Any] = {} if self.account is None else {"user": self.account, "cwd": "/"}
        try:
            process = await asyncio.create_subprocess_exec(
                self.program,
                "eval",
                expression,
                env=dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                **options,
            )
        except OSError as error:
            raise Unavailable(f"rabbitmqctl cannot be run ({error.strerror})") from None
        try:
            async with asyncio.timeout(_SECONDS):
                found, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Unavailable("rabbitmqctl does not come to an end") from None
        if process.returncode:
            raise Unavailable(f"rabbitmqctl failed (status {process.returncode})")
        return found.decode(errors="replace")


def _at(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
