"""A drawn face and a tone, encoded once and played in a loop: what callers send costs no encoder."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

SECONDS = 4
AUDIO_RATE = 48_000
AUDIO_FRAME = 960

_Canvas = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """Encoded frames; the first one is a whole picture. rate: frames a second."""

    frames: Sequence[bytes]
    rate: int


@dataclass(frozen=True)
class Sounds:
    """Opus packets of 20 ms: a tone, and silence. level: of the tone in dBov."""

    tone: Sequence[bytes]
    silence: Sequence[bytes]
    level: int


@functools.cache
def face(seed: int, width: int = 640, height: int = 480, rate: int = 15, bitrate: int = 500_000) -> Clip:
    """Somebody who nods, blinks and talks before a wall; VP8."""
    codec = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate = bitrate
    codec.time_base = Fraction(1, rate)
    codec.framerate = Fraction(rate, 1)
    codec.gop_size = SECONDS * rate
    codec.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}
    frames: list[bytes] = []
    for number, canvas in enumerate(_drawn(seed, width, height, rate)):
        frame = av.VideoFrame.from_ndarray(canvas, format="yuv420p")
        frame.pts, frame.time_base = number, codec.time_base
        frames += [bytes(packet) for packet in codec.encode(frame)]
    frames += [bytes(packet) for packet in codec.encode(None)]
    return Clip(frames, rate)


def _drawn(seed: int, width: int, height: int, rate: int) -> list[_Canvas]:
    dice = random.Random(seed)
    skin, wall, lean = dice.randint(120, 200), dice.randint(40, 90), dice.uniform(0.5, 2)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    drawn = []
    for number in range(SECONDS * rate):
        turn = 2 * math.pi * number / (SECONDS * rate)
        middle_x, middle_y = width * (0.5 + 0.04 * math.sin(lean * turn)), height * (0.5 + 0.02 * math.sin(2 * turn))
        away_x, away_y = (x - middle_x) / (width * 0.2), (y - middle_y) / (height * 0.35)
        # A wall with a pattern that drifts: as much work for an encoder as a room behind somebody who moves.
        light = wall + 12 * np.sin(x / 9 + 3 * turn) + 10 * np.sin(y / 7 + turn) + 8 * np.sin((x + y) / 3 + 5 * turn)
        face_here = away_x**2 + away_y**2 < 1
        light[face_here] = (skin + 20 * away_x)[face_here]
        for side in (-1, 1):
            eye = ((away_x - side * 0.4) ** 2 + (away_y + 0.25) ** 2) < (0.012 if number % (2 * rate) > 2 else 0.001)
            light[eye] = 20
        mouth = (away_x / 0.4) ** 2 + ((away_y - 0.5) / (0.05 + 0.1 * abs(math.sin(9 * turn)))) ** 2 < 1
        light[mouth] = 60
        canvas = np.full((height * 3 // 2, width), 128, np.uint8)
        canvas[:height] = np.clip(light, 0, 255).astype(np.uint8)
        drawn.append(canvas)
    return drawn


@functools.cache
def tone(hertz: int = 440) -> Sounds:
    """A second of each; Opus."""
    steps = np.arange(AUDIO_RATE) * (2 * np.pi * hertz / AUDIO_RATE)
    loud = (8000 * np.sin(steps)).astype(np.int16)
    level = round(20 * math.log10(8000 / math.sqrt(2) / 32768))
    return Sounds(_opus(loud), _opus(np.zeros(AUDIO_RATE, np.int16)), level)


def _opus(samples: npt.NDArray[np.int16]) -> list[bytes]:
    codec = av.CodecContext.create("libopus", "w")
    codec.bit_rate, codec.format, codec.layout, codec.sample_rate = 32_000, "s16", "mono", AUDIO_RATE
    codec.time_base = Fraction(1, AUDIO_RATE)
    found: list[bytes] = []
    for start in range(0, len(samples), AUDIO_FRAME):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + AUDIO_FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, start, codec.time_base
        found += [bytes(packet) for packet in codec.encode(frame)]
    return found
