"""The thread that seals one recording and writes it, so that the media's loop never waits for a disk.

Every chunk is written at once, in one call: a kill of the process loses nothing that was written, because the system
has it. What a failing power supply can take is bounded by syncing every few seconds; and only what was synced is
reported, so that a file shorter than reported is never the machine's doing. Syncing each chunk would cost a disk
write per second and person, and would save at most those few seconds of a picture.
"""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telehealth import clock, log
from telehealth.model import vault
from telehealth.model.media import Recorded

_log = log.get("recording")

#: What is written is synced, and then reported, so often.
SYNC_SECONDS: Final = 3.0
#: How often the thread looks whether the process is ending without having closed it.
_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Chunk:
    """Media for the next chunk; times in ms since the recording started."""

    media: bytes
    since: int
    until: int
    marks: int


class Disk:
    """Writes one new file. Raises OSError if it cannot be made, FileExistsError if it is there already.

    report: called in the thread, with what is safely on the disk.
    """

    def __init__(self, path: str, about: vault.Header, key: bytes, report: Callable[[Recorded], None]) -> None:
        self._about = about
        self._sealer = vault.Sealer(about, key)
        self._report = report
        #: Chunks, size and head as of the last sync.
        self._safe = self._sealer.chunks, 0, self._sealer.head
        self._waiting: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0
        self._lost = 0
        #: Nothing more is written: it was closed, or the disk failed.
        self.over = False
        self._failed = False
        # Never over a file that is there: another recording, or this one by a worker that is believed dead.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._folder = os.path.dirname(path) or "."
        self._thread = threading.Thread(target=self._run, name="recording", daemon=False)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""
        with self._lock:
            return self._pending

    def put(self, chunk: Chunk) -> None:
        """Write it soon. Returns at once; whoever calls sees to it that not too much is pending."""
        with self._lock:
            self._pending += len(chunk.media)
        self._waiting.put(chunk)

    def note_lost(self, count: int) -> None:
        """So many pictures or sounds were not even put, because too much was pending."""
        self._lost += count

    def close(self) -> None:
        """Nothing more is put; what was put is written, then the last chunk. Returns at once."""
        self._waiting.put(None)

    def join(self, seconds: float | None = None) -> bool:
        """Wait until all is written. For tests and for a process that ends."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # In the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._write(self._sealer.opening)
            self._sync_folder()
            self._work()
        except Exception as error:
            # A full or broken disk: what is there stays, and whoever listens is told that nothing more comes.
            self._failed = True
            _log.error(
                "a recording cannot be written",
                recording=str(self._about.recording),
                error=type(error).__name__,
                where=log.where(error),
            )
        finally:
            self.over = True
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._tell(over=True)

    def _work(self) -> None:
        synced, fresh = clock.monotonic(), False
        while True:
            try:
                chunk = self._waiting.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if not threading.main_thread().is_alive():
                    chunk = None
                elif not fresh or clock.monotonic() - synced < SYNC_SECONDS:
                    continue
                else:
                    chunk = Chunk(b"", 0, 0, 0)
            if chunk is None:
                self._end()
                return
            if chunk.media:
                self._seal(chunk)
                fresh = True
            if fresh and clock.monotonic() - synced >= SYNC_SECONDS:
                self._sync()
                synced, fresh = clock.monotonic(), False
                self._tell(over=False)

    def _seal(self, chunk: Chunk, *, last: bool = False) -> None:
        nonce = secrets.token_bytes(vault.NONCE_BYTES)
        self._write(
            self._sealer.seal(
                chunk.media, nonce=nonce, since=chunk.since, until=chunk.until, marks=chunk.marks, last=last
            )
        )
        with self._lock:
            self._pending -= len(chunk.media)

    def _end(self) -> None:
        self._seal(Chunk(b"", 0, 0, 0), last=True)
        self._sync()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _sync(self) -> None:
        os.fdatasync(self._file)
        self._safe = self._sealer.chunks, self._sealer.size, self._sealer.head

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _tell(self, *, over: bool) -> None:
        try:
            self._report(Recorded(self._about.recording, *self._safe, over, self._lost, self._failed))
        except Exception as error:
            _log.warning("nobody hears how a recording stands", error=type(error).__name__, where=log.where(error))
