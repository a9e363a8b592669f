"""telehealth-sim replay."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from simulator import created, errors, options, playing, recording, replay, runtime, telling, world


def replaying(
    file: Annotated[
        str, typer.Argument(help="CSV with the columns person,code,value,unit,taken_at, or a log of created messages.")
    ],
    devices: options.Devices,
    shift: Annotated[
        str | None, typer.Option(help="end=now, start= and an ISO time, or none. A CSV: end=now; a log: none.")
    ] = None,
    speed: Annotated[str, typer.Option(help="max, or times real time.")] = "max",
    persons: Annotated[str, typer.Option("--map", help="person=device, by comma; the others in order.")] = "",
    zone: Annotated[str | None, typer.Option(help="IANA zone of times without an offset.")] = None,
    per_message: Annotated[int, typer.Option(help="Most readings in one message.", min=1, max=1000)] = 100,
    url: options.Url = None,
    mqtt: options.Mqtt = None,
    state_dir: options.State = None,
    as_json: options.AsJson = False,
) -> None:
    """Publish recorded readings as devices would, wait for all receipts, and explain what was refused."""
    found = world.read(devices)
    broker = options.needed(options.broker(mqtt, found))
    pace = options.speed(speed)
    if created.is_log(file):
        if shift not in (None, "none"):
            raise errors.BadInput("a log of created messages is played as it is: --shift none")
        _play(file, found, broker, url or found.url, pace, as_json)
        return
    recorded, given = _read(file, zone), _map(persons)

    async def work() -> replay.Outcome:
        with _Progress() as progress:
            return await replay.replay(
                recorded,
                found.devices,
                broker,
                how=shift or "end=now",
                speed=pace,
                given=given,
                most=per_message,
                state=state_dir,
                progress=progress,
            )

    _replayed(_until_stopped(work), as_json)


def _play(
    file: str, found: world.World, broker: world.Broker, service: str | None, speed: float | None, as_json: bool
) -> None:
    """A log of created messages, as it is."""
    messages, token = created.read(file), options.token(found)
    played = runtime.execute(
        lambda stop: playing.play(messages, found.devices, broker, stop, service=service, token=token, speed=speed)
    )
    _played(played, as_json)


def _read(file: str, zone: str | None) -> recording.Recording:
    """A CSV with at least one line that can be sent. Raises BadInput."""
    recorded = recording.read(file, zone)
    if not recorded.rows:
        first = f"; first: line {recorded.bad[0].line}: {recorded.bad[0].error}" if recorded.bad else ""
        raise errors.BadInput(f"the file has no line that can be sent{first}")
    return recorded


def _until_stopped(work: Callable[[], Coroutine[None, None, replay.Outcome]]) -> dict[str, Any]:
    """What came of it. Ctrl-C before the end is exit status 130: not every receipt has come."""

    async def running(stop: asyncio.Event) -> dict[str, Any] | None:
        outcome: list[replay.Outcome] = []

        async def keep() -> None:
            outcome.append(await work())

        await runtime.until(stop, keep())
        return outcome[0].as_json() if outcome else None

    summary = runtime.execute(running)
    if summary is None:
        telling.say("stopped before every receipt had come")
        raise typer.Exit(130)
    return summary


def _map(text: str) -> dict[str, str]:
    pairs = [pair.rpartition("=") for pair in text.split(",") if pair.strip()]
    if any(not person.strip() or not device.strip() for person, _, device in pairs):
        raise errors.BadInput("--map must be person=device, by comma")
    return {person.strip(): device.strip() for person, _, device in pairs}


class _Progress:
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


def _played(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        telling.data(json.dumps(summary))
        return
    telling.data(
        f"{summary['messages']} messages played, {summary['settled_messages']} settled, "
        f"{summary['refused']} refusals, {summary['beside']} sent beside the contract"
    )


def _replayed(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        telling.data(json.dumps(summary))
        return
    telling.data(
        f"{summary['readings']} readings sent in {summary['messages']} messages, shifted {summary['shift_seconds']} s"
    )
    accepted, refused, bad = (summary[name] for name in ("accepted_readings", "refused_readings", "bad_lines"))
    telling.data(f"{accepted} accepted, {refused} refused, {bad} lines not sent")
    for note in summary["notes"]:
        telling.data(note)
    for error, count in summary["refused_by_reason"].items():
        telling.data(f"refused: {error}: {count}")
    for refusal in summary["refusals"]:
        where = f" ({refusal['field']})" if refusal["field"] else ""
        telling.data(f"line {refusal['line']}: {refusal['error']}{where}: {refusal['detail'] or ''}".rstrip(": "))
    for line in summary["bad"]:
        telling.data(f"line {line['line']}: not sent: {line['error']}")
