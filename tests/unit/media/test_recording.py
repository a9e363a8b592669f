"""A participant's packets become a file that plays: in order or not, with losses, killed, with a disk that fails."""

from __future__ import annotations

import asyncio
import io
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth import clock
from telehealth.media import recording, recording_disk, recording_playback, webm
from telehealth.media.recording_packets import Order, Pictures, Times, vp8_payload
from telehealth.media.taps import Tap
from telehealth.model import vault
from telehealth.model.media import Recorded, RecordingTo
from telehealth.model.vault import Reported
from tests.support import rtp
from tests.support.rtp import Sent

ID = UUID(int=77)
KEY = bytes(range(32, 64))


@dataclass
class Recording:
    """A recording under test."""

    path: Path
    wanted: list[str] = field(default_factory=list)
    told: list[Recorded] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    tap: recording.Recorder | None = None

    def begin(self) -> recording.Recorder:
        self.tap = recording.open(RecordingTo(ID, KEY, str(self.path), 5), self.wanted.append, self._heard)
        return self.tap

    def _heard(self, recorded: Recorded) -> None:
        self.told.append(recorded)
        if recorded.over:
            self.over.set()

    async def of(self, packets: Iterable[Sent]) -> None:
        """Record these and end it."""
        tap: Tap = self.begin()
        zero = clock.monotonic()
        for one in packets:
            tap.packet(one.kind, one.packet, zero + one.at)
        tap.close()
        await asyncio.wait_for(self.over.wait(), 20)

    def verdict(self) -> vault.Verdict:
        reported = Reported(self.told[-1].chunks, self.told[-1].head) if self.told else None
        return recording_playback.look(str(self.path), recording=ID, key=KEY, reported=reported)

    def played(self, pictures: webm.Kind = "video") -> bytes:
        film = recording_playback.film(str(self.path), self.verdict(), recording=ID, key=KEY, pictures=pictures)
        data = b"".join(recording_playback.read(str(self.path), film, KEY))
        assert len(data) == film.size
        return data


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[Recording]:
    found = Recording(tmp_path / "one.recording")
    yield found
    if found.tap is not None:
        found.tap.close()
        assert await asyncio.to_thread(found.tap.disk.join, 10)


def decoded(data: bytes) -> dict[str, list[float]]:
    """Times of what a player decodes; every error is raised."""
    found: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(io.BytesIO(data), "r", options={"err_detect": "explode"}) as container:
        for frame in container.decode():
            assert frame.time is not None
            found["video" if isinstance(frame, av.VideoFrame) else "audio"].append(frame.time)
    return found


async def test_what_was_sent_is_what_plays(recorded: Recording) -> None:
    await recorded.of(rtp.sent(4.0))
    verdict = recorded.verdict()
    assert (verdict.state, verdict.findings) == ("intact", ())
    assert recorded.told[-1].over
    assert recorded.told[-1].head == verdict.head
    assert recorded.told[-1].size == recorded.path.stat().st_size
    assert recorded.path.stat().st_mode & 0o777 == 0o600
    found = decoded(recorded.played())
    assert len(found["video"]) == 60
    assert len(found["audio"]) >= 199
    assert abs(found["video"][-1] - found["audio"][-1]) < 0.2
    assert all(piece.until - piece.since <= 1000 for piece in verdict.pieces)
    assert verdict.seconds == pytest.approx(4.0, abs=0.3)


async def test_no_media_show_in_the_file(recorded: Recording) -> None:
    """Nothing that a demuxer, or somebody who looks for a header, could begin with."""
    await recorded.of(rtp.sent(2.0))
    data = recorded.path.read_bytes()
    for known in (
        b"webm",
        b"V_VP8",
        b"OpusHead",
        b"\x1a\x45\xdf\xa3",
        b"\x1f\x43\xb6\x75",
        b"\x9d\x01\x2a",
        b"matroska",
    ):
        assert known not in data
    with pytest.raises(av.error.InvalidDataError):
        av.open(io.BytesIO(data), "r")


