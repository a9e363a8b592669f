"""A recording's file: any tampering is found, any chunk reads alone, a kill is told from a cut."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.model import media, recording_keys, vault
from telehealth.model.vault import Reported, Verdict

ID = UUID(int=0x1234)
KEY = bytes(range(32))
STARTED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A file in its parts, and what was reported of it when it was whole."""

    parts: tuple[bytes, ...]
    reported: Reported

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)


def made(media: list[bytes], *, ended: bool = True, recording: UUID = ID, key: bytes = KEY, salt: int = 0) -> Made:
    sealer = vault.Sealer(vault.Header(recording, vault.key_id(key), 7, STARTED), key)
    parts = [sealer.opening]
    for number, one in enumerate(media):
        nonce = (salt + number).to_bytes(12)
        parts.append(sealer.seal(one, nonce=nonce, since=number * 1000, until=number * 1000 + 1000, marks=number % 8))
    if ended:
        parts.append(sealer.seal(b"", nonce=b"\xff" * 12, since=len(media) * 1000, until=len(media) * 1000, last=True))
    assert sealer.size == sum(map(len, parts))
    return Made(tuple(parts), Reported(sealer.chunks, sealer.head))


def examine(data: bytes, reported: Reported | None = None, *, key: bytes = KEY, recording: UUID = ID) -> Verdict:
    return vault.examine(io.BytesIO(data), recording=recording, key=key, reported=reported)


chunkings = st.lists(st.binary(max_size=400), max_size=12)


@given(chunkings, st.booleans())
def test_what_was_written_reads_back(media: list[bytes], ended: bool) -> None:
    whole = made(media, ended=ended)
    found = examine(whole.data, whole.reported)
    assert found.state == ("intact" if ended else "unfinished")
    assert found.findings == ()
    assert found.head == whole.reported.head
    read = [vault.unseal(whole.data[p.at : p.at + p.size], KEY) for p in found.pieces]
    assert [one.media for one in read if one is not None][: len(media)] == media
    assert [p.media for p in found.pieces][: len(media)] == [len(one) for one in media]


@given(chunkings.filter(bool), st.data())
def test_each_chunk_reads_alone(media: list[bytes], data: st.DataObject) -> None:
    """With the key and nothing else; it says what it is, when it was, and what came before it."""
    number = data.draw(st.integers(0, len(media) - 1))
    whole = made(media)
    alone = vault.unseal(whole.parts[number + 1], KEY)
    assert alone is not None
    assert (alone.recording, alone.number, alone.media) == (ID, number, media[number])
    assert (alone.since, alone.until, alone.last) == (number * 1000, number * 1000 + 1000, False)
    if number:
        before = vault.unseal(whole.parts[number], KEY)
        assert before is not None
        assert alone.previous == before.digest


@given(chunkings, st.data())
def test_a_changed_byte_is_found_wherever_it_is(media: list[bytes], data: st.DataObject) -> None:
    whole = made(media)
    at = data.draw(st.integers(0, len(whole.data) - 1))
    changed = bytearray(whole.data)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = examine(bytes(changed), whole.reported)
    except vault.WrongKey:
        return  # nothing was left that could be read
    assert found.state in ("altered", "cut")
    # Nothing that was changed is ever taken for good.
    for piece in found.pieces:
        read = vault.unseal(bytes(changed[piece.at : piece.at + piece.size]), KEY)
        assert read is not None
        assert read.media == [*media, b""][read.number]


@given(chunkings, st.data())
def test_a_cut_anywhere_is_found_and_said(media: list[bytes], data: st.DataObject) -> None:
    """Of a file that was ended: shorter than was reported is a loss, and so many chunks are still intact."""
    whole = made(media)
    length = data.draw(st.integers(vault.HEADER_BYTES, len(whole.data) - 1))
    found = examine(whole.data[:length], whole.reported)
    assert found.state == "cut"
    kept, size = 0, len(whole.parts[0])
    while size + len(whole.parts[kept + 1]) <= length:
        size += len(whole.parts[kept + 1])
        kept += 1
    assert len(found.pieces) == kept
    lost = len(media) + 1 - kept
    assert f" {lost} {'chunk is' if lost == 1 else 'chunks are'} lost" in found.line()


@given(chunkings.filter(bool), st.data())
def test_a_kill_is_no_loss_while_all_that_was_reported_is_there(media: list[bytes], data: st.DataObject) -> None:
    whole = made(media, ended=False)
    reported = data.draw(st.integers(0, len(media)))
    kept = data.draw(st.integers(reported, len(media)))
    torn = data.draw(st.integers(0, len(whole.parts[kept + 1]) - 1)) if kept < len(media) else 0
    bytes_left = b"".join(whole.parts[: kept + 1]) + (whole.parts[kept + 1][:torn] if torn else b"")
    known = Reported(reported, made(media[:reported], ended=False).reported.head)
    found = examine(bytes_left, known)
    assert found.state == "unfinished"
    assert len(found.pieces) == kept
    assert found.line().startswith("cut: ends without its last chunk, but not before what was last reported")


