"""Every step of a visit from every place that somebody can be in, against tables that say what comes of it.

The tables are the rules, written down a second time and without the code: whoever changes a rule changes both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from telehealth.model import visits
from telehealth.model.visits import Person, Visit

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KINDS: tuple[visits.Kind, ...] = ("one_to_one", "carer", "group", "ward_round", "case_conference")
#: Kinds in which the people of one resident are in at a time.
APART: tuple[visits.Kind, ...] = ("one_to_one", "carer", "ward_round", "case_conference")
SEVERAL: tuple[visits.Kind, ...] = ("group", "ward_round", "case_conference")
PLACES: tuple[visits.Presence, ...] = ("checking", "waiting", "admitted", "joined", "left", "removed")
ROLES: tuple[visits.Role, ...] = ("resident", "carer", "interpreter", "captioner", "guest_clinician")
STAFF_PLACES: tuple[visits.Presence, ...] = ("waiting", "joined", "left")
ANNA, BERT = 101, 102

Step = Callable[[Visit, int], Visit]

STEPS: dict[str, Step] = {
    "arrive": visits.arrive,
    "admit": visits.admit,
    "join": visits.join,
    "leave": visits.leave,
    "gone": lambda visit, who: visits.leave(visit, who, gone=True),
    "back": visits.back_to_waiting,
    "remove": visits.remove,
}
NO = "refused"
#: Of a guest, where nothing else is in the way: in the order of PLACES.
GUEST = {
    "arrive": ("waiting", "waiting", "admitted", "joined", "waiting", NO),
    "admit": (NO, "admitted", "admitted", "joined", NO, NO),
    "join": (NO, NO, "joined", "joined", NO, NO),
    "leave": ("left", "left", "left", "left", "left", "removed"),
    "gone": ("checking", "waiting", "admitted", "admitted", "left", "removed"),
    "back": (NO, "waiting", "waiting", "waiting", "waiting", "waiting"),
    "remove": ("removed",) * 6,
}
#: Of staff, in the order of STAFF_PLACES.
STAFF = {
    "join": ("joined", "joined", "joined"),
    "leave": ("left", "left", "left"),
    "gone": ("left", "left", "left"),
    "back": (NO, NO, NO),
    "remove": ("left", "left", "left"),
}


def visit(kind: visits.Kind, *people: Person, subject: int = ANNA, locked: bool = False) -> Visit:
    subjects = (ANNA, BERT) if kind in SEVERAL else (subject,)
    made = Visit(kind, "scheduled", subjects, subject, people, locked)
    return replace(made, state=visits.standing(made))


def crowd(number: int) -> tuple[Person, ...]:
    return tuple(Person(100 + one, "family", "joined", "link_only", ANNA, True) for one in range(number))


def after(step: Step, found: Visit, who: int) -> str:
    try:
        done = step(found, who)
    except visits.NotPossible:
        return NO
    assert [p for p in done.people if p.id != who] == [p for p in found.people if p.id != who], "nobody else moves"
    assert done.subject == found.subject
    return done.person(who).presence


def guests() -> Iterator[tuple[visits.Kind, visits.Role, visits.Presence, bool, int, bool, int]]:
    return itertools.product(KINDS, ROLES, PLACES, (False, True), (ANNA, BERT), (False, True), (0, 8, 9, 10))


@pytest.mark.parametrize("name", GUEST)
def test_of_guests(name: str) -> None:
    """Locked, full, and the turn of another are in the way of coming in, and of nothing else."""
    for kind, role, place, was_inside, comes_with, locked, others in guests():
        person = Person(1, role, place, "link_only", comes_with, was_inside)
        found = visit(kind, person, *crowd(others), locked=locked)
        expected = GUEST[name][PLACES.index(place)]
        other_turn = kind in APART and comes_with != ANNA
        if (name, place) == ("admit", "waiting") and (locked or others >= 10 or other_turn):
            expected = NO
        if (name, place) == ("join", "admitted") and other_turn:
            expected = NO
        assert after(STEPS[name], found, 1) == expected, (kind, role, place, was_inside, comes_with, locked, others)


@pytest.mark.parametrize("name", STAFF)
def test_of_staff(name: str) -> None:
    for kind, place, was_inside, locked, others in itertools.product(
        KINDS, STAFF_PLACES, (False, True), (False, True), (0, 9, 10)
    ):
        found = visit(kind, Person(1, "staff", place, "signed_in", None, was_inside), *crowd(others), locked=locked)
        expected = STAFF[name][STAFF_PLACES.index(place)]
        comes_in = name == "join" and place != "joined"
        if comes_in and (others >= 10 or (locked and not was_inside)):
            expected = NO
        assert after(STEPS[name], found, 1) == expected, (kind, place, was_inside, locked, others)


def test_who_has_joined_was_inside() -> None:
    for person in (Person(1, "staff", "waiting", "signed_in"), Person(1, "resident", "admitted", "link_only", ANNA)):
        assert visits.join(visit("one_to_one", person), 1).person(1).was_inside


@pytest.mark.parametrize("state", ["ended", "did_not_attend", "cancelled"])
def test_nothing_happens_to_what_is_over(state: visits.State) -> None:
    for kind, person in itertools.product(KINDS, each_alone()):
        found = replace(visit(kind, person), state=state)
        for name, step in STEPS.items():
            if name in ("leave", "gone"):
                assert step(found, 1) == found
                continue
            with pytest.raises(visits.NotPossible, match="over"):
                step(found, 1)
        for all_of in (
            lambda v: visits.switch(v, BERT),
            lambda v: visits.lock(v, True),
            visits.end,
            visits.cancel,
            visits.postpone,
            lambda v: visits.did_not_attend(v, planned_end=NOW, now=NOW),
        ):
            with pytest.raises(visits.NotPossible, match="over"):
                all_of(found)


def test_a_switch() -> None:
    """Whoever came with another resident is out where people are apart, in any role; who waits goes on waiting."""
    for kind, role, place, comes_with in itertools.product(SEVERAL, ROLES, PLACES, (ANNA, BERT)):
        nurse = Person(2, "staff", "joined", "signed_in")
        guest = Person(1, role, place, "link_only", comes_with, place == "joined")
        done = visits.switch(visit(kind, guest, nurse), BERT)
        out = kind in APART and comes_with == ANNA and place in ("admitted", "joined")
        assert done.person(1).presence == ("left" if out else place), (kind, role, place, comes_with)
        assert (done.subject, done.person(2).presence) == (BERT, "joined")
    for kind in KINDS:
        same = visit(kind, Person(1, "resident", "joined", "birth_date", ANNA))
        assert visits.switch(same, ANNA) == same
        with pytest.raises(visits.NotPossible, match="not about"):
            visits.switch(same, 999)
    for kind in visits.SINGLE:
        two = replace(visit(kind), subjects=(ANNA, BERT))
        with pytest.raises(visits.NotPossible, match="about one resident"):
            visits.switch(two, BERT)


def test_who_makes_it_what_it_is() -> None:
    """The state, from who is where and whether it was live before."""
    places = itertools.product(PLACES, STAFF_PLACES, STAFF_PLACES)
    states: tuple[visits.State, ...] = ("scheduled", "waiting", "admitted", "live", "interrupted")
    for kind, before, (guest, first, second) in itertools.product(KINDS, states, places):
        people = (
            Person(1, "resident", guest, "birth_date", ANNA),
            Person(2, "staff", first, "signed_in"),
            Person(3, "staff", second, "signed_in"),
        )
        staff_in, guest_in = (first, second).count("joined"), guest == "joined"
        if (staff_in and guest_in) or (kind == "case_conference" and staff_in == 2):
            expected = "live"
        elif before in ("live", "interrupted"):
            expected = "interrupted"
        elif guest in ("admitted", "joined"):
            expected = "admitted"
        else:
            expected = "waiting" if guest == "waiting" else "scheduled"
        assert visits.standing(replace(visit(kind, *people), state=before)) == expected, (kind, before, people)


def each_alone() -> Iterator[Person]:
    roles: tuple[visits.Role, ...] = ("staff", "resident", "carer")
    for role, place, was_inside in itertools.product(roles, PLACES, (False, True)):
        yield Person(1, role, place, "link_only", None if role == "staff" else ANNA, was_inside or place == "joined")


def test_the_end_and_what_is_none() -> None:
    """Ending is always possible; the rest only where nobody came, or nobody is left out who did."""
    for kind, person in itertools.product(KINDS, each_alone()):
        found = visit(kind, person)
        inside, guest = person.presence == "joined", person.role != "staff"
        stays = "removed" if person.presence == "removed" else "left"
        ended = visits.end(found)
        assert (ended.state, ended.person(1).presence) == ("ended", stays)

        begun = inside or (guest and person.was_inside)
        _possible(visits.cancel, found, not begun, "cancelled")
        moved = _possible(visits.postpone, found, not begun, "scheduled")
        if moved is not None:
            waited = guest and person.presence in ("waiting", "admitted")
            assert moved.person(1).presence == ("checking" if waited else person.presence)

        there = guest and person.presence in ("waiting", "admitted", "joined")
        came = person.role == "resident" and person.was_inside
        _possible(_missed(NOW), found, not there and not came, "did_not_attend")
        _possible(_missed(NOW - timedelta(seconds=1)), found, False, "did_not_attend")
    states: tuple[visits.State, ...] = ("live", "interrupted")
    for state in states:
        for called_off in (visits.cancel, visits.postpone):
            with pytest.raises(visits.NotPossible, match="begun"):
                called_off(replace(visit("one_to_one"), state=state))


def _missed(now: datetime) -> Callable[[Visit], Visit]:
    return lambda found: visits.did_not_attend(found, planned_end=NOW, now=now)


def _possible(step: Callable[[Visit], Visit], found: Visit, expected: bool, state: visits.State) -> Visit | None:
    try:
        done = step(found)
    except visits.NotPossible:
        assert not expected
        return None
    assert expected
    assert done.state == state
    return done


def test_when_the_waiting_area_opens() -> None:
    for role in ROLES:
        minutes = 30 if role == "resident" else 120
        opens = NOW - timedelta(minutes=minutes)
        assert not visits.too_early(role, NOW, opens)
        assert visits.too_early(role, NOW, opens - timedelta(seconds=1))
        assert not visits.too_early(role, None, NOW)
