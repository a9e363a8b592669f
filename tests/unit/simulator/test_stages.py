"""Faults in their pure stages: what is measured, what it says, when it leaves; whatever steps time is cut into."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import native as decoder
from simulator import cast, clock, kit, making, native, world
from simulator.homes import catalogue, delivery, faults, malicious, script

START = datetime(2026, 11, 10, 5, 0, tzinfo=UTC)
AT = clock.to_ms(START)
HOUR = 3_600_000
SCHEDULE = {code: {"times": ["07:00", "11:00", "15:00"], "grace_minutes": 60} for code in ("spo2", "pulse", "systolic")}


def units() -> list[kit.Unit]:
    people = {
        name: {"key": name, "pathway": "frailty", "age": 80, "schedule": SCHEDULE, "zone": "UTC", "home": home}
        for name, home in (("r1", "h1"), ("r2", "h1"), ("r3", "h2"))
    }
    seats = [{"subject": f"room {n}", "resident": {"key": f"c{n}", "home": "care", "zone": "UTC"}} for n in range(30)]
    entries: list[dict[str, Any]] = [
        {"device_id": "ox", "codes": ["spo2", "pulse"], "resident": people["r1"]},
        {"device_id": "cuff", "codes": ["systolic", "diastolic"], "resident": people["r1"]},
        {"device_id": "thermometer", "codes": ["temperature"], "resident": people["r2"]},
        {"device_id": "ox2", "codes": ["spo2", "pulse"], "resident": people["r3"]},
        {"device_id": "band", "codes": ["pulse", "resp_rate"], "continuous": True, "resident": people["r2"]},
        {"device_id": "kit", "codes": ["spo2", "pulse", "temperature"], "seats": seats},
    ]
    found = world.parse(json.dumps([{"password": "x"} | entry for entry in entries]).encode())
    return kit.units(found.devices, seed=5, spot_every_ms=None, continuous_every_ms=600_000)


def made(*texts: str, hours: float = 24, cuts: Iterable[int] = ()) -> list[kit.Batch]:
    return everything(*texts, hours=hours, cuts=cuts)[0]


def everything(
    *texts: str, hours: float = 24, cuts: Iterable[int] = ()
) -> tuple[list[kit.Batch], list[malicious.Extra], cast.Cast]:
    """What is made from START on with faults switched on, in steps."""
    found = cast.Cast(units(), 5, START)
    for fault in faults.parse_all(texts, found.targets, START):
        found.add(fault)
    batches, extras = [], []
    for edge in (*sorted(cuts), AT + int(hours * HOUR)):
        step = found.maker.step(edge)
        batches += step.batches
        extras += step.extras
    return batches, extras, found


def said(batches: Iterable[kit.Batch], *device_ids: str) -> list[dict[str, Any]]:
    return [entry for b in batches if not device_ids or b.device_id in device_ids for entry in json.loads(b.readings)]


def values(batches: Iterable[kit.Batch], device_id: str, code: str) -> list[Any]:
    return [entry["value"] for entry in said(batches, device_id) if entry["code"] == code]


ALL = [
    "missed:r1:share=0.5", "stopped:ox2@4h..8h", "charging:band@6h..8h", "motion:ox:share=0.5", "cold_finger:ox",
    "loose_cuff:cuff", "clipped:ox2:share=0.5", "could_not_measure:cuff:share=0.5", "used_cold:thermometer",
    "wrong_person:ox2", "swapped:ox", "shared_kit:ox:people=5", "clock_skew:ox", "clock_drift:band", "clock_unset:cuff",
    "clock_dst:ox2", "buffered:band", "duplicated:kit", "reordered:band", "wifi_outage:h1@2h..9h",
    "gateway_reboot:h1@3h", "reconnect_storm:h1@1h..2h", "low_battery:band@1h..20h", "firmware:ox@5h",
    "forged_topic:ox@1h..2h", "flood:ox2@1h..1.1h", "malformed:cuff@1h..2h",
]  # fmt: skip


def test_every_kind_of_fault_is_tried_here() -> None:
    assert {text.partition(":")[0] for text in ALL} == set(catalogue.KINDS)


@settings(max_examples=15)
@given(
    st.lists(st.sampled_from(ALL), unique=True, max_size=6),
    st.lists(st.integers(AT + 1, AT + 24 * HOUR - 1), unique=True, max_size=8),
)
def test_however_time_is_cut_the_same_is_made(texts: list[str], cuts: list[int]) -> None:
    one, two = everything(*texts), everything(*texts, cuts=cuts)
    assert one[:2] == two[:2]
    assert one[2].truth(None, to=START + timedelta(days=1)) == two[2].truth(None, to=START + timedelta(days=1))


@settings(max_examples=15)
@given(st.lists(st.sampled_from(ALL), unique=True, max_size=8))
def test_whatever_goes_wrong_what_devices_say_of_themselves_is_by_the_contract(texts: list[str]) -> None:
    for seq, batch in enumerate(made(*texts), 1):
        payload = native.message("s", seq, 1, clock.from_ms(batch.sent_ms), batch.readings)
        message = decoder.decode(batch.device_id, payload)
        assert message.refusals == ()
        assert len(message.readings) == batch.count
        assert batch.taken_ms <= batch.created_ms <= batch.sent_ms


def test_a_stopped_device_says_nothing_and_is_back_afterwards() -> None:
    usual, stopped = made(), made("stopped:ox2@1h..8h")
    gone = [b for b in usual if b.device_id == "ox2" and b not in stopped]
    assert gone
    assert all(AT + HOUR <= batch.taken_ms < AT + 8 * HOUR for batch in gone)
    assert [b for b in stopped if b.device_id == "ox2"]


def test_forgotten_measurements_are_the_truth_of_what_is_overdue() -> None:
    _, _, found = everything("missed:r1:codes=spo2", hours=72)
    end = START + timedelta(days=3)
    overdue = [record for record in found.truth(end, to=end) if record["record"] == "overdue"]
    assert {(record["resident"], record["code"]) for record in overdue} == {("r1", "spo2")}
    assert len(overdue) == 8
    for record in overdue:
        assert clock.parsed(record["alarm_from"]) - clock.parsed(record["due_at"]) == timedelta(hours=1)
        assert record["measured_at"] is None


def test_artefacts_go_the_way_they_do() -> None:
    usual = made()
    cold = made("cold_finger:ox:share=1,flagged=1")
    for before, after in zip(values(usual, "ox", "spo2"), values(cold, "ox", "spo2"), strict=True):
        assert after is None or before - 13 <= after <= before - 2
    assert all(entry["flags"] == ["low_perfusion"] for entry in said(cold, "ox"))
    loose = made("loose_cuff:cuff:share=1")
    pairs = zip(values(usual, "cuff", "systolic"), values(loose, "cuff", "systolic"), strict=True)
    assert all(before + 9 <= after <= before + 41 for before, after in pairs)
    early = made("used_cold:thermometer")
    warm = zip(values(usual, "thermometer", "temperature"), values(early, "thermometer", "temperature"), strict=True)
    assert all(0.3 <= before - after <= 1.7 for before, after in warm)
    assert set(values(made("clipped:ox:share=1,codes=spo2"), "ox", "spo2")) == {50}
    assert values(made("clipped:ox:share=1,codes=spo2"), "ox", "pulse") == values(usual, "ox", "pulse")


def test_what_could_not_be_measured_says_why() -> None:
    failed = said(made("could_not_measure:cuff"), "cuff")
    assert failed
    assert {(entry["value"], entry["absent"]) for entry in failed} == {(None, "error")}


def test_swapped_devices_measure_each_others_residents() -> None:
    found = cast.Cast(units(), 5, START)
    found.add(faults.parse("swapped:ox", "f", found.targets, START))
    assert {fault.target: fault.word("with") for fault in found.script.all()} == {
        "device:ox": "ox2",
        "device:ox2": "ox",
    }
    swapped = found.maker.step(AT + 24 * HOUR).batches
    usual = made()
    for mine in ("ox", "ox2"):
        assert values(swapped, mine, "pulse") != values(usual, mine, "pulse")
    found.end_fault("f", START + timedelta(hours=1))
    assert not [fault for fault in found.script.all() if fault.active(AT + 2 * HOUR)]


def test_thirty_residents_share_a_kit_one_after_the_other_and_each_reading_says_whose_it_is() -> None:
    batches = [batch for batch in made() if batch.device_id == "kit"]
    morning = said([batch for batch in batches if batch.taken_ms < AT + 5 * HOUR])
    assert len({entry["subject"] for entry in morning}) == 30
    assert all(entry["source_id"] for entry in morning)
    times = [batch.taken_ms for batch in batches]
    assert len(set(times)) == len(times)


def test_a_kit_that_is_passed_round_without_a_word_looks_like_one_person() -> None:
    silent, named = said(made("shared_kit:ox:people=10"), "ox"), said(made("shared_kit:ox:people=10,named=yes"), "ox")
    assert not any("subject" in entry for entry in silent)
    assert all(entry["subject"].startswith("person ") for entry in named)


def test_what_cannot_leave_waits_in_order_and_leaves_when_it_can() -> None:
    held = [batch for batch in made("wifi_outage:h1@1h..9h") if batch.device_id in ("ox", "cuff", "band")]
    for batch in held:
        if AT + HOUR <= batch.created_ms < AT + 9 * HOUR:
            assert AT + 9 * HOUR <= batch.sent_ms < AT + 9 * HOUR + delivery.SPREAD_MS
        else:
            assert batch.sent_ms == batch.created_ms
    for device_id in ("ox", "band"):
        mine = [batch.created_ms for batch in held if batch.device_id == device_id]
        assert mine == sorted(mine)
    assert said(made("wifi_outage:h1@1h..9h"), "ox2") == said(made(), "ox2")


def test_an_outage_without_an_end_lets_go_when_somebody_ends_it() -> None:
    found = cast.Cast(units(), 5, START)
    fault = found.press("wifi_outage", "home:h1", START + timedelta(hours=1), None, {})
    assert not [b for b in found.maker.step(AT + 5 * HOUR).batches if b.device_id == "ox"]
    waiting, lost = found.maker.waiting("ox")
    assert (waiting > 0, lost) == (True, 0)
    assert found.maker.is_down("ox", AT + 5 * HOUR)
    found.end_fault(fault.id, START + timedelta(hours=5))
    released = [b for b in found.maker.step(AT + 6 * HOUR).batches if b.device_id == "ox"]
    assert len(released) >= waiting
    assert all(batch.sent_ms > AT + 5 * HOUR for batch in released)
    assert not found.maker.is_down("ox", AT + 5 * HOUR)


@settings(max_examples=20)
@given(st.lists(st.integers(AT + 1, AT + 30 * HOUR), unique=True, max_size=6))
def test_a_full_memory_loses_the_oldest_whatever_the_steps(cuts: list[int]) -> None:
    def run(edges: Iterable[int]) -> tuple[list[kit.Batch], tuple[int, int]]:
        mine = [unit for unit in units() if unit.device_id == "thermometer"]
        mine[0].cadence = mine[0].cadence.paced(600)
        rule = script.Script([faults.Fault("f", "wifi_outage", "home:h1", AT + HOUR, AT + 20 * HOUR)])
        maker = making.Maker(mine, rule, AT)
        return [b for edge in (*sorted(edges), AT + 31 * HOUR) for b in maker.step(edge).batches], maker.waiting(
            "thermometer"
        )

    batches, (waiting, lost) = run(cuts)
    assert (batches, (waiting, lost)) == run(())
    assert waiting == 0
    assert lost == 19 * 6 - 30
    late = [batch for batch in batches if batch.sent_ms != batch.created_ms]
    assert len(late) == 30
    assert min(batch.created_ms for batch in late) > AT + 14 * HOUR


def test_buffered_readings_leave_together() -> None:
    sent = {b.sent_ms for b in made("buffered:band:hours=6", hours=25) if b.device_id == "band"}
    assert len({at // HOUR for at in sent}) == 4


def test_duplicates_and_messages_that_are_overtaken() -> None:
    assert {b.copies for b in made("duplicated:ox:times=3") if b.device_id == "ox"} == {3}
    band = [b for b in made("reordered:band:seconds=1500,share=0.5") if b.device_id == "band"]
    sent = [batch.sent_ms for batch in band]
    assert sent != sorted(sent)
    assert {batch.sent_ms - batch.created_ms for batch in band} == {0, 1_500_000}


def test_a_low_battery_is_told_sinks_and_ends_the_device() -> None:
    _, extras, found = everything("low_battery:band:charge=0.2", hours=30)
    told = [json.loads(extra.payload)["battery"] for extra in extras if extra.device_id == "band"]
    assert told == sorted(told, reverse=True)
    assert min(told) <= 0.05
    assert found.maker.is_down("band", AT + 25 * HOUR)
    batches = made("low_battery:band:charge=0.2", hours=30)
    assert max(b.taken_ms for b in batches if b.device_id == "band") < AT + 24 * HOUR


def test_firmware_is_told() -> None:
    _, extras, _ = everything("firmware:ox:version=0.1.2@5h")
    assert "0.1.2" in {json.loads(extra.payload)["firmware"] for extra in extras if extra.device_id == "ox"}


def test_malicious_devices_use_their_own_credentials_and_nothing_else() -> None:
    _, extras, _ = everything("forged_topic:ox:per_minute=2@1h..1.5h")
    forged = [extra for extra in extras if not extra.retain]
    assert len(forged) == 60
    assert {(extra.device_id, extra.topic) for extra in forged} == {("ox", "telehealth/v1/cuff/readings")}
    _, extras, _ = everything("flood:ox:per_minute=600@1h..1.1h")
    assert len([extra for extra in extras if not extra.retain]) == 3600
    _, extras, _ = everything("malformed:ox:per_minute=10@1h..1.05h")
    nonsense = [decoder.decode("ox", extra.payload) for extra in extras if not extra.retain]
    assert len(nonsense) == 30
    assert all(message.refusals for message in nonsense)
    assert len({refusal.error for message in nonsense for refusal in message.refusals}) >= 6


@pytest.mark.parametrize("kind", list(catalogue.KINDS))
def test_a_fault_of_any_kind_can_be_pressed_and_let_go(kind: str) -> None:
    found = cast.Cast(units(), 5, START)
    place = catalogue.KINDS[kind].targets[0]
    target = {"device": "device:ox", "resident": "resident:r1", "home": "home:h1"}[place]
    fault = found.press(kind, target, START, catalogue.KINDS[kind].minutes, {})
    found.maker.step(AT + HOUR)
    ended = found.end_fault(fault.id, START + timedelta(hours=1))
    assert not ended.active(AT + HOUR)
    assert [
        record["kind"] for record in found.truth(None, to=START + timedelta(hours=2)) if record["record"] == "fault"
    ]
    found.maker.step(AT + 3 * HOUR)
    assert not found.maker.is_down("ox", AT + 3 * HOUR)
