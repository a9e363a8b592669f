"""What /api/v1 gives, as models: answers are described by them. Times are UTC with milliseconds and Z.

What it takes is in requests.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Priority = Literal["high", "medium", "low"]
Kind = Literal["physiological", "technical"]
Condition = Literal["active", "cleared", "withdrawn"]
Handling = Literal["new", "acknowledged", "snoozed", "escalated", "resolved", "automatic"]
Json = dict[str, Any]


class Given(BaseModel):
    """Base of everything that we send."""

    model_config = ConfigDict(extra="forbid")


class Problem(Given):
    """RFC 9457 problem details. Nothing that was sent is repeated in it. newer: of notes, what is there instead."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str
    field: str | None = None
    newer: dict[str, Any] | None = None


class Me(Given):
    id: int
    username: str
    display_name: str
    role: Literal["clinician", "tester", "admin"]


class Ward(Given):
    id: int
    name: str
    simulated: bool
    residents: int
    open_alerts: int


class Wards(Given):
    items: list[Ward]


class WardHead(Given):
    id: int
    name: str
    simulated: bool
    zone: str


class Column(Given):
    code: str
    name: str
    short: str
    unit: str


class Latest(Given):
    """value null: the measurement failed, absent says why. From stale_at on it is shown as old."""

    value: float | bool | str | None
    text: str
    unit: str
    effective_at: datetime
    received_at: datetime
    stale_at: datetime
    level: Literal["red", "amber"] | None
    side: Literal["low", "high"] | None
    absent: str | None
    uncertain: bool
    extreme: bool
    method: str


class News2(Given):
    """Not complete: total and band are a lower bound, and it is not NEWS2."""

    total: int | None
    complete: bool
    label: str
    note: str
    band: Literal["low", "low-medium", "medium", "high"] | None
    scale: Literal[1, 2]
    missing: list[str]
    stale: list[str]
    parameters: dict[str, int]
    refused: str | None


class Spark(Given):
    """Points are [epoch milliseconds, value]; a null value is a gap."""

    code: str
    name: str
    unit: str
    from_ms: int
    to_ms: int
    points: list[tuple[int, float | None]]


class RowAlert(Given):
    """The worst open alert. count: open ones in all; new: those nobody has handled."""

    id: int
    priority: Priority
    kind: Kind
    condition: Condition
    handling: Handling
    rule: str
    reason: str
    since: datetime
    provisional: bool
    late: bool
    count: int
    new: int


class Contact(Given):
    at: datetime | None


class Pause(Given):
    since: datetime | None
    until: datetime | None
    reason: str


class Awaited(Given):
    """A measure that is expected: what was due and did not come, or (later) what will be due next.

    state: as of the answer. From due on it is due, after late_at late, from missing_at on missing.
    """

    code: str
    name: str
    state: Literal["later", "due", "late", "missing"]
    due: datetime
    late_at: datetime
    missing_at: datetime


class Row(Given):
    """One resident. Worst first: by worse descending, then sort_name. expected: empty while monitoring is paused."""

    id: int
    name: str
    sort_name: str
    nhs_number: str
    born: str
    age: int
    gender: str
    pathway: str
    simulated: bool
    worse: int
    latest: dict[str, Latest]
    news2: News2 | None
    spark: Spark | None
    alert: RowAlert | None
    contact: Contact
    pause: Pause | None
    expected: list[Awaited]


class Alert(Given):
    id: int
    ward_id: int
    resident_id: int | None
    device_id: str | None
    subject: str
    nhs_number: str | None
    rule: str
    code: str | None
    kind: Kind
    priority: Priority
    condition: Condition
    handling: Handling
    open: bool
    provisional: bool
    late: bool
    onset_at: datetime
    raised_at: datetime
    changed_at: datetime
    reason: str


class Board(Given):
    """at: clinical now."""

    ward: WardHead
    at: datetime
    columns: list[Column]
    rows: list[Row]
    device_alerts: list[Alert]


class Alerts(Given):
    items: list[Alert]
    next: str | None


