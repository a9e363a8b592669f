"""A scenario drawn: lines of text for a terminal, and a page with curves. Nothing here reaches a payload."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from devices import catalogue
from simulator import clock, noise, scenario, scenario_reader
from simulator.noise import Floats
from simulator.scenario_model import Scenario

_BARS = " ▁▂▃▄▅▆▇█"
_ONSET = datetime(2026, 1, 1, tzinfo=UTC)
_SEEDS = range(60)
_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C", "{steps}": "steps"}


@dataclass(frozen=True)
class Row:
    """One code over the hours: what is typical, and within what nine of ten courses stay."""

    code: str
    name: str
    unit: str
    what: str  #: change, level (how far drawn towards one), variation, share (of residents or of due measurements)
    hours: Floats
    typical: Floats
    low: Floats
    high: Floats
    towards: tuple[float, float] = (0.0, 0.0)


def rows(found: Scenario, points: int = 160) -> list[Row]:
    """Everything that the file changes, each as a row; courses of sixty seeds."""
    last = max(found.last_hour, *(one.by_hours for one in found.notice), 1.0) * 1.05
    hours = np.linspace(0.0, last, points)
    times = (clock.to_ms(_ONSET) + hours * scenario.HOUR).astype(np.int64)
    middle = scenario.Course(
        found, _ONSET, sum(found.severity) / 2, 2 / (1 / found.tempo[0] + 1 / found.tempo[1]), noise.key("picture")
    )
    several = [scenario.begin(found, _ONSET, "somebody", seed) for seed in _SEEDS]

    def row(code: str, what: str, values: list[Floats], typical: Floats) -> Row:
        entry = catalogue.ENTRIES.get(code)
        unit = entry.unit or "" if entry else ""
        low, high = np.quantile(np.array(values), (0.05, 0.95), axis=0)
        name = entry.display if entry else "Due measurements still taken"
        return Row(code, name, _UNITS.get(unit, unit), what, hours, typical, low, high)

    drawn: list[Row] = []
    for code, vital in found.vitals.items():
        if vital.offset is not None:
            drawn.append(row(code, "change", [c.offset(code, times) for c in several], middle.offset(code, times)))
        if vital.level is not None:
            parts = row(code, "level", [c.pull(code, times)[0] for c in several], middle.pull(code, times)[0])
            drawn.append(replace(parts, towards=(min(vital.level.values), max(vital.level.values))))
        if vital.spread is not None:
            drawn.append(row(code, "variation", [c.spread(code, times) for c in several], middle.spread(code, times)))
    for code, symptom in found.symptoms.items():
        if symptom.offset is not None:
            drawn.append(row(code, "change", [c.offset(code, times) for c in several], middle.offset(code, times)))
        elif symptom.chance is not None:
            shares = [np.minimum(symptom.chance.at(c.hours(times)) * c.severity, 1.0) for c in several]
            mean = np.minimum(symptom.chance.at(middle.hours(times)) * middle.severity, 1.0)
            drawn.append(row(code, "share", shares, mean))
    if found.adherence is not None:
        drawn.append(row("", "share", [c.adherence(times) for c in several], middle.adherence(times)))
    return drawn


# Words --------------------------------------------------------------------------------------------


def as_json(found: Scenario) -> dict[str, Any]:
    """For list and show --json, and for the catalogue of the control API."""
    return {
        "name": found.name,
        "title": found.title,
        "description": found.description,
        "pathways": list(found.pathways),
        "sources": list(found.sources),
        "severity": list(found.severity),
        "tempo": list(found.tempo),
        "peak_hours": found.peak_hours,
        "end_hours": found.end_hours,
        "phases": [
            {"name": one.name, "from_hours": one.from_hours, "to_hours": one.to_hours, "text": one.text}
            for one in found.phases
        ],
        "codes": sorted({*found.vitals, *found.states, *found.symptoms}),
        "events": [{"kind": one.kind, "at": list(one.hours), "chance": one.chance} for one in found.events],
        "faults": [{"kind": one.kind, "from_hours": one.from_hours, "to_hours": one.to_hours} for one in found.faults],
        "notice": [
            {
                "what": one.what,
                "by_hours": one.by_hours,
                "priority": one.priority,
                "codes": list(one.codes) or None,
                "categories": list(one.categories),
                "pathways": list(one.pathways) or None,
                "source": one.source,
            }
            for one in found.notice
        ],
        "quiet": [
            {
                "why": one.why,
                "from_hours": one.from_hours,
                "to_hours": one.to_hours,
                "codes": list(one.codes) or None,
                "pathways": list(one.pathways) or None,
            }
            for one in found.quiet
        ],
    }


def listing(found: Sequence[Scenario]) -> str:
    """One line each: name, title, for whom."""
    wide = max((len(one.name) for one in found), default=0)
    return "\n".join(f"{one.name:<{wide}}  {one.title} ({', '.join(one.pathways) or 'anybody'})" for one in found)


def text(found: Scenario, width: int = 60) -> str:
    """The whole scenario for a terminal: what it is, a small picture of each code, what should be noticed."""
    drawn = rows(found, width)
    lines = [f"{found.name}: {found.title}", "", found.description, ""]
    if found.pathways:
        lines.append(f"For: {', '.join(found.pathways)}")
    lines += _phases(found)
    if drawn:
        last = float(drawn[0].hours[-1])
        names = [_named(row) for row in drawn]
        wide = max(map(len, names))
        lines += ["", f"{'':{wide}}  {_ruler(last, width)}"]
        lines += [f"{name:{wide}}  {_bars(row)}  {_extent(row)}" for name, row in zip(names, drawn, strict=True)]
        lines += [f"{'':{wide}}  {_marks(found, last, width)}"] if found.notice else []
    lines += _told(found)
    if found.sources:
        lines += ["", "Sources:", *(f"  {source}" for source in found.sources)]
    return "\n".join(lines)


def _phases(found: Scenario) -> list[str]:
    return [
        f"  {_span(one.from_hours, one.to_hours):<20} {one.name}{': ' + one.text if one.text else ''}"
        for one in found.phases
    ]


def _told(found: Scenario) -> list[str]:
    lines = []
    for code, steps in found.states.items():
        told = ", ".join(f"{_value(value)} from {_hours(hour)}" for hour, value in steps)
        lines.append(f"{catalogue.ENTRIES[code].display}: {told}")
    for event in found.events:
        when = _hours(event.hours[0]) if event.hours[0] == event.hours[1] else _span(*event.hours)
        said = ", ".join(f"{code} {_value(value)}" for code, value in event.values.items())
        chance = f" in {event.chance:.0%} of residents" if event.chance < 1 else ""
        lines.append(f"At {when}{chance}: {scenario_reader.EVENTS[event.kind]}{f' ({said})' if said else ''}")
    lines += [f"Fault {fault.kind}: {_span(fault.from_hours, fault.to_hours)}" for fault in found.faults]
    for notice in found.notice:
        about = f" about {', '.join(notice.codes)}" if notice.codes else ""
        only = f" ({', '.join(notice.pathways)})" if notice.pathways else ""
        lines.append(
            f"To be noticed by {_hours(notice.by_hours)}{only}: {notice.what}; an alert{about} of at least "
            f"{notice.priority} priority. {notice.source}"
        )
    for quiet in found.quiet:
        about = ", ".join(quiet.codes) if quiet.codes else "anything"
        lines.append(f"Must not alarm ({about}), {_span(quiet.from_hours, quiet.to_hours)}: {quiet.why}")
    return ["", *lines] if lines else []


def _named(row: Row) -> str:
    short = row.name if len(row.name) <= 34 else row.name[:33] + "…"
    return short + {"level": " towards", "variation": " variation ×"}.get(row.what, "")


def _bars(row: Row) -> str:
    low, high = _scale(row, row.typical)
    size = (high - low) or 1.0
    return "".join(_BARS[1 + round((float(value) - low) / size * 7)] for value in row.typical)


def _scale(row: Row, shown: Floats) -> tuple[float, float]:
    if row.what in ("share", "level"):
        return 0.0, 1.0
    return min(float(shown.min()), 0.0), max(float(shown.max()), 0.0)


def _extent(row: Row) -> str:
    if row.what == "share":
        return f"up to {row.typical.max():.0%}" if row.code else f"down to {row.typical.min():.0%}"
    low, high = float(row.typical.min()), float(row.typical.max())
    unit = f" {row.unit}" if row.unit else ""
    if row.what == "level":
        first, last = row.towards
        return f"{first:g}{unit}" if first == last else f"{first:g} to {last:g}{unit}"
    if row.what == "change":
        worst = low if -low > high else high
        return f"{worst:+.1f}{unit}"
    return f"{low:.1f} to {high:.1f}"


def _ruler(last: float, width: int) -> str:
    line = [" "] * width
    step = _step(last)
    hour = 0.0
    while hour <= last:
        label = _hours(hour)
        place = round(hour / last * (width - 1))
        if place + len(label) <= width:
            line[place : place + len(label)] = label
        hour += step
    return "".join(line)


def _marks(found: Scenario, last: float, width: int) -> str:
    line = ["·"] * width
    for notice in found.notice:
        line[min(round(notice.by_hours / last * (width - 1)), width - 1)] = "!"
    return "".join(line) + "  ! to be noticed by then"


def _step(last: float) -> float:
    return next((step for step in (1, 3, 6, 12, 24, 48, 96, 168, 336) if last / step <= 6), 672.0)


def _hours(hour: float) -> str:
    return f"{hour / 24:g} d" if abs(hour) >= 48 and hour % 12 == 0 else f"{hour:g} h"


def _span(start: float, end: float | None) -> str:
    return f"from {_hours(start)} on" if end is None else f"{_hours(start)} to {_hours(end)}"


def _value(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# Page ---------------------------------------------------------------------------------------------

_WIDE, _HIGH, _LEFT = 640, 96, 44
_STYLE = """
:root { color-scheme: light dark; --ink: #212b32; --soft: #768692; --line: #005eb8; --band: #005eb833; --late: #d5281b;
  --phase: #0000000d; --back: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edee; --soft: #aeb7bd; --line: #6cb2ff; --band: #6cb2ff33;
  --late: #ff8a80; --phase: #ffffff12; --back: #14191c } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 44rem;
  margin: 2rem auto; padding: 0 1rem }
