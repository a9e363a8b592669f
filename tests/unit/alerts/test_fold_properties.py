"""The same events give the same episodes, however they are handed over."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import engine, reasons, timeline
from tests.unit.alerts import worlds

few = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def through_json(state: engine.State) -> engine.State:
    return engine.State.from_json(json.loads(json.dumps(state.to_json(), allow_nan=False)))


def merged(results: list[engine.Result]) -> dict[Any, engine.Episode]:
    """Later results know better about an episode that was open."""
    return {episode.key: episode for result in results for episode in result.episodes}


def plain(episode: engine.Episode) -> Any:
    return json.loads(json.dumps(episode.to_json(), allow_nan=False))


either = st.one_of(worlds.worlds(), worlds.histories())


@few
@given(either, st.data())
def test_piece_by_piece_equals_at_once(world: worlds.World, data: st.DataObject) -> None:
    """Folding in any number of steps, the state through JSON each time, gives the episodes of one fold."""
    whole = world.fold(world.readings, world.now)
    stops = sorted(data.draw(st.lists(st.integers(worlds.START, world.now), max_size=4)))
    state, results = None, []
    for stop in [*stops, world.now]:
        through = state.through if state is not None else -(2**62)
        part = [reading for reading in world.readings if through < reading.at <= stop]
        result = world.fold(part, stop, state)
        results.append(result)
        state = through_json(result.state)
    assert {key: plain(e) for key, e in merged(results).items()} == {e.key: plain(e) for e in whole.episodes}
    assert results[-1].state.to_json() == whole.state.to_json()
    assert results[-1].wake_at == whole.wake_at


@few
@given(either, st.data())
def test_refold_from_any_daily_checkpoint(world: worlds.World, data: st.DataObject) -> None:
    """From every checkpoint on, the fold comes to the same episodes and the same head."""
    whole = world.fold(world.readings, world.now)
    for daily in whole.daily:
        assert (daily.through + 1) % worlds.DAY == 0
        again = world.fold(world.readings, world.now, through_json(daily))
        assert again.state.to_json() == whole.state.to_json()
        expected = [e for e in whole.episodes if e.ended_at is None or e.ended_at > daily.through]
        assert [plain(e) for e in again.episodes] == [plain(e) for e in expected]


@few
@given(either, st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter(world: worlds.World, random: Any) -> None:
    """Any order of delivery, with readings delivered again, gives the same result."""
    whole = world.fold(world.readings, world.now)
    shuffled = world.readings + [r for r in world.readings if random.random() < 0.3]
    random.shuffle(shuffled)
    assert world.fold(shuffled, world.now) == whole


@few
@given(worlds.worlds())
def test_whole_weeks_later_the_same(world: worlds.World) -> None:
    """Shifted by 53 weeks (to the next change of the clocks), the episodes shift with it."""
    shift = 371 * worlds.DAY
    moved = worlds.World(
        [replace(r, at=r.at + shift) for r in world.readings],
        [(at + shift, rules) for at, rules in world.versions],
        [
            engine.Spell(s.started_at + shift, None if s.ended_at is None else s.ended_at + shift, s.schedule)
            for s in world.spells
        ],
        [(a + shift, None if b is None else b + shift) for a, b in world.pauses],
        world.now + shift,
    )
    before, after = world.fold(world.readings, world.now), moved.fold(moved.readings, moved.now)
    assert [(e.rule, e.started_at + shift, e.level, e.priority, e.ending) for e in before.episodes] == [
        (e.rule, e.started_at, e.level, e.priority, e.ending) for e in after.episodes
    ]


@few
@given(st.lists(worlds.worlds(), min_size=2, max_size=5))
def test_residents_do_not_influence_each_other(several: list[worlds.World]) -> None:
    """Folding many residents at once is folding each alone."""
    now = max(world.now for world in several)
    numbered = [
        (position + 100, world, [replace(r, resident=position + 100) for r in world.readings])
        for position, world in enumerate(several)
    ]
    subjects = [replace(world.subject(), resident=number) for number, world, _ in reversed(numbered)]
    together = engine.fold(subjects, timeline.from_readings([r for *_, part in numbered for r in part]), now)
    for (number, world, part), result in zip(reversed(numbered), together, strict=True):
        (alone,) = engine.fold([replace(world.subject(), resident=number)], timeline.from_readings(part), now)
        assert result == alone


@few
@given(worlds.worlds())
def test_waking_only_at_wake_at_is_enough(world: worlds.World) -> None:
    """Between wake_at moments, time alone changes nothing."""
    result = world.fold(world.readings, worlds.START + worlds.LENGTH)
    for _ in range(5):
        if result.wake_at is None:
            break
        end = worlds.START + worlds.LENGTH
        just_before = world.fold(world.readings, max(end, result.wake_at - 1))
        assert merged([just_before]) == merged([result])
        result = world.fold(world.readings, result.wake_at)
    assert all(reasons.instant(e.started_at) for e in result.episodes)


def test_a_resident_named_twice_is_refused() -> None:
    world = worlds.World([], [], [], [], 0)
    with pytest.raises(Exception, match="named twice"):
        engine.fold([world.subject(), world.subject()], timeline.from_readings([]), 0)
