"""Every doubt that our own decoders can have about a value is one that the rules know."""

from __future__ import annotations

import pytest

from alerts import timeline
from devices import fhir, fhir_status, omh
from devices.gatt import blood_pressure, glucose, oximeter

#: What says that nothing is wrong, or something that the value takes into account already, or nothing of the value.
HARMLESS = {
    "validated",
    "fully_qualified",
    "from_storage",
    "ongoing",
    "analysing",
    "display_updating",
    "above_range",
    "below_range",
    "battery_low",
    "time_fault",
    "pulse_above_range",
    "pulse_below_range",
    # In atrial fibrillation every reading has it, and none would ever clear.
    "irregular_pulse",
}


@pytest.mark.parametrize(
    "names", [blood_pressure._STATUS, oximeter._STATUS, oximeter._ASSURANCES, oximeter._SENSOR, glucose._STATUS]
)
def test_every_doubt_of_a_bluetooth_device_is_poor_quality(names: tuple[tuple[int, str], ...]) -> None:
    for _, flag in names:
        assert poor(flag) is (flag not in HARMLESS), flag


def test_so_is_every_doubt_that_other_formats_tell_of() -> None:
    told = {flag for status in fhir_status._STATUS.values() for flag in status.names if flag is not None}
    for flag in told | set(fhir._QUALITIES.values()):
        assert poor(flag) is (flag not in HARMLESS), flag


def test_a_statistic_of_a_stretch_of_time_proves_nothing_of_a_moment() -> None:
    assert all(poor(flag) for flag in omh._STATISTICS)


def poor(flag: str) -> bool:
    return bool(timeline.quality_of((), (flag,)) & timeline.POOR)
