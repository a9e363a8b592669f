"""What /api/v1 takes and gives about a resident's rules, as models. See requests.py and schemas.py."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from telehealth.web.requests import Asked, Key
from telehealth.web.rules.trial_models import Trial
from telehealth.web.schemas import Given

RuleKey = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,20}(/[a-z0-9_]{1,40})?$")]
FieldName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]


class RulesQuery(Asked):
    """at: in force then; absent: now."""

    at: AwareDatetime | None = None


class RuleChange(Asked):
    """how: set a field to a value, go back to the pathway's (field null: the whole rule), or leave the rule out."""

    rule: RuleKey
    field: FieldName | None = None
    value: Any = None
    how: Literal["set", "back", "leave_out"] = "set"


class ProposeRules(Asked):
    """review_on: when it is to be looked at again, at most a year ahead."""

    changes: Annotated[list[RuleChange], Field(min_length=1, max_length=50)]
    why: Annotated[str, Field(min_length=1, max_length=500)]
    review_on: date


class ChangeRules(ProposeRules):
    """version: the one that was looked at; if there is a newer one nothing is changed."""

    version: Key


class TryRules(Asked):
    """weeks: how far back. Rules look back further: what they need from before is read too."""

    changes: Annotated[list[RuleChange], Field(min_length=1, max_length=50)]
    weeks: Annotated[int, Field(ge=1, le=26)] = 4


class PersonalField(Given):
    """field null: the rule is left out."""

    rule: str
    field: str | None
    value: Any
    by: str
    at: str
    why: str
    review_on: str


class PersonalShown(PersonalField):
    overdue: bool


class RuleNumber(Given):
    """A number, or words for the resident. value null: not set, the rule decides nothing; or no words. usual: the
    pathway's own, where that is another."""

    field: str
    label: str
    value: float | str | None
    text: str
    unit: str
    source: str
    approval: str
    usual: str | None
    differs: bool
    personal: PersonalShown | None


class Daytime(Given):
    """Other limits at a time of the day, in words."""

    since: str
    to: str
    text: str


class Changeable(Given):
    """A number of a rule that the page offers to change; programs may change every field of the rule set's rule."""

    field: str
    label: str
    unit: str


class RuleShown(Given):
    """key: names it in changes. not_set: it decides nothing until its value is set."""

    key: str
    kind: str
    title: str
    sentence: str
    clears_when: str
    numbers: list[RuleNumber]
    profiles: list[Daytime]
    personal: bool
    not_set: bool
    changeable: list[Changeable]


class LeftOut(Given):
    """A rule of the pathway that is not in force for this resident."""

    key: str
    title: str
    sentence: str
    personal: PersonalShown | None


class RulesInForce(Given):
    """rule_set: as the engine takes it, docs/schemas/ruleset.json. overdue: how many reviews are."""

    resident: int
    at: datetime
    version: int
    valid_from: datetime
    pathway: str
    pathway_version: str
    pathway_title: str
    spo2_scale: int
    spo2_scale_personal: PersonalShown | None
    reason: str
    by: str
    made_at: datetime
    rules: list[RuleShown]
    left_out: list[LeftOut]
    overdue: int
    rule_set: dict[str, Any]


class Opinion(Given):
    """What one rule thinks.

    needs: what it lacks where it cannot decide. value: what a rule of history makes of the readings now, in unit.
    """

    key: str
    title: str
    sentence: str
    doing: Literal["open", "cannot_decide", "watching"]
    level: str
    needs: str
    value: float | None
    unit: str
    approval: str


class Opinions(Given):
    """items: what is open first, then what cannot decide. Empty before the resident's readings were judged."""

    resident: int
    at: datetime
    items: list[Opinion]


class RulesVersion(Given):
    version: int
    valid_from: datetime
    pathway: str
    pathway_version: str
    spo2_scale: int
    reason: str
    by: str
    made_at: datetime
    personal: list[PersonalField]


class RulesHistory(Given):
    """Newest first."""

    items: list[RulesVersion]


class Difference(Given):
    rule: str
    title: str
    label: str
    before: str
    after: str


class Proposed(Given):
    """What a change would change. dry_run: what it would have done over the last weeks; null: not known."""

    version: int
    changes: list[Difference]
    dry_run: Trial | None


class RulesChanged(Given):
    """version: the new one, in force from valid_from on."""

    version: int
    valid_from: datetime
    changes: list[Difference]
