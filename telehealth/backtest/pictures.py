"""Pictures of a report as inline SVG, each with a title and a description, beside a table of the same numbers."""

from __future__ import annotations

import hashlib
import html
import itertools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 640
_LEFT, _RIGHT, _TOP, _BOTTOM = 190, 60, 16, 44
_ROW = 30
_LANE = 190
_HEIGHT = 300
_INK, _QUIET, _BLUE, _LIGHT, _RED = "#212b32", "#4c6272", "#005eb8", "#a3c4e3", "#d5281b"
_SHADES = {"amber": "#ffeb99", "red": "#f7c6c2"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: a value with its interval, where there is one."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None


def bars(rows: Sequence[Bar], title: str, text: str, axis: str) -> str:
    """Horizontal bars with whiskers."""
    most = max([row.high if row.high is not None else row.value for row in rows], default=0.0)
    ticks = ticks_of(0.0, most or 1.0)
    height = _TOP + _ROW * max(len(rows), 1) + _BOTTOM
    x = _Scale(0.0, ticks[-1], _LEFT, WIDTH - _RIGHT)
    parts = [_vertical(x, ticks, height - _BOTTOM), _axis_name(axis, height)]
    for number, row in enumerate(rows):
        y = _TOP + _ROW * number
        parts.append(_text(_LEFT - 8, y + 19, row.label, anchor="end"))
        parts.append(_rect(x(0), y + 6, max(x(row.value) - x(0), 0.0), _ROW - 12, _BLUE))
        end = x(row.value)
        if row.low is not None and row.high is not None:
            parts.append(_whisker(x(row.low), x(row.high), y + _ROW / 2))
            end = x(row.high)
        parts.append(_text(end + 6, y + 19, number_of(row.value)))
    return _svg(height, title, text, parts)


def stacked(rows: Sequence[tuple[str, Sequence[int]]], names: Sequence[str], title: str, text: str, axis: str) -> str:
    """Horizontal bars of parts, at most three, side by side; the parts are named above."""
    fills = (_LIGHT, _RED, _BLUE)
    most = max([sum(parts) for _, parts in rows], default=0)
    ticks = ticks_of(0.0, float(most) or 1.0)
    top = _TOP + 24
    height = top + _ROW * max(len(rows), 1) + _BOTTOM
    x = _Scale(0.0, ticks[-1], _LEFT, WIDTH - _RIGHT)
    parts = [_vertical(x, ticks, height - _BOTTOM, top), _axis_name(axis, height)]
    for number, name in enumerate(names):
        parts += [_rect(_LEFT + 140 * number, 6, 12, 12, fills[number]), _text(_LEFT + 18 + 140 * number, 17, name)]
    for number, (label, counts) in enumerate(rows):
        y = top + _ROW * number
        parts.append(_text(_LEFT - 8, y + 19, label, anchor="end"))
        start = 0
        for count, fill in zip(counts, fills, strict=False):
            parts.append(_rect(x(start), y + 6, x(start + count) - x(start), _ROW - 12, fill))
            start += count
        parts.append(_text(x(start) + 6, y + 19, " + ".join(map(str, counts))))
    return _svg(height, title, text, parts)


def columns(edges: Sequence[float], counts: Sequence[int], title: str, text: str, axis: str, mark: float | None) -> str:
    """A histogram; mark: where a line of its own stands, such as the onset."""
    x = _Scale(edges[0], edges[-1], 60, WIDTH - 20)
    ticks = ticks_of(0.0, float(max(counts, default=1)) or 1.0)
    y = _Scale(0.0, ticks[-1], _HEIGHT - _BOTTOM, _TOP + 16)
    parts = [_horizontal(y, ticks, 60), _axis_name(axis, _HEIGHT)]
    parts += [
        _rect(x(low) + 1, y(count), max(x(high) - x(low) - 2, 0.5), y(0) - y(count), _BLUE)
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    parts += [_text(x(tick), _HEIGHT - _BOTTOM + 18, number_of(tick), anchor="middle") for tick in _within(edges)]
    if mark is not None and edges[0] <= mark <= edges[-1]:
        parts.append(_line(x(mark), _TOP, x(mark), y(0), _RED, 2))
        parts.append(_text(min(x(mark) + 4, WIDTH - 60), _TOP + 10, "onset", fill=_RED))
    return _svg(_HEIGHT, title, text, parts)


def times(labels: Sequence[str], counts: Sequence[int], title: str, text: str, axis: str) -> str:
    """Counts of stretches of time, one column each; the first, middle and last are named."""
    x = _Scale(0.0, float(len(counts)), 60, WIDTH - 20)
    ticks = ticks_of(0.0, float(max(counts, default=1)) or 1.0)
    y = _Scale(0.0, ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = [_horizontal(y, ticks, 60), _axis_name(axis, _HEIGHT)]
    parts += [
        _rect(x(number) + 1, y(count), max(x(number + 1) - x(number) - 2, 0.5), y(0) - y(count), _BLUE)
        for number, count in enumerate(counts)
    ]
    last = len(labels) - 1
    if last >= 0:
        parts.append(_text(x(0), _HEIGHT - _BOTTOM + 18, labels[0]))
    if last >= 2:
        parts.append(_text(x(last / 2 + 0.5), _HEIGHT - _BOTTOM + 18, labels[last // 2], anchor="middle"))
    if last >= 1:
        parts.append(_text(x(last + 1), _HEIGHT - _BOTTOM + 18, labels[last], anchor="end"))
    return _svg(_HEIGHT, title, text, parts)


def shares(counts: Sequence[int], title: str, text: str) -> str:
    """Which share of all counts which share of people has, those with most first; with a line at a tenth of them."""
    total, people = sum(counts), len(counts)
    x, y = _Scale(0.0, 100.0, 60, WIDTH - 20), _Scale(0.0, 100.0, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        _horizontal(y, (0, 25, 50, 75, 100), 60, " %"),
        _axis_name("share of the people, those with most alerts first, %", _HEIGHT),
        *(_text(x(tick), _HEIGHT - _BOTTOM + 18, f"{tick}", anchor="middle") for tick in (0, 10, 25, 50, 75, 100)),
        _line(x(10), y(0), x(10), y(100), _QUIET, 1),
        _line(x(0), y(0), x(100), y(100), _QUIET, 1, dashed=True),
    ]
    running = itertools.accumulate(counts)
    points = [(0.0, 0.0)] + [
        (100 * number / people, 100 * have / total if total else 0.0) for number, have in enumerate(running, start=1)
    ]
    step = max(1, len(points) // 400)
    drawn = [*points[::step], points[-1]]
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in drawn)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{_BLUE}" stroke-width="3"/>')
    return _svg(_HEIGHT, title, text, parts)


@dataclass(frozen=True, slots=True)
class Lane:
    """One measure over time: points (hours, value); limits: (name, value) drawn across."""

    name: str
    points: Sequence[tuple[float, float]]
    limits: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Shade:
    """A stretch of time, hours; level amber or red."""

    start: float
    stop: float
    level: str


def story(lanes: Sequence[Lane], shades: Sequence[Shade], title: str, text: str, told: str) -> str:
    """Measures over days, one lane each, with what was found shaded; told: the sentence below, in lines of its own."""
    hours = [at for lane in lanes for at, _ in lane.points]
    x = _Scale(min(hours), max(max(hours), min(hours) + 1), 70, WIDTH - 20)
    lines = textwrap.wrap(told, 84)
    bottom = 20 + _LANE * len(lanes)
    parts = [
        _rect(x(shade.start), 20, max(x(shade.stop) - x(shade.start), 3), bottom - 20, _SHADES[shade.level])
        for shade in shades
    ]
    for number, lane in enumerate(lanes):
        parts.append(_lane(lane, x, 20 + _LANE * number))
    every = max(1, math.ceil((x.high - x.low) / 24 / 10)) if x.high - x.low > 48 else 0
    for tick in _moments(x.low, x.high, every):
        parts.append(_line(x(tick), bottom, x(tick), bottom + 5, _INK, 1))
        label = f"day {tick / 24:.0f}" if every else f"{tick % 24:02.0f}:00"
        parts.append(_text(x(tick), bottom + 20, label, anchor="middle"))
    parts += [_text(16, bottom + 46 + 20 * number, line) for number, line in enumerate(lines)]
    return _svg(bottom + 46 + 20 * len(lines), title, text, parts)


def _moments(low: float, high: float, every: int) -> list[float]:
    """Hours at which the axis is named: midnights, or every third hour of a short time."""
    step = 24 * every if every else 3 * max(1, math.ceil((high - low) / 30))
    first = math.ceil(low / step) * step
    return [float(hour) for hour in range(first, math.floor(high) + 1, step)]


def _lane(lane: Lane, x: _Scale, top: float) -> str:
    values = [value for _, value in lane.points] + [value for _, value in lane.limits]
    low, high = min(values), max(values)
    room = (high - low) * 0.1 or 1.0
    y = _Scale(low - room, high + room, top + _LANE - 24, top + 18)
    ticks = [tick for tick in ticks_of(low - room, high + room, 3) if low - room <= tick <= high + room]
    parts = [_horizontal(y, ticks, 70), _text(74, top + 12, lane.name, fill=_QUIET)]
    for name, value in lane.limits:
        parts.append(_line(70, y(value), WIDTH - 20, y(value), _RED, 1.5, dashed=True))
        parts.append(_text(WIDTH - 24, y(value) - 4, name, anchor="end", fill=_RED))
    path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in lane.points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{_LIGHT}" stroke-width="1.5"/>')
    size = 3 if len(lane.points) < 80 else 1.5
    dots = (f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="{size}" fill="{_BLUE}"/>' for at, value in lane.points)
    return "".join((*parts, *dots))


# Numbers ------------------------------------------------------------------------------------------


def ticks_of(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from low to at least high."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999999)
    first = math.floor(low / step) * step
    count = math.ceil((high - first) / step - 1e-9)
    return [round(first + step * number, 12) for number in range(count + 1)]


def number_of(value: float) -> str:
    """At most three digits that count; whole numbers as they are."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _within(edges: Sequence[float]) -> list[float]:
    return [tick for tick in ticks_of(edges[0], edges[-1], 6) if edges[0] <= tick <= edges[-1]]


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return self.start + part * (self.stop - self.start)


# Marks --------------------------------------------------------------------------------------------


def _svg(height: float, title: str, text: str, parts: Sequence[str]) -> str:
    own = hashlib.sha256(f"{title}{text}".encode()).hexdigest()[:8]
    return (
        f'<svg role="img" aria-labelledby="t{own} d{own}" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}">'
        f'<title id="t{own}">{html.escape(title)}</title><desc id="d{own}">{html.escape(text)}</desc>'
        + "".join(parts)
        + "</svg>"
    )


def _vertical(x: _Scale, ticks: Sequence[float], bottom: float, top: float = _TOP) -> str:
    return "".join(
        _line(x(tick), top, x(tick), bottom, "#d8dde0", 1)
        + _text(x(tick), bottom + 18, number_of(tick), anchor="middle")
        for tick in ticks
    )


def _horizontal(y: _Scale, ticks: Sequence[float], left: float, unit: str = "") -> str:
    return "".join(
        _line(left, y(tick), WIDTH - 20, y(tick), "#d8dde0", 1)
        + _text(left - 6, y(tick) + 5, number_of(tick) + unit, anchor="end")
        for tick in ticks
    )


def _axis_name(name: str, height: float) -> str:
    return _text((WIDTH + 60) / 2, height - 6, name, anchor="middle", fill=_QUIET)


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{stroke}" stroke-width="{width}"{dash}/>'


def _whisker(low: float, high: float, y: float) -> str:
    ends = "".join(_line(x, y - 5, x, y + 5, _INK, 2) for x in (low, high))
    return _line(low, y, high, y, _INK, 2) + ends


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = _INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="14">{html.escape(text)}</text>'
    )
