"""One version of a resident's rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts.personal import Rules


@dataclass(frozen=True)
class Version:
    """reason: why it was made, as its author wrote it."""

    id: int
    organisation_id: int
    valid_from: datetime
    rules: Rules
    reason: str
    created_by: str  #: actor: staff:3, operator:root
    created_name: str  #: for people
    created_at: datetime
