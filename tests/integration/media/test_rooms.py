"""People in a room see and hear each other, and nobody else."""

from __future__ import annotations

import asyncio

from telehealth.model.media import Allowed
from tests.integration.media.conftest import Visit


async def test_two_people_see_and_hear_each_other(visit: Visit) -> None:
    one = await visit.join(1)
    two = await visit.join(2)
    await visit.watched.connected(1)
    await visit.watched.connected(2)
    await asyncio.gather(one.sees(2), two.sees(1), one.hears(2), two.hears(1))
