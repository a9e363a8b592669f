"""What a tester is told of a feeding: how fast time really goes, and the latest messages of every device."""

from __future__ import annotations

import pytest

from simulator import clock, outbox, pace, ring
from simulator.homes.malicious import Extra


def test_how_fast_time_really_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not said before it can be known; over the latest steps; also while a step does not end; anew after a change."""
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    going = pace.Pace(3600.0)
    told: list[float | None] = [going.reached]
    at = 0
    for _ in range(30):
        going.stepped(at)
        now += 2.0
        at += 1_200_000
    told.append(going.reached)
    now += 60.0
    told.append(going.reached)
    going.set(10.0)
    told.append(going.reached)
    assert told == [None, pytest.approx(600.0, rel=0.05), pytest.approx(150.0, rel=0.2), None]


def test_a_flood_hides_no_other_devices_messages() -> None:
    kept = ring.Messages()
    kept.created([outbox.Held("calm", "s", 1, 0, 0, 1, b'[{"code": "spo2"}]')])
    for number in range(1000):
        kept.beside(Extra("wild", number, "telehealth/v1/wild/readings", b"{}"), True)
    found = kept.after(0, None)["messages"]
    assert [one["device_id"] for one in found if one["kind"] == "readings"] == ["calm"]
    assert len(found) == 1 + ring.LATEST
    assert len(kept.after(0, "wild", most=10_000)["messages"]) == ring.MESSAGES
    assert kept.last("calm") is not None
    assert kept.last("wild") is None
