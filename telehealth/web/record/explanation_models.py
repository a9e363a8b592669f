"""An alert with everything about it, as a model: its history, and why it holds (docs/schemas/explanation.json)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from telehealth.web.schemas import Alert, AlertEvent, Episode, Given, Json


class ExplainedSetting(Given):
    """A number or choice of the rule, as it was then."""

    name: str
    label: str
    text: str


class ExplainedSource(Given):
    """In words where numbers of the rule are from. label: which; empty: the whole rule."""

    label: str
    text: str


class ExplainedRule(Given):
    """The rule as it stood. kind: technical for what is wrong with devices or with the evaluation."""

    key: str
    kind: str
    pathway: str | None
    version: str | None
    source: str | None
    sources: list[ExplainedSource]
    approval: str | None
    settings: list[ExplainedSetting]


class ExplainedInput(Given):
    """What the rule looked at. age_seconds: when it was judged. day: local, of a daily value."""

    label: str
    code: str | None
    value: float | None
    text: str
    unit: str | None
    at: datetime | None
    day: date | None
    age_seconds: int | None
    marks: list[str]
    notes: list[str]


class ExplainedMissing(Given):
    name: str
    why: Literal["missing", "too old"]


class ExplainedLimit(Given):
    level: str
    value: float | None
    text: str


class ExplainedNumber(Given):
    """What was worked out on the way."""

    name: str
    label: str
    value: float | None
    text: str


class ExplainedSeries(Given):
    """Daily values behind the numbers that are no inputs of their own."""

    label: str
    rows: list[tuple[date, float]]


class ExplainedWorst(Given):
    at: datetime
    text: str


class ExplainedEnded(Given):
    at: datetime
    how: str
    text: str | None = None


class Explanation(Given):
    """Everything by which somebody can work a verdict out again. working: the arithmetic, line by line."""

    sentence: str
    level: str
    provisional: bool
    rule: ExplainedRule
    how: str | None
    since: datetime | None
    inputs: list[ExplainedInput]
    missing: list[ExplainedMissing]
    limits: list[ExplainedLimit]
    numbers: list[ExplainedNumber]
    series: list[ExplainedSeries]
    working: list[str]
    worst: ExplainedWorst | None
    clears_when: str
    ended: ExplainedEnded | None


class AlertVisit(Given):
    """A video visit that came of an alert."""

    id: int
    kind: str
    state: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    outcome: str | None


class AlertDetail(Alert):
    """evidence: as the rule gave it, in a shape of its own for each kind; explanation: the same in one shape."""

    evidence: Json
    explanation: Explanation
    episodes: list[Episode]
    events: list[AlertEvent]
    visits: list[AlertVisit]
