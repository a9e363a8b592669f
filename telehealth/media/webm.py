"""WebM, as much of it as recordings need: clusters of VP8 and Opus as they came, and a beginning to put before them.

A recording holds an opening (opening()) and then clusters, so that the plain sequence of them is a WebM that any player
takes, however suddenly it ends. What is played is given another opening (playable()) that has what only the end knows:
how long it is, where its clusters lie, and which tracks have anything in them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Kind = Literal["audio", "video", "screen"]

TRACKS: Final[dict[Kind, int]] = {"video": 1, "audio": 2, "screen": 3}
#: Marks of a cluster: what is in it, and whether a picture that needs no other one begins it.
HAS: Final[dict[Kind, int]] = {"audio": 1, "video": 2, "screen": 4}
WHOLE: Final[dict[Kind, int]] = {"audio": 0, "video": 8, "screen": 16}
#: Until a picture says its size.
SIZES: Final[dict[Kind, tuple[int, int]]] = {"video": (640, 480), "screen": (1280, 720)}

_UNKNOWN: Final = b"\x01" + b"\xff" * 7
_SEGMENT: Final = b"\x18\x53\x80\x67"
_INFO: Final = b"\x15\x49\xa9\x66"
_TRACKS: Final = b"\x16\x54\xae\x6b"
_ENTRY: Final = b"\xae"
_NUMBER: Final = b"\xd7"
_CLUSTER: Final = b"\x1f\x43\xb6\x75"
_CUES: Final = b"\x1c\x53\xbb\x6b"
_2001: Final = datetime(2001, 1, 1, tzinfo=UTC)
#: What a decoder of Opus drops at the beginning, in samples and nanoseconds, and needs before a place to play from it.
_PRE_SKIP, _DELAY_NS, _ROLL_NS = 312, 6_500_000, 80_000_000
_OPUS_HEAD: Final = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, _PRE_SKIP, 48_000, 0, 0)


def element(name: bytes, *content: bytes) -> bytes:
    """One EBML element."""
    data = b"".join(content)
    size = len(data)
    for width in range(1, 9):
        if size < (1 << (7 * width)) - 1:
            return name + ((1 << (7 * width)) | size).to_bytes(width) + data
    raise ValueError("too large for an element")


def _number(name: bytes, value: int) -> bytes:
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def elements(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The elements of some data: name, content, all of it; ends where it is no EBML."""
    at = 0
    while at + 2 <= len(data):
        wide = 9 - data[at].bit_length()
        start = at + wide
        if wide > 4 or start >= len(data):
            return
        width = 9 - data[start].bit_length()
        if width > 8 or start + width > len(data):
            return
        size = int.from_bytes(data[start : start + width]) & ((1 << (7 * width)) - 1)
        body = start + width
        if body + size > len(data):
            return
        yield data[at:start], data[body : body + size], data[at : body + size]
        at = body + size


# What is recorded -------------------------------------------------------------------------------------


def opening(started: datetime, sizes: dict[Kind, tuple[int, int]]) -> bytes:
    """The beginning of a recording: all tracks, whether or not anything will come of them. Its end is open."""
    tracks = _video("video", sizes), _sound(), _video("screen", sizes)
    return _ebml() + _SEGMENT + _UNKNOWN + _info(started) + element(_TRACKS, *tracks)


def _ebml() -> bytes:
    return element(
        b"\x1a\x45\xdf\xa3",
        _number(b"\x42\x86", 1),
        _number(b"\x42\xf7", 1),
        _number(b"\x42\xf2", 4),
        _number(b"\x42\xf3", 8),
        element(b"\x42\x82", b"webm"),
        _number(b"\x42\x87", 4),
        _number(b"\x42\x85", 2),
    )


