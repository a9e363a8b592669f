"""Whether aiortc is what media.inside was written against: tried at the start of each worker, within its process."""

from __future__ import annotations

import asyncio
import importlib.metadata
from typing import Any

import aioice
import aiortc
import pylibsrtp
from aiortc import rtp
from aiortc.rtcdtlstransport import State

from telehealth.media import arrivals, inside, onward, sequence


class DoesNotFit(Exception):
    """aiortc is not what this module was written against."""


class Wire:
    """A transport that keeps what is sent: all in one, from DTLS to the socket."""

    state = "connected"
    _state = State.CONNECTED
    _stats_id = "wire"
    remote_addr = ("192.0.2.1", 9)

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self._rtp_router = aiortc.rtcdtlstransport.RtpRouter()
        self.transport = self._connection = self.protocol = self._tx_srtp = self
        self._nominated = {1: self}

    def protect(self, data: bytes) -> bytes:
        return data

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append(data)

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append(data)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None  # registering, and its like


async def self_test() -> None:
    """Forwards a few packets within this process. Raises DoesNotFit."""
    for package, version in inside.VERSIONS.items():
        if importlib.metadata.version(package) != version:
            raise DoesNotFit(f"{package} is not {version}")
    try:
        await asyncio.wait_for(_forward_some(), 5)
    except DoesNotFit:
        raise
    except Exception as error:
        raise DoesNotFit(f"the self-test failed: {type(error).__name__}") from error


async def _forward_some() -> None:
    up: Any = Wire()
    down: Any = Wire()
    receiver = aiortc.RTCRtpReceiver("video", up)
    sender = aiortc.RTCRtpSender("video", down)
    connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    transport: Any = connection.addTransceiver("video").sender.transport
    missing = [name for name in inside.OF_RECEIVER if not hasattr(receiver, name)]
    missing += [name for name in inside.OF_SENDER if not hasattr(sender, name)]
    below = transport.transport._connection
    names = (
        *("remote_username", "remote_password", "local_username", "_nominated", "_protocols"),
        *("check_incoming", "_valid_username", "build_request"),
    )
    missing += [name for name in names if not hasattr(below, name)]
    missing += [name for name in ("_state", "_tx_srtp", "_recv_next") if not hasattr(transport, name)]
    missing += [name for name in ("remote_addr",) if not hasattr(aioice.ice.CandidatePair, name)]
    missing += [name for name in ("protect",) if not hasattr(pylibsrtp.Session, name)]
    router = getattr(transport, "_rtp_router", None)
    if not isinstance(getattr(router, "ssrc_table", None), dict):
        missing.append("ssrc_table")
    if not hasattr(router, "route_rtp"):
        missing.append("route_rtp")
    await connection.close()
    if missing:
        raise DoesNotFit(f"{', '.join(sorted(missing))} are not there")
    outlet = inside.Outlet(
        sender, wants_picture=lambda: None, heard_estimate=lambda _: None, reported=lambda _: None, alive=lambda: None
    )

    def heard(packet: rtp.RtpPacket) -> None:
        outlet.send(onward.Onward(packet, onward.ntp_now()), 0.0)

    inlet = inside.Inlet(receiver, heard, alive=lambda: None, line=arrivals.Arrivals(), estimate=lambda own: own)
    codecs = [aiortc.RTCRtpCodecParameters("video/VP8", 90000, None, 97)]
    codecs.append(aiortc.RTCRtpCodecParameters("video/rtx", 90000, None, 98, parameters={"apt": 97}))
    setattr(receiver, "_track", aiortc.rtcrtpreceiver.RemoteStreamTrack("video"))  # noqa: B010  # as a remote one is set
    try:
        await sender.send(aiortc.rtcrtpparameters.RTCRtpSendParameters(codecs=codecs, muxId="0"))
        for _ in range(3):
            await asyncio.sleep(0)
        await _through(receiver, sender, inlet, down)
    finally:
        await sender.stop()
        await receiver.stop()
    if outlet.ready:
        raise DoesNotFit("a sender does not stop")


async def _through(receiver: Any, sender: Any, inlet: inside.Inlet, down: Wire) -> None:
    repairs = aiortc.rtcrtpparameters.RTCRtpRtxParameters(8)
    encodings = [aiortc.rtcrtpparameters.RTCRtpDecodingParameters(7, 97, repairs)]
    codecs = [aiortc.RTCRtpCodecParameters("video/VP8", 90000, None, 97)]
    receiver._set_rtcp_ssrc(9)
    await receiver.receive(aiortc.rtcrtpparameters.RTCRtpReceiveParameters(codecs=codecs, encodings=encodings))
    if receiver.transport._rtp_router.ssrc_table.get(8) is not receiver:
        raise DoesNotFit("retransmissions do not find their picture")
    for number in (65534, 65535, 1):
        await receiver._handle_rtp_packet(rtp.RtpPacket(97, 0, number, 3000, 7, b"\x10\x00picture"), 0)
    sent = [rtp.RtpPacket.parse(data) for data in down.sent if not rtp.is_rtcp(data)]
    if [sequence.ahead(one.sequence_number, sent[0].sequence_number) for one in sent] != [0, 1, 3]:
        raise DoesNotFit("packets do not come through in order")
    if any(one.payload != b"\x10\x00picture" or one.ssrc != sender._ssrc for one in sent):
        raise DoesNotFit("packets do not come through as they are")
    if inlet.missing != {0} or inlet.counts() != (4, 3):
        raise DoesNotFit("a gap is not seen")
    nack = rtp.RtcpRtpfbPacket(fmt=rtp.RTCP_RTPFB_NACK, ssrc=1, media_ssrc=sender._ssrc)
    nack.lost = [sent[1].sequence_number]
    await sender._handle_rtcp_packet(nack)
    again = rtp.RtpPacket.parse(down.sent[-1])
    if again.payload_type != 98 or again.payload[2:] != b"\x10\x00picture":
        raise DoesNotFit("a lost packet is not repeated")
