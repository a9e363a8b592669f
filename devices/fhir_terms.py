"""Codes by which FHIR names what the catalogue knows: LOINC, IEEE 11073 (MDC) and SNOMED CT.

Where codings of one concept name different measurements, nothing is guessed. Codes of what is not in the catalogue
are not here, so that they are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from devices import catalogue, documents

LOINC: Final = "http://loinc.org"
MDC: Final = "urn:iso:std:iso:11073:10101"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
#: Codes of the catalogue by their own names.
OWN: Final = "urn:telehealth:code"
#: Labels of residents on a shared kit, in Observation.subject.identifier.
OWN_SUBJECT: Final = "urn:telehealth:subject"

#: Names of the same systems that are also in use.
_SAME: Final[Mapping[str, str]] = {
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.24": MDC,
    "urn:iso:std:ieee:11073:10101": MDC,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "http://terminology.hl7.org/CodeSystem/loinc": LOINC,
}


class Term(NamedTuple):
    """A code of the catalogue, and what the foreign code says beside it."""

    code: str
    context: tuple[tuple[str, str], ...] = ()


def _site(code: str, site: str) -> Term:
    return Term(code, (("site", site),))


def _posture(code: str, posture: str) -> Term:
    return Term(code, (("posture", posture),))


def _sample(sample: str) -> Term:
    return Term("glucose", (("sample", sample),))


#: By system and code; docs/devices.md shows the same.
TERMS: Final[Mapping[tuple[str, str], Term]] = MappingProxyType(
    {
        (LOINC, "59408-5"): Term("spo2"),
        (LOINC, "2708-6"): Term("spo2"),
        (LOINC, "8867-4"): Term("pulse"),
        (LOINC, "8889-8"): Term("pulse"),
        (LOINC, "8893-0"): Term("pulse"),
        (LOINC, "40443-4"): Term("resting_pulse"),
        (LOINC, "8480-6"): Term("systolic"),
        (LOINC, "8462-4"): Term("diastolic"),
        (LOINC, "8478-0"): Term("mean_arterial"),
        (LOINC, "8459-0"): _posture("systolic", "sitting"),
        (LOINC, "8453-3"): _posture("diastolic", "sitting"),
        (LOINC, "8460-8"): _posture("systolic", "standing"),
        (LOINC, "8454-1"): _posture("diastolic", "standing"),
        (LOINC, "8461-6"): _posture("systolic", "lying"),
        (LOINC, "8455-8"): _posture("diastolic", "lying"),
        (LOINC, "8310-5"): Term("temperature"),
        (LOINC, "8331-1"): _site("temperature", "mouth"),
        (LOINC, "8328-7"): _site("temperature", "armpit"),
        (LOINC, "8332-9"): _site("temperature", "rectum"),
        (LOINC, "8333-7"): _site("temperature", "tympanum"),
        (LOINC, "75539-7"): _site("temperature", "temporal_artery"),
        (LOINC, "8329-5"): _site("temperature", "core"),
        (LOINC, "9279-1"): Term("resp_rate"),
        (LOINC, "29463-7"): Term("weight"),
        (LOINC, "3141-9"): Term("weight"),
        (LOINC, "2339-0"): Term("glucose"),
        (LOINC, "15074-8"): Term("glucose"),
        (LOINC, "2340-8"): Term("glucose"),
        (LOINC, "41653-7"): _sample("capillary_blood"),
        (LOINC, "14743-9"): _sample("capillary_blood"),
        (LOINC, "32016-8"): _sample("capillary_blood"),
        (LOINC, "2345-7"): _sample("plasma"),
        (LOINC, "14749-6"): _sample("plasma"),
        (LOINC, "14745-4"): _sample("body_fluid"),
        (LOINC, "99504-3"): _sample("interstitial_fluid"),
        (LOINC, "105272-9"): _sample("interstitial_fluid"),
        (LOINC, "6873-4"): Term("ketones"),
        (LOINC, "53060-9"): Term("ketones"),
        (LOINC, "33452-4"): Term("peak_flow"),
        (LOINC, "19935-6"): Term("peak_flow"),
        (LOINC, "20150-9"): Term("fev1"),
        (LOINC, "41950-7"): Term("steps"),
        (LOINC, "3151-8"): Term("oxygen_flow"),
        (LOINC, "80288-4"): Term("consciousness"),
        (LOINC, "67775-7"): Term("consciousness"),
        (LOINC, "72514-3"): Term("pain"),
        (MDC, "150456"): Term("spo2"),
        (MDC, "149530"): Term("pulse"),
        (MDC, "149514"): Term("pulse"),
        (MDC, "149546"): Term("pulse"),
        (MDC, "147842"): Term("pulse"),
        (MDC, "150021"): Term("systolic"),
        (MDC, "150022"): Term("diastolic"),
        (MDC, "150023"): Term("mean_arterial"),
        (MDC, "150364"): Term("temperature"),
        (MDC, "150392"): _site("temperature", "tympanum"),
        (MDC, "188420"): _site("temperature", "rectum"),
        (MDC, "188424"): _site("temperature", "mouth"),
        (MDC, "188428"): _site("temperature", "ear"),
        (MDC, "188432"): _site("temperature", "finger"),
        (MDC, "188448"): _site("temperature", "toe"),
        (MDC, "188452"): _site("temperature", "armpit"),
        (MDC, "188456"): _site("temperature", "gastrointestinal"),
        (MDC, "151562"): Term("resp_rate"),
        (MDC, "188736"): Term("weight"),
        (MDC, "160184"): _sample("capillary_blood"),
        (MDC, "160188"): _sample("capillary_plasma"),
        (MDC, "160192"): _sample("venous_blood"),
        (MDC, "160196"): _sample("venous_plasma"),
        (MDC, "160200"): _sample("arterial_blood"),
        (MDC, "160204"): _sample("arterial_plasma"),
        (MDC, "160212"): _sample("interstitial_fluid"),
        (MDC, "160364"): Term("glucose"),
        (MDC, "160368"): _sample("plasma"),
        (MDC, "160020"): Term("glucose"),
        (MDC, "152584"): Term("peak_flow"),
        (MDC, "152586"): Term("fev1"),
        (SNOMED, "271649006"): Term("systolic"),
        (SNOMED, "271650006"): Term("diastolic"),
        (SNOMED, "364075005"): Term("pulse"),
        (SNOMED, "78564009"): Term("pulse"),
        (SNOMED, "386725007"): Term("temperature"),
        (SNOMED, "86290005"): Term("resp_rate"),
        (SNOMED, "431314004"): Term("spo2"),
        (SNOMED, "27113001"): Term("weight"),
        (SNOMED, "371825009"): Term("on_oxygen"),
    }
)

#: What only groups its components or members.
_PANELS: Final = frozenset(
    {
        (LOINC, "85354-9"),
        (LOINC, "55284-4"),
        (LOINC, "35094-2"),
        (LOINC, "85353-1"),
        (MDC, "150020"),
        (SNOMED, "75367002"),
    }
)
_BLOOD_PRESSURE: Final = frozenset(_PANELS - {(LOINC, "85353-1")})
#: Clocks of devices beside the gateway's (HL7 PHD coincident time stamps): no measurement.
_CLOCKS: Final = frozenset({(MDC, "67975"), (MDC, "67983"), (MDC, "68072"), (MDC, "68226")})
#: Components of HL7 PHD that tell of the device: accuracy, limits, confidence, sensor's own alerts.
_OF_DEVICE: Final = frozenset({(MDC, "67914"), (MDC, "67892"), (MDC, "68104"), (MDC, "68232"), (MDC, "526998")})
#: Measurements of a control solution.
_CONTROLS: Final = frozenset({(MDC, "160208")})

Kind = Literal["measure", "blood_pressure", "panel", "clock", "control", "unknown", "missing", "ambiguous"]


class Known(NamedTuple):
    """What a concept names; term only of a measure."""

    kind: Kind
    term: Term | None = None


def codings(concept: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of each coding of a CodeableConcept, whatever it is. system: empty if none is said."""
    given = concept.get("coding") if isinstance(concept, dict) else None
    if not isinstance(given, list):
        return
    for coding in given[:32]:
        if isinstance(coding, dict) and type(coding.get("code")) is str:
            system = coding.get("system") or ""
            if type(system) is str:
                yield _SAME.get(system, system), coding["code"]


