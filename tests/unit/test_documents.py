"""Documents say what is there: files they name exist, hazards have tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document is a file of the project."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_control_of_a_hazard_has_its_test() -> None:
    """A hazard without a test that exists is not controlled."""
    rows = [
        line for line in (ROOT / "docs/safety/hazards.md").read_text("utf-8").splitlines() if line.startswith("| H")
    ]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)::(test_\w+)`", row)
        assert named, row
        for path, function in named:
            source = (ROOT / path).read_text("utf-8")
            assert re.search(rf"^(async )?def {function}\(", source, re.MULTILINE), f"{path} has no {function}"


def test_architecture_is_short() -> None:
    """Under 200 lines, so that it is read."""
    assert len((ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()) < 200
