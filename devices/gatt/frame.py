"""The bytes of one characteristic, field by field, and what was found in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from devices import ieee11073
from devices.fields import Wrong
from devices.message import Absent

Context = Mapping[str, str | int | float | bool]
NOTHING: Final[Context] = MappingProxyType({})
#: Years that a clock can show which has been set at all; inside what any zone makes a time of 1900 to 2200.
_FIRST_YEAR, _LAST_YEAR = 1901, 2199


class Measured(NamedTuple):
    """token: the value as a JSON number, None with absent. unit: UCUM, what the bytes meant."""

    code: str
    token: str | None
    unit: str | None
    absent: Absent | None


def measured(code: str, value: Decimal | int | Absent, unit: str | None, absent: Absent | None = None) -> Measured:
    """A value, or why there is none; absent: why the value that is there does not count."""
    if isinstance(value, str):
        return Measured(code, None, unit, value)
    if absent is not None:
        return Measured(code, None, unit, absent)
    return Measured(code, str(value), unit, None)


def fixed(number: Decimal) -> Decimal:
    """A number of fixed resolution without the zeros at its end, which say nothing of its precision."""
    return Decimal(f"{number.normalize():f}")


@dataclass(frozen=True, slots=True)
class Frame:
    """What one frame says. local_time: naive, by the device's clock; None: none, or one that is no time.

    sequence: the device's own number of the record. of: the sequence of the record that this is only the context of.
    """

    measured: tuple[Measured, ...]
    local_time: datetime | None = None
    flags: tuple[str, ...] = ()
    context: Context = field(default_factory=dict)
    sequence: int | None = None
    of: int | None = None


class Cursor:
    """Reads the fields of a frame in order; one that is not there raises Wrong. Bytes left over are ignored: the
    profiles ask that of collectors, so that later versions may add fields.

    clock_wrong: a time was read that no calendar has, or of a year in which nobody measured.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.clock_wrong = False

    def _take(self, size: int, name: str) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise Wrong("frame_too_short", "hex", f"The frame is shorter than its flags say: {name} is missing.")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def unsigned(self, size: int, name: str) -> int:
        return int.from_bytes(self._take(size, name), "little")

    def signed(self, size: int, name: str) -> int:
        return int.from_bytes(self._take(size, name), "little", signed=True)

    def sfloat(self, name: str) -> Decimal | Absent:
        return ieee11073.sfloat(self._take(ieee11073.SFLOAT_SIZE, name))

    def float32(self, name: str) -> Decimal | Absent:
        return ieee11073.float32(self._take(ieee11073.FLOAT_SIZE, name))

    def time(self) -> datetime | None:
        """Seven bytes of local time; None if year, month or day is said to be unknown, or it is no time."""
        raw = self._take(7, "time")
        year = int.from_bytes(raw[:2], "little")
        month, day, hour, minute, second = raw[2:]
        if not (year and month and day):
            return None
        try:
            local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - naive on purpose
        except ValueError:
            self.clock_wrong = True
            return None
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            self.clock_wrong = True
            return None
        return local


def named(bits: int, names: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """The names of the bits that are set, in the order of names."""
    return tuple(name for bit, name in names if bits >> bit & 1)
