"""telehealth-sim impair"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator import errors

if TYPE_CHECKING:
    from simulator.impair import Proxy
    from simulator.wire import Line

_HELP = "cut SECONDS, rebind, loss PERCENT, delay MS, jitter MS, rate KBIT (0: none), statistics, quit"


def impair(
    to: Annotated[str, typer.Option("--to", help="HOST:PORT of the relay or media worker, UDP.", metavar="HOST:PORT")],
    listen: Annotated[str, typer.Option(help="Where clients send instead.", metavar="HOST:PORT")] = "127.0.0.1:0",
    loss: Annotated[float, typer.Option(help="Percent of packets, each way.", min=0, max=100)] = 0.0,
    burst: Annotated[float, typer.Option(help="Packets lost at a time, on average.", min=1)] = 1.0,
    delay: Annotated[float, typer.Option(help="Milliseconds, each way.", min=0)] = 0.0,
    jitter: Annotated[float, typer.Option(help="Milliseconds at most on top.", min=0)] = 0.0,
    reorder: Annotated[bool, typer.Option("--reorder", help="Packets may overtake each other.")] = False,
    rate: Annotated[float | None, typer.Option(help="kbit/s, each way.")] = None,
    queue: Annotated[
        float, typer.Option(help="Milliseconds that packets wait for --rate before they are lost.")
    ] = 500.0,
    direction: Annotated[str, typer.Option(help="both, up (towards --to) or down: where all this happens.")] = "both",
    outage: Annotated[
        list[str] | None,
        typer.Option(help="AT:SECONDS after the start, both ways, several times.", metavar="AT:SECONDS"),
    ] = None,
    rebind: Annotated[
        list[float] | None, typer.Option(help="Seconds after the start when source ports change, as by a new network.")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds to run; else until Ctrl-C.", min=0)] = None,
    seed: Annotated[int, typer.Option(help="The fate of every packet follows from it.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Events and statistics as JSON lines.")] = False,
) -> None:
    """Be a bad network for UDP: loss, delay, jitter, a narrow line, outages, changes of port.

    Commands may be typed while it runs: cut SECONDS, rebind, loss PERCENT, delay MS, jitter MS, rate KBIT,
    statistics, quit.
    """
    from simulator import runtime
    from simulator.wire import Line, Window

    line = Line(
        loss / 100, burst, delay / 1e3, jitter / 1e3, reorder, None if rate is None else rate * 1e3, queue / 1e3
    )
    if direction not in ("both", "up", "down"):
        raise errors.BadInput("--direction must be both, up or down")
    windows = tuple(Window(*_pair(text)) for text in outage or ())
    lines = {way: line if direction in ("both", way) else Line() for way in ("up", "down")}

    async def running(stop: asyncio.Event) -> None:
        from simulator import impair as proxies

        async with proxies.opened(
            address("--to", to), listen=address("--listen", listen), **lines, seed=seed, outages=windows
        ) as proxy:
            _tell({"event": "listening", "at": "{}:{}".format(*proxy.address)}, as_json)
            loop = asyncio.get_running_loop()
            for at in rebind or ():
                loop.call_later(at, proxy.rebind)
            if duration is not None:
                loop.call_later(duration, stop.set)
            with _typed(lambda text: _do(proxy, text, stop, as_json)):
                await stop.wait()
            _tell({"event": "statistics", **proxy.statistics()}, as_json)

    runtime.execute(running)


def address(option: str, text: str) -> tuple[str, int]:
    """HOST:PORT, with an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise errors.BadInput(f"{option} must be HOST:PORT")
    return host.strip("[]"), int(port)


def _pair(text: str) -> tuple[float, float]:
    at, _, seconds = text.partition(":")
    try:
        return float(at), float(seconds)
    except ValueError:
        raise errors.BadInput("--outage must be AT:SECONDS") from None


@contextlib.contextmanager
def _typed(told: Any) -> Any:
    """Lines of standard input, as they come; nothing where there is none."""
    loop = asyncio.get_running_loop()
    rest = b""

    def readable() -> None:
        nonlocal rest
        came = os.read(sys.stdin.fileno(), 4096)
        if not came:
            loop.remove_reader(sys.stdin)
        *lines, rest = (rest + came).split(b"\n")
        for line in lines:
            told(line.decode(errors="replace").strip())

    try:
        loop.add_reader(sys.stdin, readable)
    except (OSError, ValueError):  # a file, or closed
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            loop.remove_reader(sys.stdin)


def _do(proxy: Proxy, text: str, stop: asyncio.Event, as_json: bool) -> None:
    word, _, rest = text.partition(" ")
    if word == "quit":
        stop.set()
    elif word == "rebind":
        proxy.rebind()
    elif word == "statistics":
        _tell({"event": "statistics", **proxy.statistics()}, as_json)
    elif text:
        try:
            value = float(rest)
            if word == "cut":
                proxy.cut(value)
            else:
                proxy.change(up=_changed(proxy.up.line, word, value), down=_changed(proxy.down.line, word, value))
        except (ValueError, errors.BadInput):
            typer.echo(f"telehealth-sim: not understood; {_HELP}", err=True)


def _changed(line: Line, word: str, value: float) -> Line:
    if word == "loss":
        return replace(line, loss=value / 100)
    if word == "delay":
        return replace(line, delay=value / 1e3)
    if word == "jitter":
        return replace(line, jitter=value / 1e3)
    if word == "rate":
        return replace(line, rate=value * 1e3 or None)
    raise ValueError(word)


def _tell(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(event))
    else:
        typer.echo(" ".join(f"{name}={value}" for name, value in event.items()))
