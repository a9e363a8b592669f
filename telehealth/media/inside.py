"""The one module that reaches into what aiortc keeps to itself; media.fitting tests that it still fits.

aiortc decodes whatever it receives and encodes whatever it sends; a room must do neither. Its receiver is left as it
is, up to the jitter buffer, which is replaced by a tap: decryption, retransmissions, NACKs, reports and the bandwidth
estimate stay aiortc's. Its sender is left as it is, except for the loop that pulls frames from a track: history,
answers to NACKs and reports stay aiortc's, and packets are put into it from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import aiortc
import pylibsrtp
from aiortc import rtp
from aiortc.rtcdtlstransport import State

from telehealth import clock, log
from telehealth.media import arrivals, gaps, onward, repeats, sequence

_log = log.get("media")

#: What this module was written against, and pyproject.toml pins.
VERSIONS: Final = {"aiortc": "1.16.0", "aioice": "0.13.0", "av": "18.1.0", "pylibsrtp": "1.0.0"}

_R: Final = "_RTCRtpReceiver__"
_S: Final = "_RTCRtpSender__"
OF_RECEIVER: Final = (
    *(_R + name for name in ("jitter_buffer", "nack_generator", "remote_bitrate_estimator", "remote_streams")),
    *("_handle_rtp_packet", "_handle_rtcp_packet", "_send_rtcp", "_send_rtcp_nack", "_send_rtcp_pli", "_track"),
    "_handle_disconnect",
)
OF_SENDER: Final = (
    *(_S + name for name in ("rtp_started", "rtp_exited", "rtp_history", "rtp_header_extensions_map", "mid")),
    *(_S + name for name in ("ntp_timestamp", "rtp_timestamp", "packet_count", "octet_count")),
    *("_run_rtp", "_send_keyframe", "_handle_rtcp_packet", "_send_rtcp", "_retransmit", "_ssrc", "_stream_id"),
)

#: A browser sends a voice and two pictures, the pictures with repetitions under numbers of their own.
_MOST_SOURCES: Final = 32
#: What a packet of somebody's can make aiortc raise; not what its own state does, such as a connection that is gone.
_ODD: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, struct.error)
#: A report or a packet that cannot be sent now is lost, as others are.
_UNSENT: Final = (OSError, RuntimeError, ValueError, struct.error, pylibsrtp.Error)

#: By which a browser is reached, and whose names are kept.
_MOST_ADDRESSES: Final = 64

#: Of our reports, to know which one a viewer answers.
_REPORTS_KEPT: Final = 8
#: What reports of a sender are made of.
_NTP_TIME, _RTP_TIME, _PACKETS, _BYTES = (
    sys.intern(_S + name) for name in ("ntp_timestamp", "rtp_timestamp", "packet_count", "octet_count")
)


class Inlet:
    """A receiver whose packets are handed on instead of being decoded.

    heard is called with each packet that arrives, retransmitted ones unwrapped. alive is called for whatever arrives,
    reports as well. line: judges the line by all pictures that come by it. estimate: what to tell the sender instead of
    that, both in bit/s.
    """

    def __init__(
        self,
        receiver: aiortc.RTCRtpReceiver,
        heard: Callable[[rtp.RtpPacket], None],
        *,
        alive: Callable[[], None],
        line: arrivals.Arrivals,
        estimate: Callable[[int], int],
    ) -> None:
        self._receiver = cast(Any, receiver)
        self._heard, self._alive, self._estimate = heard, alive, estimate
        self._stock_packet = self._receiver._handle_rtp_packet
        self._stock_report = self._receiver._handle_rtcp_packet
        self._stock_send = self._receiver._send_rtcp
        self._stock_receive = self._receiver.receive
        self._taken: list[rtp.RtpPacket] = []
        self.ssrc: int | None = None
        setattr(receiver, _R + "jitter_buffer", self)
        self._gaps = gaps.Gaps() if getattr(receiver, _R + "nack_generator") is not None else None
        setattr(receiver, _R + "nack_generator", self._gaps)
        if getattr(receiver, _R + "remote_bitrate_estimator") is not None:
            setattr(receiver, _R + "remote_bitrate_estimator", line)
        self._receiver._handle_rtp_packet = self._packet
        self._receiver._handle_rtcp_packet = self._report
        self._receiver._send_rtcp = self._send
        self._receiver.receive = self._receive

    async def _receive(self, parameters: Any) -> None:
        """Retransmissions have a source number of their own, which aiortc only finds out where one picture is sent."""
        await self._stock_receive(parameters)
        sources = self._receiver.transport._rtp_router.ssrc_table
        for encoding in parameters.encodings:
            if encoding.rtx is not None:
                sources[encoding.rtx.ssrc] = self._receiver

    def add(self, packet: rtp.RtpPacket) -> tuple[bool, None]:
        """As the jitter buffer that this stands for: no picture is lost, and none complete."""
        self._taken.append(packet)
        return False, None

    async def _packet(self, packet: rtp.RtpPacket, arrival_time_ms: int) -> None:
        self._alive()
        await self._stock_packet(packet, arrival_time_ms)
        taken, self._taken = self._taken, []
        for one in taken:
            self.ssrc = one.ssrc
            self._heard(one)

    async def _report(self, packet: Any) -> None:
        self._alive()
        if not isinstance(packet, rtp.RtcpByePacket):  # a track may come again; the transport says when all is over
            await self._stock_report(packet)

    async def _send(self, packet: Any) -> None:
        if isinstance(packet, rtp.RtcpPsfbPacket) and packet.fmt == rtp.RTCP_PSFB_APP:
            with contextlib.suppress(ValueError):
                estimate, ssrcs = rtp.unpack_remb_fci(packet.fci)
                packet.fci = rtp.pack_remb_fci(self._estimate(estimate), ssrcs)
        with contextlib.suppress(*_UNSENT):
            await self._stock_send(packet)

    @property
    def missing(self) -> set[int]:
        """Sequence numbers of packets that were asked for again and have not come; those of pictures only."""
        return self._gaps.missing if self._gaps is not None else set()

    async def ask_again(self, missing: list[int]) -> None:
        if self.ssrc is not None:
            await self._receiver._send_rtcp_nack(self.ssrc, missing)

    async def ask_picture(self) -> bool:
        """Ask for a whole picture; False: nothing has come yet of which one could be asked."""
        if self.ssrc is None:
            return False
        await self._receiver._send_rtcp_pli(self.ssrc)
        return True

    def counts(self) -> tuple[int, int]:
        """Packets that should have arrived, and that did, since the beginning."""
        streams = getattr(self._receiver, _R + "remote_streams").values()
        return sum(s.packets_expected for s in streams), sum(s.packets_received for s in streams)


class _Way:
    """To a viewer's socket at once: aiortc and aioice have coroutines on this way, none of which ever waits."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._nominated: dict[int, Any] = transport.transport._connection._nominated
        self._pair: Any = None

    def send(self, data: bytes) -> None:
        """Raises ConnectionError where there is no way, pylibsrtp.Error or ValueError where it cannot be encrypted."""
        if self._transport._state is not State.CONNECTED:
            raise ConnectionError
        pair = self._nominated.get(1)
        if pair is not self._pair or pair is None:
            if pair is None:
                raise ConnectionError
            self._pair, self._address = pair, pair.remote_addr
            self._socket = pair.protocol.transport
        self._socket.sendto(self._transport._tx_srtp.protect(data), self._address)


