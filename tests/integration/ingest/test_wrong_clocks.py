"""Three devices at the broker: a clock two hours fast, one never set, one that is put back an hour on the way."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from simulator import clock as sim_clock
from simulator.homes import clocks
from simulator.homes.faults import Fault
from telehealth import clock
from telehealth.alerting.evaluator import Evaluator
from telehealth.brokers import rules
from telehealth.clock import ClinicalClock
from telehealth.store import alerts, residents_view
from telehealth.store.db import Database
from tests.integration.ingest import sessions
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.ingest.wards import envelope, rfc3339, spo2
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

HOUR = timedelta(hours=1)


def _message(wrong: list[Fault], value: float, seq: int) -> tuple[bytes, datetime]:
    """A value measured just now, as the device's clock has it; and when that truly was."""
    taken = clock.real_now() - timedelta(seconds=1)
    shown = sim_clock.from_ms(clocks.shown(wrong, sim_clock.to_ms(taken)))
    return envelope(spo2(value, at=shown), seq=seq, sent_at=rfc3339(shown + timedelta(seconds=1))), taken


@pytest.mark.parametrize("postgres", ["postgres_18"], indirect=True)
async def test_latest_charts_and_alerts_are_right(database: Database) -> None:
    start = clock.real_now()
    wrong = {
        "fast": clocks.option("fast=+2h", "c1", ["device:fast"], start - HOUR),
        "unset": clocks.option("unset=unset", "c2", ["device:unset"], start - HOUR),
        "put-back": clocks.option("put-back=-1h", "c3", ["device:put-back"], start - HOUR),
    }
    ward = await world.ward(database)
    residents = {}
    for name in wrong:
        rule_set = world.rule_set(world.threshold())
        residents[name] = await world.resident(database, ward, admitted_at=start - 48 * HOUR, rules=rule_set)
        await world.device(database, ward, name, resident=residents[name], assigned_from=start - 48 * HOUR)
    truth: dict[str, list[tuple[float, datetime]]] = {name: [] for name in wrong}
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with sessions.ingest(database, broker, user=rules.SERVICE):
            for name, fault in wrong.items():
                async with Device(name).connected(broker) as device:
                    for seq, value in enumerate((97, 96, 84, 83), 1):
                        right_yet = name == "put-back" and seq <= 2
                        payload, taken = _message([] if right_yet else [fault], value, seq)
                        truth[name].append((value, taken))
                        device.publish(payload)
                        await device.answered(lambda receipt: receipt["through"] == len(truth[name]))  # noqa: B023  # awaited within the turn
    await Evaluator(database, ClinicalClock()).drain()
    async with database.transaction(world.ACTOR) as connection:
        found = await alerts.page(connection)
        for name, resident in residents.items():
            now = clock.real_now()
            history = await residents_view.history(
                connection, resident.id, since=start - HOUR, until=now, points=100_000
            )
            assert [point["value"] for point in history.points] == [97, 96, 84, 83]
            for point, (_, taken) in zip(history.points, truth[name], strict=True):
                assert abs(point["effective_at"] - taken) < timedelta(seconds=30)
            marked = [bool(point["marks"]) for point in history.points]
            assert marked == ([False, False, True, True] if name == "put-back" else [True] * 4)
            [latest] = await connection.fetch("SELECT value, marks FROM latest WHERE resident_id = $1", resident.id)
            assert (latest["value"], latest["marks"]) == (83, ["clock_uncertain"])
            [alert] = [one for one in found if one.resident_id == resident.id]
            assert (alert.rule, alert.condition, alert.late) == ("threshold/spo2/low", "active", False)
            assert abs(alert.onset_at - truth[name][2][1]) < timedelta(seconds=30)
    reasons = {one.device_id: one.reason for one in found if one.rule == "clock"}
    assert set(reasons) == set(wrong)
    assert "about 2 h fast" in reasons["fast"]
    assert "not set" in reasons["unset"]
    assert "about 1 h slow" in reasons["put-back"]
    assert "daylight saving" in reasons["put-back"]
