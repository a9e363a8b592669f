"""The simulator as a child process: history first, then the live feed. It speaks to us like any client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from telehealth import log
from telehealth.demo import cast
from telehealth.errors import Unavailable

_log = log.get("simulator")

TOKEN_VARIABLE = "TELEHEALTH_CONTROL_TOKEN"
_STOP_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """What to run. history_from: where the virtual clock stands; None: time is real already."""

    folder: Path
    url: str
    seed: int
    speed: float
    live: bool
    history_from: datetime | None
    control_token: str

    def arguments(self, devices: Path) -> list[str]:
        found = [sys.executable, "-m", "simulator", "serve", "--json", "--with-parent"]
        found += ["--devices", str(devices), "--url", self.url, "--seed", str(self.seed), "--speed", str(self.speed)]
        found += ["--state-dir", str(self.folder / "outbox"), "--live" if self.live else "--no-live"]
        if self.history_from is not None:
            return [*found, "--history-from", self.history_from.isoformat()]
        # What was missed since it last ran comes late, as from devices that were offline.
        return [*found, "--history-days", "14"]


def write_world(
    folder: Path, people: Sequence[cast.Person], password: Callable[[str], str], host: str, port: int
) -> Path:
    """The file of devices for the simulator: credentials and who is measured. Readable by its owner only."""
    devices = []
    for person in people:
        resident = person.simulated()
        devices += [
            {
                "device_id": device.device_id,
                "password": password(f"device {device.device_id}"),
                "codes": device.codes,
                "continuous": device.continuous,
                "resident": resident,
            }
            for device in person.devices
        ]
    devices += [shared(kit, password) for kit in cast.shared_kits(people)]
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "devices.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode({"mqtt": {"host": host, "port": port}, "devices": devices}))
    return path


def shared(kit: cast.SharedKit, password: Callable[[str], str]) -> dict[str, Any]:
    """A kit of a care home as the simulator reads it."""
    return {
        "device_id": kit.device.device_id,
        "password": password(f"device {kit.device.device_id}"),
        "codes": kit.device.codes,
        "continuous": kit.device.continuous,
        "seats": kit.seats(),
    }


async def run(plan: Plan, devices: Path, heard: Callable[[dict[str, Any]], None]) -> None:
    """Run it until it ends by itself or this is cancelled; heard gets its events. Raises Unavailable if it fails."""
    process = await asyncio.create_subprocess_exec(
        *plan.arguments(devices),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, TOKEN_VARIABLE: plan.control_token},
        # Ctrl-C is for us; we tell the child ourselves.
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            with contextlib.suppress(msgspec.DecodeError):
                heard(msgspec.json.decode(line))
        status = await process.wait()
    finally:
        await _stop(process)
    if status != 0:
        raise Unavailable(f"the simulator ended with status {status}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()


async def keep_running(plan: Plan, devices: Path, heard: Callable[[dict[str, Any]], None]) -> None:
    """Run it again whenever it fails, or ends while it should feed on; returns once the history is in otherwise."""
    pause = 1.0
    while True:
        try:
            await run(plan, devices, heard)
            if not plan.live:
                return
            _log.warning("the simulator ended; starting it again")
        except Unavailable as error:
            _log.error("the simulator failed; starting it again", trouble=str(error))
        await asyncio.sleep(pause)
        pause = min(pause * 2, 30)
