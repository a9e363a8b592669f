"""What the demo begins with: visits that are booked, and one that was yesterday, on pages that are not empty."""

from __future__ import annotations

from datetime import timedelta

from telehealth.demo import seed, visits
from tests.integration.web.conftest import NOW, Server, member
from tests.support import world


async def test_the_demo_has_visits_to_look_at(server: Server) -> None:
    ward = await world.ward(server.database, "Beech")
    residents = [await world.resident(server.database, ward, admitted_at=NOW - timedelta(days=14)) for _ in range(5)]
    await member(server.database, seed.LOGINS[0].username, ward)
    assert await visits.plan(server.database, NOW) == 6
    async with server.signed_in(seed.LOGINS[0].username) as browser:
        for day, expected in ((0, "Breathlessness"), (1, "Virtual ward round"), (8, "Virtual ward round")):
            date = (NOW + timedelta(days=day)).date().isoformat()
            async with browser.session.get(f"/wards/{ward.id}/visits?date={date}") as page:
                text = await page.text()
                assert expected in text
                assert "Ask the chemist" in text
        async with browser.session.get(f"/residents/{residents[-1].id}") as page:
            assert "Advice given" in await page.text()
