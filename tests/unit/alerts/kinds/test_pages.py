"""The worked example of each page for clinicians is what the engine says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from alerts import rules, scenario

PAGES = Path(__file__).parents[4] / "docs" / "clinical" / "rules"
_RULE = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_VALUE = re.compile(r"^\| (2026-\d\d-\d\d)(?: (\d\d:\d\d))? \| ([\d.]+) \|(?: ([\d.]+) \|)?", re.MULTILINE)
_SAYS = re.compile(r"^> (.*)$", re.MULTILINE)


def readings(code: str, page: str) -> list[dict[str, Any]]:
    """Those of the first table; of counts by day as many as it says, an hour apart."""
    found = []
    for day, clock, first, second in _VALUE.findall(page):
        if second:
            hours, inside = int(first), int(second)
            values = [7.0] * inside + [12.0] * (hours - inside)
            found += [{"code": code, "at": f"{day}T{hour:02d}:30:00Z", "value": v} for hour, v in enumerate(values)]
        else:
            found.append({"code": code, "at": f"{day}T{clock or '08:00'}:00Z", "value": float(first)})
    return found


@pytest.mark.parametrize("kind", ["slope", "crossover", "cusum", "baseline", "sustained", "in_range"])
def test_the_worked_example(kind: str) -> None:
    page = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    match = _RULE.search(page)
    assert match is not None
    rule = tomllib.loads(match[1])
    code = rule.get("code", "glucose")
    given = readings(code, page)
    assert len(given) >= 6
    if kind == "in_range":
        given.append({"code": code, "at": "2026-11-04T00:30:00Z", "value": 7.0})
    found = scenario.evaluate(
        json.dumps(
            {
                "rules": [{"rules": [rule]}],
                "spells": [{"from": "2026-10-01T00:00:00Z"}],
                "readings": given,
                "now": given[-1]["at"],
            }
        )
    )
    (episode,) = found["episodes"]
    assert episode["reason"] == _SAYS.findall(page)[0]
    assert (PAGES / f"{kind}-fires.svg").exists()
    assert (PAGES / f"{kind}-quiet.svg").exists()


@pytest.mark.parametrize("kind", ["slope", "crossover", "cusum", "baseline", "sustained", "in_range"])
def test_every_field_is_on_its_page(kind: str) -> None:
    """With the word that the rule knows it by."""
    page = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    match = _RULE.search(page)
    assert match is not None
    dumped = rules.RuleSet.from_json({"pathway": "page", "version": "1", "rules": [tomllib.loads(match[1])]}).to_json()[
        "rules"
    ][0]
    assert [field for field in dumped if field != "kind" and f"`{field}`" not in page] == []
