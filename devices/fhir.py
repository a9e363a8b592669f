"""FHIR R4: an Observation, or a Bundle of them, of vital signs and of personal health devices (HL7 PHD).

The index of a refusal is the entry's in the bundle (0 for an Observation alone), its field the path within the
Observation. Extensions are ignored but for the posture; so are what hasMember and derivedFrom point to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from devices import catalogue, documents, fhir_status, fhir_terms, fields, message, units
from devices.documents import Collector, When
from devices.fhir_terms import Term
from devices.fields import Wrong
from devices.message import Absent, Message

#: Resources that a bundle holds beside its Observations and that say nothing of a resident's measurements.
_BESIDE: Final = frozenset(
    {
        "Patient",
        "Device",
        "DeviceMetric",
        "DeviceDefinition",
        "DeviceUseStatement",
        "Provenance",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "RelatedPerson",
        "Person",
        "Group",
        "Location",
        "MessageHeader",
        "Composition",
        "OperationOutcome",
        "Encounter",
        "CareTeam",
        "EpisodeOfCare",
        "Specimen",
        "DiagnosticReport",
        "AuditEvent",
        "Endpoint",
    }
)
_BUNDLES: Final = frozenset({"collection", "transaction", "batch", "message", "document", "searchset"})
_TAKEN: Final = frozenset({"final", "preliminary", "amended", "corrected"})
_COMPONENTS_LIMIT: Final = 100
#: A comparator and a date alone are flags too.
_FLAGS_LIMIT: Final = fields.FLAGS_LIMIT - 2
_ABSENT_SYSTEMS: Final = frozenset(
    {"", "http://terminology.hl7.org/CodeSystem/data-absent-reason", "http://hl7.org/fhir/data-absent-reason"}
)
_COMPARATORS: Final[Mapping[str, str]] = {
    "<": "below_range",
    "<=": "below_range",
    ">": "above_range",
    ">=": "above_range",
}
#: Of HL7's measurement-status: what says how good a value is.
_QUALITIES: Final[Mapping[str, str]] = {
    "invalid": "invalid",
    "questionable": "questionable",
    "not-available": "unavailable",
    "calibration-ongoing": "calibrating",
    "msmt-ongoing": "ongoing",
    "early-indication": "early_estimate",
}
_TESTS: Final = frozenset({"test-data", "demo-data"})
#: By which meta.security says the same of a resource.
_TEST_LABEL: Final = ("http://terminology.hl7.org/CodeSystem/v3-ActReason", "HTEST")
_ABSENT_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_OTHER_VALUES: Final = ("Ratio", "Range", "SampledData", "DateTime", "Time", "Period", "Reference", "Attachment")
_POSITION: Final = "http://hl7.org/fhir/StructureDefinition/observation-bodyPosition"
_MODIFIED: Final = "It has a modifierExtension, which may change what it means and is not known here."
_NOBODY: Final = re.compile(r"(?:^|/)(?:Device|Group|Location)/")
_ANNOTATION: Final = re.compile(r"\{[^{}]*\}")


class _Around(NamedTuple):
    """What all readings of one Observation share."""

    when: When
    time_field: str
    source_id: str | None
    subject: str | None
    set: str | None
    context: dict[str, str | int | float | bool]
    flags: tuple[str, ...]


def decode(device_id: str, payload: bytes) -> Message:
    """The readings of one message and what was refused of it. Never raises."""
    opened = documents.opened(payload, "resource")
    if isinstance(opened, Message):
        return opened
    resource = opened.held
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    found = Collector(device_id, opened)
    if kind == "Observation":
        _inside(found, 0, resource)
        _all(found, [(0, resource)], {})
        return found.message()
    if kind != "Bundle":
        field = "resourceType" if isinstance(resource, dict) else None
        return documents.whole(opened, "schema", field, "Send an Observation, or a Bundle of them.")
    if str(resource.get("type", "collection")) not in _BUNDLES:
        return documents.whole(opened, "schema", "type", f"Known are {', '.join(sorted(_BUNDLES))}.")
    if _is_test(resource):
        return documents.whole(opened, "not_a_result", "meta.security")
    entries = resource.get("entry", [])
    if not isinstance(entries, list):
        return documents.whole(opened, "schema", "entry")
    if len(entries) > message.READINGS_LIMIT:
        return documents.whole(opened, "too_many_readings", "entry")
    addresses = {index: entry.get("fullUrl") for index, entry in enumerate(entries) if isinstance(entry, dict)}
    _all(found, _observations(found, entries), addresses)
    return found.message()


def _observations(found: Collector, entries: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    held = []
    for index, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if isinstance(resource, dict):
            _inside(found, index, resource)
        if kind == "Observation":
            assert isinstance(resource, dict)
            held.append((index, resource))
        elif kind is None:
            found.refuse(index, "schema", "resource")
        elif type(kind) is not str or kind not in _BESIDE:
            found.refuse(index, "resource_unknown", "resourceType")
    return held


def _inside(found: Collector, index: int, resource: dict[str, Any]) -> None:
    """Refuses an Observation inside another resource, which would be passed over in silence otherwise."""
    contained = resource.get("contained")
    for place, one in enumerate(contained if isinstance(contained, list) else ()):
        if isinstance(one, dict) and one.get("resourceType") == "Observation" and not fhir_terms.aside(one.get("code")):
            detail = "An Observation inside another resource is not taken; send it as one of its own."
            found.refuse(index, "resource_unknown", f"contained[{place}].resourceType", detail)


def _is_test(resource: Mapping[str, Any]) -> bool:
    meta = resource.get("meta")
    return isinstance(meta, dict) and _TEST_LABEL in fhir_terms.codings({"coding": meta.get("security")})


def _all(found: Collector, held: list[tuple[int, dict[str, Any]]], addresses: Mapping[int, Any]) -> None:
    doubts = fhir_status.found(held, addresses)
    for index in doubts.alone:
        found.refuse(index, "nothing_measured", "derivedFrom", "What it is about is not in the message.")
    measured = [
        (index, one, known)
        for index, one in held
        if (known := fhir_terms.named(one.get("code"))).kind != "clock" and index not in doubts.status
    ]
    people = {name for _, one, _ in measured if (name := _person(one)) is not None}
    for index, one, known in measured:
        if len(people) > 1 and (_person(one) is not None or found.around.subject is not None):
            # Whoever has the device, it can be only one of them.
            found.refuse(index, "subject_unclear", "subject")
        else:
            _observation(found, index, one, known, doubts.flags.get(index, ()))


def _person(observation: Mapping[str, Any]) -> str | None:
    """What an Observation calls its patient, to tell two from one; None if by a label of ours, or not at all."""
    subject = observation.get("subject")
    if not isinstance(subject, dict) or _labelled(subject):
        return None
    reference = subject.get("reference")
    if type(reference) is str:
        if _NOBODY.search(reference):
            return None  # refused by itself
        # The same by an absolute and a relative address.
        return "/".join(reference.split("/_history/")[0].split("/")[-2:])
    identifier = subject.get("identifier")
    return None if identifier is None else documents.fingerprint(identifier)


def _labelled(subject: Mapping[str, Any]) -> bool:
    identifier = subject.get("identifier")
    return isinstance(identifier, dict) and identifier.get("system") == fhir_terms.OWN_SUBJECT


def _observation(
    found: Collector, index: int, one: dict[str, Any], known: fhir_terms.Known, doubts: tuple[str, ...]
) -> None:
    try:
        shared = _shared(one, known, doubts)
        components = one.get("component", [])
        if not isinstance(components, list) or not all(isinstance(part, dict) for part in components):
            raise Wrong("schema", "component")
        if len(components) > _COMPONENTS_LIMIT:
            raise Wrong("schema", "component", f"At most {_COMPONENTS_LIMIT} components are taken.")
    except Wrong as error:
        found.refuse(index, error.refusal.error, error.refusal.field, error.refusal.detail)
    else:
        _values(found, index, one, known, components, shared)


def _shared(one: dict[str, Any], known: fhir_terms.Known, doubts: tuple[str, ...]) -> _Around:
    """What its readings share. doubts: flags that another Observation tells of. Wrong where all of it is refused."""
    if one.get("modifierExtension"):
        raise Wrong("resource_unknown", "modifierExtension", _MODIFIED)
    if known.kind == "missing":
        raise Wrong("code_missing", "code.coding")
    if known.kind == "ambiguous":
        raise Wrong("code_ambiguous", "code.coding")
    if known.kind == "control":
        raise Wrong("control_solution", "code.coding")
    status = one.get("status", "final")
    if type(status) is not str or status not in _TAKEN:
        raise Wrong("not_a_result", "status")
    if _is_test(one):
        raise Wrong("not_a_result", "meta.security")
    quality = _quality(one.get("interpretation"))
    flags = (*(() if status == "final" else (status,)), *quality, *(doubt for doubt in doubts if doubt not in quality))
    when, field = _when(one)
    subject = _subject(one.get("subject"))
    return _Around(when, field, _source_id(one.get("identifier")), subject, None, _context(one), flags[:_FLAGS_LIMIT])


def _values(
    found: Collector,
    index: int,
    one: dict[str, Any],
    known: fhir_terms.Known,
    components: list[dict[str, Any]],
    shared: _Around,
) -> None:
    parts: list[tuple[str, dict[str, Any], Term]] = []
    said = any(key.startswith("value") for key in one) or "dataAbsentReason" in one
    if known.term is not None:
        if said or not components:
            parts.append(("", one, known.term))
    elif known.kind == "blood_pressure" and "dataAbsentReason" in one and not components:
        parts += [("", one, Term("systolic")), ("", one, Term("diastolic"))]
    elif said or not (components or isinstance(one.get("hasMember"), list)):
        found.refuse(index, "code_unknown", "code.coding")
    context = dict(shared.context)
    for place, component in enumerate(components):
        path = f"component[{place}]."
        attribute = fhir_terms.attribute(component.get("code"), component.get("valueCodeableConcept"))
        inner = fhir_terms.named(component.get("code"))
        if component.get("modifierExtension"):
            found.refuse(index, "resource_unknown", path + "modifierExtension", _MODIFIED)
        elif attribute is not None:
            context.setdefault(*attribute)
        elif inner.term is not None:
            parts.append((path, component, inner.term))
        elif inner.kind == "ambiguous":
            found.refuse(index, "code_ambiguous", path + "code.coding")
        elif inner.kind == "control":
            found.refuse(index, "control_solution", path + "code.coding")
        elif not fhir_terms.aside(component.get("code")) and _counts(component):
            # Other components only tell how it was measured.
            found.refuse(index, "code_unknown" if inner.kind != "missing" else "code_missing", path + "code.coding")
    if context.get("site") == "control_solution":
        return found.refuse(index, "control_solution", "component")
    group = None
    if len(parts) > 1:
        group = shared.source_id or documents.fingerprint(one)
    for path, holder, term in parts:
        of_term: dict[str, str | int | float | bool] = dict(term.context)
        _value(found, index, path, holder, term.code, shared._replace(set=group, context=_bounded(of_term | context)))
    return None


def _counts(component: Mapping[str, Any]) -> bool:
    return "valueQuantity" in component or "valueInteger" in component


class _Said(NamedTuple):
    """The value[x] of an Observation or component, and where value and unit stand."""

    token: str | None
    value: str
    in_unit: str
    unit: str | None = None
    unit_sent: str | None = None
    flags: tuple[str, ...] = ()


def _value(found: Collector, index: int, path: str, holder: dict[str, Any], code: str, shared: _Around) -> None:
    """One reading: the value[x] of an Observation or component, or why there is none."""
    try:
        said = (
            _quantity(holder["valueQuantity"], code, path) if "valueQuantity" in holder else _said(holder, code, path)
        )
    except Wrong as wrong:
        return found.refuse(index, wrong.refusal.error, wrong.refusal.field, wrong.refusal.detail)
    absent = _absent(holder)
    if isinstance(absent, str) and absent not in fields.REASONS:
        return found.refuse(index, absent, path + "dataAbsentReason.coding")
    found.add(
        index,
        {
            "value": said.value,
            "unit": said.in_unit,
            "taken_at": shared.time_field,
            "absent": path + "dataAbsentReason",
            "code": path + "code.coding",
        },
        code=code,
        token=said.token,
        unit=said.unit,
        unit_sent=said.unit_sent,
        when=shared.when,
        source_id=shared.source_id,
        subject=shared.subject,
        set=shared.set,
        context=shared.context,
        flags=(*shared.flags, *said.flags),
        absent=absent,
    )
    return None


def _quantity(quantity: object, code: str, path: str) -> _Said:
    """A valueQuantity. Raises Wrong."""
    if not isinstance(quantity, dict):
        raise Wrong("value_not_number", path + "valueQuantity")
    value = path + "valueQuantity.value"
    token = fields.token(quantity.get("value"), value)
    flags: tuple[str, ...] = ()
    comparator = quantity.get("comparator")
    if comparator is not None:
        if type(comparator) is not str or comparator not in _COMPARATORS:
            raise Wrong("comparator_unknown", path + "valueQuantity.comparator")
        flags = (_COMPARATORS[comparator],)
    unit, unit_sent, in_unit = _unit(code, quantity, path)
    if unit is None and unit_sent is not None:
        known = ", ".join(units.CONVERSIONS[code])
        raise Wrong("unit_unknown", in_unit, f"Known for this code: {known}." if known else None)
    return _Said(token, value, in_unit, unit, unit_sent, flags)


def _said(holder: dict[str, Any], code: str, path: str) -> _Said:
    """Every other value[x], or that there is none. Raises Wrong."""
    entry = catalogue.ENTRIES[code]
    for kind in ("Integer", "Boolean", "String"):
        if f"value{kind}" in holder:
            where = f"{path}value{kind}"
            token = fields.token(holder[f"value{kind}"], where)
            # What is counted is in the code.
            counted = kind == "Integer" and "1" in units.CONVERSIONS[code] and entry.unit == "{steps}"
            return _Said(token, where, where if kind == "Integer" else path + "unit", "1" if counted else None)
    if "valueCodeableConcept" in holder:
        where = path + "valueCodeableConcept.coding"
        answer = fhir_terms.answer(entry, holder["valueCodeableConcept"]) if entry.kind != "number" else "[]"
        if answer is None:
            raise Wrong("value_not_code", where)
        return _Said(answer, where, path + "unit")
    for kind in _OTHER_VALUES:
        if f"value{kind}" in holder:
            raise Wrong("value_not_number", f"{path}value{kind}")
    return _Said(None, path + "value", path + "unit")


def _unit(code: str, quantity: dict[str, Any], path: str) -> tuple[str | None, str | None, str]:
    """The UCUM unit, the unit as sent and the path to it; only the latter two if it is not known."""
    system, given, text = quantity.get("system"), quantity.get("code"), quantity.get("unit")
    if given is None:
        if text is None:
            return None, None, path + "valueQuantity.code"
        return documents.ucum(code, text), documents.word(text) or "", path + "valueQuantity.unit"
    sent = documents.word(given) or ""
    if system in (None, fhir_terms.UCUM) and sent == "1" and catalogue.ENTRIES[code].unit is None:
        # A score, which UCUM has no better unit for.
        return documents.ucum(code, "{score}"), sent, path + "valueQuantity.code"
    if system in (None, fhir_terms.UCUM, "urn:oid:2.16.840.1.113883.6.8"):
        unit = documents.ucum(code, given)
        if unit is None and sent:
            # An annotation in braces has no meaning in UCUM.
            unit = documents.ucum(code, _ANNOTATION.sub("", sent))
        return unit, sent, path + "valueQuantity.code"
    if system == fhir_terms.MDC:
        return documents.ucum(code, fhir_terms.MDC_UNITS.get(sent)), sent, path + "valueQuantity.code"
    return None, "", path + "valueQuantity.system"


def _absent(holder: Mapping[str, Any]) -> Absent | Any:
    """The reason why there is no value, if one is given; or an error."""
    concept = holder.get("dataAbsentReason")
    if concept is None:
        concept = _instead(holder.get("valueQuantity"))
    if concept is None:
        return None
    for system, code in fhir_terms.codings(concept):
        if system in _ABSENT_SYSTEMS:
            return code if code in fields.REASONS else "absent_unknown"
    # In words, or in somebody's own codes.
    return "unknown"


def _instead(quantity: Any) -> Any:
    """The reason that stands in the place of a number, as FHIR's extension of any element; as a concept."""
    beside = quantity.get("_value") if isinstance(quantity, dict) else None
    given = beside.get("extension") if isinstance(beside, dict) else None
    for one in given[:32] if isinstance(given, list) else ():
        if isinstance(one, dict) and one.get("url") == _ABSENT_EXTENSION:
            return {"coding": [{"code": one.get("valueCode")}]}
    return None


