"""Changes that keep a message a message: its content is changed as a tree, now and then its bytes.

The fuzzer's own changes of bytes nearly always end at "that is no JSON"; what lies behind is reached by these. (Both
cannot be had: atheris 3 does not find libFuzzer's mutator from one written in Python.)
"""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import cbor2

from devices import fhir_terms
from tests.fuzz import seeds, words

_NUMBERS = (0, 1, -1, 0.1, 36.6, 96, 97.5, 120, 255, 256, 65535, 2**31, 2**53, 2**64, -(2**63), 1e308, 5e-324, 1e-7)
_TIMES = (
    *("2026-03-02T11:59:00Z", "2026-03-02T11:59:00.123456789+01:00", "2026-03-02T11:59:00", "2026-03-02", "2026-03"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-10-25T01:30:00", "2026-03-29T01:30:00Z"),
    *("2026-03-02T24:00:00Z", "2016-12-31T23:59:60Z", "1970-01-01T00:00:00Z", "Europe/London", "Mars/Base"),
)
_TEXTS = ("", "\x00", "\ud800", "\U0001f4a9", "a" * 64, "a" * 65, "../..", "NaN", "-0", "1e5", "é", "\x7f\n")
_ODD: tuple[Any, ...] = (None, True, False, [], {}, [[]], *_NUMBERS, *_TIMES, *_TEXTS)
_CODINGS = tuple(
    {"system": system, "code": code}
    for system, code in (*fhir_terms.TERMS, *((fhir_terms.UCUM, unit) for unit in fhir_terms.MDC_UNITS.values()))
)


def mutator(target: str) -> Callable[[bytes, int, int], bytes]:
    """For a target; takes bytes, the most that they may become, and a seed."""
    read, write = (cbor2.loads, cbor2.dumps) if target == "cbor" else (json.loads, _json)
    known = words.words()
    # The first byte chooses the topic.
    prefix = 1 if target == "mqtt" else 0
    read_all = (read(content[prefix:]) for content in seeds.SEEDS[target])
    trees = [tree for tree in read_all if isinstance(tree, dict | list)]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chosen = random.Random(seed)
        if chosen.random() < 0.15:
            return _bytes(data, chosen, known)[:most]
        if prefix and (not data or chosen.random() < 0.2):
            data = chosen.randbytes(1) + data[1:]
        try:
            tree = read(data[prefix:])
        except Exception:  # any input at all, so anything that json and cbor2 raise
            # What is no message at all teaches little: go on from a good one.
            tree = copy.deepcopy(chosen.choice(trees))
        try:
            for _ in range(chosen.choice((1, 1, 2, 3, 6))):
                tree = _changed(tree, chosen, known, trees)
            found = data[:prefix] + write(tree)
        except (ValueError, TypeError, OverflowError, RecursionError):
            return _bytes(data, chosen, known)[:most]
        return found if len(found) <= most else _bytes(data, chosen, known)[:most]

    return mutate


def _bytes(data: bytes, chosen: random.Random, known: tuple[str, ...]) -> bytes:
    changed = bytearray(data)
    for _ in range(chosen.choice((1, 1, 2, 4, 16))):
        at = chosen.randrange(len(changed) + 1)
        match chosen.randrange(6):
            case 0:
                changed[at:at] = chosen.randbytes(chosen.choice((1, 2, 8)))
            case 1:
                changed[at:at] = chosen.choice(known).encode()
            case 2:
                del changed[at : at + chosen.choice((1, 2, 8, 64))]
            case 3:
                # The end goes elsewhere, or a part comes twice.
                start = chosen.randrange(len(changed) + 1)
                changed[at:at] = changed[start : start + chosen.choice((1, 4, 32, 512))]
            case _ if changed:
                changed[at % len(changed)] ^= 1 << chosen.randrange(8)
    return bytes(changed)


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _changed(tree: Any, chosen: random.Random, known: tuple[str, ...], trees: list[Any]) -> Any:
    # CBOR can hold what holds itself.
    places = list(itertools.islice(_places(tree), 500))
    if not places:
        return copy.deepcopy(chosen.choice(trees))
    inside, key = chosen.choice(places)
    match chosen.randrange(10):
        case 0:
            del inside[key]
        case 1:
            inside[key] = copy.deepcopy(chosen.choice(_ODD))
        case 2:
            inside[key] = chosen.choice(known)
        case 3 if isinstance(inside, dict):
            inside[chosen.choice(known)] = copy.deepcopy(inside[key])
        case 4 if isinstance(inside, list):
            inside.insert(key, copy.deepcopy(inside[key]))
        case 5:
            # A part of another message, or of this.
            other, at = chosen.choice(list(_places(chosen.choice(trees))))
            inside[key] = copy.deepcopy(other[at])
        case 6:
            inside[key] = dict(chosen.choice(_CODINGS))
        case _:
            inside[key] = _near(inside[key], chosen)
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (list or map, position in it)."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            for key, inner in one.items() if isinstance(one, dict) else enumerate(one):
                yield one, key
                waiting.append(inner)


def _near(value: Any, chosen: random.Random) -> Any:
    """Something of the same kind."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return chosen.choice(
            (value + 1, value - 1, -value, value * 10, value / 10, value + 0.5, chosen.choice(_NUMBERS))
        )
    if isinstance(value, str):
        return _text(value, chosen)
    return value


def _text(value: str, chosen: random.Random) -> str:
    if value[:4].isdigit() and chosen.random() < 0.5:
        return chosen.choice(_TIMES)
    try:
        data = bytearray.fromhex(value)
    except ValueError:
        at = chosen.randrange(len(value) + 1)
        return value[:at] + chosen.choice((*_TEXTS, chr(chosen.randrange(32, 127)))) + value[at + chosen.randrange(2) :]
    # A Bluetooth frame.
    for _ in range(chosen.choice((1, 1, 2, 4))):
        at = chosen.randrange(len(data) + 1)
        match chosen.randrange(4):
            case 0:
                data[at:at] = chosen.choice((b"\x00", b"\xff", b"\xff\x07", b"\x00\x08", chosen.randbytes(2)))
            case 1:
                del data[at : at + 1]
            case _ if data:
                data[at % len(data)] ^= 1 << chosen.randrange(8)
    return data.hex()
