"""Offers are checked and reduced; whatever somebody sends instead is refused with a reason."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import offers

SESSION = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
a=extmap-allow-mixed
"""
TRANSPORT = """a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 AA:BB
a=setup:actpass
a=rtcp-mux
"""
VOICE = f"""m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9
c=IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 3f1c5d53-e8a4.local 51000 typ host generation 0
a=candidate:2 1 udp 2113937151 192.0.2.7 51001 typ host generation 0
a=candidate:4 1 udp 2113937151 names.example 51001 typ host generation 0
a=candidate:5 1 udp 2113937151 224.0.0.1 51001 typ host generation 0
a=candidate:6 1 udp 2113937151 fe80::1%eth0 51001 typ host generation 0
a=candidate:3 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active
{TRANSPORT}a=mid:0
a=sendonly
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=rtpmap:9 G722/8000
"""
PICTURE = """m=video 9 UDP/TLS/RTP/SAVPF 45 46 96 97
c=IN IP4 0.0.0.0
{transport}a=mid:{mid}
a={direction}
a=rtpmap:45 AV1/90000
a=rtpmap:46 rtx/90000
a=fmtp:46 apt=45
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtcp-fb:45 nack
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rid:q send
a=simulcast:send q
"""


def offer() -> str:
    pictures = PICTURE.format(transport=TRANSPORT, mid=1, direction="sendonly")
    return SESSION + VOICE + pictures + PICTURE.format(transport=TRANSPORT, mid=2, direction="recvonly")


def test_an_offer_is_reduced_to_what_is_forwarded() -> None:
    found = offers.read(offer())
    assert found.sections == (
        offers.Section("audio", "0", True),
        offers.Section("video", "1", True),
        offers.Section("video", "2", False),
    )
    assert (found.ufrag, found.password) == ("abcd", "abcdefghijklmnopqrstuvwx")
    lines = found.sdp.split("\r\n")
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111" in lines
    assert lines.count("m=video 9 UDP/TLS/RTP/SAVPF 96 97") == 2
    for gone in ("AV1", ".local", " tcp ", "apt=45", "red/", "rtcp-fb:45", "a=rid", "simulcast"):
        assert gone not in found.sdp
    assert sum(line.startswith("a=candidate:") for line in lines) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=0", "v=1"),
        ("BUNDLE 0 1 2", "BUNDLE 0 1"),
        ("a=mid:2", "a=mid:1"),
        ("a=mid:2", "a=mid:<b>"),
        ("a=recvonly", "a=sendrecv"),
        ("m=audio", "m=application"),
        ("a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=ice-pwd:short"),
        ("sha-256", "md5"),
        ("VP8", "H264"),
        ("opus", "opuss"),
        ("s=-", "s=-\x00"),
        ("s=-", "s=é"),
        ("a=rtcp-mux", "a=rtcp-mux\na=extmap:0 urn:x"),
        ("a=rtcp-mux", "a=rtcp-mux\na=extmap:256 urn:x"),
        ("a=rtcp-mux", "a=rtcp-mux\na=extmap:x urn:x"),
        ("a=rtcp-mux", "a=rtcp-mux\na=extmap:1"),
    ],
)
def test_others_are_refused(old: str, new: str) -> None:
    with pytest.raises(offers.BadOffer):
        offers.read(offer().replace(old, new))


def test_who_sends_more_than_there_is_room_for_is_refused() -> None:
    with pytest.raises(offers.BadOffer, match="sends too much"):
        offers.read(
            offer().replace("recvonly", "sendonly").replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3")
            + PICTURE.format(transport=TRANSPORT, mid=3, direction="sendonly")
        )
    with pytest.raises(offers.BadOffer):
        offers.read(offer() + "a=x" * offers.MOST_BYTES)


@pytest.mark.parametrize(
    "line",
    [
        "a=rtcp-fb:* nack",
        "a=rtpmap:96 VP8/90000",
        "a=ssrc:{} cname:a",
        "a=extmap:{} urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=fingerprint:sha-256 AA:BB",
    ],
)
def test_what_would_keep_a_worker_busy_is_refused(line: str) -> None:
    """aiortc compares every source with every other, and gives every codec every line of feedback."""
    many = "".join(line.format(1 + number % 200) + "\n" for number in range(300))
    with pytest.raises(offers.BadOffer, match="lines"):
        offers.read(offer() + many)
    with pytest.raises(offers.BadOffer, match="lines"):
        offers.read(offer().replace("s=-\n", "s=-\n" + many))


@given(st.text(max_size=300), st.integers(0, 2000), st.integers(0, 400))
def test_whatever_is_sent_is_refused_or_read(text: str, at: int, cut: int) -> None:
    good = offer()
    for tried in (text, good[:at] + text + good[at + cut :]):
        with contextlib.suppress(offers.BadOffer):
            assert all(section.kind in ("audio", "video") for section in offers.read(tried).sections)


def test_answers_ask_for_voices_that_repair_themselves() -> None:
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in offers.finished("a=rtpmap:111 opus/48000/2\r\na=mid:0\r\n")
