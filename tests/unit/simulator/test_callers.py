"""What callers do (scripts), see (frames and freezes of packets), and how an answer is led through a proxy."""

from __future__ import annotations

import random
from typing import Any

import pytest

from simulator import errors
from simulator.callers import caller, crowd, line, peer, script, watching
from simulator.callers.report import Report
from simulator.wire import Line

WHOLE, AFTER = b"\x90\x80\x01\x10", b"\x90\x80\x02\x11"


def frames(count: int, *, pieces: int = 3, first: int = 65_500) -> list[tuple[watching.Piece, float]]:
    """Packets of frames at 15 a second with when they were sent; the first is a whole picture."""
    found = []
    for frame in range(count):
        for piece in range(pieces):
            head = (WHOLE if frame == 0 else AFTER) if piece == 0 else b"\x80\x80\x01\x00"
            seq = (first + frame * pieces + piece) % 65_536
            found.append((watching.Piece(seq, piece == pieces - 1, head), frame / 15 + piece * 0.001))
    return found


def watched(packets: list[tuple[watching.Piece, float]]) -> watching.Picture:
    picture = watching.Picture()
    for piece, at in packets:
        picture.add(piece, at)
    return picture


class TestWatching:
    def test_counts_frames_across_the_wrap(self) -> None:
        seen = watched(frames(60)).seen
        assert (seen.frames, seen.freezes, seen.missing) == (60, 0, 0)
        assert seen.first == pytest.approx(0.002)

    def test_order_and_repeats_do_not_matter(self) -> None:
        packets = frames(60)
        shuffled = sorted(
            ((p, at + random.Random(p.seq).random() * 0.05) for p, at in packets), key=lambda each: each[1]
        )
        doubled = [each for each in shuffled for _ in range(2)]
        # what comes first decides where it begins
        assert watched([packets[0], *doubled]).seen.frames == 60

    def test_a_packet_that_comes_late_delays_and_loses_nothing(self) -> None:
        packets = frames(60)
        late, _ = packets.pop(90)
        packets.insert(110, (late, packets[110][1]))
        seen = watched(packets).seen
        assert (seen.frames, seen.missing) == (60, 0)
        assert 0.3 < seen.longest < 0.6
        assert seen.freezes == 1

    def test_a_packet_that_stays_away_freezes_until_a_whole_picture(self) -> None:
        packets = frames(60)
        packets.pop(91)
        again = [
            (watching.Piece((piece.seq + 180) % 65_536, piece.marker, piece.payload), at + 4)
            for piece, at in frames(30)
        ]
        picture = watched(packets)
        assert [picture.tick(at) for at in (4.0, 4.1, 4.4, 4.6)] == [True, False, False, True]
        for piece, at in again:
            picture.add(piece, at)
        assert picture.seen.missing == 1
        assert picture.seen.frames == 30 + 30
        assert picture.seen.longest > 2

    def test_nothing_counts_before_the_first_whole_picture(self) -> None:
        assert watched(frames(10)[3:]).seen.frames == 0

    def test_a_camera_that_is_off_is_no_freeze(self) -> None:
        picture = watched(frames(15))
        picture.rest()
        assert picture.silent(9) == 0
        for piece, at in frames(15):
            picture.add(watching.Piece((piece.seq + 45) % 65_536, piece.marker, piece.payload), at + 60)
        assert (picture.seen.frames, picture.seen.freezes) == (30, 0)

    @pytest.mark.parametrize(
        ("payload", "start", "whole"),
        [
            (b"\x10\x10", True, True),
            (b"\x10\x11", True, False),
            (b"\x90\x80\x81\x23\x10", True, True),
            (b"\x90\xf0\x01\x02\x03\x10", True, True),
            (b"\x11\x10", False, False),
            (b"\x80\x80\x01\x10", False, False),
            (b"\x90\x80", True, False),
            (b"", False, False),
        ],
    )
    def test_reads_descriptors(self, payload: bytes, start: bool, whole: bool) -> None:
        assert (watching.starts_frame(payload), watching.whole_picture(payload)) == (start, whole)


class TestScripts:
    def test_all_packaged_ones_are_good(self) -> None:
        assert {"stays", "restless", "bad_wifi", "comes_and_goes"} <= set(script.names())
        for name in script.names():
            assert script.load(name).title

    def test_are_read(self) -> None:
        found = script.parse(
            """
            late = 2
            consents = false
            [check]
            camera = "none"
            [network]
            loss = 5
            delay = 80
            rate = 600
            [[then]]
            at = 9
            do = "cut"
            seconds = 5
            [[then]]
            at = 3
            do = "say"
            text = "hello"
            """
        )
        assert (found.late, found.consents, found.check["camera"]) == (2, False, "none")
        assert found.network == Line(loss=0.05, delay=0.08, rate=600_000)
        assert [(act.at, act.do, act.value) for act in found.acts] == [(3, "say", "hello"), (9, "cut", 5.0)]

    @pytest.mark.parametrize(
        "text",
        [
            "late = -1",
            "late = true",
            'late = "2"',
            "later = 1",
            "[check]\ncamera = 'good'",
            "[network]\nloss = 200",
            "[network]\nspeed = 2",
            "[[then]]\nat = 1\ndo = 'dance'",
            "[[then]]\ndo = 'mute'",
            "[[then]]\nat = 1\ndo = 'cut'",
            "[[then]]\nat = 1\ndo = 'mute'\nseconds = 2",
            "then = 3",
            "not toml",
        ],
    )
    def test_that_are_wrong_are_refused(self, text: str) -> None:
        with pytest.raises(errors.BadInput):
            script.parse(text)

    def test_a_missing_one_names_those_that_are_there(self) -> None:
        with pytest.raises(errors.BadInput, match="stays"):
            script.load("nobody")