def _when(one: Mapping[str, Any]) -> tuple[When, str]:
    """The time of an Observation, and its field. A period counts when it ended. Wrong if the time is."""
    given, field = _effective(one)
    when = When(None) if given is None else documents.when(given)
    if isinstance(when, str):
        raise Wrong(when, field)
    return when, field


def _effective(one: Mapping[str, Any]) -> tuple[Any, str]:
    for key in ("effectiveDateTime", "effectiveInstant"):
        if one.get(key) is not None:
            return one[key], key
    period = one.get("effectivePeriod")
    if period is not None:
        if not isinstance(period, dict):
            raise Wrong("taken_at_invalid", "effectivePeriod")
        end = "end" if period.get("end") is not None else "start"
        return period.get(end), f"effectivePeriod.{end}"
    timing = one.get("effectiveTiming")
    if timing is not None:
        events = timing.get("event") if isinstance(timing, dict) else None
        if not isinstance(events, list) or len(events) != 1:
            raise Wrong("taken_at_invalid", "effectiveTiming.event")
        return events[0], "effectiveTiming.event[0]"
    return None, "effectiveDateTime"


def _source_id(identifiers: Any) -> str | None:
    """The first identifier that has a value; it may be long, and have a system."""
    for one in identifiers if isinstance(identifiers, list) else ():
        value = one.get("value") if isinstance(one, dict) else None
        if type(value) is str and value:
            system = one.get("system")
            return documents.label(f"{system}|{value}" if type(system) is str and system else value)
    return None


