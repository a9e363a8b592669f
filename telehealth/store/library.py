"""Rule sets and schedules, read once and kept: many residents share few, and versions never change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from alerts import errors, rules, schedule

#: More than this and everything is forgotten and read again: it bounds memory.
_MOST = 50_000

#: What NEWS2 is made of, in the codes of readings.
_NEWS2 = frozenset(
    {"resp_rate", "spo2", "on_oxygen", "oxygen_flow", "systolic", "pulse", "consciousness", "temperature"}
)


class Library:
    """Compiled rule sets by version id, shared where their texts are equal; schedules likewise."""

    def __init__(self) -> None:
        self._by_version: dict[int, rules.RuleSet] = {}
        self._by_text: dict[bytes, rules.RuleSet] = {}
        self._schedules: dict[tuple[bytes, str], schedule.Schedule] = {}

    def unknown(self, version_ids: Iterable[int]) -> list[int]:
        """Versions that have to be learnt first."""
        if len(self._by_version) > _MOST:
            self._by_version.clear()
            self._by_text.clear()
        return sorted({i for i in version_ids if i not in self._by_version})

    def learn(self, version_id: int, document: Mapping[str, Any]) -> None:
        """Compile a version. Raises alerts.errors.RuleError if it is not usable."""
        text = msgspec.json.encode(document, order="deterministic")
        if text not in self._by_text:
            self._by_text[text] = rules.RuleSet.from_json(document)
        self._by_version[version_id] = self._by_text[text]

    def version(self, version_id: int) -> rules.RuleSet:
        """A version that was learnt."""
        return self._by_version[version_id]

    def schedule(self, document: Mapping[str, Any], zone: str) -> schedule.Schedule:
        """A schedule. Raises alerts.errors.RuleError if it is not usable."""
        key = (msgspec.json.encode(document, order="deterministic"), zone)
        if key not in self._schedules:
            if len(self._schedules) > _MOST:
                self._schedules.clear()
            try:
                self._schedules[key] = schedule.parse(document, zone)
            except OSError as error:
                # Some wrong zone names are folders of the time zone database.
                raise errors.RuleError("zone", "is not a time zone") from error
        return self._schedules[key]

    @staticmethod
    def codes(version: rules.RuleSet) -> frozenset[str]:
        """Codes of the readings that the rules look at."""
        named = {*version.thresholds, *version.silences, *version.assessed}
        return frozenset(named | _NEWS2) if version.news2 is not None else frozenset(named)
