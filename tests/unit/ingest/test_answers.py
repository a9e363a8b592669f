"""Receipts are gathered, split and kept while the broker is busy; addresses say what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devices.receipts import Refused
from telehealth.errors import SettingError
from telehealth.ingest import address, receipts
from telehealth.ingest.receipts import Receipts
from telehealth.model.delivery import Answer
from tests.integration.ingest.wards import NOW


def _answer(device: str = "d", stream: str | None = "s", through: int = 1, **more: Any) -> Answer:
    fields: dict[str, Any] = {"seqs": [through], "ids": [], "refused": []} | more
    return Answer(device, stream, ((1, through + 1),), **fields)


class Sent:
    """A broker that takes so many receipts."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.receipts: list[tuple[str, Any]] = []

    def publish(self, topic: str, payload: bytes) -> bool:
        if len(self.receipts) >= self.room:
            return False
        self.receipts.append((topic, json.loads(payload)))
        return True


async def test_the_first_answer_of_a_device_goes_at_once_and_more_wait() -> None:
    """A burst costs one receipt now and one later, which has all of it."""
    sent = Sent()
    waiting = Receipts(sent.publish, lambda: NOW, at_once=lambda: False)
    for through in (1, 2, 3):
        waiting.add([_answer(through=through)])
    assert [(topic, receipt["through"]) for topic, receipt in sent.receipts] == [("telehealth/v1/d/receipts", 1)]
    assert waiting.pending == 1
    waiting.flush()
    assert [receipt["through"] for _, receipt in sent.receipts] == [1, 3]
    waiting.close()


async def test_nothing_waits_under_a_virtual_clock() -> None:
    sent = Sent()
    waiting = Receipts(sent.publish, lambda: NOW, at_once=lambda: True)
    for through in (1, 2):
        waiting.add([_answer(through=through)])
    assert [receipt["through"] for _, receipt in sent.receipts] == [1, 2]


async def test_a_busy_broker_loses_no_answer() -> None:
    """What it cannot take joins with what comes; it goes when there is room."""
    sent = Sent(room=1)
    waiting = Receipts(sent.publish, lambda: NOW, at_once=lambda: True)
    waiting.add([_answer("a"), _answer("b")])
    waiting.add([_answer("b", through=2), _answer("c", None, ids=["x"])])
    assert (len(sent.receipts), waiting.pending) == (1, 2)
    sent.room = 1000
    waiting.resume()
    assert {(topic.split("/")[2], receipt["through"]) for topic, receipt in sent.receipts} == {
        ("a", 1),
        ("b", 2),
        ("c", 1),
    }


def test_much_to_refuse_is_several_receipts() -> None:
    """Each of bounded size, together everything."""
    refused = [Refused("unit_unknown", "x" * 200, 1, None, n, "unit") for n in range(1000)]
    parts = list(receipts.written(_answer(refused=refused, ids=[f"id{n}" for n in range(450)]), NOW))
    assert max(map(len, parts)) < 80_000
    read = [json.loads(part) for part in parts]
    assert [r["index"] for part in read for r in part["refused"]] == list(range(1000))
    assert [i for part in read for i in part["ids"]] == [f"id{n}" for n in range(450)]
    assert {part["through"] for part in read} == {1}


def test_addresses() -> None:
    """User and password are percent-decoded; the port follows the scheme."""
    found = address.parse("mqtts://a%40b:p%2Fw%25@broker.example")
    assert (found.host, found.port, found.tls) == ("broker.example", 8883, True)
    assert (found.username, found.password) == ("a@b", "p/w%")
    assert "p/w" not in repr(found)
    assert address.parse("mqtt://127.0.0.1:1884").port == 1884


@pytest.mark.parametrize("url", ["broker", "http://x", "mqtt://", "mqtt://x:99999", "mqtt://x/topic"])
def test_wrong_addresses(url: str) -> None:
    with pytest.raises(SettingError, match="MQTT_URL"):
        address.parse(url)


async def test_what_waits_for_a_broker_that_takes_nothing_is_bounded() -> None:
    """The same again costs nothing; beyond the bound there is no room, and the oldest are given up when asked."""
    sent = Sent(room=0)
    waiting = Receipts(sent.publish, lambda: NOW, at_once=lambda: True, most=10)
    refused = [Refused("unit_unknown", "x", 1, None, 0, "unit")]
    for _ in range(1000):
        waiting.add([_answer("a", refused=list(refused), ids=["one"])])
    assert not waiting.full
    for n in range(20):
        waiting.add([_answer(f"d{n}")])
    assert not waiting.room.is_set()
    assert waiting.shed() == 11
    assert waiting.pending == 10
    sent.room = 1000
    waiting.resume()
    assert [topic.split("/")[2] for topic, _ in sent.receipts] == [f"d{n}" for n in range(10, 20)]
