"""What an episode is about, and since when it had which priority."""

from __future__ import annotations

from typing import Any

import pytest

from alerts import about
from alerts.episodes import Episode


@pytest.mark.parametrize(
    ("rule", "evidence", "codes"),
    [
        ("threshold/spo2/low", {"inputs": []}, ("spo2",)),
        ("silence/weight", {}, ("weight",)),
        ("news2", {"inputs": [{"code": "pulse", "points": 3}, {"code": "spo2", "points": 0}]}, ("pulse",)),
        ("news2", {"inputs": [{"code": "pulse", "points": 0}, {"code": "spo2"}]}, ("pulse", "spo2")),
        ("change/weight_3_days", {"inputs": [{"code": "weight"}, {"code": "weight"}]}, ("weight",)),
        ("battery", {}, ()),
        ("clock", {}, ()),
    ],
)
def test_codes(rule: str, evidence: dict[str, Any], codes: tuple[str, ...]) -> None:
    assert about.codes(rule, evidence) == codes


def test_priorities_rise_over_all_episodes_of_an_alert() -> None:
    def episode(start: int, priority: Any, rose: Any = None) -> Episode:
        evidence = {} if rose is None else {"rose": rose}
        return Episode(1, "news2", start, None, None, start, None, priority, "", False, "", evidence)

    rose = [
        {"priority": "medium", "at": "1970-01-01T00:00:01.000Z"},
        {"priority": "high", "at": "1970-01-01T00:00:02.000Z"},
    ]
    assert about.priorities([episode(5, "medium"), episode(1_000_000, "high", rose), episode(3_000_000, "high")]) == (
        ("medium", 5),
        ("high", 2_000_000),
    )


def test_categories() -> None:
    assert about.category("silence/spo2") == "silence"
    assert about.category("news2") == "clinical"
    assert about.category("battery", technical=True) == "technical"
