"""Recording: only while everybody who is there has agreed, whichever process hears of it."""

from __future__ import annotations

from uuid import uuid4

from telehealth.model import media
from telehealth.store import recorded_visits, recordings
from telehealth.web.calls.call_recording import NOT_RECORDED
from telehealth.web.calls.rooms import ROOMS
from tests.integration.calls.conftest import NOW, WEB, Call, Clinic, Json


async def allowed(clinic: Clinic) -> None:
    """The ward's policy allows it."""
    async with clinic.database.transaction(WEB) as connection:
        await connection.execute(
            "INSERT INTO visit_policy (ward_id, organisation_id, keep_chat, recording, keep_recording_days,"
            " reminder_hours, changed_by, changed_at) VALUES ($1, $2, true, true, 30, '{}', 'tests', $3)",
            clinic.ward.id,
            clinic.ward.organisation_id,
            NOW,
        )


async def ask(clinic: Clinic, visit: int) -> None:
    where = clinic.web[0].app[ROOMS].means.recordings
    async with clinic.database.transaction(WEB) as connection:
        await recorded_visits.ask(connection, visit, where=where, actor=None, now=NOW)


def recorded(clinic: Clinic, visit: int) -> set[int]:
    return set(clinic.sfu.recorded.get(visit, {}))


async def begun(clinic: Clinic, visit: int, *people: Call) -> None:
    await ask(clinic, visit)
    for one in people:
        await one.shows(lambda s: s["visit"]["recording"]["asked"])
    assert recorded(clinic, visit) == set()
    for one in people:
        await one.agrees()
    for one in people:
        state = await one.recorded(True)
        assert not state["visit"]["recording"]["asked"]
    assert recorded(clinic, visit) == {one.me for one in people}


