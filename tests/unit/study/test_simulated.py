"""Judging pathways by simulated people: the children are real, and few."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from telehealth import errors
from telehealth.study import simulated

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"


def test_stable_people_and_an_illness(tmp_path: Path) -> None:
    """What is written fits the schemas; courses are judged; the same seeds give the same."""
    plan = simulated.Plan((1, 2), ("stable", "copd_exacerbation_fast"), ("copd",), days=3, keep=tmp_path)
    report = simulated.run(plan)
    again = simulated.run(plan)
    seconds = ("making_seconds", "folding_seconds")
    first, second = ({k: v for k, v in one.to_json()["figures"].items() if k not in seconds} for one in (report, again))
    assert first == second
    assert {table.title for table in report.tables} >= {"Stable people", "Illness noticed in time"}
    assert "noticed/copd_exacerbation_fast" in report.figures
    truth = json.loads((SCHEMAS / "truth.json").read_text("utf-8"))
    alerts = json.loads((SCHEMAS / "alerts.json").read_text("utf-8"))
    for name in ("stable", "ill"):
        for line in (tmp_path / f"{name}_truth.jsonl").read_text("utf-8").splitlines():
            jsonschema.validate(json.loads(line), truth)
        jsonschema.validate(json.loads((tmp_path / f"{name}_alerts.json").read_text("utf-8")), alerts)
    assert "<svg" not in report.html()
    assert "Stable people" in report.html()


def test_seeds_are_shared_by_the_pathways_of_a_scenario() -> None:
    _, ill = simulated.parts(simulated.Plan((1, 10), ("sepsis_chest",)))
    assert [part.seeds for part in ill] == [(1, 3), (4, 6), (7, 10)]
    _, few = simulated.parts(simulated.Plan((5, 5), ("sepsis_chest",)))
    assert [part.seeds for part in few] == [(5, 5)]


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (simulated.Plan(scenarios=("nothing",)), "--scenarios"),
        (simulated.Plan(pathways=("nothing",)), "--pathways"),
    ],
)
def test_names_that_there_are_not_are_refused(plan: simulated.Plan, told: str) -> None:
    with pytest.raises(errors.Invalid, match=told):
        simulated.run(plan)
