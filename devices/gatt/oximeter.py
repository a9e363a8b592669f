"""2A5E and 2A5F, PLX Spot-Check and PLX Continuous Measurement."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from devices import timing
from devices.gatt.frame import NOTHING, Context, Cursor, Frame, measured, named
from devices.message import Absent

#: Nothing was measured, or not on a resident: the value is of a demonstration or a test of the device.
_NOT_PERFORMED: Final = 1 << 10 | 1 << 11 | 1 << 13
_INVALID: Final = 1 << 15
#: What matters most first: a reading has room for 16 flags.
_STATUS: Final = (
    (15, "invalid"),
    (13, "unavailable"),
    (14, "questionable"),
    (10, "demonstration"),
    (11, "test_data"),
    (12, "calibrating"),
    (6, "early_estimate"),
    (5, "ongoing"),
)
#: That nothing is wrong, or that it is an old value, in the place that is left.
_ASSURANCES: Final = ((9, "from_storage"), (7, "validated"), (8, "fully_qualified"))
_SENSOR: Final = (
    (11, "sensor_off"),
    (15, "sensor_unplugged"),
    (14, "sensor_fault"),
    (1, "device_fault"),
    (13, "sensor_displaced"),
    (12, "sensor_unknown"),
    (5, "low_perfusion"),
    (4, "poor_signal"),
    (3, "inadequate_signal"),
    (6, "erratic_signal"),
    (7, "nonpulsatile_signal"),
    (8, "questionable_pulse"),
    (10, "interference"),
    (2, "signal_irregular"),
    (9, "analysing"),
    (0, "display_updating"),
)


def read_spot(cursor: Cursor) -> Frame:
    """A spot check: one saturation and pulse, perhaps of the device's store."""
    flags = cursor.unsigned(1, "flags")
    spo2, pulse = cursor.sfloat("spo2"), cursor.sfloat("pulse")
    local_time = cursor.time() if flags & 0x01 else None
    status = cursor.unsigned(2, "measurement status") if flags & 0x02 else 0
    sensor = cursor.unsigned(3, "device and sensor status") if flags & 0x04 else 0
    context = _amplitude(cursor) if flags & 0x08 else NOTHING
    clock = (timing.CLOCK_NOT_SET,) if flags & 0x10 else ()
    return _frame(spo2, pulse, status, sensor, context, clock, local_time)


def read_continuous(cursor: Cursor) -> Frame:
    """One notification of a continuous measurement: the normal pair. The same pair by a fast and by a slow filter,
    which may follow, is checked for its length and left out: it is no other measurement.
    """
    flags = cursor.unsigned(1, "flags")
    spo2, pulse = cursor.sfloat("spo2"), cursor.sfloat("pulse")
    for bit, name in ((0x01, "fast"), (0x02, "slow")):
        if flags & bit:
            cursor.sfloat(f"{name} spo2")
            cursor.sfloat(f"{name} pulse")
    status = cursor.unsigned(2, "measurement status") if flags & 0x04 else 0
    sensor = cursor.unsigned(3, "device and sensor status") if flags & 0x08 else 0
    context = _amplitude(cursor) if flags & 0x10 else NOTHING
    return _frame(spo2, pulse, status, sensor, context)


def _frame(
    spo2: Decimal | Absent,
    pulse: Decimal | Absent,
    status: int,
    sensor: int,
    context: Context,
    clock: tuple[str, ...] = (),
    local_time: datetime | None = None,
) -> Frame:
    reason: Absent | None = None
    if status & _NOT_PERFORMED:
        reason = "not-performed"
    elif status & _INVALID:
        reason = "error"
    doubts = clock + named(status, _STATUS) + named(sensor, _SENSOR) + named(status, _ASSURANCES)
    values = (measured("spo2", spo2, "%", reason), measured("pulse", pulse, "/min", reason))
    return Frame(values, local_time, doubts, context)


def _amplitude(cursor: Cursor) -> Context:
    """The pulse amplitude index, a percentage: how well the finger is perfused."""
    index = cursor.sfloat("pulse amplitude index")
    return NOTHING if isinstance(index, str) else {"pulse_amplitude": float(index)}
