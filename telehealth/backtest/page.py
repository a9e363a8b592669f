"""A report as one page that needs nothing else: no script, no other file; pictures with their numbers beside them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from telehealth.backtest import figures, pictures

Json = dict[str, Any]

_MOST_ROWS = 200


def backtest(document: Json) -> str:
    """The page of one rule set."""
    return (
        _environment()
        .get_template("backtest.html")
        .render(
            document=document, pictures=_of_one(document), most=_MOST_ROWS, lines=figures.lines([document["overall"]])
        )
    )


def compare(document: Json) -> str:
    """The page of two rule sets."""
    both = [document["first"]["overall"], document["second"]["overall"]]
    return (
        _environment()
        .get_template("compare.html")
        .render(document=document, pictures=_of_two(document), most=_MOST_ROWS, lines=figures.lines(both))
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("telehealth.backtest"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["figure"] = figures.told
    environment.filters["percent"] = lambda estimate: figures.told(estimate, percent=True)
    environment.filters["day"] = lambda instant: instant[:10]
    environment.filters["minute"] = lambda instant: f"{instant[:10]} {instant[11:16]} UTC" if instant else "open"
    return environment


def _of_one(document: Json) -> Mapping[str, Markup]:
    fired = [row for row in document["by_rule"] if row["alerts"]]
    found = {
        "rates": pictures.bars(
            [_bar(row["rule"], row["per_resident_day"]) for row in fired],
            "Alerts per resident-day by rule",
            f"One bar for each of the {len(fired)} rules that fired, with its 95 % interval.",
            "alerts per resident-day",
        ),
        "shares": pictures.shares(
            document["people"]["counts"],
            "Who has the alerts",
            f"Share of all alerts against share of people. The top 10 % of people have"
            f" {figures.told(document['overall']['top_tenth']['share'], percent=True)} of them.",
        ),
        "times": pictures.times(
            [stretch["from"][:10] for stretch in document["over_time"]],
            [stretch["alerts"] for stretch in document["over_time"]],
            "Alerts over time",
            "Alerts that started in each stretch of time, of all people together.",
            "alerts in each stretch",
        ),
    }
    if document["truth"] is not None:
        found["sensitivity"] = pictures.bars(
            [_bar(row["rule"], row["sensitivity"], 100) for row in fired],
            "Onsets found by rule",
            "Sensitivity of each rule that fired, with its 95 % interval.",
            "sensitivity, %",
        )
        edges, counts = figures.histogram(document["leads_hours"])
        if counts:
            found["leads"] = pictures.columns(
                edges,
                counts,
                "Lead time",
                f"First alerts of {len(document['leads_hours'])} onsets, in hours before the onset (negative: after).",
                "hours before the onset",
                0.0,
            )
    return {name: Markup(picture) for name, picture in found.items()}  # made by us, every text in it escaped


def _of_two(document: Json) -> Mapping[str, Markup]:
    alerts = document["alerts"]
    names = ("both", "only first", "only second")
    found = {
        "alerts": pictures.stacked(
            [(row["rule"], (row["both"], row["only_first"], row["only_second"])) for row in alerts["by_rule"]],
            names,
            "Alerts by rule",
            "For each rule the alerts of both rule sets, those of the first only, and those of the second only.",
            "alerts",
        ),
        "rates": pictures.bars(
            [_bar(name, document[name]["overall"]["per_resident_day"]) for name in ("first", "second")],
            "Alerts per resident-day",
            "One bar for each rule set, with its 95 % interval.",
            "alerts per resident-day",
        ),
    }
    onsets = document["onsets"]
    if onsets is not None:
        found["onsets"] = pictures.stacked(
            [("onsets found", (onsets["both"], onsets["only_first"], onsets["only_second"]))],
            names,
            "Onsets found",
            f"Onsets that both rule sets found, only the first, only the second; neither found {onsets['neither']}.",
            "onsets",
        )
    return {name: Markup(picture) for name, picture in found.items()}  # as above


def _bar(label: str, estimate: Json, scale: float = 1.0) -> pictures.Bar:
    low, high = estimate["low"], estimate["high"]
    return pictures.Bar(
        label,
        (estimate["value"] or 0.0) * scale,
        None if low is None else low * scale,
        None if high is None else high * scale,
    )