def named(concept: Any) -> Known:
    """What a CodeableConcept names."""
    given = list(codings(concept))
    if not given:
        return Known("missing")
    if not _CLOCKS.isdisjoint(given):
        return Known("clock")
    if not _CONTROLS.isdisjoint(given):
        return Known("control")
    found: dict[str, dict[str, str]] = {}
    for pair in given:
        term = TERMS.get(pair)
        if pair[0] == OWN and pair[1] in catalogue.ENTRIES:
            term = Term(pair[1])
        if term is not None:
            # The first coding that says something beside the code has it.
            said = found.setdefault(term.code, {})
            for key, value in term.context:
                said.setdefault(key, value)
    if found.keys() == {"pulse", "resting_pulse"}:
        # FHIR wants 8867-4 beside every more particular heart rate.
        found.pop("pulse")
    if len(found) > 1:
        return Known("ambiguous")
    if found:
        ((code, said),) = found.items()
        return Known("measure", Term(code, tuple(said.items())))
    if not _BLOOD_PRESSURE.isdisjoint(given):
        return Known("blood_pressure")
    return Known("unknown" if _PANELS.isdisjoint(given) else "panel")


def aside(concept: Any) -> bool:
    """Whether a component says nothing of the resident, whatever its value is."""
    return any(pair in _OF_DEVICE or pair in _CLOCKS for pair in codings(concept))


