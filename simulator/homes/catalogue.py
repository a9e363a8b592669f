"""Every kind of fault: what happens, to what, with which parameters, and what a tester should then see.

Sizes are what the sentence beside them says; a "share" is the part of measurements or messages that it befalls,
drawn for each by the seed, so that the same ones are touched in every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from simulator import errors

Stage = Literal["moments", "values", "clock", "messages", "link", "device", "malicious"]
Place = Literal["device", "resident", "home"]

EVERYWHERE: Final[tuple[Place, ...]] = ("device", "resident", "home")
WITH_DEVICES: Final[tuple[Place, ...]] = ("device", "resident")


@dataclass(frozen=True)
class Parameter:
    """One setting of a fault. A number within [lowest, highest] of a unit, a yes or no, or a text (choices, if any)."""

    name: str
    title: str
    default: float | str | bool
    unit: str = ""
    lowest: float = 0.0
    highest: float = 0.0
    choices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        kind = "boolean" if isinstance(self.default, bool) else "text" if isinstance(self.default, str) else "number"
        found: dict[str, Any] = {"name": self.name, "title": self.title, "type": kind, "default": self.default}
        if kind == "number":
            found |= {"unit": self.unit, "lowest": self.lowest, "highest": self.highest}
        if self.choices:
            found["choices"] = list(self.choices)
        return found


@dataclass(frozen=True)
class Kind:
    """minutes: how long the page suggests; None: until it is ended. codes: what it can touch (empty: everything)."""

    name: str
    title: str
    description: str
    sees: str
    stage: Stage
    targets: tuple[Place, ...]
    parameters: tuple[Parameter, ...] = ()
    codes: tuple[str, ...] = ()
    minutes: int | None = 60

    def parameter(self, name: str) -> Parameter:
        """Raises BadInput naming the ones that there are."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        names = ", ".join(parameter.name for parameter in self.parameters) or "none"
        raise errors.BadInput(f"fault {self.name} has no parameter {name[:40]}; there are: {names}")

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "sees": self.sees,
            "stage": self.stage,
            "targets": list(self.targets),
            "parameters": [parameter.as_json() for parameter in self.parameters],
            "codes": list(self.codes),
            "minutes": self.minutes,
        }


def _share(default: float) -> Parameter:
    return Parameter("share", "Part of the measurements", default, "1", 0.0, 1.0)


_OXIMETRY: Final = ("spo2", "pulse")
_PRESSURE: Final = ("systolic", "diastolic", "mean_arterial")
_WEIGHED: Final = ("weight",)

