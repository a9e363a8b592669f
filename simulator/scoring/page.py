"""The score as one page that needs nothing else: charts, tables with the same numbers, what every word means."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from simulator.scoring import charts, told

Json = dict[str, Any]

_MOST_ROWS = 500
#: What the rules of this project are judged by, drawn as lines.
_WANTED_SHARE = (95.0, "95 %")
_WANTED_HUMAN = (0.1, "0.1")
_WANTED_HIGH = (0.02, "0.02")


def page(document: Json) -> str:
    """HTML without scripts."""
    run, read = document["run"], document["read"]
    head = ", ".join(f"{read[name]:,} {name}" for name in ("residents", "courses", "overdue", "faults", "alerts"))
    if run is not None:
        head += f"; seed {run['seed']}, {run['from']} to {run['to'] or 'the end of the list'}"
    parts = [f"<h1>Alerts against what really happened</h1><p>{_(head)}.</p>"]
    scenarios = {name: of for name, of in document["by_scenario"].items() if of["courses"]["judged"]}
    pathways = document["by_pathway"]
    if scenarios:
        parts += [
            "<h2>Noticed in time</h2>",
            _chart(
                scenarios,
                _sensitivity,
                "Courses noticed, by scenario",
                "% of courses, 95 % interval",
                _WANTED_SHARE,
                100,
            ),
            _chart(
                scenarios, _delay, "First alert, by scenario", "hours after the onset, median and 95 % interval", None
            ),
            _chart(scenarios, _peak, "Lead, by scenario", "hours before the peak, median and 95 % interval", None),
            _table("To be noticed", *told.notices(document)),
        ]
    parts += [
        "<h2>What it costs</h2>",
        _chart(
            pathways,
            _rate("alerts", "human"),
            "Alerts that somebody had to look at, by pathway",
            "a resident-day",
            _WANTED_HUMAN,
        ),
        _chart(pathways, _rate("alerts", "human_high"), "Of them high, by pathway", "a resident-day", _WANTED_HIGH),
        _chart(pathways, _rate("false", "human"), "False ones of them, by pathway", "a resident-day", None),
        "<h2>Figures</h2>",
        _table("Everything", ("", ""), told.overall(document)),
        _table("By pathway", *told.groups(document, "by_pathway")),
        _table("By scenario", *told.groups(document, "by_scenario")),
        _missed(document),
        _false(document),
        "<h2>What the words mean</h2><dl>",
        *(f"<dt>{_(one['term'])}</dt><dd>{_(one['meaning'])}</dd>" for one in document["definitions"]),
        "</dl>",
    ]
    return _PAGE.format(body="\n".join(parts))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Alerts against what really happened</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 Arial,sans-serif;max-width:76em;margin:2em auto;padding:0 1em;color:#212b32}}
svg{{display:block;width:100%;max-width:760px;margin:1em 0}} .wide{{overflow-x:auto}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums}} caption{{text-align:left;font-weight:bold}}
td,th{{border-bottom:1px solid #d8dde0;padding:.3em .8em .3em 0;text-align:left;vertical-align:top}}
dt{{font-weight:bold}} dd{{margin:0 0 .6em}}</style></head>
<body>{body}</body></html>
"""


def _(text: object) -> str:
    return html.escape(str(text))


def _chart(
    groups: Json,
    mark: Callable[[str, Json], charts.Mark],
    title: str,
    axis: str,
    wanted: tuple[float, str] | None,
    most: float = 0,
) -> str:
    drawn = charts.intervals([mark(name, of) for name, of in groups.items()], title, axis, wanted, most)
    return f"<h3>{_(title)}</h3>{drawn}"


def _mark(label: str, found: Json, scale: float, *, percent: bool) -> charts.Mark:
    low, value, high = (None if found[key] is None else found[key] * scale for key in ("low", "value", "high"))
    return charts.Mark(label, value, low, high, told.estimate(found, percent=percent).split(" (")[0])


def _sensitivity(name: str, of: Json) -> charts.Mark:
    return _mark(name, of["courses"]["sensitivity"], 100, percent=True)


def _delay(name: str, of: Json) -> charts.Mark:
    return _mark(name, of["lead"]["after_onset_hours"]["median"], 1, percent=False)


def _peak(name: str, of: Json) -> charts.Mark:
    return _mark(name, of["lead"]["before_peak_hours"]["median"], 1, percent=False)


def _rate(what: str, which: str) -> Callable[[str, Json], charts.Mark]:
    return lambda name, of: _mark(name, of[what][which]["per_resident_day"], 1, percent=False)


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th scope=col>{_(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{_(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="wide"><table><caption>{_(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _missed(document: Json) -> str:
    missed = [one for one in document["courses"] if one["judged"] and not one["noticed"]]
    rows = [
        (
            one["id"],
            one["resident"],
            one["scenario"],
            one["onset"],
            "; ".join(f"{notice['what']} by {notice['by']}" for notice in one["notices"] if notice["at"] is None),
            "an alert stood" if one["standing"] else "",
        )
        for one in missed[:_MOST_ROWS]
    ]
    title = f"Courses that were not noticed: {len(missed):,}"
    return _table(title, ("Course", "Resident", "Scenario", "Onset", "Missing", ""), rows) if missed else ""


def _false(document: Json) -> str:
    false = [one for one in document["alerts"] if one["verdict"].startswith("false")]
    rows = [
        (one["id"], one["resident"] or "-", one["rule"], one["priority"], one["raised_at"], one["because"])
        for one in false[:_MOST_ROWS]
    ]
    title = f"False alerts: {len(false):,}" + (f", the first {_MOST_ROWS}" if len(false) > _MOST_ROWS else "")
    return _table(title, ("Alert", "Resident", "Rule", "Priority", "Raised", ""), rows) if false else ""
