"""python -m devices decode [--format F] [--characteristic UUID] [--device ID] HEX|FILE|-

Prints {"readings": [...], "refusals": [...]} as JSON. Exit status 0 when something was decoded, even
if all of it was refused; 2 when the input cannot be had or the format is not known.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from devices import catalogue, documents, formats, message, topics
from devices.gatt import decoder as gatt
from devices.message import Message, Reading

_HEX = re.compile(rb"[0-9A-Fa-f\s]*")
#: As tools for Bluetooth write bytes: (0x) 1E-8A-00, 0x1e8a00, 1e:8a:00.
_WRITTEN = re.compile(r"(?:\(0x\)|0x)?\s*((?:[0-9A-Fa-f]{2}[:-]?)*)", re.ASCII)


def main(arguments: list[str] | None = None) -> int:
    """Decode one payload and print what came of it. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devices", description="Decode what devices send.")
    commands = parser.add_subparsers(dest="command", required=True)
    decode = commands.add_parser("decode", help="decode one payload and print its readings and refusals as JSON")
    decode.add_argument("--format", metavar="F", help=f"{', '.join(formats.known())}; native if none is named")
    decode.add_argument(
        "--characteristic", metavar="UUID", help="the payload is one frame of this Bluetooth characteristic"
    )
    decode.add_argument("--device", default="device", metavar="ID", help="device_id, part of a reading's identity")
    decode.add_argument("payload", metavar="HEX|FILE|-", help="bytes as hexadecimal, a file, or - for standard input")
    given = parser.parse_args(arguments)
    if given.format is not None and given.format not in formats.known():
        why = formats.adapters().broken.get(given.format, f"known are {', '.join(formats.known())}")
        parser.error(f"--format: {why}")
    if not topics.valid_device_id(given.device):
        parser.error("--device: 1 to 64 of A-Z a-z 0-9 _ -")
    if given.characteristic is not None and given.format not in (None, "gatt"):
        parser.error("--characteristic: only of format gatt")
    payload = _payload(given.payload)
    if payload is None and given.characteristic is not None and _HEX.fullmatch(given.payload.encode(errors="replace")):
        # Half a byte: a frame that is malformed, not a file that is not there.
        frames = [{"characteristic": given.characteristic, "hex": given.payload}]
        decoded = formats.decode("gatt", given.device, msgspec.json.encode({"frames": frames}))
    elif payload is None:
        parser.error("payload: neither a file nor hexadecimal digits")
    elif given.characteristic is None:
        decoded = formats.decode(given.format, given.device, payload)
        if given.format == "gatt" and not decoded.readings:
            print("A single frame needs --characteristic; without it gatt is an envelope of frames.", file=sys.stderr)
    else:
        decoded = gatt.decode_frame(given.device, given.characteristic, _frame(payload))
    print(msgspec.json.encode(_shown(decoded)).decode())
    return 0


def _payload(given: str) -> bytes | None:
    if given == "-":
        return sys.stdin.buffer.read()
    try:
        path = Path(given)
        if path.is_file():
            return path.read_bytes()
    except OSError:  # hexadecimal too long for a file name
        pass
    written = _WRITTEN.fullmatch(given.strip())
    try:
        return bytes.fromhex(given if written is None else re.sub("[:-]", "", written[1]))
    except ValueError:
        return None


def _frame(payload: bytes) -> bytes:
    """The bytes of a frame; a file that holds nothing but hexadecimal digits means those."""
    if len(payload) >= 4 and _HEX.fullmatch(payload):
        try:
            return bytes.fromhex(payload.decode("ascii")) or payload
        except ValueError:
            pass
    return payload


def _shown(decoded: Message) -> dict[str, Any]:
    return {"readings": [_reading(one) for one in decoded.readings], "refusals": decoded.refusals}


def _reading(one: Reading) -> dict[str, Any]:
    """value and unit: canonical, not rounded; value_sent and unit_sent: what the bytes said. taken_at without an
    offset: the device's local time of no zone; a date alone if no more is known.
    """
    kind = catalogue.ENTRIES[one.code].kind
    value: Any = one.value_code
    if one.value is not None:
        value = bool(one.value) if kind == "boolean" else msgspec.Raw(message.plain(one.value).encode())
    at = one.taken_at if one.time_source in ("own", "gateway") else None
    if at is not None:
        at = at.replace(microsecond=at.microsecond + one.taken_us)
    local: datetime | date | None = one.local_time
    if one.local_time is not None and one.time_source == "unknown" and documents.DATE_ONLY in one.flags:
        local = one.local_time.date()
    return {
        "code": one.code,
        "value": value,
        "unit": one.unit,
        "value_sent": msgspec.Raw(message.value_token(one).encode()),
        "unit_sent": message.unit_token(one),
        "taken_at": local if at is None else at,
        "flags": one.flags,
        "context": one.context,
        "absent": one.absent,
        "set": one.set,
        "extreme": one.extreme,
        "source_id": one.source_id,
        "subject": one.subject,
        "method": one.method,
        "index": one.index,
    }


if __name__ == "__main__":
    sys.exit(main())
