"""Taking readings in: one transaction for a batch of messages from many devices.

MQTT, HTTP and (by store.keyed) staff entries all end here, so that identity, attribution and
evaluation cannot differ by path. Devices are locked in a fixed order by their contact rows; then the
settled sets, the readings, the latest values, the refusals and the work for the evaluator change
together. The caller acknowledges and answers after the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg
import msgspec

from devices import clockwork, timing
from devices.clockwork import Clock
from devices.errors import Refusal
from devices.message import Message, Reading
from devices.receipts import Ranges, Refused
from telehealth.model.attribution import Claims
from telehealth.model.delivery import Answer, Delivery, Status
from telehealth.store import attribution, clocks, nonsense, quarantine, technical, undated
from telehealth.store.columns import Batch
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: NOTIFY takes just under 8,000 bytes.
_HINT_BYTES = 7000


@dataclass
class Taken:
    """What a batch came to; true once the caller's transaction has committed."""

    #: One per device and stream, and per device for messages without a stream.
    answers: list[Answer] = field(default_factory=list)
    #: Deliveries of devices that are unknown or revoked: quarantined, not answered.
    strangers: int = 0
    received: int = 0
    stored: int = 0
    refusals: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Device:
    pk: int
    organisation_id: int
    ward_id: int
    #: Messages refused whole since one was last taken in.
    refused_run: int
    #: What was known of its clock before this batch.
    clock: Clock = clockwork.UNKNOWN


async def take_in(
    connection: Connection,
    deliveries: Sequence[Delivery],
    statuses: Sequence[Status] = (),
    *,
    now: datetime,
    stepped: bool = False,
) -> Taken:
    """Take in a batch. now: clinical, stepped: by a virtual clock. Retrying it whole after a failure adds nothing."""
    taken = Taken()
    await technical.ask(connection, statuses)
    devices = await _contact(connection, deliveries, statuses, now)
    known = [delivery for delivery in deliveries if delivery.device_id in devices]
    refused = [_refusals(delivery, devices[delivery.device_id]) for delivery in known if delivery.message.refusals]
    refused += [_status_refusal(status, devices) for status in statuses if status.refusal is not None]
    if len(known) < len(deliveries):
        strangers = [delivery for delivery in deliveries if delivery.device_id not in devices]
        taken.strangers = len(strangers)
        refused.append([quarantine.stranger(delivery) for delivery in strangers])
    if rows := [row for rows in refused for row in rows]:
        taken.refusals.update(row.error for row in rows)
        flooding = {device.pk for device in devices.values() if device.refused_run >= quarantine.DEVICE_ENTRIES}
        await quarantine.put(connection, rows, now=now, flooding=flooding)
    await nonsense.note(connection, known, statuses, devices, now)
    if not known:
        return taken
    settled = await _settle(connection, known, devices, now)
    taken.answers = _answers(known, devices, settled)
    claims = await attribution.claims(connection, [device.pk for device in devices.values()])
    judged = clocks.judge(known, devices, stepped=stepped)
    batch = _gather(await undated.date(connection, known, devices), judged.clocks, devices, claims)
    taken.received = len(batch.readings)
    if batch.readings:
        wards = {device.pk: device.ward_id for device in devices.values()}
        taken.stored = await insert(connection, batch, wards=wards)
    if judged.changed:
        repaired = await clocks.learn(connection, judged.changed, devices, now=now)
        if repaired:
            await recompute_latest(connection, repaired)
            await hint(connection, residents=sorted({resident_id for resident_id, _ in repaired}))
    return taken


async def insert(
    connection: Connection, batch: Batch, *, wards: Mapping[int, int], entered_by: str | None = None
) -> int:
    """Insert what is new of a batch, and all that follows from it; how many were new. wards: of devices."""
    contradictions = batch.settle_repeats()
    try:
        row = await connection.fetchrow(sql("ingest.insert_readings"), *batch.parameters(entered_by))
    except asyncpg.UniqueViolationError as error:
        # Somebody else, who writes no device's readings, was quicker: the next attempt sees theirs.
        raise asyncpg.SerializationError("a reading came twice at the same moment") from error
    assert row is not None
    if not row["stored"]:
        return 0
    clashing = dict(zip(row["clash_identity"] or (), row["clash_taken_at"] or (), strict=True))
    clashing |= contradictions
    if clashing:
        moved = await attribution.follow_repairs(connection, clashing)
        found = await connection.fetch(sql("ingest.mark_conflicts"), list(clashing.values()), list(clashing))
        await recompute_latest(connection, [*moved, *((r["resident_id"], r["code"]) for r in found)])
    await hint(connection, residents=row["residents"] or (), wards={wards[pk] for pk in row["devices"] or ()})
    return int(row["stored"])


