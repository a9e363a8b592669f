"""The documents for device makers say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from devices import catalogue, commands, message, native, status, timing, topics, units
from devices.errors import MEANINGS
from devices.fields import CONTEXT_LIMIT
from tests.unit.devices.payloads import decode, envelope, reading

DOCS = Path(__file__).parents[3] / "docs"
NAMES = ("reading", "readings", "receipt", "status", "command")
SCHEMAS: dict[str, Any] = {name: json.loads((DOCS / "schemas" / f"{name}.json").read_text()) for name in NAMES}
REGISTRY: Any = Registry().with_resources(
    [(f"{name}.json", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()]
)
ASYNCAPI: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
TEXT = (DOCS / "devices.md").read_text()


def _valid(name: str, content: Any) -> bool:
    validator = jsonschema.Draft202012Validator(SCHEMAS[name], registry=REGISTRY)
    return bool(validator.is_valid(content))


def _table(mark: str) -> list[list[str]]:
    """The rows of the table after <!-- mark -->, without its head."""
    after = TEXT.split(f"<!-- {mark} -->\n", 1)[1].split("\n\n", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in after.splitlines()]
    return rows[2:]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_the_schemas_are_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["examples"]
    for example in SCHEMAS[name]["examples"]:
        assert _valid(name, example)


def test_the_examples_are_read_without_a_refusal() -> None:
    documented = [one["payload"] for one in ASYNCAPI["components"]["messages"]["readings"]["examples"]]
    quoted = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.S)]
    whole = [*SCHEMAS["readings"]["examples"], *documented, *[one for one in quoted if "readings" in one]]
    assert len(whole) >= 5
    for example in [*whole, envelope(*SCHEMAS["reading"]["examples"])]:
        got = decode(example)
        assert (got.refusals, len(got.readings)) == ((), len(example["readings"]))
    for example in SCHEMAS["status"]["examples"]:
        assert isinstance(status.decode(json.dumps(example).encode()), status.Status)
    for example in SCHEMAS["command"]["examples"]:
        assert commands.decode(json.dumps(example).encode()) is not None
    for example in [one for one in quoted if "through" in one]:
        assert _valid("receipt", example)


@pytest.mark.parametrize("name", ["readings", "status", "receipt", "command"])
def test_the_examples_of_the_asyncapi_document_fit_their_schemas(name: str) -> None:
    described = ASYNCAPI["components"]["messages"][name]
    assert described["payload"] == {"$ref": f"schemas/{name}.json"}
    assert described["examples"]
    for example in described["examples"]:
        assert _valid(name, example["payload"])


def test_the_addresses_are_the_topics_of_the_code() -> None:
    described = {channel["address"] for channel in ASYNCAPI["channels"].values()}
    ours = {f"{topics.PREFIX}/{{device_id}}/{channel}" for channel in topics.CHANNELS}
    ours |= {f"{topics.PREFIX}/{{device_id}}/{channel}/{{format}}" for channel in topics.LANES}
    assert described == ours
    for address in described:
        assert topics.parse(address.format(device_id="pulse-3", format="gatt")) is not None


def test_every_channel_has_one_operation_with_its_direction_and_binding() -> None:
    used: dict[str, dict[str, Any]] = {}
    for operation in ASYNCAPI["operations"].values():
        name = operation["channel"]["$ref"].removeprefix("#/channels/")
        assert name not in used
        used[name] = operation
    assert used.keys() == ASYNCAPI["channels"].keys()
    for name, operation in used.items():
        channel = name.removesuffix("_format")
        assert operation["action"] == ("receive" if channel in topics.FROM_DEVICE else "send")
        assert operation["bindings"]["mqtt"]["qos"] == 1
        assert operation["bindings"]["mqtt"]["retain"] == (channel == "status")


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    for reference in re.findall(r"\$ref: '?([^'\s]+)", (DOCS / "asyncapi.yaml").read_text()):
        if reference.startswith("#/"):
            at: Any = ASYNCAPI
            for part in reference[2:].split("/"):
                at = at[part]
        else:
            assert (DOCS / reference).is_file()


def test_the_schema_of_a_reading_knows_the_catalogue() -> None:
    schema = SCHEMAS["reading"]
    fields = schema["properties"]
    assert fields["code"]["enum"] == list(catalogue.ENTRIES)
    assert fields["absent"]["anyOf"][0]["enum"] == list(get_args(message.Absent))
    assert fields["method"]["anyOf"][0]["enum"] == list(get_args(message.Method))
    assert set(fields) == set(native._Reading.__struct_fields__)
    assert fields["context"]["anyOf"][0]["maxProperties"] == CONTEXT_LIMIT
    for rule, entry in zip(schema["allOf"], catalogue.ENTRIES.values(), strict=True):
        assert rule["if"]["properties"]["code"]["const"] == entry.code
        known = rule["then"]["properties"]["unit"].get("enum", [None])
        assert known == [*units.CONVERSIONS[entry.code], None]
        if entry.codes:
            assert rule["then"]["properties"]["value"]["enum"] == [*entry.codes, None]


def test_the_schema_of_a_receipt_knows_the_errors() -> None:
    assert SCHEMAS["receipt"]["properties"]["refused"]["items"]["properties"]["error"]["enum"] == list(MEANINGS)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": "98"},
        {"unit": "furlong"},
        {"unit": None},
        {"code": "mood"},
        {"value": None},
        {"absent": "error"},
        {"flags": "motion"},
        {"source_id": ""},
        {"method": "guessed"},
        {"code": "fall", "value": True},
        {"code": "answer", "value": "yes", "unit": None},
    ],
)
def test_what_the_schema_rejects_the_code_refuses(fields: dict[str, Any]) -> None:
    assert _valid("reading", reading())
    assert not _valid("reading", reading(**fields))
    assert decode(envelope(reading(**fields))).refusals


def test_the_table_of_codes_is_the_catalogue() -> None:
    rows = _table("codes")
    assert [row[0].strip("`") for row in rows] == list(catalogue.ENTRIES)
    for row, entry in zip(rows, catalogue.ENTRIES.values(), strict=True):
        _, display, value, unit, others, possible, usual, loinc, mdc = row
        assert display == entry.display
        assert unit == (f"`{entry.unit}`" if entry.unit else "none")
        known = [f"`{one}`" for one in units.CONVERSIONS[entry.code] if one != entry.unit]
        assert others == (", ".join(known) or "-")
        assert loinc == (entry.loinc or "-")
        assert mdc == str(entry.mdc or "-")
        if entry.kind == "number":
            assert value == "number"
            assert possible == f"{entry.impossible_low:g} to {entry.impossible_high:g}"
            assert usual == f"{entry.extreme_low:g} to {entry.extreme_high:g}"
        elif entry.kind == "boolean":
            assert value == "true, false"
        else:
            assert value == (", ".join(f'"{code}"' for code in entry.codes) or "text")


def test_the_table_of_refusals_is_the_closed_set() -> None:
    assert {row[0].strip("`"): row[1] for row in _table("refusals")} == dict(MEANINGS)


def test_the_limits_are_those_of_the_code() -> None:
    for limit in (message.PAYLOAD_LIMIT, message.READINGS_LIMIT, message.SEQ_LIMIT, status.PAYLOAD_LIMIT):
        assert f"{limit:,}" in TEXT
    assert f"`{timing.CLOCK_NOT_SET}`" in TEXT
