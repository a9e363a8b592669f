"""Devices as things, through the service: what their status messages and the registry's dates raise and end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from telehealth.errors import Conflict, Invalid
from telehealth.model.delivery import Status
from telehealth.store import devices, ingest, technical
from telehealth.store.alerts import Alert
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.alerting.conftest import Service
from tests.integration.attribution.test_commands import command
from tests.support import world
from tests.support.world import T0, spo2

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

SILENCE = {"kind": "silence", "code": "spo2", "grace_seconds": 3600, "source": "test", "approval": "draft"}
SCHEDULE = {"spo2": {"times": ["10:00", "18:00"], "grace_minutes": 30}}


async def says(service: Service, device: world.Device, at: datetime, *, online: bool = True, **more: Any) -> None:
    """The device's status, or its last will, received at a moment; then everything that is due is done."""
    text = msgspec.json.encode({"online": online, "sent_at": at, **more}).decode()
    status = Status(device.device_id, text, online, at, retained=False)
    async with service.database.transaction(world.ACTOR) as connection:
        await ingest.take_in(connection, [], [status], now=at)
    await service.at(at)


async def told(service: Service, device: world.Device) -> list[tuple[str, str, str, str]]:
    return [
        (a.rule, a.evidence["level"], a.priority, a.condition)
        for a in await service.alerts()
        if a.device_pk == device.pk
    ]


async def test_battery(service: Service) -> None:
    """One technical alert that gets worse, with hysteresis; the explanation has the numbers and their source."""
    ward = await world.ward(service.database)
    device = await world.device(service.database, ward)
    await says(service, device, T0, battery=0.5)
    assert await told(service, device) == []
    await says(service, device, T0 + HOUR, battery=0.15)
    assert await told(service, device) == [("battery", "low", "low", "active")]
    await says(service, device, T0 + 2 * HOUR, battery=0.08)
    await says(service, device, T0 + 3 * HOUR, battery=0.22)
    assert await told(service, device) == [("battery", "critical", "medium", "active")]
    await says(service, device, T0 + 4 * HOUR, online=False)
    await says(service, device, T0 + 5 * HOUR, battery=0.9)
    assert await told(service, device) == [("battery", "critical", "medium", "cleared")]
    [alert] = await service.alerts()
    assert (alert.kind, alert.onset_at, alert.resident_id) == ("technical", T0 + HOUR, None)
    assert alert.reason == "Battery of the device at 8 %, below 10 % (critical): it may stop measuring"
    assert {one["name"] for one in alert.evidence["settings"]} == {
        "battery_low",
        "battery_critical",
        "battery_hysteresis",
    }
    assert all(one["source"] and one["approval"] for one in alert.evidence["settings"])
    assert await service.events(alert.id) == ["raised", "worsened", "cleared"]
    [episode] = await service.rows("SELECT started_at, ended_at, peak_value FROM episode")
    assert episode == (T0 + HOUR, T0 + 5 * HOUR, 8.0)
    await says(service, device, T0 + 6 * HOUR, battery=0.19)
    assert await told(service, device) == [("battery", "low", "medium", "active")]
    assert len(await service.rows("SELECT 1 FROM episode")) == 2


async def test_the_same_status_again_is_no_work(service: Service) -> None:
    """Only what a device says anew beside its time is looked at."""
    ward = await world.ward(service.database)
    device = await world.device(service.database, ward)
    await says(service, device, T0, battery=0.15)
    for minute in range(1, 4):
        at = T0 + minute * MINUTE
        text = msgspec.json.encode({"online": True, "battery": 0.15, "sent_at": at}).decode()
        async with service.database.transaction(world.ACTOR) as connection:
            await ingest.take_in(connection, [], [Status(device.device_id, text, True, at, retained=True)], now=at)
    assert await service.rows("SELECT 1 FROM evaluation_due") == []


async def test_firmware_by_model(service: Service) -> None:
    """A minimum of the model; changing it looks at its devices again."""
    ward = await world.ward(service.database)
    old, other = [await world.device(service.database, ward) for _ in range(2)]
    async with service.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device SET model = 'BP-2' WHERE id = $1", old.pk)
    for device in (old, other):
        await says(service, device, T0, firmware="1.3.9")
    assert await service.alerts() == []

    async def minimum(value: str | None) -> None:
        async with service.database.transaction(world.ACTOR) as connection:
            await technical.set_setting(
                connection,
                ward.organisation_id,
                name="minimum_firmware",
                model="BP-2",
                value=value,
                source="field safety notice",
                approval="approved by the devices lead",
                actor=world.ACTOR,
                now=service.clock.now(),
            )
        await service.minutes(1)

    await minimum("1.4")
    [alert] = await service.alerts()
    assert (alert.device_pk, alert.rule, alert.priority, alert.kind) == (old.pk, "firmware", "low", "technical")
    assert alert.reason == "Firmware 1.3.9 of the device is older than 1.4, the oldest that may be used"
    assert alert.evidence["settings"][0]["source"] == "field safety notice"
    await says(service, old, T0 + HOUR, firmware="1.4.0")
    assert (await service.alerts())[0].condition == "cleared"
    await says(service, old, T0 + 2 * HOUR, firmware="1.3.9")
    await minimum(None)
    assert {alert.condition for alert in await service.alerts()} == {"cleared"}
    with pytest.raises(Invalid, match="version"):
        await minimum("newest")


