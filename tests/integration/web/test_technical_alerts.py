"""What is wrong with devices, and why a measure has not come, on pages and in the API."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from telehealth.alerting.evaluator import Evaluator
from telehealth.model.delivery import Status
from telehealth.store import clock, devices, ingest, technical
from tests.integration.web.conftest import NOW, Server, World
from tests.support import world

DAY = timedelta(days=1)


async def test_every_technical_alert_can_be_opened(server: Server, people: World) -> None:
    """Its page and its JSON say what it rests on, what would clear it, and by which settings it was judged."""
    database, kit = server.database, people.oximeter
    silence = {"kind": "silence", "code": "spo2", "grace_seconds": 3600}
    await world.new_rules(database, people.anna, world.rule_set(silence), NOW)
    said = msgspec.json.encode({"online": False, "battery": 0.05, "firmware": "1.0", "sent_at": NOW}).decode()
    async with database.transaction(world.ACTOR) as connection:
        plan = {"spo2": {"times": ["22:00"]}}
        await connection.execute("UPDATE spell SET schedule = $2 WHERE resident_id = $1", people.anna.id, plan)
        await ingest.take_in(connection, [], [Status(kit.device_id, said, False, NOW, retained=False)], now=NOW)
        device = await devices.find(connection, kit.device_id)
        who = {"actor": world.ACTOR, "now": NOW}
        when = {"due_on": date(2026, 3, 2), "warn_days": 3}
        await technical.set_upkeep(connection, device, kind="consumable", item="test_strips", **when, **who)  # type: ignore[arg-type]  # spelt once
        await technical.set_upkeep(connection, device, kind="calibration", item="cuff", **when, **who)  # type: ignore[arg-type]  # spelt once
        await technical.set_setting(
            connection,
            device.organisation_id,
            name="minimum_firmware",
            model="",
            value="2",
            source="recall",
            approval="approved",
            **who,  # type: ignore[arg-type]  # spelt once
        )
    await clock.set_virtual(database, server.clock, NOW + DAY)
    await Evaluator(database, server.clock).drain()
    async with database.transaction(world.ACTOR) as connection:
        rows = await connection.fetch("SELECT id, rule, reason FROM alert WHERE kind = 'technical' ORDER BY rule")
    assert [row["rule"] for row in rows] == [
        "battery",
        "calibration/cuff",
        "consumable/test_strips",
        "firmware",
        "silence/spo2",
        "silent",
    ]
    async with server.signed_in("clara") as browser:
        for row in rows:
            async with browser.session.get(f"/alerts/{row['id']}") as response:
                assert response.status == 200, row["rule"]
                page = await response.text()
            assert row["reason"] in page, row["rule"]
            async with browser.session.get(f"/api/v1/alerts/{row['id']}") as response:
                assert response.status == 200
                found = await response.json()
            assert found["reason"] == row["reason"]
        async with browser.session.get(f"/wards/{people.north.id}/alerts") as response:
            assert response.status == 200
            assert "Battery of the device at 5 %" in await response.text()
