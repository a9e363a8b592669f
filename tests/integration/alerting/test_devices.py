"""Red readings of nobody: technical alerts of the device's ward."""

from __future__ import annotations

from datetime import timedelta

from telehealth.store import devices, residents
from tests.integration.alerting.conftest import Service
from tests.support import world
from tests.support.world import T0, Sample, spo2

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def _receive(service: Service, device: world.Device, *samples: Sample) -> int:
    """Store readings of nobody as ingest does, with the due row of their device."""
    async with service.database.transaction(world.ACTOR) as connection:
        new = await world.insert_readings(
            connection, device.ward, samples, device_pk=device.pk, received_at=service.clock.now()
        )
        known = [sample.at for sample in samples if sample.known_time]
        earliest = min([*known, service.clock.now()])
        await world.due(connection, device.ward, device_pk=device.pk, earliest_at=earliest, cause="reading")
    await service.evaluator.drain()
    return new


async def test_red_reading_of_an_unassigned_device(service: Service) -> None:
    """One technical alert on the device's ward, whoever often the reading comes; it names nobody."""
    ward = await world.ward(service.database)
    device = await world.device(service.database, ward)
    for expected in (1, 0, 0):
        assert await _receive(service, device, spo2(84, T0)) == expected
        [alert] = await service.alerts()
    assert (alert.rule, alert.kind, alert.condition) == ("unassigned/spo2/low", "technical", "active")
    assert (alert.ward_id, alert.device_pk, alert.resident_id) == (ward.id, device.pk, None)
    assert "84 %" in alert.reason
    assert await service.events(alert.id) == ["raised"]
    assert len(await service.episodes()) == 1


async def test_somebody_who_is_not_alert(service: Service) -> None:
    """Confusion, voice, pain and unresponsive are red in anybody; alert is not, and clears."""
    ward = await world.ward(service.database)
    for position, letter in enumerate("CVPUA"):
        device = await world.device(service.database, ward)
        await _receive(service, device, Sample("consciousness", letter, T0 + position * MINUTE, unit=None))
    alerts = await service.alerts()
    assert {(alert.rule, alert.priority) for alert in alerts} == {("unassigned/consciousness/high", "high")}
    assert sorted(alert.reason for alert in alerts) == [
        f"Consciousness {letter}, not alert (red); from a device without a resident" for letter in "CPUV"
    ]


async def test_normal_reading_of_an_unassigned_device(service: Service) -> None:
    """Nothing to say; and a failed measurement is no reading."""
    ward = await world.ward(service.database)
    device = await world.device(service.database, ward)
    await _receive(service, device, spo2(97, T0), spo2(None, T0 + MINUTE))
    assert not await service.alerts()


async def test_it_clears_by_a_normal_reading_or_an_assignment_or_time(service: Service) -> None:
    """Three devices, three ways in which the alert ends."""
    ward = await world.ward(service.database)
    given = [await world.device(service.database, ward) for _ in range(3)]
    for device in given:
        await _receive(service, device, spo2(84, T0))
    assert [alert.condition for alert in await service.alerts()] == ["active"] * 3

    await service.at(T0 + MINUTE)
    await _receive(service, given[0], spo2(97, T0 + MINUTE))
    resident = await world.resident(service.database, ward)
    async with service.database.transaction(world.ACTOR) as connection:
        await devices.assign(
            connection,
            await devices.find(connection, given[1].device_id),
            await residents.find(connection, resident.nhs_number),
            since=T0 + MINUTE,
            until=None,
            actor=world.ACTOR,
            now=T0 + MINUTE,
        )
    await service.evaluator.drain()
    assert [alert.condition for alert in await service.alerts()] == ["cleared", "cleared", "active"]
    await service.at(T0 + 25 * HOUR)
    assert [alert.condition for alert in await service.alerts()] == ["cleared"] * 3
    assert not await service.rows("SELECT 1 FROM evaluation_due")


