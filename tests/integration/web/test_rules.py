"""The rules of a resident: what is in force now and at any time, and how staff change it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from alerts import engine, pathways, schedule, timeline
from telehealth.model import rules_view
from telehealth.store import evaluation
from telehealth.store import rules as stored
from telehealth.web.rules import rules_models
from tests.integration.web.conftest import NOW, Server, World, audited, token
from tests.support import world

HOUR_US = 3_600_000_000

REVIEW = (NOW + timedelta(days=60)).date()


async def admitted(server: Server, people: World, name: str = "heart_failure") -> world.Resident:
    """A resident of the north ward on a packaged pathway, since yesterday."""
    return await world.resident(
        server.database,
        people.north,
        rules=pathways.compile(pathways.load(name)).to_json(),
        admitted_at=NOW - timedelta(days=1),
    )


def fields(form: str) -> dict[str, str]:
    """What a form of a page would send: hidden fields, texts, and the radios that are chosen."""
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in ("name", "value"))
        if name and not ('type="radio"' in tag and "checked" not in tag):
            found[name[1]] = value[1] if value else ""
    return found


async def test_the_api_tells_what_is_in_force_and_changes_it(server: Server, people: World) -> None:
    """Preview, change, history, and the rules of the time before; each by its model."""
    carl = await admitted(server, people)
    path = f"/api/v1/residents/{carl.id}/rules"
    async with server.session(headers=await token(server.database, "clara")) as session:

        async def get(what: str, **query: str) -> Any:
            async with session.get(path + what, params=query) as response:
                assert response.status == 200, await response.text()
                return await response.json()

        async def post(what: str, body: dict[str, Any]) -> tuple[int, Any]:
            async with session.post(path + what, json=body) as response:
                return response.status, await response.json()

        first = await get("")
        rules_models.RulesInForce.model_validate(first)
        by_key = {rule["key"]: rule for rule in first["rules"]}
        assert by_key["distance/dry_weight_gain"]["not_set"]
        number = next(n for n in by_key["threshold/pulse"]["numbers"] if n["field"] == "amber_high")
        assert (number["text"], number["approval"]) == ("110 /min", "needs local approval")
        assert number["source"] == "NEWS2 (RCP 2017): 111 to 130 scores 2"

        change = {"rule": "distance/dry_weight_gain", "field": "reference", "value": 78.4}
        body = {"changes": [change], "why": "weighed after diuresis", "review_on": REVIEW.isoformat()}
        status, proposed = await post("/preview", body)
        assert status == 200
        rules_models.Proposed.model_validate(proposed)
        assert {(one["rule"], one["before"], one["after"]) for one in proposed["changes"]} == {
            ("distance/dry_weight_gain", "not set", "78.4 kg"),
            ("distance/dry_weight_loss", "not set", "78.4 kg"),
        }
        assert (await get("")) == first

        status, done = await post("", {**body, "version": first["version"]})
        assert status == 200
        rules_models.RulesChanged.model_validate(done)
        assert (await post("", {**body, "version": first["version"]}))[0] == 409
        now = await get("")
        rules_models.RulesInForce.model_validate(now)
        weight = next(rule for rule in now["rules"] if rule["key"] == "distance/dry_weight_gain")
        personal = next(n["personal"] for n in weight["numbers"] if n["field"] == "reference")
        assert (personal["by"], personal["why"]) == ("Clara", "weighed after diuresis")
        assert (personal["review_on"], personal["overdue"]) == (REVIEW.isoformat(), False)
        before = await get("", at=(NOW - timedelta(minutes=1)).isoformat())
        assert before["rule_set"] == first["rule_set"]
        history = await get("/history")
        rules_models.RulesHistory.model_validate(history)
        assert [one["version"] for one in history["items"]] == [done["version"], first["version"]]
        for wrong, status in (
            ({**body, "review_on": NOW.date().isoformat()}, 422),
            ({**body, "review_on": "2099-01-01"}, 422),
            ({**body, "why": ""}, 422),
            ({**body, "changes": [{**change, "value": 4000}]}, 422),
            ({**body, "changes": [{**change, "field": "amber", "value": -1}]}, 422),
            ({**body, "changes": [{**change, "rule": "distance/mood"}]}, 422),
            ({**body, "changes": []}, 422),
        ):
            assert (await post("", {**wrong, "version": now["version"]}))[0] == status, wrong
    assert await audited(server.database, action="rules.change", resident_id=carl.id, outcome="ok") == 1
    async with server.database.transaction(world.ACTOR) as connection:
        due = await connection.fetchval(
            "SELECT count(*) FROM evaluation_due WHERE resident_id = $1 AND cause = 'rules' AND earliest_at = $2",
            carl.id,
            NOW,
        )
    assert due == 1


async def test_what_each_rule_thinks(server: Server, people: World) -> None:
    """Nothing before readings were judged; then what is open, what cannot decide, and what a rule makes of them now."""
    carl = await admitted(server, people)
    path = f"/api/v1/residents/{carl.id}/opinions"
    async with server.session(headers=await token(server.database, "clara")) as session:

        async def items() -> dict[str, Any]:
            async with session.get(path) as response:
                assert response.status == 200, await response.text()
                found = rules_models.Opinions.model_validate(await response.json())
            assert (found.resident, found.at) == (carl.id, NOW)
            return {one.key: one for one in found.items}

        assert await items() == {}
        at = evaluation.micros(NOW) - HOUR_US
        weights = [(24 * 3 - 1, 80.0), (12, 80.5), (6, 80.9), (0, 81.2)]
        readings = [timeline.Reading(carl.id, at - hours * HOUR_US, "weight", kg) for hours, kg in weights]
        compiled = pathways.compile(pathways.load("heart_failure"))
        start = evaluation.micros(NOW) - 24 * HOUR_US
        spell = engine.Spell(start, None, schedule.parse({}, "Europe/London"))
        pulse = timeline.Reading(carl.id, at, "pulse", 145.0)
        subject = engine.Subject(carl.id, [(start, compiled)], [spell], [], "Europe/London")
        (judged,) = engine.fold([subject], timeline.from_readings([*readings, pulse]), at)
        async with server.database.transaction(world.ACTOR) as connection:
            await connection.execute(
                "INSERT INTO checkpoint (resident_id, kind, at, organisation_id, state) "
                "SELECT id, 'head', $2, organisation_id, $3 FROM resident WHERE id = $1",
                carl.id,
                NOW - timedelta(hours=1),
                judged.state.to_json(),
            )
        found = await items()
        assert next(iter(found)) == "threshold/pulse"
        assert (found["threshold/pulse"].doing, found["threshold/pulse"].level) == ("open", "red")
        rise = found["change/weight_3_days"]
        assert (rise.doing, rise.value, rise.unit) == ("watching", 0.5, "kg up within 84 hours")
        assert found["distance/dry_weight_gain"].doing == "cannot_decide"
        assert "set value" in found["distance/dry_weight_gain"].needs


async def test_who_may(server: Server, people: World) -> None:
    """Another ward's resident is not there; an administrator looks and changes nothing."""
    body = {
        "changes": [{"rule": "threshold/spo2", "field": "red_low", "value": 86}],
        "why": "x", "review_on": REVIEW.isoformat(), "version": 1,
    }  # fmt: skip
    for name, resident, looks, changes in (
        ("clara", people.bert, 404, 404),
        ("sam", people.anna, 404, 404),
        ("adam", people.anna, 200, 403),
    ):
        path = f"/api/v1/residents/{resident.id}/rules"
        async with server.session(headers=await token(server.database, name)) as session:
            async with session.get(path) as response:
                assert response.status == looks
            async with session.post(path, json=body) as response:
                assert response.status == changes
        async with (
            server.signed_in(name) as browser,
            browser.session.get(f"/residents/{resident.id}/rules") as response,
        ):
            assert response.status == looks
    assert await audited(server.database, action="rules.open", outcome="denied") == 4