async def test_packets_out_of_order_and_twice_change_nothing(recorded: Recording) -> None:
    chance = random.Random(4)
    packets = [one.later(chance.random() * 0.05) for one in rtp.sent(3.0)]
    packets += chance.sample(packets, 100)
    await recorded.of(sorted(packets, key=lambda one: one.at))
    found = decoded(recorded.played())
    assert len(found["video"]) == 45
    assert len(found["audio"]) >= 149


async def test_after_a_loss_pictures_wait_for_a_whole_one(recorded: Recording) -> None:
    """Nothing that decodes wrongly is written; a whole picture is asked for."""
    chance = random.Random(7)
    packets = [one for one in rtp.sent(8.0) if one.kind == "audio" or chance.random() > 0.01]
    await recorded.of(packets)
    found = decoded(recorded.played())
    assert 20 < len(found["video"]) < 120
    assert len(found["audio"]) >= 399
    assert recorded.wanted.count("video") >= 2


async def test_it_never_begins_with_a_picture_that_needs_another(recorded: Recording) -> None:
    """Whoever is recorded from the middle of their stream."""
    packets = [one for one in rtp.sent(4.0) if one.at >= 1.0]
    await recorded.of(packets)
    assert recorded.wanted[0] == "video"
    found = decoded(recorded.played())
    assert len(found["video"]) == 30  # from the whole picture at two seconds


async def test_a_sender_that_begins_anew_goes_on_in_the_same_file(recorded: Recording) -> None:
    """Another connection of the same person: other numbers, other times."""
    again = [*rtp.video(2.0, ssrc=9, first=100), *rtp.audio(2.0, ssrc=8, first=40_000)]
    packets = rtp.sent(2.0) + sorted((one.later(5.0) for one in again), key=lambda one: one.at)
    await recorded.of(packets)
    found = decoded(recorded.played())
    assert len(found["video"]) == 60
    assert found["video"][-1] == pytest.approx(6.9, abs=0.3)
    assert found["audio"][-1] == pytest.approx(7.0, abs=0.3)


async def test_sound_that_stood_still_is_put_back_beside_the_pictures(recorded: Recording) -> None:
    """A headset is changed: for a second and a half no sound, and the sender's numbers go on as if it had not been."""
    packets = [one if one.kind == "video" or one.at < 2.0 else one.later(1.5) for one in rtp.sent(16.0)]
    await recorded.of(sorted(packets, key=lambda one: one.at))
    found = decoded(recorded.played())
    assert found["video"][-1] == pytest.approx(15.9, abs=0.1)
    assert found["audio"][-1] == pytest.approx(17.5, abs=0.15)


async def test_clocks_that_drift_apart_are_kept_together(recorded: Recording) -> None:
    """A microphone whose seconds are longer than the camera's, by as much in sixteen as a real one's in an hour."""
    packets = [one if one.kind == "video" else one.later(one.at * 0.02) for one in rtp.sent(16.0)]
    await recorded.of(sorted(packets, key=lambda one: one.at))
    found = decoded(recorded.played())
    # As far apart as is let be, and what they part by until the next look; left alone it would be 16.0.
    assert found["audio"][-1] == pytest.approx(16.3, abs=0.2)


async def test_a_slow_network_moves_nothing(recorded: Recording) -> None:
    """What is late by the network is late alike, and plays when it was sent."""
    packets = [one if one.at < 2.0 else one.later(0.8) for one in rtp.sent(16.0)]
    await recorded.of(packets)
    found = decoded(recorded.played())
    assert found["video"][-1] == pytest.approx(15.9, abs=0.1)
    assert found["audio"][-1] == pytest.approx(16.0, abs=0.1)


async def test_a_shared_screen_is_a_track_of_its_own(recorded: Recording) -> None:
    screen = list(rtp.video(2.0, kind="screen", ssrc=5, size=(640, 360)))
    await recorded.of(sorted([*rtp.sent(2.0), *screen], key=lambda one: one.at))
    shown: list[tuple[webm.Kind, int]] = [("video", 320), ("screen", 640)]
    for kind, width in shown:
        with av.open(io.BytesIO(recorded.played(kind)), "r") as container:
            frames = list(container.decode(video=0))
            assert {frame.width for frame in frames} == {width}
            assert len(frames) == 30


