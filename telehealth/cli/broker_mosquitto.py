"""telehealth broker mosquitto-config"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from telehealth import errors
from telehealth.cli import terminal

if TYPE_CHECKING:
    from telehealth.brokers import mosquitto
    from telehealth.config import Settings
    from telehealth.ingest import address


def configure(
    directory: Annotated[Path, typer.Option(help="Where to write; made if it is not there.", file_okay=False)],
    port: Annotated[int, typer.Option(help="Of the devices' listener.", min=1, max=65535)] = 1883,
    listener: Annotated[str, typer.Option(help="Address of the devices' listeners.")] = "127.0.0.1",
    service_port: Annotated[
        int | None, typer.Option(help="Of the service's listener; else MQTT_URL's, else port + 1.")
    ] = None,
    service_listener: Annotated[str, typer.Option(help="Address of the service's listener.")] = "127.0.0.1",
    certificate: Annotated[
        Path | None, typer.Option(help="PEM, for TLS for devices, and for the service if MQTT_URL says mqtts.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM, of the certificate.")] = None,
    client_ca: Annotated[Path | None, typer.Option(help="PEM of who signs devices' client certificates.")] = None,
    certificate_port: Annotated[
        int | None, typer.Option(help="Of a listener for devices with a certificate: its CN is the device_id.")
    ] = None,
    dynamic_security: Annotated[
        bool, typer.Option("--dynamic-security", help="One role per device, by the plugin, instead of topic rules.")
    ] = False,
    pid_file: Annotated[Path | None, typer.Option(help="Of a running Mosquitto: have it reload.")] = None,
    queued_messages: Annotated[int, typer.Option(help="Most messages waiting for one client.", min=1000)] = 200_000,
    json: terminal.Json = False,
) -> None:
    """Write a Mosquitto set-up in step with the registry: configuration, credentials, topic rules.

    Run it again after devices were added or revoked, or let `telehealth broker sync` do it. The service's
    password is MQTT_URL's if that is set, else the present one, else a new one, shown once; the administrator's
    (dynamic security only) likewise, by TELEHEALTH_MQTT_ADMIN_URL.
    """

    async def job() -> None:
        from telehealth import config
        from telehealth.brokers import mosquitto
        from telehealth.store import credentials

        _check(certificate, key, client_ca, certificate_port)
        settings = config.from_environment()
        service = _service(settings, service_listener, service_port, port)
        if service.tls and certificate is None:
            raise errors.SettingError("MQTT_URL", "says mqtts: give --certificate and --key, or mqtt")
        admin = _administrator(settings)
        folder = directory.resolve()
        plan = mosquitto.Plan(
            folder,
            devices=(listener, port),
            service=None if service.at[1] == port else service.at,
            service_user=service.user,
            service_tls=service.tls,
            certificate=_resolved(certificate),
            key=_resolved(key),
            authority=_resolved(client_ca),
            certified=(listener, certificate_port) if certificate_port is not None else None,
            plugin=mosquitto.plugin() if dynamic_security else None,
            admin_user=admin.user,
            pid_file=_resolved(pid_file),
            queued_messages=queued_messages,
            run_as=None if mosquitto.reachable(folder) else "root",
        )
        async with terminal.transaction(read_only=True) as connection:
            devices = await credentials.of_all_devices(connection)
        found = _written(plan, devices, service, admin)
        terminal.answer(found, as_json=json, text=_text(found))

    terminal.run(job)


class _Account(NamedTuple):
    """An account at the broker, and where its listener is. password None: nobody has said one."""

    user: str
    password: str | None
    at: tuple[str, int] = ("127.0.0.1", 0)
    tls: bool = False


def _check(certificate: Path | None, key: Path | None, client_ca: Path | None, certificate_port: int | None) -> None:
    """Options that go together. Raises SettingError."""
    if (certificate is None) != (key is None):
        raise errors.SettingError("--key", "and --certificate go together")
    if (client_ca is None) != (certificate_port is None):
        raise errors.SettingError("--certificate-port", "and --client-ca go together")
    if client_ca is not None and certificate is None:
        raise errors.SettingError("--client-ca", "needs --certificate and --key")


def _resolved(path: Path | None) -> Path | None:
    return path.resolve() if path is not None else None


def _service(settings: Settings, listener: str, service_port: int | None, port: int) -> _Account:
    """The service's own. port: the devices'."""
    from telehealth.brokers import rules
    from telehealth.ingest import address

    if settings.mqtt_url is None:
        return _Account(rules.SERVICE, None, (listener, service_port if service_port is not None else port + 1))
    where = address.parse(settings.mqtt_url.get_secret_value())
    user, password = _credentials(where, "MQTT_URL")
    return _Account(user, password, (listener, service_port if service_port is not None else where.port), where.tls)


def _administrator(settings: Settings) -> _Account:
    from telehealth.brokers import dynamic
    from telehealth.ingest import address

    if settings.mqtt_admin_url is None:
        return _Account(dynamic.ADMIN, None)
    name = "TELEHEALTH_MQTT_ADMIN_URL"
    return _Account(*_credentials(address.parse(settings.mqtt_admin_url.get_secret_value(), setting=name), name))


def _credentials(where: address.Address, setting: str) -> tuple[str, str]:
    from telehealth.brokers import rules

    if where.username is None or where.password is None:
        raise errors.SettingError(setting, "needs a user name and a password")
    if not rules.is_device_id(where.username):
        raise errors.SettingError(setting, "its user name must be 1 to 64 of A-Z a-z 0-9 _ -")
    return where.username, where.password


def _written(plan: mosquitto.Plan, devices: Mapping[str, str], service: _Account, admin: _Account) -> dict[str, object]:
    """Write what is not there yet or has changed; what was done, with passwords that were made."""
    from telehealth.brokers import mosquitto

    folder, dynamic = plan.directory, plan.plugin is not None
    stored, made = mosquitto.account_hash(folder, service.user, service.password)
    accounts, admin_made = {service.user: stored}, None
    if dynamic:
        accounts[admin.user], admin_made = mosquitto.account_hash(folder, admin.user, admin.password)
    files = {
        mosquitto.PASSWORDS: mosquitto.passwords(devices, accounts),
        mosquitto.CONFIGURATION: mosquitto.configuration(plan),
    }
    if dynamic:
        files[mosquitto.DYNAMIC] = mosquitto.dynamic_security(devices, plan)
    else:
        files[mosquitto.TOPICS] = mosquitto.topics(service.user)
    changed = mosquitto.write(plan, files)
    reloaded = bool(changed) and plan.pid_file is not None and plan.pid_file.exists()
    if reloaded and plan.pid_file is not None:
        mosquitto.reload(plan.pid_file)
    own = plan.service or plan.devices
    scheme, at = "mqtts" if service.tls else "mqtt", f"{'127.0.0.1' if own[0] == '0.0.0.0' else own[0]}:{own[1]}"
    return {
        "configuration": str(folder / mosquitto.CONFIGURATION),
        "devices": len(devices),
        "changed": changed,
        "reloaded": reloaded,
        "mqtt_url": f"{scheme}://{service.user}:{made}@{at}" if made is not None else None,
        "mqtt_admin_url": f"{scheme}://{admin.user}:{admin_made}@{at}" if admin_made is not None else None,
        "warnings": _warnings(plan, changed, shared=plan.service is None),
    }


def _warnings(plan: mosquitto.Plan, changed: Sequence[str], *, shared: bool) -> list[str]:
    from telehealth.brokers import mosquitto

    found = []
    if shared:
        found.append(
            "service and devices share a listener, so client ids cannot be bound to user names: "
            "a device can interrupt another one's session; give the service its own port in MQTT_URL"
        )
    if plan.run_as is not None:
        found.append("Mosquitto's own account cannot reach this directory, so it will stay root: choose another one")
    if plan.plugin is not None and mosquitto.DYNAMIC not in changed:
        found.append(f"{mosquitto.DYNAMIC} is Mosquitto's own by now and was left: run `telehealth broker sync`")
    return found


def _text(found: dict[str, object]) -> str:
    lines = [f"{found['configuration']}: {found['devices']} devices"]
    for name, setting in (("mqtt_url", "MQTT_URL"), ("mqtt_admin_url", "TELEHEALTH_MQTT_ADMIN_URL")):
        if found[name] is not None:
            lines.append(f"{setting}={found[name]}   (shown once; the service needs it)")
    if found["reloaded"]:
        lines.append("Mosquitto reloads it now")
    elif found["changed"]:
        lines.append("Start Mosquitto with it (mosquitto -c FILE); one that runs already: kill -HUP")
    else:
        lines.append("nothing has changed")
    warnings = found["warnings"]
    assert isinstance(warnings, list)
    return "\n".join([*lines, *(f"warning: {warning}" for warning in warnings)])
