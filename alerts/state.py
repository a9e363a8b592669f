"""The state of the fold of one resident: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts import book, errors
from alerts.kinds.base import Keep

#: Of the JSON form; raised with every change of its meaning.
FORMAT = 4


@dataclass(frozen=True, slots=True)
class State:
    """After every event at or before `through` (microseconds since the epoch).

    To go on from it, hand the engine the readings with effective_at > through. A reading at or before
    `through` that was not folded yet is late: go on from an older checkpoint instead.
    """

    through: int
    last: Mapping[str, Any] = field(default_factory=dict)  #: code -> [at, low, high, quality, red sides]
    failed: Mapping[str, int] = field(default_factory=dict)  #: code -> last failed attempt
    tracks: Mapping[str, Any] = field(default_factory=dict)  #: rule -> what is pending or open
    kept: Mapping[str, Keep] = field(default_factory=dict)  #: code -> how much of its history is kept
    pages: Mapping[str, book.Page] = field(default_factory=dict)  #: code -> its history
    #: code -> when it was last measured before or in the last pause; for what is due after it
    away: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON form, for the checkpoint table."""
        return {
            "format": FORMAT,
            "through": self.through,
            "last": {code: list(sample) for code, sample in self.last.items()},
            "failed": dict(self.failed),
            "tracks": dict(self.tracks),
            "kept": {code: list(keep) for code, keep in self.kept.items()},
            "book": book.to_json(self.pages),
            **({"away": dict(self.away)} if self.away else {}),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> State:
        """Inverse of to_json. Raises InputError for another format: fold from the beginning then."""
        if document.get("format") != FORMAT:
            raise errors.InputError("the checkpoint is of another format")
        return cls(
            document["through"],
            document["last"],
            document["failed"],
            document["tracks"],
            {code: Keep(*keep) for code, keep in document["kept"].items()},
            book.from_json(document["book"]),
            document.get("away", {}),
        )
