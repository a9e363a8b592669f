"""telehealth demo"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telehealth.cli import terminal

if TYPE_CHECKING:
    from telehealth.demo.run import Ready


def demo(
    port: Annotated[
        int, typer.Option(help="Of the web pages, on 127.0.0.1; 0: any that is free.", min=0, max=65535)
    ] = 8080,
    mqtt_port: Annotated[int, typer.Option(help="Of the MQTT broker; 0: any that is free.", min=0, max=65535)] = 1883,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keeps everything between starts; else a folder of your data home.")
    ] = None,
    residents: Annotated[int, typer.Option(help="On the first ward; the second has 6.", min=5, max=200)] = 24,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.", min=0, max=1_000_000)] = 1,
    speed: Annotated[
        float, typer.Option(help="Times real time; not 1: in steps, for good.", min=0.1, max=10_000)
    ] = 1.0,
    simulator: Annotated[
        bool, typer.Option("--simulator/--no-simulator", help="Go on feeding live readings after the history.")
    ] = True,
    json: terminal.Json = False,
) -> None:
    """Everything on this computer with simulated residents: database, broker, simulator, pages."""
    import platformdirs
    import uvloop

    from telehealth import errors, log
    from telehealth.demo import run

    # The terminal is for where to look; requests and connections are for a log file of `serve`.
    log.configure("warning")
    folder = (
        data_dir if data_dir is not None else Path(platformdirs.user_data_dir("telehealth", appauthor=False)) / "demo"
    )
    options = run.Options(port, mqtt_port, folder.absolute(), residents, seed, speed, simulator)
    try:
        uvloop.run(run.demo(options, _printed(as_json=json), _history()))
    except errors.TelehealthError as error:
        terminal.fail(error)
    except BaseExceptionGroup as group:
        known = group.subgroup(errors.TelehealthError)
        if known is None:
            raise
        first: BaseException = known
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        assert isinstance(first, errors.TelehealthError)
        terminal.fail(first)


def _history() -> Any:
    """A line of progress on a terminal's standard error while the history is fed; silent in a pipe."""
    if not sys.stderr.isatty():
        return lambda _event: None
    from rich.console import Console

    status = Console(stderr=True).status("Two weeks of history ...")
    running = [False]

    def heard(event: dict[str, Any]) -> None:
        if event.get("event") == "history":
            if not running[0]:
                status.start()
                running[0] = True
            status.update(f"Two weeks of history: {str(event.get('to'))[:10]}")
        elif event.get("event") in ("history_done", "live") and running[0]:
            status.stop()
            running[0] = False

    return heard


def _printed(*, as_json: bool) -> Any:
    def tell(ready: Ready) -> None:
        if as_json:
            _print(terminal.encode(ready.as_json()))
            return
        lines = [
            "",
            f"Look at   {ready.url}        (all data is simulated)",
            f"Learn     {ready.url}/about-demo",
            f"MQTT      127.0.0.1:{ready.mqtt_port}",
            "",
            "Sign in as",
        ]
        lines += [f"  {login['username']:<14}{login['password']}   {_whose(login)}" for login in ready.logins]
        lines += _try_an_alert(ready)
        lines += ["", "Ctrl-C stops everything."]
        _print("\n".join(lines))

    return tell


def _print(text: str) -> None:
    """To standard output; whoever read it may have gone, which does not end the demo."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _whose(login: dict[str, Any]) -> str:
    wards = login["ward"] or ("no ward" if login["role"] == "admin" else "all wards")
    return f"{login['role']}, {wards}"


def _try_an_alert(ready: Ready) -> list[str]:
    """What to type to see an alert: a red SpO2 of a resident who has none."""
    calm = [d for d in ready.devices if d["open_alerts"] == 0 and "spo2" in d["codes"] and d["rules"]]
    if not calm:
        return []
    device = calm[0]
    name = device["device_id"]
    return [
        "",
        "Raise an alert",
        f"  mosquitto_pub -h 127.0.0.1 -p {ready.mqtt_port} -q 1 -u {name} -P {device['password']} \\",
        f"    -t telehealth/v1/{name}/readings -m '"
        '{"id":"try-1","readings":[{"code":"spo2","value":82,"unit":"%","taken_at":"\'$(date -u +%FT%TZ)\'"}]}\'',
    ]
