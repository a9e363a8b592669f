"""A study's report: the same content as JSON, as text and as one page that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from telehealth.study.resampling import Figure

INTERVALS = (
    "In brackets: 95 % interval by resampling people (and, of one person's long log, its quarters), 2,000 times from a"
    " fixed seed; for rates no narrower than Poisson's exact interval, for shares no narrower than Wilson's with one"
    ' trial a person. "Other people": where the same figure of another group of as many people lies in 95 %.'
)


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are words, numbers or figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | Figure | None, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that was promised, and what was found. met: None where these data cannot tell."""

    name: str
    found: str
    wanted: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Point:
    """One operating point: burden to the right, what is found upwards."""

    label: str
    burden: float
    found: float
    own: bool  #: of the engine


@dataclass(frozen=True, slots=True)
class Report:
    """What a study found."""

    study: str
    question: str
    data: tuple[str, ...]
    method: tuple[str, ...]
    rules: tuple[dict[str, Any], ...]
    tables: tuple[Table, ...]
    targets: tuple[Target, ...]
    notes: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    axes: tuple[str, str] = ("", "")
    figures: dict[str, Any] = field(default_factory=dict)  #: name -> Figure, number or text, for programs
    intervals: str = INTERVALS  #: what stands in brackets

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; figures as objects with value, low, high, other_low and other_high."""
        found = asdict(self)
        found["figures"] = {name: _plain(value) for name, value in self.figures.items()}
        found["tables"] = [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [[_plain(cell) for cell in row] for row in table.rows],
                "note": table.note,
            }
            for table in self.tables
        ]
        return found

    def text(self) -> str:
        """For a terminal."""
        lines = [self.question, "", "Data", *_listed(self.data), "", "Method", *_listed(self.method), "", "Rules"]
        lines += _listed([_rule(rule) for rule in self.rules])
        for table in self.tables:
            lines += ["", table.title, *_columns(table)]
            if table.note:
                lines.append(table.note)
        lines += ["", "Targets"]
        lines += _listed([f"{one.name}: {one.found}; wanted {one.wanted}: {_met(one.met)}" for one in self.targets])
        lines += ["", self.intervals]
        if self.notes:
            lines += ["", "Notes", *_listed(self.notes)]
        return "\n".join(lines)

    def html(self) -> str:
        """One page, without scripts."""
        parts = [f"<h1>Study: {_(self.study)}</h1><p>{_(self.question)}</p>"]
        if self.points:
            parts.append(_picture(self.points, self.axes))
        for table in self.tables:
            head = "".join(f"<th scope=col>{_(name)}</th>" for name in table.columns)
            body = "".join(
                "<tr>" + "".join(f"<td>{_(_cell(cell))}</td>" for cell in row) + "</tr>" for row in table.rows
            )
            parts.append(f"<h2>{_(table.title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
            parts.append(f"<p>{_(table.note)}</p>" if table.note else "")
        shown = [f"{one.name}: {one.found}; wanted {one.wanted}: {_met(one.met)}" for one in self.targets]
        for title, entries in (
            ("Targets", shown),
            ("Data", self.data),
            ("Method", self.method),
            ("Rules", [_rule(rule) for rule in self.rules]),
            ("Notes", (self.intervals, *self.notes)),
        ):
            parts.append(f"<h2>{title}</h2><ul>" + "".join(f"<li>{_(entry)}</li>" for entry in entries) + "</ul>")
        return _PAGE.format(title=_(self.study), body="\n".join(parts))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Study: {title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#212b32}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums}}
td,th{{border-bottom:1px solid #d8dde0;padding:.3em .8em .3em 0;text-align:left;vertical-align:top}}</style></head>
<body>{body}</body></html>
"""


def _(text: str) -> str:
    return html.escape(text)


def _listed(entries: Sequence[str]) -> list[str]:
    return [f"- {entry}" for entry in entries]


def _met(met: bool | None) -> str:
    return "cannot be told from these data" if met is None else "met" if met else "NOT MET"


def _rule(rule: dict[str, Any]) -> str:
    shown = {key: value for key, value in rule.items() if value not in (None, "", False, [], {})}
    kind, name = shown.pop("kind"), shown.pop("name", "")
    return f"{kind} {name}".strip() + ": " + ", ".join(f"{key} {_value(value)}" for key, value in shown.items())


def _value(value: object) -> str:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def _plain(value: object) -> object:
    return value.to_json() if isinstance(value, Figure) else value


def _cell(cell: str | int | float | Figure | None) -> str:
    match cell:
        case None:
            return "-"
        case Figure():
            return cell.told()
        case float():
            return f"{cell:.2f}"
        case int():
            return f"{cell:,}"
        case _:
            return cell


def _columns(table: Table) -> list[str]:
    shown = [table.columns, *[tuple(_cell(cell) for cell in row) for row in table.rows]]
    widths = [max(len(row[place]) for row in shown) for place in range(len(table.columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


# The picture --------------------------------------------------------------------------------------

_WIDE, _HIGH, _EDGE = 640, 360, 50


def _picture(points: Sequence[Point], axes: tuple[str, str]) -> str:
    """Operating points; those of the engine are filled squares, the others open circles, all of them also in words."""
    most = max([point.burden for point in points] + [1e-9]) * 1.1
    marks = []
    for point in points:
        x = _EDGE + point.burden / most * (_WIDE - 2 * _EDGE)
        y = _HIGH - _EDGE - point.found * (_HIGH - 2 * _EDGE)
        told = f"{point.label}: {axes[0]} {point.burden:.2f}, {axes[1]} {point.found:.2f}"
        shape = (
            f'<rect x="{x - 6:.1f}" y="{y - 6:.1f}" width="12" height="12" fill="#005eb8">'
            if point.own
            else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="none" stroke="#4c6272">'
        )
        marks.append(f"{shape}<title>{_(told)}</title></{'rect' if point.own else 'circle'}>")
    base, top = _HIGH - _EDGE, _EDGE
    return (
        f'<svg role="img" viewBox="0 0 {_WIDE} {_HIGH}" width="{_WIDE}" height="{_HIGH}">'
        f"<title>{_(axes[1])} against {_(axes[0])}; squares: the engine, circles: others</title>"
        f'<path d="M{_EDGE} {top}V{base}H{_WIDE - _EDGE}" fill="none" stroke="#4c6272"/>'
        f'<text x="{_EDGE}" y="{top - 10}">{_(axes[1])} (top: 1)</text>'
        f'<text x="{_WIDE - _EDGE}" y="{base + 30}" text-anchor="end">{_(axes[0])} (right: {most:.2f})</text>'
        + "".join(marks)
        + "</svg>"
    )
