"""The packaged pathways: versions, sources, what they say, the schema of their files and the page of defaults."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from alerts import pathways, rules, schedule
from alerts.pathways import entry, schema, table

DOCS = Path(__file__).parents[3] / "docs"
EVERY = [(name, version) for name in (*pathways.names(), "unassigned") for version in pathways.versions(name)]
SCHEMA = schema.schema()
RULE_SET = json.loads((DOCS / "schemas" / "ruleset.json").read_text("utf-8"))
#: What the wards of the product are for.
WANTED = {"copd", "heart_failure", "hypertension", "diabetes", "frailty", "post_acute_infection", "palliative"}


@pytest.mark.parametrize(("name", "version"), EVERY)
def test_packaged(name: str, version: str) -> None:
    """Each version is what its file says, fits the schema, compiles for both scales and survives JSON."""
    pathway = pathways.load(name, version)
    assert (pathway.name, pathway.version) == (name, version)
    jsonschema.Draft202012Validator(SCHEMA).validate(tomllib.loads(pathway.text))
    for scale in (1, 2):
        compiled = pathways.compile(pathway, spo2_scale=scale)
        document = json.loads(json.dumps(compiled.to_json()))
        jsonschema.Draft202012Validator(RULE_SET).validate(document)
        assert rules.RuleSet.from_json(document) == compiled
        expected = schedule.parse(pathway.schedule, "Europe/London").expected
        assert set(compiled.silences) <= set(expected)
    assert all(len(number.source) > 10 and number.approval for number in pathway.numbers)
    plain = [value for rule in pathway.rules for value in _numbers({**rule, "scale": None})]
    assert len(plain) == len([number for number in pathway.numbers if isinstance(number.value, int | float)])


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in _numbers(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in _numbers(inner)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_red_flags_tell_the_resident_what_to_do_but_not_in_palliative_care() -> None:
    """Chest pain, fainting, breathlessness at rest: 999, never only an entry in a queue."""
    flags = {"chest_pain", "breathless_at_rest", "syncope"}
    for name in pathways.names():
        for rule in pathways.compile(pathways.load(name)).assessments.values():
            text = rule.dump().get("resident_text")
            assert ("call 999 now" in (text or "")) is not flags.isdisjoint(rule.codes) or rule.kind != "symptom"
        texts = [number for number in pathways.load(name).numbers if number.field == "resident_text"]
        assert all(number.approval == "needs local approval" for number in texts)
        assert bool(texts) is (name in {"copd", "heart_failure", "hypertension", "post_acute_infection"})


def test_every_ward_has_its_pathway_and_old_versions_stay() -> None:
    assert set(pathways.names()) >= WANTED
    assert pathways.load("copd").version == pathways.versions("copd")[-1] != "1"
    assert pathways.load("copd", "1").version == "1"


def test_everything_unconfirmed_needs_approval() -> None:
    """[K] in a source is general knowledge: nobody has approved it here."""
    for name, version in EVERY:
        for number in pathways.load(name, version).numbers:
            if "[K]" in number.source or "general knowledge" in number.source:
                assert number.approval == "needs local approval"


def test_what_nobody_can_know_is_not_set() -> None:
    """The dry weight and the personal best have no number until somebody gives one; the rule is there all the same."""
    unset = {(number.rule, number.field) for number in pathways.load("heart_failure").to_set}
    assert unset == {("distance/dry_weight_gain", "reference"), ("distance/dry_weight_loss", "reference")}
    assert [number.rule for number in pathways.load("copd").to_set] == ["distance/peak_flow_of_best"]


def test_scale_2_is_a_setting_and_brings_the_high_limit_on_oxygen() -> None:
    pathway = pathways.load("copd")
    assert "combination/high_spo2_on_oxygen" not in pathways.compile(pathway, spo2_scale=1).assessments
    assert "combination/high_spo2_on_oxygen" in pathways.compile(pathway, spo2_scale=2).assessments


def test_palliative_is_almost_silent() -> None:
    compiled = pathways.compile(pathways.load("palliative"))
    assert not compiled.thresholds
    assert not compiled.silences
    assert compiled.news2 is None


def test_documents_are_up_to_date() -> None:
    """Made by `telehealth pathway schema` and `telehealth pathway defaults`."""
    kept = json.loads((DOCS / "schemas" / "pathway.json").read_text("utf-8"))
    assert kept == json.loads(json.dumps(SCHEMA))
    assert (DOCS / "clinical" / "defaults.md").read_text("utf-8") == table.markdown()


def test_the_page_of_defaults_has_every_number() -> None:
    page = table.markdown()
    for name, version in EVERY:
        for number in pathways.load(name, version).numbers:
            assert f"| {number.rule} | {number.field} | {number.text} | {number.source} | {number.approval} |" in page


def test_the_schema_knows_the_fields_of_the_reader() -> None:
    known = {one["title"]: set(one["properties"]) for one in SCHEMA["properties"]["rules"]["items"]["oneOf"]}
    assert known == {kind: set(entry.known(kind)) for kind in entry.kinds_of_rules()}


@pytest.mark.parametrize("kind", ["threshold", "news2", "silence"])
def test_every_field_of_the_engine_can_be_written(kind: str) -> None:
    """What the engine has learnt to take is not refused in files."""
    written = {"kind": kind, "code": "spo2", "red_low": 88} if kind == "threshold" else {"kind": kind, "code": "spo2"}
    if kind == "news2":
        written = {"kind": kind, "scale": 1}
    (document,) = rules.RuleSet.from_json({"pathway": "x", "version": "1", "rules": [written]}).to_json()["rules"]
    assert set(document) <= set(entry.known(kind))
