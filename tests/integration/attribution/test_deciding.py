"""Deciding about what waits: the time of a reading, two values for one, what counts for nothing, doubtful weights."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from telehealth.errors import Conflict, Invalid
from telehealth.store import held, repair
from telehealth.store.residents_view import ReadingKey
from tests.integration.attribution.conftest import START, Home, reading
from tests.integration.attribution.test_shared_kit import key_of, move
from tests.support import world

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


async def set_time(home: Home, key: ReadingKey, how: repair.How, at: datetime | None = None) -> repair.Done:
    async with home.database.transaction(home.nurse) as connection:
        now = home.service.clock.now()
        return await repair.set_time(connection, key, how=how, at=at, actor=home.nurse, now=now)


async def timeless(home: Home) -> ReadingKey:
    """A set of two from a clock that is a day ahead and says nothing of when it sent them."""
    ahead = START + DAY
    await home.say(
        reading(84, ahead, subject="A", set="s"),
        reading(60, ahead, code="pulse", unit="/min", subject="A", set="s"),
        sent_at=None,
    )
    found = await home.whose()
    assert [(w, m) for _, w, m in found] == [(None, ["no_time", "held"])] * 2
    return await key_of(home, 84)


async def test_one_click_gives_a_set_its_time(home: Home) -> None:
    """When it arrived: the whole set is then its resident's, judged, and the device's alert is withdrawn."""
    key = await timeless(home)
    await home.service.at(START)
    assert [a.rule for a in await home.service.alerts()] == ["clock/spo2/low"]
    with pytest.raises(Conflict, match="first say when"):
        await move(home, key, home.bert)
    with pytest.raises(Conflict, match="after the reading arrived"):
        await set_time(home, key, "said")
    with pytest.raises(Invalid, match="after the reading arrived"):
        await set_time(home, key, "at", START + 5 * MINUTE)
    assert (await set_time(home, key, "arrived")).readings == 2
    await home.service.evaluator.drain()
    assert [(w, m) for _, w, m in await home.whose()] == [(home.anna.id, ["repaired"])] * 2
    assert {(a.rule, a.condition) for a in await home.service.alerts()} == {
        ("clock/spo2/low", "withdrawn"),
        ("threshold/spo2/low", "active"),
    }
    times = await home.service.rows("SELECT DISTINCT effective_at FROM reading")
    assert times == [(START,)]
    taken = await home.service.rows("SELECT DISTINCT taken_at FROM reading")
    assert taken == [(START + DAY,)]
    with pytest.raises(Conflict, match="not in doubt"):
        await set_time(home, key, "arrived")


async def test_a_time_set_by_somebody_who_does_not_see_all_seats_gives_nobody_a_reading(home: Home) -> None:
    """User 2 of the scale is of another ward, which the nurse does not see: the reading is not user 1's for that."""
    database, start = home.database, START - DAY
    elsewhere = await world.resident(database, await world.ward(database))
    scale = await world.device(database, home.ward, resident=home.anna)
    home.kit = scale
    await home.seat("2", elsewhere, since=start, kind="slot")
    away = reading(84, START + DAY, context={"user_slot": 2}, set="s")
    await home.say(away, sent_at=None)
    key = await key_of(home, 84)
    assert (await set_time(home, key, "arrived")).readings == 1
    assert [w for _, w, _ in await home.whose()] == [None]
    with pytest.raises(Conflict, match="not yours"):
        await move(home, key, home.anna, repair.Scope("period", START - DAY, START + DAY))
    await move(home, key, home.anna)
    assert [w for _, w, _ in await home.whose()] == [home.anna.id]


async def test_a_chosen_value_stands_and_the_other_is_struck(home: Home) -> None:
    """Until then the more dangerous one rules; afterwards only the chosen one does."""
    at = START - MINUTE
    await home.say(reading(95, at, subject="A", source_id="x"))
    await home.say(reading(84, at, subject="A", source_id="x"))
    await home.service.at(START)
    assert [a.condition for a in await home.service.open(home.anna)] == ["active"]
    async with home.database.transaction(home.nurse) as connection:
        waiting = await held.questioned(connection, home.ward.id)
        assert sorted(row["value"] for row in waiting) == [84, 95]
    key = await key_of(home, 95)
    async with home.database.transaction(home.nurse) as connection:
        await repair.choose(connection, key, reason="read from the display", actor=home.nurse, now=START)
    await home.service.evaluator.drain()
    assert [a.condition for a in await home.service.alerts()] == ["withdrawn"]
    rows = await home.service.rows("SELECT value, struck, marks FROM reading ORDER BY value")
    assert rows == [(84, True, ["conflict"]), (95, False, None)]
    assert await home.service.rows("SELECT value FROM latest") == [(95,)]
    async with home.database.transaction(home.nurse) as connection:
        assert await held.questioned(connection, home.ward.id) == []
        with pytest.raises(Conflict, match="one value only"):
            await repair.choose(connection, key, reason="again", actor=home.nurse, now=START)
    [(reason,)] = await home.service.rows("SELECT reason FROM reading_strike")
    assert reason == "read from the display"
    await home.say(reading(84, at, subject="A", source_id="x"))
    assert await home.service.rows("SELECT value FROM reading WHERE NOT struck") == [(95,)]


