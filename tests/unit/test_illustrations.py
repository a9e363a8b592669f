"""The pictures of rules in the documents are what the engine says today."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts import kinds
from telehealth.backtest import illustrations

_FOLDER = Path(__file__).parents[2] / "docs" / "clinical" / "rules"


def test_every_kind_is_illustrated() -> None:
    """Also those that judge one value."""
    assert set(illustrations.ILLUSTRATIONS) == {"threshold", "news2", "silence", *kinds.KINDS}


def test_the_documents_have_the_pictures_of_today() -> None:
    """Drawn anew they are the same, and every page shows its two."""
    for name, svg in illustrations.draw().items():
        assert (_FOLDER / name).read_text(encoding="utf-8") == svg, f"draw {name} anew"
        page = _FOLDER / f"{name.rpartition('-')[0]}.md"
        assert name in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", illustrations.ILLUSTRATIONS)
def test_one_fires_and_one_does_not(name: str) -> None:
    """The picture of an alert has one, the other has none."""
    drawn = illustrations.draw()
    assert "No alert." not in drawn[f"{name}-fires.svg"]
    assert "No alert." in drawn[f"{name}-quiet.svg"]
