"""telehealth broker sync"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telehealth import errors
from telehealth.cli import terminal

if TYPE_CHECKING:
    from telehealth.brokers.keeping import Keep
    from telehealth.config import Settings


def sync(
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C or SIGTERM.")] = False,
    directory: Annotated[
        Path | None, typer.Option(help="Where mosquitto-config wrote: keep its password file too.", file_okay=False)
    ] = None,
    pid_file: Annotated[Path | None, typer.Option(help="Of the running Mosquitto: have it reload passwords.")] = None,
    json: terminal.Json = False,
) -> None:
    """Bring a running Mosquitto in step with the registry; a revoked device's connection ends.

    With TELEHEALTH_MQTT_ADMIN_URL roles and clients of its dynamic security; with --directory the password file, on
    the broker's computer and as an account that may write it and signal Mosquitto.
    """

    async def job() -> int:
        from telehealth import config, log
        from telehealth.brokers import keeping
        from telehealth.store import db

        settings = config.from_environment()
        log.configure(settings.log_level if watch else "warning")
        keep = _keep(settings, directory, pid_file)
        async with db.Database.open(settings.needed("database_url"), size=2, name="telehealth-broker") as database:
            if not watch:
                return await keeping.once(database, keep)
            await terminal.until_signal(keeping.follow(database, keep))
            return 0

    devices = terminal.run(job)
    if not watch:
        terminal.answer({"devices": devices}, as_json=json, text=f"in step: {devices} devices")


def _keep(settings: Settings, directory: Path | None, pid_file: Path | None) -> Keep:
    from telehealth.brokers import control, dynamic, keeping, rules
    from telehealth.ingest import address

    service = rules.SERVICE
    if settings.mqtt_url is not None:
        service = address.parse(settings.mqtt_url.get_secret_value()).username or service
    keeps, admin = [], dynamic.ADMIN
    if settings.mqtt_admin_url is not None:
        where = address.of(settings, administration=True)
        account = control.account(where.host, where.port, where.username, where.password, where.secured())
        keeps.append(keeping.dynamic_security(account, service))
        admin = account.username
    if directory is not None:
        folder = directory.resolve()
        # The passwords first: whoever may come in finds a role a moment later, not the other way round.
        keeps.insert(0, keeping.password_file(folder, (service, admin), pid_file.resolve() if pid_file else None))
    if not keeps:
        raise errors.SettingError("TELEHEALTH_MQTT_ADMIN_URL", "or --directory must be given")
    return keeping.all_of(keeps)
