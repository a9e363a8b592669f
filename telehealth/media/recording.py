"""Records one participant: what arrives becomes a WebM without any transcoding, in chunks of at most a second.

One file for each participant: their voice, their camera, and as a track of its own what they share of their screen.
Everything here runs on the media's loop, costs a few microseconds a packet, and never waits; sealing and writing are
the thread's of telehealth.media.recording_disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from telehealth import clock, log
from telehealth.media import webm
from telehealth.media.recording_disk import Chunk, Disk
from telehealth.media.recording_packets import Order, Picture, Pictures, Times
from telehealth.media.taps import Packet
from telehealth.media.webm import Cluster, Kind
from telehealth.model import vault
from telehealth.model.media import Recorded, RecordingTo

_log = log.get("recording")

#: How long a missing packet is waited for. Pictures are asked for again; sounds are not.
_PATIENCE: Final[dict[Kind, float]] = {"audio": 0.1, "video": 0.5, "screen": 0.5}
_RATES: Final[dict[Kind, int]] = {"audio": 48_000, "video": 90_000, "screen": 90_000}
#: A cluster is closed after so many ms of media or time, and a look: what is not closed dies with the process.
_CLUSTER_MS: Final = 750
_LOOK_SECONDS: Final = 0.2
#: The last block of a cluster lasts about so long.
_SOUND_MS: Final = 20
_CLUSTER_BYTES: Final = 2 * 1024 * 1024
#: A player can begin, and a picture that was lost ends, at whole pictures only: one is asked for so often.
_WHOLE_SECONDS: Final = 15.0
#: Clocks of microphones and cameras drift, and stop with what they belong to: looked at so often, and put right once
#: sound and picture are so far apart. Seconds.
_ALIGN_SECONDS: Final = 5.0
_APART: Final = 0.1
#: While one is needed it is asked for again after so long.
_ASK_SECONDS: Final = 1.0
#: Bytes that wait for the disk: beyond the first no pictures are taken, beyond the second nothing. At 600 kbit/s the
#: disk may stand still for half a minute before a picture is lost.
MOST_WITH_PICTURES: Final = 2 * 1024 * 1024
MOST_PENDING: Final = 4 * 1024 * 1024


class _Pictured:
    """What is needed for one kind of pictures."""

    def __init__(self) -> None:
        self.pictures = Pictures()
        self.asked = float("-inf")
        #: Pictures came since one was asked for without need.
        self.seen = False

    def lost(self) -> None:
        """A whole picture is needed, and is asked for at once."""
        self.pictures.lost()
        self.asked = float("-inf")


class Recorder:
    """A telehealth.media.taps.Tap that writes a file. All calls on the loop that it was made on."""

    def __init__(
        self,
        to: RecordingTo,
        keyframe_wanted: Callable[[str], None],
        tell: Callable[[Recorded], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._zero = clock.monotonic()
        self._started = clock.real_now()
        self._keyframe_wanted = keyframe_wanted
        self._heard = tell
        about = vault.Header(to.recording, vault.key_id(to.key), to.participant, self._started)
        self._recording = to.recording
        self._orders = {kind: Order(patience) for kind, patience in _PATIENCE.items()}
        self._times = {kind: Times(rate, self._zero) for kind, rate in _RATES.items()}
        self._pictured: dict[Kind, _Pictured] = {"video": _Pictured(), "screen": _Pictured()}
        self._sizes: dict[Kind, tuple[int, int]] = {}
        self._cluster = Cluster()
        self._begun = self._aligned = self._zero
        self._since = 0
        self._opened = False
        self._crowded = False
        self.lost = 0
        self.disk = Disk(to.path, about, to.key, self._report)
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(_LOOK_SECONDS, self._look)

    def packet(self, kind: str, packet: Packet, arrived: float) -> None:
        """One packet; kinds that are not recorded are ignored."""
        if kind not in _PATIENCE or self._timer is None:
            return
        known: Kind = kind
        if self._orders[known].put(packet, arrived):
            self._times[known].anew()
            if known in self._pictured:
                self._pictured[known].lost()
        self._take(known, arrived)
        if arrived - self._aligned >= _ALIGN_SECONDS:
            self._aligned = arrived
            self._align()

    def _align(self) -> None:
        """What came later than the rest, by its own account, is placed later: never back over what is written."""
        late = {kind: found for kind, times in self._times.items() if (found := times.lateness()) is not None}
        for kind, seconds in late.items():
            apart = seconds - min(late.values())
            if apart > _APART:
                self._times[kind].later(apart)

    def close(self) -> None:
        """What is there is written, and the last chunk; tell() hears of it. Again does nothing."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        for kind in self._orders:
            self._take(kind, float("inf"))
        self._cut()
        self.disk.close()

    # Packets ------------------------------------------------------------------------------------------

    def _take(self, kind: Kind, now: float) -> None:
        order, pictured = self._orders[kind], self._pictured.get(kind)
        while True:
            ready, lost = order.take(now)
            if lost and pictured is not None:
                pictured.lost()
            for packet, arrived in ready:
                if pictured is None:
                    self._sound(packet, arrived)
                else:
                    self._part(kind, pictured, packet, arrived)
            if not ready:
                break
        if pictured is not None and pictured.pictures.wanting and self._timer is not None:
            self._ask(kind, pictured, now, _ASK_SECONDS)

    def _sound(self, packet: Packet, arrived: float) -> None:
        if packet.payload:
            self._add("audio", self._times["audio"].of(packet.timestamp, arrived), packet.payload, whole=True)

    def _part(self, kind: Kind, pictured: _Pictured, packet: Packet, arrived: float) -> None:
        dropped = pictured.pictures.dropped
        picture = pictured.pictures.put(packet, arrived)
        if picture is not None:
            self._picture(kind, pictured, picture)
        elif self._crowded and pictured.pictures.dropped > dropped:
            self._note_lost()  # it follows one that the disk could not take

    def _picture(self, kind: Kind, pictured: _Pictured, picture: Picture) -> None:
        pictured.seen = True
        at = self._times[kind].of(picture.timestamp, picture.arrived)
        size = picture.size
        if size is not None and not self._opened:
            self._sizes[kind] = size
        if picture.whole:
            pictured.asked = picture.arrived
            if kind == "video":
                self._cut()  # a whole picture begins a chunk of its own, where a player can begin
        if not self._add(kind, at, picture.data, whole=picture.whole):
            pictured.pictures.lost()

    def _ask(self, kind: Kind, pictured: _Pictured, now: float, seconds: float) -> bool:
        if now - pictured.asked < seconds:
            return False
        pictured.asked = now
        self._keyframe_wanted(kind)
        return True

    # Chunks -------------------------------------------------------------------------------------------

    def _add(self, kind: Kind, at: int, data: bytes, *, whole: bool) -> bool:
        """Whether it was taken: nothing is while the disk cannot keep up, and pictures go before sounds."""
        pending = self.disk.pending + self._cluster.size
        if self.disk.over or pending > (MOST_PENDING if kind == "audio" else MOST_WITH_PICTURES):
            self._note_lost()
            return False
        if pending < MOST_WITH_PICTURES // 2:
            self._crowded = False
        cluster = self._cluster
        if cluster.blocks and (at - cluster.blocks[0][0] >= _CLUSTER_MS or cluster.size + len(data) > _CLUSTER_BYTES):
            self._cut()
            cluster = self._cluster
        if not cluster.blocks:
            self._begun = clock.monotonic()
        cluster.add(kind, at, data, whole=whole)
        return True

    def _note_lost(self) -> None:
        self.lost += 1
        self.disk.note_lost(1)
        if not self._crowded and not self.disk.over:
            _log.warning("the disk of recordings is too slow: pictures are left out", recording=str(self._recording))
        self._crowded = True

    def _cut(self) -> None:
        if not self._cluster.blocks:
            return
        if not self._opened:
            self._opened = True
            self.disk.put(Chunk(webm.opening(self._started, self._sizes), 0, 0, 0))
        cluster, self._cluster = self._cluster, Cluster()
        since, until = cluster.since, cluster.until + _SOUND_MS
        data = cluster.close(self._since)
        self._since = max(self._since, since)
        self.disk.put(Chunk(data, since, until, cluster.marks))

    def _look(self) -> None:
        """What packets alone do not bring about: nothing may come for a while, and still time goes by."""
        now = clock.monotonic()
        for kind, order in self._orders.items():
            if order.waiting:
                self._take(kind, now)
        for picture, pictured in self._pictured.items():
            if pictured.seen and self._ask(picture, pictured, now, _WHOLE_SECONDS):
                pictured.seen = False
        if self._cluster.blocks and (now - self._begun) * 1000 >= _CLUSTER_MS:
            self._cut()
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _report(self, recorded: Recorded) -> None:
        """In the disk's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is over: nobody listens any more
            self._loop.call_soon_threadsafe(self._heard, recorded)


def open(  # the name that workers call it by: recording.open
    to: RecordingTo, keyframe_wanted: Callable[[str], None], tell: Callable[[Recorded], None]
) -> Recorder:
    """A tap that records from now on; asks for a whole picture at once. OSError if the file cannot be made.

    A file that is there is never continued: FileExistsError. tell: on this loop, every few seconds and at the end.
    """
    recorder = Recorder(to, keyframe_wanted, tell)
    keyframe_wanted("video")
    return recorder
