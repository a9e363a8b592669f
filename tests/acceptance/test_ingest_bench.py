"""The benchmark runs, on a small scale, and its figures are of everything that was sent."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.broker
@pytest.mark.postgres
def test_bench_json() -> None:
    """One JSON object on standard output: both drains, their ratio, durability as PostgreSQL says, latencies."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "telehealth", "bench", "--json"),
            *("--runs", "1", "--messages", "1000", "--devices", "20", "--seconds", "2"),
        ],
        capture_output=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert (found["postgres"]["fsync"], found["postgres"]["synchronous_commit"]) == ("on", "on")
    assert found["drain"]["messages"] == 1000
    assert found["drain"]["ratio"] > 0
    assert found["publish_to_screen_ms"]["alerts"] == 200
    assert found["evaluation"]["residents_a_second"] > 0
