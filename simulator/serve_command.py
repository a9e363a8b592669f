"""telehealth-sim serve."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from simulator import errors, options, runtime, serve, telling, world


def serving(
    devices: options.Devices,
    url: options.Url = None,
    mqtt: options.Mqtt = None,
    seed: options.Seed = 1,
    speed: Annotated[
        float, typer.Option(help="Of the live feed; not 1: the service's clock is stepped.", min=0.01)
    ] = 1.0,
    history_days: Annotated[float, typer.Option(help="Days of history to feed first.", min=0, max=400)] = 0.0,
    history_from: Annotated[
        str | None, typer.Option(help="Where the virtual clock stands; else days before now.")
    ] = None,
    live: Annotated[bool, typer.Option("--live/--no-live", help="Feed on after the history.")] = True,
    live_seconds: Annotated[float, typer.Option(help="Seconds between live readings of wearables.", min=1)] = 15.0,
    control_port: Annotated[int, typer.Option(help="Of the control API on loopback; 0: any.", min=0, max=65535)] = 0,
    state_dir: options.State = None,
    as_json: options.AsJson = False,
    truth: options.Truth = None,
    reproducible: options.Reproducible = False,
    with_parent: Annotated[bool, typer.Option(help="End when the parent process ends.")] = False,
) -> None:
    """Feed a demo: history through its virtual clock, then live. Needs TELEHEALTH_CONTROL_TOKEN."""
    found = world.read(devices)
    token = options.token(found)
    service = url or found.url
    if not token or not service:
        raise errors.BadInput(f"{options.TOKEN_VARIABLE} must be set, and --url given")
    settings = serve.Options(
        seed, service, token, speed, history_days, options.time("--history-from", history_from), live,
        live_seconds, control_port, state_dir, truth, reproducible,
    )  # fmt: skip
    broker = options.needed(options.broker(mqtt, found))

    async def serving_until(stop: Any) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(runtime.orphaned(stop)) if with_parent else None
            await serve.serve(settings, found, broker, stop, telling.event if as_json else telling.told)
            if watch is not None:
                watch.cancel()

    runtime.execute(serving_until)