@pytest.mark.parametrize("length", [0, 1, 8, 9, 30, vault.HEADER_BYTES - 1])
def test_a_kill_before_anything_was_written_is_no_alteration(length: int) -> None:
    whole = made([b"media"])
    assert examine(whole.parts[0][:length], Reported(0, b"")).state == "unfinished"
    assert examine(whole.parts[0][:length], None).state == "unfinished"
    assert examine(whole.parts[0][:length], whole.reported).state == "cut"
    if length:
        assert examine(b"?" * length, None).state == "altered"


def order(data: st.DataObject, parts: tuple[bytes, ...]) -> list[bytes]:
    """The chunks moved, removed or repeated: any other sequence of them than the right one."""
    numbers = range(1, len(parts))
    chosen = data.draw(
        st.lists(st.sampled_from(numbers), max_size=len(parts) + 3).filter(lambda some: some != list(numbers))
    )
    return [parts[0], *(parts[number] for number in chosen)]


@given(chunkings.filter(bool), st.data())
def test_chunks_swapped_repeated_or_removed_are_found(media: list[bytes], data: st.DataObject) -> None:
    whole = made(media)
    found = examine(b"".join(order(data, whole.parts)), whole.reported)
    assert found.state in ("altered", "cut")


@given(chunkings.filter(bool), chunkings.filter(bool), st.data())
def test_a_chunk_of_another_recording_is_found(media: list[bytes], other: list[bytes], data: st.DataObject) -> None:
    whole, foreign = made(media), made(other, recording=UUID(int=0x99), key=b"k" * 32)
    parts = list(whole.parts)
    at = data.draw(st.integers(1, len(parts) - 1))
    stranger = foreign.parts[data.draw(st.integers(1, len(foreign.parts) - 1))]
    if data.draw(st.booleans()):
        parts[at] = stranger
    else:
        parts.insert(at, stranger)
    found = examine(b"".join(parts), whole.reported)
    assert found.state == "altered"
    assert any("another recording" in one for one in found.findings)


def test_findings_name_the_chunk() -> None:
    whole = made([b"zero", b"one", b"two", b"three"])
    head, zero, one, two, three, last = whole.parts
    again = made([b"zero", b"uno", b"two", b"three"], salt=100).parts
    cases = {
        "chunk 1 is missing": [head, zero, two, three, last],
        "chunks 1 to 2 are missing": [head, zero, three, last],
        "chunk 1 is there twice": [head, zero, one, one, two, three, last],
        "chunk 1 stands behind chunk 2": [head, zero, two, one, three, last],
        "chunk 1 was altered": [head, zero, one[:-1] + b"!", two, three, last],
        "chunk 2 does not continue chunk 1": [head, zero, again[2], two, three, last],
        "there are two different chunks 1": [head, zero, one, again[2], two, three, last],
        "something follows the last chunk": [*whole.parts, b"THC\x01 and more"],
        "the header was altered": [head[:-1] + b"\x55", zero, one, two, three, last],
    }
    for finding, parts in cases.items():
        found = examine(b"".join(parts), whole.reported)
        assert found.state == "altered"
        assert any(finding in text for text in found.findings), (finding, found.findings)
        assert finding in found.line()


def test_a_file_in_anothers_place_is_found() -> None:
    foreign = made([b"a"], recording=UUID(int=5), key=b"k" * 32)
    with pytest.raises(vault.WrongKey):
        examine(foreign.data)
    # The same recording's file from before, put back.
    later = made([b"x", b"y"])
    earlier = made([b"x", b"z"], salt=50)
    assert "chunk 2 is not the one that was reported" in examine(earlier.data, later.reported).findings


def test_another_key_is_told_from_damage_and_opens_nothing() -> None:
    whole = made([b"media" * 20])
    with pytest.raises(vault.WrongKey):
        examine(whole.data, whole.reported, key=b"w" * 32)
    assert vault.unseal(whole.parts[1], b"w" * 32) is None


@given(st.binary(min_size=16, max_size=200))
def test_nothing_of_the_media_shows_without_the_key(media: bytes) -> None:
    assert media not in made([media, media]).data
    # Equal media do not look equal.
    parts = made([media, media]).parts
    assert parts[1][81:] != parts[2][81:]


@given(st.binary(max_size=2000))
def test_any_bytes_are_answered(data: bytes) -> None:
    """Whatever lies there in place of a file."""
    assert examine(data).state in ("altered", "unfinished")


def test_a_wrapped_key_opens_with_any_master_and_only_for_its_recording() -> None:
    old, new = recording_keys.masters(
        "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w=, bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU="
    )
    wrapped = recording_keys.wrap(old, ID, KEY, nonce=b"n" * 12)
    assert recording_keys.unwrap((new, old), old.id, ID, wrapped) == KEY
    for known, name, recording, text in (
        ((new,), old.id, ID, wrapped),
        ((old,), old.id, UUID(int=9), wrapped),
        ((old,), old.id, ID, b""),
        ((old,), old.id, ID, wrapped[:-1] + b"x"),
    ):
        with pytest.raises(recording_keys.NoKey):
            recording_keys.unwrap(known, name, recording, text)
    assert "old" not in repr(old)
    assert repr(media.RecordingTo(ID, KEY, "x")) == f"RecordingTo({ID}, of 0)"


@pytest.mark.parametrize("text", ["", "short", "bm90IDMyIGJ5dGVz", "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w=," * 2])
def test_keys_that_cannot_be_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|names the same") as refused:
        recording_keys.masters(text)
    assert not text or text not in str(refused.value)
