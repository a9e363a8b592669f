"""Percentiles, and what a process takes of the computer."""

from __future__ import annotations

import contextlib
import resource
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

import msgspec

from simulator import errors

#: Files that a process has open besides its connections.
_OTHER_FILES = 100


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds: the smallest values that at least so many of all are not above; null where there are none."""

    count: int
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    longest: float | None = None


def percentiles(milliseconds: Sequence[float] | array[float]) -> Percentiles:
    """Nearest rank."""
    found = sorted(milliseconds)
    count = len(found)
    if not count:
        return Percentiles(0)
    ranks = [found[max(0, -(-count * part // 1000) - 1)] for part in (500, 900, 950, 990, 999)]
    p50, p90, p95, p99, p999 = (round(value, 3) for value in ranks)
    return Percentiles(count, p50, p90, p95, p99, p999, round(found[-1], 3))


def raise_file_limit(connections: int) -> int:
    """Lets this process open so many connections; the limit then. Raises BadInput telling how, where it may not."""
    wanted = connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return soft
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise errors.BadInput(
            f"{connections} connections need {wanted} open files, and this process may have {hard}: as root "
            f"`prlimit --pid $$ --nofile={wanted}` in this shell, LimitNOFILE={wanted} in a systemd unit, "
            f"or `--ulimit nofile={wanted}` of a container"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def cpu_seconds() -> float:
    """Of this process so far."""
    return time.process_time()


def memory_bytes() -> int:
    """Resident now; 0 where the system does not tell."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024
    return 0


def most_memory_bytes() -> int:
    """Most that was resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