async def test_the_page_changes_a_limit(server: Server, people: World) -> None:
    """Form, preview, save; in words, with what the pathway says; then the rules of before."""
    carl = await admitted(server, people)
    page = f"/residents/{carl.id}/rules"
    async with server.signed_in("clara") as browser:

        async def get(path: str, status: int = 200) -> str:
            async with browser.session.get(path) as response:
                assert response.status == status
                return await response.text()

        text = await get(page)
        assert "Pulse is red below 41 /min or above 130 /min; amber above 110 /min." in text
        assert "this rule decides nothing" in text
        form = fields((await get(f"{page}/change?rule=threshold/pulse")).split("<form")[-1])
        assert (form["amber_high"], form["how"]) == ("110", "set")
        wrong = await browser.post(
            page + "/change?rule=threshold/pulse", f"{page}/preview", **{**form, "amber_high": "140"}
        )
        assert wrong.status == 422
        said = await wrong.text()
        assert {"#why"} <= set(re.findall(r'href="(#\w+)"', said))
        form |= {"amber_high": "140", "why": "usual for him"}
        wrong = await browser.post(page + "/change?rule=threshold/pulse", f"{page}/preview", **form)
        assert wrong.status == 422
        assert "Red above: must not be below &#34;amber above&#34;" in await wrong.text()
        form |= {"amber_high": "100", "night_from": "22:00", "night_to": "07:00", "night_amber_high": "95"}
        answer = await browser.post(page + "/change?rule=threshold/pulse", f"{page}/preview", **form)
        preview = await answer.text()
        assert answer.status == 200, preview
        assert "Nothing is saved yet" in preview
        assert "110 /min" in preview
        assert "100 /min" in preview
        assert "this rule decides nothing" in await get(page)
        hidden = fields(preview.split("<form")[-1])
        done = await browser.post(page + "/change?rule=threshold/pulse", f"{page}/change", **hidden)
        assert (done.status, done.headers["Location"]) == (303, f"{page}?done=rules")
        text = await get(page)
        assert "amber above 100 /min" in text
        assert "set by Clara on" in text
        assert "usual for him" in text
        assert "From 22:00 to 07:00: amber above 95 /min" in text
        again = await browser.post(page + "/change?rule=threshold/pulse", f"{page}/change", **hidden)
        assert again.status == 422
        minute = (NOW - timedelta(minutes=1)).strftime("date=%d-%b-%Y&time=%H:%M")
        text = await get(f"{page}?{minute}")
        assert "As they were in force at" in text
        assert "amber above 110 /min" in text
        assert "before admission" in await get(f"{page}?date=1-Jan-2020&time=10:00", 422)
        await get(f"{page}/change?rule=threshold/mood", 404)


