"""Condition and handling follow from the events, and senseless steps are refused."""

from __future__ import annotations

import pytest

from alerts import errors, lifecycle
from alerts.lifecycle import Event

RAISED = Event("raised", "medium")
RESOLVED = Event("resolved", outcome="action_taken")


@pytest.mark.parametrize(
    ("events", "condition", "handling", "is_open"),
    [
        ([RAISED], "active", "new", True),
        ([RAISED, Event("acknowledged")], "active", "acknowledged", True),
        ([RAISED, Event("cleared")], "cleared", "new", True),
        ([RAISED, Event("cleared"), Event("acknowledged")], "cleared", "acknowledged", False),
        ([RAISED, Event("acknowledged"), Event("cleared")], "cleared", "acknowledged", False),
        ([RAISED, RESOLVED], "active", "resolved", True),
        ([RAISED, RESOLVED, Event("cleared")], "cleared", "resolved", False),
        ([RAISED, Event("withdrawn")], "withdrawn", "new", True),
        ([RAISED, Event("withdrawn"), RESOLVED], "withdrawn", "resolved", False),
        ([RAISED, Event("acknowledged"), Event("worsened", "high")], "active", "new", True),
        ([RAISED, Event("escalated"), Event("worsened", "high")], "active", "escalated", True),
        ([RAISED, Event("snoozed"), Event("worsened", "high")], "active", "new", True),
        (
            [RAISED, Event("cleared"), Event("acknowledged"), Event("worsened", "high")],
            "cleared",
            "acknowledged",
            False,
        ),
        ([RAISED, Event("acknowledged"), Event("eased", "low")], "active", "acknowledged", True),
        ([RAISED, Event("cleared"), Event("acknowledged"), Event("returned")], "active", "new", True),
        ([RAISED, RESOLVED, Event("reopened")], "active", "new", True),
    ],
)
def test_standing(events: list[Event], condition: str, handling: str, is_open: bool) -> None:
    """An automatic clear is no acknowledgement; what worsens or returns must be looked at again."""
    standing = lifecycle.derive(events)
    assert (standing.condition, standing.handling, standing.open) == (condition, handling, is_open)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "without events"),
        ([Event("acknowledged")], "never raised"),
        ([RAISED, RAISED], "exists already"),
        ([Event("raised")], "needs a priority"),
        ([RAISED, Event("acknowledged"), Event("acknowledged")], "already acknowledged"),
        ([RAISED, RESOLVED, Event("acknowledged")], "already resolved"),
        ([RAISED, RESOLVED, RESOLVED], "already resolved"),
        ([RAISED, Event("resolved")], "outcome"),
        ([RAISED, Event("resolved", outcome="whatever")], "one of action_taken"),
        ([RAISED, Event("cleared"), Event("cleared")], "condition is cleared"),
        ([RAISED, Event("returned")], "condition is active"),
        ([RAISED, Event("cleared"), Event("snoozed")], "condition is cleared"),
        ([RAISED, Event("reopened")], "nobody"),
    ],
)
def test_refused(events: list[Event], why: str) -> None:
    with pytest.raises(errors.NotAllowed, match=why):
        lifecycle.derive(events)


def test_what_a_person_may_do_now() -> None:
    standing = lifecycle.derive([RAISED])
    assert lifecycle.allowed(standing, "acknowledged")
    assert lifecycle.allowed(standing, "resolved")
    assert not lifecycle.allowed(standing, "reopened")


def test_priority_is_the_last_said() -> None:
    assert lifecycle.derive([RAISED, Event("worsened", "high"), Event("cleared")]).priority == "high"
