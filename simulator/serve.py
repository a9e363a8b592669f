"""What the demo runs as a child: two weeks of history, then a live feed, steered over loopback HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from devices import commands
from simulator import cast, clock, errors, feed, kit, outbox, publisher, run, runtime, scenario, service, world

#: Wearables of the history and of the live feed, seconds between readings.
HISTORY_SECONDS = 600.0
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
    """What runs, for the control API."""

    options: Options
    units: list[kit.Unit]
    sender: publisher.Publisher
    journal: outbox.Outbox
    devices: feed.DeviceClock
    phase: str = "starting"
    live: feed.Live | None = None

    def status(self) -> dict[str, Any]:
        totals = self.sender.totals
        return {
            "phase": self.phase,
            "now": clock.text(self.devices.now()),
            "devices": len(self.units),
            "connected": self.sender.connected,
            "messages": totals.taken,
            "readings": totals.readings,
            "unsettled": self.sender.unsettled,
            "refused": totals.refused,
            "residents": sorted({unit.profile.key for unit in self.units}),
            "scenarios": cast.truth(self.units),
            "troubles": self.sender.troubles,
        }

    def changed(self) -> None:
        """After a change of the script: kept for a restart, and told to the truth file."""
        cast.keep(self.units, self.journal)
        if self.options.truth:
            cast.write_truth(self.options.truth, self.units)


async def serve(options: Options, world_file: world.World, broker: world.Broker, stop: asyncio.Event, say: Say) -> None:
    """Feeds until stopped; with live off until the history is in. Raises as run.run does."""
    units = kit.units(
        world_file.devices,
        seed=options.seed,
        spot_every_ms=None,
        continuous_every_ms=int(HISTORY_SECONDS * 1000),
        report=lambda line: say({"event": "note", "text": line}),
    )
    streams = run.seeded_stream(options.seed) if options.reproducible else outbox.random_stream
    with contextlib.closing(outbox.Outbox(options.state, new_stream=streams)) as journal:
        devices = feed.DeviceClock()
        held: list[Feeding] = []
        sender = publisher.Publisher(
            broker,
            journal,
            now=devices.now,
            on_refused=lambda kept, refusal: say(
                {"event": "refused", "device_id": kept.device_id, "seq": kept.seq, "error": refusal.error}
            ),
            on_command=lambda device_id, command: _heard(held, device_id, command),
            # Another client with a device's credentials, a tester's, is let in front.
            retry_seconds=(0.5, 2, 10, 30, 60),
        )
        started = clock.now()
        cast.assign(units, journal, started)
        for unit in units:
            sender.add(unit.device, battery=unit.battery(clock.to_ms(started)), firmware=unit.firmware)
        feeding = Feeding(options, units, sender, journal, devices)
        held.append(feeding)
        feeding.changed()
        async with sender.running(), _controlled(feeding) as port:
            say({"event": "listening", "url": f"http://127.0.0.1:{port}"})
            await runtime.until(stop, _feed(feeding, started, say))


async def _feed(feeding: Feeding, started: datetime, say: Say) -> None:
    options = feeding.options
    async with service.opened(options.url, options.token) as stepped:
        fed = started
        if options.history_days > 0 or options.history_from is not None:
            feeding.phase = "history"
            fed = await _history(feeding, stepped, started, say)
        if options.speed != 1 and options.live:
            feeding.phase = "live"
            fed = fed if fed != started else await stepped.virtual_now()
            await feed.stepped_live(
                feeding.sender, feeding.units, stepped, feeding.devices,
                speed=options.speed, start=fed, until=None, measure_first=True,
            )  # fmt: skip
    if options.live:
        await _live(feeding, fed, say)


async def _history(feeding: Feeding, stepped: service.Service, started: datetime, say: Say) -> datetime:
    options, journal = feeding.options, feeding.journal
    start = options.history_from or started - timedelta(days=options.history_days)
    noted = journal.noted(_FED)
    if noted is not None:
        start = max(start, clock.from_ms(noted))
    begun = clock.monotonic()

    def stepped_to(at: datetime) -> None:
        # A restart in the middle goes on from here; what is fed twice is stored once.
        journal.note(_FED, clock.to_ms(at))
        say({"event": "history", "to": clock.text(at)})

    try:
        await feed.history(feeding.sender, feeding.units, stepped, feeding.devices, start, started, stepped_to)
        if options.speed == 1 or not options.live:
            await stepped.go_real()
    except service.ClockNotVirtual:
        if options.history_from is not None and noted is None:
            raise
        if noted is None:
            say(
                {"event": "note", "text": "the service's time is real and nothing is known of its history: none is fed"}
            )
        else:
            # The gap since it last ran comes late, as from devices that were offline.
            gap = feed.taken(feeding.units, clock.to_ms(start), clock.to_ms(started))
            await feed.deliver(feeding.sender, gap)
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
    return started


async def _live(feeding: Feeding, fed: datetime, say: Say) -> None:
    feeding.phase = "live"
    for unit in feeding.units:
        if unit.device.is_continuous and unit.device.interval_seconds is None:
            unit.cadence = unit.cadence.paced(feeding.options.live_seconds)
        feeding.sender.connect(unit.device_id)
    feeding.live = live = feed.Live(feeding.sender, feeding.units)
    now_ms = clock.to_ms(clock.now())
    worn = [index for index, unit in enumerate(feeding.units) if unit.device.is_continuous]
    others = [index for index, unit in enumerate(feeding.units) if not unit.device.is_continuous]
    # The board is to move at once: every wearable, and somebody who just sits down.
    for place, index in enumerate(worn + others[:1]):
        live.measure(index, now_ms + min(place * 400, 4_000))
    say({"event": "live", "at": clock.text(clock.now())})
    async with asyncio.TaskGroup() as group:
        group.create_task(_note_progress(feeding))
        await live.run(fed)


async def _note_progress(feeding: Feeding) -> None:
    while True:
        await asyncio.sleep(NOTED_SECONDS)
        feeding.journal.note(_FED, clock.to_ms(clock.now()))


def _heard(held: list[Feeding], device_id: str, command: commands.Command) -> None:
    for feeding in held:
        if feeding.live is not None:
            feeding.live.obey(device_id, command)


# Control ---------------------------------------------------------------------------------------------


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /scenarios."""

    resident: world.Key
    scenario: world.Text
    onset_hours_ago: float = 0.0


