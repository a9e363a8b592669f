"""Kinds of devices: how each measures, sends, fails and keeps what it cannot send.

Which kind a device is follows from what it measures, unless its file says so ("kind"). Resolutions are those
usual in instructions for use of consumer devices of the kind; times are rounded to what a person would say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simulator import errors

_OLDER: Final = ("1.4.2", "1.5.0", "2.0.1", "3.1.0")


@dataclass(frozen=True)
class Kind:
    """resolution: by code, where it is coarser than the body's own catalogue. sending_ms: from the end of a
    measurement until the device has sent it, shortest and longest. failing: what the device says when it could
    not measure (absent, flags). buffer: messages kept while it cannot send; the oldest are lost beyond.
    artefacts: faults of the value stage that befall this kind in everyday life.
    """

    name: str
    title: str
    warm_up_seconds: int
    battery_days: float
    buffer: int
    failing: tuple[str, tuple[str, ...]] = ("error", ())
    artefacts: tuple[str, ...] = ()
    resolution: Mapping[str, float] = field(default_factory=dict)
    sending_ms: tuple[int, int] = (1_000, 4_000)
    firmware: tuple[str, ...] = _OLDER
    worn: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "title": self.title, "worn": self.worn, "artefacts": list(self.artefacts)}


_ALL: Final = (
    Kind("oximeter", "Fingertip oximeter", 10, 30, 500, ("error", ("low_perfusion",)),
         ("motion", "cold_finger", "could_not_measure", "clipped")),
    Kind("cuff", "Upper-arm blood pressure monitor", 40, 60, 200, ("error", ("motion",)),
         ("motion", "loose_cuff", "could_not_measure")),
    Kind("thermometer", "Ear thermometer", 3, 180, 30, ("error", ()), ("used_cold", "could_not_measure"),
         {"temperature": 0.1}),
    Kind("scales", "Bathroom scales", 4, 180, 30, ("error", ("unstable",)), ("could_not_measure", "wrong_person"),
         {"weight": 0.1}),
    Kind("glucose_meter", "Blood glucose meter", 5, 90, 500, ("error", ("sample_insufficient",)),
         ("could_not_measure",), {"glucose": 0.1}),
    Kind("peak_flow_meter", "Peak flow meter", 2, 365, 200, ("error", ()), ("could_not_measure",),
         {"peak_flow": 5.0, "fev1": 0.01}),
    Kind("hub", "Home hub with cuff, thermometer, scales and questions", 30, 14, 1000, ("error", ()),
         ("motion", "loose_cuff", "used_cold", "could_not_measure")),
    Kind("questions", "Tablet with questions", 5, 7, 1000, ("asked-declined", ())),
    Kind("band", "Wrist band", 60, 6, 5000, ("error", ("no_contact",)),
         ("motion", "could_not_measure"), worn=True),
    Kind("patch", "Chest patch", 120, 10, 20_000, ("error", ("sensor_displaced",)),
         ("motion", "could_not_measure"), worn=True),
    Kind("glucose_sensor", "Glucose sensor", 3600, 14, 5000, ("error", ("sensor_fault",)), ("could_not_measure",),
         {"glucose": 0.1}, worn=True),
    Kind("step_counter", "Step counter", 0, 30, 5000, worn=False),
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _ALL}
_ASKED: Final = frozenset(("consciousness", "on_oxygen", "breathlessness", "pain", "fatigue", "answer", "fall"))


def find(codes: Iterable[str], *, continuous: bool, named: str | None = None) -> Kind:
    """The kind of a device by what it measures. Raises BadInput if the named one does not exist."""
    if named is not None:
        if named not in KINDS:
            raise errors.BadInput(f"no kind of device of this name; there are: {', '.join(KINDS)}")
        return KINDS[named]
    own = set(codes)
    if continuous and own <= {"glucose", "ketones"}:
        return KINDS["glucose_sensor"]
    if continuous:
        return KINDS["patch" if "temperature" in own else "band"]
    if own & {"steps", "resting_pulse"} and not own & {"systolic", "temperature"}:
        return KINDS["step_counter"]
    if own <= {"spo2", "pulse"}:
        return KINDS["oximeter"]
    if own <= {"systolic", "diastolic", "mean_arterial", "pulse"}:
        return KINDS["cuff"]
    for code, name in (("temperature", "thermometer"), ("weight", "scales"), ("glucose", "glucose_meter")):
        if own <= {code, "ketones"}:
            return KINDS[name]
    if own <= {"peak_flow", "fev1"}:
        return KINDS["peak_flow_meter"]
    return KINDS["questions" if own <= _ASKED or not own - _ASKED - {"resp_rate"} else "hub"]
