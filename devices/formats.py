"""Formats of reading payloads by the name that the topic gives; None is native."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from devices import native
from devices.message import Message

Decoder = Callable[[str, bytes], Message]

#: decode(device_id, payload), which never raises.
DECODERS: Final[Mapping[str, Decoder]] = MappingProxyType({"native": native.decode})


def decode(format: str | None, device_id: str, payload: bytes) -> Message:
    """Decode a payload of the named format. A format that is not known is refused as format_unknown."""
    decoder = native.decode if format is None else DECODERS.get(format)
    if decoder is None:
        return native.refuse(payload, "format_unknown")
    return decoder(device_id, payload)
