"""A kit that several people use: whose a reading is, and putting right one that was taken under the wrong name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.store import db, devices, held, repair, residents, seats
from telehealth.store.residents_view import ReadingKey
from tests.integration.attribution.conftest import START, Home, reading
from tests.support import world

MINUTE = timedelta(minutes=1)
ALONE = repair.Scope()


async def key_of(home: Home, value: float) -> ReadingKey:
    [(taken_at, identity, value_key)] = await home.service.rows(
        "SELECT taken_at, identity, value_key FROM reading WHERE value = $1", value
    )
    return ReadingKey(taken_at, identity, value_key)


async def move(home: Home, key: ReadingKey, to: world.Resident | None, scope: repair.Scope = ALONE) -> repair.Done:
    async with home.database.transaction(home.nurse) as connection:
        return await repair.move(
            connection,
            key,
            to=None if to is None else to.id,
            reason="wrong name chosen on the kit",
            actor=home.nurse,
            now=home.service.clock.now(),
            scope=scope,
        )


async def test_a_red_reading_under_the_wrong_resident_is_put_right(home: Home) -> None:
    """The alert it raised is withdrawn, the right resident gets one; log and audit say from, to, who and why."""
    service, anna, bert = home.service, home.anna, home.bert
    await home.say(reading(97, START - 20 * MINUTE, subject="B"), reading(84, START - MINUTE, subject="A"))
    await service.at(START)
    [wrong] = await service.open(anna)
    assert (wrong.rule, wrong.condition) == ("threshold/spo2/low", "active")
    assert await service.open(bert) == []
    await service.minutes(10)
    await move(home, await key_of(home, 84), bert)
    await service.evaluator.drain()
    [withdrawn] = await service.alerts(anna)
    assert (withdrawn.id, withdrawn.condition) == (wrong.id, "withdrawn")
    assert await service.events(wrong.id) == ["raised", "withdrawn"]
    assert await service.episodes(anna) == []
    [raised] = await service.open(bert)
    assert (raised.rule, raised.condition, raised.onset_at) == ("threshold/spo2/low", "active", START - MINUTE)
    [(_, _, rule, started_at, *_)] = await service.episodes(bert)
    assert (rule, started_at) == ("threshold/spo2/low", START - MINUTE)
    assert await home.whose() == [(97, bert.id, []), (84, bert.id, ["repaired"])]
    latest = await service.rows("SELECT resident_id, value FROM latest ORDER BY resident_id")
    assert latest == [(bert.id, 84)]
    [logged] = await service.rows(
        "SELECT from_resident_id, resident_id, actor, reason FROM attribution WHERE kind = 'repair'"
    )
    assert logged == (anna.id, bert.id, home.nurse, "wrong name chosen on the kit")
    audited = await service.rows(
        "SELECT actor, resident_id, detail FROM audit WHERE action = 'reading.move' ORDER BY id"
    )
    assert [(actor, whose) for actor, whose, _ in audited] == [(home.nurse, anna.id), (home.nurse, bert.id)]
    assert all((d["from"], d["to"], d["reason"]) == logged[:2] + logged[3:] for _, _, d in audited)
    async with home.database.transaction(home.nurse) as connection:
        for whose in (anna, bert):
            [shown] = await held.moved(connection, whose.id)
            assert (shown["from_resident_id"], shown["resident_id"], shown["readings"]) == (anna.id, bert.id, 1)


async def test_a_repair_is_not_undone_by_what_comes_later(home: Home) -> None:
    """The same reading again, another value of it, and a changed seat leave it where a person put it."""
    at = START - MINUTE
    same = reading(84, at, subject="A", source_id="x")
    await home.say(same)
    await move(home, await key_of(home, 84), home.bert)
    await home.say(same)
    assert await home.whose() == [(84, home.bert.id, ["repaired"])]
    await home.say(reading(90, at, subject="A", source_id="x"))
    assert [(v, w) for v, w, _ in await home.whose()] == [(84, home.bert.id), (90, home.bert.id)]
    latest = await home.service.rows("SELECT DISTINCT resident_id FROM latest")
    assert latest == [(home.bert.id,)]
    carla = await world.resident(home.database, home.ward)
    async with home.database.transaction(world.ACTOR) as connection:
        device = await devices.find(connection, home.kit.device_id)
        now = home.service.clock.now()
        await seats.unseat(connection, device, seats.seat_of("A", None), at=at - MINUTE, actor=world.ACTOR, now=now)
    await home.seat("A", carla, since=at - MINUTE)
    assert {w for _, w, _ in await home.whose()} == {home.bert.id}


async def test_whose_a_reading_is_by_what_it_says(home: Home) -> None:
    """A named subject, else the user's number, else nobody on a shared kit; unknown ones are nobody's."""
    said: list[dict[str, Any]] = [
        {"subject": "A"},
        {"subject": "B", "context": {"user_slot": 1}},
        {"subject": "C"},
        {"context": {"user_slot": 2}},
        {"context": {"user_slot": 3}},
        {},
    ]
    await home.say(*(reading(90 + n, START - (10 - n) * MINUTE, **more) for n, more in enumerate(said)))
    anna, bert = home.anna.id, home.bert.id
    assert [whose for _, whose, _ in await home.whose()] == [anna, bert, None, bert, None, None]


async def test_a_seat_given_afterwards_finds_what_waited(home: Home) -> None:
    """And its end lets go of what came after; the residents are judged again."""
    carla = await world.resident(home.database, home.ward)
    await home.say(reading(84, START - MINUTE, subject="C"))
    await home.service.at(START)
    assert [a.rule for a in await home.service.alerts()] == ["unassigned/spo2/low"]
    await home.seat("C", carla, since=START - timedelta(hours=2))
    await home.service.evaluator.drain()
    assert await home.whose() == [(84, carla.id, [])]
    [alert] = await home.service.open(carla)
    assert alert.rule == "threshold/spo2/low"
    assert [a.condition for a in await home.service.alerts() if a.resident_id is None] == ["withdrawn"]
    async with home.database.transaction(world.ACTOR) as connection:
        device = await devices.find(connection, home.kit.device_id)
        place = seats.seat_of("C", None)
        at = START - timedelta(hours=1)
        assert await seats.unseat(connection, device, place, at=at, actor=world.ACTOR, now=START) == carla.id
    assert await home.whose() == [(84, None, [])]


async def test_seats_are_refused_where_they_cannot_be(home: Home) -> None:
    """Taken, of another sort of ward, or nothing that a reading can say."""
    with pytest.raises(Conflict, match="somebody's"):
        await home.seat("A", home.bert, since=START)
    real = await world.resident(home.database, await world.ward(home.database, simulated=False))
    with pytest.raises(Conflict, match="never mix"):
        await home.seat("Z", real, since=START)
    for wrong in ((None, None), ("A", "1"), ("", None)):
        with pytest.raises(Invalid):
            seats.seat_of(*wrong)


async def test_discharge_ends_the_seats(home: Home) -> None:
    """What names somebody who has left is nobody's."""
    async with home.database.transaction(world.ACTOR) as connection:
        anna = await residents.find(connection, home.anna.nhs_number)
        await devices.end_stay(
            connection, anna, at=START - 5 * MINUTE, died=False, reason="well", actor=world.ACTOR, now=START
        )
    await home.say(reading(95, START - 9 * MINUTE, subject="A"), reading(96, START - MINUTE, subject="A"))
    assert [w for _, w, _ in await home.whose()] == [home.anna.id, None]


