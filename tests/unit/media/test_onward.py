"""What is sent to viewers is, byte by byte, what aiortc would have sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import aiortc
from aiortc import clock, rtp
from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import onward

_URIS = (
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:ietf:params:rtp-hdrext:toffset",
)
_16, _32, _64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
_LEVELS = st.none() | st.tuples(st.booleans(), st.integers(0, 127))


@st.composite
def _maps(draw: st.DrawFn) -> rtp.HeaderExtensionsMap:
    """Any of the extensions, under any ids; those above 14 need the longer form."""
    ids = draw(st.lists(st.integers(1, 30), min_size=len(_URIS), max_size=len(_URIS), unique=True))
    taken = draw(st.sets(st.sampled_from(_URIS)))
    known = rtp.HeaderExtensionsMap()
    parameters = aiortc.rtcrtpparameters.RTCRtpParameters()
    for uri, number in zip(_URIS, ids, strict=True):
        if uri in taken:
            one = aiortc.rtcrtpparameters.RTCRtpHeaderExtensionParameters(number, uri)
            parameters.headerExtensions.append(one)
    known.configure(parameters)
    return known


@st.composite
def _packets(draw: st.DrawFn) -> rtp.RtpPacket:
    packet = rtp.RtpPacket(96, draw(st.integers(0, 1)), draw(_16), draw(_32), draw(_32), draw(st.binary(max_size=40)))
    packet.extensions.audio_level = draw(_LEVELS)
    packet.extensions.abs_send_time = draw(st.none() | st.integers(0, 2**24 - 1))
    packet.extensions.mid = draw(st.none() | st.just("7"))
    packet.padding_size = draw(st.just(0) | st.integers(0, 255))
    return packet


def _as_aiortc(
    packet: rtp.RtpPacket, known: rtp.HeaderExtensionsMap, given: tuple[int, int, str | None, int, int, int]
) -> rtp.RtpPacket:
    payload_type, ssrc, mid, number, timestamp, ntp = given
    ours = rtp.RtpPacket(payload_type, packet.marker, number, timestamp, ssrc, packet.payload)
    ours.padding_size = packet.padding_size
    ours.extensions.abs_send_time = (ntp >> 14) & 0x00FFFFFF
    ours.extensions.mid = mid
    ours.extensions.audio_level = packet.extensions.audio_level
    return ours


@given(
    known=_maps(),
    packets=st.lists(_packets(), min_size=1, max_size=4),
    payload_type=st.integers(0, 127),
    ssrc=_32,
    mid=st.none() | st.text("abc0123456789", min_size=1, max_size=20),
    numbers=st.tuples(_16, _32, _64),
)
def test_the_bytes_are_those_that_aiortc_would_write(
    known: rtp.HeaderExtensionsMap,
    packets: list[rtp.RtpPacket],
    payload_type: int,
    ssrc: int,
    mid: str | None,
    numbers: tuple[int, int, int],
) -> None:
    layout = onward.Layout(payload_type, ssrc, mid, known)
    number, timestamp, ntp = numbers
    for packet in packets:
        going = onward.Onward(packet, ntp)
        slow = _as_aiortc(packet, known, (payload_type, ssrc, mid, number, timestamp, ntp))
        expected, found = slow.serialize(known), layout.data(going, number, timestamp)
        unpadded = len(expected) - packet.padding_size
        assert len(found) == len(expected)
        assert found[:unpadded] == expected[:unpadded]
        assert found[-1:] == expected[-1:]
        kept = layout.packet(going, number, timestamp)
        assert vars(kept) == vars(slow)


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
def test_the_time_is_that_of_aiortc(seconds: int, microseconds: int) -> None:
    theirs = clock.datetime_to_ntp(
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=microseconds)
    )
    assert onward.ntp((seconds * 1_000_000 + microseconds) * 1000) == theirs
