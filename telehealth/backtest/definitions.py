"""What every word of a report means, with the settings of this run."""

from __future__ import annotations

from collections.abc import Sequence

from alerts import backtest, intervals, measures, onsets, pairing


def of(manner: backtest.Manner, windows: onsets.Windows, kinds: Sequence[str] | None) -> list[dict[str, str]]:
    """Terms and what they mean. kinds: of the onsets there are; None: nobody said what really happened."""
    found = {**_burden(manner), **(_truth(windows, kinds) if kinds is not None else {}), **_intervals()}
    return [{"term": term, "meaning": " ".join(meaning.split())} for term, meaning in found.items()]


def _burden(manner: backtest.Manner) -> dict[str, str]:
    silence = (
        "replayed against the pathway's usual schedule, for everybody"
        if manner.expected is not None
        else "not replayed, because a file of readings does not say what was expected (--silence does it all the same)"
    )
    join = f"{manner.join_hours:g} h (--join)" if manner.join_hours else "none (--join)"
    return {
        "episode": """A stretch of time in which a rule held for a person, found by the same engine that runs on
            the ward.""",
        "alert": f"""An episode, or several of one rule and person. A further one belongs to the alert before it while
            that is not handled (people are assumed to handle an alert {manner.handled_minutes:g} minutes after it is
            raised, --handled), or within the rule's refractory time after the end of its last episode, also where it is
            worse: the alert is counted once. Refractory time of rules that have none of their own: {join}.""",
        "human-handled": """Alerts that somebody had to look at: all but those that cleared by themselves, before
            anybody handled them, under a rule that leaves this to the service (auto).""",
        "withdrawn": "Alerts that a repeat measurement did not confirm. They count as alerts.",
        "resident-day": f"""A day in which a person was followed: from a first reading to one usual interval (the median
            time between that person's readings, without gaps longer than --gap; at most a day) after the last. More
            than {manner.gap_days:g} days without any reading (--gap) are not followed: the stay ends, and the next
            reading begins another.""",
        "top 10 %": """The tenth of the people with the most alerts, rounded up: their share of all alerts, and their
            rate.""",
        "silence": f"Rules about readings that did not come are {silence}.",
        "local days": f"Of the zone {manner.zone} (--zone), for everybody.",
        "reading": """Units are converted and ranges checked as for devices. The same measure of the same person at the
            same moment is one reading; with different values, the more dangerous one counts. Lines that cannot be used
            are left out and counted.""",
    }


def _truth(windows: onsets.Windows, kinds: Sequence[str]) -> dict[str, str]:
    spans = "; ".join(
        f"{kind}: from {_told(window.before_hours)} before to {_told(window.after_hours)} after ({window.source})"
        for kind in kinds
        for window in (windows.of(kind),)
    )
    return {
        "onset": "One line of the truth file. Whoever is not in it is taken to have had none.",
        "observed onset": """With at least one reading of that person in its window up to the onset. Others can be found
            by no rule: they are counted, and are no part of the sensitivity.""",
        "hit window": f"""An alert that starts in it, ends included, has found the onset.
            {spans or "There is no onset"}. The defaults need local approval (--before, --after).""",
        "found": """At least one alert starts in the hit window. An alert that was open already when the window began
            has not found it.""",
        "sensitivity": "Onsets found, of those observed.",
        "lead time": """From the first alert in the hit window to the onset; negative: after it. The median of the
            onsets found.""",
        "precision": "Alerts that start in the hit window of any onset of their person, of all alerts.",
        "false alert": f"""An alert outside every hit window of its person, per person-time outside them. A month is
            {measures.MONTH_DAYS} days, a year {measures.YEAR_DAYS}.""",
    }


def _intervals() -> dict[str, str]:
    return {
        "95 % intervals": f"""Proportions: {intervals.WILSON}. Rates: {intervals.POISSON}; with at least
            {intervals.ENOUGH_PEOPLE} people and one alert the wider of that and a {intervals.BOOTSTRAP}, because one
            person's alerts are not independent. Medians: {intervals.ORDER}. Differences of sensitivities:
            {intervals.NEWCOMBE}; of rates: {intervals.BOOTSTRAP}. Each figure names its own.""",
        "same alert": f"""Of two rule sets: of the same person and rule, overlapping in time or starting at most
            {pairing.NEAR_HOURS} hours apart.""",
    }


def _told(hours: float) -> str:
    if hours >= 48 and hours % 24 == 0:
        return f"{hours / 24:g} days"
    return f"{hours:g} h" if hours >= 1 or hours == 0 else f"{hours * 60:g} min"
