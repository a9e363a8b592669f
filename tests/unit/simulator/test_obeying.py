"""Simulated devices obey a command to measure: those that can, once, and nothing that they do not measure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from devices import commands
from simulator import clock, feed, kit, publisher
from tests.unit.simulator.test_kit import units


class Heard:
    """In place of the broker."""

    def __init__(self) -> None:
        self.batches: list[kit.Batch] = []

    def publish(self, batches: Sequence[kit.Batch]) -> None:
        self.batches += batches


async def obeyed(monkeypatch: pytest.MonkeyPatch, *asked: tuple[str, str, tuple[str, ...]]) -> list[str]:
    """Which devices measure when commands (device, id, codes) have come."""
    monkeypatch.setattr(feed, "REPEAT_MS", 0)
    heard = Heard()
    live = feed.Live(cast(publisher.Publisher, cast(Any, heard)), units())
    now = clock.now()
    for device_id, name, codes in asked:
        live.obey(device_id, commands.Measure(name, now + timedelta(minutes=30), codes))
    later = clock.now()
    await live.run(later, later)
    return [batch.device_id for batch in heard.batches]


async def test_the_device_that_can_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await obeyed(monkeypatch, ("ox", "c1", ("spo2",))) == ["ox"]
    assert await obeyed(monkeypatch, ("ox", "c1", ("weight",))) == []
    assert await obeyed(monkeypatch, ("somebody-elses", "c1", ("spo2",))) == []


async def test_a_command_that_comes_twice_is_obeyed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = ("ox", "c1", ("spo2",))
    assert await obeyed(monkeypatch, twice, twice) == ["ox"]
    assert await obeyed(monkeypatch, twice, ("ox", "c2", ("spo2",))) == ["ox", "ox"]
