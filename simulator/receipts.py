"""What a receipt settles. Pure: a device deletes only what a receipt of its own stream settles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """Final. index: one reading of the message; None: all of it."""

    error: str
    seq: int | None = None
    id: str | None = None
    index: int | None = None
    field: str | None = None
    detail: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """One receipt. through: all up to it is settled; also: settled ranges above, both ends included."""

    stream: str | None = None
    through: int = 0
    also: list[tuple[int, int]] = []
    refused: list[Refusal] = []
    ids: list[str] = []
    seen: list[dict[str, Any]] = []
    at: str | None = None


def decode(payload: bytes) -> Receipt | None:
    """None where it is not a receipt: then it settles nothing, and the message is sent again."""
    try:
        return msgspec.json.decode(payload, type=Receipt)
    except (msgspec.DecodeError, RecursionError):
        return None


def settles(receipt: Receipt, stream: str, seq: int, digests: Iterable[str] = ()) -> bool:
    """Whether the receipt settles this message. digests: of every form in which it was sent."""
    if any(digest in receipt.ids for digest in digests):
        return True
    if receipt.stream != stream:
        return False
    # "refused" alone does not settle: what was refused for good is within through or also too.
    return seq <= receipt.through or any(low <= seq <= high for low, high in receipt.also)


def refusals(receipt: Receipt, stream: str, seq: int, digests: Iterable[str] = ()) -> list[Refusal]:
    """What the receipt refuses of this message."""
    names = set(digests)
    return [
        refusal
        for refusal in receipt.refused
        if (receipt.stream == stream and refusal.seq == seq) or (refusal.id is not None and refusal.id in names)
    ]
