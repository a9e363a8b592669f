"""Charts of a score as inline SVG; each stands beside a table with the same numbers."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_WIDE, _LEFT, _RIGHT, _ROW = 760, 230, 70, 28
_INK, _QUIET, _BLUE, _RED = "#212b32", "#4c6272", "#005eb8", "#d5281b"


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval; None: there is nothing to draw."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    shown: str


def intervals(
    marks: Sequence[Mark],
    title: str,
    axis: str,
    wanted: tuple[float, str] | None,
    most: float = 0,
    *,
    both_sides: bool = False,
) -> str:
    """Points with whiskers, a row each. wanted: where a line stands, and what it says; both_sides: below zero too.

    most: the axis's least end.
    """
    highest = max([most, *(mark.high or mark.value or 0 for mark in marks), wanted[0] if wanted else 0])
    least = -wanted[0] if wanted and both_sides else 0.0
    lowest = min([least, *(mark.low if mark.low is not None else mark.value or 0 for mark in marks)])
    ticks = _ticks(lowest, highest or 1.0)
    height = 30 + _ROW * max(len(marks), 1) + 50
    base = height - 50
    # What is said beside the longest whisker has its place, too.
    right = max([_RIGHT, *(16 + 8 * len(mark.shown) for mark in marks)])

    def x(value: float) -> float:
        return _LEFT + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (_WIDE - _LEFT - right)

    parts = []
    for tick in ticks:
        parts.append(f'<path d="M{x(tick):.1f} 24V{base}" stroke="#d8dde0"/>')
        parts.append(_text(x(tick), base + 18, f"{tick:g}", "middle", _QUIET))
    parts.append(_text((_LEFT + _WIDE - right) / 2, height - 10, axis, "middle", _QUIET))
    for side in (1, -1) if both_sides else (1,):
        if wanted is not None:
            parts.append(f'<path d="M{x(side * wanted[0]):.1f} 20V{base}" stroke="{_RED}" stroke-dasharray="5 3"/>')
            said = wanted[1] if side > 0 else f"\u2212{wanted[1]}"
            anchor = "middle" if not both_sides else "start" if side > 0 else "end"
            parts.append(_text(x(side * wanted[0]), 14, said, anchor, _RED))
    for number, mark in enumerate(marks):
        y = 30 + _ROW * number + _ROW / 2
        parts += _marked(mark, y, x)
    told = "; ".join(f"{mark.label}: {mark.shown}" for mark in marks)
    return (
        f'<svg role="img" viewBox="0 0 {_WIDE} {height}" font-family="Arial, sans-serif" font-size="14">'
        f"<title>{html.escape(title)}</title><desc>{html.escape(told)}</desc>{''.join(parts)}</svg>"
    )


def _marked(mark: Mark, y: float, x: Callable[[float], float]) -> list[str]:
    """A row: label, whisker, point and what is said beside it."""
    parts = [_text(_LEFT - 10, y + 5, mark.label, "end", _INK)]
    if mark.value is None:
        return [*parts, _text(_LEFT + 6, y + 5, "nothing to count", "start", _QUIET)]
    end = x(mark.value)
    if mark.low is not None and mark.high is not None:
        end = x(mark.high)
        parts.append(f'<path d="M{x(mark.low):.1f} {y:.1f}H{end:.1f}" stroke="{_INK}" stroke-width="2"/>')
        parts += [
            f'<path d="M{x(v):.1f} {y - 5:.1f}v10" stroke="{_INK}" stroke-width="2"/>' for v in (mark.low, mark.high)
        ]
    parts.append(f'<circle cx="{x(mark.value):.1f}" cy="{y:.1f}" r="5" fill="{_BLUE}"/>')
    return [*parts, _text(end + 9, y + 5, mark.shown, "start", _INK)]


def _text(x: float, y: float, text: str, anchor: str, fill: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{html.escape(text)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers around the range, at most about eight."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]
