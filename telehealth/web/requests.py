"""What /api/v1 takes, as models: every request is checked by one of them. Times are RFC 3339 with an offset."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from alerts import lifecycle

Condition = Literal["active", "cleared", "withdrawn"]
Handling = Literal["new", "acknowledged", "snoozed", "escalated", "resolved", "automatic"]
#: Checked by the store, which owns the list.
Outcome = Annotated[str, Field(max_length=40, json_schema_extra={"enum": list(lifecycle.OUTCOMES)})]
Key = Annotated[int, Field(ge=1, lt=2**63)]
#: All but tabs and the ends of lines.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def ordinary(day: date) -> bool:
    """Whether a date or time is not at the edges of the calendar, where an offset or a span leads outside it."""
    return 1000 < day.year < 9000


def plain(text: str) -> bool:
    """Whether a text has no control characters."""
    return _CONTROL.search(text) is None


class Asked(BaseModel):
    """Base of everything that is sent to us."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _ordinary_time(cls, value: object) -> object:
        """Every time that is asked for."""
        if isinstance(value, datetime) and not ordinary(value):
            raise ValueError
        return value

    @field_validator("*")
    @classmethod
    def _ordinary_text(cls, value: object) -> object:
        """Every text: no control characters, which databases refuse and terminals obey."""
        if isinstance(value, str) and not plain(value):
            raise ValueError
        return value


class Page(Asked):
    """Paging by the end of the page before."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    #: "next" of the page before
    cursor: Annotated[str, Field(max_length=200)] | None = None


class ResidentsQuery(Page):
    ward: Key | None = None


class ReadingsQuery(Page):
    """By taken_at: since <= taken_at < until."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class TrendsQuery(Asked):
    """By effective_at; at most 366 days, by default the last week."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class AlertsQuery(Page):
    ward: Key | None = None
    resident: Key | None = None
    open: bool | None = None
    condition: Condition | None = None
    handling: Handling | None = None


class DevicesQuery(Page):
    ward: Key | None = None


class KeyedValue(Asked):
    """One value of an observation set. unit: absent means the code's own."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
    value: bool | float | Annotated[str, Field(max_length=64)]
    unit: Annotated[str, Field(max_length=40)] | None = None


class KeyedSet(Asked):
    """An observation set that staff took. entry: chosen by the sender; the same entry is stored once."""

    entry: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    taken_at: AwareDatetime
    values: Annotated[list[KeyedValue], Field(min_length=1, max_length=20)]


class Strike(Asked):
    """An entry made in error; named by its key in a list of readings."""

    taken_at: AwareDatetime
    identity: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{32,36}$")]
    value_key: Annotated[str, Field(pattern=r"^-?[0-9]{1,19}$")]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


DeviceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ErrorCode = Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,64}$")]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class QuarantineQuery(Page):
    device: DeviceId | None = None
    error: ErrorCode | None = None
    state: Literal["refused", "held", "dismissed", "retried"] | None = None


class QuarantineCountsQuery(Asked):
    """span: 24h by the hour, 7d and 28d by the day."""

    device: DeviceId | None = None
    error: ErrorCode | None = None
    span: Literal["24h", "7d", "28d"] = "24h"


class QuarantineRetry(Asked):
    """error null: whatever the reason. since: of the answer before, to go on where it ended."""

    device_id: DeviceId
    error: ErrorCode | None = None
    since: AwareDatetime | None = None


class QuarantineDismiss(Asked):
    reason: Reason


class QuarantineDismissGroup(Asked):
    """Everything open of a device, of one reason or of all."""

    device_id: DeviceId
    error: ErrorCode | None = None
    reason: Reason


class Acknowledge(Asked):
    note: Annotated[str, Field(max_length=2000)] | None = None


class Resolve(Asked):
    outcome: Outcome
    note: Annotated[str, Field(max_length=2000)] | None = None


class Advance(Asked):
    """to: null only settles the present moment, "real" ends virtual time, "virtual" begins it now. Never back."""

    to: AwareDatetime | Literal["real", "virtual"] | None = None


class DeviceReading(Asked):
    """One measurement; docs/asyncapi.yaml says the whole of it. value null: it failed, absent says why."""

    code: str
    value: float | bool | str | None
    taken_at: AwareDatetime
    unit: str | None = None
    absent: str | None = None
    source_id: str | None = None
    set: str | None = None


class DeviceMessage(Asked):
    """What a device would publish by MQTT: the native message, at most 256 KiB and 1,000 readings."""

    stream: str | None = None
    seq: int | None = None
    oldest: int | None = None
    id: str | None = None
    sent_at: AwareDatetime | None = None
    readings: Annotated[list[DeviceReading], Field(max_length=1000)]