async def test_readings_that_turn_out_to_be_somebodys(service: Service) -> None:
    """Assigned for a time that has passed: the device's alert is withdrawn, and the resident's is raised."""
    ward = await world.ward(service.database)
    device = await world.device(service.database, ward)
    await _receive(service, device, spo2(84, T0))
    resident = await world.resident(service.database, ward)
    async with service.database.transaction(world.ACTOR) as connection:
        await devices.assign(
            connection,
            await devices.find(connection, device.device_id),
            await residents.find(connection, resident.nhs_number),
            since=T0 - HOUR,
            until=None,
            actor=world.ACTOR,
            now=T0 + MINUTE,
        )
    await service.minutes(1)
    technical, red = await service.alerts()
    assert (technical.device_pk, technical.condition) == (device.pk, "withdrawn")
    assert (red.resident_id, red.rule, red.condition) == (resident.id, "threshold/spo2/low", "active")


async def test_order_of_delivery_does_not_matter(service: Service) -> None:
    """The same readings in another order, with the later ones first, give the same episodes."""
    ward = await world.ward(service.database)
    samples = [spo2(84, T0), spo2(97, T0 + MINUTE), spo2(83, T0 + 2 * MINUTE), spo2(82, T0 + 3 * MINUTE)]
    await service.at(T0 + 5 * MINUTE)
    told = []
    for order in (samples, samples[::-1]):
        device = await world.device(service.database, ward)
        for sample in order:
            await _receive(service, device, sample)
        told.append([row[2:] for row in await service.episodes() if row[1] == device.pk])
    assert told[0] == told[1]
    assert len(told[0]) == 2


async def test_red_reading_of_unknown_time(service: Service) -> None:
    """It reaches no rule of the resident: a technical alert about the clock, by the resident's own limits."""
    ward = await world.ward(service.database)
    rules = world.rule_set(world.threshold(red_low=80.0, amber_low=85.0))
    resident = await world.resident(service.database, ward, rules=rules)
    device = await world.device(service.database, ward, resident=resident)
    wrong = T0 - timedelta(days=2000)
    await _receive(service, device, spo2(84, wrong, known_time=False))
    assert not await service.alerts()
    await _receive(service, device, spo2(79, wrong + MINUTE, known_time=False))
    [alert] = await service.alerts()
    assert (alert.rule, alert.kind, alert.device_pk) == ("clock/spo2/low", "technical", device.pk)
    assert alert.onset_at == T0
    assert "time unknown" in alert.reason


async def test_red_reading_of_uncertain_time(service: Service) -> None:
    """Its time was worked out: it alerts as physiological, and says that the clock was wrong."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0, marks=["clock_uncertain"]))
    async with service.database.transaction(world.ACTOR) as connection:
        moved = await connection.execute("UPDATE reading SET effective_at = taken_at + interval '1 minute'")
        assert moved == "UPDATE 1"
    await service.minutes(2)
    [alert] = await service.alerts(resident)
    assert (alert.rule, alert.kind, alert.onset_at) == ("threshold/spo2/low", "physiological", T0 + MINUTE)
    assert "clock" in alert.reason


async def test_values_of_one_moment_that_differ_are_one_episode(service: Service) -> None:
    """However red and normal values of the same moment, or of unknown times, are mixed, red counts, and once."""
    ward = await world.ward(service.database)
    for known_time, rule in ((True, "unassigned/spo2/low"), (False, "clock/spo2/low")):
        device = await world.device(service.database, ward)
        mixed = [spo2(value, T0, known_time=known_time, source_id=f"{n}") for n, value in enumerate((84, 97) * 12)]
        assert await _receive(service, device, *mixed) == len(mixed)
        [alert] = [alert for alert in await service.alerts() if alert.device_pk == device.pk]
        assert (alert.rule, alert.condition) == (rule, "active")
    assert len(await service.episodes()) == 2