async def test_offline_for_long(service: Service) -> None:
    """A last will, and then nothing for a day: told by time alone, where a monitored resident has the device."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward, admitted_at=T0 - DAY)
    theirs = await world.device(service.database, ward, resident=resident)
    spare = await world.device(service.database, ward)
    for at, online in ((T0, True), (T0 + HOUR, False)):
        for device in (theirs, spare):
            await says(service, device, at, online=online)
    await service.at(T0 + 25 * HOUR - MINUTE)
    assert await service.alerts() == []
    await service.at(T0 + 25 * HOUR)
    [alert] = await service.alerts()
    assert (alert.device_pk, alert.rule, alert.priority, alert.onset_at) == (
        theirs.pk,
        "silent",
        "low",
        T0 + 25 * HOUR,
    )
    assert "offline since 02-Mar 10:00" in alert.reason
    await says(service, theirs, T0 + 30 * HOUR)
    [alert] = await service.alerts()
    assert alert.condition == "cleared"
    assert await service.rows("SELECT 1 FROM evaluation_due WHERE device_pk IS NOT NULL") == []


async def test_a_silent_device_whose_resident_is_paused(service: Service) -> None:
    """Nobody expects anything of it then, and again when the pause is over."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward, admitted_at=T0 - DAY)
    device = await world.device(service.database, ward, resident=resident)
    await says(service, device, T0, online=False)
    await service.at(T0 + 24 * HOUR)
    assert await told(service, device) == [("silent", "silent", "low", "active")]
    await world.pause(service.database, resident, T0 + 25 * HOUR, T0 + 30 * HOUR)
    await service.at(T0 + 26 * HOUR)
    assert await told(service, device) == [("silent", "silent", "low", "cleared")]
    await service.at(T0 + 29 * HOUR)
    await service.at(T0 + 31 * HOUR)
    assert await told(service, device) == [("silent", "silent", "low", "active")]


async def test_what_runs_out(service: Service) -> None:
    """Warned of by the registry's date, overdue from the day after it, over when another date is entered."""
    ward = await world.ward(service.database)
    await service.minutes(0)
    made = await world.device(service.database, ward)

    async def enter(item: str, due_on: date | None, *, kind: str = "consumable", warn_days: int | None = None) -> None:
        async with service.database.transaction(world.ACTOR) as connection:
            device = await devices.find(connection, made.device_id)
            await technical.set_upkeep(
                connection,
                device,
                kind=kind,
                item=item,
                due_on=due_on,
                warn_days=warn_days,
                actor=world.ACTOR,
                now=service.clock.now(),
            )
        await service.minutes(0)

    last = date(2026, 3, 20)
    await enter("test_strips", last)
    await enter("cuff", date(2026, 3, 10), kind="calibration")
    [cuff] = await service.alerts()
    assert (cuff.rule, cuff.priority, cuff.reason) == (
        "calibration/cuff",
        "low",
        "Cuff of the device to be checked by 10 Mar 2026",
    )
    await service.at(datetime(2026, 3, 5, 23, 59, tzinfo=T0.tzinfo))
    assert len(await service.alerts()) == 1
    await service.at(datetime(2026, 3, 6, 0, 0, tzinfo=T0.tzinfo))
    strips = await _alert(service, "consumable/test_strips")
    assert (strips.priority, strips.reason) == ("low", "Test strips of the device to be replaced by 20 Mar 2026")
    await service.at(datetime(2026, 3, 11, 0, 0, tzinfo=T0.tzinfo))
    cuff = await _alert(service, "calibration/cuff")
    assert (cuff.priority, cuff.reason) == ("medium", "Cuff of the device should have been checked by 10 Mar 2026")
    assert await service.events(cuff.id) == ["raised", "worsened"]
    await enter("cuff", date(2027, 3, 10), kind="calibration")
    await enter("test_strips", None)
    assert [alert.condition for alert in await service.alerts()] == ["cleared", "cleared"]
    with pytest.raises(Conflict):
        await enter("test_strips", None)
    with pytest.raises(Invalid):
        await enter("Test strips", last)


async def _alert(service: Service, rule: str) -> Alert:
    [found] = [alert for alert in await service.alerts() if alert.rule == rule]
    return found


async def _cause(service: Service, resident: world.Resident) -> tuple[str, str]:
    [alert] = await service.alerts(resident)
    assert (alert.rule, alert.condition) == ("silence/spo2", "active")
    assert alert.reason.endswith(alert.evidence["cause"]["text"])
    return alert.evidence["cause"]["key"], alert.reason


