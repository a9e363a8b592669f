"""What viewers ask for again, and what browsers are asked for: as often as helps, whatever somebody sends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import aiortc
import pytest
from aiortc import rtp

from telehealth.media import arrivals, fitting, inside, onward, sequence, source


@dataclass
class Sending:
    outlet: inside.Outlet
    sender: Any
    wire: fitting.Wire


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    """A slot whose numbers are about to begin anew."""
    wire: Any = fitting.Wire()
    sender: Any = aiortc.RTCRtpSender("video", wire)
    outlet = inside.Outlet(
        sender, wants_picture=lambda: None, heard_estimate=lambda _: None, reported=lambda _: None, alive=lambda: None
    )
    codecs = [aiortc.RTCRtpCodecParameters("video/VP8", 90000, None, 97)]
    codecs.append(aiortc.RTCRtpCodecParameters("video/rtx", 90000, None, 98, parameters={"apt": 97}))
    await sender.send(aiortc.rtcrtpparameters.RTCRtpSendParameters(codecs=codecs, muxId="0"))
    while not outlet.ready:  # noqa: ASYNC110  # aiortc's own task begins
        await asyncio.sleep(0)
    outlet._numbers = sequence.Numbers(65534, 0, 90000)
    yield Sending(outlet, sender, wire)
    await sender.stop()


async def test_what_is_lost_where_numbers_begin_anew_is_repeated(sending: Sending) -> None:
    for number in range(4):
        packet = rtp.RtpPacket(97, 0, number, 3000, 7, b"\x10\x00picture")
        sending.outlet.send(onward.Onward(packet, onward.ntp_now()), 0.0)
    sent = [rtp.RtpPacket.parse(data).sequence_number for data in sending.wire.sent]
    assert sent == [65534, 65535, 0, 1]
    sending.wire.sent.clear()
    # As browsers write it: the first number, and a bit for each that follows it.
    asked = struct.pack("!LLHH", 1, sending.sender._ssrc, 65534, 0b111)
    await sending.sender._handle_rtcp_packet(rtp.RtcpRtpfbPacket.parse(asked, rtp.RTCP_RTPFB_NACK))
    again = [rtp.RtpPacket.parse(data) for data in sending.wire.sent]
    assert [struct.unpack("!H", packet.payload[:2])[0] for packet in again] == sent


@pytest.mark.parametrize("error", [RuntimeError, AssertionError, OSError, struct.error])
async def test_a_viewer_who_cannot_be_sent_to_is_nobody_elses_trouble(sending: Sending, error: type[Exception]) -> None:
    """uvloop raises where a socket is closed, aiortc where an offer asked for what cannot be written."""

    def fails(*_: Any) -> None:
        raise error

    cast(Any, sending.wire).sendto = fails
    packet = rtp.RtpPacket(97, 0, 1, 3000, 7, b"\x10\x00picture")
    sending.outlet.send(onward.Onward(packet, onward.ntp_now()), 0.0)
    assert sending.outlet.sent_packets == 0


class Asked:
    """In place of what comes in: counts what is asked of the browser."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.missing: set[int] = set()
        self.pictures = 0

    async def ask_picture(self) -> bool:
        self.pictures += 1
        return True


async def test_a_browser_is_asked_for_whole_pictures_twice_a_second_however_many_want_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inside, "Inlet", Asked)
    nothing: Any = None
    camera = source.Source("video", nothing, lambda *_: None, lambda: None, arrivals.Arrivals(), lambda own: own)
    camera.open = True
    asked: Any = camera._inlet
    for tick in range(500):
        for _ in range(20):
            camera.want_picture()
        await camera.tick(tick * 0.02, 0.05)
    assert 10 <= asked.pictures <= 21


async def test_a_browser_that_sends_none_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "Inlet", Asked)
    nothing: Any = None
    camera = source.Source("video", nothing, lambda *_: None, lambda: None, arrivals.Arrivals(), lambda own: own)
    camera.open = True
    asked: Any = camera._inlet
    for tick in range(1000):
        await camera.tick(tick * 0.02, 0.05)
    assert asked.pictures == 6


async def test_what_was_lost_before_a_pause_is_not_said_of_the_time_after(sending: Sending) -> None:
    """Nothing is reported of somebody who is muted: the last report would stand for as long."""
    for number in range(10):
        packet = rtp.RtpPacket(97, 0, number, 3000, 7, b"\x10\x00picture")
        sending.outlet.send(onward.Onward(packet, onward.ntp_now()), 0.0)
    for newest in (65534, 6):
        report = rtp.RtcpReceiverInfo(sending.sender._ssrc, 128, 4, newest, 0, 0, 0)
        await sending.sender._handle_rtcp_packet(rtp.RtcpRrPacket(1, [report]))
    assert sending.outlet.loss == 0.5
    sending.outlet.restart()
    assert sending.outlet.loss == 0
