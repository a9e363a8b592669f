"""Keeping a broker in step with the registry while both run: at each change that is told of, and now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from telehealth import log
from telehealth.brokers import control, dynamic, mosquitto, rabbitmq
from telehealth.errors import Unavailable
from telehealth.store import credentials, db
from telehealth.store.db import Database

_log = log.get("broker")

#: A broker that was restarted or edited by hand is put right after so long.
_LOOK_SECONDS = 30.0
_AGAIN_SECONDS = 5.0

#: Given device_id -> password hash of all that are not revoked. Raises Unavailable.
Keep = Callable[[Mapping[str, str]], Awaitable[None]]


def lookup(database: Database) -> Callable[[str], Awaitable[str | None]]:
    """Of one device's password hash; raises Unavailable when the database is away."""

    async def find(device_id: str) -> str | None:
        try:
            async with database.transaction(db.service("broker"), read_only=True) as connection:
                return await credentials.of_device(connection, device_id)
        except db.AWAY as error:
            raise Unavailable from error

    return find


async def once(database: Database, keep: Keep) -> int:
    """Bring the broker in step now; returns how many devices there are. Raises Unavailable, db.AWAY."""
    async with database.transaction(db.service("broker"), read_only=True) as connection:
        devices = await credentials.of_all_devices(connection)
    await keep(devices)
    return len(devices)


async def follow(database: Database, keep: Keep) -> None:
    """Until cancelled. Whatever is away is waited for."""
    wake = asyncio.Event()
    while True:
        try:
            async with (
                database.listen("registry", lambda _device_id: wake.set()) as lost,
                asyncio.TaskGroup() as group,
            ):
                watcher = group.create_task(_pass_on(lost, wake))
                while not lost.is_set():
                    wake.clear()
                    seconds = await _tried(database, keep)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await wake.wait()
                watcher.cancel()
        except* db.AWAY:
            pass
        await asyncio.sleep(1)


async def _pass_on(lost: asyncio.Event, wake: asyncio.Event) -> None:
    await lost.wait()
    wake.set()


async def _tried(database: Database, keep: Keep) -> float:
    """Seconds until it should be done again without being asked to."""
    try:
        await once(database, keep)
    except Unavailable as error:
        _log.warning("the broker is not in step with the registry", reason=str(error))
        return _AGAIN_SECONDS
    return _LOOK_SECONDS


def dynamic_security(account: control.Account, service_user: str) -> Keep:
    """Keeps Mosquitto's roles and clients."""

    async def keep(devices: Mapping[str, str]) -> None:
        target = dynamic.wanted(devices, service_user, account.username)
        done = await asyncio.to_thread(control.bring_in_step, account, target)
        if done.commands:
            _log.info("dynamic security changed", commands=done.commands, failed=len(done.errors))
        if done.errors:
            raise Unavailable(f"dynamic security: {done.errors[0]}")

    return keep


def password_file(directory: Path, accounts: Iterable[str], pid_file: Path | None) -> Keep:
    """Keeps Mosquitto's password file; a running Mosquitto then throws out who is not in it any more."""
    names = tuple(accounts)

    async def keep(devices: Mapping[str, str]) -> None:
        if await asyncio.to_thread(mosquitto.keep_passwords, directory, devices, names, pid_file):
            _log.info("password file changed", devices=len(devices))

    return keep


def thrown_out(node: rabbitmq.Control, service_user: str) -> Keep:
    """Ends RabbitMQ's MQTT connections of users who are not in the registry any more."""

    async def keep(devices: Mapping[str, str]) -> None:
        strangers = await node.connected() - set(devices) - {service_user}
        if strangers:
            await node.cut(strangers)
            _log.info("hung up on revoked devices", devices=sorted(strangers))

    return keep


def all_of(keeps: Iterable[Keep]) -> Keep:
    """One after the other, in this order."""
    ordered = tuple(keeps)

    async def keep(devices: Mapping[str, str]) -> None:
        for each in ordered:
            await each(devices)

    return keep
