"""The dry run on the resident's page and by API: what changed rules would have done, before anybody saves them."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from telehealth.store import dryrun
from telehealth.web.rules import trial_models
from tests.integration.web.conftest import NOW, Server, World, audited, token
from tests.support import world


async def measured(server: Server, people: World, lows: dict[int, float]) -> world.Resident:
    """A resident for five weeks with one SpO2 a day, 96 % but for some days ago, under limits of 88 and 90."""
    rules = world.rule_set(world.threshold(red_low=88.0, amber_low=90.0))
    carl = await world.resident(server.database, people.north, rules=rules, admitted_at=NOW - timedelta(days=35))
    samples = [world.spo2(lows.get(ago, 96.0), NOW - timedelta(days=ago, hours=1)) for ago in range(34)]
    await world.readings(server.database, carl, *samples)
    return carl


def red_low(value: float) -> dict[str, Any]:
    return {"rule": "threshold/spo2", "field": "red_low", "value": value}


def amber_low(value: float) -> dict[str, Any]:
    return {"rule": "threshold/spo2", "field": "amber_low", "value": value}


async def test_the_api_says_what_changed_rules_would_have_done(server: Server, people: World) -> None:
    """Two lows that are within the limits now would be two alerts; one that is out of both is the same."""
    carl = await measured(server, people, {3: 91.0, 9: 91.0, 15: 80.0, 31: 91.0})
    path = f"/api/v1/residents/{carl.id}/rules/dry-run"
    async with server.session(headers=await token(server.database, "clara")) as session:
        body: dict[str, Any] = {"changes": [red_low(92), amber_low(93)]}
        async with session.post(path, json=body) as response:
            assert response.status == 200, await response.text()
            found = await response.json()
        trial_models.Trial.model_validate(found)
        assert (found["alerts_before"], found["alerts_after"], found["human_more"]) == (1, 3, 2)
        assert found["sentence"].startswith("2 more alerts in 4 weeks, about 8 nurse-minutes a week")
        assert [alert["reason"][:9] for alert in found["added"]] == ["SpO2 91 %", "SpO2 91 %"]
        assert found["nurse_minutes_each"] == {
            "value": 15.0,
            "source": "chosen: open the record, ring the resident, write it down",
            "approval": "needs local approval",
        }
        async with session.post(path, json={**body, "weeks": 5}) as response:
            assert (await response.json())["alerts_after"] == 4
        refused: list[dict[str, Any]] = [
            {"changes": []},
            {**body, "weeks": 0},
            {**body, "weeks": 27},
            {"changes": [red_low(95)]},
            {"changes": [{"rule": "threshold/mood", "field": "red_low", "value": 1}]},
        ]
        for wrong in refused:
            async with session.post(path, json=wrong) as response:
                assert response.status == 422, wrong


async def test_nothing_is_changed(server: Server, people: World) -> None:
    """No rule version, no episode, no alert, no work for the evaluator: an audit row and that is all."""
    carl = await measured(server, people, {3: 80.0})
    counted = "SELECT (SELECT count(*) FROM {}) + 0"
    tables = ("rule_version", "episode", "alert", "alert_event", "evaluation_due", "checkpoint", "reading")

    async def counts() -> list[int]:
        async with server.database.transaction(world.ACTOR) as connection:
            return [await connection.fetchval(counted.format(table)) for table in tables]

    before = await counts()
    async with server.session(headers=await token(server.database, "clara")) as session:
        path = f"/api/v1/residents/{carl.id}/rules/dry-run"
        async with session.post(path, json={"changes": [red_low(85)]}) as response:
            assert response.status == 200
    assert await counts() == before
    assert await audited(server.database, action="rules.try", resident_id=carl.id, outcome="ok") == 1


async def test_who_may(server: Server, people: World) -> None:
    """Another ward's resident is not there; an administrator does not act on residents."""
    for name, resident, status in (("clara", people.bert, 404), ("sam", people.anna, 404), ("adam", people.anna, 403)):
        async with server.session(headers=await token(server.database, name)) as session:
            path = f"/api/v1/residents/{resident.id}/rules/dry-run"
            async with session.post(path, json={"changes": [red_low(85)]}) as response:
                assert response.status == status


