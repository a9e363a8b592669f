"""Stop what an earlier run left behind after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from telehealth import clock, log

_log = log.get("postgres")


async def stop(cluster: Path) -> None:
    """End a PostgreSQL that still runs on this cluster, and remove a lock file that nobody holds.

    The number in the lock file may meanwhile be another program's: it is ours only if it runs in
    the cluster's folder, which PostgreSQL never leaves.
    """
    lock = cluster / "postmaster.pid"
    postmaster = _postmaster(lock)
    if postmaster is not None and _runs_in(postmaster, cluster):
        _log.warning("stopping the PostgreSQL of an earlier run")
        await _end(postmaster, cluster)
    # After a killed postmaster its children go by themselves, but hold the shared memory until then.
    await _until_gone(cluster, seconds=5)
    for left in _all_in(cluster):
        with contextlib.suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    await _until_gone(cluster, seconds=2)
    with contextlib.suppress(FileNotFoundError):
        lock.unlink()


async def _end(pid: int, cluster: Path) -> None:
    for signum, seconds in ((signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
        deadline = clock.monotonic() + seconds
        while clock.monotonic() < deadline:
            if not _runs_in(pid, cluster):
                return
            await asyncio.sleep(0.02)


async def _until_gone(cluster: Path, *, seconds: float) -> None:
    deadline = clock.monotonic() + seconds
    while clock.monotonic() < deadline:
        if not _all_in(cluster):
            return
        await asyncio.sleep(0.02)


def _postmaster(lock: Path) -> int | None:
    try:
        return abs(int(lock.read_text().splitlines()[0]))
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _runs_in(pid: int, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(folder.resolve())
    except OSError:
        return False


def _all_in(folder: Path) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _runs_in(int(name), folder)]