svg { width: 100%; height: auto; display: block } figure { margin: 0 0 1rem } figcaption { font-weight: 600 }
text { font-size: 11px; fill: var(--soft) } .curve { fill: none; stroke: var(--line); stroke-width: 2 }
.band { fill: var(--band) } .late { stroke: var(--late); stroke-dasharray: 4 3 } .phase { fill: var(--phase) }
.zero { stroke: var(--soft); stroke-width: .5 } small { color: var(--soft) } li { margin-bottom: .4rem }
"""


def page(found: Scenario) -> str:
    """A page of its own: title, curves with the spread between courses, what should be noticed, sources."""
    told = "".join(f"<li>{html.escape(line)}</li>" for line in _told(found) if line)
    phases = "".join(f"<li>{html.escape(line.strip())}</li>" for line in _phases(found))
    sources = "".join(f"<li>{html.escape(source)}</li>" for source in found.sources)
    figures = "".join(_figure(found, row) for row in rows(found))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(found.title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(found.title)}</h1><p><code>{html.escape(found.name)}</code>"
        f" for {html.escape(', '.join(found.pathways) or 'anybody')}</p><p>{html.escape(found.description)}</p>"
        + (f"<h2>Phases</h2><ul>{phases}</ul>" if phases else "")
        + (
            "<h2>Course</h2><p><small>Line: typical. Band: nine of ten courses. Grey: every other phase. Red: to be "
            f"noticed by then.</small></p>{figures}"
            if figures
            else ""
        )
        + (f"<h2>What happens and what should be noticed</h2><ul>{told}</ul>" if told else "")
        + (f"<h2>Sources</h2><ul>{sources}</ul>" if sources else "")
        + "</body></html>\n"
    )


def _figure(found: Scenario, row: Row) -> str:
    low, high = _scale(row, np.concatenate([row.low, row.high, row.typical]))
    high = high if high - low > 1e-9 else low + 1
    last = float(row.hours[-1])

    def x(hour: float) -> float:
        return _LEFT + hour / last * (_WIDE - _LEFT - 4)

    def y(value: float) -> float:
        return 6 + (high - value) / (high - low) * (_HIGH - 28)

    points = [
        (float(hour), float(value), float(least), float(most))
        for hour, value, least, most in zip(row.hours, row.typical, row.low, row.high, strict=True)
    ]
    curve = " ".join(f"{x(hour):.1f},{y(value):.1f}" for hour, value, _, _ in points)
    band = " ".join(
        [f"{x(hour):.1f},{y(most):.1f}" for hour, _, _, most in points]
        + [f"{x(hour):.1f},{y(least):.1f}" for hour, _, least, _ in reversed(points)]
    )
    parts = []
    for phase in found.phases[1::2]:
        end = last if phase.to_hours is None else min(phase.to_hours, last)
        width = max(x(end) - x(max(phase.from_hours, 0.0)), 0.0)
        parts.append(
            f'<rect class="phase" x="{x(phase.from_hours):.1f}" y="6" width="{width:.1f}" height="{_HIGH - 28}"/>'
        )
    if low <= 0 <= high:
        parts.append(f'<line class="zero" x1="{_LEFT}" x2="{_WIDE - 4}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>')
    for notice in found.notice:
        at = x(min(notice.by_hours, last))
        parts.append(f'<line class="late" x1="{at:.1f}" x2="{at:.1f}" y1="6" y2="{_HIGH - 22}"/>')
    step, hour = _step(last), 0.0
    while hour <= last:
        parts.append(f'<text x="{x(hour):.1f}" y="{_HIGH - 6}" text-anchor="middle">{_hours(hour)}</text>')
        hour += step
    for value in (high, low):
        said = f"{value:.0%}" if row.what in ("share", "level") else f"{value:.3g}"
        parts.append(f'<text x="{_LEFT - 4}" y="{y(value) + 4:.1f}" text-anchor="end">{said}</text>')
    what = {"change": "change from usual", "level": "drawn towards", "variation": "variation, times usual"}
    about = f"{row.name}, {what.get(row.what, 'share of residents' if row.code else 'share')}"
    if row.what == "level":
        about += f" {_extent(row)}"
    elif row.unit and row.what != "variation":
        about += f", {row.unit}"
    return (
        f"<figure><figcaption>{html.escape(about)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{html.escape(about)}: {html.escape(_extent(row))}">'
        f'{"".join(parts)}<polygon class="band" points="{band}"/><polyline class="curve" points="{curve}"/>'
        "</svg></figure>"
    )
