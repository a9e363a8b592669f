"""The state of the fold of one resident: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class State:
    """After every event at or before `through` (microseconds since the epoch).

    To go on from it, hand the engine the readings with effective_at > through. A reading at or before
    `through` that was not folded yet is late: go on from an older checkpoint instead.
    """

    through: int
    last: Mapping[str, Any] = field(default_factory=dict)  #: code -> [at, low, high, quality]
    failed: Mapping[str, int] = field(default_factory=dict)  #: code -> last failed attempt
    tracks: Mapping[str, Any] = field(default_factory=dict)  #: rule -> what is pending or open

    def to_json(self) -> dict[str, Any]:
        """JSON form, for the checkpoint table."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> State:
        """Inverse of to_json. Raises InputError for another format."""
        raise NotImplementedError
