"""Simulated devices obey a command to measure: those that can, once, and nothing that they do not measure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from devices import commands
from simulator import cast as casting
from simulator import clock, feed, kit, outbox, publisher
from tests.unit.simulator.test_kit import units


class Heard:
    """In place of the broker."""

    def __init__(self) -> None:
        self.batches: list[kit.Batch] = []

    def keep(self, batches: Sequence[kit.Batch]) -> list[outbox.Held]:
        self.batches += batches
        return []

    def send_due(self) -> None:
        pass


def obeyed(*asked: tuple[str, str, tuple[str, ...]]) -> list[str]:
    """Which devices measure within a minute when commands (device, id, codes) have come."""
    heard = Heard()
    now = clock.from_ms(clock.to_ms(clock.now()) // 86_400_000 * 86_400_000 + 3 * 3_600_000)
    spot = [unit for unit in units() if not unit.device.is_continuous]
    feeder = feed.Feeder(casting.Cast(spot, 5, now), cast(publisher.Publisher, cast(Any, heard)), feed.DeviceClock())
    for device_id, name, codes in asked:
        feeder.obey(device_id, commands.Measure(name, now + timedelta(minutes=30), codes))
    feeder.step(clock.to_ms(now) + 60_000)
    return [batch.device_id for batch in heard.batches]


def test_the_device_that_can_measures() -> None:
    assert obeyed(("ox", "c1", ("spo2",))) == ["ox"]
    assert obeyed(("ox", "c1", ("weight",))) == []
    assert obeyed(("somebody-elses", "c1", ("spo2",))) == []


def test_a_command_that_comes_twice_is_obeyed_once() -> None:
    twice = ("ox", "c1", ("spo2",))
    assert obeyed(twice, twice) == ["ox"]
    assert obeyed(twice, ("ox", "c2", ("spo2",))) == ["ox", "ox"]
