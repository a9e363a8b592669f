"""What brokers must know of devices: names and password hashes, never passwords."""

from __future__ import annotations

from telehealth.store.db import Connection
from telehealth.store.queries import sql


async def of_device(connection: Connection, device_id: str) -> str | None:
    """The password hash of a device; None when there is none or it is revoked."""
    found: str | None = await connection.fetchval(sql("credentials.of_device"), device_id)
    return found


async def of_all_devices(connection: Connection) -> dict[str, str]:
    """device_id -> password hash, of devices that are not revoked, in order of device_id."""
    return {row["device_id"]: row["password_hash"] for row in await connection.fetch(sql("credentials.of_all_devices"))}