#: MDC codes of units, for gateways that do not translate them.
MDC_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "262688": "%",
        "263872": "g",
        "263875": "kg",
        "263904": "[lb_av]",
        "264274": "mg/dL",
        "264864": "/min",
        "265987": "kPa",
        "266016": "mm[Hg]",
        "266560": "[degF]",
        "266866": "mmol/L",
        "268192": "Cel",
    }
)

#: Values of codes and booleans.
_CONSCIOUSNESS: Final[Mapping[tuple[str, str], str]] = {
    (SNOMED, "248234008"): "A",
    (SNOMED, "130987000"): "C",
    (SNOMED, "300202002"): "V",
    (SNOMED, "450847001"): "P",
    (SNOMED, "422768004"): "U",
    (LOINC, "LA9340-6"): "A",
    (LOINC, "LA6560-2"): "C",
    (LOINC, "LA17108-4"): "V",
    (LOINC, "LA17107-6"): "P",
    (LOINC, "LA9343-0"): "U",
}
_BOOLEANS: Final[Mapping[tuple[str, str], str]] = {
    (SNOMED, "373066001"): "true",
    (SNOMED, "373067005"): "false",
    (LOINC, "LA33-6"): "true",
    (LOINC, "LA32-8"): "false",
}


def answer(entry: catalogue.Entry, concept: Any) -> str | None:
    """The JSON token of a coded value of an entry that is no number; None if it is not known or not one thing."""
    if entry.kind == "boolean":
        tokens = {_BOOLEANS[pair] for pair in codings(concept) if pair in _BOOLEANS}
        return tokens.pop() if len(tokens) == 1 else None
    found = set[str]()
    for system, code in codings(concept):
        if system in ("", OWN):
            if not entry.codes or code in entry.codes:
                found.add(code)
        elif entry.code == "consciousness" and (system, code) in _CONSCIOUSNESS:
            found.add(_CONSCIOUSNESS[system, code])
    return f'"{found.pop()}"' if len(found) == 1 else None


#: Components that only say how it was measured: (key of the context, value by coding).
_MEALS: Final[Mapping[tuple[str, str], str]] = {
    (MDC, "8417868"): "before_meal",
    (MDC, "8417872"): "after_meal",
    (MDC, "8417876"): "fasting",
    (MDC, "8417880"): "casual",
    (MDC, "8417908"): "bedtime",
}
_LOCATIONS: Final[Mapping[tuple[str, str], str]] = {
    (MDC, "8417848"): "finger",
    (MDC, "8417852"): "alternate_site",
    (MDC, "8417856"): "earlobe",
    (MDC, "8417860"): "control_solution",
}
_MODALITIES: Final[Mapping[tuple[str, str], str]] = {
    (MDC, "150580"): "fast",
    (MDC, "150584"): "slow",
    (MDC, "150588"): "spot",
}
_POSTURES: Final[Mapping[tuple[str, str], str]] = {
    (SNOMED, "33586001"): "sitting",
    (SNOMED, "102538003"): "lying",
    (SNOMED, "40199007"): "lying",
    (SNOMED, "10904000"): "standing",
    (SNOMED, "272580008"): "semi_recumbent",
}
_ATTRIBUTES: Final[Mapping[tuple[str, str], tuple[str, Mapping[tuple[str, str], str]]]] = {
    (MDC, "8417864"): ("meal", _MEALS),
    (MDC, "8417844"): ("site", _LOCATIONS),
    (MDC, "68193"): ("modality", _MODALITIES),
    (LOINC, "8361-8"): ("posture", _POSTURES),
}


def attribute(concept: Any, value: Any) -> tuple[str, str] | None:
    """The entry of context that a component is, if its code is one of those that say how it was measured."""
    for pair in codings(concept):
        if pair in _ATTRIBUTES:
            key, known = _ATTRIBUTES[pair]
            said = next((known[one] for one in codings(value) if one in known), None)
            text = said or spoken(value)
            return None if text is None else (key, text)
    return None


def posture(concept: Any) -> str | None:
    return next((_POSTURES[one] for one in codings(concept) if one in _POSTURES), None) or spoken(concept)


def spoken(concept: Any) -> str | None:
    """The text of a concept, else the first display of its codings; None if it cannot be kept."""
    if not isinstance(concept, dict):
        return None
    text = documents.word(concept.get("text"))
    given = concept.get("coding")
    if text is not None or not isinstance(given, list):
        return text
    said = (documents.word(one.get("display")) for one in given[:32] if isinstance(one, dict))
    return next((one for one in said if one is not None), None)
