"""What /api/v1 takes and gives about readings that wait for a person, as models. See requests.py and schemas.py."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from telehealth.web.requests import Asked, Key, Page
from telehealth.web.schemas import Given, WardHead

Reason = Annotated[str, Field(min_length=1, max_length=500)]


class HeldQuery(Page):
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    #: only of this device
    device: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None


class Scoped(Asked):
    """scope: this reading, its set, or all that its device has of since <= time < until of the same resident.

    Of nobody's readings a period takes in only those that say the same of whose they are.
    """

    scope: Literal["reading", "set", "period"] = "reading"
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class Move(Scoped):
    """resident: whose they are; null: nobody's, back into the holding list."""

    resident: Key | None
    reason: Reason


class SetTime(Asked):
    """how: when it arrived, as the device said, or at a time (then at is needed)."""

    how: Literal["arrived", "said", "at"]
    at: AwareDatetime | None = None
    scope: Literal["reading", "set"] = "set"


class SetAside(Scoped):
    reason: Reason


class Choose(Asked):
    reason: Reason


class Named(Given):
    """name null: of a ward that is not the caller's."""

    id: int
    name: str | None


class HeldReading(Given):
    """key: names the reading in paths. why: what keeps it; what_helps: what would settle it."""

    key: str
    taken_at: datetime
    effective_at: datetime | None
    received_at: datetime
    code: str
    name: str
    value: float | bool | str | None
    text: str
    unit: str
    absent: str | None
    device_id: str | None
    subject: str | None
    slot: str | None
    set: str | None
    marks: list[str]
    flags: list[str]
    why: Literal["no_time", "near_change", "subject", "slot", "shared", "unassigned", "moved"]
    why_text: str
    what_helps: str


class Questioned(Given):
    """why: two values for one reading, or far from what is usual for its resident (then usual and allowed say so)."""

    key: str
    resident: Named
    taken_at: datetime
    effective_at: datetime | None
    received_at: datetime
    code: str
    name: str
    text: str
    unit: str
    device_id: str | None
    why: list[Literal["conflict", "maybe_other"]]
    usual: float | None
    allowed: float | None
    fits: Named | None


class Held(Given):
    """items: nobody's, the newest arrived first. questioned: of residents; the same on every page."""

    ward: WardHead
    waiting: int
    items: list[HeldReading]
    questioned: list[Questioned]
    next: str | None


class Value(Given):
    key: str
    name: str
    text: str
    unit: str
    received_at: datetime
    struck: bool


class Decision(Given):
    """kind repair: from one to the other (null: nobody); time: from one clinical time to the other; strike."""

    at: datetime
    kind: Literal["repair", "time", "strike"]
    by: str
    reason: str | None
    before: Named | None
    after: Named | None
    effective_before: datetime | None
    effective_at: datetime | None


class ReadingDetail(Given):
    """One reading, its values, its set, and what was decided about it, newest first."""

    key: str
    resident: Named | None
    taken_at: datetime
    effective_at: datetime | None
    received_at: datetime
    sent_at: datetime | None
    code: str
    name: str
    text: str
    unit: str
    device_id: str | None
    subject: str | None
    slot: str | None
    set: str | None
    method: str
    struck: bool
    marks: list[str]
    flags: list[str]
    values: list[Value]
    with_it: list[Value]
    decisions: list[Decision]


class Decided(Given):
    """readings: how many it was about. operation: as the log of attributions has it."""

    readings: int
    operation: str | None
