"""A recording's file as one WebM that a player can move about in, whole or killed or damaged; decrypted while read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO
from uuid import UUID, uuid4

from telehealth.media import webm
from telehealth.media.webm import Kind
from telehealth.model import vault
from telehealth.model.vault import Piece, Reported, Verdict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Damaged(Exception):
    """A chunk that was good when the file was looked at is no longer."""


@dataclass(frozen=True)
class Film:
    """What can be played of a file. size: bytes of the WebM; has: the kinds of media in it."""

    verdict: Verdict
    recording: UUID
    begin: bytes
    clusters: tuple[Piece, ...]
    size: int
    milliseconds: int
    has: frozenset[Kind]


def try_out(path: str) -> bool:
    """Write a short file as recordings are written, read it back and delete it: whether it came back. OSError."""
    key, name = secrets.token_bytes(vault.KEY_BYTES), uuid4()
    sealer = vault.Sealer(vault.Header(name, vault.key_id(key), 0, _EPOCH), key)
    nonces = secrets.token_bytes(vault.NONCE_BYTES), secrets.token_bytes(vault.NONCE_BYTES)
    parts = [
        sealer.opening,
        sealer.seal(b"tried out", nonce=nonces[0]),
        sealer.seal(b"", nonce=nonces[1], last=True),
    ]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(b"".join(parts))
            file.flush()
            os.fsync(file.fileno())
        return look(path, recording=name, key=key, reported=Reported(sealer.chunks, sealer.head)).state == "intact"
    finally:
        os.unlink(path)


def look(path: str, *, recording: UUID, key: bytes, reported: Reported | None) -> Verdict:
    """Read and judge the whole file. FileNotFoundError, OSError; vault.WrongKey."""
    with open(path, "rb") as file:
        return vault.examine(file, recording=recording, key=key, reported=reported)


def film(path: str, verdict: Verdict, *, recording: UUID, key: bytes, pictures: Kind = "video") -> Film:
    """The WebM of what was found good. pictures: the camera or the screen, whichever is to be seen."""
    clusters = tuple(piece for piece in verdict.pieces if piece.media and piece.marks)
    with open(path, "rb") as file:
        about = vault.header(file.read(vault.HEADER_BYTES))
        first = verdict.pieces[0] if verdict.pieces else None
        stored = _media(file, first, recording, key) if first is not None and first.number == 0 else b""
    started = about.started if about is not None else _EPOCH
    until = max((piece.until for piece in clusters), default=0)
    stretches = [webm.Stretch(piece.media, piece.since, piece.marks) for piece in clusters]
    begin = webm.playable(
        stored or webm.opening(started, {}), stretches, started=started, until=until, pictures=pictures
    )
    marks = 0
    for piece in clusters:
        marks |= piece.marks
    return Film(
        verdict,
        recording,
        begin,
        clusters,
        len(begin) + sum(piece.media for piece in clusters),
        until,
        frozenset(kind for kind, mark in webm.HAS.items() if marks & mark),
    )


def read(
    path: str, shown: Film, key: bytes, *, since: int = 0, until: int | None = None
) -> Generator[bytes, None, None]:
    """The bytes of the WebM from one to before another, a chunk at a time. Damaged if the file changed meanwhile."""
    end = shown.size if until is None else min(until, shown.size)
    with open(path, "rb") as file:
        at = 0
        for piece in (None, *shown.clusters):
            length = len(shown.begin) if piece is None else piece.media
            if at + length > since and at < end:
                data = shown.begin if piece is None else _media(file, piece, shown.recording, key)
                yield data[max(0, since - at) : end - at]
            at += length
            if at >= end:
                return


def _media(file: BinaryIO, piece: Piece, recording: UUID, key: bytes) -> bytes:
    file.seek(piece.at)
    opened = vault.unseal(file.read(piece.size), key)
    if opened is None or opened.recording != recording or opened.number != piece.number:
        raise Damaged
    return opened.media
