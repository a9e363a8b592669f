"""The targets of the fuzzer hold for what hypothesis thinks of, and for what the fuzzer begins with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import seeds, targets


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
    from devices import formats

    for name in formats.DECODERS:
        assert any(formats.decode(name, "d", seed).readings for seed in seeds.SEEDS[name]), name
