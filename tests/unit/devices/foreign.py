"""Payloads in other people's JSON formats, and what is true of whatever is decoded of them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from devices import fields, formats, message, units
from devices.errors import MEANINGS
from devices.message import Message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_FLAG = re.compile(fields.FLAG.replace("$", r"\Z"))
_KEY = re.compile(fields.KEY.replace("$", r"\Z"))


def decoded(format: str, content: Any, device_id: str = "gateway-1") -> Message:
    """content as it is if bytes or text, else as JSON (which, as json.dumps does, may hold NaN)."""
    payload = content if isinstance(content, bytes) else _text(content).encode(errors="surrogatepass")
    got = formats.decode(format, device_id, payload)
    holds(got)
    return got


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def errors(got: Message) -> list[tuple[str, str | None, int | None]]:
    return [(one.error, one.field, one.index) for one in got.refusals]


def values(got: Message) -> dict[str, float | str | None]:
    """Value by code; of a code word for one that is coded."""
    return {one.code: one.value if one.value_code is None else one.value_code for one in got.readings}


def holds(got: Message) -> None:
    """What is true of every message, whatever was sent."""
    assert (got.seq is None) != (got.id is None)
    assert len(got.readings) <= message.READINGS_LIMIT
    assert len(got.refusals) <= message.READINGS_LIMIT + 8
    for refused in got.refusals:
        assert refused.error in MEANINGS
        assert refused.field is None or re.fullmatch(r"[A-Za-z0-9_.\[\]]{1,100}", refused.field)
    for one in got.readings:
        assert one.taken_at is None or one.taken_at.utcoffset() is not None
        assert one.local_time is None or one.local_time.tzinfo is None
        assert one.unit is None or one.unit in units.CONVERSIONS[one.code]
        assert all(_FLAG.match(flag) for flag in one.flags)
        assert len(one.flags) <= fields.FLAGS_LIMIT
        context = one.context or {}
        assert len(context) <= fields.CONTEXT_LIMIT
        assert all(_KEY.match(key) for key in context)
        texts = (one.source_id, one.subject, one.set, one.unit_sent, *context.values())
        for text in texts:
            if isinstance(text, str):
                assert 0 < len(text) <= fields.TEXT_LIMIT
                assert fields.storable(text)


def places(content: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON content, as the keys that lead there."""
    yield so_far
    if isinstance(content, dict):
        for key, value in content.items():
            yield from places(value, (*so_far, key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from places(value, (*so_far, index))


@st.composite
def nearly(draw: st.DrawFn, *valid: Any) -> Any:
    """Valid content with something else in some of its places."""
    content = copy.deepcopy(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(content))))
        instead = draw(JSON)
        if not place:
            content = instead
            continue
        at = content
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = instead
    return content
