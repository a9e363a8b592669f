"""Keys of recordings: one for each, wrapped by a master key of the settings. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telehealth.model import vault


@dataclass(frozen=True)
class Master:
    """A master key and its name. Its text never shows the key."""

    id: str
    key: bytes

    def __repr__(self) -> str:
        return f"Master({self.id})"


class NoKey(Exception):
    """None of the master keys unwraps it: it is gone, or the key was overwritten when the recording was deleted."""


def masters(text: str) -> tuple[Master, ...]:
    """Of TELEHEALTH_RECORDING_KEYS: base64 of 32 bytes, comma-separated. ValueError says what is wrong with it."""
    found = []
    for part in text.split(","):
        try:
            key = base64.b64decode(part.strip(), validate=True)
        except binascii.Error:
            raise ValueError("must be base64, comma-separated") from None
        if len(key) != vault.KEY_BYTES:
            raise ValueError("each must be 32 bytes in base64: head -c 32 /dev/urandom | base64")
        found.append(Master(vault.key_id(key), key))
    if len({master.id for master in found}) != len(found):
        raise ValueError("names the same key twice")
    return tuple(found)


def wrap(master: Master, recording: UUID, key: bytes, *, nonce: bytes) -> bytes:
    """The key of a recording, to be kept in the database. nonce: 12 random bytes."""
    return nonce + AESGCM(master.key).encrypt(nonce, key, _bound(recording))


def unwrap(known: Sequence[Master], key_id: str, recording: UUID, wrapped: bytes) -> bytes:
    """The key of a recording. NoKey if it cannot be had: another recording's wrapped key is not taken for it."""
    for master in known:
        if master.id == key_id:
            try:
                return AESGCM(master.key).decrypt(
                    wrapped[: vault.NONCE_BYTES], wrapped[vault.NONCE_BYTES :], _bound(recording)
                )
            except (InvalidTag, ValueError):
                break
    raise NoKey


def _bound(recording: UUID) -> bytes:
    return b"telehealth recording key\x00" + recording.bytes