async def test_it_begins_with_the_last_consent_and_ends_with_the_first_withdrawal(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    colleague = await clinic.nurse(visit, "carl", at=1)
    await colleague.joins()
    assert "record" in nurse.state["you"]["may"]
    await begun(clinic, visit, nurse, guest, colleague)
    await guest.say("consent", recording=False)
    for one in (nurse, guest, colleague):
        state = await one.recorded(False)
        # why, in a word that screens make a sentence of
        assert (state["visit"]["recording"]["stopped"]["why"], state["visit"]["recording"]["stopped"]["began"]) == (
            "withdrawn",
            True,
        )
        assert not any(person["consent"] for person in state["visit"]["people"])
    await nurse.until(lambda: recorded(clinic, visit) == set())
    events = await clinic.events(visit)
    assert (events.count("recording_started"), events.count("recording_stopped")) == (3, 1)


async def test_a_no_is_told_and_everybody_can_be_asked_again(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)

    def of_guest(state: Json) -> bool | None:
        found: bool | None = next(p["consent"] for p in state["visit"]["people"] if p["id"] == guest.me)
        return found

    await ask(clinic, visit)
    await nurse.agrees()
    await guest.shows(lambda s: s["visit"]["recording"]["asked"])
    await guest.say("consent", recording=False)
    for one in (nurse, guest):
        await one.shows(lambda s: not s["visit"]["recording"]["asked"] and of_guest(s) is False)
    assert "consent_refused" in await clinic.events(visit)
    await ask(clinic, visit)
    for one in (nurse, guest):
        await one.shows(lambda s: s["visit"]["recording"]["asked"] and of_guest(s) is None)
    # who agreed to the question before has not agreed to this one
    await guest.agrees()
    await nurse.shows(lambda s: of_guest(s) is True)
    assert recorded(clinic, visit) == set()
    await nurse.agrees()
    await nurse.recorded(True)
    await guest.say("consent", recording=False)
    await nurse.shows(lambda s: not s["visit"]["recording"]["on"] and of_guest(s) is False)


async def test_a_yes_belongs_to_one_question(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    await guest.say("consent", recording=True)
    assert "Nobody asks" in (await guest.heard("refused", about="consent"))["why"]
    await ask(clinic, visit)
    state = await guest.shows(lambda s: s["visit"]["recording"]["asked"])
    first = state["visit"]["recording"]["ask"]
    await guest.say("consent", recording=False)
    await nurse.shows(lambda s: not s["visit"]["recording"]["asked"])
    await ask(clinic, visit)
    await guest.shows(lambda s: s["visit"]["recording"]["asked"])
    # an answer to the first one, from a page that was slow
    await guest.say("consent", recording=True, ask=first)
    await guest.until(lambda: sum(m["t"] == "refused" and "asked anew" in m["why"] for m in guest.told))
    assert "consent_given" not in await clinic.events(visit)
    await guest.agrees()
    await nurse.agrees()
    await guest.recorded(True)
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        (found, *_) = await connection.fetch("SELECT consents FROM recording WHERE consultation_id = $1", visit)
    assert {one["ask"] for one in found["consents"]} == {guest.state["visit"]["recording"]["ask"]}
    assert first < guest.state["visit"]["recording"]["ask"]


async def test_a_yes_can_be_taken_back_before_it_begins(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    await ask(clinic, visit)
    await guest.agrees()
    await guest.shows(lambda s: any(p["consent"] for p in s["visit"]["people"]))
    await guest.say("consent", recording=False)
    await nurse.shows(lambda s: any(p["consent"] is False for p in s["visit"]["people"]))
    assert not nurse.state["visit"]["recording"]["asked"]
    assert nurse.state["visit"]["recording"]["stopped"]["why"] == "refused"
    assert not nurse.state["visit"]["recording"]["stopped"]["began"]
    assert recorded(clinic, visit) == set()


async def test_it_ends_before_somebody_who_did_not_consent_is_heard(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    await begun(clinic, visit, nurse, guest)
    before = len(clinic.sfu.orders_given)
    other = await clinic.waits(visit, role="family")
    await clinic.admit(visit, other)
    await other.joins()
    given = clinic.sfu.orders_given[before:]
    assert given.index(("record", ())) < given.index(("join", (other.me,)))
    for one in (nurse, guest):
        assert (await one.recorded(False))["visit"]["recording"]["stopped"]["why"] == "newcomer"


async def test_a_disk_that_is_full_is_told(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    clinic.sfu.disk_full = True
    await ask(clinic, visit)
    for one in (nurse, guest):
        await one.agrees()
    assert (await nurse.heard("refused", about="visit"))["why"] == NOT_RECORDED
    for one in (nurse, guest):
        state = await one.shows(lambda s: s["visit"]["recording"]["stopped"])
        assert (state["visit"]["recording"]["on"], state["visit"]["recording"]["asked"]) == (False, False)
        assert state["visit"]["recording"]["stopped"]["why"] == "not possible"
    assert recorded(clinic, visit) == set()


async def test_what_a_process_that_died_left_running_is_ended_by_the_next(clinic: Clinic) -> None:
    """It had written down that the recording is over, and was killed before it told the worker."""
    await allowed(clinic)
    visit = await clinic.visit()
    _, guest = await clinic.live(visit)
    clinic.sfu.recorded[visit] = {guest.me: media.RecordingTo(uuid4(), b"k" * 32, "/nowhere", guest.me)}
    await clinic.nurse(visit, "carl", at=1)
    assert recorded(clinic, visit) == set()


async def test_it_goes_on_at_another_worker_and_how_files_stand_is_noted(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    await begun(clinic, visit, nurse, guest)
    first = dict(clinic.sfu.recorded[visit])
    to = first[guest.me]
    clinic.sfu.tell(media.Recorded(to.recording, chunks=3, size=4000, head=b"h" * 32, over=True))
    clinic.sfu.kill(next(room.worker.id for room, _, _ in clinic.sfu.watchers if room.consultation == visit))
    for one in (nurse, guest):
        await one.heard("rebuild", epoch=2)
        await one.say("offer", epoch=2, sdp="v=0 offer", restart=False)
        await one.heard("answer", epoch=2)
    await nurse.until(lambda: recorded(clinic, visit) == {nurse.me, guest.me} and clinic.sfu.recorded[visit] != first)
    assert {one.recording for one in clinic.sfu.recorded[visit].values()}.isdisjoint(
        {one.recording for one in first.values()}
    )
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        kept = await recordings.one(connection, to.recording)
    assert (kept.chunks, kept.bytes, kept.ended_at is not None) == (3, 4000, True)


async def test_without_a_policy_nobody_is_asked(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, _guest = await clinic.live(visit)
    assert "record" not in nurse.state["you"]["may"]
    assert nurse.state["visit"]["recording"] == {"on": False, "asked": False, "ask": None, "stopped": None}