async def test_only_a_voice_plays_as_well(recorded: Recording) -> None:
    await recorded.of(rtp.audio(2.0))
    data = recorded.played()
    with av.open(io.BytesIO(data), "r") as container:
        assert not container.streams.video
    assert len(decoded(data)["audio"]) >= 99


async def test_nothing_at_all_is_an_intact_file(recorded: Recording) -> None:
    await recorded.of([])
    assert recorded.verdict().state == "intact"


async def test_a_player_can_move_about(recorded: Recording) -> None:
    """It knows how long it is and where it can begin; any range of bytes is what the whole has there."""
    await recorded.of(rtp.sent(8.0))
    data = recorded.played()
    with av.open(io.BytesIO(data), "r") as container:
        assert container.duration == pytest.approx(8_000_000, abs=200_000)
        container.seek(6_100_000)
        first = next(container.decode(video=0))
        assert first.time == pytest.approx(6.0, abs=0.1)
    film = recording_playback.film(str(recorded.path), recorded.verdict(), recording=ID, key=KEY)
    chance = random.Random(1)
    for _ in range(50):
        since, until = sorted(chance.sample(range(len(data) + 1), 2))
        assert (
            b"".join(recording_playback.read(str(recorded.path), film, KEY, since=since, until=until))
            == data[since:until]
        )


async def test_a_player_is_sent_to_whole_pictures_only(recorded: Recording) -> None:
    """Wherever it may begin lies a cluster whose first picture needs no other one, at the time that it is said to."""
    await recorded.of(rtp.sent(8.0))
    data = recorded.played()
    inside = data.index(b"\x18\x53\x80\x67") + 12
    found = dict[bytes, bytes]()
    for name, content, _ in webm.elements(data[inside:]):
        found.setdefault(name, content)
    times = []
    for _, point, _ in webm.elements(found[b"\x1c\x53\xbb\x6b"]):
        (_, at, _), (_, positions, _) = webm.elements(point)
        place = {name: int.from_bytes(value) for name, value, _ in webm.elements(positions)}
        assert place[b"\xf7"] == 1
        _, cluster, _ = next(webm.elements(data[inside + place[b"\xf1"] :]))
        (_, began, _), *blocks = webm.elements(cluster)
        first = next(block for name, block, _ in blocks if name == b"\xa3" and block[0] == 0x81)
        assert first[3] & 0x80
        assert not first[4] & 1
        times.append(int.from_bytes(at))
        assert 0 <= int.from_bytes(began) + int.from_bytes(first[1:3], signed=True) - times[-1] < 100
    assert [round(time / 1000) for time in times] == [0, 2, 4, 6]


