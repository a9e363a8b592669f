"""A recording's file: a header and encrypted chunks of at most a second, each chained to the one before it. Pure.

    file    header, chunk 0, chunk 1, ... the last chunk
    header  magic and version (8), recording (16), key's id (8), participant (8), started in ms since 1970 (8)
    chunk   marker (4), recording (16), number (4), kind (1), length of what follows (4), hash before (32), nonce (12);
            then AES-256-GCM of: marks (1), from and until in ms since started (4, 4), media
    hash    SHA-256 of a whole chunk, or of the header before chunk 0; that of the newest chunk is the head of the chain

All of a chunk that is not encrypted is authenticated. So each chunk can be read alone, with the key and nothing else,
and says what it is and what it follows; what the chunks say together shows whether any is missing, moved, repeated or
of another file. Nonces are random: two writers of one recording could not harm each other's secrecy.

How a file may end:
- with its last chunk: whoever wrote it ended it. What is missing then was taken away.
- without, and no shorter than was last reported: unfinished. Its writer was killed, or somebody cut off what came after
  the last report, a few seconds; nobody can tell these apart, and nothing more than that can be hidden behind it.
- without, and shorter than was reported: cut. What is reported is on the disk, so it was taken away.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final, Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
#: Of media in one chunk; a second takes a hundredth of it.
MOST_BYTES: Final = 8 * 1024 * 1024

_MAGIC: Final = b"THREC\x00\x00\x01"
_HEADER: Final = struct.Struct(">8s16s8sQQ")
_MARKER: Final = b"THC\x01"
_HEAD: Final = struct.Struct(">4s16sIBI32s12s")
_INSIDE: Final = struct.Struct(">BII")
_TAG: Final = 16
_CHUNK, _LAST = 0, 1
_MOST_MS: Final = 0xFFFFFFFF
_LOOK: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
HEADER_BYTES: Final = _HEADER.size

State = Literal["intact", "unfinished", "cut", "altered"]
_How = Literal["whole", "torn", "strange"]


class WrongKey(Exception):
    """The file was written with another key."""


def key_id(key: bytes) -> str:
    """Names a key without telling anything of it: 16 hex digits."""
    return hashlib.sha256(b"telehealth key id\x00" + key).hexdigest()[:16]


@dataclass(frozen=True)
class Header:
    """What a file says of itself in the clear. key: key_id() of the recording's key."""

    recording: UUID
    key: str
    participant: int
    started: datetime

    def to_bytes(self) -> bytes:
        milliseconds = (self.started - _EPOCH) // timedelta(milliseconds=1)
        return _HEADER.pack(_MAGIC, self.recording.bytes, bytes.fromhex(self.key), self.participant, milliseconds)


def header(data: bytes) -> Header | None:
    """The header at the beginning of a file; None: this is no such file."""
    if len(data) < _HEADER.size:
        return None
    magic, recording, key, participant, started = _HEADER.unpack_from(data)
    try:
        at = _EPOCH + timedelta(milliseconds=started)
    except OverflowError:
        return None
    return Header(UUID(bytes=recording), key.hex(), participant, at) if magic == _MAGIC else None


class Sealer:
    """Makes a file, piece by piece: first .opening, then what seal() returns, in this order and nothing else.

    chunks, size and head are those of the file once all of that is written.
    """

    def __init__(self, about: Header, key: bytes) -> None:
        if about.key != key_id(key):
            raise ValueError("the header names another key")
        self.opening = about.to_bytes()
        self.chunks = 0
        self.size = len(self.opening)
        self.head = hashlib.sha256(self.opening).digest()
        self.ended = False
        self._recording = about.recording.bytes
        self._cipher = AESGCM(key)

    def seal(
        self, media: bytes, *, nonce: bytes, since: int = 0, until: int = 0, marks: int = 0, last: bool = False
    ) -> bytes:
        """The next chunk. since, until: ms since started. nonce: 12 random bytes. Nothing follows the last one."""
        if self.ended:
            raise ValueError("the file has its last chunk")
        if len(media) > MOST_BYTES or len(nonce) != NONCE_BYTES:
            raise ValueError("a chunk or a nonce of a size that none can have")
        inside = _INSIDE.pack(marks, min(since, _MOST_MS), min(until, _MOST_MS)) + media
        before = _HEAD.pack(
            _MARKER,
            self._recording,
            self.chunks,
            _LAST if last else _CHUNK,
            len(inside) + _TAG,
            self.head,
            nonce,
        )
        chunk = before + self._cipher.encrypt(nonce, inside, before)
        self.head = hashlib.sha256(chunk).digest()
        self.chunks += 1
        self.size += len(chunk)
        self.ended = last
        return chunk


