"""What became of an alert: condition and handling, derived from its append-only events.

Two axes that never touch: the condition is the fold's (an automatic clear is no acknowledgement), the
handling is people's, but for what a rule leaves to the service. Only three facts of the condition put the
handling back to new, because somebody must look again: it worsened, it returned, it was reopened.

| event | needs | does |
|---|---|---|
| raised | to be the first | active, new |
| joined | | a further episode of its rule |
| worsened, eased | | priority; worsened while active: handling new, unless escalated |
| cleared | active | cleared |
| returned | cleared or withdrawn | active; handling new, unless escalated |
| resumed | cleared | active again within the rule's refractory time: handling as it was, but automatic is new |
| withdrawn | active or cleared | withdrawn: nothing in the record supports it any more |
| acknowledged | new, escalated or snoozed | acknowledged |
| snoozed | active; new, acknowledged or escalated | snoozed |
| escalated | new, acknowledged or snoozed | escalated |
| resolved | not resolved; one of OUTCOMES | resolved |
| auto_handled | cleared or withdrawn; new | automatic: its rule leaves what clears itself to the service |
| reopened | acknowledged, resolved or automatic | new |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from alerts import errors
from alerts.episodes import Priority

Condition = Literal["active", "cleared", "withdrawn"]
Handling = Literal["new", "acknowledged", "snoozed", "escalated", "resolved", "automatic"]
Kind = Literal[
    "raised",
    "joined",
    "worsened",
    "eased",
    "cleared",
    "returned",
    "resumed",
    "withdrawn",
    "acknowledged",
    "resolved",
    "snoozed",
    "escalated",
    "auto_handled",
    "reopened",
]

#: How a resolved alert turned out: code -> words for people. The precision of a rule is computed from these.
OUTCOMES = {
    "action_taken": "True alert, acted on",
    "no_action_needed": "True alert, no action needed",
    "false_alarm": "False alarm",
    "technical_problem": "Technical problem",
    "duplicate": "Duplicate of another alert",
}

_CONDITION_NEEDS: dict[str, tuple[str, ...]] = {
    "cleared": ("active",),
    "returned": ("cleared", "withdrawn"),
    "resumed": ("cleared",),
    "withdrawn": ("active", "cleared"),
    "auto_handled": ("cleared", "withdrawn"),
    "snoozed": ("active",),
}
_HANDLING_NEEDS: dict[str, tuple[str, ...]] = {
    "acknowledged": ("new", "escalated", "snoozed"),
    "snoozed": ("new", "acknowledged", "escalated"),
    "escalated": ("new", "acknowledged", "snoozed"),
    "resolved": ("new", "acknowledged", "snoozed", "escalated", "automatic"),
    "auto_handled": ("new",),
    "reopened": ("acknowledged", "resolved", "automatic"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One row of an alert's history. `priority` with raised, worsened and eased; `outcome` with resolved."""

    kind: Kind
    priority: Priority | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an alert stands."""

    condition: Condition
    handling: Handling
    priority: Priority

    @property
    def open(self) -> bool:
        return is_open(self.condition, self.handling)


def is_open(condition: str, handling: str) -> bool:
    """Active, or neither acknowledged, resolved nor left to the service: the same expression as in the alert table."""
    return condition == "active" or handling not in ("acknowledged", "resolved", "automatic")


def step(standing: Standing | None, event: Event) -> Standing:
    """The standing after one more event. Raises NotAllowed, saying why in words for the person who asked."""
    if event.kind == "raised":
        if standing is not None:
            raise errors.NotAllowed("raised", "the alert exists already")
        if event.priority is None:
            raise errors.NotAllowed("raised", "an alert needs a priority")
        return Standing("active", "new", event.priority)
    if standing is None:
        raise errors.NotAllowed(event.kind, "the alert was never raised")
    _check(standing, event)
    priority = event.priority or standing.priority
    match event.kind:
        case "joined":
            return standing
        case "eased":
            return replace(standing, priority=priority)
        case "worsened":
            again = standing.condition == "active"
            return replace(standing, priority=priority, handling=_look_again(standing.handling, again=again))
        case "returned":
            return Standing("active", _look_again(standing.handling), priority)
        case "resumed":
            same = standing.handling != "automatic"
            return Standing("active", standing.handling if same else "new", priority)
        case "auto_handled":
            return replace(standing, handling="automatic")
        case "cleared" | "withdrawn":
            return replace(standing, condition=event.kind)
        case "acknowledged" | "resolved" | "snoozed" | "escalated":
            return replace(standing, handling=event.kind)
        case "reopened":
            return replace(standing, handling="new")


def derive(events: Iterable[Event]) -> Standing:
    """Condition, handling and priority after all events, in the order in which they were appended."""
    standing: Standing | None = None
    for event in events:
        standing = step(standing, event)
    if standing is None:
        raise errors.NotAllowed("derive", "an alert without events")
    return standing


def allowed(standing: Standing, kind: Kind) -> bool:
    """Whether a person may take this step now (acknowledged, resolved, snoozed, escalated, reopened)."""
    try:
        step(standing, Event(kind, outcome="action_taken"))
    except errors.NotAllowed:
        return False
    return True


def _look_again(handling: Handling, *, again: bool = True) -> Handling:
    return handling if handling == "escalated" or not again else "new"


def _check(standing: Standing, event: Event) -> None:
    needs = _CONDITION_NEEDS.get(event.kind)
    if needs is not None and standing.condition not in needs:
        raise errors.NotAllowed(event.kind, f"the alert's condition is {standing.condition}")
    needs = _HANDLING_NEEDS.get(event.kind)
    if needs is not None and standing.handling not in needs:
        raise errors.NotAllowed(
            event.kind,
            f"the alert is already {standing.handling}"
            if standing.handling != "new"
            else "nobody has acknowledged or resolved it",
        )
    if event.kind == "resolved" and event.outcome not in OUTCOMES:
        raise errors.NotAllowed("resolved", "an outcome is needed: one of " + ", ".join(OUTCOMES))
