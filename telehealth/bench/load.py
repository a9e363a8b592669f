"""The world and the messages of the benchmark: many devices, two readings a message, a deterioration each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from alerts import pathways
from telehealth import clock
from telehealth.model.people import NewResident
from telehealth.store import db, devices, residents, wards
from telehealth.store.db import Database

_ACTOR = db.operator("bench")
#: Ten messages a second of each device: a preload is what gathers while the service is away for seconds.
_EVERY = timedelta(milliseconds=100)


def _threshold(code: str, unit: str, *limits: float | None) -> dict[str, object]:
    red_low, amber_low, amber_high, red_high = limits
    return {
        "kind": "threshold",
        "code": code,
        "unit": unit,
        "red_low": red_low,
        "amber_low": amber_low,
        "amber_high": amber_high,
        "red_high": red_high,
        "hysteresis": 1.0,
        "sampling": "spot",
        "persistence_seconds": 0,
        "priority": {"red": "high", "amber": "medium"},
        "source": "bench",
        "approval": "not for clinical use",
    }


#: The least: two thresholds and the early warning score. Of all residents unless whole pathways are asked for.
RULES = {
    "pathway": "bench",
    "version": "1",
    "rules": [
        _threshold("spo2", "%", 88, 92, None, None),
        _threshold("pulse", "/min", 40, 50, 110, 130),
        {"kind": "news2", "scale": 1, "max_age_seconds": {"spo2": 43200, "pulse": 43200}},
    ],
}


@dataclass(frozen=True)
class Fleet:
    """Residents with one device each; all on one ward."""

    ward_id: int
    device_ids: Sequence[str]
    resident_ids: Sequence[int]


def _rules(n: int, *, whole_pathways: bool) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Name, version, schedule and rules of resident n."""
    if not whole_pathways:
        return "bench", "1", {}, RULES
    names = pathways.names()
    pathway = pathways.load(names[n % len(names)])
    return pathway.name, pathway.version, dict(pathway.schedule), pathways.compile(pathway).to_json()


async def fleet(database: Database, count: int, *, prefix: str = "bench", whole_pathways: bool = False) -> Fleet:
    """Admit residents with a device each, by the service's own functions.

    whole_pathways: every packaged pathway in turn, with its schedule; else nothing but RULES.
    """
    now = clock.real_now()
    since = now - timedelta(days=2)
    names = [f"{prefix}-{n:05d}" for n in range(count)]
    resident_ids: list[int] = []
    async with database.transaction(_ACTOR) as connection:
        ward = await wards.add(connection, name=f"Ward {prefix}", simulated=True, actor=_ACTOR, now=now)
        for n, (name, number) in enumerate(zip(names, nhs_numbers(prefix), strict=False)):
            pathway, version, schedule, rules = _rules(n, whole_pathways=whole_pathways)
            new = NewResident(
                ward_id=ward.id,
                family_name=f"Bench{n}",
                given_name="Resident",
                title=None,
                gender="not known",
                born=date(1950, 1, 1),
                nhs_number=number,
                zone="Europe/London",
                pathway=pathway,
                pathway_version=version,
                schedule=schedule,
                rules=rules,
                admitted_at=since,
            )
            resident_ids.append(await residents.add(connection, new, actor=_ACTOR, now=now))
            device, _ = await devices.add(
                connection, ward_id=ward.id, device_id=name, model="", codes=["spo2", "pulse"], actor=_ACTOR, now=now
            )
            resident = await residents.find(connection, number)
            await devices.assign(connection, device, resident, since=since, until=None, actor=_ACTOR, now=now)
    return Fleet(ward.id, names, resident_ids)


def nhs_numbers(prefix: str) -> Iterator[str]:
    """Valid numbers of the never-issued range; another part of it for each prefix."""
    start = sum(prefix.encode()) * 1000 % 900_000
    for serial in range(start, 1_000_000):
        digits = f"999{serial:06d}"
        check = 11 - sum(int(d) * weight for d, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            yield digits + str(check % 11)


def messages(
    device_ids: Sequence[str], per_device: int, *, stream: str, last_at: datetime
) -> Iterator[tuple[str, bytes]]:
    """Topic and payload in the order of time, all devices in turn; every device is red for a while once."""
    first_at = last_at - _EVERY * per_device
    for n in range(per_device):
        at = first_at + _EVERY * n
        taken, sent = _rfc3339(at), _rfc3339(at + timedelta(milliseconds=20))
        for i, device_id in enumerate(device_ids):
            red = (n + i) % per_device < max(1, per_device // 20)
            spo2 = 82 + (n + i) % 3 if red else 94 + (n * 7 + i) % 5
            pulse = 70 + (n * 5 + i) % 20
            yield (
                f"telehealth/v1/{device_id}/readings",
                (
                    f'{{"stream":"{stream}","seq":{n + 1},"oldest":1,"sent_at":"{sent}","readings":['
                    f'{{"code":"spo2","value":{spo2},"unit":"%","taken_at":"{taken}"}},'
                    f'{{"code":"pulse","value":{pulse},"unit":"/min","taken_at":"{taken}"}}]}}'
                ).encode(),
            )


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
