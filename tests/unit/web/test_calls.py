"""What each person in a visit is shown, how good a call was, and how fast a browser may talk: pure."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.model import visits
from telehealth.store.visit_view import Consultation, Loaded, Message, Participant, SubjectShown, VisitReading
from telehealth.web import call_line, call_messages, call_quality, call_state, throttle
from telehealth.web.call_line import Line
from telehealth.web.call_messages import Bye, Pong, State

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RESIDENTS = (101, 102, 103)
PRESENCES: tuple[visits.Presence, ...] = ("checking", "waiting", "admitted", "joined", "left", "removed")
KINDS: tuple[visits.Kind, ...] = ("one_to_one", "carer", "group", "ward_round", "case_conference")
GUESTS: tuple[visits.Role, ...] = ("resident", "carer", "family", "interpreter", "captioner", "guest_clinician")


def participant(
    number: int, role: visits.Role, presence: visits.Presence, resident: int | None, **more: Any
) -> Participant:
    known: dict[str, Any] = {
        "staff_id": number if role == "staff" else None,
        "link_id": None if role == "staff" else number,
        "name": f"name-of-{number}",
        "identity": "signed_in" if role == "staff" else "link_only",
        "waiting_since": T0,
        "reason": f"reason-of-{number}",
        "admitted_by": None,
        "let_in_at": None,
        "joined_at": T0 if presence == "joined" else None,
        "left_at": None,
        "audio": True,
        "video": True,
        "screen": False,
        "muted_by_host": False,
        "hand_at": None,
        "pinned": False,
        "consent_at": None,
        "ready": {"camera": f"ready-of-{number}"},
        "quality": None,
        "wrong_births": 0,
        "refused_browsers": 0,
        "allow_another": False,
    }
    wanted = set(Participant.__dataclass_fields__)
    fields = {**known, "id": number, "role": role, "state": presence, "resident_id": resident}
    return Participant(**{name: value for name, value in fields.items() if name in wanted})


def subject(number: int) -> SubjectShown:
    known: dict[str, Any] = dict.fromkeys(SubjectShown.__dataclass_fields__)
    known |= {"id": number, "name": f"subject-{number}", "born": date(1950, 1, 2), "nhs_number": f"nhs-{number}"}
    return SubjectShown(**known)


def visit_of(kind: visits.Kind, current: int, people: list[Participant], messages: list[Message]) -> Loaded:
    fields: dict[str, Any] = dict.fromkeys(Consultation.__dataclass_fields__)
    fields |= {
        "id": 7,
        "kind": kind,
        "state": "live",
        "locked": False,
        "subject_id": current,
        "seq": 3,
        "ward": "North",
    }
    row = Consultation(**fields)
    persons = tuple(
        visits.Person(p.id, p.role, p.state, p.identity, p.resident_id, p.joined_at is not None) for p in people
    )
    return Loaded(
        visits.Visit(kind, "live", RESIDENTS, current, persons),
        row,
        people,
        [subject(one) for one in RESIDENTS],
        messages,
        [VisitReading(f"key-{one}", one, "spo2", "SpO2", 90.0 + one, "%", T0, "offered") for one in RESIDENTS],
        visits.Policy(),
    )


@st.composite
def loaded_visits(draw: st.DrawFn) -> Loaded:
    people = [participant(1, "staff", draw(st.sampled_from(PRESENCES)), None)]
    roles, presences, residents = st.sampled_from(GUESTS), st.sampled_from(PRESENCES), st.sampled_from(RESIDENTS)
    people += [
        participant(number, draw(roles), draw(presences), draw(residents))
        for number in range(2, draw(st.integers(3, 8)))
    ]
    ids = [one.id for one in people]
    messages = [
        Message(
            number,
            draw(st.sampled_from([None, *ids])),
            draw(st.sampled_from([None, None, *ids])),
            draw(st.sampled_from(RESIDENTS)),
            f"text-{number}",
            T0 + timedelta(minutes=draw(st.integers(-5, 5))),
        )
        for number in range(1, draw(st.integers(1, 8)))
    ]
    return visit_of(draw(st.sampled_from(KINDS)), draw(st.sampled_from(RESIDENTS)), people, messages)


@given(loaded_visits())
def test_a_guest_is_shown_nothing_of_another_resident(loaded: Loaded) -> None:
    for me in loaded.people:
        if me.role == "staff":
            continue
        you, visit = call_state.shown(loaded, call_state.Now(epoch=1), me.id, [])
        text = json.dumps([you, visit])
        assert "nhs-" not in text
        assert "1950" not in text
        own = me.role == "resident" and me.state in ("admitted", "joined") and loaded.row.subject_id == me.resident_id
        assert [one["key"] for one in visit["readings"]] == ([f"key-{me.resident_id}"] if own else [])
        assert all(f"subject-{one}" not in text for one in RESIDENTS if one != me.resident_id)
        assert all(f"reason-of-{p.id}" not in text and f"ready-of-{p.id}" not in text for p in loaded.people)
        shown = {p["id"] for p in visit["people"]}
        if me.state not in ("admitted", "joined"):
            assert visit["people"] == visit["subjects"] == []
            assert visit["subject"] is None
        else:
            assert shown == {p.id for p in loaded.people if p.state == "joined"} | {me.id}
        if loaded.row.kind != "group":
            others = {
                m.text
                for m in loaded.messages
                if m.resident_id != me.resident_id and me.id not in (m.participant_id, m.to_participant_id)
            }
            assert not others & {m["text"] for m in visit["messages"]}


@given(loaded_visits())
def test_staff_see_nothing_that_was_said_in_another_residents_turn(loaded: Loaded) -> None:
    for me in loaded.people:
        _, visit = call_state.shown(loaded, call_state.Now(), me.id, [])
        if me.role != "staff" or loaded.row.kind == "group":
            continue
        seen = {m["id"] for m in visit["messages"]}
        for message in loaded.messages:
            if message.to_participant_id is None and message.resident_id is not None:
                assert (message.id in seen) == (message.resident_id == loaded.row.subject_id)


@given(loaded_visits())
def test_what_was_said_to_one_is_shown_to_that_one_and_staff(loaded: Loaded) -> None:
    for me in loaded.people:
        _, visit = call_state.shown(loaded, call_state.Now(), me.id, [])
        seen = {m["id"] for m in visit["messages"]}
        for message in loaded.messages:
            if message.to_participant_id is not None:
                theirs = me.id in (message.participant_id, message.to_participant_id)
                assert (message.id in seen) == (theirs or me.role == "staff")


def test_staff_see_the_current_resident_and_only_their_readings() -> None:
    people = [participant(1, "staff", "joined", None), participant(2, "resident", "joined", 101)]
    _, visit = call_state.shown(visit_of("ward_round", 102, people, []), call_state.Now(), 1, [])
    assert visit["subject"]["nhs_number"] == "nhs-102"
    assert [one["key"] for one in visit["readings"]] == ["key-102"]
    assert len(visit["subjects"]) == 3


def test_who_is_interrupted_is_shown_as_such_to_everybody() -> None:
    people = [participant(1, "staff", "joined", None), participant(2, "resident", "joined", 101)]
    loaded = visit_of("one_to_one", 101, people, [])
    now = call_state.Now(words={1: "good", 2: "poor"}, lost=frozenset({1}))
    _, guest = call_state.shown(loaded, now, 2, [])
    assert [p["quality"] for p in guest["people"]] == ["lost", "poor"]
    _, staff = call_state.shown(loaded, call_state.Now(words={1: "good", 2: "poor"}), 1, [])
    assert [p["quality"] for p in staff["people"]] == ["good", "poor"]


def test_whose_line_is_too_weak_for_pictures_is_told_to_everybody_in_the_room() -> None:
    people = [
        participant(1, "staff", "joined", None),
        participant(2, "resident", "joined", 101),
        participant(3, "resident", "waiting", 101),
    ]
    now = call_state.Now(weak={2: (True, True), 3: (True, False)})
    for viewer in (1, 2):
        _, visit = call_state.shown(visit_of("one_to_one", 101, people, []), now, viewer, [])
        assert [p["weak"] for p in visit["people"]][:2] == [None, {"down": True, "up": True}]
        assert all(p["weak"] is None for p in visit["people"] if p["presence"] == "waiting")


# Quality ------------------------------------------------------------------------------------------


def test_the_rating_is_that_of_the_model() -> None:
    """By hand from the formula: no delay but coding's 40 ms, no loss; then 150 ms each way and 5 %."""
    assert call_quality.rating(round_trip=0, jitter=0, loss=0) == pytest.approx(93.2 - 0.024 * 40)
    assert call_quality.rating(round_trip=0.3, jitter=0, loss=0.05) == pytest.approx(
        93.2 - 0.024 * 190 - 0.11 * (190 - 177.3) - 95 * 5 / 15
    )
    assert call_quality.opinion(round_trip=0, jitter=0, loss=0) == pytest.approx(4.39, abs=0.02)


