"""Every kind of fault through the whole service and a real Mosquitto with its topic rules: what the ward has of it.

One resident a kind, all of them well, for four days of virtual time. What only real time shows (a clock that is
behind) is in tests/integration/ingest/test_wrong_clocks.py.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.homes import catalogue
from telehealth.model import secrets
from telehealth.store import technical
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.contract import brokers
from tests.integration.simulator import whole
from tests.integration.simulator.test_deterministic import command
from tests.support import world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

START = datetime(2026, 11, 10, 6, 0, tzinfo=UTC)
OXIMETER, CUFF, SCALES = ("spo2", "pulse"), ("systolic", "diastolic"), ("weight",)
SCHEDULE = {
    code: {"times": ["08:00", "14:00", "20:00"], "grace_minutes": 90} for code in (*OXIMETER, *CUFF, "temperature")
} | {"weight": {"times": ["08:00"], "grace_minutes": 90}}
RULES = world.rule_set(
    world.threshold(), *({"kind": "silence", "code": code, "grace_seconds": 5400} for code in SCHEDULE)
)


@dataclass
class Seen:
    """What the service has of one resident's device at the end, and what the device measured."""

    measured: int
    readings: list[Any]
    alerts: dict[str, str]
    status: dict[str, Any]
    quarantined: dict[str, int]
    #: Of everybody: readings that somebody forged, and of which device.
    forged: int = 0
    others: dict[str, Seen] = field(default_factory=dict)

    def all_once(self) -> bool:
        return self.measured == len(self.readings) > 10

    def flagged(self, flag: str) -> int:
        return sum(flag in (row["flags"] or ()) for row in self.readings)

    def marked(self, mark: str) -> int:
        return sum(mark in (row["marks"] or ()) for row in self.readings)

    def absent(self) -> int:
        return sum(bool(row["absent"]) for row in self.readings)

    def values(self, code: str) -> list[float]:
        return [row["value"] for row in self.readings if row["code"] == code and row["value"] is not None]

    def longest_wait(self) -> timedelta:
        waits: list[timedelta] = [row["received_at"] - row["taken_at"] for row in self.readings]
        return max(waits)


Check = Callable[[Seen], bool]


@dataclass(frozen=True)
class Case:
    """fault: its parameters and times, as --fault has them after the device."""

    fault: str
    check: Check
    codes: Sequence[str] = OXIMETER


CASES = {
    "missed": Case("@0s..1d", lambda s: "silence/spo2" in s.alerts and s.measured < 20),
    "stopped": Case("@4h", lambda s: "silent" in s.alerts and "offline" in s.alerts["silence/spo2"]),
    "charging": Case("@3d", lambda s: s.status["battery"] == 1.0 and "silence/spo2" in s.alerts),
    "motion": Case(":share=1,flagged=1@1h..1d", lambda s: s.all_once() and s.flagged("motion") == 6),
    "cold_finger": Case(
        ":share=1,flagged=1@1h..1d",
        lambda s: s.all_once() and s.flagged("low_perfusion") >= 3 and min(s.values("spo2")) < 94,
    ),
    "loose_cuff": Case(":share=1,flagged=1@1h..1d", lambda s: s.flagged("cuff_loose") == 6, CUFF),
    "clipped": Case(
        ":share=1@1h..1d",
        lambda s: s.marked("extreme") >= 3 and "threshold/spo2/low" in s.alerts and min(s.values("spo2")) == 50,
    ),
    "could_not_measure": Case(
        "@1h..1d",
        lambda s: len(s.readings) == 24 and s.absent() == 6 and "silence/spo2" in s.alerts,
    ),
    "used_cold": Case("@1h..1d", lambda s: min(s.values("temperature")) < 36.2, ("temperature",)),
    "wrong_person": Case("@3d", lambda s: s.marked("maybe_other") == 1, SCALES),
    "swapped": Case(":with=d-other@3d", lambda s: abs(s.values("weight")[3] - s.values("weight")[2]) > 3, SCALES),
    "shared_kit": Case(
        ":named=yes@1h..1d", lambda s: s.all_once() and sum(r["resident_id"] is None for r in s.readings) == 6
    ),
    "clock_skew": Case("@1h..1d", lambda s: "fast" in s.alerts["clock"] and s.marked("clock_uncertain") >= 6),
    "clock_drift": Case(":seconds_per_day=2000@0s", lambda s: "fast" in s.alerts["clock"]),
    "clock_unset": Case("@1h..1d", lambda s: "not set" in s.alerts["clock"] and s.marked("clock_uncertain") == 6),
    "clock_dst": Case(":hours=1@1h..1d", lambda s: "daylight" in s.alerts["clock"]),
    "buffered": Case("@1h..1d", lambda s: s.all_once() and s.longest_wait() > timedelta(hours=3)),
    "duplicated": Case("@1h..1d", lambda s: s.all_once()),
    "reordered": Case(
        ":share=0.5,seconds=30000@1h..2d", lambda s: s.all_once() and s.longest_wait() > timedelta(hours=8)
    ),
    "wifi_outage": Case("@1h..1d", lambda s: s.all_once() and s.longest_wait() > timedelta(hours=12)),
    "gateway_reboot": Case("@2h..2.1h", lambda s: s.all_once()),
    "reconnect_storm": Case("@1.9h..2.4h", lambda s: s.all_once()),
    "low_battery": Case(":charge=0.1@3.9d", lambda s: "battery" in s.alerts and s.status["battery"] <= 0.1),
    "firmware": Case("@3d", lambda s: s.status["firmware"] == "0.9.1" and "firmware" in s.alerts),
    "forged_topic": Case(":victim=d-motion@5h..5.2h", lambda s: s.all_once() and s.forged == 0),
    "flood": Case(
        "@5h..5.05h",
        lambda s: len(s.readings) - s.measured in range(1, 6) and s.others["d-duplicated"].all_once(),
    ),
    "malformed": Case(
        "@5h..5.2h",
        lambda s: s.all_once() and len(s.quarantined) >= 8 and "nonsense" in s.alerts,
    ),
}  # fmt: skip


