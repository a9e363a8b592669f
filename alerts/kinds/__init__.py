"""Kinds of assessment: rules that judge a history and not one value. One module each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.kinds.base import Assessment

_ALL: tuple[type[Assessment], ...] = ()

#: By the word for it in rule sets.
KINDS: dict[str, type[Assessment]] = {kind.kind: kind for kind in _ALL}


def parse(entry: Mapping[str, Any], where: str) -> Assessment:
    """The assessment of an entry whose kind is one of KINDS. Raises RuleError naming the field."""
    return KINDS[entry["kind"]].parse(entry, where)
