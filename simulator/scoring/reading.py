"""The two files checked: every refusal names the line and what is wrong with it."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from simulator import clock, errors
from simulator.scoring import records

_Decoded = TypeVar("_Decoded")
_RECORD: msgspec.json.Decoder[records.Record] = msgspec.json.Decoder(records.Record)
_ALERTS: msgspec.json.Decoder[records.AlertList] = msgspec.json.Decoder(records.AlertList)
#: A line, and what stands on it.
_Numbered = tuple[int, records.Record]


@dataclass
class Truth:
    """What really happened: of records that came again the later one; repeated: how many were replaced."""

    run: records.Run | None = None
    stays: dict[tuple[str, int], tuple[int, records.Resident]] = field(default_factory=dict)
    courses: dict[str, records.Course] = field(default_factory=dict)
    overdue: dict[tuple[str, str, int], records.Overdue] = field(default_factory=dict)
    faults: dict[str, records.Fault] = field(default_factory=dict)
    repeated: int = 0


@dataclass
class Alerts:
    """Alerts, each once; repeated: how many stood there twice."""

    listed: records.AlertList
    alerts: list[records.Alert]
    repeated: int = 0


def truth(path: str) -> Truth:
    """A truth log: JSON lines, or one array. Raises BadInput with line and reason."""
    return truth_of(_bytes(path, "--truth"))


def truth_of(data: bytes) -> Truth:
    """As truth(), of what the file holds."""
    found = Truth()
    for line, record in _array(data) if data.lstrip()[:1] == b"[" else _lines(data):
        _keep(found, line, _consistent(line, record))
    _apart(found)
    return found


def alerts(path: str) -> Alerts:
    """A list of alerts. Raises BadInput with line and reason."""
    return alerts_of(_bytes(path, "--alerts"))


def alerts_of(data: bytes) -> Alerts:
    """As alerts(), of what the file holds."""
    try:
        listed = _ALERTS.decode(data)
    except msgspec.ValidationError as error:
        inside = re.search(r"\$\.alerts\[(\d+)\]", str(error))
        where = f"line {_line_of(data, int(inside[1]))}: alert {int(inside[1]) + 1}" if inside else "line 1"
        raise errors.BadInput(f"--alerts, {where}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.BadInput(f"--alerts, line {_broken(data)}: is not JSON: {error}") from None
    return _once(listed, data)


def _bytes(path: str, option: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise errors.BadInput(f"{option}: cannot read {path}: {error.strerror}") from None


# Truth --------------------------------------------------------------------------------------------


def _lines(data: bytes) -> Iterator[_Numbered]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield number, _record(number, line)


def _record(number: int, text: bytes) -> records.Record:
    try:
        return _RECORD.decode(text)
    except msgspec.ValidationError as error:
        raise errors.BadInput(f"--truth, line {number}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.BadInput(f"--truth, line {number}: is not JSON: {error}") from None


def _array(data: bytes) -> Iterator[_Numbered]:
    try:
        raw = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.BadInput(f"--truth, line {_broken(data)}: is not JSON: {error}") from None
    lines = _starts(data, data.index(b"["))
    for number, one in zip(lines, raw, strict=True):
        yield number, _record(number, bytes(one))


def _consistent(line: int, record: records.Record) -> records.Record:
    """The same record; times that contradict each other are refused."""

    def check(fine: bool, problem: str) -> None:
        if not fine:
            raise errors.BadInput(f"--truth, line {line}: {problem}")

    match record:
        case records.Run() | records.Resident() | records.Fault():
            check(record.to is None or record.from_ <= record.to, "to is before from")
        case records.Course():
            check(record.peak is None or record.onset <= record.peak, "peak is before onset")
            check(record.end is None or record.onset <= record.end, "end is before onset")
            for notice in record.notice:
                check(record.onset <= notice.by, f"notice {notice.what}: by is before onset")
            for quiet in record.quiet:
                check(quiet.from_ <= quiet.to, "quiet: to is before from")
        case records.Overdue():
            check(record.due_at <= record.alarm_from <= record.alarm_by, "not due_at <= alarm_from <= alarm_by")
    return record


def _keep(found: Truth, line: int, record: records.Record) -> None:
    match record:
        case records.Run():
            found.repeated += found.run is not None
            found.run = record
        case records.Resident():
            found.repeated += _put(found.stays, (record.resident, clock.to_ms(record.from_)), (line, record))
        case records.Course():
            found.repeated += _put(found.courses, record.id, record)
        case records.Overdue():
            key = (record.resident, record.code, clock.to_ms(record.due_at))
            found.repeated += _put(found.overdue, key, record)
        case records.Fault():
            found.repeated += _put(found.faults, record.id, record)


def _put(kept: dict[Any, Any], key: Any, value: Any) -> bool:
    there = key in kept
    kept[key] = value
    return there


def _apart(found: Truth) -> None:
    """Stays of one resident must not overlap: their days would be counted twice."""
    ordered = sorted(found.stays.values(), key=lambda one: (one[1].resident, one[1].from_))
    for (_, before), (line, after) in itertools.pairwise(ordered):
        if before.resident == after.resident and (before.to is None or after.from_ < before.to):
            raise errors.BadInput(f"--truth, line {line}: overlaps another time of the same resident")


# Alerts -------------------------------------------------------------------------------------------


def _once(listed: records.AlertList, data: bytes) -> Alerts:
    known: dict[str, records.Alert] = {}
    repeated = 0
    for position, alert in enumerate(listed.alerts):
        problem = _problem(alert)
        if known.setdefault(alert.id, alert) is not alert:
            repeated += 1
            if known[alert.id] != alert:
                problem = "has the id of another alert"
        if problem is not None:
            raise errors.BadInput(f"--alerts, line {_line_of(data, position)}: alert {position + 1}: {problem}")
    return Alerts(listed, list(known.values()), repeated)


def _problem(alert: records.Alert) -> str | None:
    if alert.resident is None and alert.device_id is None:
        return "is about no resident and no device"
    steps = alert.priorities
    if any(
        before.at > after.at or records.RANK[before.priority] >= records.RANK[after.priority]
        for before, after in itertools.pairwise(steps)
    ):
        return "priorities do not rise"
    if steps and steps[-1].priority != alert.priority:
        return "priority is not the highest of priorities"
    return None


# Where it stands ----------------------------------------------------------------------------------


def _broken(data: bytes) -> int:
    """The line at which it stops being JSON."""
    try:
        json.loads(data.decode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        return error.lineno
    except RecursionError:
        pass
    return 1


def _line_of(data: bytes, position: int) -> int:
    """The line on which the alert at this position begins."""
    text = data.decode("utf-8")
    for match in re.finditer(r'"alerts"\s*:\s*\[', text):
        lines = _starts(data, len(text[: match.end() - 1].encode()))
        return next(itertools.islice(lines, position, None), 1)
    return 1


def _starts(data: bytes, bracket: int) -> Iterable[int]:
    """Lines on which the elements of the array begin that is opened at this byte."""
    text = data[bracket + 1 :].decode("utf-8")
    line = data[:bracket].count(b"\n") + 1
    decoder = json.JSONDecoder()
    at = last = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] == "]":
            return
        line += text.count("\n", last, at)
        last = at
        yield line
        _, at = decoder.raw_decode(text, at)
