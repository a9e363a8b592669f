"""telehealth backtest and compare, as they are called."""

from __future__ import annotations

import html.parser
import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from telehealth.cli.app import app

ROOT = Path(__file__).parents[3]
T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HEADER = "person,code,value,unit,taken_at"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answered(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Thirty people for ten days; three of them have a low saturation on the fifth, and two a truth about it."""
    rows = [HEADER]
    for person in range(30):
        for day in range(10):
            value = 84 if person < 3 and day == 5 else 96
            rows.append(f"p{person:02d},spo2,{value},%,{(T0 + timedelta(days=day)).isoformat()}")
    (tmp_path / "readings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    onset = (T0 + timedelta(days=6)).isoformat()
    truth = ["person,onset,kind", f"p00,{onset},exacerbation", f"p01,{onset},exacerbation", f"p29,{onset},fall"]
    (tmp_path / "truth.csv").write_text("\n".join(truth) + "\n", encoding="utf-8")
    return tmp_path


def test_the_figures_of_a_backtest(files: Path) -> None:
    """Three alerts, two of them within a day of what happened; one onset that nothing announced."""
    found = answered(
        "backtest", "--pathway", "copd@1", "--readings", files / "readings.csv", "--truth", files / "truth.csv"
    )
    overall = found["overall"]
    assert found["data"]["people"] == 30
    assert found["data"]["resident_days"] == pytest.approx(300)
    assert (overall["alerts"], overall["onsets"], overall["found"]) == (3, 3, 2)
    assert overall["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert overall["sensitivity"]["method"] == "Wilson"
    assert overall["lead_hours"]["value"] == 24.0
    assert overall["precision"]["value"] == pytest.approx(2 / 3)
    assert overall["false_alerts"]["count"] == 1
    assert overall["per_resident_day"]["value"] == pytest.approx(3 / 300)
    assert overall["top_tenth"]["people"] == 3
    assert overall["top_tenth"]["share"]["value"] == 1.0
    assert [alert["hit"] for alert in found["alert_list"]] == [True, True, False]
    assert found["missed"]["listed"] == [
        {"person": "p29", "onset": "2026-03-08T09:00:00.000Z", "kind": "fall", "alert_open_before": False}
    ]
    rules = {row["rule"]: row["alerts"] for row in found["by_rule"]}
    assert rules["threshold/spo2/low"] == 3
    assert rules["threshold/pulse/high"] == 0
    assert {row["rule"]: row["readings"] for row in found["by_rule"]}["threshold/pulse/high"] == 0


def test_the_document_is_as_described(files: Path) -> None:
    schema = json.loads((ROOT / "docs/schemas/backtest.json").read_text("utf-8"))
    common = ("--readings", files / "readings.csv")
    truth = ("--truth", files / "truth.csv")
    for arguments in (
        ("backtest", "--pathway", "copd", *common),
        ("backtest", "--pathway", "copd", *common, *truth),
        ("compare", "copd@1", "frailty", *common),
        ("compare", "copd@1", "frailty", *common, *truth),
    ):
        jsonschema.validate(answered(*arguments), schema)


def test_windows_are_options(files: Path) -> None:
    """An hour before is too little; of one kind alone it changes that kind alone."""
    common = ("backtest", "--pathway", "copd@1", "--readings", files / "readings.csv", "--truth", files / "truth.csv")
    assert answered(*common, "--before", "1h")["overall"]["found"] == 0
    assert answered(*common, "--before", "fall=1h")["overall"]["found"] == 2
    meanings = {entry["term"]: entry["meaning"] for entry in answered(*common, "--before", "36h")["definitions"]}
    assert "exacerbation: from 36 h before to 2 days after (asked for)" in meanings["hit window"]
    for wrong in ("7", "d", "7 weeks", "-1d"):
        result = run(*common, f"--before={wrong}")
        assert result.exit_code == 1
        assert "--before: must be a time like 7d" in result.stderr


def test_own_rules(files: Path) -> None:
    """Changes on top of a pathway, a whole rule set, a pathway file, and a file that says its own pathway."""
    common = ("backtest", "--readings", files / "readings.csv")
    changes, whole, own = files / "changes.json", files / "whole.json", files / "own.json"
    changes.write_text(json.dumps({"threshold/spo2": {"red_low": 80, "amber_low": 82}, "news2": None}))
    whole.write_text(json.dumps({"rules": [{"kind": "threshold", "code": "spo2", "red_low": 97}]}))
    own.write_text(
        json.dumps({"pathway": "copd", "version": "1", "overrides": {"threshold/spo2": None, "news2": None}})
    )
    toml = ROOT / "alerts/pathways/copd-1.toml"
    assert answered(*common, "--pathway", "copd@1", "--rules", changes)["overall"]["alerts"] == 0
    assert answered(*common, "--rules", whole)["overall"]["alerts"] == 30
    assert answered(*common, "--rules", own)["overall"]["alerts"] == 0
    assert answered(*common, "--pathway", toml)["overall"]["alerts"] == 3
    assert answered(*common, "--rules", toml)["rules"]["version"] == "1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "--rules: is not JSON, line 1"),
        ("[]", "--rules: must be a JSON object"),
        ('{"rules": [{"kind": "threshold", "code": "spo2"}]}', "--rules: rule 1 (threshold spo2): has no limit at all"),
        (
            '{"rules": [{"kind": "threshold", "code": "glucose", "red_low": 54}]}',
            "--rules: rule 1 (threshold glucose), red_low: cannot be 54 mmol/L: limits of glucose are "
            "from 1 to 33.3 mmol/L; did you mean mg/dL?",
        ),
        ('{"overrides": {}, "pathwy": "copd"}', '--rules: "pathwy" is not known beside "overrides"'),
        ('{"overrides": {}, "spo2_scale": 3}', "--rules: spo2_scale must be 1 or 2"),
        ('{"threshold/spo": null}', "--rules: threshold/spo: cannot be left out: copd has no such rule"),
        ('{"pathway": "nonsense", "overrides": {}}', "--rules: pathway: is not one of copd"),
        ('{"threshold/spo2": 3}', "--rules: overrides must be an object by rule"),
        ('{"threshold/spo2": {"red_low": 95, "amber_low": 80}}', "red_low"),
    ],
)
def test_wrong_rules_are_one_line(files: Path, text: str, told: str) -> None:
    (files / "rules.json").write_text(text)
    result = run("backtest", "--pathway", "copd", "--rules", files / "rules.json", "--readings", files / "readings.csv")
    assert result.exit_code == 1
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_bad_lines_are_named_and_the_rest_is_used(files: Path) -> None:
    """By number on standard error, bounded; in the document too; a terminal's colours are not sent into a pipe."""
    file = files / "bad.csv"
    good = (files / "readings.csv").read_text("utf-8")
    file.write_text(good + "p00,spo2,0.96,%,2026-03-02T12:00:00Z\n" + "p00,spo2,96,%,2026-03-02T12:00:00\n" * 40)
    result = run("backtest", "--pathway", "copd@1", "--readings", file, "--json")
    assert result.exit_code == 0
    complaints = result.stderr.splitlines()
    assert complaints[0] == "--readings, line 302: value: cannot come from a living person (possible: 10 to 100 %)"
    assert complaints[1].startswith("--readings, line 303: taken_at: has no offset")
    assert complaints[-1] == "--readings: 21 more lines could not be used"
    assert len(complaints) == 21
    found = json.loads(result.stdout)
    assert found["data"]["refused"]["by_reason"] == {"impossible": 1, "time": 40}
    assert found["overall"]["alerts"] == 3


def test_nothing_is_said_in_a_pipe(files: Path) -> None:
    result = run("backtest", "--pathway", "copd", "--readings", files / "readings.csv", "--json")
    assert result.stderr == ""


def test_tables_for_a_terminal(files: Path) -> None:
    result = run(
        "backtest", "--pathway", "copd@1", "--readings", files / "readings.csv", "--truth", files / "truth.csv"
    )
    assert "Sensitivity" in result.stdout
    assert "66.7 % (20.8 % to 93.9 %)" in result.stdout
    assert "threshold/spo2/low" in result.stdout
    side_by_side = run("compare", "copd@1", "frailty", "--readings", files / "readings.csv")
    assert "Alerts of both" in side_by_side.stdout


def test_two_versions_side_by_side(files: Path) -> None:
    strict = files / "strict.json"
    strict.write_text(json.dumps({"threshold/spo2": {"red_low": 97, "amber_low": 98}, "news2": None}))
    arguments = ("--pathway", "copd@1", "--readings", files / "readings.csv", "--truth", files / "truth.csv")
    found = answered("compare", "copd@1", strict, *arguments)
    # Everybody is below 97 % all the time: what began on the first day goes on through the fifth.
    assert found["alerts"]["both"] == 3
    assert (found["alerts"]["saved"], found["alerts"]["added"]) == (0, 27)
    assert found["alerts"]["second_earlier_hours"]["value"] == 120.0
    assert (found["onsets"]["both"], found["onsets"]["only_second"]) == (2, 1)
    same = answered("compare", "copd@1", "copd@1", *arguments)
    assert same["alerts"]["both"] == 3
    assert same["difference"]["per_resident_day"]["value"] == 0.0
    assert (same["onsets"]["both"], same["onsets"]["neither"]) == (2, 1)


# The page ---------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """Checks nesting, and collects what a reader of a picture needs."""

    VOID = frozenset({"meta", "br", "rect", "line", "polyline", "link", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    assert page.wrong == []
    assert page.open == []
    return page


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("command", [("backtest", "--pathway", "copd@1"), ("compare", "copd@1", "frailty")])
def test_the_page_needs_nothing_else_and_can_be_heard(files: Path, command: tuple[str, ...], truth: bool) -> None:
    """No script, no other file; every picture has a title and a description and stands beside a table."""
    target = files / "report.html"
    more = ("--truth", files / "truth.csv") if truth else ()
    result = run(*command, "--readings", files / "readings.csv", *more, "--html", target)
    assert result.exit_code == 0, result.output
    text = target.read_text("utf-8")
    page = read(text)
    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    assert not re.search(r"(src|href)=", text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) >= 2
    for picture in pictures:
        assert picture["role"] == "img"
        assert set((picture["aria-labelledby"] or "").split()) <= set(ids)
    for beside in text.split('<div class="beside">')[1:]:
        assert "<table>" in beside.split("</figure>")[1]
    assert names.count("caption") == names.count("table") - text.count("The first of them")
    assert "95 % intervals" in text


def test_what_people_are_called_is_text(files: Path) -> None:
    evil = "<script>alert(1)</script>"
    (files / "evil.csv").write_text(f"{HEADER}\n{evil},spo2,80,%,2026-03-02T09:00:00Z\n")
    target = files / "report.html"
    assert run("backtest", "--pathway", "copd", "--readings", files / "evil.csv", "--html", target).exit_code == 0
    assert "<script" not in target.read_text("utf-8")
    assert "&lt;script&gt;" in target.read_text("utf-8")


def test_numbers_that_are_no_pictures(files: Path) -> None:
    """One person, one reading, nothing raised: a page all the same."""
    (files / "one.csv").write_text(f"{HEADER}\np,spo2,96,%,2026-03-02T09:00:00Z\n")
    (files / "none.csv").write_text("person,onset,kind\n")
    target = files / "report.html"
    arguments = ("--readings", files / "one.csv", "--truth", files / "none.csv", "--html", target)
    assert run("backtest", "--pathway", "copd", *arguments).exit_code == 0
    read(target.read_text("utf-8"))
    assert run("compare", "copd", "copd@1", *arguments).exit_code == 0
    read(target.read_text("utf-8"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--pathway: is needed"),
        (("--pathway", "nonsense"), "--pathway: pathway: is not one of"),
        (("--pathway", "copd@77"), "must be 1"),
        (("--pathway", "copd", "--zone", "Nowhere/Else"), "--zone: is not a time zone"),
        (("--pathway", "copd", "--rules", "nothing.json"), "--rules: cannot be read"),
        (("--pathway", "nothing.toml"), "--pathway: cannot be read"),
        (("--pathway", "copd", "--html", "/nowhere/at/all.html"), "--html: cannot be written"),
    ],
)
def test_wrong_options_are_one_line(files: Path, arguments: tuple[str, ...], told: str) -> None:
    result = run("backtest", "--readings", files / "readings.csv", *arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_it_can_be_interrupted() -> None:
    """Ctrl-C ends it at once, with one line."""
    command = [sys.executable, "-m", "telehealth", "backtest", "--pathway", "copd", "--readings", "-", "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        # More than a pipe holds: once it is written, some of it is being read.
        process.stdin.write(f"{HEADER}\n".encode() + b"p,spo2,96,%,2026-03-02T09:00:00Z\n" * 50_000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert process.returncode == 130
        assert process.stderr is not None
        assert process.stderr.read() == b"telehealth: interrupted\n"


def test_standard_input_may_be_any_bytes(files: Path) -> None:
    """What is no text is a line that is named."""
    readings = (files / "readings.csv").read_bytes() + b"Zo\xeb,spo2,96,%,2026-03-02T09:00:00Z\n"
    result = CliRunner().invoke(
        app, ["backtest", "--pathway", "copd@1", "--readings", "-", "--json"], input=b"\xef\xbb\xbf" + readings
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["overall"]["alerts"] == 3
    assert result.stderr.startswith("--readings, line 302: person: must be at most")


def test_alerts_are_listed_for_scoring(files: Path) -> None:
    """Each with what it is about and when it began; as documented."""
    answered("backtest", "--pathway", "copd@1", "--readings", files / "readings.csv", "--alerts", files / "alerts.json")
    found = json.loads((files / "alerts.json").read_text("utf-8"))
    jsonschema.validate(found, json.loads((ROOT / "docs/schemas/alerts.json").read_text("utf-8")))
    assert [one["resident"] for one in found["alerts"]] == ["p00", "p01", "p02"]
    at = "2026-03-07T09:00:00.000Z"
    first = found["alerts"][0]
    assert (first["rule"], first["codes"], first["raised_at"]) == ("threshold/spo2/low", ["spo2"], at)
    assert first["priorities"] == [{"priority": "high", "at": at}]
    assert (first["human"], first["handled_at"], first["category"]) == (True, None, "clinical")