_ALL: Final = (
    # What is measured at all
    Kind("missed", "Forgets to measure", "Due measurements do not take place.",
         "The measure goes due, late, missing; then a silence alert of low priority. No clinical alert.",
         "moments", EVERYWHERE, (_share(1.0),), minutes=24 * 60),
    Kind("stopped", "Device stopped working", "It is off: it measures nothing, sends nothing and drops its connection.",
         "Offline at once, on the resident's page; silence alerts of what only it measures, which say that the device "
         "is offline; after a day the technical alert that it is.",
         "moments", EVERYWHERE, minutes=24 * 60),
    Kind("charging", "Being charged",
         "It lies on its charger: it measures nothing, stays connected, and its charge rises.",
         "A gap in the chart, the battery rising; silence alerts only if it takes longer than the grace.",
         "moments", EVERYWHERE, minutes=90),
    # What a measurement says
    Kind("motion", "Moves while measuring",
         "SpO2 reads 2 to 14 % too low, pulse 8 to 40 /min and pressures 8 to 25 mmHg off. Most devices flag it.",
         "Points marked as doubtful and a measure command; an alert is provisional until a good repeat withdraws it, "
         "or repeats that the device does not doubt confirm it.",
         "values", EVERYWHERE,
         (_share(0.5), Parameter("flagged", "Part of these that the device flags", 0.8, "1", 0.0, 1.0)),
         ("spo2", "pulse", "resp_rate", *_PRESSURE)),
    Kind("cold_finger", "Cold finger", "Low perfusion: SpO2 reads 3 to 12 % too low, or the oximeter finds nothing.",
         "Points marked as doubtful or measurements without a value; a measure command; an alert is provisional until "
         "a good repeat withdraws it, or repeats that the device does not doubt confirm it.",
         "values", EVERYWHERE,
         (_share(0.7), Parameter("flagged", "Part of these that the device flags", 0.8, "1", 0.0, 1.0)), _OXIMETRY),
    Kind("loose_cuff", "Loose cuff", "Both pressures read 10 to 40 mmHg too high; half of these are flagged.",
         "Doubtful points, a measure command; an unflagged one may raise a provisional alert that a good repeat "
         "withdraws.",
         "values", EVERYWHERE,
         (_share(0.7), Parameter("flagged", "Part of these that the device flags", 0.5, "1", 0.0, 1.0)), _PRESSURE),
    Kind("clipped", "Value at the end of the scale", "The sensor sits badly and shows the end of its range.",
         "A value marked as extreme: a provisional alert and a measure command. A repeat that is not clipped withdraws "
         "it, one that is confirms it.",
         "values", EVERYWHERE, (_share(0.3), Parameter("end", "Which end", "low", choices=("low", "high")))),
    Kind("could_not_measure", "Could not measure", "The measurement fails: no value, and why.",
         "A measurement without a value in the list of readings; the measure stays due.",
         "values", EVERYWHERE, (_share(1.0),)),
    Kind("used_cold", "Measured before it was warm", "The thermometer is read too early: 0.4 to 1.6 degrees too low.",
         "Lower temperatures, at most an amber alert.",
         "values", EVERYWHERE, (_share(1.0),), ("temperature",)),
    Kind("wrong_person", "Somebody else uses it", "Another member of the household is measured.",
         "A weight unlike theirs is marked as perhaps somebody else's, and is under Held readings until somebody has "
         "looked. Other measures only jump, and alert as they would.",
         "values", EVERYWHERE, (_share(1.0),), minutes=24 * 60),
    Kind("swapped", "Devices swapped", "It was mixed up with another resident's: each measures the other.",
         "Both residents' values jump; weights unlike theirs are marked as perhaps somebody else's.",
         "values", ("device",), (Parameter("with", "The other device (empty: the next of its kind)", ""),),
         minutes=24 * 60),
    Kind("shared_kit", "Passed round", "One kit goes from person to person and never says who it is.",
         "The values of several people in one record; a weight unlike theirs is marked. Named: readings are nobody's "
         "and held for a person to decide, as no seat of that name is known.",
         "values", WITH_DEVICES,
         (Parameter("people", "How many people", 30.0, "1", 2.0, 60.0),
          Parameter("named", "Readings name the person (subject)", False)), minutes=24 * 60),
    # Clocks
    Kind("clock_skew", "Clock is wrong", "The clock is ahead, or behind (negative), by a fixed time.",
         "Readings of estimated time at the right place of the chart; with the second message the technical alert "
         "about the clock. One that is behind is noticed by three messages over a minute, and only in real time.",
         "clock", EVERYWHERE, (Parameter("seconds", "Ahead by", 7200.0, "s", -31_536_000.0, 31_536_000.0),)),
    Kind("clock_drift", "Clock drifts", "The clock gains, or loses (negative), so much each day.",
         "Nothing for a minute of error; then readings of estimated time and the technical alert.",
         "clock", EVERYWHERE,
         (Parameter("seconds_per_day", "Gains each day", 20.0, "s/d", -86_400.0, 86_400.0),),
         minutes=None),
    Kind("clock_unset", "Clock was never set", "Shows the year 2000 from when it lost its power.",
         "Readings of estimated time at the right place of the chart; with the second message the technical alert that "
         "the clock is not set.",
         "clock", EVERYWHERE),
    Kind("clock_dst", "Wrong about summer time", "The clock was changed the wrong way: an hour ahead or behind.",
         "Readings of estimated time; the technical alert says that it is probably daylight saving. One that is behind "
         "is noticed by three messages over a minute, and only in real time.",
         "clock", EVERYWHERE, (Parameter("hours", "Ahead by", -1.0, "h", -1.0, 1.0),)),
    # Messages on their way
    Kind("buffered", "Uploads now and then", "Readings are kept and sent together every so many hours.",
         "Readings come late by the backlog lane, at their own time; the measure is overdue meanwhile.",
         "messages", EVERYWHERE, (Parameter("hours", "Hours between uploads", 6.0, "h", 0.25, 48.0),),
         minutes=24 * 60),
    Kind("duplicated", "Sends everything again", "Each message is delivered several times.",
         "Nothing: every reading is stored once.",
         "messages", EVERYWHERE, (_share(1.0), Parameter("times", "Extra deliveries", 2.0, "1", 1.0, 20.0))),
    Kind("reordered", "Messages overtake each other", "Some messages are kept back and sent after later ones.",
         "Nothing but gaps that fill later: order of arrival counts for nothing.",
         "messages", EVERYWHERE,
         (_share(0.5), Parameter("seconds", "Kept back by", 90.0, "s", 1.0, 86_400.0))),
    Kind("wifi_outage", "Wi-Fi is down", "All devices of the home keep what they measure until it is back.",
         "The devices go offline; then everything comes at once by the backlog lane, at its own time.",
         "link", EVERYWHERE, minutes=120),
    Kind("gateway_reboot", "Gateway restarts", "Every connection of the home drops and comes back together.",
         "Devices offline for as long as it takes; nothing is lost.",
         "link", ("home", "resident", "device"), (Parameter("seconds", "Takes", 90.0, "s", 5.0, 3600.0),), minutes=2),
    Kind("reconnect_storm", "Connects again and again",
         "The connections drop and return, with everything unsettled sent again.",
         "More deliveries, nothing stored twice.",
         "link", EVERYWHERE, (Parameter("per_minute", "Times a minute", 6.0, "/min", 1.0, 60.0),), minutes=5),
    Kind("low_battery", "Battery low", "The charge is low, and sinks to nothing within a day.",
         "The battery on the device's card and the resident's page; the technical alert, worse below a tenth; over "
         "once it is charged.",
         "device", EVERYWHERE, (Parameter("charge", "Charge", 0.15, "1", 0.0, 1.0),),
         minutes=12 * 60),
    Kind("firmware", "Firmware changed", "An older, or newer, firmware came with a repair.",
         "The firmware on the resident's page; a technical alert if it is older than the minimum set for its model.",
         "device", EVERYWHERE, (Parameter("version", "Version", "0.9.1"),), minutes=None),
    # Malicious
    Kind("forged_topic", "Publishes as another device",
         "With its own credentials it publishes below another device's topic.",
         "Nothing at all: the broker lets it reach nobody. It may be disconnected.",
         "malicious", ("device",),
         (Parameter("per_minute", "Messages a minute", 6.0, "/min", 1.0, 600.0),
          Parameter("victim", "The other device (empty: the next one)", "")), minutes=10),
    Kind("flood", "Floods", "Sends far more than any device would.",
         "The ward stays as quick as it was. It repeats one failed measurement a minute, which is stored once; so are "
         "the device's own readings.",
         "malicious", ("device",),
         (Parameter("per_minute", "Messages a minute", 600.0, "/min", 1.0, 12_000.0),), minutes=2),
    Kind("malformed", "Sends nonsense",
         "Truncated JSON, unknown codes and units, absurd times, deep nesting, far too long.",
         "Quarantine fills, with reasons; after 20 in a row, if nothing good came for an hour, the technical alert "
         "that nothing it sends can be read. Its good readings are stored.",
         "malicious", ("device",), (Parameter("per_minute", "Messages a minute", 6.0, "/min", 1.0, 600.0),),
         minutes=10),
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _ALL}


