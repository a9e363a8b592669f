from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import formats, native
from devices.message import Message
from tests.unit.devices.payloads import envelope, errors

PAYLOAD = json.dumps(envelope()).encode()


class Point:
    """An entry point: load() gives what it holds, or raises it."""

    def __init__(self, name: str, loaded: Any) -> None:
        self.name, self._loaded = name, loaded

    def load(self) -> Any:
        if isinstance(self._loaded, BaseException):
            raise self._loaded
        return self._loaded


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Point]]:
    """The entry points that are found; put some in before the first use."""
    points: list[Point] = []

    def entry_points(*, group: str) -> list[Point]:
        assert group == "telehealth.devices"
        return points

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    formats.adapters.cache_clear()
    yield points
    formats.adapters.cache_clear()


def test_native_is_the_format_without_a_name() -> None:
    assert formats.decode(None, "d1", PAYLOAD) == formats.decode("native", "d1", PAYLOAD)
    assert len(formats.decode(None, "d1", PAYLOAD).readings) == 1


def test_a_format_that_is_not_known_is_refused_by_the_number_of_its_message() -> None:
    got = formats.decode("morse", "d1", PAYLOAD)
    assert (errors(got), got.readings, got.stream, got.seq) == ([("format_unknown", None, None)], (), "k3Jx9", 7)
    assert formats.decode("morse", "d1", b"\x00\xff").id is not None


def test_adapters_are_formats_and_are_loaded_once(installed: list[Point]) -> None:
    calls: list[str] = []

    def decode(device_id: str, payload: bytes) -> Message:
        calls.append(device_id)
        return native.decode(device_id, payload)

    installed.append(Point("vendor-1", decode))
    assert "vendor-1" in formats.known()
    installed.append(Point("vendor-2", decode))
    assert "vendor-2" not in formats.known()
    assert formats.decode("vendor-1", "d1", PAYLOAD) == native.decode("d1", PAYLOAD)
    assert calls == ["d1"]
    assert formats.by_content_type("application/vnd.telehealth.vendor-1") == "vendor-1"


@pytest.mark.parametrize(
    ("name", "loaded"),
    [
        ("native", native.decode),
        ("gatt", native.decode),
        ("Vendor", native.decode),
        ("a" * 33, native.decode),
        ("a/b", native.decode),
        ("vendor", ImportError("no such module")),
        ("vendor", SystemExit(1)),
        ("vendor", AttributeError("decode")),
        ("vendor", "decode"),
    ],
)
def test_a_broken_adapter_is_left_out_with_its_reason_and_stops_nothing(
    installed: list[Point], name: str, loaded: Any
) -> None:
    installed += [Point(name, loaded), Point("other", native.decode)]
    assert set(formats.adapters().decoders) == {"other"}
    assert set(formats.adapters().broken) == {name}
    assert formats.adapters().broken[name]
    assert len(formats.decode("native", "d1", PAYLOAD).readings) == 1
    assert len(formats.decode("other", "d1", PAYLOAD).readings) == 1


def test_a_name_that_two_packages_want_belongs_to_neither(installed: list[Point]) -> None:
    installed += [Point("vendor", native.decode), Point("vendor", native.decode)]
    assert (dict(formats.adapters().decoders), set(formats.adapters().broken)) == ({}, {"vendor"})
    assert errors(formats.decode("vendor", "d1", PAYLOAD)) == [("format_unknown", None, None)]


def test_an_adapter_that_raises_refuses_its_message(installed: list[Point]) -> None:
    installed.append(Point("vendor", lambda device_id, payload: 1 / 0))
    assert errors(formats.decode("vendor", "d1", PAYLOAD)) == [("adapter_failed", None, None)]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", "native"),
        ("Application/JSON; charset=utf-8", "native"),
        ("application/cbor", "cbor"),
        ("application/vnd.telehealth.gatt", "gatt"),
        ("application/vnd.telehealth.gatt+json;v=1", "gatt"),
        ("application/vnd.telehealth.morse", None),
        ("text/plain", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_content_types_name_formats(content_type: str, expected: str | None) -> None:
    assert formats.by_content_type(content_type) == expected


@given(st.sampled_from(sorted(formats.DECODERS)), st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_random_bytes_never_raise_whatever_the_format(name: str, payload: bytes) -> None:
    got = formats.decode(name, "d1", payload)
    assert (got.seq is None) != (got.id is None)
    assert got.size == len(payload)
    assert got == formats.decode(name, "d1", payload)
