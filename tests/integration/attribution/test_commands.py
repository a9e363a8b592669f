"""Shared kits by command, and repairs while the kit is sending."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from telehealth.store import repair
from tests.conftest import Urls
from tests.integration.attribution.conftest import START, Home, reading
from tests.integration.attribution.test_shared_kit import key_of
from tests.support import world

ROOT = Path(__file__).parents[3]
MINUTE = timedelta(minutes=1)


async def command(urls: Urls, *arguments: str) -> tuple[int, Any]:
    """`telehealth device ...`: its exit status, and its answer or what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telehealth", "device", *arguments),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": urls.app},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    return process.returncode or 0, json.loads(out) if out else complaint.decode()


async def test_seats_by_command(home: Home, urls: Urls) -> None:
    """Given in the past they find readings, taken away they leave them; what cannot be is one line."""
    kit, carla = home.kit.device_id, await world.resident(home.database, home.ward)
    await home.say(reading(95, START - MINUTE, subject="C"))
    since = (START - timedelta(hours=1)).isoformat()
    named = ("seat", kit, "--subject", "C", "--resident", carla.nhs_number, "--since", since, "--json")
    status, answer = await command(urls, *named)
    assert (status, answer["subject"], answer["nhs_number"]) == (0, "C", carla.nhs_number)
    assert [w for _, w, _ in await home.whose()] == [carla.id]
    status, complaint = await command(urls, *named)
    assert (status, "somebody's" in complaint) == (1, True)
    status, seats = await command(urls, "seats", kit, "--json")
    assert sorted((s["kind"], s["label"]) for s in seats) == [
        ("slot", "1"),
        ("slot", "2"),
        ("subject", "A"),
        ("subject", "B"),
        ("subject", "C"),
    ]
    assert (await command(urls, "unseat", kit, "--subject", "C", "--at", since, "--json"))[0] == 1
    later = (START - timedelta(minutes=30)).isoformat()
    assert (await command(urls, "unseat", kit, "--subject", "C", "--at", later, "--json"))[0] == 0
    assert [w for _, w, _ in await home.whose()] == [None]
    assert (await command(urls, "share", kit, "--json"))[0] == 1
    assert (await command(urls, "unshare", kit, "--json"))[0] == 0
    rows = await home.service.rows("SELECT action FROM audit WHERE action LIKE 'device.%seat' ORDER BY id")
    assert [action for (action,) in rows][-2:] == ["device.seat", "device.unseat"]


async def test_a_repair_and_what_the_kit_is_just_sending(home: Home) -> None:
    """Whichever is first, a further value of the moved reading ends where it was moved."""
    same = {"subject": "A", "source_id": "x"}
    await home.say(reading(84, START - MINUTE, **same))
    key = await key_of(home, 84)
    async with asyncio.TaskGroup() as tasks, home.database.transaction(home.nurse) as connection:
        await repair.move(connection, key, to=home.bert.id, reason="mixed up", actor=home.nurse, now=START)
        waiting = tasks.create_task(home.say(reading(90, START - MINUTE, **same)))
        while not await home.service.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            pass
        assert not waiting.done()
    assert [(v, w) for v, w, _ in await home.whose()] == [(84, home.bert.id), (90, home.bert.id)]