async def test_the_scale_a_rule_left_out_and_a_review_that_is_overdue(server: Server, people: World) -> None:
    carl = await admitted(server, people, "copd")
    page = f"/residents/{carl.id}/rules"
    why = {"why": "blood gases of Monday", "review": REVIEW.strftime("%d-%b-%Y")}
    async with server.signed_in("clara") as browser:

        async def change(**form: str) -> int:
            answer = await browser.post(f"{page}/change?rule={form['rule']}", f"{page}/change", **why, **form)
            return answer.status

        assert await change(rule="spo2_scale", scale="3") == 422
        assert await change(rule="spo2_scale", scale="2") == 303
        assert await change(rule="silence/pulse", how="leave_out") == 303
        async with browser.session.get(page) as response:
            text = await response.text()
        assert "SpO2 is red below 84 %" in text
        assert "Left out for" in text
        assert "Take it in again" in text
        assert "overdue" not in text
    async with server.database.transaction(world.ACTOR) as connection:
        found = await stored.newest(connection, carl.id)
        base = await stored.pathway_of(connection, found)
    later = rules_view.shown(found, base, {}, today=REVIEW + timedelta(days=1))
    assert later["overdue"] == 2
    assert found.rules.scale == 2


async def test_versions_of_before_and_unknown_pathways_are_shown(server: Server, people: World) -> None:
    """Rules that no pathway file explains still say what they are and can be changed."""
    page = f"/residents/{people.anna.id}/rules"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(page) as response:
            text = await response.text()
        assert response.status == 200
        assert "SpO2 is red below 88 %; amber below 92 %" in text
        form = {"rule": "threshold/spo2", "how": "set", "red_low": "86", "amber_low": "92", "hysteresis": "1"}
        form |= {"why": "usual for her", "review": REVIEW.strftime("%d-%b-%Y")}
        done = await browser.post(f"{page}/change?rule=threshold/spo2", f"{page}/change", **form)
        assert done.status == 303


async def test_signs_are_asked_for_where_rules_look_at_them(server: Server, people: World) -> None:
    """A symptom rule is not dead for want of a place to key the symptom."""
    carl = await admitted(server, people)
    page = f"/residents/{carl.id}"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(page) as response:
            text = await response.text()
        assert "Ankles more swollen than usual" in text
        assert "Sputum" not in text
        entry = text.split('name="entry" value="')[1].split('"')[0]
        moment = {"date": NOW.strftime("%d-%b-%Y"), "time": NOW.strftime("%H:%M")}
        done = await browser.post(page, f"{page}/readings", entry=entry, ankle_swelling="true", **moment)
        assert done.status == 303
        async with browser.session.get(page) as response:
            assert "Ankles more swollen than usual" in await response.text()
    async with server.database.transaction(world.ACTOR) as connection:
        stored_value = await connection.fetchval("SELECT value FROM reading WHERE code = 'ankle_swelling'")
    assert stored_value == 1
