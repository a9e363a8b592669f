"""Which parts of the service work, for /readyz and the board's NOT LIVE."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Health:
    """Each part says for itself whether it works; ready when all that have spoken do."""

    _troubles: dict[str, str | None] = field(default_factory=dict)

    def good(self, part: str) -> None:
        self._troubles[part] = None

    def bad(self, part: str, why: str) -> None:
        """why: one clause for an operator, without secrets or residents' data."""
        self._troubles[part] = why

    def parts(self) -> dict[str, str | None]:
        """Part -> trouble, or None where it works."""
        return dict(self._troubles)

    @property
    def ready(self) -> bool:
        return bool(self._troubles) and all(trouble is None for trouble in self._troubles.values())