async def _expected(service: Service, *codes: str) -> tuple[world.Resident, Sequence[world.Device]]:
    """A resident who is to measure at 10:00, until 10:30, with a device that measures these codes, if any."""
    ward = await world.ward(service.database)
    resident = await world.resident(
        service.database, ward, rules=world.rule_set(SILENCE), schedule=SCHEDULE, admitted_at=T0 - HOUR
    )
    made = [await world.device(service.database, ward, codes=codes, resident=resident)] if codes else []
    return resident, made


async def test_resident_silent_or_device_silent(service: Service) -> None:
    """The device is on, or it is not: different, and said anew when that changes; the episode stays as it is."""
    silent, [off] = await _expected(service, "spo2")
    present, [on] = await _expected(service, "spo2")
    keyed, _ = await _expected(service)
    await says(service, off, T0)
    await says(service, on, T0)
    await says(service, off, T0 + 20 * MINUTE, online=False)
    await service.at(T0 + 90 * MINUTE)
    key, reason = await _cause(service, silent)
    assert key == "device_silent"
    assert "offline since 09:20: what was measured may still come" in reason
    key, reason = await _cause(service, present)
    assert (key, reason.rpartition("; ")[2]) == (
        "resident_silent",
        f"device {on.device_id} is on: nothing was measured with it",
    )
    assert (await _cause(service, keyed))[0] == "no_device"
    before = await service.episodes()
    await says(service, off, T0 + 2 * HOUR)
    assert (await _cause(service, silent))[0] == "resident_silent"
    await says(service, on, T0 + 3 * HOUR, online=False)
    assert (await _cause(service, present))[0] == "device_silent"
    assert await service.episodes() == before
    [alert] = await service.alerts(silent)
    assert await service.events(alert.id) == ["raised"]


async def test_data_late(service: Service) -> None:
    """A device sends what it kept: said so while the due measure is not among it; then it was never missing."""
    resident, [device] = await _expected(service, "spo2", "pulse")
    await says(service, device, T0)
    await service.at(T0 + 89 * MINUTE)

    async def brings(at: datetime) -> None:
        async with service.database.transaction(world.ACTOR) as connection:
            await world.insert_readings(
                connection, resident.ward, [spo2(97, at)], resident_id=resident.id, received_at=service.clock.now()
            )
            await connection.execute(
                "INSERT INTO latest (resident_id, code, organisation_id, effective_at, taken_at, received_at, identity,"
                " value, method) VALUES ($1, 'spo2', $2, $3, $3, $4, gen_random_uuid(), 97, 'device')"
                " ON CONFLICT (resident_id, code) DO UPDATE SET effective_at = $3, taken_at = $3, received_at = $4",
                resident.id,
                resident.ward.organisation_id,
                at,
                service.clock.now(),
            )

    await brings(T0 - 3 * HOUR)
    await service.minutes(1)
    key, reason = await _cause(service, resident)
    assert key == "data_late"
    assert "so far up to what was taken at 06:00" in reason
    await brings(T0 + 55 * MINUTE)
    await service.minutes(1)
    [alert] = await service.alerts(resident)
    assert alert.condition == "withdrawn"
    assert await service.episodes(resident) == []


async def test_by_command(urls: Urls, database: Database) -> None:
    """Dates and settings are entered, listed and refused in words; the evaluator is told."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    entered = ("upkeep", device.device_id, "test_strips", "--due", "2027-01-31", "--json")
    status, found = await command(urls, *entered)
    assert (status, [(one["item"], one["due_on"], one["warn_days"]) for one in found]) == (
        0,
        [("test_strips", "2027-01-31", 14)],
    )
    status, complaint = await command(urls, "upkeep", device.device_id, "test_strips")
    assert (status, "--due" in complaint) == (1, True)
    assert (await command(urls, "upkeep", device.device_id, "cuff", "--kind", "calibration", "--gone"))[0] == 1
    assert await command(urls, "upkeep", device.device_id, "test_strips", "--gone", "--json") == (0, [])
    status, complaint = await command(urls, "setting", "battery_critical", "0.5", "--source", "ours")
    assert (status, "must not be above battery_low" in complaint) == (1, True)
    changed = (
        "setting",
        "offline_hours",
        "12",
        "--model",
        "hub",
        "--source",
        "ours",
        "--approval",
        "approved",
        "--json",
    )
    assert (await command(urls, *changed))[0] == 0
    _, known = await command(urls, "settings", "--json")
    of_hubs = [one for one in known if one["name"] == "offline_hours"]
    assert [(one["model"], one["value"], one["approval"]) for one in of_hubs] == [
        ("", 24.0, "needs local approval"),
        ("hub", 12.0, "approved"),
    ]
    assert len({one["name"] for one in known}) == 8
    async with database.transaction(world.ACTOR) as connection:
        assert await connection.fetchval("SELECT count(*) FROM evaluation_due WHERE device_pk = $1", device.pk) == 2
        actions = await connection.fetch("SELECT action FROM audit WHERE action LIKE 'device.%' ORDER BY id")
    assert [row["action"] for row in actions] == ["device.upkeep", "device.upkeep", "device.setting"]
