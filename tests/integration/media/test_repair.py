"""Packets that get lost on the way to a worker are asked for again, and again."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from aiortc import rtp

from telehealth.media import sequence
from tests.integration.media.callers import Caller
from tests.integration.media.conftest import Visit


class Lossy:
    """The way up from a caller: each eighth packet of the picture is lost, and so is its first retransmission."""

    def __init__(self, caller: Caller) -> None:
        self.lost: set[int] = set()
        self.repeated: Counter[int] = Counter()
        self._pictures = 0
        sender: Any = caller.camera.sender
        self._ssrcs = {sender._ssrc: "picture", sender._rtx_ssrc: "again"}
        self._transport = sender.transport
        self._stock = self._transport._send_rtp
        self._transport._send_rtp = self._send

    async def _send(self, data: bytes) -> None:
        if not rtp.is_rtcp(data):
            packet = rtp.RtpPacket.parse(data)
            which = self._ssrcs.get(packet.ssrc)
            if which == "picture":
                self._pictures += 1
                if self._pictures > 20 and self._pictures % 8 == 0:
                    self.lost.add(packet.sequence_number)
                    return
            elif which == "again":
                number = int.from_bytes(packet.payload[:2], "big")
                self.repeated[number] += 1
                if self.repeated[number] == 1:
                    return
        await self._stock(data)


async def test_a_lost_packet_is_asked_for_until_it_comes(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    mid = one.mid_of(2, "video")
    assert mid is not None
    packets = one.listen(mid)
    way = Lossy(two)
    await one.until(lambda: sum(count >= 2 for count in way.repeated.values()) >= 5 and len(packets) > 60)
    assert max(way.repeated.values()) <= 6, "but not for ever"
    # What was repaired reached the viewer under its own number: there are fewer gaps than losses.
    numbers = {packet.sequence_number for packet in packets if len(packet.payload) > 2}
    first = packets[0].sequence_number
    span = max(sequence.ahead(number, first) for number in numbers) + 1
    assert span - len(numbers) < len(way.lost)


async def test_what_never_comes_is_replaced_by_a_whole_picture(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    mid = one.mid_of(2, "video")
    assert mid is not None
    sender: Any = two.camera.sender
    stock = sender.transport._send_rtp
    gone: set[int] = set()

    async def send(data: bytes) -> None:
        packet = None if rtp.is_rtcp(data) else rtp.RtpPacket.parse(data)
        if packet is not None and packet.ssrc == sender._ssrc and (len(gone) < 3 or packet.sequence_number in gone):
            gone.add(packet.sequence_number)
            return
        if packet is not None and packet.ssrc == sender._rtx_ssrc:
            return  # nothing is ever repeated
        await stock(data)

    packets = one.listen(mid)
    sender.transport._send_rtp = send
    await one.until(lambda: any(sequence.vp8_key(packet.payload) for packet in packets))
    assert len(gone) == 3


async def test_a_viewer_who_was_cut_off_gets_a_whole_picture_not_old_pieces(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    mid = one.mid_of(2, "video")
    assert mid is not None
    packets = one.listen(mid)
    await one.until(lambda: len(packets) > 1 and (packets[-1].timestamp - packets[0].timestamp) % 2**32 > 1.5 * 90_000)
    old, heard = packets[0], len(packets)
    receiver: Any = next(t.receiver for t in one.connection.getTransceivers() if t.mid == mid)
    await receiver._send_rtcp_nack(old.ssrc, [old.sequence_number])
    await one.until(lambda: any(sequence.vp8_key(packet.payload) for packet in packets[heard:]))
    assert old.sequence_number not in {packet.sequence_number for packet in packets[heard:]}
