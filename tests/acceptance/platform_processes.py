"""The commands as their users run them: processes, their answers and their end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SECONDS = 60.0
_TELEHEALTH = (sys.executable, "-m", "telehealth")


def environment(**more: str) -> dict[str, str]:
    """Ours without settings of the service, plus those given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TELEHEALTH_", "DATABASE_", "MQTT_"))}
    return kept | {"COLUMNS": "200", **more}


def telehealth(*arguments: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command, run to its end."""
    return subprocess.run(
        [*_TELEHEALTH, *arguments],
        env=environment(**(settings or {})),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def answer(*arguments: str, settings: Mapping[str, str]) -> Any:
    """What a command answers with --json; it must succeed."""
    done = telehealth(*arguments, "--json", settings=settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Running:
    """A service that runs until it is stopped; its log is in a file."""

    process: subprocess.Popen[str]
    log: Path

    def first_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"ended with {self.process.wait()}: {self.log.read_text()[-3000:]}"
        return line

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Its exit status; it has 5 s."""
        self.process.send_signal(number)
        return self.process.wait(5)


@contextlib.contextmanager
def service(*arguments: str, settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    with tempfile.NamedTemporaryFile(prefix="th-log-", suffix=".log") as log:
        process = subprocess.Popen(
            [*_TELEHEALTH, *arguments],
            env=environment(**(settings or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield Running(process, Path(log.name))
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            assert process.stdout is not None
            process.stdout.close()


def get(url: str, token: str | None = None) -> Any:
    """JSON by HTTP."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def eventually(look: Callable[[], Any], *, seconds: float = 20.0) -> Any:
    """The first answer that is true."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            found = look()
            if found:
                return found
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def message(seq: int, *readings: dict[str, Any], stream: str = "acceptance") -> bytes:
    return json.dumps({"stream": stream, "seq": seq, "sent_at": now(), "readings": readings}).encode()


def spo2(value: Any, **more: Any) -> dict[str, Any]:
    return {"code": "spo2", "value": value, "unit": "%", "taken_at": now()} | more


def now(seconds_ago: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat(timespec="milliseconds")


def digits(nhs_number: str | None) -> str:
    """An NHS number without the blanks that people are shown."""
    return (nhs_number or "").replace(" ", "")
