"""The pages for clinicians: their fields, defaults and worked examples are those of the engine."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from alerts import kinds, scenario, timeline
from alerts.kinds import base

PAGES = Path(__file__).parents[4] / "docs" / "clinical" / "rules"
COMMON = {"name", "priority", "refractory_hours", "auto", "calls_after_hours", "source", "approval"}
MINE = ("change", "distance", "average", "symptom", "combination")


def page(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", MINE)
def test_the_fields_of_the_page_are_those_of_the_rule(kind: str) -> None:
    """Every field is in the table, with its default."""
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| .* \| (.+) \|$", page(kind), re.MULTILINE)
    told = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(told) | COMMON == set(base.written(kinds.KINDS[kind])) | COMMON
    for field in fields(kinds.KINDS[kind]):
        if field.name not in told:
            continue
        shown = told[field.name]
        match field.default:
            case default if default is MISSING:
                assert shown == "needed"
            case None:
                assert shown in ("none", "null")
            case bool(default):
                assert shown == ("true" if default else "false")
            case str(default):
                assert shown == f"`{default}`"
            case default:
                assert float(shown) == default


@pytest.mark.parametrize("kind", MINE)
def test_the_page_has_its_pictures_and_parts(kind: str) -> None:
    text = page(kind)
    for part in (
        "What it is for",
        "How it is worked out",
        "Worked example",
        "Fields",
        "When it cannot decide",
        "How it clears",
    ):
        assert f"\n## {part}\n" in text
    for picture in re.findall(r"\]\((\S+\.svg)\)", text):
        assert (PAGES / picture).is_file()
    for other in re.findall(r"\]\((\w+)\.md\)", text):
        assert other in (*kinds.KINDS, "threshold", "news2", "silence")


def reading(code: str, value: Any, at: str) -> dict[str, Any]:
    """at: day and time in November 2026, "21 07:45"."""
    day, time = at.split()
    return {"code": code, "value": value, "at": f"2026-11-{day}T{time}:00Z"}


EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "change": [
        reading("weight", value, at)
        for at, value in (
            ("17 07:40", 78.4),
            ("18 07:55", 78.2),
            ("19 07:30", 79.1),
            ("20 08:10", 80.6),
            ("21 07:45", 80.4),
        )
    ],
    "distance": [
        reading("weight", value, at)
        for at, value in (
            ("17 07:40", 80.1),
            ("18 07:55", 80.6),
            ("19 07:30", 80.9),
            ("20 08:10", 80.2),
            ("21 07:45", 79.9),
        )
    ],
    "average": [
        reading("systolic", value, f"{day} {time}")
        for day, morning, evening in (
            (16, (158, 154), (150, 152)),
            (17, (142, 138), (136, 134)),
            (18, (141, 137), (139, 135)),
            (19, (140, 136), (138, 132)),
            (20, (143,), ()),
        )
        for time, value in (
            *zip(("07:30", "07:32"), morning, strict=False),
            *zip(("19:30", "19:32"), evening, strict=False),
        )
    ],
    "symptom": [
        reading("breathlessness", 3, "20 09:00"),
        reading("ankle_swelling", False, "20 09:00"),
        reading("breathlessness", 4, "21 09:00"),
        reading("ankle_swelling", True, "21 09:00"),
        reading("orthopnoea", True, "21 09:05"),
        reading("breathlessness", 2, "22 09:00"),
        reading("ankle_swelling", True, "22 09:00"),
        reading("orthopnoea", False, "22 09:05"),
    ],
    "combination": [
        reading("breathlessness", 6, "20 08:00"),
        reading("resp_rate", 22, "20 08:05"),
        reading("spo2", 94, "20 08:05"),
        reading("pulse", 92, "20 08:05"),
        reading("pulse", 98, "20 18:00"),
        reading("spo2", 93, "20 18:00"),
        reading("breathlessness", 3, "21 08:00"),
    ],
}
WHEN: dict[str, tuple[str, str | None]] = {
    "change": ("21 07:45", None),
    "distance": ("19 07:30", "21 07:45"),
    "average": ("20 07:30", None),
    "symptom": ("21 09:00", "22 09:05"),
    "combination": ("20 18:00", "21 08:00"),
}


@pytest.mark.parametrize("kind", MINE)
def test_the_worked_example_happens(kind: str) -> None:
    """The rule of the page on the readings of the page: when it fires and clears, and what it says."""
    text = page(kind)
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    document = {
        "now": "2026-11-30T00:00:00Z",
        "rules": [{"rules": [tomllib.loads(blocks[0])]}],
        "spells": [{"from": "2026-11-01T00:00:00Z", "to": None}],
        "readings": EXAMPLES[kind],
    }
    (episode,) = scenario.evaluate(json.dumps(document))["episodes"]
    moments = [episode[name] and f"{episode[name][8:10]} {episode[name][11:16]}" for name in ("started_at", "ended_at")]
    assert tuple(moments) == WHEN[kind]
    quotes = [
        " ".join(quote.replace("\n> ", " ").split())
        for quote in re.findall(r"^> ((?:.+\n)(?:> .+\n)*)", text, re.MULTILINE)
    ]
    assert episode["reason"] in quotes


def test_the_flags_that_make_a_reading_doubted_are_all_listed() -> None:
    text = (PAGES.parent / "rules.md").read_text(encoding="utf-8")
    section = text.split("## What makes a reading doubted\n")[1].split("\n## ")[0]
    listed = re.findall(r"`(\w+)`", "".join(re.findall(r"^\|.*\|$", section, re.MULTILINE)))
    assert sorted(listed) == sorted(timeline.POOR_FLAGS)
