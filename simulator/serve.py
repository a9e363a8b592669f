"""What the demo runs as a child: two weeks of history, then a live feed, steered over loopback HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from devices import commands
from simulator import (
    cast,
    clock,
    control,
    created,
    feed,
    kit,
    outbox,
    pace,
    publisher,
    receipts,
    ring,
    run,
    runtime,
    service,
    world,
)

#: Wearables of the history, seconds between readings and between uploads; and of the live feed.
HISTORY_SECONDS = 600.0
HISTORY_UPLOAD_MS = 2 * 3_600_000
LIVE_SECONDS = 15.0
NOTED_SECONDS = 5.0
_FED = "fed to"

Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Options:
    """How to feed. history_from: where the service's virtual clock stands; None: history_days before now."""

    seed: int
    url: str
    token: str
    speed: float = 1.0
    history_days: float = 0.0
    history_from: datetime | None = None
    live: bool = True
    live_seconds: float = LIVE_SECONDS
    control_port: int = 0
    state: Path | None = None
    truth: str | None = None
    reproducible: bool = False


@dataclass
class Feeding:
    """What runs, for the control API (control.Feeding)."""

    options: Options
    cast: cast.Cast
    sender: publisher.Publisher
    journal: outbox.Outbox
    devices: feed.DeviceClock
    feeder: feed.Feeder
    pace: pace.Pace
    messages: ring.Messages
    events: ring.Events
    phase: str = "starting"
    #: Set when time that was real has become virtual.
    turned: asyncio.Event = field(default_factory=asyncio.Event)
    stepped: service.Service | None = None

    @property
    def token(self) -> str:
        return self.options.token

    def now(self) -> datetime:
        return self.devices.now()

    def changed(self) -> None:
        """After a change of the script: kept for a restart, and told to the truth file."""
        self.cast.keep(self.journal)
        self.feeder.woken.set()
        if self.options.truth:
            with created.opened(self.options.truth) as write:
                write(cast.lines(self.cast.truth(None, to=self.now())))

    async def go_virtual(self) -> None:
        """Time that is real becomes virtual. Raises service.ClockNotVirtual."""
        if self.devices.virtual is None and self.stepped is not None:
            self.devices.virtual = await self.stepped.go_virtual()
            self.turned.set()
            self.feeder.woken.set()


async def serve(options: Options, world_file: world.World, broker: world.Broker, stop: asyncio.Event, say: Say) -> None:
    """Feeds until stopped; with live off until the history is in. Raises as run.run does."""
    units = kit.units(
        world_file.devices,
        seed=options.seed,
        spot_every_ms=None,
        continuous_every_ms=int(HISTORY_SECONDS * 1000),
        upload_ms=HISTORY_UPLOAD_MS,
        report=lambda line: say({"event": "note", "text": line}),
    )
    streams = run.seeded_stream(options.seed) if options.reproducible else outbox.random_stream
    with contextlib.closing(outbox.Outbox(options.state, new_stream=streams)) as journal:
        started = clock.now()
        feeding = _feeding(options, units, broker, journal, started, say)
        for device in world_file.devices:
            feeding.sender.add(device)
        feeding.changed()
        async with feeding.sender.running(), control.served(feeding, options.control_port) as port:
            say({"event": "listening", "url": f"http://127.0.0.1:{port}"})
            await runtime.until(stop, _feed(feeding, started, say))


def _feeding(
    options: Options,
    units: list[kit.Unit],
    broker: world.Broker,
    journal: outbox.Outbox,
    started: datetime,
    say: Say,
) -> Feeding:
    devices, messages, events = feed.DeviceClock(), ring.Messages(), ring.Events()
    start = options.history_from or started - timedelta(days=options.history_days)
    noted = journal.noted(_FED)
    if noted is not None:
        start = max(start, clock.from_ms(noted))
    found = cast.Cast(units, options.seed, start)
    if not found.restore(journal):
        found.assign(max(started, start))
    feeders: list[feed.Feeder] = []

    def refused(held: outbox.Held, refusal: receipts.Refusal) -> None:
        messages.refused(held, refusal)
        said = {"device_id": held.device_id, "seq": held.seq, "error": refusal.error}
        say({"event": "refused", **said})
        events.add("refused", clock.text(devices.now()), **said)

    def heard(device_id: str, command: commands.Command) -> None:
        shown = {"text": command.text} if isinstance(command, commands.Text) else {}
        events.add("command", clock.text(devices.now()), device_id=device_id, command=commands.name(command), **shown)
        for feeder in feeders:
            feeder.obey(device_id, command)

    sender = publisher.Publisher(
        broker,
        journal,
        now=devices.now,
        on_refused=refused,
        on_settled=messages.settled,
        on_delivery=messages.delivered,
        on_command=heard,
        facts=publisher.Facts(found.shown, found.maker.state),
        # Another client with a device's credentials, a tester's, is let in front.
        retry_seconds=(0.5, 2, 10, 30, 60),
    )
    feeder = feed.Feeder(found, sender, devices, None, messages.created, messages.beside)
    feeders.append(feeder)
    return Feeding(options, found, sender, journal, devices, feeder, pace.Pace(options.speed), messages, events)


