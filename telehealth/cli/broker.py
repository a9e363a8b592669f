"""telehealth broker mosquitto-config"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(help="Brokers.", no_args_is_help=True)


@app.callback()
def root() -> None:
    pass


@app.command("mosquitto-config")
def mosquitto_config(
    directory: Annotated[Path, typer.Option(help="Where to write; made if it is not there.", file_okay=False)],
    port: Annotated[int, typer.Option(help="Of the devices' listener.", min=1, max=65535)] = 1883,
    listener: Annotated[str, typer.Option(help="Address of the devices' listener.")] = "127.0.0.1",
    service_port: Annotated[
        int | None, typer.Option(help="Of the service's listener on 127.0.0.1; else MQTT_URL's, else port + 1.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM, for TLS on the devices' listener.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM, of the certificate.")] = None,
    pid_file: Annotated[Path | None, typer.Option(help="Of a running Mosquitto: have it reload.")] = None,
    queued_messages: Annotated[int, typer.Option(help="Most messages waiting for one client.", min=1000)] = 200_000,
    json: terminal.Json = False,
) -> None:
    """Write a Mosquitto set-up in step with the registry: configuration, credentials, topic rules.

    Run it again after devices were added or revoked. The service's password is MQTT_URL's if that is set,
    else the present one, else a new one, shown once.
    """

    async def job() -> None:
        from telehealth import config
        from telehealth.brokers import mosquitto
        from telehealth.store import credentials

        if (certificate is None) != (key is None):
            raise errors.SettingError("--key", "and --certificate go together")
        given = config.from_environment().mqtt_url
        user, password, address = _service(given.get_secret_value() if given is not None else None, port, service_port)
        folder = directory.resolve()
        shared = address[1] == port
        plan = mosquitto.Plan(
            folder,
            devices=(listener, port),
            service=None if shared else address,
            service_user=user,
            certificate=certificate.resolve() if certificate is not None else None,
            key=key.resolve() if key is not None else None,
            pid_file=pid_file.resolve() if pid_file is not None else None,
            queued_messages=queued_messages,
            run_as=None if mosquitto.reachable(folder) else "root",
        )
        async with terminal.transaction(read_only=True) as connection:
            devices = await credentials.of_all_devices(connection)
        stored, made = mosquitto.service_hash(folder, user, password)
        changed = mosquitto.write(
            plan,
            {
                mosquitto.PASSWORDS: mosquitto.passwords(devices, user, stored),
                mosquitto.TOPICS: mosquitto.topics(user),
                mosquitto.CONFIGURATION: mosquitto.configuration(plan),
            },
        )
        reloaded = bool(changed) and pid_file is not None and pid_file.exists()
        if reloaded and pid_file is not None:
            mosquitto.reload(pid_file)
        found = {
            "configuration": str(folder / mosquitto.CONFIGURATION),
            "devices": len(devices),
            "changed": changed,
            "reloaded": reloaded,
            "mqtt_url": f"mqtt://{user}:{made}@{address[0]}:{address[1]}" if made is not None else None,
            "warnings": _warnings(shared=shared, run_as=plan.run_as),
        }
        terminal.answer(found, as_json=json, text=_text(found))

    terminal.run(job)


def _service(url: str | None, port: int, service_port: int | None) -> tuple[str, str | None, tuple[str, int]]:
    """User, password and address of the service's account and listener."""
    from telehealth.brokers import rules
    from telehealth.ingest import address

    if url is None:
        return rules.SERVICE, None, ("127.0.0.1", service_port if service_port is not None else port + 1)
    where = address.parse(url)
    if where.username is None or where.password is None:
        raise errors.SettingError("MQTT_URL", "needs a user name and a password")
    if not rules.is_device_id(where.username):
        raise errors.SettingError("MQTT_URL", "its user name must be 1 to 64 of A-Z a-z 0-9 _ -")
    return where.username, where.password, ("127.0.0.1", service_port if service_port is not None else where.port)


def _warnings(*, shared: bool, run_as: str | None) -> list[str]:
    found = []
    if shared:
        found.append(
            "service and devices share a listener, so client ids cannot be bound to user names: "
            "a device can interrupt another one's session; give the service its own port in MQTT_URL"
        )
    if run_as is not None:
        found.append("Mosquitto's own account cannot reach this directory, so it will stay root: choose another one")
    return found


def _text(found: dict[str, object]) -> str:
    lines = [f"{found['configuration']}: {found['devices']} devices"]
    if found["mqtt_url"] is not None:
        lines.append(f"MQTT_URL={found['mqtt_url']}   (shown once; the service needs it)")
    if found["reloaded"]:
        lines.append("Mosquitto reloads it now")
    elif found["changed"]:
        lines.append("Start Mosquitto with it (mosquitto -c FILE); one that runs already: kill -HUP")
    else:
        lines.append("nothing has changed")
    warnings = found["warnings"]
    assert isinstance(warnings, list)
    return "\n".join([*lines, *(f"warning: {warning}" for warning in warnings)])
