"""Formats of reading payloads by the name that the topic gives; None is native.

Beside our own there are those of adapters: packages with an entry point in the group telehealth.devices, whose
name is the format's (docs/adapters.md). They are looked for once, when the first format that is not our own is asked
for. One that cannot be loaded is left out and named in adapters().broken; it stops nothing.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Final, NamedTuple

from devices import adapter, cbor, fhir, native, omh, tenovi, theengs
from devices.gatt import decoder as gatt
from devices.message import Message

Decoder = Callable[[str, bytes], Message]

GROUP: Final = "telehealth.devices"
#: decode(device_id, payload), which never raises. Adapters cannot replace these.
DECODERS: Final[Mapping[str, Decoder]] = MappingProxyType(
    {
        "native": native.decode,
        "cbor": cbor.decode,
        "gatt": gatt.decode,
        "fhir": fhir.decode,
        "omh": omh.decode,
        "theengs": theengs.decode,
        "tenovi": tenovi.decode,
    }
)
#: The formats that have a media type of their own.
_MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/json": "native",
        "application/cbor": "cbor",
        "application/fhir+json": "fhir",
    }
)
#: Any format by a media type of ours: application/vnd.telehealth.gatt, application/vnd.telehealth.gatt+json.
_OURS: Final = re.compile(r"application/vnd\.telehealth\.([a-z0-9-]{1,32})(?:\+[a-z]+)?")
#: As in topics.
_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")


class Adapters(NamedTuple):
    """decoders: by format. broken: what was left out, by the name of its entry point, with the reason."""

    decoders: Mapping[str, Decoder]
    broken: Mapping[str, str]


def decode(format: str | None, device_id: str, payload: bytes) -> Message:
    """Decode a payload of the named format. A format that is not known is refused as format_unknown."""
    if format is None:
        return native.decode(device_id, payload)
    decoder = DECODERS.get(format) or adapters().decoders.get(format)
    if decoder is None:
        return native.refuse(payload, "format_unknown")
    return decoder(device_id, payload)


def known() -> tuple[str, ...]:
    """The names of all formats, sorted."""
    return tuple(sorted({*DECODERS, *adapters().decoders}))


def by_content_type(content_type: str) -> str | None:
    """The format that an MQTT or HTTP content type names, None if it names none that is known. Parameters and case
    do not matter.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    match = _OURS.fullmatch(media_type)
    name = match[1] if match is not None else _MEDIA_TYPES.get(media_type)
    return name if name in DECODERS or name in adapters().decoders else None


@functools.cache
def adapters() -> Adapters:
    """The adapters that are installed, each checked at every message (devices.adapter). Loaded once."""
    found = metadata.entry_points(group=GROUP)
    claims = Counter(point.name for point in found)
    decoders: dict[str, Decoder] = {}
    broken: dict[str, str] = {}
    for point in found:
        if point.name in DECODERS:
            broken[point.name] = "this name is reserved"
        elif _NAME.fullmatch(point.name) is None:
            broken[point.name] = "a format's name is 1 to 32 of a-z 0-9 -"
        elif claims[point.name] > 1:
            broken[point.name] = "several packages have an adapter of this name"
        else:
            try:
                loaded = point.load()
            except (Exception, SystemExit) as error:
                broken[point.name] = f"cannot be imported: {type(error).__name__}"
                continue
            if callable(loaded):
                decoders[point.name] = adapter.guarded(loaded)
            else:
                broken[point.name] = "is not callable"
    return Adapters(MappingProxyType(decoders), MappingProxyType(broken))