def _subject(subject: Any) -> str | None:
    """The label of a resident on a shared kit; None: whoever has the device. Wrong if it is nobody."""
    if subject is None:
        return None
    if not isinstance(subject, dict):
        raise Wrong("schema", "subject")
    reference = subject.get("reference")
    if type(reference) is str and _NOBODY.search(reference):
        raise Wrong("subject_unclear", "subject.reference")
    if not _labelled(subject):
        return None
    value = documents.word(subject["identifier"].get("value"))
    if value is None:
        raise Wrong("subject_invalid", "subject.identifier.value")
    return value


def _quality(interpretations: Any) -> tuple[str, ...]:
    """Flags of what a device says of its value. Wrong if it is no measurement of a person."""
    said: list[str] = []
    for one in interpretations[:16] if isinstance(interpretations, list) else ():
        for system, code in fhir_terms.codings(one):
            if not system.endswith("measurement-status"):
                continue
            if code in _TESTS:
                raise Wrong("not_a_result", "interpretation")
            flag = _QUALITIES.get(code)
            if flag is not None and flag not in said:
                said.append(flag)
    return tuple(said)


def _context(one: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    said: dict[str, str | int | float | bool] = {}
    for key, concept in (("site", one.get("bodySite")), ("technique", one.get("method"))):
        text = fhir_terms.spoken(concept)
        if text is not None:
            said[key] = text
    extensions = one.get("extension")
    for extension in extensions[:32] if isinstance(extensions, list) else ():
        if isinstance(extension, dict) and extension.get("url") == _POSITION:
            text = fhir_terms.posture(extension.get("valueCodeableConcept"))
            if text is not None:
                said["posture"] = text
    return said


def _bounded(context: dict[str, str | int | float | bool]) -> dict[str, str | int | float | bool]:
    return dict(list(context.items())[: fields.CONTEXT_LIMIT])
