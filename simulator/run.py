"""A run: scenarios in chosen residents, live, stepped, or without any service at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from devices import commands
from simulator import (
    cast,
    clock,
    created,
    errors,
    feed,
    kit,
    noise,
    outbox,
    pace,
    publisher,
    receipts,
    runtime,
    scenario,
    service,
    table,
    tables,
    world,
)
from simulator.homes import clocks, faults, realistic

#: A tester's pace: spot devices measure this often, wearables this often, in seconds.
SPOT_SECONDS = 300.0
CONTINUOUS_SECONDS = 10.0
#: First measurements are spread over this many milliseconds per device, so that they do not come as one.
SPREAD_MS = 150
LAST_RECEIPTS_SECONDS = 30.0
REFUSALS_KEPT = 1000


@dataclass(frozen=True)
class Options:
    """What to run. start None: now (the service's). duration: seconds. speed None: as fast as it can.

    onset_hours: the illness began this long before the start; None: as the scenario says. every: seconds between
    spot measurements; None: the schedule.
    """

    scenarios: tuple[scenario.Scenario, ...]
    seed: int
    start: datetime | None = None
    duration: float | None = None
    speed: float | None = 1.0
    offline: bool = False
    onset_hours: float | None = None
    every: float | None = SPOT_SECONDS
    continuous_every: float = CONTINUOUS_SECONDS
    state: Path | None = None
    reproducible: bool = False
    url: str | None = None
    token: str | None = None
    #: DEVICE=FAULT each, as clocks.option reads it; KIND:TARGET..., as faults.parse does.
    clocks: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    realistic: bool = False
    #: Files to write: what was created, sent again, really happened, and as CSV.
    created: str | None = None
    resends: str | None = None
    truth: str | None = None
    csv: str | None = None

    @property
    def repeatable(self) -> bool:
        """Whether the same messages are to be made each time: streams then follow from seed and start."""
        return self.reproducible or self.offline or self.created is not None or self.start is not None


def seeded_stream(seed: int, *parts: object) -> Callable[[str], str]:
    """Streams that follow from the seed (and the start), for runs that are to be the same to the byte."""
    return lambda device_id: f"s{noise.key('stream', seed, *parts, device_id):016x}"


def usual_state(found: world.World, broker: world.Broker) -> Path:
    """Where a run keeps its journal unless told: one folder per user, broker and set of credentials.

    A service that was set up afresh gives other credentials, and so begins with new streams.
    """
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    known = sorted(f"{device.device_id}:{device.password}" for device in found.devices)
    return Path(home) / "telehealth-sim" / f"{noise.key(broker.host, broker.port, *known):016x}"


def prepared(
    options: Options, chosen: Sequence[world.Device], start: datetime, say: Callable[[str], None]
) -> cast.Cast:
    """Everybody, with the whole script of the run. Raises BadInput."""
    units = kit.units(
        chosen,
        seed=options.seed,
        spot_every_ms=int(options.every * 1000) if options.every else None,
        continuous_every_ms=int(options.continuous_every * 1000),
        report=say,
    )
    found = cast.Cast(units, options.seed, start)
    for resident in dict.fromkeys(unit.person.key for unit in units):
        unit = next(unit for unit in units if unit.person.key == resident)
        for one in options.scenarios:
            if options.onset_hours is not None:
                onset = start - timedelta(hours=options.onset_hours)
            else:
                key = noise.key(unit.profile.seed, resident, one.name)
                onset = scenario.usual_onset(one, start, unit.person.zone, key)
            found.begin(resident, one, onset)
    for number, text in enumerate(options.clocks, 1):
        found.add(clocks.option(text, f"clock/{number}", found.targets, start))
    for fault in faults.parse_all(options.faults, found.targets, start):
        found.add(fault)
    if options.realistic:
        for fault in realistic.faults_of(units, options.seed, clock.to_ms(start)):
            found.add(fault)
    return found


async def run(
    options: Options,
    world_file: world.World,
    chosen: Sequence[world.Device],
    broker: world.Broker | None,
    stop: asyncio.Event,
    say: Callable[[str], None],
    shown: table.Shown | None = None,
) -> dict[str, Any]:
    """Returns a summary. Raises BadInput, Refused or Unreachable."""
    with contextlib.ExitStack() as files:
        created_to = files.enter_context(created.opened(options.created))
        resends_to = files.enter_context(created.opened(options.resends))
        rows = files.enter_context(tables.opened(options.csv))
        outputs = _Outputs(created_to, created.Resends(resends_to), rows)
        if options.offline:
            return _offline(options, chosen, outputs, say)
        if broker is None:
            raise errors.BadInput("the file of devices does not name the broker: give --mqtt HOST:PORT")
        if options.speed == 1 and options.start is None and not (options.url and options.token and options.created):
            return await _live(options, world_file, chosen, broker, stop, say, outputs, None, shown)
        if not (options.url and options.token):
            raise errors.BadInput(
                "another speed than 1 (or --start) steps the service's virtual clock: give --url and a control token"
            )
        async with service.opened(options.url, options.token) as stepped:
            try:
                await stepped.virtual_now()
            except service.ClockNotVirtual:
                if options.speed != 1:
                    raise
                if options.start is not None:
                    raise errors.BadInput(
                        "the service's time is real: a run can only start now; leave --start out"
                    ) from None
                return await _live(options, world_file, chosen, broker, stop, say, outputs, None, shown)
            return await _live(options, world_file, chosen, broker, stop, say, outputs, stepped, shown)


@dataclass(frozen=True)
class _Outputs:
    made: Callable[[bytes], None]
    again: created.Resends
    rows: tables.Rows


def _offline(
    options: Options, chosen: Sequence[world.Device], outputs: _Outputs, say: Callable[[str], None]
) -> dict[str, Any]:
    start = options.start or clock.now()
    if options.duration is None:
        raise errors.BadInput("without a service a run needs --duration")
    end = start + timedelta(seconds=options.duration)
    found = prepared(options, chosen, start, say)
    found.maker.watchers.append(outputs.rows.watch)
    with contextlib.closing(outbox.Outbox(None, new_stream=_streams(options, start))) as journal:
        log = created.Log(outputs.made, found.shown)
        readings = feed.offline(found, journal, log, end, lambda _at: None)
    _truth(options, found, end)
    summary = _described(options, found, start, end)
    return {**summary, "messages": log.written, "readings": readings}


async def _live(
    options: Options,
    world_file: world.World,
    chosen: Sequence[world.Device],
    broker: world.Broker,
    stop: asyncio.Event,
    say: Callable[[str], None],
    outputs: _Outputs,
    stepped: service.Service | None,
    shown: table.Shown | None,
) -> dict[str, Any]:
    start = options.start or clock.now()
    if stepped is not None:
        stands = await stepped.virtual_now()
        start = options.start or stands
        if start < stands:
            raise errors.BadInput(f"--start is before the service's present moment, {clock.text(stands)}")
    end = start + timedelta(seconds=options.duration) if options.duration is not None else None
    found = prepared(options, chosen, start, say)
    found.maker.watchers.append(outputs.rows.watch)
    refusals: list[dict[str, Any]] = []
    feeders: list[feed.Feeder] = []

    def refused(held: outbox.Held, refusal: receipts.Refusal) -> None:
        if shown is None:
            say(f"refused: device {held.device_id} seq {held.seq}: {refusal.error} ({refusal.detail or 'no detail'})")
        if len(refusals) < REFUSALS_KEPT:
            where = {"device_id": held.device_id, "seq": held.seq, "index": refusal.index}
            refusals.append({**where, "error": refusal.error, "field": refusal.field, "detail": refusal.detail})

    def heard(device_id: str, command: commands.Command) -> None:
        if shown is None:
            say(f"device {device_id}: asked to {type(command).__name__.lower()}")
        # What is made must be a function of seed, script and start: only in real time anybody obeys.
        for feeder in feeders if stepped is None else ():
            feeder.obey(device_id, command)

    streams = _streams(options, start) if options.repeatable else outbox.random_stream
    state = None if options.repeatable and options.state is None else options.state
    with contextlib.closing(outbox.Outbox(state, new_stream=streams)) as journal:
        devices = feed.DeviceClock()
        sender = publisher.Publisher(
            broker,
            journal,
            now=devices.now,
            on_refused=refused,
            on_delivery=outputs.again.delivered,
            beside="run",
            on_command=heard,
            facts=publisher.Facts(found.shown, found.maker.state),
        )
        log = created.Log(outputs.made, found.shown)
        feeder = feed.Feeder(found, sender, devices, log)
        feeders.append(feeder)
        if stepped is not None:
            devices.virtual = start
        _add(sender, found.units, world_file)
        if options.every is not None:
            # A tester wants to see something at once; who keeps to the schedule measures when it is time.
            for index in range(len(found.units)):
                found.maker.measure(index, clock.to_ms(start) + min(index * SPREAD_MS, 5_000))
        async with sender.running():
            if stepped is None:
                work = feeder.real(end)
            else:
                worn = any(unit.device.is_continuous for unit in found.units)
                grid = feed.GRID_WORN_MS if worn else feed.GRID_SPOT_MS
                await stepped.advance(start)
                work = feeder.stepped(stepped, pace.Pace(options.speed), end, grid_ms=grid)
            with table.live(shown, found, sender, devices.now):
                await runtime.until(stop, work)
            await _last_receipts(sender, 3.0 if stop.is_set() else LAST_RECEIPTS_SECONDS)
            stood = clock.from_ms(feeder.at_ms)
            _truth(options, found, stood)
            totals = sender.totals
            return {
                **_described(options, found, start, stood),
                "messages": totals.taken,
                "readings": totals.readings,
                "deliveries": totals.deliveries,
                "settled_messages": totals.settled,
                "unsettled_messages": sender.due,
                "refused": totals.refused,
                "refusals": refusals,
                "troubles": sender.troubles,
            }


def _streams(options: Options, start: datetime) -> Callable[[str], str]:
    parts = () if options.start is None and not options.offline else (clock.to_ms(start),)
    return seeded_stream(options.seed, *parts)


def _described(options: Options, found: cast.Cast, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "scenario": ", ".join(one.name for one in options.scenarios),
        "seed": options.seed,
        "from": clock.text(start),
        "to": clock.text(end),
        "residents": sorted({unit.person.key for unit in found.units}),
        "devices": len(found.maker.device_ids),
        "faults": [fault.as_json() for fault in found.script.all() if fault.from_ms < clock.to_ms(end)][:REFUSALS_KEPT],
        "truth": [record for record in found.truth(end, to=end) if record["record"] == "course"],
    }


def _truth(options: Options, found: cast.Cast, end: datetime) -> None:
    if options.truth:
        with created.opened(options.truth) as write:
            write(cast.lines(found.truth(end, to=end)))


def _add(sender: publisher.Publisher, units: Sequence[kit.Unit], world_file: world.World) -> None:
    for device in {unit.device_id: unit.device for unit in units}.values():
        sender.add(device)
        sender.connect(device.device_id)
    # What an earlier run left is not forgotten because other residents are chosen now.
    own = {unit.device_id for unit in units}
    for device in world_file.devices:
        if device.device_id not in own and sender.left(device.device_id):
            sender.add(device)


async def _last_receipts(sender: publisher.Publisher, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sender.nothing_due(), seconds)
