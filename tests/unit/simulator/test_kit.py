"""What devices say: the same bytes for the same seed however time is cut, and all of it by the contract."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import native as decoder
from simulator import cast, clock, feed, kit, native, outbox, world

START = datetime(2026, 10, 20, 3, 17, tzinfo=UTC)
END = START + timedelta(days=8)
SCHEDULE = {code: {"times": ["08:00", "20:00"], "grace_minutes": 60} for code in ("spo2", "pulse", "systolic")}


def devices(*, calm: bool = False, adherence: float = 1.0) -> list[world.Device]:
    person = {"key": "r1", "age": 80, "sex": "female", "pathway": "copd", "schedule": SCHEDULE, "calm": calm}
    person["adherence"] = adherence
    kits: list[dict[str, object]] = [
        {"device_id": "ox", "codes": ["spo2", "pulse"]},
        {"device_id": "cuff", "codes": ["systolic", "diastolic", "pulse"]},
        {"device_id": "hub", "codes": ["resp_rate", "consciousness", "on_oxygen", "breathlessness"]},
        {"device_id": "scales", "codes": ["weight"]},
        {"device_id": "watch", "codes": ["pulse", "spo2"], "continuous": True},
    ]
    entries = [{"password": "x", "resident": person} | entry for entry in kits]
    return world.parse(json.dumps({"devices": entries}).encode()).devices


def units(seed: int = 5, **facts: object) -> list[kit.Unit]:
    found = devices(**facts)  # type: ignore[arg-type]  # keyword facts of devices()
    return kit.units(found, seed=seed, spot_every_ms=None, continuous_every_ms=300_000)


def said(batches: list[kit.Batch]) -> list[tuple[str, object]]:
    return sorted((batch.device_id, json.dumps(entry)) for batch in batches for entry in json.loads(batch.readings))


def test_the_same_seed_says_the_same_bytes_and_another_seed_does_not() -> None:
    spans = clock.to_ms(START), clock.to_ms(END)
    assert feed.taken(units(), *spans) == feed.taken(units(), *spans)
    assert said(feed.taken(units(), *spans)) != said(feed.taken(units(seed=6), *spans))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 8 * 86_400_000 - 1), unique=True, max_size=6))
def test_however_a_span_is_cut_the_same_readings_are_taken(cuts: list[int]) -> None:
    edges = [clock.to_ms(START), *(clock.to_ms(START) + cut for cut in sorted(cuts)), clock.to_ms(END)]
    stepped = [b for low, high in itertools.pairwise(edges) for b in feed.taken(units(), low, high)]
    assert said(stepped) == said(feed.taken(units(), edges[0], edges[-1]))


def test_history_worked_out_in_one_go_is_what_steps_would_give() -> None:
    steps = feed.boundaries(START, END)
    assert steps[-1] == END
    edges = [START, *steps]
    expected = [
        feed.taken(units(), clock.to_ms(low), clock.to_ms(high)) for low, high in zip(edges, steps, strict=False)
    ]
    assert feed.planned(units(), START, steps) == expected


def test_everything_said_decodes_without_a_refusal() -> None:
    batches = feed.taken(units(), clock.to_ms(START), clock.to_ms(END))
    codes = set()
    for seq, batch in enumerate(batches, 1):
        payload = native.message("s", seq, 1, clock.from_ms(batch.sent_ms), batch.readings)
        message = decoder.decode(batch.device_id, payload)
        assert message.refusals == ()
        assert (message.stream, message.seq, message.oldest) == ("s", seq, 1)
        assert len(message.readings) == batch.count
        codes |= {reading.code for reading in message.readings}
        times = [reading.taken_at for reading in message.readings if reading.taken_at is not None]
        assert len(times) == batch.count
        assert message.sent_at is not None
        assert max(times) <= message.sent_at
    assert codes == {code for unit in units() for code in unit.codes}


def test_pressure_and_observations_travel_as_sets_and_keyed_ones_say_so() -> None:
    batches = feed.taken(units(), clock.to_ms(START), clock.to_ms(END))
    cuff = json.loads(next(b for b in batches if b.device_id == "cuff" and b'"systolic"' in b.readings).readings)
    assert len({entry["set"] for entry in cuff}) == 1
    hub = json.loads(next(b for b in batches if b.device_id == "hub").readings)
    assert {entry.get("method") for entry in hub} == {"keyed"}


def test_a_spot_device_measures_at_its_times_within_the_grace() -> None:
    oximeter = units()[0]
    moments = oximeter.moments(clock.to_ms(START), clock.to_ms(END))
    assert len(moments) == 16
    for moment in moments:
        local = clock.from_ms(moment.at_ms)
        assert any(
            abs((local - local.replace(hour=hour, minute=0, second=0)).total_seconds()) < 3 * 3600 for hour in (7, 19)
        )


def test_who_forgets_measures_less() -> None:
    always = units()[0].moments(clock.to_ms(START), clock.to_ms(END))
    forgetful = units(adherence=0.5)[0].moments(clock.to_ms(START), clock.to_ms(END))
    assert 2 <= len(forgetful) < len(always)
    assert set(forgetful) < set(always)


def test_a_silent_device_says_nothing_from_then_on() -> None:
    unit = units()[0]
    unit.silent_from_ms = clock.to_ms(START + timedelta(days=3))
    assert max(m.at_ms for m in unit.moments(clock.to_ms(START), clock.to_ms(END))) <= unit.silent_from_ms


def test_readings_over_15_minutes_old_when_sent_are_backlog() -> None:
    assert native.lane(0, 15 * 60_000) == "readings"
    assert native.lane(0, 15 * 60_000 + 1) == "backlog"


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 100))
def test_packing_keeps_order_and_size_and_loses_nothing(sizes: list[int], most: int) -> None:
    groups = [[f"{g}.{i}".encode() for i in range(size)] for g, size in enumerate(sizes)]
    packs = list(native.fitting(groups, most))
    assert [entry for pack in packs for group in pack for entry in group] == [e for group in groups for e in group]
    assert all(sum(len(group) for group in pack) <= most for pack in packs)


def test_a_world_without_a_script_gets_two_ill_residents_and_a_silent_device_but_never_calm_ones() -> None:
    people = [{"key": f"r{n}", "pathway": ["copd", "frailty", "hypertension"][n % 3], "calm": n < 3} for n in range(12)]
    entries = [{"device_id": f"d{n}", "password": "x", "codes": ["spo2"], "resident": p} for n, p in enumerate(people)]
    found = world.parse(json.dumps(entries).encode())
    made = kit.units(found.devices, seed=1, spot_every_ms=None, continuous_every_ms=60_000)
    journal = outbox.Outbox(None)
    cast.assign(made, journal, END)
    ill = [unit for unit in made if unit.course is not None]
    silent = [unit for unit in made if unit.silent_from_ms is not None]
    assert sorted(u.course.scenario.name for u in ill if u.course) == ["copd_exacerbation", "sepsis"]
    assert len(silent) == 1
    assert not any(unit.profile.calm for unit in (*ill, *silent))
    again = kit.units(found.devices, seed=1, spot_every_ms=None, continuous_every_ms=60_000)
    cast.assign(again, journal, END + timedelta(days=1))
    journal.close()
    assert cast.truth(again) == cast.truth(made)


@pytest.mark.parametrize("seed", range(3))
def test_codes_that_cannot_be_simulated_are_told_and_left_out(seed: int) -> None:
    told: list[str] = []
    found = world.parse(b'[{"device_id": "d", "password": "x", "codes": ["spo2", "nonsense"]}]')
    made = kit.units(found.devices, seed=seed, spot_every_ms=1000, continuous_every_ms=1000, report=told.append)
    assert made[0].codes == ("spo2",)
    assert told == ["device d: not simulated: nonsense"]