@contextlib.asynccontextmanager
async def _controlled(feeding: Feeding) -> AsyncIterator[int]:
    """The control API on loopback; yields its port."""
    runner = web.AppRunner(application(feeding), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", feeding.options.control_port, shutdown_timeout=1.0)
        try:
            await site.start()
        except OSError:
            raise errors.BadInput(f"--control-port {feeding.options.control_port} is in use") from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def application(feeding: Feeding) -> web.Application:
    """GET /status, POST /scenarios, DELETE /scenarios/{resident}; each with the bearer token."""

    @web.middleware
    async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {feeding.options.token}".encode()):
            return web.json_response({"error": "the control token is needed"}, status=401)
        try:
            answer: web.StreamResponse = await handler(request)
        except errors.BadInput as error:
            return web.json_response({"error": str(error)}, status=400)
        return answer

    async def status(_request: web.Request) -> web.Response:
        return web.json_response(feeding.status())

    async def start(request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Start)
        except msgspec.DecodeError:
            raise errors.BadInput("the body must be resident, scenario and perhaps onset_hours_ago") from None
        onset = feeding.devices.now() - timedelta(hours=max(-48.0, min(wanted.onset_hours_ago, 240.0)))
        cast.begin(feeding.units, wanted.resident, scenario.Course(scenario.load(wanted.scenario), onset))
        feeding.changed()
        return web.json_response(feeding.status(), status=201)

    async def end(request: web.Request) -> web.Response:
        cast.begin(feeding.units, request.match_info["resident"], None)
        feeding.changed()
        return web.json_response(feeding.status())

    app = web.Application(middlewares=[guarded], client_max_size=4096)
    app.router.add_get("/status", status)
    app.router.add_post("/scenarios", start)
    app.router.add_delete("/scenarios/{resident}", end)
    return app