async def test_what_is_set_aside_feeds_nothing(home: Home) -> None:
    """A reading of nobody: struck, its alert withdrawn, no longer in the list."""
    await home.say(reading(84, START - MINUTE))
    await home.service.at(START)
    assert [(a.rule, a.condition) for a in await home.service.alerts()] == [("unassigned/spo2/low", "active")]
    key = await key_of(home, 84)
    async with home.database.transaction(home.nurse) as connection:
        await repair.set_aside(connection, key, reason="a demonstration", actor=home.nurse, now=START)
    await home.service.evaluator.drain()
    assert [a.condition for a in await home.service.alerts()] == ["withdrawn"]
    async with home.database.transaction(home.nurse) as connection:
        assert await held.listing(connection, home.ward.id) == []
        with pytest.raises(Conflict, match="struck already"):
            await repair.set_aside(connection, key, reason="again", actor=home.nurse, now=START)
    [audited] = await home.service.rows("SELECT actor FROM audit WHERE action = 'reading.set_aside'")
    assert audited == (home.nurse,)


async def _weigh(home: Home, label: str, value: float, at: datetime) -> None:
    await home.say(reading(value, at, code="weight", unit="kg", subject=label), received_at=at + MINUTE)


async def test_a_weight_far_from_the_usual_may_be_somebody_elses(home: Home) -> None:
    """It is marked, with whom it fits, and counts as any other; staff who confirm it are not asked again."""
    for day in range(5, 1, -1):
        await _weigh(home, "A", 70, START - day * DAY)
        await _weigh(home, "B", 161, START - day * DAY + MINUTE)
    await _weigh(home, "A", 77, START - 2 * DAY + 3 * MINUTE)
    await _weigh(home, "A", 160.5, START - MINUTE)
    await home.service.at(START)
    marked = await home.service.rows(
        "SELECT r.value, r.resident_id, o.usual, o.fits_resident_id FROM reading r JOIN reading_doubt o"
        " USING (identity) WHERE 'maybe_other' = ANY (r.marks)"
    )
    assert marked == [(160.5, home.anna.id, 70, home.bert.id)]
    assert [a.rule for a in await home.service.open(home.anna)] == ["threshold/weight/high"]
    key = await key_of(home, 160.5)
    await move(home, key, home.bert)
    await home.service.evaluator.drain()
    assert [a.condition for a in await home.service.open(home.anna)] == ["withdrawn"]
    assert await home.service.rows("SELECT 1 FROM reading_doubt") == []
    await move(home, key, home.anna)
    await home.service.evaluator.drain()
    await move(home, key, home.anna)
    await home.service.evaluator.drain()
    assert await home.service.rows("SELECT 1 FROM reading WHERE 'maybe_other' = ANY (marks)") == []


async def test_few_weights_say_nothing_of_what_is_usual(home: Home) -> None:
    """Three readings of two days are no baseline."""
    for minutes, value in ((3 * 1440, 70), (2 * 1440, 70), (2 * 1440 - 1, 70), (1, 110)):
        await _weigh(home, "A", value, START - minutes * MINUTE)
    await home.service.at(START)
    assert await home.service.rows("SELECT 1 FROM reading_doubt") == []


async def test_a_slot_means_nothing_before_the_first_seat_by_number(home: Home) -> None:
    """A device that was one person's and becomes a shared one keeps what it measured as that person's."""
    cuff = await world.device(home.database, home.ward, resident=home.anna)
    home.kit = cuff
    await home.say(reading(96, START - 20 * MINUTE, context={"user_slot": 2}))
    await home.seat("2", home.bert, since=START - 10 * MINUTE, kind="slot")
    await home.say(
        reading(95, START - 15 * MINUTE, context={"user_slot": 2}),
        reading(94, START - 5 * MINUTE, context={"user_slot": 2}),
        reading(93, START - 4 * MINUTE, context={"user_slot": 4}),
        reading(92, START - 3 * MINUTE),
    )
    anna, bert = home.anna.id, home.bert.id
    assert [w for _, w, _ in await home.whose()] == [anna, anna, bert, None, anna]