class TestLinks:
    TOKEN = "https://ward.example/join/0123456789abcdefXYZ"

    def test_are_read_with_dates_of_birth(self) -> None:
        found = crowd.links(f"# two\n{self.TOKEN} 1941-03-27\n\n{self.TOKEN}\n")
        assert [each.born is not None for each in found] == [True, False]
        assert found[0].origin == "https://ward.example"

    @pytest.mark.parametrize(
        "text", ["", "# none", "https://ward.example/", f"{TOKEN} 27.3.1941", "ftp://a/join/0123456789abcdef"]
    )
    def test_that_are_none_are_refused_and_never_repeated(self, text: str) -> None:
        with pytest.raises(errors.BadInput) as refused:
            crowd.links(text)
        assert "0123456789abcdef" not in str(refused.value)


ANSWER = (
    "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=candidate:1 1 udp 2130706431 fd00::2 4000 typ host\r\n"
    "a=candidate:2 1 udp 2130706431 192.0.2.2 4001 typ host\r\na=end-of-candidates\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=candidate:2 1 udp 2130706431 192.0.2.2 4001 typ host\r\n"
)


class TestProxied:
    def test_an_answer_names_only_the_proxy(self) -> None:
        assert peer.candidate(ANSWER) == ("192.0.2.2", 4001)
        found = peer.redirected(ANSWER, ("127.0.0.1", 5000)).splitlines()
        assert [row for row in found if "candidate:" in row] == [
            "a=candidate:2 1 udp 2130706431 127.0.0.1 5000 typ host"
        ] * 2
        assert "a=end-of-candidates" in found

    def test_an_answer_without_addresses_is_refused(self) -> None:
        with pytest.raises(errors.Refused):
            peer.candidate("v=0\r\n")

    def test_relays_by_transport(self) -> None:
        assert peer.transport_of("turn:a:3478?transport=udp") == "udp"
        assert peer.transport_of("turn:a:3478") == "udp"
        assert peer.transport_of("turn:a:80?transport=tcp") == "tcp"
        assert peer.transport_of("turns:a:443") == "tls"


class _Connection:
    """What one has seen; in place of a peer."""

    offered_at = 0.0

    def __init__(self, seen: watching.Seen) -> None:
        self.seen = seen

    def pictures(self) -> list[watching.Seen]:
        return [self.seen]

    async def round_trip_and_loss(self) -> tuple[float | None, float]:
        return None, 0.0


async def test_what_is_told_of_the_quality_is_since_it_was_last_told() -> None:
    """The service adds them up: one freeze told again and again would make a call poor."""
    nothing: Any = None
    link = line.link("http://ward.example/join/" + "a" * 30)
    who = caller.Caller("one", link, script.Script(), peer.Sending(nothing, nothing))
    told: list[dict[str, Any]] = []
    connection: Any = _Connection(watching.Seen(packets=90, missing=10, frames=40, freezes=2, frozen=1.5, first=1.0))
    told.append(await who._statistics(connection))
    connection.seen = watching.Seen(packets=190, missing=10, frames=80, freezes=2, frozen=1.5, first=1.0)
    told.append(await who._statistics(connection))
    another: Any = _Connection(watching.Seen(packets=10, frames=5, first=1.0))
    told.append(await who._statistics(another))
    assert [each["freezes"] for each in told] == [2, 0, 0]
    assert [each["frozen"] for each in told] == [1.5, 0, 0]
    assert [each["frames"] for each in told] == [40, 40, 5]
    assert [each["down_loss"] for each in told] == [0.1, 0, 0]


def test_summary_is_over_all_callers() -> None:
    good, bad = Report("caller 1", "a"), Report("caller 2", "a")
    good.connections, good.voice_packets, good.join, good.ended = 1, 50, [0.4, 0.8], "ended"
    bad.trouble, bad.ended = "no", "trouble"
    good.add([watching.Seen(packets=9, frames=3, freezes=1, frozen=0.6, longest=0.7)])
    found = crowd.summary([good, bad])
    assert (found["callers"], found["joined"], found["frames"], found["longest"]) == (2, 1, 3, 0.7)
    assert found["ended"] == {"ended": 1, "trouble": 1}
