"""The commands as their users call them, and their formats as documented."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from alerts import errors, rules, scenario
from alerts.__main__ import main

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
DATA = Path(__file__).parents[2] / "data" / "alerts"
NAMES = ("news2_input", "news2_output", "evaluate_input", "evaluate_output", "ruleset", "pathway")
DOCUMENTS = {name: json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES}
REGISTRY: Registry[Any] = Registry().with_resources(
    (f"{name}.json", Resource.from_contents(document)) for name, document in DOCUMENTS.items()
)


def check(document: Any, name: str) -> None:
    jsonschema.Draft202012Validator(DOCUMENTS[name], registry=REGISTRY).validate(document)


def run(arguments: list[str], text: str = "") -> tuple[int, str, str]:
    target, complaints = io.StringIO(), io.StringIO()
    status = main(arguments, io.StringIO(text), target, complaints)
    return status, target.getvalue(), complaints.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_examples_fit_their_schema(name: str) -> None:
    assert DOCUMENTS[name]["examples"]
    jsonschema.Draft202012Validator.check_schema(DOCUMENTS[name])
    for example in DOCUMENTS[name]["examples"]:
        check(example, name)


def test_the_example_of_the_page_does_what_it_shows() -> None:
    page = (SCHEMAS.parent / "clinical" / "rules.md").read_text("utf-8")
    ((asked, answered),) = re.findall(r"echo '(.*)' \| python -m alerts news2\n(.*)", page)
    assert json.loads(run(["news2"], asked + "\n")[1]) == json.loads(answered)
    (scenario_file,) = re.findall(r"python -m alerts evaluate (tests/data/.*)", page)
    assert run(["evaluate", str(SCHEMAS.parents[1] / scenario_file)])[0] == 0


def test_documented_examples_do_what_they_show() -> None:
    """The outputs shown are those of the inputs shown."""
    lines = "\n".join(json.dumps(example) for example in DOCUMENTS["news2_input"]["examples"])
    status, out, _ = run(["news2"], lines)
    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == DOCUMENTS["news2_output"]["examples"][:2]
    for given, shown in zip(
        DOCUMENTS["evaluate_input"]["examples"], DOCUMENTS["evaluate_output"]["examples"], strict=True
    ):
        assert json.loads(run(["evaluate"], json.dumps(given))[1]) == shown
    for example in DOCUMENTS["ruleset"]["examples"]:
        assert rules.RuleSet.from_json(example).to_json() == example


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_scenarios_fit_their_schema(path: Path) -> None:
    kind = "evaluate_input" if path.stem.endswith("_input") else "evaluate_output"
    check(json.loads(path.read_text(encoding="utf-8")), kind)


BAD_LINES = [
    "nope", "[]", "NaN", '{"rr": NaN}', '{"rr": 1e999}', '{"rr": "20"}', '{"rr": true}', '{"rr": -1}', '{"spo2": 0.96}',
    '{"spo2": 101}', '{"temp": 98.6}', '{"acvpu": "X"}', '{"acvpu": "AC"}', '{"spo2_scale": 3}', '{"spo2_scale": true}',
    '{"on_oxygen": 1}', '{"heart_rate": 70}', '{"age_years": 12}', '{"pregnant": true}', "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_bad_lines_are_answered_and_good_ones_go_on(line: str) -> None:
    """An error for the bad line, an answer for the good one, exit status 1 at the end."""
    status, out, _ = run(["news2"], f'{line}\n\n{{"rr": 25}}\n')
    bad, good = (json.loads(answer) for answer in out.splitlines())
    assert status == 1
    assert set(bad) == {"error"}
    assert good["total"] == 3
    assert good["missing"] == ["spo2", "on_oxygen", "sbp", "pulse", "acvpu", "temp", "spo2_scale"]


def test_evaluate_reads_a_file_or_the_input(tmp_path: Path) -> None:
    source = DATA / "spot_red_input.json"
    status, out, _ = run(["evaluate", str(source)])
    assert (status, json.loads(out)["episodes"][0]["level"]) == (0, "red")
    assert run(["evaluate"], source.read_text(encoding="utf-8"))[1] == out
    assert run(["evaluate", str(tmp_path / "none.json")])[0] == 2
    assert run(["evaluate"], "{}")[:2] == (1, "")


def test_usage() -> None:
    assert run([])[0] == 2
    assert run(["--help"])[0] == 0


GOOD = json.loads((DATA / "spot_red_input.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"now": "2026-11-21T10:00:00"}, "now"),
        ({"now": "2026-02-30T10:00:00Z"}, "now"),
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"spells": [{"from": "2026-11-21T10:00:00Z", "to": "2026-11-21T10:00:00Z"}]}, r"spells\[0\].to"),
        ({"spells": GOOD["spells"] * 2}, "overlap"),
        ({"rules": [{}]}, r"rules\[0\]"),
        ({"rules": [{"pathway": "measles"}]}, "pathway"),
        ({"readings": [{"code": "mood", "at": "2026-11-21T10:00:00Z"}]}, r"readings\[0\].code"),
        ({"readings": [{"code": "spo2", "value": "98", "at": "2026-11-21T10:00:00Z"}]}, r"readings\[0\].value"),
        ({"readings": [{"code": "spo2", "value": 98, "at": 5}]}, r"readings\[0\].at"),
        ({"colour": "red"}, "scenario"),
    ],
)
def test_scenarios_refused(changed: Any, named: str) -> None:
    """With the field named."""
    with pytest.raises(errors.AlertError, match=named):
        scenario.evaluate(json.dumps({**GOOD, **changed}))
