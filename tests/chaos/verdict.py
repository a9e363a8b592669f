"""What was sent against what is stored, and the episodes that exist against those that must."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from alerts import scenario
from telehealth.store.db import Database
from tests.chaos.fleet import Name, Said
from tests.integration.ingest import wards

#: rule, from, to
Episode = tuple[str, str, str | None]


@dataclass
class Verdict:
    """All lists empty: nothing was lost, nothing was stored or raised twice."""

    sent: int = 0
    receipted: int = 0
    stored: int = 0
    lost: list[Name] = field(default_factory=list)
    doubled: list[Name] = field(default_factory=list)
    never_sent: list[Name] = field(default_factory=list)
    altered: list[Name] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)
    quarantined: int = 0
    episodes: int = 0
    episodes_missing: list[tuple[str, Episode]] = field(default_factory=list)
    episodes_extra: list[tuple[str, Episode]] = field(default_factory=list)
    alerts: int = 0
    alerts_wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        wrong = (self.lost, self.doubled, self.never_sent, self.altered, self.refused, self.quarantined)
        return not any((*wrong, self.episodes_missing, self.episodes_extra, self.alerts_wrong))


async def reach(database: Database, said: Said, residents: Mapping[str, int], rules: Sequence[Any]) -> Verdict:
    """Compare. residents: by device_id; rules: that all of them have had from the beginning."""
    verdict = Verdict(sent=len(said.values), receipted=len(said.receipted), refused=said.refused)
    await _readings(database, said, verdict)
    await _episodes(database, said, residents, rules, verdict)
    await _alerts(database, verdict)
    found = await wards.rows(database, "SELECT count(*) AS n FROM quarantine")
    verdict.quarantined = found[0]["n"]
    return verdict


async def _readings(database: Database, said: Said, verdict: Verdict) -> None:
    rows = await wards.rows(
        database,
        "SELECT d.device_id, r.source_id, r.code, r.value FROM reading r JOIN device d ON d.id = r.device_pk",
    )
    count = Counter((r["device_id"], r["source_id"], r["code"]) for r in rows)
    verdict.stored = len(count)
    verdict.doubled = [name for name, times in count.items() if times > 1]
    verdict.never_sent = [name for name in count if name not in said.values]
    verdict.altered = [
        (r["device_id"], r["source_id"], r["code"])
        for r in rows
        if said.values.get((r["device_id"], r["source_id"], r["code"]), r["value"]) != r["value"]
    ]
    # What a device forgot before it heard of it may be missing; what it heard of may not.
    must = (set(said.values) - said.forgotten) | said.receipted
    verdict.lost = sorted(must - set(count))
    for name in said.forgotten - set(count):
        del said.values[name]


async def _episodes(
    database: Database, said: Said, residents: Mapping[str, int], rules: Sequence[Any], verdict: Verdict
) -> None:
    rows = await wards.rows(
        database, "SELECT resident_id, device_pk, rule, started_at, ended_at FROM episode ORDER BY started_at"
    )
    verdict.episodes = len(rows)
    for row in rows:
        if row["device_pk"] is not None:
            verdict.episodes_extra.append(("a device", (row["rule"], _instant(row["started_at"]), None)))
    for device_id, resident in residents.items():
        stored = {
            (row["rule"], _instant(row["started_at"]), None if row["ended_at"] is None else _instant(row["ended_at"]))
            for row in rows
            if row["resident_id"] == resident
        }
        expected = _expected(said, device_id, rules)
        verdict.episodes_missing += [(device_id, episode) for episode in sorted(expected - stored, key=str)]
        verdict.episodes_extra += [(device_id, episode) for episode in sorted(stored - expected, key=str)]


def _expected(said: Said, device_id: str, rules: Sequence[Any]) -> set[Episode]:
    """The whole history folded at once, from what the device said."""
    readings = [
        {"code": code, "value": value, "at": _instant(said.taken[name]), "id": n}
        for n, (name, value) in enumerate(sorted(said.values.items()))
        for code in [name[2]]
        if name[0] == device_id
    ]
    document = {
        "zone": "Europe/London",
        "rules": [{"rules": list(rules)}],
        "spells": [{"from": "2026-01-01T00:00:00Z"}],
        "readings": readings,
        "now": _instant(datetime.now(UTC)),
    }
    found = scenario.evaluate(json.dumps(document))["episodes"]
    return {(e["rule"], _same(e["started_at"]), None if e["ended_at"] is None else _same(e["ended_at"])) for e in found}


async def _alerts(database: Database, verdict: Verdict) -> None:
    rows = await wards.rows(
        database,
        "SELECT a.id, a.condition, (SELECT count(*) FROM alert_episode l WHERE l.alert_id = a.id) AS episodes,"
        " (SELECT count(*) FROM alert_event e WHERE e.alert_id = a.id AND e.event = 'raised') AS raised FROM alert a",
    )
    verdict.alerts = len(rows)
    for row in rows:
        if row["raised"] != 1:
            verdict.alerts_wrong.append(f"alert {row['id']} was raised {row['raised']} times")
        if row["condition"] != "withdrawn" and not row["episodes"]:
            verdict.alerts_wrong.append(f"alert {row['id']} stands for no episode")
    orphans = await wards.rows(
        database,
        "SELECT e.id FROM episode e WHERE NOT EXISTS (SELECT FROM alert_episode l WHERE l.episode_id = e.id)",
    )
    verdict.alerts_wrong += [f"episode {row['id']} has no alert" for row in orphans]


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _same(text: str) -> str:
    return _instant(datetime.fromisoformat(text))