@dataclass(frozen=True)
class Opened:
    """One chunk, read alone. since, until: ms since the recording started. digest: the head of the chain at it."""

    recording: UUID
    number: int
    last: bool
    previous: bytes
    digest: bytes
    marks: int
    since: int
    until: int
    media: bytes


def unseal(chunk: bytes, key: bytes) -> Opened | None:
    """Read one whole chunk with nothing but the key; None: it was altered, or belongs to another key."""
    if len(chunk) < _HEAD.size + _TAG + _INSIDE.size:
        return None
    marker, recording, number, kind, length, previous, nonce = _HEAD.unpack_from(chunk)
    if marker != _MARKER or length != len(chunk) - _HEAD.size:
        return None
    try:
        inside = AESGCM(key).decrypt(nonce, chunk[_HEAD.size :], chunk[: _HEAD.size])
    except InvalidTag:
        return None
    marks, since, until = _INSIDE.unpack_from(inside)
    digest = hashlib.sha256(chunk).digest()
    return Opened(
        UUID(bytes=recording),
        number,
        kind == _LAST,
        previous,
        digest,
        marks,
        since,
        until,
        inside[_INSIDE.size :],
    )


@dataclass(frozen=True)
class Piece:
    """Where a good chunk lies in its file, and what it holds; at, size: bytes; media: bytes of media in it."""

    number: int
    at: int
    size: int
    media: int
    marks: int
    since: int
    until: int


@dataclass(frozen=True)
class Reported:
    """What the database knows of a file: so many chunks were on the disk, and the head was this."""

    chunks: int
    head: bytes


@dataclass(frozen=True)
class Verdict:
    """What a file is found to be. findings: what is wrong, a sentence each; pieces: the good chunks in order."""

    state: State
    findings: tuple[str, ...]
    pieces: tuple[Piece, ...]
    head: bytes
    #: What the file should hold at least, as far as anybody knows.
    expected: int

    @property
    def seconds(self) -> float:
        """How much media can be read."""
        return sum(piece.until - piece.since for piece in self.pieces) / 1000

    def line(self) -> str:
        """The whole of it in one line."""
        count = len(self.pieces)
        have = f"{count} chunk{'' if count == 1 else 's'}, {self.seconds:.0f} s"
        match self.state:
            case "intact":
                return f"intact: {have}"
            case "unfinished":
                return (
                    f"cut: ends without its last chunk, but not before what was last reported ({self.expected} chunks):"
                    f" the process was killed or the file was cut after that; {have} are intact"
                )
            case "cut":
                lost = self.expected - count
                return (
                    f"cut: ends without its last chunk, and {self.expected} chunks were reported: {have} are intact,"
                    f" {lost} {'chunk is' if lost == 1 else 'chunks are'} lost"
                )
        return f"altered: {'; '.join(self.findings[:5])}{'; ...' if len(self.findings) > 5 else ''}; {have} are intact"


