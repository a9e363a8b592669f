"""What is wrong with devices as things, what of them runs out, and the settings by which that is judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

import asyncpg

from telehealth.errors import Conflict, Invalid
from telehealth.model import people, technical
from telehealth.model.delivery import Status
from telehealth.model.technical import Condition, Said, Setting, Settings
from telehealth.store import audit
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

UPKEEP = ("consumable", "calibration")
_ITEM = re.compile(r"^[a-z0-9_]{1,40}$")


async def ask(connection: Connection, statuses: Sequence[Status]) -> None:
    """Have devices looked at that say something new. Before their statuses are noted, in the same transaction."""
    said = {status.device_id: status for status in statuses if status.refusal is None}
    if said:
        await connection.execute(
            sql("technical.ask"),
            list(said),
            [status.status for status in said.values()],
            [status.received_at for status in said.values()],
        )


class Device(Protocol):
    """What is needed of a device's row."""

    @property
    def id(self) -> int: ...
    @property
    def organisation_id(self) -> int: ...
    @property
    def ward_id(self) -> int: ...
    @property
    def device_id(self) -> str: ...


# Conditions ------------------------------------------------------------------------------------------


@dataclass
class Known:
    """Of devices, by key: what they said, what is wrong with them, and by which settings that is judged."""

    said: dict[int, Said] = field(default_factory=dict)
    present: dict[int, dict[technical.Kind, Condition]] = field(default_factory=dict)
    organisation: dict[int, int] = field(default_factory=dict)
    settings: dict[int, Settings] = field(default_factory=dict)

    def settings_of(self, device_pk: int) -> Settings:
        return self.settings[self.organisation[device_pk]]


async def known(connection: Connection, device_pks: Sequence[int], now: datetime) -> Known:
    """All that decides whether something is wrong with devices at a moment."""
    found = Known()
    for row in await connection.fetch(sql("technical.said"), list(device_pks), now):
        status: Mapping[str, Any] = row["status"] if isinstance(row["status"], dict) else {}
        found.organisation[row["id"]] = row["organisation_id"]
        found.said[row["id"]] = Said(
            model=row["model"],
            in_use=row["in_use"],
            revoked=row["revoked_at"] is not None and row["revoked_at"] <= now,
            heard_at=row["seen_at"],
            said_at=row["status_at"],
            online=status.get("online"),
            battery=status.get("battery"),
            firmware=status.get("firmware"),
            assigned=row["assigned"],
        )
    for row in await connection.fetch(sql("technical.present"), list(device_pks)):
        found.present.setdefault(row["device_pk"], {})[row["kind"]] = _condition(row)
    organisations = sorted(set(found.organisation.values()))
    own = await _own_settings(connection, organisations)
    found.settings = {i: Settings(own.get(i, ())) for i in organisations}
    return found


async def note(connection: Connection, changed: Mapping[int, Sequence[Condition]], known: Known) -> None:
    """Conditions that begin, worsen or end, by device."""
    rows = [
        {
            "organisation_id": known.organisation[device_pk],
            "device_pk": device_pk,
            "kind": condition.kind,
            "since": condition.since,
            "until": condition.until,
            "level": condition.level,
            "detail": condition.detail,
        }
        for device_pk, conditions in sorted(changed.items())
        for condition in conditions
    ]
    if rows:
        await connection.execute(sql("technical.note"), rows)


async def conditions(connection: Connection, since: Mapping[int, datetime]) -> dict[int, list[Condition]]:
    """What was wrong with devices at a moment of each, or later."""
    found: dict[int, list[Condition]] = {}
    for row in await connection.fetch(sql("technical.conditions"), list(since), list(since.values())):
        found.setdefault(row["device_pk"], []).append(_condition(row))
    return found


def _condition(row: asyncpg.Record) -> Condition:
    return Condition(row["kind"], row["since"], row["until"], row["level"], row["detail"])


# Upkeep ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upkeep:
    """due_on: the last day on which the item may be used. ended_at: when it was replaced or checked."""

    kind: str
    item: str
    due_on: date
    warn_days: int
    created_at: datetime
    ended_at: datetime | None


async def upkeep(connection: Connection, since: Mapping[int, datetime]) -> dict[int, list[Upkeep]]:
    """Of devices, what there is and what there was at a moment of each, or later."""
    found: dict[int, list[Upkeep]] = {}
    for row in await connection.fetch(sql("technical.upkeep"), list(since), list(since.values())):
        names = ("kind", "item", "due_on", "warn_days", "created_at", "ended_at")
        found.setdefault(row["device_pk"], []).append(Upkeep(*(row[name] for name in names)))
    return found


