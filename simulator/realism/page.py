"""The comparison as one page that needs nothing else: pictures, a table with the same numbers, how it was done."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import numpy as np

from simulator.realism import comparing, pictures, report, twins
from simulator.realism.comparing import Compared
from simulator.scoring import charts


def page(found: report.Report) -> str:
    """HTML without scripts. Nobody is named; one person's measurements are drawn for each vital sign."""
    parts = [
        "<h1>Simulated residents and people at home</h1>",
        *(f"<p>{_(line)}</p>" for line in report.METHOD),
        _table("All people together", report.HEADER, report.rows(found)),
        f"<p>{_(report.LEGEND)}</p>",
        _distances(found.compared),
        _lags(found.compared),
    ]
    parts += [_vital(one, found.seed) for one in found.compared]
    parts.append(_table("Two halves of the people", report.HALVES, report.half_rows(found)))
    parts.append(f"<h2>Data</h2><ul>{''.join(f'<li>{_(line)}</li>' for line in found.notes)}</ul>")
    return _PAGE.format(body="\n".join(parts))


def _distances(compared: Sequence[Compared]) -> str:
    marks = [charts.Mark(_name(one), one.figures.ks, *one.ks_interval, f"{one.figures.ks:.3f}") for one in compared]
    title = "Distance of distributions (Kolmogorov-Smirnov)"
    return f"<h2>{title}</h2>" + charts.intervals(
        marks, title, "distance, 95 % interval over people", (comparing.KS_LIMIT, "0.1"), 0.3
    )


def _lags(compared: Sequence[Compared]) -> str:
    marks = []
    for one in compared:
        figures = one.figures
        shown = f"{figures.lag_real:.2f} and {figures.lag_twin:.2f}"
        marks.append(charts.Mark(_name(one), figures.lag_difference, *one.lag_interval, shown))
    title = "Autocorrelation of consecutive measurements"
    axis = "twins' less people's, 95 % interval; numbers: people's and twins'"
    return f"<h2>{title}</h2>" + charts.intervals(marks, title, axis, (comparing.LAG_LIMIT, "0.1"), both_sides=True)


def _vital(one: Compared, seed: int) -> str:
    unit = one.unit or "of 10"
    name = _name(one)
    drawn = [
        _curves(one, "real", "twin", f"{name}: values", unit),
        _curves(one, "real_apart", "twin_apart", f"{name}: distance from one's own mean", unit),
        _gaps(one, name),
        _example(one, seed, name, unit),
    ]
    return f'<h2>{_(name)}</h2><p>{_(report.told(one))}</p><div class="four">{"".join(drawn)}</div>'


def _curves(one: Compared, real: str, twin: str, title: str, unit: str) -> str:
    places, here, there = comparing.curves(
        comparing.pooled(one.persons, real), comparing.pooled(one.persons, twin)
    )  # fmt: skip
    # The last half per cent on each side says nothing in a picture.
    shown = np.flatnonzero((here + there > 0.01) & (here + there < 1.995))
    lines = [
        pictures.Line(
            label,
            colour,
            pictures.thinned([(float(places[i]) * one.resolution, 100 * float(column[i])) for i in shown]),
            stairs=True,
        )
        for label, colour, column in (("people", pictures.PEOPLE, here), ("twins", pictures.TWINS, there))
    ]
    text = f"The curves are at most {100 * float(np.abs(here - there).max()):.1f} % apart."
    drawn = pictures.lines(lines, title, text, unit, "% at or below")
    return f"<figure>{drawn}<figcaption>{_(title)}</figcaption></figure>"


def _gaps(one: Compared, name: str) -> str:
    rows = comparing.by_gap(one.persons)
    if len(rows) < 2:
        return ""
    # Evenly spaced: gaps go from minutes to weeks.
    lines = [
        pictures.Line("people", pictures.PEOPLE, [(float(i), row[2]) for i, row in enumerate(rows)], dots=True),
        pictures.Line("twins", pictures.TWINS, [(float(i), row[3]) for i, row in enumerate(rows)], dots=True),
    ]
    told = ", ".join(f"{i}: up to {_hours(row[0])}" for i, row in enumerate(rows))
    title = f"{name}: how alike two measurements in a row are, by the time between them"
    return (
        f"<figure>{pictures.lines(lines, title, told, 'time between, in steps', 'correlation')}"
        f"<figcaption>{_(title)} ({_(told)})</figcaption></figure>"
    )


def _example(one: Compared, seed: int, name: str, unit: str) -> str:
    """One stay as it was and as a twin lived it: the person with most measurements of a stay."""
    every = (stay for person in one.persons for stay in twins.stays(person.series))
    stay = max(every, key=lambda stay: min(len(stay.rest), 300))
    lived = twins.of(stay, seed, one.instrument).lives[0]
    days = (stay.times_ms - stay.times_ms[0]) / 86_400_000
    rest = days[stay.known :]
    few = slice(0, 300)
    lines = [
        pictures.Line(label, colour, list(zip(rest[few].tolist(), row[few].tolist(), strict=True)), dots=True)
        for label, colour, row in (
            ("one person", pictures.PEOPLE, stay.rest), ("a twin", pictures.TWINS, lived),
        )
    ]  # fmt: skip
    title = f"{name}: one person after admission, and a twin measured at the same times"
    text = "Single measurements differ, as they must; level, spread and the way they wander should look alike."
    drawn = pictures.lines(lines, title, text, "days since the first measurement", unit)
    return f"<figure>{drawn}<figcaption>{_(title)}</figcaption></figure>"


def _hours(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:g} h" if hours < 72 else f"{hours / 24:.0f} d"


def _name(one: Compared) -> str:
    return f"{one.code} ({one.how})"


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th scope=col>{_(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{_(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="wide"><table><caption>{_(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _(text: object) -> str:
    return html.escape(str(text))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Simulated residents and people at home</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 Arial,sans-serif;max-width:76em;margin:2em auto;padding:0 1em;color:#212b32}}
svg{{display:block;width:100%;max-width:760px;margin:1em 0 0}} .wide{{overflow-x:auto}}
.four{{display:grid;grid-template-columns:repeat(auto-fit,minmax(22em,1fr));gap:1em}} figure{{margin:0}}
figcaption{{font-size:14px;color:#4c6272}} p{{max-width:50em}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums}} caption{{text-align:left;font-weight:bold}}
td,th{{border-bottom:1px solid #d8dde0;padding:.3em .8em .3em 0;text-align:left;vertical-align:top}}</style></head>
<body>{body}</body></html>
"""
