"""Where the broker is and how to prove who is who, from MQTT_URL and TELEHEALTH_MQTT_*."""

from __future__ import annotations

import dataclasses
import ssl
import urllib.parse
from dataclasses import dataclass, field

from telehealth.config import Settings
from telehealth.errors import SettingError

#: OpenSSL's codes of a certificate that was verified and does not fit: name or address; not yet or no longer valid.
_ANOTHER_HOST, _NOT_NOW = (62, 64), (9, 10)


@dataclass(frozen=True)
class Address:
    """A broker and the service's credentials there."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    #: Files in PEM: who signed the broker's certificate (None: whom the system trusts), our certificate, its key.
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """For a connection by TLS; the broker's name is checked. Raises SettingError for a file."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError):
            raise SettingError("TELEHEALTH_MQTT_CA", "is not a file of PEM certificates that can be read") from None
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except (OSError, ssl.SSLError):
                raise SettingError("TELEHEALTH_MQTT_CERTIFICATE", "or its key cannot be read") from None
        return context

    def secured(self) -> ssl.SSLContext | None:
        """context() if the connection is by TLS."""
        return self.context() if self.tls else None

    def trouble(self, error: BaseException, *, setting: str = "MQTT_URL") -> str | None:
        """What an operator can do about a TLS connection that failed; None if the error is of another kind."""
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = error.verify_message
            if error.verify_code in _ANOTHER_HOST:
                return f"{setting}: the broker's certificate is for another host ({reason})"
            if error.verify_code in _NOT_NOW:
                return f"{setting}: the broker's {reason}"
            return f"TELEHEALTH_MQTT_CA: does not vouch for the broker's certificate ({reason})"
        if not isinstance(error, ssl.SSLError):
            return None
        reason = (error.reason or "").upper()
        if "CERTIFICATE_REQUIRED" in reason or (self.certificate is None and "HANDSHAKE_FAILURE" in reason):
            return "TELEHEALTH_MQTT_CERTIFICATE: the broker asks for a client certificate"
        if "ALERT" in reason and ("CA" in reason.split("_") or "CERTIFICATE" in reason):
            return "TELEHEALTH_MQTT_CERTIFICATE: the broker does not accept it"
        if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return f"{setting}: this port does not speak TLS"
        return f"{setting}: TLS failed ({reason.lower().replace('_', ' ')})"


def of(settings: Settings, *, administration: bool = False) -> Address:
    """The service's address, or that of its administration. Raises SettingError, for the files too."""
    name = "TELEHEALTH_MQTT_ADMIN_URL" if administration else "MQTT_URL"
    where = parse(settings.needed("mqtt_admin_url" if administration else "mqtt_url"), setting=name)
    own = {"ca": settings.mqtt_ca, "certificate": settings.mqtt_certificate, "key": settings.mqtt_key}
    if not where.tls:
        # Somebody who sets them believes that the connection is protected.
        for key, value in own.items():
            if value is not None:
                raise SettingError(f"TELEHEALTH_MQTT_{key.upper()}", f"needs an {name} that begins with mqtts://")
        return where
    if (settings.mqtt_certificate is None) != (settings.mqtt_key is None):
        raise SettingError("TELEHEALTH_MQTT_KEY", "and TELEHEALTH_MQTT_CERTIFICATE go together")
    where = dataclasses.replace(
        where, ca=settings.mqtt_ca, certificate=settings.mqtt_certificate, key=settings.mqtt_key
    )
    where.context()
    return where


def parse(url: str, *, setting: str = "MQTT_URL") -> Address:
    """mqtt://user:password@host:port or mqtts://...; user and password percent-encoded. Raises SettingError."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingError(setting, "is not an address") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise SettingError(setting, "must look like mqtt://user:password@host:1883 or mqtts://...:8883")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingError(setting, "has something after the port")
    tls = parts.scheme == "mqtts"
    return Address(
        host=parts.hostname,
        port=port or (8883 if tls else 1883),
        tls=tls,
        username=None if parts.username is None else urllib.parse.unquote(parts.username),
        password=None if parts.password is None else urllib.parse.unquote(parts.password),
    )
