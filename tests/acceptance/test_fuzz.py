"""`make fuzz` on a running service, for a few seconds: what comes over its two doors never kills or bloats it."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest


@pytest.mark.broker
@pytest.mark.postgres
@pytest.mark.timeout(180)
async def test_a_running_service_lives_through_what_is_thrown_at_it() -> None:
    """Both doors keep every promise that tests.fuzz.live holds them to, and something of both kinds was thrown."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fuzz", "--runs", "1600", "--seed", "3", "--json"),
        *("--target", "live-http", "--target", "live-mqtt"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    results = {result["target"]: result for result in json.loads(said)}
    assert {name: result["failure"] for name, result in results.items()} == {"live-http": None, "live-mqtt": None}
    assert process.returncode == 0
    for result in results.values():
        assert 0 < result["good"] < result["inputs"]
        assert result["covered"] > 50
