"""Pictures of people beside their twins as inline SVG, each with a title and a description."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _BOTTOM = 560, 300, 56, 14, 34, 44
_INK, _QUIET, _GRID = "#212b32", "#4c6272", "#d8dde0"
PEOPLE, TWINS = "#005eb8", "#d5281b"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """points: (x, y). stairs: holds its value until the next point. dots: no line."""

    name: str
    colour: str
    points: Points
    stairs: bool = False
    dots: bool = False


def lines(drawn: Sequence[Line], title: str, text: str, across: str, up: str) -> str:
    """Lines over the same two axes; the names stand above."""
    every = [point for line in drawn for point in line.points]
    if not every:
        return ""
    x_ticks = ticks(min(x for x, _ in every), max(x for x, _ in every))
    y_ticks = ticks(min(y for _, y in every), max(y for _, y in every))

    def x(value: float) -> float:
        return _LEFT + (value - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (_WIDE - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HIGH - _BOTTOM - (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (_HIGH - _BOTTOM - _TOP)

    parts = []
    for tick in x_ticks:
        parts.append(f'<path d="M{x(tick):.1f} {_TOP}V{_HIGH - _BOTTOM}" stroke="{_GRID}"/>')
        parts.append(_text(x(tick), _HIGH - _BOTTOM + 17, f"{tick:g}", "middle", _QUIET))
    for tick in y_ticks:
        parts.append(f'<path d="M{_LEFT} {y(tick):.1f}H{_WIDE - _RIGHT}" stroke="{_GRID}"/>')
        parts.append(_text(_LEFT - 6, y(tick) + 5, f"{tick:g}", "end", _QUIET))
    parts.append(_text((_LEFT + _WIDE) / 2, _HIGH - 8, across, "middle", _QUIET))
    parts.append(_text(4, 14, up, "start", _QUIET))
    for number, line in enumerate(drawn):
        at = _WIDE - _RIGHT - 150 * (len(drawn) - number)
        parts.append(f'<rect x="{at}" y="4" width="12" height="12" fill="{line.colour}"/>')
        parts.append(_text(at + 18, 15, line.name, "start", _INK))
        placed = [(x(a), y(b)) for a, b in line.points]
        if line.dots:
            parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="{line.colour}"/>' for a, b in placed]
        if len(placed) > 1:
            thin = ' stroke-opacity="0.4"' if line.dots else ""
            parts.append(f'<path d="{_path(placed, line.stairs)}" fill="none" stroke="{line.colour}"{thin}/>')
    return (
        f'<svg role="img" viewBox="0 0 {_WIDE} {_HIGH}" font-family="Arial, sans-serif" font-size="13">'
        f"<title>{html.escape(title)}</title><desc>{html.escape(text)}</desc>{''.join(parts)}</svg>"
    )


def thinned(points: Points, most: int = 500) -> Points:
    """At most so many of the points, the last one among them."""
    step = max(1, math.ceil(len(points) / most))
    return [*points[::step], points[-1]] if points else []


def ticks(low: float, high: float) -> list[float]:
    """Round numbers around the range, about six."""
    rough = max(high - low, 1e-6) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _path(placed: Points, stairs: bool) -> str:
    found = [f"M{placed[0][0]:.1f} {placed[0][1]:.1f}"]
    for a, b in placed[1:]:
        found.append(f"H{a:.1f}V{b:.1f}" if stairs else f"L{a:.1f} {b:.1f}")
    return "".join(found)


def _text(x: float, y: float, text: str, anchor: str, fill: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{html.escape(text)}</text>'
