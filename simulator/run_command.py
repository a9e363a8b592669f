"""telehealth-sim run and record."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator import errors, options, run, runtime, table, telling, world


def running(
    devices: options.Devices,
    scenario: options.Scenarios = None,
    seed: options.Seed = 1,
    start: options.Start = None,
    duration: options.Duration = None,
    speed: Annotated[str, typer.Option(help="Seconds of the service's virtual clock per second, or max.")] = "1",
    residents: options.Residents = "",
    onset_hours: options.OnsetHours = None,
    fault: options.Faults = None,
    realistic: options.Realistic = False,
    every: Annotated[
        str | None, typer.Option(help="Seconds between spot measurements, or 'schedule'; 300 unless repeatable.")
    ] = None,
    continuous_every: Annotated[float, typer.Option(help="Seconds between readings of wearables.", min=1)] = 10.0,
    offline: Annotated[bool, typer.Option("--offline", help="Without broker and service; only writes.")] = False,
    created: Annotated[
        str | None, typer.Option("--created", help="Log of created messages; the same each time.", metavar="FILE")
    ] = None,
    resends: Annotated[
        str | None, typer.Option("--resends", help="Log of deliveries beyond the first.", metavar="FILE")
    ] = None,
    truth: options.Truth = None,
    csv: Annotated[str | None, typer.Option("--csv", help="What was measured, as CSV.", metavar="FILE")] = None,
    url: options.Url = None,
    mqtt: options.Mqtt = None,
    state_dir: options.State = None,
    reproducible: options.Reproducible = False,
    wrong_clock: options.WrongClock = None,
    as_json: options.AsJson = False,
) -> None:
    """Run scenarios in simulated residents until Ctrl-C or the end of --duration."""
    found = world.read(devices)
    settings = run.Options(
        options.loaded(scenario),
        seed,
        options.time("--start", start),
        options.seconds("--duration", duration),
        options.speed(speed),
        offline,
        onset_hours,
        continuous_every=continuous_every,
        reproducible=reproducible,
        url=url or found.url,
        token=options.token(found),
        clocks=tuple(wrong_clock or ()),
        faults=tuple(fault or ()),
        realistic=realistic,
        created=created,
        resends=resends,
        truth=truth,
        csv=csv,
    )
    chosen = world.choose(found.devices, options.names(residents))
    broker = None if offline else options.needed(options.broker(mqtt, found))
    _shown(_paced(settings, every, state_dir, found, broker), found, chosen, broker, as_json)


def _paced(
    settings: run.Options, every: str | None, state: Path | None, found: world.World, broker: world.Broker | None
) -> run.Options:
    """With what depends on whether it is to be the same each time: pace of spot devices, where a journal lies."""
    pace = every or ("schedule" if settings.repeatable else "300")
    return replace(
        settings,
        every=None if pace == "schedule" else options.positive("--every", pace),
        state=state or (None if settings.repeatable or broker is None else run.usual_state(found, broker)),
    )


def _shown(
    settings: run.Options,
    found: world.World,
    chosen: list[world.Device],
    broker: world.Broker | None,
    as_json: bool,
) -> None:
    """Run it, and show it as whoever reads wants it. Raises Refused if the broker or the service refused to the end."""
    shown = None if as_json or settings.offline else _terminal()
    created = settings.created
    # Somebody reads it as it comes: a person at a terminal sees a table, a program in a pipe gets JSON lines.
    lines = not as_json and not settings.offline and created != "-" and shown is None and not sys.stdout.isatty()
    event = telling.event if lines else None
    summary = runtime.execute(lambda stop: run.run(settings, found, chosen, broker, stop, telling.say, shown, event))
    if event is not None:
        event({"event": "summary", **summary})
    elif created != "-":
        _summary(summary, as_json)
    if summary.get("troubles") and summary["unsettled_messages"]:
        raise errors.Refused("; ".join(sorted(summary["troubles"].values())[:3]))


def record(
    file: Annotated[str, typer.Argument(help="Where the created messages go; - for standard output.")],
    devices: options.Devices,
    duration: Annotated[str, typer.Option("--duration", help="How long: 90m, 12h, 7d.", metavar="TIME")],
    start: options.Start = None,
    scenario: options.Scenarios = None,
    seed: options.Seed = 1,
    residents: options.Residents = "",
    onset_hours: options.OnsetHours = None,
    fault: options.Faults = None,
    realistic: options.Realistic = False,
    every: Annotated[str, typer.Option(help="Seconds between spot measurements, or 'schedule'.")] = "schedule",
    continuous_every: Annotated[float, typer.Option(help="Seconds between readings of wearables.", min=1)] = 10.0,
    csv: Annotated[str | None, typer.Option("--csv", help="What was measured, as CSV.", metavar="FILE")] = None,
    truth: options.Truth = None,
    wrong_clock: options.WrongClock = None,
    as_json: options.AsJson = False,
) -> None:
    """Write what devices would send, without any service: a file that `replay` plays identically."""
    found = world.read(devices)
    settings = run.Options(
        options.loaded(scenario),
        seed,
        options.time("--start", start),
        options.seconds("--duration", duration),
        offline=True,
        onset_hours=onset_hours,
        every=None if every == "schedule" else options.positive("--every", every),
        continuous_every=continuous_every,
        clocks=tuple(wrong_clock or ()),
        faults=tuple(fault or ()),
        realistic=realistic,
        created=file,
        truth=truth,
        csv=csv,
    )
    chosen = world.choose(found.devices, options.names(residents))
    summary = runtime.execute(lambda stop: run.run(settings, found, chosen, None, stop, telling.say))
    if file != "-":
        _summary(summary, as_json)


def _terminal() -> table.Shown | None:
    """A console on a terminal; None in a pipe, or where no colours and no redrawing are wanted."""
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return None
    from rich.console import Console

    return table.Shown(Console(stderr=True))


def _summary(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        telling.data(json.dumps(summary))
        return
    text = f"{summary['readings']} readings in {summary['messages']} messages from {summary['devices']} devices"
    if "settled_messages" in summary:
        settled, unsettled, refused = (summary[n] for n in ("settled_messages", "unsettled_messages", "refused"))
        text += f"; {settled} settled, {unsettled} not, {refused} refused"
    lines = [text]
    for one in summary["truth"]:
        worst = f", worst at {one['peak']}" if one["peak"] else ""
        lines.append(f"{one['resident']}: {one['scenario']} from {one['onset']}{worst}")
    telling.data("\n".join(lines))
