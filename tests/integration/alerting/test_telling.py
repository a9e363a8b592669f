"""A resident's own red flag is answered on their devices, in the transaction that raises the alert, once an episode."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from telehealth.store import alerts as alert_store
from telehealth.store import evaluation
from telehealth.web.record import told_resident
from tests.integration.alerting.conftest import Service
from tests.support import servers, world
from tests.support.world import T0, Resident, Sample

MINUTE = timedelta(minutes=1)
WORDS = "If you have chest pain or have fainted, call 999 now."
FLAGS = {
    "kind": "symptom",
    "name": "red_flags",
    "codes": ["chest_pain", "syncope"],
    "red": 1,
    "resident_text": WORDS,
    "source": "test",
}
SENT = ("tablet", WORDS, None)


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def home(service: Service, *, tablet: bool = True, **rule: Any) -> Resident:
    """A resident who may have a tablet; another's is nobody's business."""
    ward = await world.ward(service.database)
    of = await world.resident(service.database, ward, rules=world.rule_set({**FLAGS, **rule}))
    other = await world.resident(service.database, ward)
    await world.device(service.database, ward, "others", resident=other)
    await world.device(service.database, ward, "tablet", resident=of if tablet else None)
    return of


async def answer(service: Service, of: Resident, code: str, value: int, at: datetime, *, keyed: bool = False) -> None:
    async with service.database.transaction(world.ACTOR) as connection:
        pk = await connection.fetchval("SELECT id FROM device WHERE device_id = 'tablet'")
        sample = Sample(code, value, at, "")
        await world.insert_readings(connection, of.ward, [sample], resident_id=of.id, device_pk=None if keyed else pk)


async def told(service: Service) -> list[tuple[Any, ...]]:
    return await service.rows(
        "SELECT d.device_id, c.text, c.subject, c.about_at, c.expires_at FROM device_command c"
        " JOIN device d ON d.id = c.device_pk WHERE c.kind = 'message' ORDER BY c.about_at, d.device_id"
    )


async def page(service: Service, of: Resident) -> dict[str, Any]:
    """What the alert's page says."""
    async with service.database.transaction(world.ACTOR) as connection:
        newest = (await alert_store.page(connection, resident_id=of.id))[0]
        found = await alert_store.get(connection, newest.id)
        shown = await told_resident.shown(connection, found, now=service.clock.now())
    assert shown is not None
    return shown


async def test_devices_show_it_once_an_episode(service: Service) -> None:
    """Further answers, a later look and late data tell it no second time; what comes again after it was over does."""
    of = await home(service)
    await answer(service, of, "chest_pain", 1, T0)
    await service.at(T0)
    first = (*SENT, T0, T0 + 60 * MINUTE)
    assert await told(service) == [first]
    shown = await page(service, of)
    assert (shown["text"], shown["why"], shown["ring"]) == (WORDS, None, False)
    assert [(one["device_id"], one["state"]) for one in shown["devices"]] == [("tablet", "not sent yet")]
    await answer(service, of, "syncope", 1, T0 + MINUTE)
    await service.minutes(1)
    await answer(service, of, "chest_pain", 1, T0 - MINUTE)  # folds it anew: the episode begins earlier
    await service.minutes(1)
    assert await told(service) == [first]
    for code in ("chest_pain", "syncope"):
        await answer(service, of, code, 0, T0 + 5 * MINUTE)
    await service.at(T0 + 5 * MINUTE)
    again = T0 + 10 * MINUTE
    await answer(service, of, "syncope", 1, again)
    await service.at(again)
    assert await told(service) == [first, (*SENT, again, again + 60 * MINUTE)]


async def test_only_red_tells(service: Service) -> None:
    of = await home(service, amber=1, red=2)
    await answer(service, of, "chest_pain", 1, T0)
    await service.at(T0)
    assert len(await service.open(of)) == 1
    assert await told(service) == []
    await answer(service, of, "syncope", 1, T0 + MINUTE)
    await service.minutes(1)
    assert [row[3] for row in await told(service)] == [T0 + MINUTE]


async def test_without_a_device_somebody_has_to_ring(service: Service) -> None:
    """Of devices that nobody has, that are somebody else's or revoked, none is told."""
    of = await home(service)
    async with service.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device SET revoked_at = $1 WHERE device_id = 'tablet'", T0)
    await answer(service, of, "chest_pain", 1, T0)
    await service.at(T0)
    assert await told(service) == []
    shown = await page(service, of)
    assert shown["ring"]
    assert shown["devices"] == []


async def test_too_late_somebody_has_to_ring(service: Service) -> None:
    """An answer that comes hours later is no news to the resident; nor does a message wait for a device for ever."""
    of = await home(service)
    await answer(service, of, "chest_pain", 1, T0)
    await service.at(T0 + 61 * MINUTE)
    assert len(await service.open(of)) == 1
    assert await told(service) == []
    assert (await page(service, of))["ring"]


async def test_what_could_not_be_sent_is_said(service: Service) -> None:
    of = await home(service)
    await answer(service, of, "chest_pain", 1, T0)
    await service.at(T0)
    await service.at(T0 + 61 * MINUTE)
    shown = await page(service, of)
    assert (shown["ring"], shown["why"]) == (True, "It could not be sent in time.")
    assert [one["state"] for one in shown["devices"]] == ["not sent in time"]


async def test_what_staff_enter_tells_nobody(service: Service) -> None:
    """They speak with the resident."""
    of = await home(service)
    await answer(service, of, "chest_pain", 1, T0, keyed=True)
    await service.at(T0)
    assert len(await service.open(of)) == 1
    assert await told(service) == []
    shown = await page(service, of)
    assert not shown["ring"]
    assert shown["why"].startswith("Staff entered the answer")


async def test_on_a_shared_kit_it_says_whom(service: Service) -> None:
    of = await home(service, tablet=False)
    async with service.database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "INSERT INTO device_seat (organisation_id, device_pk, kind, label, resident_id, during, created_by,"
            " created_at) SELECT $1, id, 'subject', 'room-4', $2, tstzrange($3, NULL), 'operator:tests', $3"
            " FROM device WHERE device_id = 'tablet'",
            of.ward.organisation_id,
            of.id,
            T0 - timedelta(days=1),
        )
    await answer(service, of, "chest_pain", 1, T0)
    await service.at(T0)
    assert [row[:3] for row in await told(service)] == [("tablet", WORDS, "room-4")]


async def test_with_the_alert_or_not_at_all(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash before the commit leaves neither alert nor message; the next evaluation makes both, once."""
    of = await home(service)
    await answer(service, of, "chest_pain", 1, T0)
    finish = evaluation.finish

    async def dies(*arguments: object, **_: object) -> None:
        await finish(*arguments)  # type: ignore[arg-type]  # passed through
        raise ConnectionResetError

    monkeypatch.setattr(evaluation, "finish", dies)
    with pytest.raises(ConnectionResetError):
        await service.at(T0)
    assert await told(service) == []
    monkeypatch.undo()
    await service.at(T0)
    assert len(await told(service)) == len(await service.open(of)) == 1


async def test_a_rule_without_words_tells_nobody(service: Service) -> None:
    of = await home(service, resident_text=None)
    await answer(service, of, "chest_pain", 1, T0)
    await service.at(T0)
    assert len(await service.open(of)) == 1
    assert await told(service) == []
    async with service.database.transaction(world.ACTOR) as connection:
        found = await alert_store.get(connection, (await alert_store.page(connection, resident_id=of.id))[0].id)
        assert await told_resident.shown(connection, found, now=service.clock.now()) is None
