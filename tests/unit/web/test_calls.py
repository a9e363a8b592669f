"""What each person in a visit is shown, how good a call was, and how fast a browser may talk: pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.model import visits
from telehealth.store.recorded_visits import Standing, Stopped
from telehealth.store.visit_view import Consultation, Loaded, Message, Participant, SubjectShown, VisitReading
from telehealth.web import throttle
from telehealth.web.calls import call_line, call_messages, call_quality, call_state
from telehealth.web.calls.call_line import Line
from telehealth.web.calls.call_messages import Bye, Pong, State

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
    fields = {**known, **more, "id": number, "role": role, "state": presence, "resident_id": resident}
    return Participant(**{name: value for name, value in fields.items() if name in wanted})


def subject(number: int) -> SubjectShown:
    known: dict[str, Any] = dict.fromkeys(SubjectShown.__dataclass_fields__)
    known |= {"id": number, "name": f"subject-{number}", "born": date(1950, 1, 2), "nhs_number": f"nhs-{number}"}
    known |= {"ward_id": number * 10}
    return SubjectShown(**known)


def visit_of(
    kind: visits.Kind,
    current: int,
    people: list[Participant],
    messages: list[Message],
    captions: Sequence[Message] = (),
) -> Loaded:
    fields: dict[str, Any] = dict.fromkeys(Consultation.__dataclass_fields__)
    fields |= {
        "id": 7,
        "kind": kind,
        "state": "live",
        "locked": False,
        "subject_id": current,
        "seq": 3,
        "ward": "North",
        "ward_id": 7,
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
        list(captions),
    )


@st.composite
def loaded_visits(draw: st.DrawFn) -> Loaded:
    people = [participant(1, "staff", draw(st.sampled_from(PRESENCES)), None)]
    roles, presences, residents = st.sampled_from(GUESTS), st.sampled_from(PRESENCES), st.sampled_from(RESIDENTS)
    minutes = st.integers(-5, 5)
    for number in range(2, draw(st.integers(3, 8))):
        presence = draw(presences)
        joined = presence == "joined" or draw(st.booleans())
        came = {
            "joined_at": T0 + timedelta(minutes=draw(minutes)) if joined else None,
            "let_in_at": T0 + timedelta(minutes=draw(minutes)) if draw(st.booleans()) else None,
            "consent_at": draw(st.sampled_from([None, T0])),
        }
        people.append(participant(number, draw(roles), presence, draw(residents), **came))
    ids = [one.id for one in people]

    def line(number: int, to: int | None) -> Message:
        at = T0 + timedelta(minutes=draw(minutes))
        return Message(
            number, draw(st.sampled_from([None, *ids])), to, draw(st.sampled_from(RESIDENTS)), f"text-{number}", at
        )

    messages = [line(n, draw(st.sampled_from([None, None, *ids]))) for n in range(1, draw(st.integers(1, 8)))]
    captions = [line(n, None) for n in range(100, 100 + draw(st.integers(0, 3)))]
    return visit_of(draw(st.sampled_from(KINDS)), draw(st.sampled_from(RESIDENTS)), people, messages, captions)


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
        for person in visit["people"]:
            mine = person["id"] == me.id
            assert (person["identity"] is None, person["with_resident"]) == (not mine, None)
            assert mine or person["consent"] is None


@given(loaded_visits())
def test_a_guest_reads_what_was_said_to_the_room_since_they_were_let_in(loaded: Loaded) -> None:
    """In the turn of their own resident, unless all are together; never what somebody wrote who has not been inside."""
    for me in loaded.people:
        if me.role == "staff":
            continue
        _, visit = call_state.shown(loaded, call_state.Now(), me.id, [])
        inside = me.state in ("admitted", "joined")
        since = max((at for at in (me.joined_at, me.let_in_at) if at is not None), default=None)

        def reads(line: Message, me: Participant = me, inside: bool = inside, since: datetime | None = since) -> bool:
            if me.id in (line.participant_id, line.to_participant_id):
                return True
            writer = next((p for p in loaded.people if p.id == line.participant_id), None)
            from_outside = writer is not None and writer.role != "staff" and writer.joined_at is None
            their_turn = loaded.row.kind == "group" or line.resident_id == me.resident_id
            in_time = me.joined_at is not None and since is not None and line.at >= since
            return inside and line.to_participant_id is None and in_time and their_turn and not from_outside

        for name, lines in (("messages", loaded.messages), ("captions", loaded.captions)):
            assert [one["id"] for one in visit[name]] == [line.id for line in lines if reads(line)]
        known = {p["id"] for p in visit["people"]} | {m["from"] for m in (*visit["messages"], *visit["captions"])}
        assert {int(one) for one in visit["names"]} <= known


@given(loaded_visits(), st.sets(st.sampled_from(RESIDENTS)))
def test_staff_are_shown_nothing_of_residents_of_other_wards(loaded: Loaded, seen: set[int]) -> None:
    wards = {one * 10 for one in seen}
    _, visit = call_state.shown(loaded.of_wards(wards), call_state.Now(), 1, [])
    text = json.dumps(visit)
    hidden = {p.id for p in loaded.people if p.resident_id is not None and p.resident_id not in seen}
    for one in set(RESIDENTS) - seen:
        assert f"nhs-{one}" not in text
        assert f"subject-{one}" not in text
        assert f"key-{one}" not in text
    assert hidden.isdisjoint(p["id"] for p in visit["people"])
    assert all(f"name-of-{one}" not in text and f"reason-of-{one}" not in text for one in hidden)
    for line in (*visit["messages"], *visit["captions"]):
        original = next(m for m in (*loaded.messages, *loaded.captions) if m.id == line["id"])
        assert original.resident_id in seen
        assert hidden.isdisjoint((original.participant_id, original.to_participant_id))
    assert call_state.theirs(loaded, wards | {7}) == (loaded.row.subject_id in seen)
    assert not call_state.theirs(loaded, wards)


def test_who_did_not_take_part_in_a_recording_is_not_told_why_it_stopped() -> None:
    stopped = Stopped("withdrawn", T0, True)
    now = call_state.Now(recording=Standing(False, False, True, stopped=stopped))
    early = participant(2, "resident", "joined", 101, joined_at=T0 - timedelta(minutes=1))
    late = participant(3, "carer", "joined", 101, joined_at=T0 + timedelta(minutes=1))
    out = participant(4, "carer", "waiting", 101, joined_at=T0 - timedelta(minutes=1))
    loaded = visit_of("carer", 101, [early, late, out], [])
    told = [call_state.shown(loaded, now, one, [])[1]["recording"]["stopped"] for one in (2, 3, 4)]
    assert [one is not None for one in told] == [True, False, False]


def test_who_is_out_or_over_may_do_nothing() -> None:
    loaded = visit_of(
        "one_to_one", 101, [participant(1, "staff", "joined", None), participant(2, "resident", "removed", 101)], []
    )
    assert call_state.shown(loaded, call_state.Now(), 2, [])[0]["may"] == []
    over = replace(loaded, row=replace(loaded.row, state="ended"))
    assert call_state.shown(over, call_state.Now(), 1, [])[0]["may"] == []


@given(loaded_visits())
def test_staff_see_nothing_that_was_said_in_another_residents_turn(loaded: Loaded) -> None:
    for me in loaded.people:
        _, visit = call_state.shown(loaded, call_state.Now(), me.id, [])
        if me.role != "staff" or loaded.row.kind == "group":
            continue
        seen = {m["id"] for m in visit["messages"]}
        assert {c["id"] for c in visit["captions"]} == {
            c.id for c in loaded.captions if c.resident_id == loaded.row.subject_id
        }
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
