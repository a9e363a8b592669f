from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import message
from tests.unit.devices.foreign import JSON, decoded, errors, nearly, values


def frame(**fields: Any) -> dict[str, Any]:
    """A person of 60.8 kg on a body scale, with fields replaced or (None) left out."""
    whole = {
        "id": "AA:BB:CC:DD:EE:FF",
        "name": "MIBFS",
        "rssi": -61,
        "brand": "Xiaomi",
        "model": "Mi Body Composition Scale",
        "model_id": "XMTZC02HM/XMTZC05HM",
        "type": "SCALE",
        "weighing_mode": "person",
        "unit": "kg",
        "weight": 60.8,
        "impedance": 503,
    }
    return {name: value for name, value in (whole | fields).items() if value is not None}


def sensor(**fields: Any) -> dict[str, Any]:
    return {"id": "AA:BB:CC:DD:EE:FF", "rssi": -70, "brand": "Polar", "model_id": "H10", "type": "BODY", **fields}


def test_a_scale() -> None:
    got = decoded("theengs", frame())
    (one,) = got.readings
    assert (one.code, one.value, one.unit, one.taken_at) == ("weight", 60.8, "kg", None)
    assert (one.context, got.refusals, got.id) == ({"sensor": "AA:BB:CC:DD:EE:FF"}, (), got.digest)
    (one,) = decoded("theengs", frame(unit="lb", weight=157.25)).readings
    assert (one.value, message.unit_token(one)) == (71.3274001825, "lb")
    (one,) = decoded("theengs", frame(weighing_mode=None, model_id="XMTZC04HM")).readings
    assert one.value == 60.8


def test_heart_rates_and_steps() -> None:
    assert values(decoded("theengs", sensor(bpm=64))) == {"pulse": 64}
    pulse, steps = decoded("theengs", sensor(act_bpm=121, steps=7841, model_id="MB/SW")).readings
    assert (pulse.code, pulse.flags, steps.code, steps.value, steps.flags) == (
        "pulse",
        ("activity",),
        "steps",
        7841,
        ("partial_day",),
    )


def test_a_temperature_in_two_units_is_one_reading() -> None:
    (one,) = decoded("theengs", sensor(tempf=98.6, tempc=37)).readings
    assert (one.code, one.value, message.unit_token(one)) == ("temperature", 37, "Cel")
    (one,) = decoded("theengs", sensor(tempf=98.6)).readings
    assert (one.value, message.unit_token(one)) == (37, "[degF]")


@pytest.mark.parametrize(
    ("content", "error", "field"),
    [
        # Rooms, fridges and grills.
        (sensor(type="THB", model_id="LYWSD03MMC", tempc=36.6, tempf=97.88, hum=40), "not_a_person", "tempc"),
        (sensor(type="THBX", model_id="CGP1W", tempc=21), "not_a_person", "tempc"),
        (sensor(type="BBQ", model_id="IBT-2X", tempc=60, tempc1=37), "not_a_person", "tempc"),
        ({"id": "x", "model_id": "T201", "tempf": 98.6}, "not_a_person", "tempf"),
        # A parcel on the scale, and a scale for coffee.
        (frame(weighing_mode="object"), "not_a_person", "weighing_mode"),
        (frame(weighing_mode=None, mode="object"), "not_a_person", "weighing_mode"),
        ({"id": "x", "model_id": "SKALE", "type": "SCALE", "weight": 18.3}, "not_a_person", "weight"),
        (frame(unit="jin"), "unit_unknown", "unit"),
        (frame(unit=None), "unit_missing", "unit"),
        (frame(weight="60.8"), "value_not_number", "weight"),
        (frame(weight=608), "value_impossible", "weight"),
        (sensor(bpm=0), "value_impossible", "bpm"),
        (sensor(bpm=float("nan")), "value_not_finite", "bpm"),
        ({"id": "AA:BB:CC:DD:EE:FF", "rssi": -50, "txpower": 12}, "nothing_measured", None),
        (sensor(model_id="ORALB_BT", state="idle", mode="off"), "nothing_measured", None),
        (sensor(bpm=64, time="noon"), "taken_at_invalid", "time"),
        (sensor(bpm=64, unixtime=-9999999999), "taken_at_out_of_range", "unixtime"),
        (3, "schema", "frames"),
    ],
)
def test_refusals(content: Any, error: str, field: str | None) -> None:
    got = decoded("theengs", [content, frame()])
    assert errors(got) == [(error, field, 0)]
    assert [one.index for one in got.readings] == [1]


@pytest.mark.parametrize(
    ("fields", "taken_at", "local"),
    [
        ({"UTCtime": "2026-03-02T11:59:00Z"}, datetime(2026, 3, 2, 11, 59, tzinfo=UTC), None),
        ({"unixtime": 1772452740}, datetime(2026, 3, 2, 11, 59, tzinfo=UTC), None),
        ({"timestamp": "2026-03-02T11:59:00+00:00"}, datetime(2026, 3, 2, 11, 59, tzinfo=UTC), None),
        ({"time": "2026-03-02T11:59:00"}, None, datetime(2026, 3, 2, 11, 59)),  # noqa: DTZ001
        ({}, None, None),
    ],
)
def test_times(fields: dict[str, Any], taken_at: datetime | None, local: datetime | None) -> None:
    (one,) = decoded("theengs", frame(**fields)).readings
    assert (one.taken_at, one.local_time) == (taken_at, local)


def test_envelopes() -> None:
    given_time = {"stream": "s", "seq": 1, "taken_at": "2026-03-02T11:59:00Z", "subject": "bed-3", "frames": [frame()]}
    got = decoded("theengs", given_time)
    (one,) = got.readings
    assert (got.seq, one.taken_at, one.subject) == (1, datetime(2026, 3, 2, 11, 59, tzinfo=UTC), "bed-3")
    assert errors(decoded("theengs", [{}] * 1001)) == [("too_many_readings", "frames", None)]
    assert errors(decoded("theengs", b"3")) == [("schema", "frames", None)]


@given(st.decimals(30, 250, places=2))
def test_what_was_put_in_comes_out(value: Any) -> None:
    (kilograms,) = decoded("theengs", frame(weight=float(value))).readings
    (pounds,) = decoded("theengs", frame(weight=float(value), unit="lb")).readings
    assert (kilograms.value, message.unit_token(kilograms)) == (float(value), "kg")
    assert (pounds.value, message.unit_token(pounds)) == (float(value * Decimal("0.45359237")), "lb")


@given(JSON)
def test_decode_never_raises_on_json(content: Any) -> None:
    decoded("theengs", content)


@given(nearly(frame(), sensor(bpm=3, steps=4, tempc=5, unixtime=6), {"id": "m", "frames": [frame(time="noon")]}))
def test_decode_never_raises_on_what_is_nearly_valid(content: Any) -> None:
    decoded("theengs", content)
