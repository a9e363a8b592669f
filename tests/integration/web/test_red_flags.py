"""What a resident is told because of a red flag: on the alert's page, on that of the rules, and changed for one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alerts import pathways
from telehealth.alerting.evaluator import Evaluator
from telehealth.store import clock
from tests.integration.web.conftest import NOW, Server, World, token
from tests.support import world

MINUTE = timedelta(minutes=1)
RULE = "symptom/red_flags"
WORDS = "You reported a warning sign. If you have chest pain"


async def admitted(server: Server, people: World, device_id: str) -> world.Resident:
    """On a packaged pathway since yesterday, with a device; says that their chest hurts."""
    compiled = pathways.compile(pathways.load("heart_failure"))
    carl = await world.resident(
        server.database, people.north, rules=compiled.to_json(), admitted_at=NOW - timedelta(days=1)
    )
    device = await world.device(server.database, people.north, device_id, resident=carl)
    async with server.database.transaction(world.ACTOR) as connection:
        answer = world.Sample("chest_pain", 1, NOW, "")
        await world.insert_readings(connection, carl.ward, [answer], resident_id=carl.id, device_pk=device.pk)
    return carl


async def alert_of(server: Server, of: world.Resident) -> int:
    async with server.database.transaction(world.ACTOR) as connection:
        found: int = await connection.fetchval("SELECT id FROM alert WHERE resident_id = $1 AND rule = $2", of.id, RULE)
    return found


async def test_the_alert_says_what_was_sent_or_that_somebody_must_ring(server: Server, people: World) -> None:
    carl, dora = await admitted(server, people, "tablet-1"), await admitted(server, people, "tablet-2")
    async with server.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device SET revoked_at = $1 WHERE device_id = 'tablet-2'", NOW)
    await clock.set_virtual(server.database, server.clock, NOW + MINUTE)
    await Evaluator(server.database, server.clock).drain()
    async with server.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device_command SET state = 'published', settled_at = $1", NOW + MINUTE)
    async with server.signed_in("clara") as browser:

        async def page(of: world.Resident) -> str:
            async with browser.session.get(f"/alerts/{await alert_of(server, of)}") as response:
                assert response.status == 200
                return await response.text()

        told = await page(carl)
        assert "What the resident is told" in told
        assert WORDS in told
        assert "tablet-1: sent at" in told
        assert "Sent does not mean seen" in told
        assert "Ring the resident now" not in told
        alone = await page(dora)
        assert "Ring the resident now" in alone
        assert WORDS in alone
        async with browser.session.get(f"/residents/{carl.id}/rules") as response:
            rules = await response.text()
        assert WORDS in rules
        assert "NHS heart failure leaflets, red zone: 999; wording chosen" in rules


async def test_one_resident_is_told_something_else_or_nothing(server: Server, people: World) -> None:
    """With who, why and until when; a text that cannot be shown is refused."""
    carl = await admitted(server, people, "tablet-1")
    path = f"/api/v1/residents/{carl.id}/rules"
    async with server.session(headers=await token(server.database, "clara")) as session:

        async def change(value: object) -> tuple[int, Any]:
            async with session.get(path) as response:
                version = (await response.json())["version"]
            changes = [{"rule": RULE, "field": "resident_text", "value": value}]
            review = (NOW + timedelta(days=60)).date().isoformat()
            body = {"changes": changes, "why": "plan: ring the hospice", "review_on": review, "version": version}
            async with session.post(path, json=body) as response:
                return response.status, await response.json()

        async def shown() -> Any:
            async with session.get(path) as response:
                rule = next(one for one in (await response.json())["rules"] if one["key"] == RULE)
            return next(one for one in rule["numbers"] if one["field"] == "resident_text")

        usual = await shown()
        assert (usual["approval"], usual["personal"]) == ("needs local approval", None)
        assert usual["value"].startswith(WORDS)
        for wrong in ("", "x" * 301, "two\nlines", 999):
            assert (await change(wrong))[0] == 422
        assert (await change("Ring the hospice: 020 7946 0000."))[0] == 200
        assert (await shown())["text"] == "Ring the hospice: 020 7946 0000."
        assert (await change(None))[0] == 200
        now = await shown()
        assert (now["value"], now["text"], now["usual"]) == (None, "none", usual["value"])
        assert now["personal"]["why"] == "plan: ring the hospice"
