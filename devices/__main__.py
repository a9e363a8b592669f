"""python -m devices decode --format native [--device ID] HEX|FILE|-

Prints {"readings": [...], "refusals": [...]} as JSON. Exit status 0 when something was decoded, even
if all of it was refused; 2 when the input cannot be had or the format is not known.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from devices import formats, topics


def main(arguments: list[str] | None = None) -> int:
    """Decode one payload and print what came of it. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devices", description="Decode what devices send.")
    commands = parser.add_subparsers(dest="command", required=True)
    decode = commands.add_parser("decode", help="decode one payload and print its readings and refusals as JSON")
    decode.add_argument("--format", default="native", choices=sorted(formats.DECODERS))
    decode.add_argument("--device", default="device", metavar="ID", help="device_id, part of a reading's identity")
    decode.add_argument("payload", metavar="HEX|FILE|-", help="bytes as hexadecimal, a file, or - for standard input")
    given = parser.parse_args(arguments)
    if not topics.valid_device_id(given.device):
        parser.error("--device: 1 to 64 of A-Z a-z 0-9 _ -")
    payload = _payload(given.payload)
    if payload is None:
        parser.error("payload: neither a file nor hexadecimal digits")
    message = formats.decode(given.format, given.device, payload)
    print(msgspec.json.encode({"readings": message.readings, "refusals": message.refusals}).decode())
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
    try:
        return bytes.fromhex(given)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main())
