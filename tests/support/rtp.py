"""One sender's media as RTP packets: a moving picture and a tone, encoded once, cut to packets as browsers do."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np

#: Of the pictures, and of one sound.
FRAMES_PER_SECOND = 15
SOUND_SECONDS = 0.02
WHOLE_EVERY = 30
_MTU = 600


@dataclass
class Packet:
    """As telehealth.media.taps.Packet."""

    sequence_number: int
    timestamp: int
    marker: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True)
class Sent:
    """A packet and when it was sent, in seconds."""

    kind: str
    packet: Packet
    at: float

    def later(self, seconds: float) -> Sent:
        return replace(self, at=self.at + seconds)


@functools.cache
def pictures(seconds: float, width: int = 320, height: int = 240) -> tuple[tuple[bytes, bool], ...]:
    """VP8 frames and whether they are whole: a square that moves, a whole picture every two seconds."""
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, FRAMES_PER_SECOND)
    encoder.bit_rate = 300_000
    encoder.gop_size = WHOLE_EVERY
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "keyint_min": str(WHOLE_EVERY)}
    found = []
    for number in range(int(seconds * FRAMES_PER_SECOND)):
        image = np.full((height, width, 3), 40, np.uint8)
        at = number * 7 % (width - 60)
        image[60:120, at : at + 60] = (200, 80 + number % 100, 40)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, encoder.time_base
        found += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    found += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(None)]
    return tuple(found)


@functools.cache
def sounds(seconds: float) -> tuple[bytes, ...]:
    """Opus packets of 20 ms: a tone of 440 Hz."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo", "s16"
    encoder.bit_rate = 32_000
    samples = int(48_000 * SOUND_SECONDS)
    found = []
    for number in range(int(seconds / SOUND_SECONDS)):
        times = (np.arange(samples) + number * samples) / 48_000
        wave = (np.sin(times * 2 * np.pi * 440) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, number * samples
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(found)


def video(
    seconds: float, *, kind: str = "video", ssrc: int = 1111, first: int = 65_500, size: tuple[int, int] = (320, 240)
) -> Iterator[Sent]:
    """Packets of the pictures; numbers wrap around early on."""
    number = first
    for index, (data, _) in enumerate(pictures(seconds, *size)):
        parts = [data[at : at + _MTU] for at in range(0, len(data), _MTU)]
        for place, part in enumerate(parts):
            # An extended descriptor with a picture id of 15 bits, as Chromium's.
            descriptor = bytes([0x90 if place == 0 else 0x80, 0x80, 0x80 | index >> 8 & 0x7F, index & 0xFF])
            packet = Packet(
                number & 0xFFFF,
                (4_294_900_000 + index * 90_000 // FRAMES_PER_SECOND) & 0xFFFFFFFF,
                int(place == len(parts) - 1),
                ssrc,
                descriptor + part,
            )
            yield Sent(kind, packet, index / FRAMES_PER_SECOND + place * 0.0001)
            number += 1


def audio(seconds: float, *, ssrc: int = 2222, first: int = 65_530) -> Iterator[Sent]:
    """Packets of the tone."""
    for index, data in enumerate(sounds(seconds)):
        packet = Packet((first + index) & 0xFFFF, (index * 960 + 4_294_960_000) & 0xFFFFFFFF, 0, ssrc, data)
        yield Sent("audio", packet, index * SOUND_SECONDS)


def sent(seconds: float) -> list[Sent]:
    """Sound and pictures in the order of their sending."""
    return sorted([*audio(seconds), *video(seconds)], key=lambda one: one.at)