async def test_what_is_damaged_plays_around_the_damage(recorded: Recording) -> None:
    await recorded.of(rtp.sent(6.0))
    whole = recorded.verdict()
    spoilt = bytearray(recorded.path.read_bytes())
    middle = whole.pieces[len(whole.pieces) // 2]
    spoilt[middle.at + 200] ^= 1
    recorded.path.write_bytes(spoilt)
    verdict = recorded.verdict()
    assert verdict.state == "altered"
    assert verdict.findings == (f"chunk {middle.number} was altered",)
    found = decoded(recorded.played())
    assert 50 < len(found["video"]) < 90


def test_a_chunk_put_in_anothers_place_after_the_file_was_looked_at_is_not_played(tmp_path: Path) -> None:
    sealer = vault.Sealer(vault.Header(ID, vault.key_id(KEY), 5, clock.real_now()), KEY)
    parts = [sealer.opening]
    for number in range(4):
        nonce = bytes([number]) * vault.NONCE_BYTES
        parts.append(sealer.seal(bytes([number]) * 50, nonce=nonce, marks=1, until=1000, last=number == 3))
    path = tmp_path / "one.recording"
    path.write_bytes(b"".join(parts))
    verdict = recording_playback.look(str(path), recording=ID, key=KEY, reported=None)
    film = recording_playback.film(str(path), verdict, recording=ID, key=KEY)
    path.write_bytes(b"".join(parts[number] for number in (0, 1, 3, 2, 4)))
    with pytest.raises(recording_playback.Damaged):
        list(recording_playback.read(str(path), film, KEY))


async def test_a_file_that_is_there_is_not_written_over(recorded: Recording) -> None:
    recorded.path.write_bytes(b"somebody else's")
    with pytest.raises(FileExistsError):
        recorded.begin()
    assert recorded.path.read_bytes() == b"somebody else's"


async def test_a_disk_that_cannot_keep_up_costs_pictures_first_and_never_blocks(
    recorded: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write hangs until it is let go: what is kept in memory is bounded, and it is told how much was left out."""
    go = asyncio.Event()
    loop = asyncio.get_running_loop()
    write = recording_disk.Disk._write

    def slow(disk: recording_disk.Disk, data: bytes) -> None:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result()
        write(disk, data)

    monkeypatch.setattr(recording_disk.Disk, "_write", slow)
    monkeypatch.setattr(recording, "MOST_WITH_PICTURES", 100_000)
    monkeypatch.setattr(recording, "MOST_PENDING", 400_000)
    tap = recorded.begin()
    zero = clock.monotonic()
    for one in rtp.sent(30.0):
        tap.packet(one.kind, one.packet, zero + one.at)
    assert tap.disk.pending < 400_000
    assert tap.lost > 100
    go.set()
    tap.close()
    await asyncio.wait_for(recorded.over.wait(), 20)
    assert recorded.told[-1].lost == tap.lost
    assert recorded.verdict().state == "intact"
    found = decoded(recorded.played())
    assert len(found["audio"]) >= 1499
    assert len(found["video"]) < 400


async def test_a_full_disk_ends_the_recording_and_says_so(recorded: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    write = os.write

    def full(file: int, data: bytes) -> int:
        nonlocal written
        if written > 30_000:
            raise OSError(28, "No space left on device")
        written += len(data)
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    tap = recorded.begin()
    zero = clock.monotonic()
    for one in rtp.sent(4.0):
        tap.packet(one.kind, one.packet, zero + one.at)
    await asyncio.wait_for(recorded.over.wait(), 20)
    tap.packet("audio", next(iter(rtp.audio(1.0))).packet, zero + 5)
    tap.close()
    assert recorded.told[-1].failed
    # Nothing was reported that is not there.
    assert recorded.verdict().state == "unfinished"
    assert decoded(recorded.played())["audio"]


def test_a_writer_that_is_killed_leaves_a_file_that_plays(tmp_path: Path) -> None:
    """kill -9 in the middle of writing: nothing that was reported is missing, and what is there decodes."""
    path = tmp_path / "killed.recording"
    command = [sys.executable, "-m", "tests.support.killed_recorder", str(ID), KEY.hex(), str(path)]
    done = subprocess.run(command, capture_output=True, timeout=60, text=True)
    assert done.returncode == -9, done.stderr
    chunks, _, head = done.stdout.split()
    verdict = recording_playback.look(
        str(path), recording=ID, key=KEY, reported=Reported(int(chunks), bytes.fromhex(head))
    )
    assert verdict.state == "unfinished"
    assert "the process was killed or the file was cut after that" in verdict.line()
    assert len(verdict.pieces) >= int(chunks) > 10
    film = recording_playback.film(str(path), verdict, recording=ID, key=KEY)
    found = decoded(b"".join(recording_playback.read(str(path), film, KEY)))
    assert len(found["video"]) > 150
    assert found["audio"][-1] > 11
    # One that is then cut further has lost what was reported.
    cut = path.read_bytes()[: verdict.pieces[int(chunks) - 2].at]
    path.write_bytes(cut)
    verdict = recording_playback.look(
        str(path), recording=ID, key=KEY, reported=Reported(int(chunks), bytes.fromhex(head))
    )
    assert verdict.state == "cut"


_CARELESS = """
import asyncio, sys
from uuid import UUID
from telehealth import clock
from telehealth.media import recording
from telehealth.model.media import RecordingTo
from tests.support import rtp

async def main():
    tap = recording.open(RecordingTo(UUID(int=77), bytes(range(32, 64)), sys.argv[1]), lambda kind: None, print)
    for one in rtp.sent(1.0):
        tap.packet(one.kind, one.packet, clock.monotonic())
    tap._cut()

asyncio.run(main())
"""


def test_a_process_that_ends_without_closing_it_ends_all_the_same(tmp_path: Path) -> None:
    """The writing thread notices, and ends the file properly."""
    path = tmp_path / "careless.recording"
    done = subprocess.run([sys.executable, "-c", _CARELESS, str(path)], capture_output=True, timeout=60, text=True)
    assert done.returncode == 0, done.stderr
    verdict = recording_playback.look(str(path), recording=ID, key=KEY, reported=None)
    assert verdict.state == "intact"
    assert verdict.seconds > 0


# Packets ----------------------------------------------------------------------------------------------


def packet(number: int, payload: bytes = b"x", timestamp: int = 0, ssrc: int = 1) -> rtp.Packet:
    return rtp.Packet(number & 0xFFFF, timestamp, 0, ssrc, payload)


@given(st.lists(st.integers(0, 60), unique=True), st.integers(0, 0xFFFF))
def test_packets_come_out_in_order_whatever_the_order_of_their_arrival(steps: list[int], first: int) -> None:
    order = Order(0.5)
    order.put(packet(first), 0.0)
    out = [one.sequence_number for one, _ in order.take(0.0)[0]]
    for place, step in enumerate(steps):
        order.put(packet(first + 1 + step), place * 0.001)
        out += [one.sequence_number for one, _ in order.take(place * 0.001)[0]]
    while order.waiting:
        out += [one.sequence_number for one, _ in order.take(float("inf"))[0]]
    assert out == [(first + step) & 0xFFFF for step in [0, *(one + 1 for one in sorted(steps))]]


def test_a_missing_packet_is_waited_for_by_the_age_of_the_oldest() -> None:
    order = Order(0.5)
    for number in (1, 3, 5):
        order.put(packet(number), number / 10)
    assert [one.sequence_number for one, _ in order.take(0.6)[0]] == [1]
    assert order.take(0.7) == ([], False)
    ready, lost = order.take(0.81)
    assert ([one.sequence_number for one, _ in ready], lost) == ([3], True)
    # The next gap does not begin to wait only now.
    assert order.take(0.99) == ([], False)
    assert order.take(1.01)[1]


@given(st.binary(max_size=40))
def test_any_payload_is_answered(payload: bytes) -> None:
    vp8_payload(payload)
    pictures = Pictures()
    pictures.put(rtp.Packet(1, 2, 1, 3, payload), 0.0)


def test_a_picture_that_never_ends_is_not_kept() -> None:
    pictures = Pictures()
    whole, more = b"\x10\x00" + b"k" * 999, b"\x00" + b"k" * 999
    assert pictures.put(rtp.Packet(1, 2, 1, 3, whole), 0.0) is not None
    pictures.put(rtp.Packet(2, 3, 0, 3, whole), 0.0)
    for number in range(3, 2000):
        pictures.put(rtp.Packet(number, 3, 0, 3, more), 0.0)
    assert pictures.wanting
    assert pictures.put(rtp.Packet(2000, 3, 1, 3, more), 0.0) is None
    assert pictures.put(rtp.Packet(2001, 4, 1, 3, whole), 0.0) is not None


def test_times_follow_the_sender_and_never_go_back() -> None:
    times = Times(90_000, 100.0)
    assert times.of(0xFFFFFF00, 100.5) == 500
    # Late, but sent a fifteenth of a second after the first; the number has wrapped around.
    assert times.of((0xFFFFFF00 + 6000) & 0xFFFFFFFF, 100.9) == 566
    assert times.of((0xFFFFFF00 + 6000) & 0xFFFFFFFF, 100.9) == 567
    # The sender slept for ten seconds.
    assert times.of((0xFFFFFF00 + 12_000) & 0xFFFFFFFF, 110.9) == 10_900
