from __future__ import annotations

import json

from devices import formats
from tests.unit.devices.payloads import envelope, errors


def test_native_is_the_format_without_a_name() -> None:
    payload = json.dumps(envelope()).encode()
    assert formats.decode(None, "d1", payload) == formats.decode("native", "d1", payload)
    assert len(formats.decode(None, "d1", payload).readings) == 1


def test_another_format_is_refused_by_the_number_of_its_message() -> None:
    got = formats.decode("hl7v2", "d1", json.dumps(envelope()).encode())
    assert (errors(got), got.readings, got.stream, got.seq) == ([("format_unknown", None, None)], (), "k3Jx9", 7)
    assert formats.decode("gatt", "d1", b"\x00\xff").id is not None
