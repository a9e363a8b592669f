"""The benchmark runs, on a small scale, and its figures are of everything that was sent."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


# Nine phases, each with servers of its own; beside other tests on two cores they take minutes.
@pytest.mark.timeout(400)
@pytest.mark.broker
@pytest.mark.postgres
def test_bench_json() -> None:
    """One JSON object on standard output: each phase's figures, durability as PostgreSQL says, and the targets."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "telehealth", "bench", "--json"),
            *("--runs", "1", "--messages", "1000", "--devices", "20", "--seconds", "2"),
            *("--steady", "2", "--connections", "30", "--backlog", "20", "--residents", "100"),
            # Visits have a test of their own.
            *("--only", "evaluation,wards,screen,drain,two,live,memory,backlog,overload"),
        ],
        capture_output=True,
        check=False,
        timeout=360,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert (found["postgres"]["fsync"], found["postgres"]["synchronous_commit"]) == ("on", "on")
    figures = found["figures"]
    assert figures["drain"]["messages"] == 1000
    assert figures["drain"]["ratio"] > 0
    assert figures["drain"]["storage"]["table_and_indexes"] > 100
    assert [seen["alerts"] for seen in figures["screen"]] == [200, 200]
    assert figures["evaluation"]["residents_a_second"] > 0
    assert figures["wards"]["residents"] == 100
    assert figures["wards"]["replayed"] == 10_000
    assert figures["wards"]["state_bytes"] > 0
    assert figures["two"]["ratio"] > 0
    assert figures["live"]["receipt_ms"]["count"] == figures["live"]["messages"] > 3000
    assert figures["memory"]["connections"] == 31
    assert figures["backlog"]["readings"] == 20 * 48 * 6 * 2
    assert figures["backlog"]["live_ms"]["count"] > 0
    assert (figures["overload"]["missing_readings"], figures["overload"]["alive"]) == (0, True)
    assert figures["overload"]["residents_alerted"] == figures["overload"]["residents_red"] > 0
    assert {target["name"] for target in found["targets"]} >= {"durable with alerting / bare drain", "overload: memory"}
