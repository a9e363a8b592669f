from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from devices import receipts

AT = datetime(2026, 11, 21, 10, 0, 3, 120_000, tzinfo=UTC)
SEQS = st.lists(st.integers(1, 60), max_size=40)
OLDEST = st.none() | st.integers(1, 60)


def _numbers(ranges: receipts.Ranges) -> set[int]:
    return {seq for low, high in ranges for seq in range(low, high)}


def _well_formed(ranges: receipts.Ranges) -> bool:
    return all(low < high for low, high in ranges) and all(a[1] < b[0] for a, b in itertools.pairwise(ranges))


def test_examples() -> None:
    settled = receipts.settle((), [1, 2, 3, 5, 6, 9]).settled
    assert settled == ((1, 4), (5, 7), (9, 10))
    assert receipts.through(settled) == 3
    assert receipts.also(settled) == ((5, 6), (9, 9))
    assert receipts.settle(settled, [8], oldest=9) == (((1, 10),), ((4, 5), (7, 8)))
    assert receipts.through(()) == receipts.through(((2, 9),)) == 0


@given(SEQS, OLDEST, SEQS, OLDEST)
def test_what_is_settled_is_what_was_taken_in_or_given_up(
    first: list[int], oldest: int | None, more: list[int], later: int | None
) -> None:
    once = receipts.settle((), first, oldest)
    twice = receipts.settle(once.settled, more, later)
    given_up = set(range(1, oldest or 1)), set(range(1, later or 1))
    assert _numbers(once.lost) == given_up[0] - set(first)
    assert _numbers(twice.settled) == set(first) | set(more) | given_up[0] | given_up[1]
    assert _numbers(twice.lost) == given_up[1] - set(more) - _numbers(once.settled)
    assert all(map(_well_formed, (once.settled, once.lost, twice.settled, twice.lost)))


@given(SEQS, SEQS, OLDEST)
def test_settling_again_or_in_another_order_changes_nothing(
    first: list[int], more: list[int], oldest: int | None
) -> None:
    there = receipts.settle(receipts.settle((), first).settled, more, oldest).settled
    assert receipts.settle(receipts.settle((), more, oldest).settled, first).settled == there
    assert receipts.settle(there, first + more, oldest) == (there, ())


@given(st.sets(st.integers(1, 300), max_size=200), st.sets(st.integers(1, 300), max_size=8))
def test_a_receipt_claims_only_what_is_settled(seqs: set[int], answered: set[int]) -> None:
    settled = receipts.settle((), seqs).settled
    got = receipts.receipt("s", settled, AT, answered=answered)
    claimed = set(range(1, got.through + 1)) | {seq for low, high in got.also for seq in range(low, high + 1)}
    assert claimed <= seqs
    assert len(got.also) <= receipts.ALSO_LIMIT
    assert answered & seqs <= claimed
    if len(settled) <= receipts.ALSO_LIMIT:
        assert claimed == seqs
    assert list(got.also) == sorted(got.also)


def test_a_receipt_as_it_is_sent() -> None:
    refused = receipts.Refused("unit_unknown", "Known for this code: %.", seq=1039, index=2, field="unit")
    got = receipts.receipt(
        "k3Jx9",
        ((1, 1043), (1044, 1046)),
        AT.astimezone(timezone(timedelta(hours=1))),
        refused=[refused],
        seen=[receipts.Seen("b7", AT)],
    )
    assert json.loads(got.encode()) == {
        "stream": "k3Jx9",
        "through": 1042,
        "also": [[1044, 1045]],
        "refused": [
            {"seq": 1039, "index": 2, "error": "unit_unknown", "field": "unit", "detail": "Known for this code: %."}
        ],
        "ids": [],
        "seen": [{"set": "b7", "at": "2026-11-21T10:00:03.120000Z"}],
        "at": "2026-11-21T10:00:03.120000Z",
    }


def test_a_receipt_by_id_has_no_stream() -> None:
    got = receipts.receipt(None, (), AT, ids=["m-1"], refused=[receipts.Refused("not_json", "...", id="m-1")])
    sent = json.loads(got.encode())
    assert (sent["stream"], sent["through"], sent["also"], sent["ids"]) == (None, 0, [], ["m-1"])
    assert sent["refused"] == [{"id": "m-1", "error": "not_json", "detail": "..."}]