async def _feed(feeding: Feeding, started: datetime, say: Say) -> None:
    options, feeder = feeding.options, feeding.feeder
    async with service.opened(options.url, options.token) as stepped:
        feeding.stepped = stepped
        ahead = options.history_from is not None and options.history_from >= started
        if not ahead and (options.history_days > 0 or options.history_from is not None):
            feeding.phase = "history"
            await _history(feeding, stepped, started, say)
        if not options.live:
            return
        if ahead:
            # Somebody let time go by faster: it stays ahead of the computer's clock, and is stepped.
            say({"event": "history_done", "seconds": 0.0, "messages": 0, "readings": 0, "refused": 0})
            feeding.devices.virtual = await stepped.virtual_now()
        elif options.speed != 1:
            feeding.devices.virtual = await stepped.virtual_now()
        _go_live(feeding, say)
        async with asyncio.TaskGroup() as group:
            group.create_task(_note_progress(feeding))
            if feeding.devices.virtual is None:
                await _until_turned(feeding)
            feeder.sender.as_planned = True
            feeder.step(clock.to_ms(feeding.devices.now()))
            await feeder.stepped(stepped, feeding.pace, None, live=True)


async def _until_turned(feeding: Feeding) -> None:
    """Real time, for ever or until somebody wants another speed."""
    async with asyncio.TaskGroup() as group:
        real = group.create_task(feeding.feeder.real(turned=feeding.turned))
        turned = group.create_task(feeding.turned.wait())
        await asyncio.wait({real, turned}, return_when=asyncio.FIRST_COMPLETED)
        real.cancel()
        turned.cancel()


async def _history(feeding: Feeding, stepped: service.Service, started: datetime, say: Say) -> None:
    options, journal, feeder = feeding.options, feeding.journal, feeding.feeder
    noted = journal.noted(_FED)
    begun = clock.monotonic()

    def stepped_to(at: datetime) -> None:
        # A restart in the middle goes on from here; what is fed twice is stored once.
        journal.note(_FED, clock.to_ms(at))
        say({"event": "history", "to": clock.text(at)})
        feeding.events.add("history", clock.text(at))

    try:
        await stepped.virtual_now()
        await feeder.history(stepped, started, stepped_to)
        # At another speed somebody steps it from here on: the live feed, or without one a run.
        if options.speed == 1:
            await stepped.go_real()
    except service.ClockNotVirtual:
        if options.history_from is not None and noted is None:
            raise
        if noted is None:
            say(
                {"event": "note", "text": "the service's time is real and nothing is known of its history: none is fed"}
            )
            feeder.skip(started)
        else:
            # The gap since it last ran comes late, as from devices that were offline.
            feeder.step(clock.to_ms(started))
            await feeder.delivered()
    journal.note(_FED, clock.to_ms(started))
    totals = feeding.sender.totals
    say(
        {
            "event": "history_done",
            "seconds": round(clock.monotonic() - begun, 3),
            "messages": totals.taken,
            "readings": totals.readings,
            "refused": totals.refused,
        }
    )


def _go_live(feeding: Feeding, say: Say) -> None:
    feeding.phase = "live"
    feeder, maker = feeding.feeder, feeding.cast.maker
    now = feeding.now()
    now_ms = clock.to_ms(now)
    if maker.at_ms < now_ms and feeding.options.history_days == 0 and feeding.options.history_from is None:
        feeder.skip(now)
    for index, unit in enumerate(maker.units):
        if unit.device.is_continuous and unit.device.interval_seconds is None:
            maker.repace(index, unit.cadence.paced(feeding.options.live_seconds))
        feeding.sender.connect(unit.device_id)
    worn = [index for index, unit in enumerate(maker.units) if unit.device.is_continuous]
    others = [index for index, unit in enumerate(maker.units) if not unit.device.is_continuous]
    # The board is to move at once: every wearable, and somebody who just sits down.
    for place, index in enumerate(worn + others[:1]):
        feeder.measure(index, now_ms + min(place * 400, 4_000))
    say({"event": "live", "at": clock.text(now)})
    feeding.events.add("live", clock.text(now))


async def _note_progress(feeding: Feeding) -> None:
    while True:
        await asyncio.sleep(NOTED_SECONDS)
        feeding.journal.note(_FED, feeding.feeder.at_ms)
        feeding.cast.keep(feeding.journal)
