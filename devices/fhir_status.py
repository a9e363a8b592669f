"""What HL7 personal health devices say of how a measurement went: Observations of bits, beside those they are about.

A cuff that saw the arm move sends its pressures in one Observation and "body-movement" in another, which names the
first. Alone the bits mean nothing; of a measurement in the same message they become its flags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from devices import fhir_terms

#: Of the terms for bits, 8410608.0 for the first one of 8410608.
_BITS: Final = "/ASN1ToHL7"


class _Status(NamedTuple):
    """names: the flag of each bit, None for what is no doubt. of: the codes of the measurements that it is about."""

    names: tuple[str | None, ...]
    of: frozenset[str]


_STATUS: Final[Mapping[str, _Status]] = MappingProxyType(
    {
        "8410608": _Status(
            ("motion", "cuff_loose", "irregular_pulse", "pulse_above_range", "pulse_below_range", "position"),
            frozenset({"systolic", "diastolic", "mean_arterial"}),
        ),
        "150604": _Status(
            (
                "sensor_unplugged",
                "sensor_fault",
                "sensor_displaced",
                "sensor_unknown",
                "sensor_off",
                "interference",
                "analysing",
                "questionable_pulse",
                "nonpulsatile_signal",
                "erratic_signal",
                "low_perfusion",
                "poor_signal",
                "inadequate_signal",
                "signal_irregular",
                "device_fault",
                "display_updating",
            ),
            frozenset({"spo2", "pulse"}),
        ),
        "8417752": _Status(
            (
                "battery_low",
                "sensor_fault",
                "sample_insufficient",
                "strip_misplaced",
                "strip_wrong",
                "above_range",
                "below_range",
                "sensor_too_hot",
                "sensor_too_cold",
                "interrupted",
                "device_fault",
            ),
            frozenset({"glucose"}),
        ),
    }
)


class Found(NamedTuple):
    """flags: by the index of the measurement. status: the indexes of what says so; alone: of what nothing is for."""

    flags: Mapping[int, tuple[str, ...]]
    status: frozenset[int]
    alone: tuple[int, ...]


def found(held: Sequence[tuple[int, Mapping[str, Any]]], addresses: Mapping[int, Any]) -> Found:
    """held: Observations with their index. addresses: fullUrl of each, whatever it is."""
    flags: dict[int, tuple[str, ...]] = {}
    named = _Named(held, addresses)
    told: dict[int, list[int]] = {}
    for index, one in held:
        code = _code(one)
        if code is None:
            continue
        told[index] = list(named.about(one, _STATUS[code].of))
        for owner in told[index]:
            before = flags.get(owner, ())
            flags[owner] = before + tuple(flag for flag in _flags(one, code) if flag not in before)
    return Found(flags, frozenset(told), tuple(index for index, owners in told.items() if not owners))


class _Named:
    """The Observations of a message by their names, and by their times."""

    def __init__(self, held: Sequence[tuple[int, Mapping[str, Any]]], addresses: Mapping[int, Any]) -> None:
        self._by_name: dict[str, int] = {}
        self._by_time: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        for index, one in held:
            if _code(one) is not None:
                continue
            id, address, at = one.get("id"), addresses.get(index), one.get("effectiveDateTime")
            if type(id) is str:
                self._by_name.setdefault(f"Observation/{id}", index)
            if type(address) is str:
                self._by_name.setdefault(address, index)
            if type(at) is str:
                self._by_time.setdefault(at, []).append((index, one))

    def about(self, status: Mapping[str, Any], codes: frozenset[str]) -> Iterator[int]:
        """Indexes of what a status is about: what it names, else what is of its kind and of its moment."""
        references = status.get("derivedFrom")
        if isinstance(references, list) and references:
            for one in references[:8]:
                reference = one.get("reference") if isinstance(one, dict) else None
                if type(reference) is str and reference in self._by_name:
                    yield self._by_name[reference]
            return
        at = status.get("effectiveDateTime")
        for index, one in self._by_time.get(at, ())[:8] if type(at) is str else ():
            known = fhir_terms.named(one.get("code"))
            code = "systolic" if known.kind == "blood_pressure" else known.term and known.term.code
            if code in codes:
                yield index


def _code(one: Mapping[str, Any]) -> str | None:
    return next(
        (code for system, code in fhir_terms.codings(one.get("code")) if system == fhir_terms.MDC and code in _STATUS),
        None,
    )


def _flags(one: Mapping[str, Any], code: str) -> Iterator[str]:
    components = one.get("component")
    names = {f"{code}.{bit}": name for bit, name in enumerate(_STATUS[code].names)}
    for component in components[:32] if isinstance(components, list) else ():
        if not isinstance(component, dict):
            continue
        said = {answer for _, answer in fhir_terms.codings(component.get("valueCodeableConcept"))}
        for system, bit in fhir_terms.codings(component.get("code")):
            name = names.get(bit) if system.endswith(_BITS) else None
            if name is not None and "Y" in said:
                yield name