async def recompute_latest(connection: Connection, pairs: Iterable[tuple[int, str]]) -> None:
    """Find the latest values of these (resident, code) again: after a strike, a conflict, a repair."""
    wanted = sorted(set(pairs))
    if wanted:
        columns = [resident for resident, _ in wanted], [code for _, code in wanted]
        await connection.execute(sql("ingest.forget_latest"), *columns)
        await connection.execute(sql("ingest.recompute_latest"), *columns)


async def hint(connection: Connection, *, residents: Iterable[int] = (), wards: Iterable[int] = ()) -> None:
    """Wake the evaluator and the screens when the transaction commits."""
    changes = msgspec.json.encode({"residents": list(residents), "alerts": [], "wards": list(wards)})
    await connection.execute(sql("ingest.hint"), changes.decode() if len(changes) <= _HINT_BYTES else "{}")


# Devices ---------------------------------------------------------------------------------------------


async def _contact(
    connection: Connection, deliveries: Sequence[Delivery], statuses: Sequence[Status], now: datetime
) -> dict[str, _Device]:
    """Lock the devices and note the contact; the known ones by device_id."""
    seen: dict[str, datetime | None] = {}
    offsets: dict[str, int] = {}
    said: dict[str, Status] = {}
    accepted: dict[str, datetime] = {}
    for status in statuses:
        if status.refusal is None:
            said[status.device_id] = status
        alive = status.online and not status.retained
        seen[status.device_id] = status.received_at if alive else seen.get(status.device_id)
    for delivery in deliveries:
        if delivery.message.readings:
            accepted[delivery.device_id] = delivery.received_at
        if delivery.again:
            seen.setdefault(delivery.device_id, None)
            continue
        seen[delivery.device_id] = delivery.received_at
        sent_at = delivery.message.sent_at
        if sent_at is not None and delivery.lane == "live":
            offsets[delivery.device_id] = (sent_at - delivery.received_at) // timedelta(milliseconds=1)
    rows = await connection.fetch(
        sql("ingest.contact"),
        list(seen),
        list(seen.values()),
        [offsets.get(device_id) for device_id in seen],
        [said[device_id].status if device_id in said else None for device_id in seen],
        [said[device_id].received_at if device_id in said else None for device_id in seen],
        now,
        [accepted.get(device_id) for device_id in seen],
    )
    return {
        row["device_id"]: _Device(
            row["device_pk"], row["organisation_id"], row["ward_id"], row["refused_run"], clocks.stored(row["clock"])
        )
        for row in rows
    }


# Settling --------------------------------------------------------------------------------------------


async def _settle(
    connection: Connection, deliveries: Sequence[Delivery], devices: Mapping[str, _Device], now: datetime
) -> dict[tuple[int, str], Ranges]:
    """Add what arrived to the settled sets; the whole sets afterwards."""
    arrived: dict[tuple[int, str], list[int]] = {}
    oldest: dict[tuple[int, str], int] = {}
    organisations: list[int] = []
    for delivery in deliveries:
        message = delivery.message
        if message.seq is None or message.stream is None:
            continue
        device = devices[delivery.device_id]
        key = (device.pk, message.stream)
        if key not in arrived:
            arrived[key] = []
            organisations.append(device.organisation_id)
        arrived[key].append(message.seq)
        if message.oldest is not None:
            oldest[key] = max(message.oldest, oldest.get(key, 1))
    if not arrived:
        return {}
    rows = await connection.fetch(
        sql("ingest.settle"),
        [pk for pk, _ in arrived],
        organisations,
        [stream for _, stream in arrived],
        [_multirange(seqs) for seqs in arrived.values()],
        [oldest.get(key) for key in arrived],
        now,
    )
    return {(pk, stream): tuple((r.lower, r.upper) for r in settled) for pk, stream, settled in rows}


def _multirange(seqs: list[int]) -> str:
    if len(seqs) == 1:
        return f"{{[{seqs[0]},{seqs[0]}]}}"
    return "{" + ",".join(f"[{seq},{seq}]" for seq in seqs) + "}"