shares = st.floats(0, 1)


@given(st.floats(0, 5), st.floats(0, 1), shares, st.floats(0, 1))
def test_worse_lines_are_never_better(round_trip: float, jitter: float, loss: float, more: float) -> None:
    here = call_quality.opinion(round_trip=round_trip, jitter=jitter, loss=loss)
    assert 1 <= here <= 4.5
    assert call_quality.opinion(round_trip=round_trip + more, jitter=jitter, loss=loss) <= here + 1e-9
    assert call_quality.opinion(round_trip=round_trip, jitter=jitter, loss=min(1, loss + more)) <= here + 1e-9


def test_words() -> None:
    assert call_quality.word(4.3) == "good"
    assert call_quality.word(4.3, frozen_share=0.1) == "fair"
    assert call_quality.word(4.3, frozen_share=0.5) == "poor"
    assert call_quality.word(3.5) == "fair"
    assert call_quality.word(2.0) == "poor"


def test_a_summary_goes_on_from_what_was_kept() -> None:
    summary = call_quality.Summary()
    assert summary.kept()["mos"] is None
    sample = call_quality.Sample(5, 0.1, 0.01, 0.02, 0.0, freezes=1, frozen=0.5)
    summary.add(sample)
    summary.add(call_quality.Sample(5, None, 0.01, 0.0, 0.04))
    kept = summary.kept()
    assert (kept["seconds"], kept["freezes"], kept["up_loss"], kept["down_loss"]) == (10, 1, 0.01, 0.02)
    again = call_quality.Summary.of(json.loads(json.dumps(kept)))
    again.add(sample)
    assert again.kept()["seconds"] == 15
    assert again.kept()["freezes"] == 2
    assert call_quality.Summary.of(None).kept()["word"] is None