async def test_what_staff_acted_on_is_to_be_found(server: Server, people: World) -> None:
    """An alert that was resolved as acted on is an event, also where no rule in force says so."""
    carl = await measured(server, people, {10: 89.0})
    async with server.database.transaction(world.ACTOR) as connection:
        alert = await connection.fetchval(
            "INSERT INTO alert (organisation_id, ward_id, resident_id, rule, kind, priority, condition, handling,"
            " onset_at, raised_at, changed_at, reason, evidence) VALUES ($1, $2, $3, 'news2', 'physiological',"
            " 'medium', 'cleared', 'resolved', $4, $4, $4, 'worse than yesterday', '{}') RETURNING id",
            carl.ward.organisation_id,
            carl.ward.id,
            carl.id,
            NOW - timedelta(days=10),
        )
        await connection.execute(
            "INSERT INTO alert_event (organisation_id, alert_id, at, event, actor, outcome)"
            " VALUES ($1, $2, $3, 'resolved', 'staff:1', 'action_taken')",
            carl.ward.organisation_id,
            alert,
            NOW,
        )
    async with server.session(headers=await token(server.database, "clara")) as session:
        path = f"/api/v1/residents/{carl.id}/rules/dry-run"
        async with session.post(path, json={"changes": [red_low(80), amber_low(82)]}) as response:
            found = await response.json()
    assert found["sentence"].endswith("would have missed 20-Feb")
    assert [event["text"] for event in found["caught"]] == ["worse than yesterday"]


async def test_too_many_readings_are_not_tried(server: Server, people: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API says so; the page previews the change without."""
    monkeypatch.setattr(dryrun, "MOST_READINGS", 20)
    carl = await measured(server, people, {})
    async with server.session(headers=await token(server.database, "clara")) as session:
        path = f"/api/v1/residents/{carl.id}/rules/dry-run"
        async with session.post(path, json={"changes": [red_low(85)]}) as response:
            assert response.status == 422
            assert (await response.json())["field"] == "weeks"
    text = await previewed(server, carl, red_low="85")
    assert "too many readings to try it here" in text


async def previewed(server: Server, carl: world.Resident, **typed: str) -> str:
    """The page that previews a change of the SpO2 limits, as a browser without scripts comes to it."""
    page = f"/residents/{carl.id}/rules"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"{page}/change?rule=threshold/spo2") as response:
            form = (await response.text()).split("<form")[-1]
        fields = {}
        for tag in re.findall(r"<input[^>]*>", form):
            name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in ("name", "value"))
            if name and not ('type="radio"' in tag and "checked" not in tag):
                fields[name[1]] = value[1] if value else ""
        fields |= {**typed, "why": "to see"}
        response = await browser.post(f"{page}/change?rule=threshold/spo2", f"{page}/preview", **fields)
        text = await response.text()
        assert response.status == 200, text
        return html.unescape(text)


async def test_the_page_shows_it_before_saving(server: Server, people: World) -> None:
    """In words first, then what is more, what is less, and what it is measured by; the form to save follows."""
    carl = await measured(server, people, {3: 91.0, 15: 80.0})
    text = await previewed(server, carl, red_low="92", amber_low="93")
    assert "1 more alert in 4 weeks, about 4 nurse-minutes a week" in text
    assert "SpO2 91 % at 08:00, below 92 % (red)" not in text.split("What it would have done")[0]
    assert "Alerts more: 1" in text
    assert "needs local approval" in text
    assert "What should be found" in text
    assert text.index("What it would have done") < text.rindex("/change")
    async with server.database.transaction(world.ACTOR) as connection:
        assert await connection.fetchval("SELECT count(*) FROM rule_version WHERE resident_id = $1", carl.id) == 1
