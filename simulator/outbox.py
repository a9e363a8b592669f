"""What the devices still hold: every message until a receipt settles it, on disk, across restarts.

A message's stream and seq are on disk before it is sent. Deleting may reach the disk later: a
message that comes back after a crash is only sent once more.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator import errors, receipts

SCHEMA = """
CREATE TABLE IF NOT EXISTS device (
    device_id TEXT PRIMARY KEY, stream TEXT NOT NULL, next_seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    device_id TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, taken_ms INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL, count INTEGER NOT NULL, readings BLOB NOT NULL,
    PRIMARY KEY (device_id, stream, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass
class Held:
    """One message that no receipt has settled. Only sent_at and oldest change when it is sent again."""

    device_id: str
    stream: str
    seq: int
    #: When its oldest reading was taken, and when it was first to be sent; both milliseconds since 1970.
    taken_ms: int
    sent_ms: int
    count: int
    readings: bytes
    #: Deliveries so far by this process, and of each the digest by which a receipt may name it.
    attempts: int = 0
    digests: list[str] = field(default_factory=list)
    #: Monotonic seconds when it is to be sent again.
    again_at: float = 0.0
    #: Whether an earlier run left it: it may have been sent already.
    left: bool = False
    #: Deliveries beyond the first that are still to be made: a device that sends everything again.
    copies: int = 0
    #: What receipts refused of it; each is told once.
    refusals: list[receipts.Refusal] = field(default_factory=list)

    @property
    def name(self) -> tuple[str, int]:
        return self.stream, self.seq


def random_stream(_device_id: str) -> str:
    """From the operating system's randomness: new whenever a device has lost its counter."""
    return secrets.token_urlsafe(9)


class Outbox:
    """The journal of all devices of one simulator. One process at a time; close() keeps everything."""

    def __init__(self, folder: Path | None, *, new_stream: Callable[[str], str] = random_stream) -> None:
        """folder: where the journal is kept; None keeps it in memory only. Raises BadInput if it is in use."""
        self._new_stream = new_stream
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._journal = sqlite3.connect(
                folder / "outbox.sqlite" if folder else ":memory:", timeout=1, isolation_level=None
            )
            # One owner: a second simulator on the same journal would send other messages under the same numbers.
            self._journal.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._journal.execute("PRAGMA journal_mode = WAL")
            self._journal.execute("PRAGMA synchronous = FULL")
            self._journal.executescript("BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")
        except (OSError, sqlite3.Error) as error:
            raise errors.BadInput(f"the state folder cannot be used (is another simulator on it?): {error}") from None
        self._settled: list[tuple[str, str, int]] = []
        self._counters = {
            str(device): (str(stream), int(seq))
            for device, stream, seq in self._journal.execute("SELECT device_id, stream, next_seq FROM device")
        }

    def held(self) -> list[Held]:
        """Everything unsettled that an earlier run left, oldest first."""
        rows = self._journal.execute(
            "SELECT device_id, stream, seq, taken_ms, sent_ms, count, readings FROM message ORDER BY sent_ms, seq"
        )
        found = [Held(*row) for row in rows]
        for one in found:
            one.left = True
        return found

    def put(self, messages: Iterable[tuple[str, int, int, int, bytes]]) -> list[Held]:
        """Numbers and keeps messages of (device, taken_ms, sent_ms, count, readings); on disk when this returns."""
        fresh: list[Held] = []
        for device_id, taken_ms, sent_ms, count, readings in messages:
            stream, seq = self._counters.get(device_id) or (self._new_stream(device_id), 1)
            self._counters[device_id] = (stream, seq + 1)
            fresh.append(Held(device_id, stream, seq, taken_ms, sent_ms, count, readings))
        counters = [(device_id, *self._counters[device_id]) for device_id in {held.device_id for held in fresh}]
        rows = [(h.device_id, h.stream, h.seq, h.taken_ms, h.sent_ms, h.count, h.readings) for h in fresh]
        self._journal.execute("BEGIN IMMEDIATE")
        self._journal.executemany("INSERT OR REPLACE INTO device VALUES (?, ?, ?)", counters)
        self._journal.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._forget()
        self._journal.execute("COMMIT")
        return fresh

    def settle(self, held: Held) -> None:
        """A receipt settled it: it is deleted with the next write."""
        self._settled.append((held.device_id, held.stream, held.seq))
        if len(self._settled) >= 1000:
            self.flush()

    def flush(self) -> None:
        """Writes what is settled."""
        if self._settled:
            self._journal.execute("BEGIN IMMEDIATE")
            self._forget()
            self._journal.execute("COMMIT")

    def note(self, name: str, value: Any) -> None:
        """Keeps a small fact of the run (JSON) beside the messages."""
        self._journal.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, json.dumps(value)))

    def noted(self, name: str) -> Any:
        """The fact kept under this name; None if there is none."""
        row = self._journal.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def close(self) -> None:
        self.flush()
        self._journal.close()

    def _forget(self) -> None:
        self._journal.executemany("DELETE FROM message WHERE device_id = ? AND stream = ? AND seq = ?", self._settled)
        self._settled.clear()
