"""telehealth-sim load"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator import errors

if TYPE_CHECKING:
    from simulator.load import run as running


def load(
    devices: Annotated[
        str, typer.Option("--devices", help="File of devices, or - for standard input.", metavar="FILE")
    ],
    count: Annotated[int | None, typer.Option(help="Only the first so many.", min=1, max=100_000)] = None,
    every: Annotated[float, typer.Option(help="Seconds between two messages of a device.", min=0.01, max=3600)] = 60.0,
    rate: Annotated[
        float | None, typer.Option(help="Instead: messages a second of all together.", min=0.01, max=100_000)
    ] = None,
    ramp: Annotated[
        float | None, typer.Option(help="Seconds over which they connect; else 200 a second.", min=0, max=3600)
    ] = None,
    duration: Annotated[float, typer.Option(help="Seconds after that.", min=0, max=86_400)] = 60.0,
    settle: Annotated[float, typer.Option(help="Seconds to wait for the last receipts.", min=0, max=3600)] = 30.0,
    receipts: Annotated[
        bool, typer.Option("--receipts/--no-receipts", help="Whether a receipt settles, or the broker's PUBACK.")
    ] = True,
    mqtt: Annotated[
        str | None, typer.Option("--mqtt", help="The broker, if the file does not say it.", metavar="HOST:PORT")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
) -> None:
    """Hold many devices at a steady rate: what is lost, and how long receipts take. See docs/simulator/load.md."""
    from simulator import world
    from simulator.load import run as running

    found = world.read(devices)
    chosen = found.devices[: count or len(found.devices)]
    if count is not None and len(chosen) < count:
        raise errors.BadInput(f"the file names only {len(chosen)} devices")
    broker = world.broker(mqtt) if mqtt is not None else found.mqtt
    if broker is None:
        raise errors.BadInput("the file of devices does not name the broker: give --mqtt HOST:PORT")
    each = len(chosen) / rate if rate is not None else every
    plan = running.Plan(each, len(chosen) / 200 if ramp is None else ramp, duration, settle, receipts)
    with _live(len(chosen)) as look:
        result = _execute(lambda stop: running.load(plan, chosen, broker, stop, look))
    if as_json:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins(result)))
    else:
        _show(result, receipts=receipts)
    away = result.devices - result.connected
    if result.lost or away:
        raise errors.Refused(f"{result.lost} messages lost, {away} devices not connected at the end")


def _execute(command: Callable[[asyncio.Event], Any]) -> Any:
    import uvloop

    from simulator import runtime

    # About twice as many packets a second as the standard loop, with half of its memory for a connection.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        return runtime.execute(command)
    finally:
        asyncio.set_event_loop_policy(None)


def _show(result: running.Load, *, receipts: bool) -> None:
    for name, text in _lines(result, receipts=receipts):
        typer.echo(f"{name:<12} {text}")


def _lines(result: running.Load, *, receipts: bool) -> Iterator[tuple[str, str]]:
    yield "devices", f"{result.devices:,}, connected at the end {result.connected:,}, after {result.ramp_seconds:.0f} s"
    yield (
        "rate",
        f"{result.made_a_second:,.1f} messages/s for {result.seconds:.0f} s, of {result.wanted_a_second:,.1f} wanted;"
        f" at most {result.behind_ms:,.0f} ms behind",
    )
    yield (
        "messages",
        f"{result.messages:,}; settled {result.settled:,}, lost {result.lost:,}, readings refused {result.refused:,},"
        f" sent again {result.resends:,}",
    )
    for reason, number in result.refused_by_reason.items():
        yield "", f"refused: {reason}: {number:,}"
    yield (
        "connections",
        f"lost {result.disconnects:,}, failed {result.failed_connections:,}, refused"
        f" {sum(result.refused_connections.values()):,}",
    )
    for why, number in result.refused_connections.items():
        yield "", f"refused connection: {why}: {number:,}"
    yield "connecting", _ms(result.connect_ms)
    yield "PUBACK", _ms(result.puback_ms)
    if receipts:
        yield "receipt", _ms(result.receipt_ms)
    grown = (result.memory_bytes - result.memory_before_bytes) / max(result.devices, 1)
    yield (
        "this process",
        f"{result.cores:.2f} cores ({result.cores_ramp:.2f} while connecting), {result.memory_bytes / 1e6:.0f} MB,"
        f" {grown / 1e3:.1f} kB a device",
    )


def _ms(found: Any) -> str:
    if not found.count:
        return "none"
    shown = ", ".join(f"{name} {getattr(found, name):,.1f}" for name in ("p50", "p90", "p95", "p99", "p999", "longest"))
    return f"{shown} ms of {found.count:,}"


@contextlib.contextmanager
def _live(devices: int) -> Iterator[Callable[[running.Snapshot], None]]:
    """A table on a terminal's standard error; nothing in a pipe."""
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    from simulator.load import figures

    last = (0.0, 0)

    def table(seen: running.Snapshot) -> Table:
        nonlocal last
        shown = Table(show_header=False, title=f"{seen.phase}, {seen.seconds:.0f} s", title_justify="left")
        rate = (seen.messages - last[1]) / max(seen.seconds - last[0], 1e-9)
        last = (seen.seconds, seen.messages)
        took = figures.percentiles(seen.recent_ms)
        for name, text in (
            ("connected", f"{seen.connected:,} of {devices:,}"),
            ("messages", f"{seen.messages:,} ({rate:,.0f}/s)"),
            ("PUBACK", f"{seen.acknowledged:,}"),
            ("settled", f"{seen.settled:,}"),
            ("unsettled", f"{seen.unsettled:,}"),
            ("refused", f"{seen.refused:,}"),
            ("disconnects", f"{seen.disconnects:,}"),
            ("last second", "-" if took.p50 is None else f"p50 {took.p50:,.1f} ms, p99 {took.p99:,.1f} ms"),
        ):
            shown.add_row(name, text)
        return shown

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda seen: live.update(table(seen), refresh=True)
