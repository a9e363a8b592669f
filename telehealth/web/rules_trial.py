"""What changed rules would have done to one resident over the last weeks, shown before anybody saves them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts.rules import RuleSet
from telehealth.web import access


async def dry_run(view: access.Opened, found: Any, changed: RuleSet, *, now: datetime) -> dict[str, Any] | None:
    """None: not known."""
    return None
