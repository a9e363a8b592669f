"""Messages offered live at a steady rate: how long until their receipts, and how much memory the service takes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from telehealth.bench import load, offered, processes, raw, servers
from telehealth.errors import Unavailable
from telehealth.store.db import Database

_QUIET_SECONDS = 30.0
_RECEIPTS = "telehealth/v1/+/receipts"


@dataclass(frozen=True)
class Plan:
    """name: no other phase's. each_connected: every device has a connection of its own, else all share one."""

    name: str
    a_second: int = 2000
    seconds: int = 30
    devices: int = 1000
    each_connected: bool = False
    whole_pathways: bool = False


class Live(msgspec.Struct):
    """Milliseconds from publish to receipt; bytes: most of the service's resident memory."""

    messages_a_second: int
    seconds: int
    devices: int
    connections: int
    messages: int
    receipt_ms: offered.Percentiles
    service_bytes: int


async def measure(plan: Plan, url: str, broker: servers.Mosquitto) -> Live:
    """Offer messages to the whole service. Raises Unavailable if one is not answered."""
    async with Database.open(url, size=4) as database:
        fleet = await load.fleet(database, plan.devices, prefix=plan.name, whole_pathways=plan.whole_pathways)
    devices = offered.Devices(fleet.device_ids, plan.name)
    ear = raw.Client(f"bench-{plan.name}", devices.heard)
    own = [raw.Client(name, lambda *_: None) for name in fleet.device_ids] if plan.each_connected else []
    step = 7 if plan.devices % 7 else 11

    def send(n: int) -> None:
        which = n * step % plan.devices
        client = own[which] if own else ear
        devices.publish(client, fleet.device_ids[which], offered.pair(94 + n % 5, 70 + n % 20))

    async with (
        processes.serving(url, broker) as service,
        offered.connected(broker.port, [ear], [_RECEIPTS]),
        offered.connected(broker.port, own),
    ):
        await offered.steadily(plan.a_second, plan.seconds, send, ear.drain)
        answered = await devices.all_settled(_QUIET_SECONDS)
    await processes.forget_sessions(broker)
    if not answered:
        raise Unavailable(f"{devices.sent - devices.settled} of {devices.sent} messages got no receipt")
    return Live(
        plan.a_second,
        plan.seconds,
        plan.devices,
        len(own) + 1,
        devices.sent,
        offered.percentiles(devices.took),
        service.most_bytes,
    )