def _answers(
    deliveries: Sequence[Delivery],
    devices: Mapping[str, _Device],
    settled: Mapping[tuple[int, str], Ranges],
) -> list[Answer]:
    answers: dict[tuple[str, str | None], Answer] = {}
    for delivery in deliveries:
        message = delivery.message
        stream = message.stream if message.seq is not None else None
        key = (delivery.device_id, stream)
        answer = answers.get(key)
        if answer is None:
            ranges = () if stream is None else settled[devices[delivery.device_id].pk, stream]
            answer = answers[key] = Answer(delivery.device_id, stream, ranges, [], [], [])
        if message.seq is not None:
            answer.seqs.append(message.seq)
        if message.id is not None:
            answer.ids.append(message.id)
        if message.refusals:
            answer.refused += [_refused(message, refusal) for refusal in message.refusals]
    return list(answers.values())


def _refused(message: Message, refusal: Refusal) -> Refused:
    return Refused(refusal.error, refusal.detail, message.seq, message.id, refusal.index, refusal.field)


def _refusals(delivery: Delivery, device: _Device) -> list[quarantine.Row]:
    return quarantine.rows(delivery, device_pk=device.pk, organisation_id=device.organisation_id)


def _status_refusal(status: Status, devices: Mapping[str, _Device]) -> list[quarantine.Row]:
    device = devices.get(status.device_id)
    if device is None:
        return []
    return [quarantine.status_row(status, device_pk=device.pk, organisation_id=device.organisation_id)]


# Attribution -----------------------------------------------------------------------------------------


def _gather(
    deliveries: Sequence[Delivery],
    known: Sequence[Clock],
    devices: Mapping[str, _Device],
    claims: Mapping[int, Claims],
) -> Batch:
    batch = Batch()
    nothing = Claims()
    for delivery, clock in zip(deliveries, known, strict=True):
        message = delivery.message
        readings = message.readings
        if not readings:
            continue
        device = devices[delivery.device_id]
        theirs = claims.get(device.pk, nothing)
        received_at, sent_at = delivery.received_at, message.sent_at
        for reading in readings:
            effective_at, uncertain, mark = _timing(reading, clock, sent_at, received_at)
            resident_id, marks = _attribute(reading, effective_at, uncertain, theirs)
            if mark is not None:
                marks = mark if marks is None else f"{marks} {mark}"
            batch.effective.append(effective_at)
            batch.residents.append(resident_id)
            batch.marks.append(marks)
        count = len(readings)
        batch.readings += readings
        batch.organisations += [device.organisation_id] * count
        batch.devices += [device.pk] * count
        batch.received += [received_at] * count
        batch.sent += [sent_at] * count
        batch.seqs += [message.seq] * count
        batch.streams += [message.stream] * count
    return batch


def _timing(
    reading: Reading, clock: Clock, sent_at: datetime | None, received_at: datetime
) -> tuple[datetime | None, bool, str | None]:
    """effective_at, whether it is uncertain, and our mark."""
    taken_at = reading.taken_at
    if reading.time_source not in ("own", "gateway"):
        effective_at, uncertain, mark = undated.effective(reading)
        if not clock.wrong or uncertain or taken_at is None:
            return effective_at, uncertain, mark
        # The time of sending, or a local one: the same clock showed it.
        effective_at, uncertain = clockwork.effective(clock, taken_at, sent_at, received_at)
        return effective_at, uncertain, mark
    assert taken_at is not None
    clock_set = timing.CLOCK_NOT_SET not in reading.flags or reading.time_source == "gateway"
    effective_at, uncertain = clockwork.effective(clock, taken_at, sent_at, received_at, clock_set=clock_set)
    return effective_at, uncertain, None


def _attribute(
    reading: Reading, effective_at: datetime | None, uncertain: bool, claims: Claims
) -> tuple[int | None, str | None]:
    """Whose reading it is (None: nobody's yet) and our marks on it, separated by spaces."""
    extreme = "extreme" if reading.extreme else None
    if effective_at is None:
        return None, _marked(extreme, "no_time held")
    slot = None if reading.context is None else attribution.slot(reading.context)
    resident_id, held = claims.whose(effective_at, uncertain=uncertain, subject=reading.subject, slot=slot)
    if not uncertain:
        return resident_id, extreme
    return resident_id, _marked(extreme, "clock_uncertain held" if held else "clock_uncertain")


def _marked(first: str | None, rest: str) -> str:
    return rest if first is None else f"{first} {rest}"
