"""Alerts follow the episodes: raised, joined, cleared, returned, withdrawn, re-linked; at most one is open."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import lifecycle, reconcile
from alerts.episodes import Episode, Priority
from alerts.reconcile import Alert, Stored

MINUTE = 60_000_000
EVER = -(2**62)


def episode(start: int, end: int | None, priority: Priority = "medium", **more: Any) -> Episode:
    ending = more.pop("ending", None if end is None else "cleared")
    values: dict[str, Any] = {
        "provisional": False,
        "level": "amber",
        "reason": f"since {start}",
        "evidence": {},
        **more,
    }
    return Episode(
        7,
        "threshold/spo2/low",
        start * MINUTE,
        None if end is None else end * MINUTE,
        ending,
        start * MINUTE,
        90.0,
        priority,
        values["level"],
        values["provisional"],
        values["reason"],
        values["evidence"],
    )


class Book:
    """What the service would have stored: plans applied as the evaluator does."""

    def __init__(self) -> None:
        self.episodes: dict[int, Episode] = {}
        self.alert_of: dict[int, int] = {}
        self.events: dict[int, list[lifecycle.Event]] = {}
        self.raised_at: dict[int, int] = {}
        self.last: reconcile.Plan = reconcile.Plan()

    def standing(self, alert_id: int) -> lifecycle.Standing:
        return lifecycle.derive(self.events[alert_id])

    def follow(self, folded: list[Episode], now: int, since: int = EVER) -> list[tuple[int, list[str]]]:
        """Applies a fold's episodes; (alert, its new events)."""
        alerts = [Alert(i, self.standing(i), self.raised_at[i]) for i in self.events]
        stored = [Stored(i, self.alert_of[i], e) for i, e in self.episodes.items()]
        self.last = plan = reconcile.plan(alerts, stored, folded, since, now * MINUTE)
        for gone in plan.remove:
            del self.episodes[gone], self.alert_of[gone]
        for number, changed in plan.update:
            self.episodes[number] = changed
        for new in plan.insert:
            self.episodes[max(self.episodes, default=0) + 1] = new
        by_start = {e.started_at: number for number, e in self.episodes.items()}
        told: list[tuple[int, list[str]]] = []
        for change in plan.changes:
            number = change.alert_id or len(self.events) + 1
            self.raised_at.setdefault(number, now * MINUTE)
            self.events.setdefault(number, []).extend(event for event, _ in change.events)
            assert self.standing(number) == change.standing
            for start in change.link:
                self.alert_of[by_start[start]] = number
            told.append((number, [event.kind for event, _ in change.events]))
        assert sum(self.standing(number).open for number in self.events) <= 1
        assert set(self.alert_of) == set(self.episodes)
        return told

    def handle(self, alert_id: int, kind: lifecycle.Kind) -> None:
        self.events[alert_id].append(lifecycle.Event(kind, outcome="action_taken"))
        self.standing(alert_id)


def test_raise_clear_join_return() -> None:
    """One alert through an episode, its end, and a second episode before anybody looked."""
    book = Book()
    assert book.follow([episode(0, None)], 1) == [(1, ["raised"])]
    assert book.follow([episode(0, None)], 2) == []
    assert book.follow([episode(0, 5)], 6) == [(1, ["cleared"])]
    assert book.follow([episode(0, 5), episode(8, None)], 9) == [(1, ["joined", "returned"])]
    assert book.standing(1).condition == "active"


def test_after_acknowledgement_and_clear_a_new_alert() -> None:
    book = Book()
    book.follow([episode(0, None)], 1)
    book.handle(1, "acknowledged")
    book.follow([episode(0, 5)], 6)
    assert book.follow([episode(0, 5), episode(8, None)], 9) == [(2, ["raised"])]


def test_worsening_breaks_an_acknowledgement() -> None:
    book = Book()
    book.follow([episode(0, None)], 1)
    book.handle(1, "acknowledged")
    assert book.follow([episode(0, None, "high")], 3) == [(1, ["worsened"])]
    assert book.standing(1) == lifecycle.Standing("active", "new", "high")
    assert book.follow([episode(0, None, "medium")], 4) == [(1, ["eased"])]


