"""The JSON Schema of pathway files, made of the reader's own tables; docs/schemas/pathway.json is kept equal to it."""

from __future__ import annotations

import tomllib
import types
import typing
from dataclasses import MISSING, fields
from typing import Any, Literal, Union

from alerts import codes, kinds, pathways
from alerts.kinds import symptom
from alerts.pathways import approval, document, entry

Json = dict[str, Any]

_PRIORITY: Json = {"enum": ["high", "medium", "low"]}
_TIME = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
_NOTE: Json = {"type": "string", "minLength": entry.LEAST, "maxLength": 500}
_APPROVAL: Json = {
    "type": "string",
    "maxLength": approval.MOST,
    "pattern": approval.PATTERN,
    "description": "approved by, who, and the day (3 Nov 2026 or 2026-11-03); or needs local approval",
}
_LIMITS = ("red_low", "amber_low", "amber_high", "red_high")


def schema() -> Json:
    """Of a pathway file as TOML gives it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "pathway.json",
        "title": "Pathway",
        "description": (
            "A pathway file (TOML). Every number is written with its source, its own or that of its rule; its approval "
            "is that of its rule or of the pathway unless it says otherwise."
        ),
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "version", "title", "approval", "rules"],
        "properties": {
            "name": {"type": "string", "pattern": f"^{document.NAME.pattern}$"},
            "version": {"type": "string", "pattern": f"^{document.VERSION.pattern}$"},
            "title": {"type": "string", "minLength": 1, "maxLength": 200},
            "approval": {**_APPROVAL, "maxLength": 200},
            "rules": {
                "type": "array",
                "minItems": 1,
                "maxItems": document.MOST_RULES,
                "items": {"oneOf": [_rule(kind) for kind in entry.kinds_of_rules()]},
            },
            "schedule": {
                "type": "object",
                "propertyNames": {"$ref": "#/$defs/code"},
                "additionalProperties": {"$ref": "#/$defs/due"},
            },
        },
        "$defs": _definitions(),
        "examples": [tomllib.loads(pathways.load(name).text) for name in ("palliative", "diabetes_fingerprick")],
    }


def _definitions() -> Json:
    inner: Json = {"value": {"type": "number"}, "source": _NOTE, "approval": _APPROVAL, "unit": {"type": "string"}}
    minutes = {"type": ["integer", "null"], "minimum": 1, "maximum": 1440}
    number = {"$ref": "#/$defs/number"}
    words: Json = {"type": "string", "minLength": 1, "maxLength": symptom.MOST_LETTERS}
    return {
        "code": {"enum": list(codes.CODES)},
        "number_with_source": {
            "type": "object",
            "additionalProperties": False,
            "required": ["value", "source"],
            "properties": inner,
        },
        "number": {
            "description": "Without a source of its own it takes that of its rule.",
            "anyOf": [
                {"type": "number"},
                {"type": "object", "additionalProperties": False, "required": ["value"], "properties": inner},
            ],
        },
        "set_value": {
            "description": "Without a value it is set for each resident; until then the rule decides nothing.",
            "anyOf": [
                number,
                {"type": "object", "additionalProperties": False, "required": ["source"], "properties": inner},
            ],
        },
        "text": {
            "description": "Words for the resident. Without a source of their own they take that of the rule.",
            "anyOf": [
                words,
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["value"],
                    "properties": {"value": words, "source": _NOTE, "approval": _APPROVAL},
                },
            ],
        },
        "condition": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "code": {"$ref": "#/$defs/code"},
                "above": number,
                "below": number,
                "is": {"anyOf": [number, {"type": "boolean"}, {"enum": list(codes.CONSCIOUSNESS)}]},
                "max_age_hours": number,
                "label": {"type": "string"},
                "rule": {"type": "string"},
                "level": {"enum": ["amber", "red"]},
                "source": _NOTE,
                "approval": _APPROVAL,
            },
            "oneOf": [{"required": ["code"]}, {"required": ["rule"]}],
        },
        "profile": {
            "type": "object",
            "additionalProperties": False,
            "required": ["from", "to"],
            "properties": {
                "from": {"type": "string", "pattern": _TIME},
                "to": {"type": "string", "pattern": _TIME},
                **dict.fromkeys(_LIMITS, number),
                "source": _NOTE,
                "approval": _APPROVAL,
            },
        },
        "due": {
            "type": "object",
            "additionalProperties": False,
            "required": ["times"],
            "properties": {
                "times": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 24,
                    "items": {"type": "string", "pattern": _TIME},
                },
                "grace_minutes": minutes,
                "early_minutes": minutes,
            },
        },
    }


def _rule(kind: str) -> Json:
    properties: Json = {"kind": {"const": kind}, "source": _NOTE, "approval": _APPROVAL}
    for field in entry.known(kind):
        if field not in properties:
            properties[field] = _field(kind, field)
    number = {"$ref": "#/$defs/number"}
    numeric = [field for field, found in properties.items() if found == number]
    found: Json = {
        "title": kind,
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", *_required(kind)],
        "properties": properties,
    }
    if numeric:
        found["if"] = {"not": {"required": ["source"]}}
        found["then"] = {"properties": {name: {"$ref": "#/$defs/number_with_source"} for name in numeric}}
    return found


def _required(kind: str) -> list[str]:
    if kind in ("threshold", "silence"):
        return ["code"]
    cls = kinds.KINDS.get(kind)
    if cls is None:
        return []
    # what the parser gives itself is not asked for
    own = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    return [name for name in own if name in ("code", "codes", "direction", "side", "conditions", "level", "band")]


def _field(kind: str, field: str) -> Json:
    number = {"$ref": "#/$defs/number"}
    match field:
        case "scale":
            return {"enum": [1, 2], "description": "Only for residents on this SpO2 scale."}
        case "priority":
            names = ("emergency", "urgent", "single") if kind == "news2" else ("red", "amber")
            # a band of the score may call nobody
            words = {"enum": [*_PRIORITY["enum"], "none"]} if kind == "news2" else _PRIORITY
            table = {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(names, words)}
            return _PRIORITY if kind == "silence" else table
        case "code":
            return {"$ref": "#/$defs/code"}
        case "codes":
            return {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/code"}}
        case "conditions":
            return {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}}
        case "profiles":
            return {"type": "array", "items": {"$ref": "#/$defs/profile"}}
        case "reference":
            return {"$ref": "#/$defs/set_value"}
        case "max_age_seconds":
            return {"type": "object", "additionalProperties": number}
        case "auto" | "provisional":
            return {"type": "boolean"}
        case "late_priority":
            return _PRIORITY
        case "resident_text":
            return {"$ref": "#/$defs/text"}
        case "sampling":
            return {"enum": ["spot", "continuous"]}
        case "name":
            return {"type": "string", "pattern": "^[a-z0-9_]{1,40}$"}
    cls = kinds.KINDS.get(kind)
    if cls is None:
        return {"type": "string"} if field == "unit" else number
    return _typed(typing.get_type_hints(cls).get(field, str))


def _typed(hint: Any) -> Json:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return {"enum": list(typing.get_args(hint))}
    if origin in (Union, types.UnionType):
        return _typed(next(part for part in typing.get_args(hint) if part is not type(None)))
    if hint is bool:
        return {"type": "boolean"}
    return {"$ref": "#/$defs/number"} if hint in (int, float) else {"type": "string"}
