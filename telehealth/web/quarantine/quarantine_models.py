"""What /api/v1 gives about what was refused, as models."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from telehealth.web.schemas import Given


class QuarantineEntry(Given):
    """What was refused, or is held. reading_index null: the whole message. kept: how much of its bytes.

    device_id null: a device that is not registered. Text that a device chose is escaped to printable ASCII.
    """

    id: int
    device_id: str | None
    state: Literal["refused", "held", "dismissed", "retried"]
    error: str
    meaning: str
    field: str | None
    detail: str
    reading_index: int | None
    topic: str
    stream: str | None
    seq: int | None
    message_id: str | None
    size: int
    kept: Literal["whole", "part", "none"]
    retryable: bool
    first_at: datetime
    last_at: datetime
    times: int
    handled_at: datetime | None
    handled_by: str | None
    note: str | None


class QuarantineEntries(Given):
    items: list[QuarantineEntry]
    next: str | None


class QuarantineGroup(Given):
    device_id: str | None
    error: str
    meaning: str
    state: str
    entries: int
    times: int
    last_at: datetime


class QuarantinePeriod(Given):
    """An hour or a day, from at on."""

    at: datetime
    times: int


class QuarantineCounts(Given):
    groups: list[QuarantineGroup]
    periods: list[QuarantinePeriod]


class QuarantineBytes(Given):
    """text: escaped, and cut after 4,000 characters."""

    id: int
    size: int
    whole: bool
    base64: str
    text: str


class QuarantineRefusal(Given):
    error: str
    reading_index: int | None
    field: str | None
    detail: str


class QuarantineOutcome(Given):
    """Of one message. why: nothing could be tried."""

    entries: list[int]
    taken_in: bool
    stored: int
    duplicates: int
    refused: list[QuarantineRefusal]
    why: str | None


class QuarantineTried(Given):
    outcomes: list[QuarantineOutcome]
    stored: int
    left: int
    since: datetime | None


class QuarantineDismissed(Given):
    dismissed: int
