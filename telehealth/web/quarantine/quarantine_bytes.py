"""Bytes that somebody else made, shown as nothing but themselves.

Only printable ASCII is shown as it is; everything else, control and direction characters above all, is written as an
escape. Nothing is interpreted: not as markup, not as a picture, not as text of any script.
"""

from __future__ import annotations

from typing import Any

#: Of a message as text, and as rows of hex.
TEXT_CHARACTERS = 4000
HEX_BYTES = 1024
_ROW = 16


def shown(payload: bytes) -> dict[str, Any]:
    """text: escaped; rows: offset, hex and printable characters; both cut short, more_text and more_bytes say so."""
    escaped = text(payload.decode("utf-8", "backslashreplace"))
    return {
        "text": escaped[:TEXT_CHARACTERS],
        "more_text": len(escaped) > TEXT_CHARACTERS,
        "rows": [_row(payload, at) for at in range(0, min(len(payload), HEX_BYTES), _ROW)],
        "more_bytes": len(payload) > HEX_BYTES,
        "shown_bytes": min(len(payload), HEX_BYTES),
    }


def text(given: str) -> str:
    """Printable ASCII as it is, the rest escaped: \\n, \\x1b, \\u202e."""
    return "".join(one if " " <= one <= "~" else one.encode("unicode_escape").decode() for one in given)


def _row(payload: bytes, at: int) -> dict[str, str]:
    part = payload[at : at + _ROW]
    return {
        "offset": f"{at:06x}",
        "hex": part.hex(" "),
        "text": "".join(chr(byte) if 0x20 <= byte <= 0x7E else "." for byte in part),
    }