@dataclass(frozen=True)
class Report:
    """What a viewer's browser says of one slot. packets: sent since its last report; lost: of them, on this way.

    behind: seconds since the newest packet that it has was sent; None: that was too long ago to tell.
    """

    packets: int
    lost: float
    behind: float | None


class Outlet:
    """A sender that sends what it is given.

    wants_picture: the viewer has lost a picture. heard_estimate: what their line carries, in bit/s. reported: what
    arrived of this slot.
    """

    def __init__(
        self,
        sender: aiortc.RTCRtpSender,
        *,
        wants_picture: Callable[[], None],
        heard_estimate: Callable[[int], None],
        reported: Callable[[Report], None],
        alive: Callable[[], None],
    ) -> None:
        self._sender = cast(Any, sender)
        self._wants_picture, self._heard_estimate, self._alive = wants_picture, heard_estimate, alive
        self._reported = reported
        self._stock_report = self._sender._handle_rtcp_packet
        self._stock_send = self._sender._send_rtcp
        self._stock_repeat = self._sender._retransmit
        self._history: dict[int, rtp.RtpPacket] = getattr(sender, _S + "rtp_history")
        #: What was sent last, by its number, as far as is needed to send it again.
        self._kept: list[tuple[int, int, onward.Onward] | None] = [None] * rtp.RTP_HISTORY_SIZE
        self._values = vars(sender)
        self._layout: onward.Layout | None = None
        self._way: _Way | None = None
        self._numbers: sequence.Numbers | None = None
        #: Without anybody's media it sends nothing, not even reports.
        self.in_use = False
        self.sent_packets = self.sent_bytes = 0
        #: As the viewer last reported, 0 to 1.
        self.loss = 0.0
        #: Seconds, by the viewer's last report, and when that was.
        self.round_trip: float | None = None
        self.reported_at = 0.0
        self._reports: dict[int, float] = {}
        self._newest: int | None = None
        self._repeats = repeats.Repeats()
        self._sender._run_rtp = self._run
        self._sender._retransmit = self._repeat
        self._sender._send_keyframe = wants_picture
        self._sender._handle_rtcp_packet = self._report
        self._sender._send_rtcp = self._send_reports

    @property
    def ready(self) -> bool:
        return self._layout is not None

    async def _run(self, codec: Any) -> None:
        sender = self._sender
        getattr(sender, _S + "rtp_started").set()
        extensions, mid = getattr(sender, _S + "rtp_header_extensions_map"), getattr(sender, _S + "mid")
        self._numbers = sequence.Numbers(secrets.randbelow(16384), secrets.randbits(32), codec.clockRate)
        self._way = _Way(sender.transport)
        self._layout = onward.Layout(codec.payloadType, sender._ssrc, mid, extensions)
        self._wants_picture()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            pass  # as aiortc's own loop: whoever stops it waits for the event below
        self._layout = None
        getattr(sender, _S + "rtp_exited").set()

    async def _report(self, packet: Any) -> None:
        self._alive()
        if isinstance(packet, rtp.RtcpPsfbPacket) and packet.fmt == rtp.RTCP_PSFB_APP:
            with contextlib.suppress(ValueError):
                self._heard_estimate(rtp.unpack_remb_fci(packet.fci)[0])
        elif isinstance(packet, rtp.RtcpRrPacket | rtp.RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self._sender._ssrc:
                    self._take(report)
        with contextlib.suppress(ConnectionError, pylibsrtp.Error):
            await self._stock_report(packet)

    def _take(self, report: Any) -> None:
        now = clock.monotonic()
        asked = self._reports.get(report.lsr)
        if asked is not None and report.dlsr:
            self.round_trip, self.reported_at = max(0.0, now - asked - report.dlsr / 65536), now
        number = report.highest_sequence & 0xFFFF
        packets = sequence.ahead(number, self._newest) if self._newest is not None else 0
        self._newest = number
        packets = min(packets, rtp.RTP_HISTORY_SIZE)
        arrived = max(0, packets) * (1 - report.fraction_lost / 256)
        # Numbers that never reached us were not sent, and are not lost on this way.
        packets = sum(self._was_sent(number - back) for back in range(packets))
        lost = max(0.0, packets - arrived)
        if packets > 0:  # else there is nothing new of which any could be lost
            self.loss = lost / packets
        kept = self._kept[number % rtp.RTP_HISTORY_SIZE]
        behind = None
        if kept is not None and kept[0] == number:
            behind = max(0.0, (onward.ntp_now() - kept[2].ntp) / (1 << 32))
        self._reported(Report(packets, lost, behind))

    def _was_sent(self, number: int) -> bool:
        kept = self._kept[number % rtp.RTP_HISTORY_SIZE]
        return kept is not None and kept[0] == number & 0xFFFF

    async def _send_reports(self, packets: list[Any]) -> None:
        for packet in packets:
            if isinstance(packet, rtp.RtcpSrPacket):
                self._reports[(packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF] = clock.monotonic()
        while len(self._reports) > _REPORTS_KEPT:
            del self._reports[next(iter(self._reports))]
        if self.in_use or any(isinstance(packet, rtp.RtcpByePacket) for packet in packets):
            with contextlib.suppress(*_UNSENT):
                await self._stock_send(packets)

    def restart(self) -> None:
        """What is sent next is of another source, or follows a pause; what was sent before is of no use any more."""
        self._kept = [None] * rtp.RTP_HISTORY_SIZE
        self.loss = 0.0
        if self._numbers is not None:
            self._numbers.restart()

    async def _repeat(self, number: int) -> None:
        """aiortc repeats what is in its history: the packet is put there when it is asked for, which is seldom."""
        number &= 0xFFFF  # aiortc counts on where numbers begin anew
        at = number % rtp.RTP_HISTORY_SIZE
        kept, layout = self._kept[at], self._layout
        if kept is None or kept[0] != number or layout is None:
            return
        if repeats.stale((onward.ntp_now() - kept[2].ntp) / (1 << 32), self.round_trip):
            self._wants_picture()
            return
        if not self._repeats.allows(number, len(kept[2].payload), clock.monotonic(), self.round_trip):
            return
        self._history[at] = layout.packet(kept[2], number, kept[1])
        try:
            await self._stock_repeat(number)
        finally:
            self._history.pop(at, None)

    def send(self, packet: onward.Onward, now: float) -> None:
        """Send a packet under this slot's numbers."""
        layout, numbers, way = self._layout, self._numbers, self._way
        if layout is None or numbers is None or way is None:
            return
        came = packet.packet
        given = numbers.give(came.ssrc, came.sequence_number, came.timestamp, now)
        if given is None:
            return
        number, timestamp = given
        self._kept[number % rtp.RTP_HISTORY_SIZE] = number, timestamp, packet
        try:
            way.send(layout.data(packet, number, timestamp))
        except (*_UNSENT, *_ODD):
            return  # whoever sends, and who else views it, must not suffer by one viewer's way or offer
        self.sent_packets += 1
        self.sent_bytes += len(packet.payload)
        self._repeats.sent(len(packet.payload))
        values = self._values
        values[_NTP_TIME], values[_RTP_TIME] = packet.ntp, timestamp
        values[_PACKETS], values[_BYTES] = self.sent_packets, self.sent_bytes


def name_stream(sender: aiortc.RTCRtpSender, name: str) -> None:
    """Voice and picture under one name are shown in step by the browser."""
    sender._stream_id = name


class Checks:
    """Checks of the ways between us and a browser (ICE). alive is called whenever the browser makes one, media or not.

    The browser, and nobody else who knows the address: a check counts when its password, which is ours, was right.
    A browser that restarts goes on with the ways that it has, under the name that they began with, until it has found a
    better one, which may be never. To aiortc, which has no restart of its own, only the newest name is right.
    """

    def __init__(self, transport: Any, ufrag: str, password: str, alive: Callable[[], None]) -> None:
        """transport: an RTCDtlsTransport whose addresses are known; ufrag, password: what its browser calls itself."""
        self._alive = alive
        self._passwords = {ufrag: password.encode()}
        self._names: dict[tuple[str, int], str] = {}
        connection = self._connection = transport.transport._connection
        self._stock_check, self._stock_request = connection.check_incoming, connection.build_request
        connection._valid_username, connection.check_incoming = self._knows, self._check
        connection.build_request = self._request
        for protocol in connection._protocols:
            protocol.request = self._signed(protocol.request)

    def restart(self, ufrag: str, password: str) -> None:
        """The browser looks for ways under a new name, and answers there to nothing else."""
        self._passwords[ufrag] = password.encode()
        self._connection.remote_username, self._connection.remote_password = ufrag, password

    def _knows(self, username: str) -> bool:
        ours, _, theirs = username.partition(":")
        return ours == self._connection.local_username and theirs in self._passwords

    def _check(self, message: Any, address: Any, protocol: Any) -> None:
        self._alive()
        if len(self._names) >= _MOST_ADDRESSES:
            self._names.clear()  # the next check of each tells it again
        self._names[address[:2]] = message.attributes["USERNAME"].partition(":")[2]
        self._stock_check(message, address, protocol)

    def _request(self, pair: Any, nominate: bool) -> Any:
        request = self._stock_request(pair, nominate)
        name = self._names.get(pair.remote_addr[:2])
        if name is not None:
            request.attributes["USERNAME"] = f"{name}:{self._connection.local_username}"
        return request

    def _signed(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def request(message: Any, address: Any, integrity_key: bytes | None = None, **more: Any) -> Any:
            name = message.attributes.get("USERNAME", "").partition(":")[0]
            return await stock(message, address, integrity_key=self._passwords.get(name, integrity_key), **more)

        return request


def withstand(transport: Any) -> None:
    """No packet ends a transport, or wears the worker down. transport: one whose addresses are known.

    To aiortc any error is the end: an empty datagram from anybody who finds the port was enough, or one longer than it
    can decrypt. And it remembers every source number that a browser ever sends under.
    """
    for protocol in transport.transport._connection._protocols:
        protocol.datagram_received = _forgiving(protocol.datagram_received)
    stock_next, stock_route = transport._recv_next, transport._rtp_router.route_rtp
    sources: set[int] = set()
    told = False

    async def receive() -> None:
        nonlocal told
        try:
            await stock_next()
        except ConnectionError:
            raise
        except _ODD as error:
            if not told:
                told = True
                _log.warning("an odd packet came, and was left out", error=type(error).__name__, where=log.where(error))

    def route(packet: rtp.RtpPacket) -> Any:
        if packet.ssrc not in sources:
            sources.add(packet.ssrc)
            if len(sources) > _MOST_SOURCES:
                _log.warning("a browser sends under more and more numbers: its transport ends")
                raise ConnectionError
        return stock_route(packet)

    transport._recv_next, transport._rtp_router.route_rtp = receive, route


def _forgiving(stock: Callable[[bytes, Any], None]) -> Callable[[bytes, Any], None]:
    """Datagrams that look like checks and are none are nobody's error, and no line in a log each."""

    def received(data: bytes, address: Any) -> None:
        try:
            stock(data, address)
        except _ODD:
            pass

    return received


async def hang_up(connection: aiortc.RTCPeerConnection) -> None:
    """End what close() of a connection did not, because a task of aiortc's did not end: sockets and threads."""
    lines = connection.getTransceivers()
    for line in lines:
        cast(Any, line.receiver)._handle_disconnect()
    for transport in {line.receiver.transport for line in lines}:
        await transport.stop()
        await transport.transport.stop()
