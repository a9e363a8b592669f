"""The whole comparison: reading, comparing, and its figures as JSON and as rows of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simulator import errors
from simulator.bodies.vitals import VITALS
from simulator.realism import comparing, people
from simulator.realism.comparing import Compared, Figures

METHOD: Final = (
    "Everybody gets a simulated twin, who measures at the same times. Measurements are cut into stays of at most "
    "twelve weeks (six where something measures all the time). Of the first third of a stay the twin is told the mean "
    "and the spread, as a clinician knows them after admission, and nothing of the rest; how values hang together in "
    "time, rhythms, tails and errors are the simulator's own. The rest of the stay is compared.",
    "Instruments differ: one watch shows each night's pulse, another smooths it over a week. Where the first thirds of "
    "all people together repeat clearly better or worse than published, twins get such an instrument (one number for "
    "everybody); the autocorrelation without it stands beside.",
    "Distance: the largest difference (Kolmogorov-Smirnov) between the distributions of all people's measurements and "
    "of their twins'; at most 0.1 is wanted. Autocorrelation: of consecutive measurements about the mean of the stay; "
    "twins' within 0.1 of people's is wanted. Both are pooled by measurement.",
)
HEADER: Final = (
    "Measure", "People", "Stays", "Readings", "Distance", "Distance from own mean", "Lag-1 people", "Lag-1 twins",
    "Instrument as published", "By chance", "",
)  # fmt: skip
HALVES: Final = ("Measure", "Half", "People", "Readings", "Distance", "Lag-1 people", "Lag-1 twins")
LEGEND: Final = (
    "By chance: with few people their own level moves the distribution, whatever the simulator does. Where a figure is "
    f"outside and at most {comparing.MOST_PEOPLE} people measured, they are simulated too and compared with their "
    "twins: one of ten such comparisons has a larger distance than this. A distance up to it says nothing."
)
_VERDICTS: Final = {"within": "within", "few": "too few people to tell", "outside": "OUTSIDE"}


@dataclass(frozen=True)
class Report:
    """compared: in the order of their codes. missing: codes that are simulated, and that nobody measured enough."""

    compared: list[Compared]
    missing: list[str]
    notes: list[str]
    seed: int

    @property
    def within(self) -> bool:
        """Whether nothing that can be told is outside."""
        return all(one.verdict != "outside" for one in self.compared)


def made(folder: Path, seed: int, told: Callable[[str], None] = lambda _line: None) -> Report:
    """Raises BadInput where nothing can be compared."""
    found = people.read(folder)
    compared = []
    for (code, how), series in comparing.groups(found.series).items():
        told(f"{code}, {how}: {len(series)} people")
        one = comparing.compare(code, how, series, seed)
        if one is not None:
            compared.append(one)
    if not compared:
        raise errors.BadInput("--data: nobody measured anything that is simulated 15 times within twelve weeks")
    seen = {one.code for one in compared}
    return Report(compared, sorted(set(VITALS) - seen), _notes(found), seed)


def as_json(report: Report) -> dict[str, Any]:
    return {
        "version": 1,
        "seed": report.seed,
        "limits": {"ks": comparing.KS_LIMIT, "lag1_difference": comparing.LAG_LIMIT},
        "within": report.within,
        "vitals": [comparing.as_json(one) for one in report.compared],
        "not_compared": report.missing,
        "notes": report.notes,
    }


def rows(report: Report) -> list[tuple[str, ...]]:
    """Cells by HEADER."""
    return [
        (
            f"{one.code} ({one.how})",
            f"{one.figures.people:,}",
            f"{one.stays:,}",
            f"{one.figures.readings:,}",
            f"{one.figures.ks:.3f}",
            f"{one.figures.ks_apart:.3f}",
            f"{one.figures.lag_real:.2f}",
            f"{one.figures.lag_twin:.2f}",
            f"{one.published.lag_twin:.2f}",
            "" if one.chance is None else f"{one.chance:.3f}",
            _VERDICTS[one.verdict],
        )
        for one in report.compared
    ]


def half_rows(report: Report) -> list[tuple[str, ...]]:
    """Cells by HALVES."""
    return [
        (f"{one.code} ({one.how})", str(number), *_half(half))
        for one in report.compared
        for number, half in enumerate(one.halves, 1)
        if half.people
    ]


def told(one: Compared) -> str:
    """One vital sign in a sentence."""
    figures = one.figures
    return (
        f"{figures.people:,} people in {one.stays:,} stays, {figures.readings:,} measurements compared. "
        f"Distance {figures.ks:.3f} (from one's own mean {figures.ks_apart:.3f}); autocorrelation "
        f"{figures.lag_real:.2f} in people, {figures.lag_twin:.2f} in twins: {_VERDICTS[one.verdict]}."
    )


def _half(figures: Figures) -> tuple[str, ...]:
    return (
        f"{figures.people:,}", f"{figures.readings:,}", f"{figures.ks:.3f}", f"{figures.lag_real:.2f}",
        f"{figures.lag_twin:.2f}",
    )  # fmt: skip


def _notes(found: people.Found) -> list[str]:
    by_kind: dict[str, int] = {}
    for one in found.series:
        by_kind[one.code] = by_kind.get(one.code, 0) + 1
    lines = [f"{code}: measured by {count:,} people" for code, count in sorted(by_kind.items())]
    lines.append(f"{len(found.used):,} files read")
    if found.unknown:
        shown = ", ".join(found.unknown[:6]) + (" ..." if len(found.unknown) > 6 else "")
        lines.append(f"{len(found.unknown):,} files left alone, because their columns are others: {shown}")
    lines += [f"{name}: {count:,} lines or cells not used" for name, count in sorted(found.refused.items())]
    return lines
