"""Every doubt that our own decoders can have about a value is one that the rules know."""

from __future__ import annotations

import pytest

from alerts import timeline
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
    # In atrial fibrillation every reading has it, and none would ever clear.
    "irregular_pulse",
}


@pytest.mark.parametrize(
    "names", [blood_pressure._STATUS, oximeter._STATUS, oximeter._ASSURANCES, oximeter._SENSOR, glucose._STATUS]
)
def test_every_doubt_of_a_bluetooth_device_is_poor_quality(names: tuple[tuple[int, str], ...]) -> None:
    for _, flag in names:
        poor = timeline.quality_of((), (flag,)) & timeline.POOR
        assert bool(poor) is (flag not in HARMLESS), flag