async def test_everything_of_a_period_goes_and_what_still_comes_of_it(home: Home) -> None:
    """From one resident to another, between two times; late readings of that time go the same way, others do not."""
    times = [START - n * MINUTE for n in (50, 40, 30, 20)]
    await home.say(*(reading(90 + n, at, subject="A") for n, at in enumerate(times)))
    await home.say(reading(99, times[1] + MINUTE, subject="B"))
    scope = repair.Scope("period", times[1], times[3])
    assert (await move(home, await key_of(home, 91), home.bert, scope=scope)).readings == 2
    late = [reading(80, times[1] + 2 * MINUTE, subject="A"), reading(81, times[3] + MINUTE, subject="A")]
    await home.say(*late)
    anna, bert = home.anna.id, home.bert.id
    assert [(v, w) for v, w, _ in await home.whose()] == [
        (90, anna),
        (91, bert),
        (99, bert),
        (80, bert),
        (92, bert),
        (93, anna),
        (81, anna),
    ]


async def test_nobody_moves_readings_to_or_from_a_ward_that_they_do_not_belong_to(home: Home) -> None:
    """Neither side: somebody else's resident is not there."""
    elsewhere = await world.resident(home.database, await world.ward(home.database))
    stranger = db.staff(await world.staff(home.database, elsewhere.ward))
    await home.say(reading(84, START - MINUTE, subject="A"))
    key = await key_of(home, 84)
    with pytest.raises(NotFound):
        await move(home, key, elsewhere)
    with pytest.raises(NotFound):
        async with home.database.transaction(stranger) as connection:
            await repair.move(connection, key, to=elsewhere.id, reason="mine", actor=stranger, now=START)
    both = db.staff(await world.staff(home.database, home.ward, elsewhere.ward))
    async with home.database.transaction(both) as connection:
        await repair.move(connection, key, to=elsewhere.id, reason="hers", actor=both, now=START)
    assert [w for _, w, _ in await home.whose()] == [elsewhere.id]


async def test_to_nobody_and_from_nobody(home: Home) -> None:
    """Into the holding list, where a red reading still alerts, and out of it."""
    await home.say(reading(84, START - MINUTE, subject="A"))
    await home.service.at(START)
    key = await key_of(home, 84)
    await move(home, key, None)
    await home.service.evaluator.drain()
    assert {(a.rule, a.condition) for a in await home.service.alerts()} == {
        ("threshold/spo2/low", "withdrawn"),
        ("unassigned/spo2/low", "active"),
    }
    async with home.database.transaction(home.nurse) as connection:
        [row] = await held.listing(connection, home.ward.id)
        assert (row["value"], row["subject"]) == (84, "A")
        assert await held.count(connection, home.ward.id) == 1
    with pytest.raises(Conflict, match="nobody's already"):
        await move(home, key, None)
    await move(home, key, home.bert)
    await home.service.evaluator.drain()
    assert {(a.resident_id, a.condition) for a in await home.service.alerts()} == {
        (home.anna.id, "withdrawn"),
        (None, "withdrawn"),
        (home.bert.id, "active"),
    }
