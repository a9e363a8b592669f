"""Where the broker is, from MQTT_URL."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass, field

from telehealth.errors import SettingError


@dataclass(frozen=True)
class Address:
    """A broker and the service's credentials there."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse(url: str) -> Address:
    """mqtt://user:password@host:port or mqtts://...; user and password percent-encoded. Raises SettingError."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingError("MQTT_URL", "is not an address") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise SettingError("MQTT_URL", "must look like mqtt://user:password@host:1883 or mqtts://...:8883")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingError("MQTT_URL", "has something after the port")
    tls = parts.scheme == "mqtts"
    return Address(
        host=parts.hostname,
        port=port or (8883 if tls else 1883),
        tls=tls,
        username=None if parts.username is None else urllib.parse.unquote(parts.username),
        password=None if parts.password is None else urllib.parse.unquote(parts.password),
    )