def test_every_kind_is_here() -> None:
    assert set(CASES) == set(catalogue.KINDS)


async def test_what_the_ward_has_of_every_fault(database: Database, urls: Urls, tmp_path: Path) -> None:
    with brokers.mosquitto_with_files() as broker:
        devices = await _registered(database, broker, tmp_path)
        faults = [word for kind, case in CASES.items() for word in ("--fault", f"{kind}:device:d-{kind}{case.fault}")]
        options: list[str | Path] = [
            "--devices", devices, "--start", START.isoformat(), "--duration", "4d", "--seed", "3", "--json",
            "--csv", tmp_path / "measured.csv", "--speed", "max",
        ]  # fmt: skip
        account = f"telehealth:{brokers.SERVICE_PASSWORD}"
        async with whole.running(urls.app, broker.service_port, START, account=account) as service:
            status, told, trouble = await command("run", *options, *faults, "--url", service.url)
        assert status == 0, trouble
        assert json.loads(told)["unsettled_messages"] == 0
    seen = await _seen(database, tmp_path / "measured.csv")
    unlike = {kind: seen[f"d-{kind}"] for kind, case in CASES.items() if not _holds(case, seen[f"d-{kind}"])}
    wrong = [f"{kind}: {_short(found)}" for kind, found in unlike.items()]
    if wrong:
        pytest.fail("\n".join(wrong))


def _holds(case: Case, found: Seen) -> bool:
    try:
        return case.check(found)
    except (KeyError, ValueError):
        return False


def _short(found: Seen) -> dict[str, Any]:
    rows = [(r["code"], r["value"], r["flags"], r["marks"], r["absent"]) for r in found.readings]
    return {"measured": found.measured, "stored": len(rows), "first": rows[:8], "last": rows[-3:],
            "alerts": found.alerts, "status": found.status, "quarantined": found.quarantined}  # fmt: skip


async def _registered(database: Database, broker: brokers.Broker, folder: Path) -> Path:
    """A resident with a device for each kind of fault; the file of devices."""
    ward = await world.ward(database)
    since = START.replace(day=1)
    async with database.transaction(world.ACTOR) as connection:
        await technical.set_setting(
            connection, ward.organisation_id, name="minimum_firmware", model="", value="1.0",
            source="test", approval="draft", actor=world.ACTOR, now=since,
        )  # fmt: skip
    entries = []
    # Somebody else, to be swapped with.
    for kind, case in {**CASES, "other": CASES["swapped"]}.items():
        name = f"d-{kind}"
        schedule = {code: SCHEDULE[code] for code in case.codes}
        resident = await world.resident(database, ward, admitted_at=since, rules=RULES, schedule=schedule, zone="UTC")
        await world.device(database, ward, name, codes=case.codes, resident=resident, assigned_from=since)
        broker.registry[name] = secrets.hash_device_password(brokers.password(name))
        person = {"key": f"r-{kind}", "calm": True, "schedule": schedule, "zone": "UTC", "pathway": "frailty"}
        entries.append({"device_id": name, "password": brokers.password(name), "codes": case.codes, "resident": person})
    # A change is heard some time later; the last one that is let in says that it was.
    broker.new()
    path = folder / "devices.json"
    path.write_text(json.dumps({"mqtt": {"host": "127.0.0.1", "port": broker.port}, "devices": entries}))
    return path


async def _seen(database: Database, measured: Path) -> dict[str, Seen]:
    counts: dict[str, int] = {}
    with measured.open() as file:
        for row in csv.DictReader(file):
            counts[row["person"]] = counts.get(row["person"], 0) + 1
    found: dict[str, Seen] = {}
    async with database.transaction(world.ACTOR) as connection:
        forged = await connection.fetchval("SELECT count(*) FROM reading WHERE source_id LIKE 'forged%'")
        for device in await connection.fetch("SELECT id, device_id FROM device"):
            name = device["device_id"]
            readings = await connection.fetch("SELECT * FROM reading WHERE device_pk = $1 ORDER BY taken_at, code",
                                              device["id"])  # fmt: skip
            alerts = await connection.fetch(
                "SELECT rule, reason FROM alert WHERE device_pk = $1 OR resident_id IN"
                " (SELECT resident_id FROM device_assignment WHERE device_pk = $1) ORDER BY id",
                device["id"],
            )
            said = await connection.fetchval("SELECT status FROM device_contact WHERE device_pk = $1", device["id"])
            refused = await connection.fetch("SELECT error, times FROM quarantine WHERE device_pk = $1", device["id"])
            kind = name.removeprefix("d-")
            found[name] = Seen(
                counts.get(f"r-{kind}", 0),
                readings,
                {row["rule"]: row["reason"] for row in alerts},
                said or {},
                {row["error"]: row["times"] for row in refused},
                forged,
                found,
            )
    return found
