"""The simulator as a library: scenarios in virtual time, and the example of its own docstring."""

from __future__ import annotations

import json
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from alerts import pathways
from simulator import errors, scenario, trial


def test_the_example_of_the_docstring_runs() -> None:
    document = trial.__doc__ or ""
    example = textwrap.dedent(document[document.index("    from simulator") : document.index("The same arguments")])
    exec(compile(example, "docstring", "exec"), {})


def test_the_example_of_the_document_runs() -> None:
    document = (Path(__file__).parents[3] / "docs" / "simulator" / "scenarios.md").read_text("utf-8")
    exec(compile(document.split("```python\n")[1].split("```")[0], "document", "exec"), {})


@pytest.mark.parametrize("pathway", trial.HOMES)
def test_usual_homes_measure_what_the_packaged_pathway_expects(pathway: str) -> None:
    expected = pathways.load(pathway).schedule
    usual = trial.HOMES[pathway]
    assert {code: list(times) for code, times in usual.due.items()} == {
        code: entry["times"] for code, entry in expected.items() if code in usual.due
    }
    made = trial.run(pathway, days=2, seed=2)
    assert set(expected) <= {one.code for one in made.readings}


def test_the_same_seed_is_the_same_trial_and_another_is_not() -> None:
    first, again, other = (trial.run("frailty", days=3, seed=seed, realistic_faults=True) for seed in (4, 4, 5))
    assert first == again
    assert [one.payload for one in first.messages] != [one.payload for one in other.messages]


def test_all_residents_fall_ill_after_the_days_that_are_asked_for() -> None:
    made = trial.run("copd", scenario="copd_exacerbation_fast", residents=3, after_days=4, days=6)
    assert made.residents == ("r1", "r2", "r3")
    assert all(timedelta(days=4) <= course.onset - made.start < timedelta(days=5) for course in made.courses)
    assert sorted(r["resident"] for r in made.truth if r["record"] == "course") == ["r1", "r2", "r3"]
    assert len({course.severity for course in made.courses}) == 3
    for key in made.residents:
        before = [one for one in made.readings if one.resident == key and one.at < made.courses[0].onset]
        assert min(made.values("spo2", key)) < min(float(r.value) for r in before if r.code == "spo2" and r.value)


def test_messages_are_what_devices_publish() -> None:
    made = trial.run("diabetes", days=1)
    decoded = [json.loads(one.payload) for one in made.messages]
    assert [one["seq"] for one in decoded] == list(range(1, len(decoded) + 1))
    assert sum(len(one["readings"]) for one in decoded) > 250


def test_faults_and_schedules_of_ones_own() -> None:
    none = trial.run("copd", days=3, fault=["stopped:resident:r1@1d"])
    assert max(one.at for one in none.readings) < none.start + timedelta(days=1)
    often = trial.run("copd", days=1, schedule={"spo2": ["06:00", "12:00", "18:00"]})
    assert len(often.values("spo2")) == 3
    asked = trial.run(
        "copd", days=1, schedule={"spo2": ["06:00"]}, asked=[("r1", "spo2", trial.START + timedelta(hours=9))]
    )
    assert len(asked.values("spo2")) == 2


def test_a_scenario_of_ones_own() -> None:
    own = scenario.parse(
        'name = "own"\ntitle = "Own"\ndescription = "Faster"\n[[vital]]\ncode = "pulse"\nhours = [0]\noffset = [60]\n'
    )
    made = trial.run("copd", scenario=own, after_days=1, days=2)
    assert max(made.values("pulse")) > 100
    with pytest.raises(errors.BadInput, match="no scenario of this name"):
        trial.run("copd", scenario="nothing")
    with pytest.raises(errors.BadInput, match="no usual home"):
        trial.run("nowhere")


def test_a_fall_is_told_and_a_long_lie_ends_what_is_due() -> None:
    made = trial.run("frailty", scenario="fall_long_lie", after_days=1, days=3, seed=6)
    told = [one for one in made.readings if one.code == "fall" and one.value is True]
    assert told
    assert all(one.at >= made.courses[0].onset for one in told)