class Episode(Given):
    """peak_value: at the worst moment, as a nurse reads it, in peak_unit: "mmHg", "kg up within 72 hours", "points"."""

    started_at: datetime
    ended_at: datetime | None
    peak_at: datetime
    peak_value: float | None
    peak_unit: str
    priority: Priority
    provisional: bool


class AlertEvent(Given):
    at: datetime
    event: str
    actor: str
    priority: Priority | None
    note: str | None
    outcome: str | None


class Resident(Given):
    """pathway, admitted_at: of the newest stay. on_ward: whether it goes on now."""

    id: int
    ward_id: int
    ward: str
    name: str
    family_name: str
    given_name: str
    title: str | None
    nhs_number: str
    born: str
    age: int
    gender: str
    zone: str
    simulated: bool
    died_at: datetime | None
    pathway: str | None
    pathway_version: str | None
    admitted_at: datetime | None
    discharged_at: datetime | None
    on_ward: bool
    pause: Pause | None


class Residents(Given):
    items: list[Resident]
    next: str | None


class ResidentDetail(Resident):
    """row: as on the board; null when not on a ward now."""

    row: Row | None
    open_alerts: list[Alert]


class Reading(Given):
    """value and unit canonical; value_sent and unit_sent as they came, null: the same. value_key: a number as text.

    key: names the reading in paths. taken_at: as the device said; null: it said no time.
    """

    key: str
    taken_at: datetime | None
    identity: str
    value_key: str
    effective_at: datetime | None
    received_at: datetime
    sent_at: datetime | None
    code: str
    value: float | bool | str | None
    unit: str | None
    value_sent: str | None
    unit_sent: str | None
    method: str
    absent: str | None
    flags: list[str]
    marks: list[str]
    context: Json | None
    struck: bool
    set: str | None
    device_id: str | None


class Readings(Given):
    items: list[Reading]
    next: str | None


class Stored(Given):
    """stored: new readings; duplicates: those that were there already."""

    stored: int
    duplicates: int


class Struck(Given):
    struck: bool


class Device(Given):
    device_id: str
    ward_id: int
    model: str
    codes: list[str]
    revoked: bool
    seen_at: datetime | None
    online: bool | None
    battery: float | None
    firmware: str | None
    resident_id: int | None
    #: Messages that the device gave up before they arrived, by its own "oldest"; and the same in a sentence.
    lost_messages: int
    lost: str | None


class Devices(Given):
    items: list[Device]
    next: str | None


class Series(Given):
    code: str
    t: list[int]
    v: list[float | None]
    marks: list[str]


class Limits(Given):
    from_ms: int
    to_ms: int | None
    red_low: float | None
    amber_low: float | None
    amber_high: float | None
    red_high: float | None


class Moment(Given):
    text: str
    at: datetime


class Chart(Given):
    key: str
    name: str
    unit: str
    y: tuple[float, float]
    kind: Literal["line", "pressure"]
    series: list[Series]
    gaps: list[tuple[int, int]]
    limits: list[Limits]
    latest: Moment | None
    previous: Moment | None


class ChartAlert(Given):
    id: int
    chart: str | None
    priority: Priority
    from_ms: int
    to_ms: int | None
    label: str
    open: bool


class Trends(Given):
    resident_id: int
    zone: str
    from_ms: int
    to_ms: int
    now_ms: int
    charts: list[Chart]
    alerts: list[ChartAlert]
    pauses: list[tuple[int, int | None]]
    truncated: bool


class Clock(Given):
    at: datetime
    fired_to: datetime


class Outstanding(Given):
    """What a device is asked to do now, the newest first; docs/schemas/command.json says what each can be."""

    commands: list[dict[str, Any]]
    at: datetime


class Receipt(Given):
    """What is settled of a device's stream; docs/asyncapi.yaml says the whole of it. commands, if there are any: what
    the device is asked to do, as GET .../commands answers it."""

    model_config = ConfigDict(extra="allow")

    stream: str | None
    through: int
