"""2A18 and 2A34, Glucose Measurement and Glucose Measurement Context."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from devices import message
from devices.fields import Wrong
from devices.gatt.frame import Context, Cursor, Frame, Measured, measured, named
from devices.message import Absent

_SAMPLES: Final = {
    1: "capillary_blood",
    2: "capillary_plasma",
    3: "venous_blood",
    4: "venous_plasma",
    5: "arterial_blood",
    6: "arterial_plasma",
    7: "blood",
    8: "plasma",
    9: "interstitial_fluid",
}
_SITES: Final = {1: "finger", 2: "alternate_site", 3: "earlobe"}
_CONTROL_SAMPLE: Final = 10
_CONTROL_SITE: Final = 4
_STATUS: Final = (
    (5, "above_range"),
    (6, "below_range"),
    (1, "sensor_fault"),
    (2, "sample_insufficient"),
    (3, "strip_misplaced"),
    (4, "strip_wrong"),
    (7, "sensor_too_hot"),
    (8, "sensor_too_cold"),
    (9, "interrupted"),
    (10, "device_fault"),
    (11, "time_fault"),
    (0, "battery_low"),
)
_ABOVE: Final = 1 << 5
_BELOW: Final = 1 << 6
#: Why a meter has no result.
_FAILED: Final = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10

_CARBS_OF: Final = {1: "breakfast", 2: "lunch", 3: "dinner", 4: "snack", 5: "drink", 6: "supper", 7: "brunch"}
_MEALS: Final = {1: "before_meal", 2: "after_meal", 3: "fasting", 4: "casual", 5: "bedtime"}
_TESTERS: Final = {1: "self", 2: "health_professional", 3: "lab"}
_HEALTH: Final = {1: "minor_issues", 2: "major_issues", 3: "menses", 4: "stress", 5: "no_issues"}
_MEDICATIONS: Final = {
    1: "rapid_insulin",
    2: "short_insulin",
    3: "intermediate_insulin",
    4: "long_insulin",
    5: "premixed_insulin",
}
_OVERRUN: Final = 0xFFFF
#: Time offsets that are no number: the clock was moved by more than there is room for.
_MOVED_TOO_FAR: Final = (0x7FFF, -0x8000)


def read(cursor: Cursor) -> Frame:
    """The concentration. One measured in control solution is refused: it tests the meter, not the resident."""
    flags = cursor.unsigned(1, "flags")
    sequence = cursor.unsigned(2, "sequence number")
    local_time = cursor.time()
    offset = cursor.signed(2, "time offset") if flags & 0x01 else 0
    # The meter's clock was set by the offset, in minutes, since the base time began.
    if offset in _MOVED_TOO_FAR:
        cursor.clock_wrong, local_time = True, None
    elif local_time is not None:
        local_time += timedelta(minutes=offset)
    concentration: Decimal | Absent | None = None
    context: dict[str, str | int | float | bool] = {}
    if flags & 0x02:
        concentration = cursor.sfloat("concentration")
        kinds = cursor.unsigned(1, "type and sample location")
        sample, site = kinds & 0x0F, kinds >> 4
        if sample == _CONTROL_SAMPLE or site == _CONTROL_SITE:
            raise Wrong("control_solution", "hex")
        if site in _SITES:
            context["site"] = _SITES[site]
        if sample in _SAMPLES:
            context["sample"] = _SAMPLES[sample]
    status = cursor.unsigned(2, "sensor status annunciation") if flags & 0x08 else 0
    value = _measured(concentration, "mol/L" if flags & 0x04 else "kg/L", status)
    return Frame((value,), local_time, named(status, _STATUS), context, sequence)


def _measured(concentration: Decimal | Absent | None, unit: str, status: int) -> Measured:
    if concentration is not None:
        return measured("glucose", concentration, unit)
    if status & _ABOVE:
        return measured("glucose", "positive-infinity", None)
    if status & _BELOW:
        return measured("glucose", "negative-infinity", None)
    return measured("glucose", "error" if status & _FAILED else "unknown", None)


def read_context(cursor: Cursor) -> Frame:
    """What belongs to the measurement of the same sequence number: no reading of its own."""
    flags = cursor.unsigned(1, "flags")
    sequence = cursor.unsigned(2, "sequence number")
    context: dict[str, str | int | float | bool] = {}
    if flags & 0x80:
        cursor.unsigned(1, "extended flags")
    if flags & 0x01:
        _word(context, "carbs_of", _CARBS_OF, cursor.unsigned(1, "carbohydrate id"))
        _amount(context, "carbs_g", cursor.sfloat("carbohydrate"), 3)
    if flags & 0x02:
        _word(context, "meal", _MEALS, cursor.unsigned(1, "meal"))
    if flags & 0x04:
        who = cursor.unsigned(1, "tester and health")
        _word(context, "tester", _TESTERS, who & 0x0F)
        _word(context, "health", _HEALTH, who >> 4)
    if flags & 0x08:
        seconds, intensity = cursor.unsigned(2, "exercise duration"), cursor.unsigned(1, "exercise intensity")
        if seconds != _OVERRUN:
            context["exercise_s"] = seconds
        context["exercise_percent"] = intensity
    if flags & 0x10:
        _word(context, "medication", _MEDICATIONS, cursor.unsigned(1, "medication id"))
        litres = bool(flags & 0x20)
        _amount(
            context, "medication_ml" if litres else "medication_mg", cursor.sfloat("medication"), 3 if litres else 6
        )
    if flags & 0x40:
        _amount(context, "hba1c_percent", cursor.sfloat("HbA1c"), 0)
    return Frame((), context=_by_weight(context), of=sequence)


#: What of the context is kept first, where not all of it has room.
_ORDER: Final = ("meal", "carbs_g", "medication", "medication_ml", "medication_mg", "health", "tester", "carbs_of")


def _by_weight(context: Context) -> Context:
    first = [key for key in _ORDER if key in context]
    return {key: context[key] for key in [*first, *(key for key in context if key not in first)]}


def _word(context: dict[str, str | int | float | bool], key: str, words: dict[int, str], raw: int) -> None:
    """Nothing for numbers that are reserved or mean that it is not available."""
    if raw in words:
        context[key] = words[raw]


def _amount(context: dict[str, str | int | float | bool], key: str, amount: Decimal | Absent, shift: int) -> None:
    """shift: powers of ten from the unit sent to the one that the key names."""
    if isinstance(amount, str):
        return
    number = float(amount.scaleb(shift))
    if abs(number) <= message.SEQ_LIMIT:
        context[key] = number
