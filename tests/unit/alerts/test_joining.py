"""Refractory time, and what clears itself: nobody is called again for the same thing, and nothing is hidden."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import burden, joining, lifecycle
from alerts.episodes import RANK, Episode, Priority
from tests.unit.alerts.test_reconcile import MINUTE, Book, episode

HOUR = 60
RULE = {"rule": {"refractory_hours": 4}}
AUTO = {"rule": {"auto": True}}
BOTH = {"rule": {"auto": True, "refractory_hours": 4}}


def handled(book: Book, kind: lifecycle.Kind = "acknowledged", first: int = 0) -> Episode:
    """One alert, handled while active, then over after 5 minutes."""
    book.follow([episode(first, None, evidence=RULE)], first + 1)
    book.handle(1, kind)
    over = episode(first, first + 5, evidence=RULE)
    book.follow([over], first + 6)
    return over


@pytest.mark.parametrize("kind", ["acknowledged", "resolved"])
def test_within_the_refractory_time_nobody_is_called_again(kind: Literal["acknowledged", "resolved"]) -> None:
    book = Book()
    over = handled(book, kind)
    again = episode(5 + 4 * HOUR, None, evidence=RULE)
    assert book.follow([over, again], 6 + 4 * HOUR) == [(1, ["joined", "resumed"])]
    assert book.standing(1) == lifecycle.Standing("active", kind, "medium")
    assert book.standing(1).open
    ended = episode(5 + 4 * HOUR, 6 + 4 * HOUR, evidence=RULE)
    assert book.follow([over, ended], 7 + 4 * HOUR) == [(1, ["cleared"])]
    assert not book.standing(1).open


def test_one_minute_later_it_is_a_new_alert() -> None:
    book = Book()
    over = handled(book)
    again = episode(6 + 4 * HOUR, None, evidence=RULE)
    assert book.follow([over, again], 7 + 4 * HOUR) == [(2, ["raised"])]


def test_worse_than_before_calls_again() -> None:
    book = Book()
    over = handled(book)
    again = episode(30, None, "high", level="red", evidence=RULE)
    assert book.follow([over, again], 31) == [(1, ["joined", "returned", "worsened"])]
    assert book.standing(1) == lifecycle.Standing("active", "new", "high")


def test_worse_and_over_already_calls_again() -> None:
    """It came late, with its end: it is looked at all the same."""
    book = Book()
    over = handled(book)
    assert book.follow([over, episode(30, 40, "high", evidence=RULE)], 60) == [(1, ["joined", "worsened", "reopened"])]
    assert book.standing(1).open


def test_worsening_within_a_quiet_episode_calls_again() -> None:
    book = Book()
    over = handled(book)
    book.follow([over, episode(30, None, evidence=RULE)], 31)
    assert book.follow([over, episode(30, None, "high", evidence=RULE)], 35) == [(1, ["worsened"])]
    assert book.standing(1).handling == "new"


def test_quiet_and_over_already_stays_closed() -> None:
    book = Book()
    over = handled(book)
    assert book.follow([over, episode(30, 40, evidence=RULE)], 60) == [(1, ["joined"])]
    assert not book.standing(1).open


def test_the_time_counts_from_the_end_of_the_last_episode() -> None:
    book = Book()
    over = handled(book)
    second = episode(200, 210, evidence=RULE)
    book.follow([over, second], 211)
    assert book.follow([over, second, episode(400, None, evidence=RULE)], 401) == [(1, ["joined", "resumed"])]


def test_nobody_is_quiet_about_what_follows_an_artefact() -> None:
    """What a repeat contradicted was nothing; somebody who acknowledged that has not seen the real one."""
    book = Book()
    book.follow([episode(0, None, evidence=RULE)], 3)
    book.handle(1, "acknowledged")
    false = episode(0, 5, ending="withdrawn", evidence=RULE)
    book.follow([false], 6)
    assert book.follow([false, episode(30, None, evidence=RULE)], 31) == [(2, ["raised"])]


def test_an_artefact_between_does_not_end_the_refractory_time() -> None:
    book = Book()
    over = handled(book)
    false = episode(20, 25, ending="withdrawn", evidence=RULE)
    book.follow([over, false], 26)
    assert book.follow([over, false, episode(30, None, evidence=RULE)], 31) == [(1, ["joined", "resumed"])]


def test_a_snooze_is_not_broken_by_the_same_again() -> None:
    book = Book()
    book.follow([episode(0, None, evidence=RULE)], 1)
    book.handle(1, "snoozed")
    over = episode(0, 5, evidence=RULE)
    book.follow([over], 6)
    book.follow([over, episode(30, None, evidence=RULE)], 31)
    assert book.standing(1).handling == "snoozed"


def test_ended_and_begun_again_at_once_calls_again_without_a_refractory_time() -> None:
    """Where readings come in one go, the alert that somebody had acknowledged does not hide the next episode."""
    book = Book()
    book.follow([episode(0, None)], 1)
    book.handle(1, "acknowledged")
    assert book.follow([episode(0, 5), episode(600, None)], 601) == [(1, ["cleared", "joined", "returned"])]
    assert book.standing(1).handling == "new"


def test_a_real_episode_after_a_withdrawn_one_is_seen() -> None:
    book = Book()
    false = episode(0, 5, "high", ending="withdrawn", level="red")
    assert book.follow([false], 6) == [(1, ["raised", "withdrawn", "auto_handled"])]
    assert book.follow([false, episode(30, 40)], 60) == [(2, ["raised", "cleared"])]
    assert book.standing(2) == lifecycle.Standing("cleared", "new", "medium")


def test_what_a_repeat_contradicted_and_then_confirmed_is_seen() -> None:
    """Late data: there was more than the repeat said."""
    book = Book()
    book.follow([episode(0, 5, "high", ending="withdrawn", level="red")], 6)
    assert book.follow([episode(0, 8, "high", level="red")], 60) == [(1, ["returned", "cleared"])]
    assert book.standing(1).open


# Left to the service ------------------------------------------------------------------------------


def test_what_clears_itself_is_handled_automatically() -> None:
    book = Book()
    assert book.follow([episode(0, None, evidence=AUTO)], 1) == [(1, ["raised"])]
    assert book.standing(1).open
    assert book.follow([episode(0, 5, evidence=AUTO)], 6) == [(1, ["cleared", "auto_handled"])]
    assert book.standing(1) == lifecycle.Standing("cleared", "automatic", "medium")
    assert not book.standing(1).open
    assert lifecycle.allowed(book.standing(1), "resolved")
    assert not lifecycle.allowed(book.standing(1), "acknowledged")


def test_what_somebody_has_handled_stays_theirs() -> None:
    book = Book()
    book.follow([episode(0, None, evidence=AUTO)], 1)
    book.handle(1, "acknowledged")
    assert book.follow([episode(0, 5, evidence=AUTO)], 6) == [(1, ["cleared"])]
    assert book.standing(1).handling == "acknowledged"


@pytest.mark.parametrize(
    "more",
    [{"level": "red", "priority": "medium"}, {"level": "red", "priority": "high"}, {"priority": "high"}],
)
def test_red_is_never_left_to_the_service(more: dict[str, Any]) -> None:
    book = Book()
    assert book.follow([episode(0, 5, evidence=AUTO, **more)], 6) == [(1, ["raised", "cleared"])]
    assert book.standing(1).open


@pytest.mark.parametrize("ending", ["paused", "discharged", "rule_removed"])
def test_what_did_not_clear_itself_needs_somebody(ending: str) -> None:
    book = Book()
    book.follow([episode(0, 5, ending=ending, evidence=AUTO)], 6)
    assert book.standing(1).handling == "new"


def test_handled_automatically_is_shown_again_when_it_returns() -> None:
    book = Book()
    over = episode(0, 5, evidence=BOTH)
    book.follow([over], 6)
    assert book.follow([over, episode(30, None, evidence=BOTH)], 31) == [(1, ["joined", "resumed"])]
    assert book.standing(1).handling == "new"
    assert book.follow([over, episode(30, 40, evidence=BOTH)], 41) == [(1, ["cleared", "auto_handled"])]


def test_red_after_all() -> None:
    """Late data turns what the service had handled red: somebody looks at it."""
    book = Book()
    book.follow([episode(0, 5, evidence=AUTO)], 6)
    assert book.follow([episode(0, 5, "medium", level="red", evidence=AUTO)], 60) == [(1, ["reopened"])]
    assert book.standing(1).open


# Whatever comes -----------------------------------------------------------------------------------

RULES: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, RULE, AUTO, BOTH, {"rule": {"refractory_hours": 1}}])


@st.composite
def histories(draw: st.DrawFn, rules: st.SearchStrategy[dict[str, Any]] = RULES) -> list[Episode]:
    """Disjoint episodes within a day, only the last perhaps going on."""
    bounds = sorted(draw(st.lists(st.integers(0, 24 * 12), max_size=8, unique=True)))
    found = []
    for start, end in zip(bounds[::2], bounds[1::2], strict=False):
        priority: Priority = draw(st.sampled_from(["high", "medium", "low"]))
        level = draw(st.sampled_from(["amber", "amber", "red"]))
        ending = draw(st.sampled_from(["cleared", "cleared", "withdrawn"]))
        evidence = draw(rules)
        found.append(episode(5 * start, 5 * end, priority, ending=ending, level=level, evidence=evidence))
    if len(bounds) % 2:
        found.append(episode(5 * bounds[-1], None, draw(st.sampled_from(["high", "medium"])), evidence=draw(rules)))
    return found


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(histories(), st.sampled_from(["", "acknowledged", "resolved", "snoozed"])), max_size=6))
def test_any_refolds_and_handling(steps: list[tuple[list[Episode], str]]) -> None:
    """Whatever refolds say and people do: legal events only, one open alert, every episode linked, and what needs a
    human is never left to the service.
    """
    book = Book()
    for number, (folded, handling) in enumerate(steps):
        book.follow(folded, 2000 + number)
        assert sorted(e.started_at for e in book.episodes.values()) == [e.started_at for e in folded]
        assert book.follow(folded, 2000 + number) == []
        active = {a for a in book.events if book.standing(a).condition == "active"}
        assert active == {book.alert_of[n] for n, e in book.episodes.items() if e.ended_at is None}
        open_ones = [a for a in book.events if book.standing(a).open]
        for alert_id in book.events:
            if book.standing(alert_id).handling == "automatic" and not open_ones:
                mine = [book.episodes[n] for n, a in book.alert_of.items() if a == alert_id]
                assert all(joining.needs_nobody(e) for e in mine)
        for alert_id in list(book.events):
            if handling and lifecycle.allowed(book.standing(alert_id), handling):  # type: ignore[arg-type]  # one of them
                book.handle(alert_id, handling)  # type: ignore[arg-type]  # one of them


def lived(episodes: list[Episode], wait: int) -> Book:
    """The service as time goes by, where somebody acknowledges what has been shown as new for so many minutes."""
    book = Book()
    moments = [(e.started_at // MINUTE, 2) for e in episodes]
    moments += [(e.ended_at // MINUTE, 0) for e in episodes if e.ended_at is not None]
    due: dict[int, int] = {}
    while moments:
        moments.sort()
        now, what = moments.pop(0)
        if what != 1:
            known = [
                e
                if e.ended_at is not None and (e.ended_at, 0) <= (now * MINUTE, what)
                else episode(e.started_at // MINUTE, None, e.priority, level=e.level, evidence=e.evidence)
                for e in episodes
                if (e.started_at, 2) <= (now * MINUTE, what)
            ]
            book.follow(known, now)
        for alert_id in book.events:
            fresh = book.standing(alert_id).handling == "new"
            if fresh and due.setdefault(alert_id, now + wait) == now and what == 1:
                book.handle(alert_id, "acknowledged")
                fresh = False
            if not fresh:
                due.pop(alert_id, None)
            elif (due[alert_id], 1) not in moments:
                moments.append((due[alert_id], 1))
    return book


@settings(max_examples=300, deadline=None, derandomize=True)
@given(histories(), st.sampled_from([5, 30, 600]))
def test_counted_as_lived(episodes: list[Episode], wait: int) -> None:
    """The count for backtests is what the service would have shown, where people handle things after a fixed time."""
    book = lived(episodes, wait)
    seen = burden.alerts(reversed(episodes), handled_after_us=wait * MINUTE)
    grouped: dict[int, list[int]] = {}
    for number, found in sorted(book.episodes.items(), key=lambda item: item[1].started_at):
        grouped.setdefault(book.alert_of[number], []).append(found.started_at)
    assert [[e.started_at for e in one.episodes] for one in seen] == sorted(grouped.values())
    for one, alert_id in zip(seen, sorted(grouped, key=lambda a: grouped[a]), strict=True):
        kinds = [event.kind for event in book.events[alert_id]]
        assert one.automatic == ("acknowledged" not in kinds)
        assert one.priority == max((e.priority for e in one.episodes), key=RANK.__getitem__)
        assert one.calls >= max(1, kinds.count("acknowledged"))


def test_what_may_wait_calls_nobody_before_its_time() -> None:
    waits = {"rule": {"auto": True, "calls_after_hours": 24}}
    soon, late = episode(0, 20 * HOUR, evidence=waits), episode(0, 25 * HOUR, evidence=waits)
    assert [one.automatic for one in burden.alerts([soon])] == [True]
    assert [one.automatic for one in burden.alerts([late])] == [False]
    assert [one.automatic for one in burden.alerts([episode(0, 20 * HOUR, "high", evidence=waits)])] == [False]
