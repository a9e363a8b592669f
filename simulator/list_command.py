"""telehealth-sim list and show: what can be simulated, and what was."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from simulator import created, errors, options, scenario, scenario_picture, telling
from simulator.homes import catalogue, kinds


def listing(
    what: Annotated[str, typer.Argument(help="scenarios, faults, devices, or nothing for all.")] = "",
    as_json: options.AsJson = False,
) -> None:
    """List scenarios, faults and kinds of devices."""
    parts: dict[str, Any] = {
        "scenarios": [scenario_picture.as_json(scenario.load(name)) for name in scenario.names()],
        "faults": catalogue.as_json(),
        "devices": [kind.as_json() for kind in kinds.KINDS.values()],
    }
    if what and what not in parts:
        raise errors.BadInput(f"there are: {', '.join(parts)}")
    chosen = {name: found for name, found in parts.items() if what in ("", name)}
    if as_json:
        telling.data(json.dumps(chosen))
        return
    for name, found in chosen.items():
        telling.data(f"{name}:")
        for one in found:
            telling.data(f"  {one['name']}: {one['title']}")


def show(
    name: Annotated[
        str, typer.Argument(help="A scenario or its file, a fault, a kind of device, or a log of created messages.")
    ],
    as_json: options.AsJson = False,
    page: Annotated[
        Path | None, typer.Option("--html", help="Draw a scenario as a page.", metavar="FILE", dir_okay=False)
    ] = None,
    most: Annotated[int, typer.Option("--lines", help="Messages of a log that are shown.", min=0)] = 20,
) -> None:
    """Show one scenario, fault or kind of device, or what is in a log of created messages."""
    if name in catalogue.KINDS:
        _shown(catalogue.KINDS[name].as_json(), as_json)
    elif name in kinds.KINDS:
        _shown(kinds.KINDS[name].as_json(), as_json)
    elif created.is_log(name):
        _log(name, most, as_json)
    else:
        _drawn(scenario.load(name), page, as_json)


def _drawn(found: scenario.Scenario, page: Path | None, as_json: bool) -> None:
    if page is not None:
        try:
            page.write_text(scenario_picture.page(found), "utf-8")
        except OSError as error:
            raise errors.BadInput(f"cannot write {page}: {error.strerror}") from None
    if as_json:
        telling.data(json.dumps(scenario_picture.as_json(found)))
    elif page is None:
        telling.data(scenario_picture.text(found))


def _shown(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        telling.data(json.dumps(found))
        return
    for key, value in found.items():
        if key == "parameters":
            for one in value:
                bounds = f" from {one['lowest']:g} to {one['highest']:g} {one['unit']}" if "lowest" in one else ""
                telling.data(f"  {one['name']}: {one['title']} ({one['default']}{bounds})")
        elif isinstance(value, list):
            telling.data(f"{key}: " + "; ".join(str(one) for one in value))
        else:
            telling.data(f"{key}: {value}")


def _log(path: str, most: int, as_json: bool) -> None:
    messages = created.read(path)
    codes: Counter[str] = Counter()
    for message in messages:
        envelope = message.envelope
        if envelope is not None:
            codes.update(entry["code"] for entry in msgspec.json.decode(envelope.readings))
    summary = {
        "messages": len(messages),
        "beside": sum(message.stream is None for message in messages),
        "devices": len({message.device_id for message in messages}),
        "from": messages[0].sent_at if messages else None,
        "to": messages[-1].sent_at if messages else None,
        "readings": dict(sorted(codes.items())),
    }
    if as_json:
        telling.data(json.dumps(summary))
        return
    _shown(summary, as_json)
    for message in messages[:most]:
        telling.data(
            f"{message.sent_at} {message.device_id} {message.lane} {message.stream or '-'} {message.seq or '-'}"
        )