def kind(name: str) -> Kind:
    """Raises BadInput naming the ones that there are."""
    if name not in KINDS:
        raise errors.BadInput(f"no fault of this kind; there are: {', '.join(KINDS)}")
    return KINDS[name]


def checked(kind: Kind, given: Mapping[str, Any]) -> dict[str, float | str | bool]:
    """The parameters, within their bounds; text as from a command line is read. Raises BadInput."""
    found: dict[str, float | str | bool] = {}
    for name, value in given.items():
        found[name] = _read(kind, kind.parameter(name), value)
    return found


def as_json() -> list[dict[str, Any]]:
    return [kind.as_json() for kind in KINDS.values()]


def _read(kind: Kind, parameter: Parameter, value: Any) -> float | str | bool:
    where = f"fault {kind.name}: {parameter.name}"
    if isinstance(parameter.default, bool):
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if isinstance(value, bool) or str(value).lower() in words:
            return value if isinstance(value, bool) else words[str(value).lower()]
        raise errors.BadInput(f"{where} is yes or no")
    if isinstance(parameter.default, str):
        if not isinstance(value, str) or len(value) > 64 or not value.isprintable():
            raise errors.BadInput(f"{where} is a text of at most 64 characters")
        if parameter.choices and value not in parameter.choices:
            raise errors.BadInput(f"{where} is one of {', '.join(parameter.choices)}")
        return value
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not parameter.lowest <= number <= parameter.highest:
        unit = "" if parameter.unit == "1" else f" {parameter.unit}"
        raise errors.BadInput(f"{where} is a number from {parameter.lowest:.9g} to {parameter.highest:.9g}{unit}")
    return number
