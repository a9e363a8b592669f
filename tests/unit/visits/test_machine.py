"""Whatever people do in whatever order, a visit keeps its promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telehealth.model import visits
from telehealth.model.visits import Person, Visit

END = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SUBJECTS = (101, 102, 103)
STAFF, ANNA, DAUGHTER, BERT = 1, 2, 3, 4


def visit(kind: visits.Kind = "one_to_one", subjects: tuple[int, ...] = (101,), *people: Person) -> Visit:
    return Visit(kind=kind, state="scheduled", subjects=subjects, subject=subjects[0], people=people)


def staff(number: int = STAFF, presence: visits.Presence = "waiting") -> Person:
    return Person(number, "staff", presence, "signed_in")


def resident(number: int = ANNA, of: int = 101, presence: visits.Presence = "checking") -> Person:
    return Person(number, "resident", presence, "birth_date", of)


class AnyOrder(RuleBasedStateMachine):
    """Everybody does anything at any time."""

    @initialize(kind=st.sampled_from(visits.KINDS), guests=st.integers(1, 14), nurses=st.integers(1, 3))
    def begin(self, kind: visits.Kind, guests: int, nurses: int) -> None:
        subjects = SUBJECTS[:1] if kind in visits.SINGLE else SUBJECTS
        people = [staff(number) for number in range(nurses)]
        roles: tuple[visits.Role, ...] = ("resident", "carer", "interpreter", "guest_clinician", "family")
        for number in range(guests):
            of = subjects[number % len(subjects)]
            people.append(Person(100 + number, roles[number % 5], "checking", "link_only", of))
        self.visit = visit(kind, subjects, *people)
        self.let_in: set[int] = set()

    def _try(self, step: Callable[[], Visit]) -> bool:
        before = self.visit
        try:
            after = step()
        except visits.NotPossible as refusal:
            if not refusal.why.endswith("."):
                raise
            return False
        if before.state in visits.OVER:
            assert after == before, "nothing happens to what is over"
        self.visit = after
        return True

    def _somebody(self, data: st.DataObject) -> Person:
        return data.draw(st.sampled_from(self.visit.people))

    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        person = self._somebody(data)
        self._try(lambda: visits.arrive(self.visit, person.id))

    @rule(data=st.data())
    def admit(self, data: st.DataObject) -> None:
        person = self._somebody(data)
        locked = self.visit.locked
        was = person.presence
        if self._try(lambda: visits.admit(self.visit, person.id)):
            assert not locked or was in ("admitted", "joined"), "nobody new is let in while it is locked"
            self.let_in.add(person.id)

    @rule(data=st.data())
    def join(self, data: st.DataObject) -> None:
        person = self._somebody(data)
        self._try(lambda: visits.join(self.visit, person.id))

    @rule(data=st.data(), gone=st.booleans())
    def leave(self, data: st.DataObject, gone: bool) -> None:
        person = self._somebody(data)
        self._try(lambda: visits.leave(self.visit, person.id, gone=gone))

    @rule(data=st.data())
    def back_to_waiting(self, data: st.DataObject) -> None:
        person = self._somebody(data)
        if self._try(lambda: visits.back_to_waiting(self.visit, person.id)):
            self.let_in.discard(person.id)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        person = self._somebody(data)
        if self._try(lambda: visits.remove(self.visit, person.id)):
            self.let_in.discard(person.id)

    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        resident_id = data.draw(st.sampled_from(self.visit.subjects))
        self._try(lambda: visits.switch(self.visit, resident_id))

    @rule(locked=st.booleans())
    def lock(self, locked: bool) -> None:
        self._try(lambda: visits.lock(self.visit, locked))

    @rule(chance=st.integers(0, 9))
    def end(self, chance: int) -> None:
        if chance == 0:
            self._try(lambda: visits.end(self.visit))

    @rule(minutes=st.integers(-5, 1))
    def did_not_attend(self, minutes: int) -> None:
        came = any(p.role == "resident" and p.was_inside for p in self.visit.people)
        now = END + timedelta(minutes=minutes)
        if self._try(lambda: visits.did_not_attend(self.visit, planned_end=END, now=now)):
            assert not came
            assert minutes >= 0

    @rule(chance=st.integers(0, 9))
    def cancel(self, chance: int) -> None:
        begun = any(p.presence == "joined" or (p.was_inside and not p.staff) for p in self.visit.people)
        if chance == 0 and self._try(lambda: visits.cancel(self.visit)):
            assert not begun

    @invariant()
    def nobody_is_inside_who_was_not_let_in(self) -> None:
        for person in self.visit.people:
            if not person.staff and person.presence in ("admitted", "joined"):
                assert person.id in self.let_in

    @invariant()
    def never_two_residents_people(self) -> None:
        if self.visit.kind in visits.ONE_AT_A_TIME:
            with_whom = {
                p.with_resident for p in self.visit.people if not p.staff and p.presence in ("admitted", "joined")
            }
            assert with_whom <= {self.visit.subject}

    @invariant()
    def not_too_many(self) -> None:
        assert sum(p.presence in ("admitted", "joined") for p in self.visit.people) <= visits.MOST_PEOPLE

    @invariant()
    def the_state_agrees(self) -> None:
        assert self.visit.state == visits.standing(self.visit)
        if self.visit.state in visits.OVER:
            assert all(p.presence in ("left", "removed") for p in self.visit.people)
        if self.visit.state == "live" and self.visit.kind != "case_conference":
            inside = self.visit.inside()
            assert any(p.staff for p in inside)
            assert any(not p.staff for p in inside)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)


def test_live_interrupted_live() -> None:
    """A resident whose connection goes comes back without being let in anew; one who left waits again."""
    now = visits.arrive(visit("one_to_one", (101,), staff(), resident()), ANNA)
    assert now.state == "waiting"
    now = visits.admit(visits.join(now, STAFF), ANNA)
    assert now.state == "admitted"
    now = visits.join(now, ANNA)
    assert now.state == "live"
    gone = visits.leave(now, ANNA, gone=True)
    assert (gone.state, gone.person(ANNA).presence) == ("interrupted", "admitted")
    assert visits.join(gone, ANNA).state == "live"
    left = visits.leave(now, ANNA)
    with pytest.raises(visits.NotPossible):
        visits.join(left, ANNA)
    assert visits.arrive(left, ANNA).person(ANNA).presence == "waiting"


def test_a_locked_visit_lets_back_in_who_was_inside() -> None:
    now = visit("one_to_one", (101,), staff(), staff(9), resident(presence="admitted"))
    now = visits.lock(visits.join(visits.join(now, STAFF), ANNA), True)
    now = visits.leave(visits.leave(now, STAFF), ANNA, gone=True)
    assert visits.join(visits.join(now, STAFF), ANNA).state == "live"
    with pytest.raises(visits.NotPossible, match="locked"):
        visits.join(now, 9)


def test_a_group_stays_together() -> None:
    """There a switch changes to whom the notes belong, and nobody leaves."""
    people = (staff(presence="joined"), resident(presence="joined"), resident(BERT, 102, "joined"))
    now = visits.switch(visit("group", (101, 102), *people), 102)
    assert now.subject == 102
    assert {p.presence for p in now.people} == {"joined"}


def test_a_round_does_not() -> None:
    daughter = Person(DAUGHTER, "family", "admitted", "link_only", 101)
    people = (staff(presence="joined"), resident(presence="joined"), daughter, resident(BERT, 102, "waiting"))
    now = visits.switch(visit("ward_round", (101, 102), *people), 102)
    assert [p.presence for p in now.people] == ["joined", "left", "left", "waiting"]
    assert visits.admit(now, BERT).person(BERT).presence == "admitted"
    with pytest.raises(visits.NotPossible, match="another resident"):
        visits.admit(visits.arrive(now, DAUGHTER), DAUGHTER)


def test_whoever_waits_has_attended() -> None:
    """It was the ward that did not come."""
    now = visits.arrive(visit("one_to_one", (101,), resident()), ANNA)
    with pytest.raises(visits.NotPossible, match="waiting"):
        visits.did_not_attend(now, planned_end=END, now=END)
    nobody = dataclasses.replace(now, people=())
    assert visits.did_not_attend(nobody, planned_end=END, now=END).state == "did_not_attend"
    with pytest.raises(visits.NotPossible, match="not over yet"):
        visits.did_not_attend(nobody, planned_end=END, now=END - timedelta(seconds=1))


def test_who_was_taken_out_stays_out() -> None:
    now = visits.remove(visit("one_to_one", (101,), staff(), resident(presence="admitted")), ANNA)
    for step in (visits.arrive, visits.join, visits.admit):
        with pytest.raises(visits.NotPossible):
            step(now, ANNA)
    assert visits.admit(visits.back_to_waiting(now, ANNA), ANNA).person(ANNA).presence == "admitted"


def test_a_colleague_who_was_put_out_may_return() -> None:
    now = visits.remove(visit("one_to_one", (101,), staff(presence="joined"), staff(9, "joined")), 9)
    assert now.person(9).presence == "left"
    assert visits.join(now, 9).person(9).presence == "joined"


def test_a_conference_of_staff_is_live() -> None:
    """Staff among themselves are at work in it; in other visits they wait for the resident."""
    people = (staff(presence="joined"), staff(9))
    assert visits.join(visit("case_conference", (101,), *people), 9).state == "live"
    assert visits.join(visit("one_to_one", (101,), *people), 9).state == "scheduled"