async def present_upkeep(connection: Connection, device: Device) -> list[asyncpg.Record]:
    """What of a device runs out or has to be checked, the next first."""
    return await connection.fetch(sql("technical.present_upkeep"), device.id)


async def set_upkeep(
    connection: Connection,
    device: Device,
    *,
    kind: str,
    item: str,
    due_on: date | None,
    warn_days: int | None,
    actor: Actor,
    now: datetime,
) -> None:
    """An item may be used up to a day; None: it has none any more. What was known of it before is over.

    Raises Invalid, or Conflict where there is nothing to end.
    """
    if kind not in UPKEEP:
        raise Invalid("kind", "must be consumable or calibration")
    if not _ITEM.match(item):
        raise Invalid("item", "must be 1 to 40 of a-z 0-9 _, such as test_strips")
    if warn_days is not None and not 0 <= warn_days <= 365:
        raise Invalid("warn_days", "must be from 0 to 365")
    ended = await connection.fetchrow(sql("technical.end_upkeep"), device.id, kind, item, now, actor)
    if due_on is None and ended is None:
        raise Conflict(f"no date is known for this {kind} of the device")
    if due_on is not None:
        if warn_days is None:
            own = await _own_settings(connection, [device.organisation_id])
            model = await connection.fetchval(sql("technical.model"), device.id)
            warn_days = int(Settings(own.get(device.organisation_id, ())).number(f"{kind}_warn_days", model))
        whose = (device.organisation_id, device.id)
        await connection.execute(sql("technical.add_upkeep"), *whose, kind, item, due_on, warn_days, actor, now)
    await connection.execute(sql("technical.look"), device.organisation_id, device.id, now)
    await audit.write(
        connection,
        actor,
        "device.upkeep",
        object_kind="device",
        object_id=device.device_id,
        ward_id=device.ward_id,
        detail={"kind": kind, "item": item, "due_on": None if due_on is None else due_on.isoformat()},
    )


# Settings --------------------------------------------------------------------------------------------


async def only_organisation(connection: Connection) -> int:
    """The one that has wards. Raises Invalid where several have: then a ward says which."""
    found = [row["organisation_id"] for row in await connection.fetch(sql("technical.organisations"))]
    if len(found) != 1:
        raise Invalid("ward", "must be given: there is not exactly one organisation with wards")
    return int(found[0])


async def settings(connection: Connection, organisation_id: int) -> list[Setting]:
    """All in force: the packaged ones, and the organisation's own before them."""
    own = (await _own_settings(connection, [organisation_id])).get(organisation_id, [])
    everywhere = {setting.name for setting in own if not setting.model}
    packaged = [setting for name, setting in technical.defaults().items() if name not in everywhere]
    return sorted([*own, *packaged], key=lambda setting: (setting.name, setting.model))


async def set_setting(
    connection: Connection,
    organisation_id: int,
    *,
    name: str,
    model: str,
    value: str | None,
    source: str,
    approval: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Another value for all devices, or those of one model; None: the default again. Raises Invalid."""
    if value is None and name not in technical.defaults():
        raise Invalid("name", "must be one of " + ", ".join(sorted(technical.defaults())))
    if value is not None:
        technical.checked(name, value)
    if model:
        people.text("model", model, 100)
    people.text("source", source, 500)
    people.text("approval", approval, 500)
    await connection.execute(sql("technical.set"), organisation_id, name, model, value, source, approval, actor, now)
    own = await _own_settings(connection, [organisation_id])
    Settings(own.get(organisation_id, ())).check_order(model)
    await connection.execute(sql("technical.look_at_all"), organisation_id, model, now)
    await audit.write(
        connection,
        actor,
        "device.setting",
        object_kind="setting",
        object_id=name,
        detail={"model": model, "value": value, "source": source, "approval": approval},
    )


async def _own_settings(connection: Connection, organisations: Sequence[int]) -> dict[int, list[Setting]]:
    found: dict[int, list[Setting]] = {}
    for row in await connection.fetch(sql("technical.settings"), list(organisations)):
        if row["value"] is None or row["name"] not in technical.defaults():
            continue
        value = technical.checked(row["name"], row["value"])
        setting = Setting(row["name"], value, row["source"], row["approval"], row["model"])
        found.setdefault(row["organisation_id"], []).append(setting)
    return found
