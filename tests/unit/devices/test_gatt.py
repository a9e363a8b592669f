"""Bluetooth characteristics: what each says, from bytes written by the specification."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import catalogue, message
from devices.gatt import decoder
from devices.message import Reading
from tests.unit.devices import gatt_frames as sent
from tests.unit.devices.payloads import errors

LOCAL = datetime(2026, 10, 25, 1, 30, 15)  # noqa: DTZ001 - what a device shows has no zone


def read(characteristic: str, data: bytes) -> tuple[Reading, ...]:
    got = decoder.decode_frame("hub-1", characteristic, data)
    assert got.refusals == ()
    return got.readings


def values(readings: tuple[Reading, ...]) -> dict[str, float | None]:
    return {one.code: one.value for one in readings}


# Blood pressure


def test_a_cuff_gives_one_set_with_slot_and_flags() -> None:
    data = sent.cuff(
        *map(sent.sfloat, (138, 88, 105)), at=sent.TIME, pulse=sent.sfloat(604, -1), user=2, status=0b10_0111
    )
    readings = read("2A35", data)
    assert values(readings) == {"systolic": 138, "diastolic": 88, "mean_arterial": 105, "pulse": 60.4}
    assert len({one.set for one in readings}) == 1
    assert readings[0].set is not None
    for one in readings:
        assert one.context == {"user_slot": 2}
        assert one.flags == ("motion", "cuff_loose", "irregular_pulse", "position")
        assert (one.taken_at, one.local_time) == (None, LOCAL)


def test_a_cuff_in_kilopascals_keeps_what_it_sent() -> None:
    readings = read("2A35", sent.cuff(sent.sfloat(160, -1), sent.sfloat(106, -1), sent.sfloat(sent.NAN), kpa=True))
    systolic, _, mean = readings
    assert systolic.value == float(Decimal(16000) / Decimal("133.322387415"))
    assert (message.value_token(systolic), message.unit_token(systolic)) == ("16.0", "kPa")
    assert (mean.value, mean.absent, message.value_token(mean)) == (None, "not-a-number", "null")


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (0, ()),
        (0b0_1000, ("pulse_above_range",)),
        (0b1_0000, ("pulse_below_range",)),
        (0b1_1000, ()),  # reserved
        (0xFFC0, ()),  # reserved
    ],
)
def test_the_pulse_range_of_a_cuff(status: int, flags: tuple[str, ...]) -> None:
    readings = read("2A35", sent.cuff(*map(sent.sfloat, (120, 80, 90)), status=status))
    assert readings[0].flags == flags


def test_an_unknown_user_of_a_cuff_or_scale_is_no_slot() -> None:
    assert read("2A35", sent.cuff(*map(sent.sfloat, (120, 80, 90)), user=0xFF))[0].context is None
    assert read("2A9D", sent.scale(14000, user=0xFF))[0].context is None
    assert read("2A9D", sent.scale(14000, user=0))[0].context == {"user_slot": 0}


def test_a_pressure_that_cannot_be_costs_only_itself() -> None:
    got = decoder.decode_frame("hub-1", "2A35", sent.cuff(*map(sent.sfloat, (120, 80, 0))))
    assert values(got.readings) == {"systolic": 120, "diastolic": 80}
    assert errors(got) == [("value_impossible", "hex", 0)]
    assert got.refusals[0].detail.startswith("mean_arterial: ")


@pytest.mark.parametrize(
    ("mantissa", "absent"),
    [
        (sent.NAN, "not-a-number"),
        (sent.POSITIVE, "positive-infinity"),
        (sent.NEGATIVE, "negative-infinity"),
        (sent.NRES, "error"),
        (sent.RESERVED, "error"),
    ],
)
def test_a_special_value_is_a_reading_without_value_for_its_reason(mantissa: int, absent: str) -> None:
    special = sent.sfloat(mantissa)
    frames = {
        "2A35": sent.cuff(special, special, special, pulse=special),
        "2A5E": sent.spot(special, special),
        "2A5F": sent.continuous(special, special),
        "2A18": sent.meter(1, sent.TIME, value=special),
    }
    for characteristic, data in frames.items():
        for one in read(characteristic, data):
            assert (one.value, one.absent, one.unit) == (None, absent, catalogue.ENTRIES[one.code].unit)


# Oximeters


def test_a_spot_check_with_everything() -> None:
    data = sent.spot(
        sent.sfloat(965, -1), sent.sfloat(72), at=sent.TIME, status=1 << 7, sensor=1 << 5, amplitude=sent.sfloat(18, -1)
    )
    spo2, pulse = read("2A5E", data)
    assert (spo2.value, message.value_token(spo2), pulse.value) == (96.5, "96.5", 72)
    assert spo2.flags == ("low_perfusion", "validated")
    assert spo2.context == {"pulse_amplitude": 1.8}
    assert spo2.set == pulse.set is not None
    assert spo2.local_time == LOCAL


def test_the_fast_and_slow_values_of_an_oximeter_are_not_taken_for_others() -> None:
    pair = sent.sfloat(90) + sent.sfloat(60)
    data = sent.continuous(
        sent.sfloat(97),
        sent.sfloat(71),
        fast=pair,
        slow=pair,
        status=1 << 14,
        sensor=1 << 11,
        amplitude=sent.sfloat(sent.NAN),
    )
    readings = read("2A5F", data)
    assert values(readings) == {"spo2": 97, "pulse": 71}
    assert readings[0].flags == ("questionable", "sensor_off")
    assert readings[0].context is None
    short = decoder.decode_frame("hub-1", "2A5F", sent.continuous(sent.sfloat(97), sent.sfloat(71), fast=pair[:2]))
    assert errors(short) == [("frame_too_short", "hex", 0)]


@pytest.mark.parametrize(
    ("bit", "absent"),
    [(13, "not-performed"), (10, "not-performed"), (11, "not-performed"), (15, "error"), (14, None), (5, None)],
)
def test_what_an_oximeter_says_of_its_measurement_is_respected(bit: int, absent: str | None) -> None:
    for characteristic, data in (
        ("2A5E", sent.spot(sent.sfloat(80), sent.sfloat(60), status=1 << bit)),
        ("2A5F", sent.continuous(sent.sfloat(80), sent.sfloat(60), status=1 << bit)),
    ):
        for one in read(characteristic, data):
            assert one.absent == absent
            assert (one.value is None) == (absent is not None)


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**24 - 1))
def test_every_status_of_an_oximeter_has_room(status: int, sensor: int) -> None:
    for one in read("2A5E", sent.spot(sent.sfloat(97), sent.sfloat(60), status=status, sensor=sensor)):
        assert len(one.flags) <= 16
        assert len(set(one.flags)) == len(one.flags)
        assert ("invalid" in one.flags) == bool(status >> 15 & 1)


# Thermometers, scales, heart rate


@pytest.mark.parametrize(
    ("data", "value", "token", "unit"),
    [
        (sent.thermometer(sent.float32(364, -1)), 36.4, "36.4", "Cel"),
        (sent.thermometer(sent.float32(3660, -2)), 36.6, "36.60", "Cel"),
        (sent.thermometer(sent.float32(986, -1), fahrenheit=True), 37.0, "98.6", "[degF]"),
        (sent.thermometer(sent.float32(37)), 37.0, "37", "Cel"),
    ],
)
def test_a_temperature_is_exact(data: bytes, value: float, token: str, unit: str) -> None:
    (one,) = read("2A1C", data)
    assert (one.value, message.value_token(one), message.unit_token(one)) == (value, token, unit)


@pytest.mark.parametrize(
    ("site", "context"), [(1, "armpit"), (2, "body"), (3, "ear"), (6, "mouth"), (9, "tympanum"), (0, None), (10, None)]
)
def test_the_site_of_a_temperature(site: int, context: str | None) -> None:
    (one,) = read("2A1C", sent.thermometer(sent.float32(37), at=sent.TIME, site=site))
    assert one.context == (None if context is None else {"site": context})
    assert one.local_time == LOCAL


def test_weights() -> None:
    (kg,) = read("2A9D", sent.scale(14121, at=sent.TIME, user=3, body=(245, 1700)))
    assert (kg.value, message.value_token(kg), message.unit_token(kg)) == (70.605, "70.605", "kg")
    assert (kg.context, kg.local_time) == ({"user_slot": 3}, LOCAL)
    (lb,) = read("2A9D", sent.scale(15000, imperial=True))
    assert (lb.value, message.value_token(lb), message.unit_token(lb)) == (68.0388555, "150", "[lb_av]")
    (failed,) = read("2A9D", sent.scale(0xFFFF))
    assert (failed.value, failed.absent) == (None, "error")


def test_heart_rates() -> None:
    assert values(read("2A37", sent.heart_rate(72))) == {"pulse": 72}
    assert values(read("2A37", sent.heart_rate(300, wide=True, energy=100, intervals=(800, 810)))) == {"pulse": 300}
    assert read("2A37", sent.heart_rate(72, contact=3))[0].flags == ()
    assert read("2A37", sent.heart_rate(72, contact=2))[0].flags == ("no_contact",)
    (off,) = read("2A37", sent.heart_rate(0, contact=2))
    assert (off.value, off.absent) == (None, "not-performed")
    assert errors(decoder.decode_frame("hub-1", "2A37", sent.heart_rate(0))) == [("value_impossible", "hex", 0)]


# Glucose


def test_glucose_by_mole_and_by_mass_is_exact() -> None:
    (mole,) = read("2A18", sent.meter(12, sent.TIME, value=sent.sfloat(55, -4), mol=True, kinds=0x21))
    assert (mole.value, message.value_token(mole), message.unit_token(mole)) == (5.5, "0.0055", "mol/L")
    assert mole.context == {"site": "alternate_site", "sample": "capillary_blood"}
    assert mole.source_id == "12"
    (mass,) = read("2A18", sent.meter(12, sent.TIME, value=sent.sfloat(99, -5)))
    assert mass.value == float(Decimal(990) / Decimal("180.156"))
    assert message.unit_token(mass) == "kg/L"


def test_glucose_is_timed_by_base_and_offset() -> None:
    value = sent.sfloat(55, -4)
    (one,) = read("2A18", sent.meter(1, sent.TIME, offset=-90, value=value, mol=True))
    assert one.local_time == datetime(2026, 10, 25, 0, 0, 15)  # noqa: DTZ001
    (other,) = read("2A18", sent.meter(1, (2026, 12, 31, 23, 59, 0), offset=2, value=value, mol=True))
    assert other.local_time == datetime(2027, 1, 1, 0, 1, 0)  # noqa: DTZ001


@pytest.mark.parametrize("offset", [0x7FFF, -0x8000])
def test_a_meter_whose_clock_was_moved_too_far_to_tell_has_no_time(offset: int) -> None:
    (one,) = read("2A18", sent.meter(9, sent.TIME, offset=offset, value=sent.sfloat(61, -4), mol=True))
    assert (one.value, one.taken_at, one.local_time, one.flags) == (6.1, None, None, ("clock_not_set",))


@pytest.mark.parametrize(
    ("status", "absent"),
    [(None, "unknown"), (1 << 5, "positive-infinity"), (1 << 6, "negative-infinity"), (6, "error")],
)
def test_a_glucose_without_concentration(status: int | None, absent: str) -> None:
    (one,) = read("2A18", sent.meter(1, sent.TIME, status=status))
    assert (one.value, one.absent) == (None, absent)


@pytest.mark.parametrize("kinds", [0x1A, 0x41])
def test_control_solution_is_no_measurement_of_anybody(kinds: int) -> None:
    got = decoder.decode_frame("hub-1", "2A18", sent.meter(1, sent.TIME, value=sent.sfloat(55, -4), kinds=kinds))
    assert (got.readings, errors(got)) == ((), [("control_solution", "hex", 0)])


def test_what_a_meter_says_of_its_measurement() -> None:
    (one,) = read("2A18", sent.meter(1, sent.TIME, value=sent.sfloat(55, -4), mol=True, status=1 | 1 << 11))
    assert one.flags == ("time_fault", "battery_low")


def test_the_context_of_a_glucose_goes_with_the_measurement_of_its_number() -> None:
    value = sent.sfloat(55, -4)
    context = bytes([0b0000_0111]) + (8).to_bytes(2, "little") + bytes([1]) + sent.sfloat(45, -3) + bytes([2, 0x21])
    frames = [
        sent.frame("2A18", sent.meter(7, sent.TIME, value=value, mol=True)),
        sent.frame("2A18", sent.meter(8, sent.TIME, value=value, mol=True, context_follows=True)),
        sent.frame("2A34", context),
    ]
    for order in (frames, [frames[2], *frames[:2]]):
        got = sent.decode(*order)
        assert got.refusals == ()
        by_number = {one.source_id: one.context for one in got.readings}
        assert by_number == {
            "7": {"site": "finger", "sample": "capillary_blood"},
            "8": {
                "site": "finger",
                "sample": "capillary_blood",
                "meal": "after_meal",
                "carbs_g": 45.0,
                "health": "major_issues",
                "tester": "self",
                "carbs_of": "breakfast",
            },
        }


def test_a_context_with_everything_keeps_what_has_room() -> None:
    context = bytes([0xFF, 8, 0, 0, 7]) + sent.sfloat(45, -3) + bytes([3, 0xF1]) + (600).to_bytes(2, "little")
    context += bytes([80, 2]) + sent.sfloat(4, -3) + sent.sfloat(65, -1)
    meter = sent.frame("2A18", sent.meter(8, sent.TIME, value=sent.sfloat(55, -4), mol=True))
    got = sent.decode(meter, sent.frame("2A34", context))
    assert got.refusals == ()
    assert got.readings[0].context == {
        "site": "finger",
        "sample": "capillary_blood",
        "meal": "fasting",
        "carbs_g": 45.0,
        "medication": "short_insulin",
        "medication_ml": 4.0,
        "tester": "self",
        "carbs_of": "brunch",
    }
    for length in range(len(context)):
        cut = sent.decode(meter, sent.frame("2A34", context[:length]))
        assert errors(cut) == [("frame_too_short", "hex", 1)]


def test_a_context_alone_is_refused() -> None:
    got = sent.decode(sent.frame("2A37", sent.heart_rate(72)), sent.frame("2A34", bytes([2, 9, 0, 1])))
    assert errors(got) == [("context_alone", "hex", 1)]
    assert values(got.readings) == {"pulse": 72}


# Times and lengths


@pytest.mark.parametrize(
    ("at", "local", "flags"),
    [
        ((2026, 2, 28, 23, 59, 59), datetime(2026, 2, 28, 23, 59, 59), ()),  # noqa: DTZ001
        ((0, 2, 28, 1, 1, 1), None, ()),
        ((2026, 0, 28, 1, 1, 1), None, ()),
        ((2026, 2, 0, 1, 1, 1), None, ()),
        ((2026, 2, 30, 1, 1, 1), None, ("clock_not_set",)),
        ((2026, 2, 28, 24, 0, 0), None, ("clock_not_set",)),
        ((0xFFFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF), None, ("clock_not_set",)),
        ((1600, 1, 1, 0, 0, 0), None, ("clock_not_set",)),
    ],
)
def test_times_of_devices(
    at: tuple[int, int, int, int, int, int], local: datetime | None, flags: tuple[str, ...]
) -> None:
    (one,) = read("2A9D", sent.scale(14000, at=at))
    assert (one.taken_at, one.local_time, one.flags) == (None, local, flags)


FULL = {
    "2A35": sent.cuff(*map(sent.sfloat, (120, 80, 90)), at=sent.TIME, pulse=sent.sfloat(60), user=1, status=0),
    "2A5E": sent.spot(
        sent.sfloat(97), sent.sfloat(60), at=sent.TIME, status=0, sensor=0, amplitude=sent.sfloat(1), clock_not_set=True
    ),
    "2A5F": sent.continuous(
        sent.sfloat(97), sent.sfloat(60), fast=bytes(4), slow=bytes(4), status=0, sensor=0, amplitude=sent.sfloat(1)
    ),
    "2A1C": sent.thermometer(sent.float32(37), at=sent.TIME, site=1),
    "2A9D": sent.scale(14000, at=sent.TIME, user=1, body=(1, 1)),
    "2A18": sent.meter(1, sent.TIME, offset=0, value=sent.sfloat(55, -4), mol=True, status=0),
    "2A37": sent.heart_rate(72, wide=True, energy=1),
}


@pytest.mark.parametrize("characteristic", FULL)
def test_a_frame_that_ends_too_early_is_refused_and_bytes_after_its_end_are_ignored(characteristic: str) -> None:
    whole = FULL[characteristic]
    expected = read(characteristic, whole)
    assert expected
    for length in range(len(whole)):
        got = decoder.decode_frame("hub-1", characteristic, whole[:length])
        assert (got.readings, errors(got)) == ((), [("frame_too_short", "hex", 0)])
    longer = read(characteristic, whole + b"\x01\x02\x03")
    assert [(one.code, one.value) for one in longer] == [(one.code, one.value) for one in expected]


@pytest.mark.parametrize("characteristic", FULL)
def test_reserved_bits_are_ignored(characteristic: str) -> None:
    whole = FULL[characteristic]
    reserved = {"2A5E": 0xE0, "2A5F": 0xE0, "2A18": 0xE0, "2A37": 0xE0, "2A35": 0xE0, "2A1C": 0xF8, "2A9D": 0xF0}
    changed = bytes([whole[0] | reserved[characteristic]]) + whole[1:]
    assert values(read(characteristic, changed)) == values(read(characteristic, whole))


# Whatever the bytes


@given(st.sampled_from(sorted(decoder.CHARACTERISTICS)), st.binary(max_size=64))
def test_random_frames_never_raise(characteristic: str, data: bytes) -> None:
    got = decoder.decode_frame("hub-1", characteristic, data)
    assert got.readings or got.refusals
    for one in got.readings:
        assert (one.value is None) == (one.absent is not None)
        assert one.identity.int == 0


@given(
    st.tuples(*[st.tuples(st.integers(300, 1500), st.just(-1))] * 3),
    st.booleans(),
    st.none() | st.datetimes(datetime(1902, 1, 1), datetime(2198, 1, 1)),  # noqa: DTZ001
    st.none() | st.integers(30, 200),
    st.none() | st.integers(0, 254),
    st.none() | st.integers(0, 2**16 - 1),
)
def test_what_a_cuff_encodes_is_what_is_read(
    pressures: tuple[tuple[int, int], ...],
    kpa: bool,
    at: datetime | None,
    pulse: int | None,
    user: int | None,
    status: int | None,
) -> None:
    data = sent.cuff(
        *(sent.sfloat(*one) for one in pressures),
        kpa=kpa,
        at=None if at is None else (at.year, at.month, at.day, at.hour, at.minute, at.second),
        pulse=None if pulse is None else sent.sfloat(pulse),
        user=user,
        status=status,
    )
    got = decoder.decode_frame("hub-1", "2A35", data)
    tokens = {one.code: message.value_token(one) for one in got.readings}
    for code, (mantissa, exponent) in zip(("systolic", "diastolic", "mean_arterial"), pressures, strict=True):
        if code in tokens:
            assert Decimal(tokens[code]) == Decimal(mantissa).scaleb(exponent)
    assert tokens.get("pulse") == (None if pulse is None else str(pulse))
    assert len(tokens) + len(got.refusals) == 3 + (pulse is not None)
    for one in got.readings:
        assert one.local_time == (None if at is None else at.replace(microsecond=0))
        assert one.context == (None if user is None else {"user_slot": user})


@given(st.integers(0, 0xFFFE), st.booleans(), st.none() | st.integers(0, 254))
def test_what_a_scale_encodes_is_what_is_read(raw: int, imperial: bool, user: int | None) -> None:
    got = decoder.decode_frame("hub-1", "2A9D", sent.scale(raw, imperial=imperial, user=user))
    exact = Fraction(raw, 100) * Fraction("0.45359237") if imperial else Fraction(raw * 5, 1000)
    if 10 <= exact <= 500:
        (one,) = got.readings
        assert one.value == float(exact)
        assert Fraction(message.value_token(one)) == (Fraction(raw, 100) if imperial else exact)
        assert one.context == (None if user is None else {"user_slot": user})
    else:
        assert errors(got) == [("value_impossible", "hex", 0)]


@given(st.integers(20_000, 46_000), st.sampled_from([-3]), st.booleans())
def test_what_a_thermometer_encodes_is_what_is_read(mantissa: int, exponent: int, fahrenheit: bool) -> None:
    celsius = Fraction(mantissa, 1000)
    encoded = round(celsius * 9 / 5 * 1000 + 32_000) if fahrenheit else mantissa
    got = decoder.decode_frame(
        "hub-1", "2A1C", sent.thermometer(sent.float32(encoded, exponent), fahrenheit=fahrenheit)
    )
    exact = (Fraction(encoded, 1000) - 32) * 5 / 9 if fahrenheit else celsius
    if 20 <= exact <= 46:
        assert got.readings[0].value == float(exact)
        assert Fraction(message.value_token(got.readings[0])) == Fraction(encoded, 1000)


@given(
    st.integers(0, 0xFFFF),
    st.datetimes(datetime(1902, 1, 1), datetime(2198, 1, 1)),  # noqa: DTZ001
    st.none() | st.integers(-32768, 32767),
    st.integers(4, 790),
)
def test_what_a_meter_encodes_is_what_is_read(sequence: int, at: datetime, offset: int | None, tenths: int) -> None:
    at = at.replace(microsecond=0)
    base = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    (one,) = read("2A18", sent.meter(sequence, base, offset=offset, value=sent.sfloat(tenths, -4), mol=True))
    assert (one.value, one.source_id) == (tenths / 10, str(sequence))
    assert one.local_time == at + timedelta(minutes=offset or 0)


@given(st.integers(100, 1000), st.integers(10, 350), st.none() | st.integers(0, 2047 - 3))
def test_what_an_oximeter_encodes_is_what_is_read(tenths: int, pulse: int, amplitude: int | None) -> None:
    index = None if amplitude is None else sent.sfloat(amplitude, -2)
    spo2, rate = sent.sfloat(tenths, -1), sent.sfloat(pulse)
    for characteristic, data in (
        ("2A5E", sent.spot(spo2, rate, amplitude=index)),
        ("2A5F", sent.continuous(spo2, rate, amplitude=index)),
    ):
        readings = read(characteristic, data)
        assert values(readings) == {"spo2": tenths / 10, "pulse": pulse}
        assert readings[0].context == (None if amplitude is None else {"pulse_amplitude": amplitude / 100})


@pytest.mark.parametrize(
    ("mantissa", "absent"),
    [
        (0x7FFFFF, "not-a-number"),
        (0x7FFFFE, "positive-infinity"),
        (0x800002, "negative-infinity"),
        (0x800000, "error"),
        (0x800001, "error"),
    ],
)
def test_a_thermometer_without_a_temperature(mantissa: int, absent: str) -> None:
    (one,) = read("2A1C", sent.thermometer(sent.float32(mantissa), at=sent.TIME, site=3))
    assert (one.value, one.absent, one.context) == (None, absent, {"site": "ear"})
