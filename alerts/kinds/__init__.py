"""Kinds of assessment: rules that judge a history and not one value. One module each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.kinds.average import Average
from alerts.kinds.base import Assessment
from alerts.kinds.baseline import Baseline
from alerts.kinds.change import Change
from alerts.kinds.combination import Combination
from alerts.kinds.crossover import Crossover
from alerts.kinds.cusum import Cusum
from alerts.kinds.distance import Distance
from alerts.kinds.in_range import InRange
from alerts.kinds.slope import Slope
from alerts.kinds.sustained import Sustained
from alerts.kinds.symptom import Symptom

_ALL: tuple[type[Assessment], ...] = (
    Change,
    Distance,
    Average,
    Slope,
    Crossover,
    Cusum,
    Baseline,
    Sustained,
    InRange,
    Symptom,
    Combination,
)

#: By the word for it in rule sets.
KINDS: dict[str, type[Assessment]] = {kind.kind: kind for kind in _ALL}


def parse(entry: Mapping[str, Any], where: str) -> Assessment:
    """The assessment of an entry whose kind is one of KINDS. Raises RuleError naming the field."""
    return KINDS[entry["kind"]].parse(entry, where)