@dataclass
class _Walk:
    """What was met on the way through a file."""

    good: dict[int, tuple[Opened, Piece]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    unreadable: set[int] = field(default_factory=set)
    newest: int = -1
    ended: bool = False
    refused: int = 0


def examine(file: BinaryIO, *, recording: UUID, key: bytes, reported: Reported | None = None) -> Verdict:
    """Read a whole file and say whether it is what was written. WrongKey if it was written with another one.

    What can be read is given whatever else is wrong. Memory: one chunk.
    """
    opening = file.read(_HEADER.size)
    about = header(opening)
    walk = _Walk()
    if about is None:
        # What is begun and not finished is a write that a kill interrupted.
        if len(opening) == _HEADER.size or opening[: len(_MAGIC)] != _MAGIC[: len(opening)]:
            walk.findings.append("the header is not that of a recording")
    elif about.recording != recording:
        walk.findings.append(f"the file is that of recording {about.recording}")
    for at, chunk, how in _chunks(file, recording):
        _judge(walk, at, chunk, how, recording, key)
    if not walk.good and walk.refused and about is not None and about.key != key_id(key):
        raise WrongKey
    return _conclude(walk, opening, reported)


def _chunks(file: BinaryIO, recording: UUID) -> Iterator[tuple[int, bytes, _How]]:
    """Each (at, bytes, how it looks), also what lies between chunks. After a bad one the next is looked for."""
    size = file.seek(0, 2)
    at = min(_HEADER.size, size)
    while at < size:
        file.seek(at)
        before = file.read(_HEAD.size)
        length = _HEAD.unpack(before)[4] if len(before) == _HEAD.size else 0
        sound = before[:4] == _MARKER and _TAG + _INSIDE.size <= length <= MOST_BYTES + _TAG + _INSIDE.size
        if sound and at + _HEAD.size + length <= size:
            yield at, before + file.read(length), "whole"
            at += _HEAD.size + length
            continue
        found = _next(file, recording, at + 1, size)
        # What is begun at the very end, and not finished, is a write that a kill interrupted.
        torn = found == size and before[:4] == _MARKER[: len(before)]
        yield at, before, "torn" if torn else "strange"
        at = found


def _next(file: BinaryIO, recording: UUID, at: int, size: int) -> int:
    """Where the next chunk of the recording begins; the file's size if there is none."""
    wanted = _MARKER + recording.bytes
    while at < size:
        file.seek(at)
        part = file.read(_LOOK)
        found = part.find(wanted)
        if found >= 0:
            return at + found
        if len(part) < _LOOK:
            break
        at += _LOOK - len(wanted) + 1
    return size


def _judge(walk: _Walk, at: int, chunk: bytes, how: _How, recording: UUID, key: bytes) -> None:
    if walk.ended:
        walk.findings.append(f"something follows the last chunk, at byte {at}")
    if how == "torn":
        return
    if how == "strange":
        walk.findings.append(f"at byte {at} is something that is no chunk")
        return
    opened = unseal(chunk, key)
    _, of, number, *_ = _HEAD.unpack_from(chunk)
    if opened is None:
        walk.refused += 1
        if of != recording.bytes:
            walk.findings.append(f"at byte {at} is a chunk of another recording, {UUID(bytes=of)}")
        else:
            walk.unreadable.add(number)
            walk.findings.append(f"chunk {number} was altered")
        return
    if opened.recording != recording:
        walk.findings.append(f"at byte {at} is a chunk of another recording, {opened.recording}")
        return
    if number in walk.good:
        same = walk.good[number][0].digest == opened.digest
        walk.findings.append(f"chunk {number} is there twice" if same else f"there are two different chunks {number}")
        return
    if number < walk.newest:
        walk.findings.append(f"chunk {number} stands behind chunk {walk.newest}")
    walk.newest = max(walk.newest, number)
    walk.ended = walk.ended or opened.last
    piece = Piece(number, at, len(chunk), len(opened.media), opened.marks, opened.since, opened.until)
    # The media themselves are not kept.
    kept = Opened(opened.recording, number, opened.last, opened.previous, opened.digest, 0, 0, 0, b"")
    walk.good[number] = (kept, piece)


def _conclude(walk: _Walk, opening: bytes, reported: Reported | None) -> Verdict:
    findings = [*walk.findings, *_missing(walk)]
    start = hashlib.sha256(opening).digest()
    for number in sorted(walk.good):
        before = start if number == 0 else walk.good[number - 1][0].digest if number - 1 in walk.good else None
        if before is not None and walk.good[number][0].previous != before:
            what = "the header was altered" if number == 0 else f"chunk {number} does not continue chunk {number - 1}"
            findings.append(what)
    known = reported.chunks if reported is not None else 0
    if reported is not None and known - 1 in walk.good and walk.good[known - 1][0].digest != reported.head:
        findings.append(f"chunk {known - 1} is not the one that was reported")
    last = [number for number, (chunk, _) in walk.good.items() if chunk.last]
    if last and known > last[0] + 1:
        findings.append(f"{known} chunks were reported, and chunk {last[0]} claims to be the last")
    pieces = tuple(walk.good[number][1] for number in sorted(walk.good))
    head = walk.good[pieces[-1].number][0].digest if pieces else start
    if findings:
        state: State = "altered"
    elif last:
        state = "intact"
    else:
        state = "cut" if len(pieces) < known else "unfinished"
    return Verdict(state, tuple(findings), pieces, head, known)


def _missing(walk: _Walk) -> Iterator[str]:
    """Chunks that lie before others and are not there."""
    since: int | None = None
    for number in range(walk.newest + 2):
        gone = number <= walk.newest and number not in walk.good and number not in walk.unreadable
        if gone and since is None:
            since = number
        if not gone and since is not None:
            yield f"chunk {since} is missing" if number - 1 == since else f"chunks {since} to {number - 1} are missing"
            since = None
