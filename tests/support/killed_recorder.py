"""Records a made-up sender and is killed in the middle of writing: python -m tests.support.killed_recorder ID KEY PATH.

Before it dies it prints how the file stood when that was last reported: chunks, size, head in hex.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from uuid import UUID

from telehealth import clock
from telehealth.media import recording
from telehealth.model.media import Recorded, RecordingTo
from tests.support import rtp

#: Of media; after some of it a report of so many chunks is waited for.
SECONDS, REPORTED_AFTER, CHUNKS = 20.0, 12.0, 12


async def main(name: str, key: str, path: str) -> None:
    packets = rtp.sent(SECONDS)
    reports: asyncio.Queue[Recorded] = asyncio.Queue()
    tap = recording.open(RecordingTo(UUID(name), bytes.fromhex(key), path, 5), lambda kind: None, reports.put_nowait)
    zero = clock.monotonic()
    waited = False
    for one in packets:
        if one.at > REPORTED_AFTER and not waited:
            waited = True
            while (reported := await reports.get()).chunks < CHUNKS:
                pass
            print(reported.chunks, reported.size, reported.head.hex(), flush=True)
        tap.packet(one.kind, one.packet, zero + one.at)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
