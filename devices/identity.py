"""Which readings are the same reading, and which values the same value.

Pure functions of what was sent, never of the resident or of when it arrived, so that a reading is
the same by whatever path and however often it comes.
"""

from __future__ import annotations

import hashlib
import uuid

from devices import catalogue

# uuid.UUID(bytes=...) checks its arguments for longer than the hash takes.
_new = object.__new__
_set = object.__setattr__
_UNKNOWN = uuid.SafeUUID.unknown


def identity(device_id: str, subject: str | None, code: str, taken_at_ms: int, source: str) -> uuid.UUID:
    """128-bit hash. taken_at_ms: since 1970; source: from source() or position().

    Lengths are part of what is hashed, so that no two different readings are written the same.
    """
    who = "-" if subject is None else f"{len(subject)}:{subject}"
    written = f"{device_id}|{code}|{taken_at_ms}|{who}|{source}"
    return _uuid(hashlib.blake2b(written.encode(), digest_size=16).digest())


def source(source_id: str) -> str:
    """The source part of an identity, of a reading with a source_id of its own."""
    return "=" + source_id


def position(n: int) -> str:
    """The source part of a reading without source_id: the n-th (from 0) of its equals within its message."""
    return f"#{n}"


def value_key(entry: catalogue.Entry, value: float) -> int:
    """Signed 64-bit key of a number (booleans as 0 and 1), in the entry's own unit.

    Equal for values that agree to a tenth of what devices show: the same weight by kg or by lb.
    """
    return round(value * 10 / entry.resolution)


def word_key(kind: str, word: str) -> int:
    """Signed 64-bit key of a coded value (kind "code") or a reason for absence (kind "absent").

    Far outside what value_key() gives for any possible number.
    """
    digest = hashlib.blake2b(f"{kind}|{word}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & (2**62 - 1) | 2**62


def _uuid(digest: bytes) -> uuid.UUID:
    made: uuid.UUID = _new(uuid.UUID)
    _set(made, "int", int.from_bytes(digest, "big"))
    _set(made, "is_safe", _UNKNOWN)
    return made
