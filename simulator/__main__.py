"""The command telehealth-sim. Data and events on standard output, everything for people on standard error."""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator import call_command, errors, impair_command
from simulator.load import command as load_command
from simulator.scoring import command as score_command

if TYPE_CHECKING:
    from simulator import world

TOKEN_VARIABLE = "TELEHEALTH_CONTROL_TOKEN"

app = typer.Typer(
    help="Simulated residents and devices: a client of telehealth over MQTT and HTTP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Devices = Annotated[str, typer.Option("--devices", help="File of devices, or - for standard input.", metavar="FILE")]
Seed = Annotated[int, typer.Option(help="Everything random follows from it.")]
Mqtt = Annotated[
    str | None, typer.Option("--mqtt", help="The broker, if the file does not say it.", metavar="HOST:PORT")
]
Url = Annotated[str | None, typer.Option("--url", help="The service, if the file does not say it; for --speed.")]
State = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Keeps what is not settled yet across restarts.", file_okay=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Truth = Annotated[str | None, typer.Option("--truth", help="Write what really happens to FILE.", metavar="FILE")]
Reproducible = Annotated[
    bool, typer.Option("--reproducible", help="Streams follow from the seed too; only for a fresh service.")
]


@app.command()
def run(
    devices: Devices,
    scenario: Annotated[str, typer.Option(help="stable, copd_exacerbation or sepsis.")] = "stable",
    seed: Seed = 1,
    speed: Annotated[float, typer.Option(help="Seconds of the service's virtual clock per second.", min=0.01)] = 1.0,
    residents: Annotated[str, typer.Option(help="Keys, NHS numbers or device ids, by comma; else all.")] = "",
    duration: Annotated[float | None, typer.Option(help="Seconds (of the service's time) to run.", min=0)] = None,
    onset_hours: Annotated[float, typer.Option(help="The illness began this long before the start.")] = 0.0,
    every: Annotated[str, typer.Option(help="Seconds between spot measurements, or 'schedule'.")] = "300",
    continuous_every: Annotated[float, typer.Option(help="Seconds between readings of wearables.", min=1)] = 10.0,
    url: Url = None,
    mqtt: Mqtt = None,
    state_dir: State = None,
    as_json: AsJson = False,
    truth: Truth = None,
    reproducible: Reproducible = False,
    wrong_clock: Annotated[
        list[str] | None,
        typer.Option("--clock", help="DEVICE=+2h, DEVICE=-1h@10m, DEVICE=unset, DEVICE=drift+20s.", metavar="FAULT"),
    ] = None,
) -> None:
    """Run a scenario in simulated residents until Ctrl-C or the end of --duration."""
    from simulator import run as running
    from simulator import runtime, world
    from simulator import scenario as scenarios

    with _errors():
        found = world.read(devices)
        chosen = world.choose(found.devices, [name.strip() for name in residents.split(",") if name.strip()])
        broker = _broker(mqtt, found)
        options = running.Options(
            scenarios.load(scenario),
            seed,
            speed,
            duration,
            onset_hours,
            None if every == "schedule" else _positive("--every", every),
            continuous_every,
            state_dir or (None if reproducible else running.usual_state(found, broker)),
            truth,
            reproducible,
            url or found.url,
            os.environ.get(TOKEN_VARIABLE),
            tuple(wrong_clock or ()),
        )
        summary = runtime.execute(lambda stop: running.run(options, found, chosen, broker, stop, _tell))
        _summary(summary, as_json)
        if summary["troubles"] and summary["unsettled_messages"]:
            raise errors.Refused("; ".join(sorted(summary["troubles"].values())[:3]))


@app.command()
def replay(
    file: Annotated[str, typer.Argument(help="CSV with the columns person,code,value,unit,taken_at.")],
    devices: Devices,
    shift: Annotated[str, typer.Option(help="end=now, start= and an ISO time, or none.")] = "end=now",
    speed: Annotated[str, typer.Option(help="max, or times real time.")] = "max",
    persons: Annotated[str, typer.Option("--map", help="person=device, by comma; the others in order.")] = "",
    zone: Annotated[str | None, typer.Option(help="IANA zone of times without an offset.")] = None,
    per_message: Annotated[int, typer.Option(help="Most readings in one message.", min=1, max=1000)] = 100,
    mqtt: Mqtt = None,
    state_dir: State = None,
    as_json: AsJson = False,
) -> None:
    """Publish recorded readings as devices would, wait for all receipts, and explain what was refused."""
    from simulator import recording, runtime, world
    from simulator import replay as replaying

    with _errors():
        found = world.read(devices)
        recorded = recording.read(file, zone)
        given = _map(persons)
        if not recorded.rows:
            first = f"; first: line {recorded.bad[0].line}: {recorded.bad[0].error}" if recorded.bad else ""
            raise errors.BadInput(f"the file has no line that can be sent{first}")
        pace = None if speed == "max" else _positive("--speed", speed)
        broker = _broker(mqtt, found)

        async def replaying_until(stop: Any) -> dict[str, Any] | None:
            outcome: list[replaying.Outcome] = []

            async def work() -> None:
                with _progress() as progress:
                    outcome.append(
                        await replaying.replay(
                            recorded,
                            found.devices,
                            broker,
                            how=shift,
                            speed=pace,
                            given=given,
                            most=per_message,
                            state=state_dir,
                            progress=progress,
                        )
                    )

            await runtime.until(stop, work())
            return outcome[0].as_json() if outcome else None

        summary = runtime.execute(replaying_until)
        if summary is None:
            _tell("stopped before every receipt had come")
            raise typer.Exit(130)
        _replayed(summary, as_json)


@app.command()
def serve(
    devices: Devices,
    url: Url = None,
    mqtt: Mqtt = None,
    seed: Seed = 1,
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
    state_dir: State = None,
    as_json: AsJson = False,
    truth: Truth = None,
    reproducible: Reproducible = False,
    with_parent: Annotated[bool, typer.Option(help="End when the parent process ends.")] = False,
) -> None:
    """Feed a demo: history through its virtual clock, then live. Needs TELEHEALTH_CONTROL_TOKEN."""
    from simulator import runtime, world
    from simulator import serve as serving

    with _errors():
        found = world.read(devices)
        token = os.environ.get(TOKEN_VARIABLE)
        service = url or found.url
        if not token or not service:
            raise errors.BadInput(f"{TOKEN_VARIABLE} must be set, and --url given")
        options = serving.Options(
            seed, service, token, speed, history_days, _time("--history-from", history_from), live,
            live_seconds, control_port, state_dir, truth, reproducible,
        )  # fmt: skip
        broker = _broker(mqtt, found)

        async def serving_until(stop: Any) -> None:
            import asyncio

            async with asyncio.TaskGroup() as group:
                watch = group.create_task(runtime.orphaned(stop)) if with_parent else None
                await serving.serve(options, found, broker, stop, _event if as_json else _told)
                if watch is not None:
                    watch.cancel()

        runtime.execute(serving_until)


@app.command("call")
@functools.wraps(call_command.call)
def call(**options: Any) -> None:
    with _errors():
        call_command.call(**options)


@app.command("impair")
@functools.wraps(impair_command.impair)
def impair(**options: Any) -> None:
    with _errors():
        impair_command.impair(**options)


@app.command("load")
@functools.wraps(load_command.load)
def load(**options: Any) -> None:
    with _errors():
        load_command.load(**options)


@app.command("score")
@functools.wraps(score_command.score)
def score(**options: Any) -> None:
    with _errors():
        score_command.score(**options)


@app.command()
def scenarios(as_json: AsJson = False) -> None:
    """List the scenarios."""
    from simulator import scenario as packaged

    found = [packaged.load(name) for name in packaged.names()]
    if as_json:
        print(json.dumps([{"name": s.name, "title": s.title, "description": s.description} for s in found]))
    else:
        for each in found:
            print(f"{each.name}: {each.title}\n  {each.description.replace(chr(10), chr(10) + '  ')}")


class _errors:
    """Turns the simulator's errors into one line on standard error and an exit status."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, errors.SimulatorError):
            _tell(str(error))
            raise typer.Exit(error.status)


def _broker(mqtt: str | None, found: world.World) -> world.Broker:
    from simulator import world

    if mqtt is not None:
        return world.broker(mqtt)
    if found.mqtt is None:
        raise errors.BadInput("the file of devices does not name the broker: give --mqtt HOST:PORT")
    return found.mqtt


def _map(text: str) -> dict[str, str]:
    pairs = [pair.rpartition("=") for pair in text.split(",") if pair.strip()]
    if any(not person.strip() or not device.strip() for person, _, device in pairs):
        raise errors.BadInput("--map must be person=device, by comma")
    return {person.strip(): device.strip() for person, _, device in pairs}


def _positive(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= 1e9:
        raise errors.BadInput(f"{option} is not a positive number")
    return value


def _time(option: str, text: str | None) -> Any:
    from datetime import datetime

    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise errors.BadInput(f"{option} is not an ISO 8601 time") from None
    if at.tzinfo is None:
        raise errors.BadInput(f"{option} has no offset")
    return at


class _progress:
    """A bar on a terminal; nothing otherwise."""

    def __enter__(self) -> Any:
        self._bar: Any = None
        if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (TextColumn("messages settled"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self._update

    def _update(self, done: int, whole: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=whole)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _tell(line: str) -> None:
    print(f"telehealth-sim: {line}", file=sys.stderr, flush=True)


def _event(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)


def _told(event: dict[str, Any]) -> None:
    _tell(" ".join(f"{name}={value}" for name, value in event.items()))


def _summary(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary))
        return
    print(
        f"{summary['readings']} readings in {summary['messages']} messages from {summary['devices']} devices; "
        f"{summary['settled_messages']} settled, {summary['unsettled_messages']} not, {summary['refused']} refused"
    )
    for record in summary["truth"]:
        print(f"{record['resident']}: {record['scenario']} from {record['onset']}, worst at {record['peak']}")


def _replayed(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary))
        return
    print(
        f"{summary['readings']} readings sent in {summary['messages']} messages, shifted {summary['shift_seconds']} s"
    )
    accepted, refused, bad = (summary[name] for name in ("accepted_readings", "refused_readings", "bad_lines"))
    print(f"{accepted} accepted, {refused} refused, {bad} lines not sent")
    for note in summary["notes"]:
        print(note)
    for error, count in summary["refused_by_reason"].items():
        print(f"refused: {error}: {count}")
    for refusal in summary["refusals"]:
        where = f" ({refusal['field']})" if refusal["field"] else ""
        print(f"line {refusal['line']}: {refusal['error']}{where}: {refusal['detail'] or ''}".rstrip(": "))
    for line in summary["bad"]:
        print(f"line {line['line']}: not sent: {line['error']}")


def main() -> None:
    """Entry of the console script."""
    app(prog_name="telehealth-sim")


if __name__ == "__main__":
    main()
