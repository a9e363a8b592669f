"""What a real worker records of real callers: it plays, also when the worker was killed, and nobody else is in it."""

from __future__ import annotations

import asyncio
import io
import os
import secrets
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import numpy as np
import pytest

from telehealth.consult import process
from telehealth.consult.backend import Workers
from telehealth.media import recording_playback
from telehealth.model import vault
from telehealth.model.media import Allowed, Recorded, RecordingTo, Refused
from telehealth.model.vault import Reported
from tests.integration.media.conftest import Visit


def to(folder: Path, participant: int) -> RecordingTo:
    name = uuid4()
    return RecordingTo(name, secrets.token_bytes(32), str(folder / f"{name}.recording"), participant)


def last(visit: Visit, of: RecordingTo) -> Recorded | None:
    """What was told of a recording last."""
    told = [e for e in visit.watched.events if isinstance(e, Recorded) and e.recording == of.recording]
    return told[-1] if told else None


async def over(visit: Visit, of: RecordingTo) -> Recorded:
    """Until nothing more is written."""
    await visit.watched.until(lambda: (told := last(visit, of)) is not None and told.over)
    told = last(visit, of)
    assert told is not None
    return told


def verdict(of: RecordingTo, told: Recorded | None) -> vault.Verdict:
    reported = None if told is None else Reported(told.chunks, told.head)
    return recording_playback.look(of.path, recording=of.recording, key=of.key, reported=reported)


def played(of: RecordingTo, found: vault.Verdict) -> tuple[int, int, int]:
    """How many pictures and sounds decode, and the shade of the pictures."""
    film = recording_playback.film(of.path, found, recording=of.recording, key=of.key)
    data = b"".join(recording_playback.read(of.path, film, of.key))
    pictures, sounds, shade = 0, 0, 0
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux():
            frames: Any = packet.decode()
            if packet.stream.type != "video":
                sounds += len(frames)
                continue
            pictures += len(frames)
            for frame in frames:
                shade = int(np.median(frame.to_ndarray(format="gray")))
    return pictures, sounds, shade


async def test_each_person_is_recorded_to_a_file_of_their_own(visit: Visit, tmp_path: Path) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    files = {number: to(tmp_path, number) for number in (1, 2)}
    await visit.workers.record(visit.room, files)
    await asyncio.gather(one.sees(2, more=45), two.sees(1, more=45))
    # One withdraws: the other's file goes on.
    await visit.workers.record(visit.room, {2: files[2]})
    await over(visit, files[1])
    await one.sees(2, more=15)
    await visit.workers.record(visit.room, {})
    await over(visit, files[2])
    counts = {}
    for number, file in files.items():
        found = verdict(file, await over(visit, file))
        assert (found.state, found.findings) == ("intact", ())
        counts[number] = played(file, found)
        assert abs(counts[number][2] - (20 + 20 * number)) < 14
        assert counts[number][1] > 100
    assert counts[1][0] >= 30
    assert counts[2][0] >= counts[1][0] + 10


async def test_a_worker_that_is_killed_leaves_what_it_wrote(
    visit: Visit, worker: process.Process, tmp_path: Path
) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    file = to(tmp_path, 1)
    await visit.workers.record(visit.room, {1: file})
    await visit.watched.until(lambda: last(visit, file) is not None)
    os.kill(worker.pid, signal.SIGKILL)
    await visit.watched.gone.wait()
    told = last(visit, file)
    assert told is not None
    found = verdict(file, told)
    assert found.state == "unfinished"
    assert len(found.pieces) >= told.chunks >= 3
    pictures, sounds, _ = played(file, found)
    assert pictures > 20
    assert sounds > 50


async def test_nothing_of_a_muted_person_is_recorded(visit: Visit, tmp_path: Path) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    file = to(tmp_path, 1)
    await visit.workers.allow(visit.room, 1, Allowed(audio=False, video=True))
    await visit.workers.record(visit.room, {1: file})
    await two.sees(1, more=30)
    await visit.workers.record(visit.room, {})
    pictures, sounds, _ = played(file, verdict(file, await over(visit, file)))
    assert pictures >= 15
    assert sounds == 0


async def test_a_place_that_cannot_be_written_is_refused_and_the_room_goes_on(
    visit: Visit, workers: Workers, tmp_path: Path
) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    with pytest.raises(Refused, match="cannot be written"):
        await workers.record(visit.room, {1: to(tmp_path / "nowhere", 1)})
    await asyncio.gather(one.sees(2), two.sees(1))


async def test_all_are_recorded_or_none(visit: Visit, workers: Workers, tmp_path: Path) -> None:
    """Where one file cannot be made the others end; somebody who comes later and cannot be recorded is told of."""
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    first = to(tmp_path, 1)
    with pytest.raises(Refused, match="cannot be written"):
        await workers.record(visit.room, {1: first, 2: to(tmp_path / "nowhere", 2)})
    await over(visit, first)
    again, third = to(tmp_path, 1), to(tmp_path / "nowhere", 3)
    await workers.record(visit.room, {1: again, 3: third})
    await visit.join(3)
    assert (await over(visit, third)).failed
