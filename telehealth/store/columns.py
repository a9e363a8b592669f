"""Readings as the columns of ingest.insert_readings.

A batch goes to PostgreSQL as one array per column: row by row would cost more than the rest of
the work together.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from devices.message import Reading

_encode = msgspec.json.Encoder().encode


class Batch:
    """Rows being gathered. Everything that is one value per message is repeated per reading."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.organisations: list[int] = []
        self.devices: list[int | None] = []
        self.residents: list[int | None] = []
        self.effective: list[datetime | None] = []
        self.received: list[datetime] = []
        self.sent: list[datetime | None] = []
        self.seqs: list[int | None] = []
        self.streams: list[str | None] = []
        self.marks: list[str | None] = []

    def parameters(self, entered_by: str | None = None) -> list[Any]:
        """In the order of ingest.insert_readings."""
        readings = self.readings
        entered = None if entered_by is None else [entered_by] * len(readings)
        taken = [r.taken_at for r in readings]
        # What is nearly always the same is sent once.
        organisation = self.organisations[0]
        one_organisation = self.organisations.count(organisation) == len(readings)
        methods = [r.method for r in readings]
        return [
            taken,
            [r.identity for r in readings],
            [r.value_key for r in readings],
            None if one_organisation else self.organisations,
            self.devices,
            self.residents,
            None if all(map(operator.is_, self.effective, taken)) else self.effective,
            self.received,
            _or_null(self.sent),
            [r.value for r in readings],
            _or_null(self.seqs),
            [r.code for r in readings],
            _or_null([r.value_code for r in readings]),
            _or_null([r.unit for r in readings]),
            _or_null([r.value_sent for r in readings]),
            _or_null([r.unit_sent for r in readings]),
            _or_null(self.streams),
            _or_null([r.source_id for r in readings]),
            _or_null([r.subject for r in readings]),
            _or_null([r.set for r in readings]),
            None if methods.count("device") == len(methods) else methods,
            _or_null([r.absent for r in readings]),
            _or_null([" ".join(r.flags) if r.flags else None for r in readings]),
            _or_null(self.marks),
            _or_null([_encode(r.context).decode() if r.context else None for r in readings]),
            entered,
            _or_null([r.taken_us or None for r in readings]),
            organisation,
        ]

    def settle_repeats(self) -> dict[Any, datetime | None]:
        """Keep the first of equal readings; identities that come with different values, and their taken_at."""
        readings = self.readings
        if len({r.identity.int for r in readings}) == len(readings):
            return {}
        first: dict[int, int] = {}
        seen: set[tuple[int, int]] = set()
        found: dict[Any, datetime | None] = {}
        kept: list[int] = []
        for n, reading in enumerate(readings):
            key, value_key = reading.identity.int, reading.value_key
            if first.setdefault(key, value_key) != value_key:
                found[reading.identity] = reading.taken_at
            if (key, value_key) not in seen:
                seen.add((key, value_key))
                kept.append(n)
        for name, column in vars(self).items():
            setattr(self, name, [column[n] for n in kept])
        return found


def _or_null(column: Sequence[Any]) -> Sequence[Any] | None:
    """A column without any value costs nothing when it is null as a whole."""
    return None if column.count(None) == len(column) else column
