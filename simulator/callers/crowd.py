"""Several callers at once, and what they saw in all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from simulator import errors
from simulator.callers import clip, line, peer
from simulator.callers.caller import Caller
from simulator.callers.report import Report
from simulator.callers.script import Script


@dataclass(frozen=True)
class Plan:
    """Scripts go round. ramp: seconds over which callers come. seconds: after which all stop; None: when done."""

    links: Sequence[line.Link]
    scripts: Sequence[Script]
    path: peer.Path = "direct"
    ramp: float = 0.0
    seconds: float | None = None
    seed: int = 1
    width: int = 640
    height: int = 480
    rate: int = 15
    bitrate: int = 500_000


def links(text: str) -> list[line.Link]:
    """A link a line, with the date of birth after it where the service asks for one. Raises BadInput by line."""
    found = []
    for number, words in enumerate((row.split() for row in text.splitlines()), 1):
        if not words or words[0].startswith("#"):
            continue
        try:
            found.append(line.link(*words[:2]))
        except errors.BadInput as error:
            raise errors.BadInput(f"line {number}: {error}") from None
    if not found:
        raise errors.BadInput("there is no link")
    return found


async def call(plan: Plan, stop: asyncio.Event, tell: Callable[[str], None]) -> list[Report]:
    """All of them, until the last is done."""
    faces = await asyncio.to_thread(_faces, plan)
    reports: list[Report] = []

    async def one(number: int, found: line.Link) -> None:
        await asyncio.sleep(plan.ramp * number / len(plan.links))
        script = plan.scripts[number % len(plan.scripts)]
        sending = peer.Sending(faces[number % len(faces)], clip.tone(330 + 55 * (number % 8)))
        caller = Caller(f"caller {number + 1}", found, script, sending, path=plan.path, seed=plan.seed * 1000 + number)
        report = await caller.run(stop)
        reports.append(report)
        tell(f"{report.caller}: {report.ended}{': ' + report.trouble if report.trouble else ''}")

    async with asyncio.TaskGroup() as group:
        if plan.seconds is not None:
            timer = asyncio.get_running_loop().call_later(plan.seconds, stop.set)
        for number, found in enumerate(plan.links):
            group.create_task(one(number, found))
    if plan.seconds is not None:
        timer.cancel()
    return sorted(reports, key=lambda report: int(report.caller.split()[1]))


def _faces(plan: Plan) -> list[clip.Clip]:
    """A few for all: drawing and encoding takes a second each."""
    return [
        clip.face(plan.seed + number, plan.width, plan.height, plan.rate, plan.bitrate)
        for number in range(min(2, len(plan.links)))
    ]


def summary(reports: Sequence[Report]) -> dict[str, Any]:
    """Of all callers; join in seconds."""
    joins = sorted(seconds for report in reports for seconds in report.join)
    return {
        "callers": len(reports),
        "joined": sum(1 for report in reports if report.connections and report.voice_packets),
        "join_median": round(joins[len(joins) // 2], 3) if joins else None,
        "join_p95": round(joins[min(len(joins) - 1, int(len(joins) * 0.95))], 3) if joins else None,
        "frames": sum(report.frames for report in reports),
        "freezes": sum(report.freezes for report in reports),
        "longest": round(max((report.longest for report in reports), default=0.0), 3),
        "missing": sum(report.missing for report in reports),
        "ended": dict(Counter(report.ended for report in reports)),
    }
