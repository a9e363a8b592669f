"""What devices hold: kept until settled, numbered without a gap or a repeat, whatever happens to the process."""

from __future__ import annotations

import contextlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import receipts as wire
from simulator import errors, outbox, receipts

WHEN = datetime(2026, 11, 21, tzinfo=UTC)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(["a", "b"]), st.integers(1, 3)),
        st.tuples(st.just("settle"), st.sampled_from(["a", "b"]), st.integers(0, 5)),
        st.tuples(st.just("reopen"), st.just("a"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(ACTIONS)
def test_a_message_is_deleted_only_when_settled_and_never_renumbered(actions: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = outbox.Outbox(Path(folder))
        held: dict[tuple[str, str, int], bytes] = {}
        given_out: list[tuple[str, str, int]] = []
        for action, device, number in actions:
            if action == "put":
                for message in journal.put([(device, 1, 2, 1, f"[{n}]".encode()) for n in range(number)]):
                    name = (message.device_id, message.stream, message.seq)
                    held[name] = message.readings
                    given_out.append(name)
            elif action == "settle":
                for message in [m for m in journal.held() if m.device_id == device and m.seq <= number]:
                    journal.settle(message)
                    held.pop((message.device_id, message.stream, message.seq))
                journal.flush()
            else:
                journal.close()
                journal = outbox.Outbox(Path(folder))
            found = {(m.device_id, m.stream, m.seq): m.readings for m in journal.held()}
            assert found == held
        journal.close()
        assert len(set(given_out)) == len(given_out)
        for device in ("a", "b"):
            assert [seq for name, _, seq in given_out if name == device] == list(
                range(1, 1 + sum(name == device for name, _, _ in given_out))
            )


def test_a_process_that_dies_leaves_every_message_and_its_number(tmp_path: Path) -> None:
    """Nothing is closed here: what put() returned is on disk."""
    first = outbox.Outbox(tmp_path)
    put = first.put([("a", 1, 2, 1, b"[1]")])
    first._journal.close()
    with contextlib.closing(outbox.Outbox(tmp_path)) as second:
        assert [(m.stream, m.seq, m.readings) for m in second.held()] == [(put[0].stream, 1, b"[1]")]
        assert second.put([("a", 1, 2, 1, b"[2]")])[0].name == (put[0].stream, 2)


def test_a_lost_journal_means_a_new_stream(tmp_path: Path) -> None:
    streams = set()
    for name in ("one", "two"):
        with contextlib.closing(outbox.Outbox(tmp_path / name)) as journal:
            streams.add(journal.put([("a", 1, 2, 1, b"[]")])[0].stream)
    assert len(streams) == 2


def test_a_journal_has_one_owner(tmp_path: Path) -> None:
    with (
        contextlib.closing(outbox.Outbox(tmp_path)),
        pytest.raises(errors.BadInput, match="another simulator"),
    ):
        outbox.Outbox(tmp_path)


RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 8)), max_size=45)


@given(RANGES, st.integers(1, 80))
def test_a_receipt_of_the_service_settles_nothing_that_it_has_not(ranges: list[tuple[int, int]], seq: int) -> None:
    settled = wire.union((low, low + size) for low, size in ranges)
    sent = wire.receipt("s", settled, WHEN).encode()
    receipt = receipts.decode(sent)
    assert receipt is not None
    truly = any(low <= seq < high for low, high in settled)
    if receipts.settles(receipt, "s", seq):
        assert truly
    elif truly:
        assert len(settled) > 32
    assert not receipts.settles(receipt, "another", seq)


@given(st.binary(max_size=200))
def test_what_is_not_a_receipt_settles_nothing(payload: bytes) -> None:
    receipt = receipts.decode(payload)
    assert receipt is None or not receipts.settles(receipt, "s", 1)


def test_a_digest_in_ids_settles_and_a_refusal_alone_does_not() -> None:
    by_id = receipts.decode(b'{"stream":null,"through":0,"also":[],"refused":[],"ids":["00ff"],"seen":[],"at":"x"}')
    assert by_id is not None
    assert receipts.settles(by_id, "s", 1, ["00ff"])
    assert not receipts.settles(by_id, "s", 1, ["0100"])
    refused = receipts.decode(b'{"stream":"s","through":0,"refused":[{"seq":1,"index":0,"error":"unit_unknown"}]}')
    assert refused is not None
    assert not receipts.settles(refused, "s", 1)
    assert [r.error for r in receipts.refusals(refused, "s", 1)] == ["unit_unknown"]
    assert receipts.refusals(refused, "s", 2) == []