# Lines --------------------------------------------------------------------------------------------


def line() -> Line:
    return Line(1, 2, 100.0, credential=b"")


def test_a_line_may_talk_at_a_rate() -> None:
    one = line()
    assert sum(one.may_talk(100.0) for _ in range(200)) == call_line.BURST
    assert not one.may_talk(100.0)
    assert one.may_talk(100.0 + 2 / call_line.RATE)


def test_the_third_refusal_in_a_row_is_the_last() -> None:
    one = line()
    for _ in range(2):
        one.refused("chat", "no")
        one.refused("chat", "no")
        one.accepted()
    assert one.close_code is None
    one.refused("offer", "full", strike=False)
    for _ in range(3):
        one.refused("chat", "no")
    assert one.close_code == call_line.POLICY


def test_a_state_replaces_the_one_that_waits_and_goodbye_is_the_last_word() -> None:
    one = line()
    first, second = State(1, {}, {}), State(2, {}, {})
    one.show(first)
    one.tell(Pong(1))
    one.show(second)
    assert one.take() == [second, Pong(1)]
    one.show(first)
    one.bye(Bye("ended"))
    one.tell(Pong(2))
    one.bye(Bye("service"))
    assert one.take() == [Bye("ended")]
    assert one.close_code == call_line.NORMAL


def test_who_does_not_read_is_hung_up_on() -> None:
    one = line()
    for n in range(call_line.MOST_WAITING + 1):
        one.tell(Pong(n))
    assert one.close_code == call_line.TOO_SLOW


@given(st.text(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_nonsense_is_not_understood(text: str) -> None:
    with pytest.raises(call_messages.NotUnderstood) as refused:
        call_messages.read(text)
    assert refused.value.about == "message"


# Throttle -----------------------------------------------------------------------------------------


def test_who_tries_links_is_slowed_down_and_forgotten() -> None:
    guesses = throttle.Guesses()
    for _ in range(throttle.FREE_OF_ADDRESS):
        guesses.missed("a", at=0)
    assert guesses.delay_seconds("a", at=0) == 0
    for _ in range(100):
        guesses.missed("a", at=0)
    assert guesses.delay_seconds("a", at=1) == throttle.LONGEST_DELAY_SECONDS
    assert guesses.delay_seconds("b", at=1) == 0
    assert guesses.delay_seconds("a", at=1 + guesses.FORGET_SECONDS) == 0
