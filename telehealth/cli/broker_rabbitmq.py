"""telehealth broker rabbitmq-config|rabbitmq-auth"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telehealth import errors
from telehealth.cli import terminal

if TYPE_CHECKING:
    from telehealth.brokers import rabbitmq

AuthorityPort = Annotated[int, typer.Option(help="Where rabbitmq-auth answers, on 127.0.0.1.", min=1, max=65535)]
_AUTHORITY_PORT = 15680


def configure(
    directory: Annotated[Path, typer.Option(help="Where to write; made if it is not there.", file_okay=False)],
    port: Annotated[int, typer.Option(help="Of the devices' listener.", min=1, max=65535)] = 1883,
    listener: Annotated[str, typer.Option(help="Address of the devices' listener.")] = "127.0.0.1",
    service_port: Annotated[
        int | None, typer.Option(help="Of the service's listener on 127.0.0.1; else MQTT_URL's, else port + 1.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM, for TLS on the devices' listener.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM, of the certificate.")] = None,
    authority_port: AuthorityPort = _AUTHORITY_PORT,
    queued_messages: Annotated[int, typer.Option(help="Most messages waiting for the service.", min=1000)] = 200_000,
    json: terminal.Json = False,
) -> None:
    """Write a set-up for RabbitMQ's MQTT plugin. Devices are not in it: RabbitMQ asks `broker rabbitmq-auth`.

    The service's password is MQTT_URL's if that is set, else the present one, else a new one, shown once.
    """

    async def job() -> None:
        from telehealth import config
        from telehealth.brokers import rabbitmq, rules
        from telehealth.ingest import address

        if (certificate is None) != (key is None):
            raise errors.SettingError("--key", "and --certificate go together")
        given = config.from_environment().mqtt_url
        where = address.parse(given.get_secret_value()) if given is not None else None
        user = (where.username if where is not None else None) or rules.SERVICE
        own = service_port if service_port is not None else where.port if where is not None else port + 1
        plan = rabbitmq.Plan(
            directory.resolve(),
            devices=(listener, port),
            service=None if own == port else ("127.0.0.1", own),
            authority_port=authority_port,
            service_user=user,
            certificate=certificate.resolve() if certificate is not None else None,
            key=key.resolve() if key is not None else None,
            queued_messages=queued_messages,
        )
        found = _written(plan, where.password if where is not None else None, own)
        terminal.answer(found, as_json=json, text=_text(found, authority_port))

    terminal.run(job)


def _written(plan: rabbitmq.Plan, password: str | None, port: int) -> dict[str, object]:
    """Write what is not there yet or has changed; what was done, with the password if one was made."""
    from telehealth.brokers import mosquitto, rabbitmq
    from telehealth.model import secrets

    stored, made = rabbitmq.kept_hash(plan.directory, plan.service_user, password), None
    if stored is None:
        made = secrets.new_device_password() if password is None else None
        stored = rabbitmq.hash_password(password or made or "")
    changed = mosquitto.write_files(
        plan.directory,
        {
            rabbitmq.CONFIGURATION: rabbitmq.configuration(plan),
            rabbitmq.DEFINITIONS: rabbitmq.definitions(plan, stored),
            rabbitmq.PLUGINS: rabbitmq.plugins(),
        },
        account="rabbitmq",
    )
    return {
        "configuration": str(plan.directory / rabbitmq.CONFIGURATION),
        "changed": changed,
        "mqtt_url": f"mqtt://{plan.service_user}:{made}@127.0.0.1:{port}" if made is not None else None,
        "environment": {
            "RABBITMQ_CONFIG_FILE": str(plan.directory / rabbitmq.CONFIGURATION),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plan.directory / rabbitmq.PLUGINS),
        },
    }


def authorise(
    port: AuthorityPort = _AUTHORITY_PORT,
    rabbitmqctl: Annotated[
        str, typer.Option(help="To throw out revoked devices; empty: they stay until they reconnect.")
    ] = "rabbitmqctl",
) -> None:
    """Answer RabbitMQ's questions from the registry, and throw out revoked devices, until Ctrl-C or SIGTERM."""

    async def job() -> None:
        from telehealth import config, log
        from telehealth.brokers import authority, keeping, rabbitmq, rules
        from telehealth.ingest import address
        from telehealth.store import db

        settings = config.from_environment()
        log.configure(settings.log_level)
        service = rules.SERVICE
        if settings.mqtt_url is not None:
            service = address.parse(settings.mqtt_url.get_secret_value()).username or service
        async with (
            db.Database.open(settings.needed("database_url"), size=4, name="telehealth-broker") as database,
            authority.running(port, keeping.lookup(database)),
        ):
            keep = keeping.thrown_out(rabbitmq.Control(rabbitmqctl), service)
            await terminal.until_signal(keeping.follow(database, keep) if rabbitmqctl else _for_ever())

    terminal.run(job)


async def _for_ever() -> None:
    await asyncio.Event().wait()


def _text(found: Mapping[str, object], authority_port: int) -> str:
    lines = [str(found["configuration"])]
    if found["mqtt_url"] is not None:
        lines.append(f"MQTT_URL={found['mqtt_url']}   (shown once; the service needs it)")
    environment = found["environment"]
    assert isinstance(environment, dict)
    lines.append("Start RabbitMQ with these in its environment:")
    lines += [f"  {name}={value}" for name, value in environment.items()]
    lines.append(f"and beside it: telehealth broker rabbitmq-auth --port {authority_port}")
    return "\n".join(lines)
