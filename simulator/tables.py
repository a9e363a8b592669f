"""What was measured, as a CSV that `telehealth backtest` and `telehealth-sim replay` read."""

from __future__ import annotations

import contextlib
import csv
import heapq
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simulator import clock, errors, kit
from simulator.bodies import physiology

COLUMNS = ("person", "code", "value", "unit", "taken_at")


class Rows:
    """Writes one row a measured value, in the order of time; at the true time, whatever the device's clock showed."""

    def __init__(self, writer: Any | None) -> None:
        self._writer = writer
        self._waiting: list[tuple[int, str, int, tuple[Any, ...]]] = []
        self._count = itertools.count()

    def watch(self, unit: kit.Unit, taken: Sequence[kit.Taken]) -> None:
        """To be told of everything that is measured, also ahead of its time. What failed has no row."""
        if self._writer is None:
            return
        for one in taken:
            at = clock.text(clock.from_ms(one.moment.at_ms))
            for code, shown in one.shown.items():
                if shown.value is not None:
                    vital = physiology.VITALS.get(code)
                    value = str(shown.value).lower() if isinstance(shown.value, bool) else shown.value
                    row = (unit.person.key, code, value, vital.unit if vital else "", at)
                    heapq.heappush(self._waiting, (one.moment.at_ms, unit.device_id, next(self._count), row))

    def flush(self, to_ms: int) -> None:
        """Writes what was measured by then. What is still ahead when the run ends was never measured."""
        while self._writer is not None and self._waiting and self._waiting[0][0] <= to_ms:
            self._writer.writerow(heapq.heappop(self._waiting)[-1])


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[Rows]:
    """A file to write to; None: nowhere. Raises BadInput."""
    if path is None:
        yield Rows(None)
        return
    try:
        file = Path(path).open("w", encoding="utf-8", newline="")  # noqa: SIM115  # closed below
    except OSError as error:
        raise errors.BadInput(f"cannot write {path}: {error.strerror}") from None
    with file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        yield Rows(writer)
