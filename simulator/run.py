"""One scenario in chosen residents, live, until it is stopped or its time is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from devices import commands
from simulator import (
    cast,
    clock,
    errors,
    faults,
    feed,
    kit,
    noise,
    outbox,
    publisher,
    receipts,
    runtime,
    scenario,
    service,
    world,
)

#: A tester's pace: spot devices measure this often, wearables this often, in seconds.
SPOT_SECONDS = 300.0
CONTINUOUS_SECONDS = 10.0
#: First measurements are spread over this many milliseconds per device, so that they do not come as one.
SPREAD_MS = 150
LAST_RECEIPTS_SECONDS = 30.0
REFUSALS_KEPT = 1000


@dataclass(frozen=True)
class Options:
    """What to run. onset_hours: the illness began this long before the start. every: seconds; None: the schedule."""

    scenario: scenario.Scenario
    seed: int
    speed: float = 1.0
    duration: float | None = None
    onset_hours: float = 0.0
    every: float | None = SPOT_SECONDS
    continuous_every: float = CONTINUOUS_SECONDS
    state: Path | None = None
    truth: str | None = None
    reproducible: bool = False
    url: str | None = None
    token: str | None = None
    #: DEVICE=FAULT each, as faults.parse reads it, from the start on.
    clocks: tuple[str, ...] = ()


def seeded_stream(seed: int) -> Callable[[str], str]:
    """Streams that follow from the seed, for runs that are to be the same to the byte."""
    return lambda device_id: f"s{noise.key('stream', seed, device_id):016x}"


def usual_state(found: world.World, broker: world.Broker) -> Path:
    """Where a run keeps its journal unless told: one folder per user, broker and set of credentials.

    A service that was set up afresh gives other credentials, and so begins with new streams.
    """
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    known = sorted(f"{device.device_id}:{device.password}" for device in found.devices)
    return Path(home) / "telehealth-sim" / f"{noise.key(broker.host, broker.port, *known):016x}"


async def run(
    options: Options,
    world_file: world.World,
    chosen: Sequence[world.Device],
    broker: world.Broker,
    stop: asyncio.Event,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Returns a summary. Raises BadInput, Refused or Unreachable."""
    if options.speed != 1 and not (options.url and options.token):
        raise errors.BadInput(
            "a speed other than 1 steps the service's virtual clock: it needs --url and a control token"
        )
    units = kit.units(
        chosen,
        seed=options.seed,
        spot_every_ms=int(options.every * 1000) if options.every else None,
        continuous_every_ms=int(options.continuous_every * 1000),
        report=say,
    )
    if options.clocks and options.speed != 1:
        raise errors.BadInput("clocks that are wrong are simulated at speed 1 only")
    wrong = faults.parse_all(list(options.clocks), clock.now())
    for unit in units:
        unit.clock = wrong.pop(unit.device_id, unit.clock)
    if wrong:
        raise errors.BadInput(f"no such device is simulated: {', '.join(sorted(wrong))}")
    refusals: list[dict[str, Any]] = []

    def refused(held: outbox.Held, refusal: receipts.Refusal) -> None:
        say(f"refused: device {held.device_id} seq {held.seq}: {refusal.error} ({refusal.detail or 'no detail'})")
        if len(refusals) < REFUSALS_KEPT:
            where = {"device_id": held.device_id, "seq": held.seq, "index": refusal.index}
            refusals.append({**where, "error": refusal.error, "field": refusal.field, "detail": refusal.detail})

    streams = seeded_stream(options.seed) if options.reproducible else outbox.random_stream
    with contextlib.closing(outbox.Outbox(options.state, new_stream=streams)) as journal:
        devices = feed.DeviceClock()
        obey: list[Callable[[str, commands.Command], None]] = []
        sender = publisher.Publisher(
            broker,
            journal,
            now=devices.now,
            on_refused=refused,
            beside="run",
            on_command=lambda device_id, command: _heard(device_id, command, obey, say),
        )
        _add(sender, units, world_file)
        async with sender.running():
            if options.speed == 1:
                await _real(options, sender, units, obey, stop)
            else:
                await _stepped(options, sender, units, devices, stop)
            await _last_receipts(sender, 3.0 if stop.is_set() else LAST_RECEIPTS_SECONDS)
            return {
                "scenario": options.scenario.name,
                "seed": options.seed,
                "residents": sorted({unit.profile.key for unit in units}),
                "devices": len(units),
                "messages": sender.totals.taken,
                "readings": sender.totals.readings,
                "deliveries": sender.totals.deliveries,
                "settled_messages": sender.totals.settled,
                "unsettled_messages": sender.unsettled,
                "refused": sender.totals.refused,
                "refusals": refusals,
                "troubles": sender.troubles,
                "truth": cast.truth(units),
            }


def _heard(
    device_id: str,
    command: commands.Command,
    obey: list[Callable[[str, commands.Command], None]],
    say: Callable[[str], None],
) -> None:
    say(f"device {device_id}: asked to {type(command).__name__.lower()}")
    for listener in obey:
        listener(device_id, command)


def _add(sender: publisher.Publisher, units: Sequence[kit.Unit], world_file: world.World) -> None:
    now_ms = clock.to_ms(clock.now())
    for unit in units:
        sender.add(unit.device, battery=unit.battery(now_ms), firmware=unit.firmware, wrong=unit.clock)
        sender.connect(unit.device_id)
    # What an earlier run left is not forgotten because other residents are chosen now.
    own = {unit.device_id for unit in units}
    for device in world_file.devices:
        if device.device_id not in own and sender.left(device.device_id):
            sender.add(device)


def _begin(options: Options, units: Sequence[kit.Unit], course: scenario.Course) -> None:
    for unit in units:
        unit.course = course
    if options.truth:
        cast.write_truth(options.truth, units)


async def _real(
    options: Options,
    sender: publisher.Publisher,
    units: Sequence[kit.Unit],
    obey: list[Callable[[str, commands.Command], None]],
    stop: asyncio.Event,
) -> None:
    start = clock.now()
    _begin(options, units, scenario.Course(options.scenario, start - timedelta(hours=options.onset_hours)))
    live = feed.Live(sender, units)
    obey.append(live.obey)
    for index in range(len(units)):
        live.measure(index, clock.to_ms(start) + min(index * SPREAD_MS, 5_000))
    end = start + timedelta(seconds=options.duration) if options.duration is not None else None
    await runtime.until(stop, live.run(start, end))


async def _stepped(
    options: Options,
    sender: publisher.Publisher,
    units: Sequence[kit.Unit],
    devices: feed.DeviceClock,
    stop: asyncio.Event,
) -> None:
    async with service.opened(options.url or "", options.token or "") as stepped:
        start = await stepped.virtual_now()
        _begin(options, units, scenario.Course(options.scenario, start - timedelta(hours=options.onset_hours)))
        end = start + timedelta(seconds=options.duration) if options.duration is not None else None
        await runtime.until(
            stop,
            feed.stepped_live(
                sender, units, stepped, devices, speed=options.speed, start=start, until=end, measure_first=True
            ),
        )


async def _last_receipts(sender: publisher.Publisher, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sender.settled(), seconds)
