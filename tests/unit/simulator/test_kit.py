"""What devices say: the same bytes for the same seed however time is cut, and all of it by the contract."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import native as decoder
from simulator import cast, clock, feed, kit, making, native, outbox, schedule, world
from simulator.homes import script

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


def taken(found: list[kit.Unit], *edges: int) -> list[kit.Batch]:
    """What is made from the first time on, in steps up to each of the others."""
    maker = making.Maker(found, script.Script(), edges[0])
    return [batch for edge in edges[1:] for batch in maker.step(edge).batches]


def said(batches: list[kit.Batch]) -> list[tuple[str, object]]:
    return sorted((batch.device_id, json.dumps(entry)) for batch in batches for entry in json.loads(batch.readings))


def test_the_same_seed_says_the_same_bytes_and_another_seed_does_not() -> None:
    spans = clock.to_ms(START), clock.to_ms(END)
    assert taken(units(), *spans) == taken(units(), *spans)
    assert said(taken(units(), *spans)) != said(taken(units(seed=6), *spans))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 8 * 86_400_000 - 1), unique=True, max_size=6))
def test_however_a_span_is_cut_the_same_readings_are_taken(cuts: list[int]) -> None:
    edges = [clock.to_ms(START), *(clock.to_ms(START) + cut for cut in sorted(cuts)), clock.to_ms(END)]
    assert taken(units(), *edges) == taken(units(), edges[0], edges[-1])


def test_history_goes_by_coarse_steps_and_ends_where_it_is_to() -> None:
    steps = feed.boundaries(START, END)
    assert steps[-1] == END
    assert all(low < high for low, high in itertools.pairwise(steps))
    assert steps[0] - START == feed.COARSE


def test_a_wearable_that_uploads_now_and_then_says_the_same_in_fewer_messages() -> None:
    edges = clock.to_ms(START), clock.to_ms(START + timedelta(days=1))
    watch = units()[4:]
    watch[0].cadence = schedule.Cadence(5, 300_000, 7_200_000)
    joined = taken(watch, *edges)
    plain = taken(units()[4:], edges[0], edges[1] - 7_200_000)
    assert len(joined) in (12, 13)
    assert set(said(plain)) >= {one for one in said(joined) if one in set(said(plain))}
    assert all(batch.created_ms <= edges[1] for batch in joined)


def test_everything_said_decodes_without_a_refusal() -> None:
    batches = taken(units(), clock.to_ms(START), clock.to_ms(END))
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
    batches = taken(units(), clock.to_ms(START), clock.to_ms(END))
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

    def made() -> cast.Cast:
        return cast.Cast(kit.units(found.devices, seed=1, spot_every_ms=None, continuous_every_ms=60_000), 1, START)

    first, journal = made(), outbox.Outbox(None)
    assert not first.restore(journal)
    first.assign(END)
    ill = [unit for unit in first.units if unit.courses]
    stopped = [fault for fault in first.script.all() if fault.target.startswith("device:")]
    assert sorted(unit.courses[0].scenario.name for unit in ill) == ["copd_exacerbation_fast", "sepsis_chest"]
    assert [fault.kind for fault in stopped] == ["stopped"]
    silent = [unit for unit in first.units if stopped[0].target in unit.targets]
    assert not any(unit.profile.calm for unit in (*ill, *silent))
    first.keep(journal)
    again = made()
    assert again.restore(journal)
    journal.close()
    assert again.truth(None, to=END) == first.truth(None, to=END)


@pytest.mark.parametrize("seed", range(3))
def test_codes_that_cannot_be_simulated_are_told_and_left_out(seed: int) -> None:
    told: list[str] = []
    found = world.parse(b'[{"device_id": "d", "password": "x", "codes": ["spo2", "nonsense"]}]')
    made = kit.units(found.devices, seed=seed, spot_every_ms=1000, continuous_every_ms=1000, report=told.append)
    assert made[0].codes == ("spo2",)
    assert told == ["device d: not simulated: nonsense"]
