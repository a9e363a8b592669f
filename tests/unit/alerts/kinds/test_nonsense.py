"""Whatever a field of a rule holds, the rule is taken or refused with the field named; nothing else happens."""

from __future__ import annotations

import math
from typing import Any

import pytest

from alerts import errors, kinds
from alerts.kinds import base

ENTRIES: dict[str, dict[str, Any]] = {
    "change": {"code": "weight", "direction": "rise", "window_hours": 72, "amber": 2},
    "distance": {"code": "weight", "direction": "above", "amber": 2},
    "average": {
        **{"code": "systolic", "direction": "above", "amber": 135},
        **{"window_days": 7, "min_days": 3, "min_readings": 6},
    },
    "symptom": {"codes": ["fall", "pain"], "amber": 2},
    "combination": {"name": "two", "conditions": [{"code": "pulse", "above": 90}, {"rule": "news2"}], "amber": 2},
    "slope": {"code": "weight", "direction": "rise", "amber": 2},
    "crossover": {"code": "weight", "direction": "rise", "amber": 2, "fast_days": 3, "slow_days": 21},
    "cusum": {"code": "weight", "direction": "rise", "amber": 2},
    "baseline": {"code": "weight", "direction": "rise", "amber": 2},
    "sustained": {"code": "glucose", "side": "low", "limit": 3.9, "level": "red"},
    "in_range": {"band": "in_range", "direction": "below", "amber": 70},
}
NONSENSE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 5.5, 10**9, 10**400, math.nan, math.inf),
    *("", "rise", "x" * 1000, [], ["glucose"], {}, b"x", [[]], [None], [{}]),
    *(
        [{"code": "pulse", "is": []}],
        [{"code": "fall", "is": []}],
        [{"code": "consciousness", "is": []}],
        [{"rule": 7}],
    ),
    *([{"rule": "news2", "level": []}], [{"code": [], "above": 1}], [{"code": "pulse", "above": 90, "label": 7}]),
)


def taken(entry: dict[str, Any]) -> base.Assessment | errors.RuleError:
    try:
        return kinds.parse(entry, "rules[0]")
    except errors.RuleError as error:
        return error


@pytest.mark.parametrize("kind", ENTRIES)
def test_nonsense_is_refused_with_its_field(kind: str) -> None:
    good = {"kind": kind, **ENTRIES[kind]}
    fields = kinds.parse(good, "rules[0]").dump()
    for field in (*fields, "conditions", ""):
        if field == "kind":
            continue
        for value in NONSENSE:
            answer = taken({**good, field: value})
            if isinstance(answer, errors.RuleError):
                assert answer.field.startswith("rules[0]")
                assert len(answer.problem) < 400
            else:
                assert kinds.parse(answer.dump(), "rules[0]") == answer
    for field in ENTRIES[kind]:
        with pytest.raises(errors.RuleError):
            kinds.parse({key: value for key, value in good.items() if key != field}, "rules[0]")
