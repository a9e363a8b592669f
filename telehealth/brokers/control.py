"""A conversation with Mosquitto's dynamic security plugin: commands on $CONTROL, each answered."""

from __future__ import annotations

import contextlib
import itertools
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from telehealth import clock
from telehealth.brokers import dynamic
from telehealth.errors import SettingError, Unavailable

_TOPIC = "$CONTROL/dynamic-security/v1"
_ANSWER = f"{_TOPIC}/response"
_SECONDS = 10.0
#: Mosquitto writes its whole file at each command, and does nothing else meanwhile: so many, then others' turn.
_AT_ONCE = 20
#: Clients or roles in one answer, so that it stays small.
_PAGE = 200


@dataclass(frozen=True)
class Account:
    """Where and as whom. tls: None for a connection without."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = None


def account(host: str, port: int, username: str | None, password: str | None, tls: ssl.SSLContext | None) -> Account:
    """Raises SettingError for what the URL lacks."""
    if username is None or password is None:
        raise SettingError("TELEHEALTH_MQTT_ADMIN_URL", "needs a user name and a password")
    return Account(host, port, username, password, tls)


class Session:
    """Use opened(). Not for several threads."""

    def __init__(self, client: paho.Client) -> None:
        self._client = client
        self._granted: bool | None = None
        self._refused: str | None = None
        self._answers: dict[str, list[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    def connect(self, account: Account) -> None:
        """Raises Unavailable."""
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda _c, _d, _m, reasons, _p: self._is_granted(reasons)
        self._client.on_message = lambda _c, _d, message: self._answered(bytes(message.payload))
        try:
            self._client.connect(account.host, account.port, keepalive=30)
        except OSError as error:
            raise Unavailable(f"the broker cannot be reached ({type(error).__name__})") from error
        self._until(lambda: self._granted is not None or self._refused is not None)
        if self._refused is not None:
            raise Unavailable(f"the broker refused the administrator: {self._refused}")
        if not self._granted:
            raise Unavailable("the broker has no dynamic security, or not for this administrator")

    def state(self) -> dynamic.State:
        """What the plugin holds now."""
        return dynamic.read(
            list(self._pages("listClients", "clients")),
            list(self._pages("listRoles", "roles")),
            self.ask([{"command": "getDefaultACLAccess"}])[0]["data"]["acls"],
        )

    def ask(self, commands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers, one for each command and in order; what failed has an error. Raises Unavailable."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(commands), _AT_ONCE):
            some = commands[start : start + _AT_ONCE]
            names = [str(next(self._numbers)) for _ in some]
            numbered = [{**command, "correlationData": name} for command, name in zip(some, names, strict=True)]
            self._client.publish(_TOPIC, json.dumps({"commands": numbered}), qos=1)
            self._until(lambda last=names[-1]: last in self._answers)
            found += [self._answers.pop(name)[0] for name in names if name in self._answers]
        return found

    def _pages(self, command: str, key: str) -> Iterator[dict[str, Any]]:
        for offset in itertools.count(0, _PAGE):
            asked = {"command": command, "verbose": True, "count": _PAGE, "offset": offset}
            data = self.ask([asked])[0]["data"]
            yield from data[key]
            if offset + _PAGE >= data["totalCount"]:
                return

    def _connected(self, client: paho.Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            self._refused = str(reason)
        else:
            client.subscribe(_ANSWER, qos=1)

    def _is_granted(self, reasons: Sequence[Any]) -> None:
        self._granted = not any(reason.is_failure for reason in reasons)

    def _answered(self, payload: bytes) -> None:
        # Others may be talking to the plugin too: their answers come here as well.
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            for each in json.loads(payload).get("responses", ()):
                if isinstance(each.get("correlationData"), str):
                    self._answers[each["correlationData"]] = [each]

    def _until(self, reached: Any) -> None:
        deadline = clock.monotonic() + _SECONDS
        while not reached():
            if clock.monotonic() > deadline:
                raise Unavailable("the broker does not answer the administrator")
            if self._client.loop(0.2) not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_AGAIN) and self._refused is None:
                raise Unavailable("the broker closed the administrator's connection")


@contextlib.contextmanager
def opened(account: Account) -> Iterator[Session]:
    """A conversation for the duration of the block. Blocks; raises Unavailable."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311, reconnect_on_failure=False)
    client.username_pw_set(account.username, account.password)
    if account.tls is not None:
        client.tls_set_context(account.tls)
    session = Session(client)
    try:
        session.connect(account)
        yield session
    finally:
        client.disconnect()
        client.loop(0)
        client._reset_sockets()  # paho leaves its own pair open


@dataclass(frozen=True)
class Done:
    """How many commands it took, and what the broker said to those that failed."""

    commands: int
    errors: tuple[str, ...] = ()


def bring_in_step(account: Account, target: dynamic.State) -> Done:
    """Read what the broker holds and change what differs. Blocks; raises Unavailable."""
    with opened(account) as session:
        needed = list(dynamic.commands(session.state(), target))
        answers = session.ask(needed)
    return Done(len(needed), tuple(f"{each['command']}: {each['error']}" for each in answers if "error" in each))
