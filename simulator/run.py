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
    realistic,
    receipts,
    runtime,
    scenario,
    service,
    table,
    tables,
    world,
)
from simulator.homes import clocks, faults

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
    found.maker.careful = options.realistic
    if options.realistic:
        for fault in realistic.faults_of(units, options.seed, clock.to_ms(start)):
            found.add(fault)
    if options.every is not None:
        _measure_first(found, start)
    return found


async def run(
    options: Options,
    world_file: world.World,
    chosen: Sequence[world.Device],
    broker: world.Broker | None,
    stop: asyncio.Event,
    say: Callable[[str], None],
    shown: table.Shown | None = None,
    event: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Returns a summary. event: told of every message, receipt and refusal. Raises BadInput, Refused or Unreachable."""
    with contextlib.ExitStack() as files:
        created_to = files.enter_context(created.opened(options.created))
        resends_to = files.enter_context(created.opened(options.resends))
        rows = files.enter_context(tables.opened(options.csv))
        outputs = _Outputs(created_to, created.Resends(resends_to), rows)
        if options.offline:
            return await _offline(options, chosen, outputs, say, stop)
        if broker is None:
            raise errors.BadInput("the file of devices does not name the broker: give --mqtt HOST:PORT")
        one = _Run(options, world_file, chosen, broker, stop, _Ears(outputs, say, shown, event), shown)
        if options.speed == 1 and options.start is None and not (options.url and options.token and options.created):
            return await one.go(None)
        if not (options.url and options.token):
            raise errors.BadInput(
                "another speed than 1 (or --start) steps a service's virtual clock: give --url and the control token, "
                "both of which `telehealth demo --json --speed 60` tells; or --offline, to write only"
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
                return await one.go(None)
            return await one.go(stepped)


@dataclass(frozen=True)
class _Outputs:
    made: Callable[[bytes], None]
    again: created.Resends
    rows: tables.Rows


async def _offline(
    options: Options,
    chosen: Sequence[world.Device],
    outputs: _Outputs,
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> dict[str, Any]:
    start = options.start or clock.now()
    if options.duration is None:
        raise errors.BadInput("without a service a run needs --duration")
    end = start + timedelta(seconds=options.duration)
    found = prepared(options, chosen, start, say)
    found.maker.watchers.append(outputs.rows.watch)
    with contextlib.closing(outbox.Outbox(None, new_stream=_streams(options, start))) as journal:
        log = created.Log(outputs.made, found.shown, outputs.rows.flush)
        readings = await feed.offline(found, journal, log, end, stop)
    end = clock.from_ms(found.maker.at_ms)
    _truth(options, found, end)
    summary = _described(options, found, start, end)
    return {**summary, "messages": log.written, "readings": readings}


class _Ears:
    """What comes back from broker and service, for logs and for people."""

    def __init__(
        self,
        outputs: _Outputs,
        say: Callable[[str], None],
        shown: table.Shown | None,
        event: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        self.outputs, self.say = outputs, say
        self._event = event
        #: Lines about what happens would tear a table apart, and stand in the events already.
        self._aloud = shown is None and event is None
        self.refusals: list[dict[str, Any]] = []
        self.devices = feed.DeviceClock()
        self.obeying: feed.Feeder | None = None

    def refused(self, held: outbox.Held, refusal: receipts.Refusal) -> None:
        where = {"device_id": held.device_id, "seq": held.seq, "index": refusal.index}
        found = {**where, "error": refusal.error, "field": refusal.field, "detail": refusal.detail}
        self._tell("refused", **found)
        if self._aloud:
            self.say(f"refused: device {held.device_id} seq {held.seq}: {refusal.error} ({refusal.detail or '-'})")
        if len(self.refusals) < REFUSALS_KEPT:
            self.refusals.append(found)

    def delivered(self, held: outbox.Held, at_ms: int) -> None:
        self.outputs.again.delivered(held, at_ms)
        facts = {"device_id": held.device_id, "stream": held.stream, "seq": held.seq}
        self._tell("sent", **facts, readings=held.count, delivery=held.attempts)

    def settled(self, held: outbox.Held) -> None:
        self._tell("receipted", device_id=held.device_id, stream=held.stream, seq=held.seq)

    def heard(self, device_id: str, command: commands.Command) -> None:
        named = commands.name(command)
        shown = {"text": command.text} if isinstance(command, commands.Text) else {}
        self._tell("command", device_id=device_id, command=named, **shown)
        if self._aloud:
            told = f"shows {shown['text']!r}" if shown else f"asked to {named}"
            self.say(f"device {device_id}: {told}")
        if self.obeying is not None:
            self.obeying.obey(device_id, command)

    def _tell(self, kind: str, **facts: Any) -> None:
        if self._event is not None:
            self._event({"event": kind, "at": clock.text(self.devices.now()), **facts})


@dataclass(frozen=True)
class _Run:
    """One run against a service."""

    options: Options
    world_file: world.World
    chosen: Sequence[world.Device]
    broker: world.Broker
    stop: asyncio.Event
    ears: _Ears
    shown: table.Shown | None

    async def go(self, stepped: service.Service | None) -> dict[str, Any]:
        """Stepped through the service's virtual clock, or (None) as real time goes by."""
        options, ears = self.options, self.ears
        start = await _start(options, stepped)
        end = start + timedelta(seconds=options.duration) if options.duration is not None else None
        found = prepared(options, self.chosen, start, ears.say)
        found.maker.watchers.append(ears.outputs.rows.watch)
        streams = _streams(options, start) if options.repeatable else outbox.random_stream
        with contextlib.closing(outbox.Outbox(options.state, new_stream=streams)) as journal:
            sender = publisher.Publisher(
                self.broker,
                journal,
                now=ears.devices.now,
                on_refused=ears.refused,
                on_delivery=ears.delivered,
                on_settled=ears.settled,
                beside="run",
                on_command=ears.heard,
                facts=publisher.Facts(found.shown, found.maker.state),
            )
            log = created.Log(ears.outputs.made, found.shown, ears.outputs.rows.flush)
            feeder = feed.Feeder(found, sender, ears.devices, log)
            if stepped is None:
                # What is made is a function of seed, script and start: only in real time anybody obeys.
                ears.obeying = feeder
            else:
                ears.devices.virtual = start
            _add(sender, found.units, self.world_file)
            async with sender.running():
                with table.live(self.shown, found, sender, ears.devices.now):
                    await runtime.until(self.stop, _fed(options, feeder, stepped, start, end))
                await _last_receipts(sender, 3.0 if self.stop.is_set() else LAST_RECEIPTS_SECONDS)
                stood = clock.from_ms(feeder.at_ms)
                _truth(options, found, stood)
                return {**_described(options, found, start, stood), **_counted(sender, ears)}


async def _start(options: Options, stepped: service.Service | None) -> datetime:
    if stepped is None:
        return clock.now()
    stands = await stepped.virtual_now()
    if options.start is not None and options.start < stands:
        raise errors.BadInput(f"--start is before the service's present moment, {clock.text(stands)}")
    return options.start or stands


async def _fed(
    options: Options, feeder: feed.Feeder, stepped: service.Service | None, start: datetime, end: datetime | None
) -> None:
    if stepped is None:
        await feeder.real(end)
        return
    worn = any(unit.device.is_continuous for unit in feeder.cast.units)
    await stepped.advance(start)
    grid = feed.GRID_WORN_MS if worn else feed.GRID_SPOT_MS
    await feeder.stepped(stepped, pace.Pace(options.speed), end, grid_ms=grid)


def _measure_first(found: cast.Cast, start: datetime) -> None:
    """A tester wants to see something at once; who keeps to the schedule measures when it is time."""
    for index in range(len(found.units)):
        found.maker.measure(index, clock.to_ms(start) + min(index * SPREAD_MS, 5_000))


def _counted(sender: publisher.Publisher, ears: _Ears) -> dict[str, Any]:
    totals = sender.totals
    return {
        "messages": totals.taken,
        "readings": totals.readings,
        "deliveries": totals.deliveries,
        "settled_messages": totals.settled,
        "unsettled_messages": sender.open,
        "refused": totals.refused,
        "refusals": ears.refusals,
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
