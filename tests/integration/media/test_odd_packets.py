"""Whatever comes to a worker's ports, from strangers or from somebody's browser, the others' visit goes on."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from typing import Any

import pytest
from aioice import stun
from aiortc import rtp

from telehealth.consult import process
from telehealth.model.media import Allowed, Connected, Refused
from tests.integration.media.callers import Caller
from tests.integration.media.conftest import Visit


def _ports(caller: Caller) -> list[tuple[str, int]]:
    """Where the worker hears this caller."""
    lines = [line.split() for line in caller.connection.remoteDescription.sdp.splitlines() if "candidate:" in line]
    return [(words[4], int(words[5])) for words in lines if ":" not in words[4]]


def _stun(attribute: int, value: bytes) -> bytes:
    """A check with one attribute, of whatever length."""
    body = struct.pack("!HH", attribute, len(value)) + value + bytes(-len(value) % 4)
    return struct.pack("!HHI12s", 0x0001, len(body), stun.COOKIE, secrets.token_bytes(12)) + body


def _strange() -> list[bytes]:
    numbers = list(stun.ATTRIBUTES_BY_TYPE)
    checks = [_stun(number, value) for number in numbers for value in (b"", b"\x01", b"\x00\x09" + bytes(6), bytes(40))]
    first = [
        bytes([byte]) * length for byte in (0, 1, 0x16, 0x80, 0x81, 0xBF, 0xFF) for length in (1, 2, 12, 1500, 1600)
    ]
    return [b"", *first, *checks]


async def test_strangers_end_nobodys_visit(visit: Visit) -> None:
    """Somebody who looks which ports are open sends an empty datagram to each."""
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for address in [*_ports(one), *_ports(two)]:
            for data in _strange():
                stranger.sendto(data, address)
                await asyncio.sleep(0)
    await asyncio.gather(one.sees(2, more=10), two.sees(1, more=10), one.hears(2), two.hears(1))
    assert {event.how for event in visit.watched.events if isinstance(event, Connected)} == {"up"}


async def _send(caller: Caller, data: bytes) -> None:
    await caller.camera.sender.transport._send_rtp(data)


def _codec(caller: Caller) -> int:
    return _types(caller.camera)[0]


def _types(line: Any) -> list[int]:
    """Payload types: of the codec, and of repetitions."""
    return [codec.payloadType for codec in line._codecs]


async def test_a_browsers_odd_packets_end_nothing(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    sender: Any = two.camera.sender
    stranger = sender._ssrc ^ 1  # under its own numbers: SRTP refuses what is too old
    for number in range(1, 15):
        for value in (b"\xff", b"\xff" * 16):
            base = rtp.RtpPacket(_codec(two), 0, number, 1, stranger, b"\x10\x00x").serialize()
            header, payload = bytes([base[0] | 0x10]) + base[1:12], base[12:]
            extension = bytes([number << 4 | len(value) - 1]) + value
            extension += bytes(-len(extension) % 4)
            await _send(two, header + struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension + payload)
    for fci in (b"REMB\xff\xff\xff\xff", b"REMB" + bytes(4), b"REMB\x01\xff\xff\xff" + bytes(4), b"", b"xxxx" * 300):
        await _send(two, bytes(rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_APP, 1, 0, fci)))
    receivers = [line.receiver for line in two.connection.getTransceivers() if line.direction == "recvonly"]
    for ssrc in {stream for receiver in receivers for stream in _heard(receiver)} | {12345}:
        everything = rtp.RtcpRtpfbPacket(rtp.RTCP_RTPFB_NACK, 1, ssrc, list(range(0, 65536, 17))[:300])
        await _send(two, bytes(everything))
        for _ in range(50):
            await _send(two, bytes(rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_PLI, 1, ssrc)))
    await _send(two, bytes(rtp.RtcpByePacket([sender._ssrc])))
    await asyncio.gather(one.sees(2, more=10), two.sees(1, more=10))
    assert {event.how for event in visit.watched.events if isinstance(event, Connected)} == {"up"}


def _heard(receiver: Any) -> list[int]:
    return list(receiver._RTCRtpReceiver__remote_streams)


async def test_a_viewer_who_asks_for_what_cannot_be_written_takes_it_from_nobody_else(visit: Visit) -> None:
    """Identifiers of header extensions are one byte; what is sent to a viewer has those of the viewer's own offer."""
    one, two = await visit.join(1), await visit.join(2)
    odd = Caller(3)
    visit.people[3] = odd
    offer = await odd.offer()
    numbers = sorted({line.split()[0].removeprefix("a=extmap:") for line in offer.splitlines() if "a=extmap:" in line})
    for number in numbers:
        offer = offer.replace(f"a=extmap:{number} ", f"a=extmap:{number}00 ")
    with contextlib.suppress(Refused):
        answer = await visit.workers.join(visit.room, 3, offer, Allowed())
        sdp = answer.sdp
        for number in numbers:
            sdp = sdp.replace(f"a=extmap:{number}00 ", f"a=extmap:{number} ")
        await odd.take(sdp)
        await visit.watched.connected(3)
    four = await visit.join(4)
    await asyncio.gather(one.sees(2, more=10), two.sees(1, more=10), one.hears(2), four.sees(1), four.sees(2))
    assert {event.how for event in visit.watched.events if isinstance(event, Connected)} == {"up"}
    await odd.close()


async def test_repetitions_that_repeat_nothing_harm_nobody_else(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    sender: Any = two.camera.sender
    repeated = _types(two.camera)[1]
    for number, payload in enumerate([b"", b"\x01", b"\x80\x00", b"\x7f\xff\x10\x00x", secrets.token_bytes(900)]):
        await _send(two, rtp.RtpPacket(repeated, 1, number, 5, sender._rtx_ssrc, payload).serialize())
    await asyncio.gather(two.sees(1, more=10), one.hears(2))
    assert {event.how for event in visit.watched.events if isinstance(event, Connected)} == {"up"}


async def test_whoever_sends_under_ever_new_numbers_is_hung_up_on(visit: Visit, worker: process.Process) -> None:
    """Each is remembered for as long as the transport is there: aiortc's reports of more than 255 cannot be written."""
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    voice = _types(two.connection.getTransceivers()[0])[0]
    for number in range(300):
        with_another = rtp.RtpPacket(voice, 0, 1, 1, 1_000_000 + number, b"voice")
        try:
            await _send(two, with_another.serialize())
        except ConnectionError:
            break
        await asyncio.sleep(0)
    await visit.watched.connected(2, "down")
    await visit.watched.until(lambda: one.mid_of(2, "audio") is None)
    three = await visit.join(3)
    await asyncio.gather(one.sees(3), three.sees(1))


@pytest.mark.parametrize("step", [30_000, 32_767])
async def test_a_browser_that_jumps_keeps_nobody_waiting(visit: Visit, worker: process.Process, step: int) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await visit.join(3)
    await asyncio.gather(one.sees(2), two.sees(1), one.sees(3))
    sender: Any = two.camera.sender
    repeated = _types(two.camera)[1]
    number = 0
    for again in range(500):
        number = (number + step) & 0xFFFF
        # As a repetition, whose own number SRTP has nothing against.
        payload = struct.pack("!H", number) + b"\x00\x00x"
        await _send(two, rtp.RtpPacket(repeated, 0, again, 1, sender._rtx_ssrc, payload).serialize())
    await one.sees(3, more=10)
    worker.said.clear()
    await worker.said.wait()
    assert worker.status.lag < 0.5
