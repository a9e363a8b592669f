"""Whatever the bytes: what is shown is printable ASCII, and says what they are."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies

from telehealth.web.quarantine import quarantine_bytes


@hypothesis.given(strategies.binary(max_size=5000))
def test_nothing_but_printable_ascii_is_shown(payload: bytes) -> None:
    """No control, no direction, no letter that looks like another; the hex is exact as far as it goes."""
    shown = quarantine_bytes.shown(payload)
    texts = [shown["text"], *(row["text"] + row["hex"] + row["offset"] for row in shown["rows"])]
    assert all(" " <= one <= "~" for text in texts for one in text)
    assert bytes.fromhex("".join(row["hex"] for row in shown["rows"])) == payload[: quarantine_bytes.HEX_BYTES]
    assert len(shown["text"]) <= quarantine_bytes.TEXT_CHARACTERS


def test_what_is_no_ascii_is_written_as_an_escape() -> None:
    """Directions, controls, bytes that are no text."""
    shown = quarantine_bytes.shown("a\u202eb\u0000\n\u00e9\U0001f600".encode() + b"\xff")
    assert shown["text"] == "a\\u202eb\\x00\\n\\xe9\\U0001f600\\xff"
