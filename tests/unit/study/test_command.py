"""telehealth study: text, JSON, a page, and one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from telehealth.cli.app import app
from telehealth.study import models


def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    days = "\n".join(f"A,2024-01-{day:02d},{80 + day % 3 / 10}" for day in range(1, 32))
    more = "\n".join(f"A,2024-02-{day:02d},{80 + day % 3 / 10}" for day in range(1, 29))
    (data / "a<b>.csv").write_text(f"person,day,value\n{days}\n{more}\n")
    return data


def test_json_text_and_page(tmp_path: Path) -> None:
    data = folder(tmp_path)
    result = CliRunner().invoke(
        app, ["study", "weight", "--data", str(data), "--json", "--html", str(tmp_path / "page.html")]
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["figures"]["false_alerts"] == 0
    rate = document["figures"]["false_alerts_per_person_year"]
    assert rate["value"] == 0
    assert 0 < rate["high"] <= rate["other_high"]
    assert document["method"]
    assert [rule["kind"] for rule in document["rules"]] == ["change", "baseline"]
    page = (tmp_path / "page.html").read_text()
    assert "a&lt;b&gt;.csv" in page
    assert "a<b>" not in page
    assert "<script" not in page
    text = CliRunner().invoke(app, ["study", "weight", "--data", str(data)]).stdout
    for part in (
        "Data\n- 1 people",
        "Method\n",
        "Rules\n- change weight_3_days:",
        "The whole sweep\n",
        "Targets\n- false alerts",
    ):
        assert part in text


@pytest.mark.parametrize("study", ["weight", "pulse", "cgm", "hospital"])
def test_one_line_says_what_is_wrong(tmp_path: Path, study: str) -> None:
    result = CliRunner().invoke(app, ["study", study, "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("telehealth: --data: has no ")
    assert len(result.stderr.splitlines()) == 1
    missing = CliRunner().invoke(app, ["study", study, "--data", str(tmp_path / "missing")])
    assert missing.stderr == "telehealth: --data: is not a folder\n"


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["study", "weight", "--data", str(folder(tmp_path)), "--html", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("telehealth: --html: cannot be written")


def test_no_data_at_all() -> None:
    result = CliRunner().invoke(app, ["study", "pulse"])
    assert result.exit_code == 2
    assert result.stderr == "telehealth: --data: is needed: a folder of recorded data (or --model)\n"


def test_made_up_people_are_the_same_each_time() -> None:
    assert models.weights(2, 60) == models.weights(2, 60)
    assert models.weights(2, 60, seed=8) != models.weights(2, 60)
    ill, well = models.pulses(2, 120)
    assert (ill, well) == tuple(models.pulses(2, 120))
    assert ill.onset is not None
    assert well.onset is None
    assert 80 < len(well.daily) < 120
