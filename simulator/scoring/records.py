"""The two files as they are written: records of the truth, and alerts (docs/schemas/truth.json, alerts.json)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Codes = Annotated[list[Name], msgspec.Meta(min_length=1, max_length=64)]
Priority = Literal["low", "medium", "high"]
Category = Literal["clinical", "silence", "technical"]

RANK: dict[str, int] = {"low": 1, "medium": 2, "high": 3}


class _Record(msgspec.Struct, frozen=True, tag_field="record", rename={"from_": "from"}):
    pass


class Run(_Record, frozen=True, tag="run"):
    """What was simulated; to: None while it runs."""

    version: Literal[1]
    seed: int
    from_: Time
    to: Time | None
    scenarios: list[Name]


class Resident(_Record, frozen=True, tag="resident"):
    """Time in which somebody was watched, [from, to)."""

    resident: Name
    pathway: Name | None
    from_: Time
    to: Time | None


class Notice(msgspec.Struct, frozen=True):
    """What should be noticed by when."""

    what: Name
    codes: Codes | None
    priority: Priority
    by: Time
    categories: Annotated[list[Category], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["clinical"]
    )


class Quiet(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What must not alarm."""

    codes: Codes | None
    from_: Time
    to: Time
    why: Name


class Course(_Record, frozen=True, tag="course"):
    """An illness, or another story, in one resident."""

    id: Name
    resident: Name
    scenario: Name
    onset: Time
    peak: Time | None
    end: Time | None
    notice: Annotated[list[Notice], msgspec.Meta(max_length=100)]
    quiet: Annotated[list[Quiet], msgspec.Meta(max_length=1000)]


class Overdue(_Record, frozen=True, tag="overdue"):
    """A measurement that did not take place in time, and when that should be told."""

    resident: Name
    code: Name
    due_at: Time
    alarm_from: Time
    alarm_by: Time
    measured_at: Time | None


class Fault(_Record, frozen=True, tag="fault"):
    """A fault of a device, of a resident's or of a home's devices."""

    id: Name
    kind: Name
    resident: Name | None
    device_id: Name | None
    from_: Time
    to: Time | None
    technical_by: Time | None
    must_not_alarm: bool


Record = Run | Resident | Course | Overdue | Fault


class Step(msgspec.Struct, frozen=True):
    """When an alert first had a priority."""

    priority: Priority
    at: Time


class Alert(msgspec.Struct, frozen=True):
    """One alert, however many episodes belong to it."""

    id: Name
    resident: Name | None
    pathway: Name | None
    rule: Name
    kind: Name
    codes: Annotated[list[Name], msgspec.Meta(max_length=64)]
    priority: Priority
    raised_at: Time
    cleared_at: Time | None
    human: bool
    handled_at: Time | None
    category: Category
    priorities: list[Step] = []
    device_id: Name | None = None


class AlertList(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A file of alerts; those raised in [from, to)."""

    version: Literal[1]
    exported_at: Time
    alerts: list[Alert]
    from_: Time | None = None
    to: Time | None = None