def test_found_worse_after_it_was_closed() -> None:
    """Late data turns a closed amber red: it is opened again, so that somebody sees it."""
    book = Book()
    book.follow([episode(0, 5)], 6)
    book.handle(1, "acknowledged")
    assert book.follow([episode(0, 5, "high")], 60) == [(1, ["worsened", "reopened"])]
    assert book.standing(1).open


def test_withdrawn_when_nothing_is_left_or_a_repeat_contradicts() -> None:
    book = Book()
    book.follow([episode(0, None, provisional=True)], 1)
    assert book.last.changes[0].provisional
    assert book.follow([episode(0, 3, provisional=True, ending="withdrawn")], 4) == [(1, ["withdrawn", "auto_handled"])]
    assert book.follow([], 5) == [(1, [])]
    assert book.standing(1).condition == "withdrawn"
    other = Book()
    other.follow([episode(0, None)], 1)
    assert other.follow([], 2) == [(1, ["withdrawn"])]
    assert other.last.changes[0].reason is None


def test_moved_start_keeps_the_alert() -> None:
    """Late data moves the onset: the alert stays, nothing new is announced."""
    book = Book()
    book.follow([episode(10, None)], 11)
    assert book.follow([episode(4, None)], 12) == [(1, [])]
    assert book.last.changes[0].onset_at == 4 * MINUTE


def test_split_and_merge() -> None:
    book = Book()
    book.follow([episode(0, 20)], 30)
    assert book.follow([episode(0, 5), episode(12, 20)], 31) == [(1, [])]
    assert book.alert_of == {1: 1, 2: 1}
    assert book.follow([episode(0, 20)], 32) == [(1, [])]


def test_merging_two_alerts_leaves_the_open_one() -> None:
    """Two alerts whose episodes turn out to be one: the handled one has nothing left and is withdrawn."""
    book = Book()
    book.follow([episode(0, 5)], 6)
    book.handle(1, "acknowledged")
    book.follow([episode(0, 5), episode(8, None)], 9)
    assert book.follow([episode(0, None)], 10) == [(1, ["withdrawn"]), (2, [])]
    assert book.alert_of == {1: 2}


def test_untouched_before_the_checkpoint() -> None:
    """A fold from a checkpoint says nothing of what ended before it."""
    book = Book()
    book.follow([episode(0, 5)], 6)
    assert book.follow([], 100, since=50 * MINUTE) == []
    assert len(book.episodes) == 1


def test_late() -> None:
    """Learnt more than 15 minutes after the onset."""
    book = Book()
    book.follow([episode(0, None)], 15)
    assert book.last.changes[0].late is False
    other = Book()
    other.follow([episode(0, 2)], 16)
    assert other.last.changes[0].late is True
    assert [event.kind for event, _ in other.last.changes[0].events] == ["raised", "cleared"]


@st.composite
def histories(draw: st.DrawFn) -> list[Episode]:
    """Disjoint episodes, only the last perhaps going on."""
    bounds = sorted(draw(st.lists(st.integers(0, 60), max_size=8, unique=True)))
    found = []
    for start, end in zip(bounds[::2], bounds[1::2], strict=False):
        priority: Priority = draw(st.sampled_from(["high", "medium"]))
        found.append(episode(start, end, priority, ending=draw(st.sampled_from(["cleared", "withdrawn"]))))
    if len(bounds) % 2:
        found.append(episode(bounds[-1], None, draw(st.sampled_from(["high", "medium"]))))
    return found


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(histories(), st.sampled_from(["", "acknowledged", "resolved"])), max_size=6))
def test_any_refolds_and_handling(steps: list[tuple[list[Episode], str]]) -> None:
    """Whatever refolds say and people do: legal events only, one open alert, every episode linked, nothing lost."""
    book = Book()
    for number, (folded, handling) in enumerate(steps):
        book.follow(folded, 100 + number)
        assert sorted(e.started_at for e in book.episodes.values()) == [e.started_at for e in folded]
        assert book.follow(folded, 100 + number) == []
        active = {a for a in book.events if book.standing(a).condition == "active"}
        assert active == {book.alert_of[n] for n, e in book.episodes.items() if e.ended_at is None}
        for alert_id in list(book.events):
            if handling and lifecycle.allowed(book.standing(alert_id), handling):  # type: ignore[arg-type]  # one of two
                book.handle(alert_id, handling)  # type: ignore[arg-type]  # one of two
