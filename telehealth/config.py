"""All settings, read in one place into one frozen object.

Environment variables (or a .env file): DATABASE_URL, DATABASE_OWNER_URL, MQTT_URL and
TELEHEALTH_*. A wrong or missing setting is one clear line and exit status 2 before anything is
opened. Values never appear in messages: they may be secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from telehealth.errors import SettingError


class Settings(BaseSettings):
    """What one process runs with. Units are in the names."""

    model_config = SettingsConfigDict(
        env_prefix="TELEHEALTH_",
        env_file=".env",
        frozen=True,
        hide_input_in_errors=True,
        extra="ignore",
        env_ignore_empty=True,
    )

    #: PostgreSQL as the application role, postgresql://user:password@host:port/database
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    #: The same database as the owner role; migrate only.
    database_owner_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_OWNER_URL")
    #: The broker, mqtt://user:password@host:port or mqtts://...
    mqtt_url: SecretStr | None = Field(default=None, validation_alias="MQTT_URL")
    #: PEM of who signed the broker's certificate, where the system does not know them already.
    mqtt_ca: str | None = None
    #: PEM of the service's own certificate and its key, where the broker asks for one.
    mqtt_certificate: str | None = None
    mqtt_key: str | None = None
    #: The account that keeps Mosquitto's dynamic security in step with the registry, as MQTT_URL.
    mqtt_admin_url: SecretStr | None = None

    host: str = Field(default="127.0.0.1", max_length=255)
    port: int = Field(default=8080, ge=0, le=65535)
    #: How browsers reach us, e.g. https://ward.example; cookies are Secure when it is https.
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")
    #: Where links in mails lead, where that is not public_url: the demo, which is reached on its own machine only.
    links_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")
    tls_certificate: str | None = None
    tls_key: str | None = None
    #: Addresses of proxies whose X-Forwarded-* headers are believed, comma-separated.
    trusted_proxies: str = ""
    roles: str = Field(default="ingest,alerting,web,consult,notify", pattern=r"^[a-z]+(,[a-z]+)*$")
    log_level: str = Field(default="info", pattern=r"^(debug|info|warning|error)$")
    database_connections: int = Field(default=12, ge=4, le=200)
    #: Within a transaction nobody stands still for longer: the database ends it, and another process goes on.
    database_stall_seconds: float = Field(default=5.0, ge=2, le=600)
    session_hours: float = Field(default=12.0, gt=0, le=72)
    #: What an alert that a human handles takes of a nurse's time, for dry runs of rules; not set: 15, to be approved.
    nurse_minutes_per_alert: float | None = Field(default=None, gt=0, le=480)
    #: Messages taken from the broker and not yet committed; the live lane, all slots. Memory is bounded by it.
    ingest_window: int = Field(default=4000, ge=1, le=65535)
    ingest_backlog_window: int = Field(default=200, ge=1, le=65535)
    #: What was refused, and how often, counted from when it last came.
    retain_quarantine_days: int = Field(default=90, ge=1, le=3650)
    #: Every day's state of the evaluation; older ones are thinned out.
    retain_checkpoint_days: int = Field(default=60, ge=1, le=3650)
    #: Receipts' bookkeeping of streams, and of messages without a time, that nobody has continued.
    retain_stream_days: int = Field(default=400, ge=90, le=36500)

    #: Shares of the broker's messages; as many processes can take readings in. The same for all of them.
    ingest_slots: int = Field(default=2, ge=1, le=64)
    #: Device messages by HTTP that are read or wait to be stored at one time; more are told to come again.
    http_messages: int = Field(default=64, ge=1, le=1000)

    #: Directory of pathway files (TOML) of the hospital's own, beside the packaged ones.
    pathways_dir: str | None = Field(default=None, max_length=1000)

    #: Media workers of this machine, a process each; 0: as many as it has cores, less one for everything else.
    media_workers: int = Field(default=0, ge=0, le=64)
    #: The address at which media workers take the service's orders, and under which other processes of it find them.
    media_host: str = Field(default="127.0.0.1", max_length=255)
    #: Voices and pictures that one worker forwards at most: about two thirds of a core. Ten people are 180.
    media_streams: int = Field(default=200, ge=2, le=10_000)
    #: Relays for browsers behind firewalls, comma-separated: turn:relay.example:3478?transport=udp,turns:...
    turn_urls: str | None = Field(default=None, pattern=r"^turns?:[^\s,]+(,turns?:[^\s,]+)*$")
    #: static-auth-secret of coturn.
    turn_secret: SecretStr | None = None
    #: Where recordings lie; without it nothing can be recorded.
    recordings_dir: str | None = Field(default=None, max_length=1000)
    #: 32 bytes in base64 that wrap the key of each recording; several, comma-separated, the first for new ones.
    recording_keys: SecretStr | None = None
    #: The mail server, smtp://user:password@host:port (smtps:// for TLS from the start); without it no mail is sent.
    smtp_url: SecretStr | None = None
    #: Who mails come from.
    mail_from: str | None = Field(default=None, pattern=r"^[^@\s<>]+@[^@\s<>]+$", max_length=254)

    #: The control API of a telehealth-sim serve on this computer, for the testers' page; and its token.
    simulator_url: str | None = Field(default=None, pattern=r"^http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}$")
    simulator_token: SecretStr | None = None

    #: For chaos tests only: see telehealth.failpoints.
    failpoints: str | None = None

    @property
    def links(self) -> str | None:
        """Where links in mails lead; None: nobody has said how browsers reach us."""
        return self.links_url or self.public_url

    def needed(self, name: str) -> str:
        """The value of a setting that the command at hand cannot do without."""
        value: Any = getattr(self, name)
        if value is None:
            raise SettingError(_variable(name), "is not set")
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def from_environment(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the environment once. Raises SettingError naming the first wrong variable."""
    try:
        return Settings(**dict(overrides or {}))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise SettingError(_variable(str(first["loc"][0])), first["msg"]) from None


def _variable(name: str) -> str:
    field = Settings.model_fields.get(name)
    if field is not None and isinstance(field.validation_alias, str):
        return field.validation_alias
    return name if name.isupper() else f"TELEHEALTH_{name.upper()}"
