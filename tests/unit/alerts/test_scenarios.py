"""Clinical scenarios as pairs of files: what goes in and which episodes come out, also a year later."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from alerts import reasons, scenario

DATA = Path(__file__).parents[2] / "data" / "alerts"
NAMES = sorted(path.name.removesuffix("_input.json") for path in DATA.glob("*_input.json"))
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
DAY = re.compile(r" on \d{2}-[A-Z][a-z]{2}")
#: 53 weeks: the same weekdays, and the clocks go back the same night.
SHIFT = 371 * 86_400_000_000


def load(name: str, kind: str) -> str:
    return (DATA / f"{name}_{kind}.json").read_text(encoding="utf-8")


def shifted(text: str) -> str:
    return TIME.sub(lambda match: reasons.instant(scenario.moment(match[0], "time") + SHIFT), text)


@pytest.mark.parametrize("name", NAMES)
def test_episodes_as_expected(name: str) -> None:
    """The input gives the expected episodes, reasons and next waking."""
    assert scenario.evaluate(load(name, "input")) == json.loads(load(name, "expected"))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_in_another_year(name: str) -> None:
    """Everything shifted by 53 weeks gives the same verdicts, shifted."""
    found: Any = scenario.evaluate(shifted(load(name, "input")))
    expected = json.loads(shifted(load(name, "expected")))
    for side in (found, expected):
        for episode in side["episodes"]:
            for holder in (episode, episode["evidence"]):
                holder["reason"] = DAY.sub(" on another day", holder["reason"])
    assert found == expected


def test_there_are_scenarios() -> None:
    assert len(NAMES) >= 18


REASONS = {
    "spot_red": "SpO2 84 % at 10:02, below 88 % (red)",
    "spot_amber": "SpO2 90 % at 10:10, below 92 % (amber), after 91 % at 10:00",
    "amber_turns_red": "SpO2 84 % at 10:10, below 88 % (red); lowest 82 % at 10:20",
    "clock_wrong": "SpO2 84 % at 10:00, below 88 % (red), device clock wrong",
    "silence_clock_change": (
        "No SpO2 reading by 10:00, due at 08:00, last at 19:00 on 24-Oct; 2 due times missed by 22:00"
    ),
}


@pytest.mark.parametrize("name", sorted(REASONS))
def test_reasons_that_a_nurse_can_read(name: str) -> None:
    """The sentences, word for word."""
    (first, *_) = scenario.evaluate(load(name, "input"))["episodes"]
    assert first["reason"] == REASONS[name]


def test_a_lower_bound_does_not_call_itself_news2() -> None:
    """With inputs missing the reason says at least, and names them."""
    (episode,) = scenario.evaluate(load("news2_partial", "input"))["episodes"]
    assert "NEWS2" not in episode["reason"]
    assert "at least 5" in episode["reason"]
    assert "temperature missing" in episode["reason"]
    assert episode["evidence"]["score"]["missing"] == ["on_oxygen", "sbp", "pulse", "acvpu", "temp"]
