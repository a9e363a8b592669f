"""The targets of the fuzzer hold for what hypothesis thinks of, and for what the fuzzer begins with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import formats
from tests.fuzz import http_wire, mutate, seeds, targets, words


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_promises_hold(name: str) -> None:
    target = targets.TARGETS[name]
    beginnings = seeds.SEEDS.get(name, [b""])
    changed = st.builds(
        lambda seed, at, put, cut: seed[: at % (len(seed) + 1)] + put + seed[at % (len(seed) + 1) + cut :],
        st.sampled_from(beginnings),
        st.integers(0, 10_000),
        st.binary(max_size=8),
        st.integers(0, 8),
    )

    @settings(max_examples=150)
    @given(st.one_of(st.sampled_from(beginnings), changed, st.binary(max_size=200)))
    def holds(payload: bytes) -> None:
        target(payload)

    holds()


def test_every_decoder_has_a_good_beginning() -> None:
    """Otherwise the fuzzer would stay at the front door."""
    for name in formats.DECODERS:
        assert any(formats.decode(name, "d", seed).readings for seed in seeds.SEEDS[name]), name


@pytest.mark.parametrize("name", sorted(formats.DECODERS))
def test_changed_messages_are_messages_still(name: str) -> None:
    """Of many changes on the way to something, some are still taken, some refused; all stay within the length."""
    change = mutate.mutator(name)
    taken = refused = 0
    for seed in range(300):
        payload = seeds.SEEDS[name][seed % len(seeds.SEEDS[name])]
        changed = change(payload, 2048, seed)
        assert len(changed) <= 2048
        found = formats.decode(name, "d", changed)
        taken += bool(found.readings)
        refused += bool(found.refusals)
    assert taken > 50
    assert refused > 50


def test_the_decoders_words_are_known() -> None:
    """Keys, units, codes; each in a form that libFuzzer reads."""
    assert {"taken_at", "mm[Hg]", "urn:iso:std:iso:11073:10101", "effectiveDateTime"} <= set(words.words())
    assert all(line.startswith('"') and line.endswith('"') for line in words.dictionary().splitlines())


def test_answers_are_told_apart() -> None:
    """One after the other, with a length, in chunks, to HEAD, and cut off."""
    received = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
        b"HTTP/1.1 500"
    )
    assert [(one.status, one.body) for one in http_wire.answers(received)] == [
        (200, b"ab"),
        (200, b""),
        (404, b"1\r\nc\r\n"),
        (0, b""),
    ]