def _info(started: datetime, milliseconds: int | None = None) -> bytes:
    parts = [
        _number(b"\x2a\xd7\xb1", 1_000_000),
        element(b"\x4d\x80", b"telehealth"),
        element(b"\x57\x41", b"telehealth"),
        element(b"\x44\x61", struct.pack(">q", (started - _2001) // timedelta(microseconds=1) * 1000)),
    ]
    if milliseconds is not None:
        parts.append(element(b"\x44\x89", struct.pack(">d", milliseconds)))
    return element(_INFO, *parts)


def _track(kind: Kind, sort: int, codec: bytes, *more: bytes) -> bytes:
    number = TRACKS[kind]
    return element(
        _ENTRY,
        _number(_NUMBER, number),
        _number(b"\x73\xc5", number),
        _number(b"\x83", sort),
        _number(b"\x9c", 0),
        element(b"\x86", codec),
        element(b"\x53\x6e", kind.encode()),
        *more,
    )


def _video(kind: Kind, sizes: dict[Kind, tuple[int, int]]) -> bytes:
    width, height = sizes.get(kind, SIZES[kind])
    return _track(kind, 1, b"V_VP8", element(b"\xe0", _number(b"\xb0", width), _number(b"\xba", height)))


def _sound() -> bytes:
    about = element(b"\xe1", element(b"\xb5", struct.pack(">d", 48_000.0)), _number(b"\x9f", 2))
    delays = _number(b"\x56\xaa", _DELAY_NS) + _number(b"\x56\xbb", _ROLL_NS)
    return _track("audio", 2, b"A_OPUS", element(b"\x63\xa2", _OPUS_HEAD), delays, about)


@dataclass
class Cluster:
    """Blocks of a stretch of time, until they are closed to bytes. Times are ms since the recording started."""

    blocks: list[tuple[int, Kind, bytes, bool]] = field(default_factory=list)
    size: int = 0
    #: A picture that needs no other one came before any other of its kind.
    marks: int = 0

    def add(self, kind: Kind, at: int, data: bytes, *, whole: bool) -> None:
        """whole: it needs no picture before it; sounds always are."""
        if not self.marks & HAS[kind] and whole:
            self.marks |= WHOLE[kind]
        self.marks |= HAS[kind]
        self.blocks.append((at, kind, data, whole))
        self.size += len(data)

    @property
    def since(self) -> int:
        return min(block[0] for block in self.blocks)

    @property
    def until(self) -> int:
        return max(block[0] for block in self.blocks)

    def close(self, not_before: int = 0) -> bytes:
        """The bytes. not_before: the time of the cluster before; a block that came late is placed relative to it."""
        start = max(self.since, not_before)
        ordered = sorted(self.blocks, key=lambda block: block[0])
        return element(_CLUSTER, _number(b"\xe7", start), *(_block(start, *block) for block in ordered))


def _block(start: int, at: int, kind: Kind, data: bytes, whole: bool) -> bytes:
    relative = max(-0x8000, min(0x7FFF, at - start))
    return element(b"\xa3", struct.pack(">BhB", 0x80 | TRACKS[kind], relative, 0x80 if whole else 0), data)


# What is played ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    """A cluster that is there to be played: its length in bytes, its time in ms, its marks."""

    size: int
    since: int
    marks: int


def playable(
    stored: bytes, stretches: Sequence[Stretch], *, started: datetime, until: int, pictures: Kind = "video"
) -> bytes:
    """A beginning for these clusters, which follow it without a gap.

    stored: the opening that was recorded, for the sizes of its tracks. pictures: which of camera and screen comes first
    and is shown; the other one is named as well, because players stumble over blocks of no track.
    until: when the last cluster ends, in ms.
    """
    marks = 0
    for one in stretches:
        marks |= one.marks
    order: tuple[Kind, ...] = (pictures, "audio", "screen" if pictures == "video" else "video")
    shown = [kind for kind in order if marks & HAS[kind]]
    info = _info(started, until)
    entries = dict(_entries(stored))
    tracks = element(_TRACKS, *(entries[TRACKS[kind]] for kind in shown if TRACKS[kind] in entries))
    lead = shown[0] if shown else "audio"
    # Places are written in a fixed number of bytes, so that their own length is known before they are.
    ahead = len(info) + len(tracks) + len(_cues(lead, stretches, 0))
    cues = _cues(lead, stretches, ahead)
    total = ahead + sum(one.size for one in stretches)
    size = ((1 << 56) | total).to_bytes(8)
    return _ebml() + _SEGMENT + size + info + tracks + cues


def _entries(stored: bytes) -> Iterator[tuple[int, bytes]]:
    """The tracks of an opening as they were recorded, by number."""
    at = stored.find(_SEGMENT + _UNKNOWN)
    for name, content, _ in elements(stored[at + len(_SEGMENT) + len(_UNKNOWN) :] if at >= 0 else b""):
        for entry, inside, whole in elements(content) if name == _TRACKS else ():
            numbers = [int.from_bytes(value) for key, value, _ in elements(inside) if key == _NUMBER]
            if entry == _ENTRY and numbers:
                yield numbers[0], whole


def _cues(lead: Kind, stretches: Iterable[Stretch], ahead: int) -> bytes:
    """Where a player may begin: at pictures that need no other one, or anywhere where there is only sound."""
    points, at = [], ahead
    for one in stretches:
        if one.marks & (WHOLE[lead] or HAS[lead]):
            place = _number(b"\xf7", TRACKS[lead]) + element(b"\xf1", at.to_bytes(8))
            points.append(element(b"\xbb", _number(b"\xb3", one.since), element(b"\xb7", place)))
        at += one.size
    return element(_CUES, *points) if points else b""
