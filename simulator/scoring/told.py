"""Figures as people read them: rows of tables, for the terminal, a pipe and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]
Row = tuple[str, ...]


def estimate(found: Json, *, percent: bool = False) -> str:
    """0.43 (0.09 to 1.26); - where there is nothing to count."""
    if found["value"] is None:
        return "-"
    value, low, high = (_number(found[key], percent=percent) for key in ("value", "low", "high"))
    return f"{value} (no interval)" if found["low"] is None else f"{value} ({low} to {high})"


def _number(value: float | None, *, percent: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" if percent else f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


COLUMNS: tuple[tuple[str, Callable[[Json], str]], ...] = (
    ("Residents", lambda of: f"{of['residents']:,}"),
    ("Resident-days", lambda of: f"{of['resident_days']:,.2f}"),
    ("Courses noticed", lambda of: f"{of['courses']['noticed']:,} of {of['courses']['judged']:,}"),
    ("Sensitivity", lambda of: estimate(of["courses"]["sensitivity"], percent=True)),
    ("Hours after onset, median", lambda of: estimate(of["lead"]["after_onset_hours"]["median"])),
    ("Hours before peak, median", lambda of: estimate(of["lead"]["before_peak_hours"]["median"])),
    ("Human alerts per resident-day", lambda of: _burden(of["alerts"]["human"])),
    ("High of them per resident-day", lambda of: _burden(of["alerts"]["human_high"])),
    ("False alerts per resident-day", lambda of: _burden(of["false"]["all"])),
    ("False human alerts per resident-day", lambda of: _burden(of["false"]["human"])),
    ("Overdue: in time", lambda of: _overdue(of["overdue"])),
    ("Overdue: late, missed", lambda of: f"{of['overdue']['late']:,}, {of['overdue']['missed']:,}"),
)


def _burden(found: Json) -> str:
    return f"{found['count']:,}: {estimate(found['per_resident_day'])}"


def _overdue(found: Json) -> str:
    return f"{found['on_time'] + found['standing']:,} of {found['wanted']:,}"


def overall(document: Json) -> list[Row]:
    """(figure, value) of everything."""
    of = document["overall"]
    lead, false, overdue = of["lead"], of["false"], of["overdue"]
    extra = [
        ("Hours from met to by, median", estimate(lead["before_by_hours"]["median"])),
        ("Alerts per resident-day", _burden(of["alerts"]["all"])),
        ("False human and high per resident-day", _burden(false["human_high"])),
        ("False in quiet windows", _burden(false["quiet"])),
        *((f"False, {name}", _burden(false[name])) for name in ("clinical", "silence", "technical")),
        ("Excused alerts", f"{of['excused']:,}"),
        ("Alerts outside what was watched", f"{of['unwatched']:,}"),
        ("Noticed in part", f"{of['courses']['noticed_in_part']:,}"),
        ("Not noticed, but an alert stood", f"{of['courses']['standing']:,}"),
        ("Courses left out", f"{of['courses']['nothing_to_notice'] + of['courses']['not_over']:,}"),
        ("Overdue alarms in time", estimate(overdue["in_time"], percent=True)),
        ("Late by minutes, median", estimate(overdue["late_minutes"]["median"])),
        ("Overdue left open", f"{overdue['open']:,}"),
        ("Technical faults told in time", f"{of['technical']['told']:,} of {of['technical']['wanted']:,}"),
    ]
    return [*((name, cell(of)) for name, cell in COLUMNS), *extra]


def groups(document: Json, name: str) -> tuple[Row, list[Row]]:
    """Header and rows of by_pathway or by_scenario."""
    header = ("", *(column for column, _ in COLUMNS))
    return header, [(group, *(cell(of) for _, cell in COLUMNS)) for group, of in document[name].items()]


def notices(document: Json) -> tuple[Row, list[Row]]:
    """What should have been noticed, by scenario."""
    rows: list[Row] = [
        (one["scenario"], one["what"], f"{one['met']:,} of {one['judged']:,}", estimate(one["share"], percent=True))
        for one in document["overall"]["notices"]
    ]
    return ("Scenario", "To be noticed", "Met in time", "Share"), rows


def plain(rows: Sequence[Row]) -> list[str]:
    """Aligned columns without any drawing, for a pipe."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
