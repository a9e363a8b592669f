"""Device messages for a running service: mutations of good ones in every format, noise, all sizes up to 1 MiB."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime

from devices import formats
from tests.fuzz import mutate, seeds
from tests.fuzz.service import MARKUP, TYPED

_SEED_TIME = b"2026-03-02T11:59:00Z"
_MEBIBYTE = 1024 * 1024
#: Device messages remembered because something about their fate was new.
_KEPT = 500


@dataclass(frozen=True)
class Message:
    """Of a format, as far as it is one."""

    format: str
    payload: bytes


class Messages:
    """From a seed; goes on from what was answered in a new way, as the pure decoders tell it."""

    def __init__(self, chosen: random.Random) -> None:
        self._chosen = chosen
        self._mutators = {name: mutate.mutator(name) for name in formats.DECODERS}
        self._kept: list[Message] = []
        #: Outcomes seen: format and errors.
        self.seen = set[tuple[str, frozenset[str], bool]]()
        self.good = 0

    def next(self) -> Message:
        """One more."""
        chosen = self._chosen
        name = chosen.choice(sorted(formats.DECODERS))
        match chosen.randrange(20):
            case 0:
                found = Message(name, chosen.randbytes(chosen.choice((0, 1, 16, 300, 5000))))
            case 1 if chosen.random() < 0.2:
                found = Message(name, self._long(name))
            case n if n < 8 and self._kept:
                kept = chosen.choice(self._kept)
                found = Message(kept.format, self._changed(kept.format, kept.payload))
            case n:
                payload = chosen.choice(seeds.SEEDS[name])
                found = Message(name, payload if n == 19 else self._changed(name, payload))
        found = Message(found.format, self._planted(found))
        self._learn(found)
        return found

    def _changed(self, name: str, payload: bytes) -> bytes:
        return self._mutators[name](payload, _MEBIBYTE, self._chosen.getrandbits(32))

    def _long(self, name: str) -> bytes:
        """About as much as is still read, as is still answered, as the broker passes on."""
        size = self._chosen.choice((70_000, 256 * 1024, 256 * 1024 + 1, _MEBIBYTE - 1, _MEBIBYTE))
        seed = self._chosen.choice(seeds.SEEDS[name])
        match self._chosen.randrange(4):
            case 0:
                return seed + b" " * (size - len(seed))
            case 1:
                return b"[" * size
            case 2:
                head = b'{"stream":"big","seq":1,"readings":['
                reading = b'{"code":"spo2","value":97,"unit":"%","taken_at":"2026-03-02T11:59:00Z"},'
                return (head + reading * (size // len(reading)))[: size - 2] + b"]}"
            case _:
                return b'{"id":"long","readings":"' + b"a" * (size - 30) + b'"}'

    def _planted(self, message: Message) -> bytes:
        """What is sent now and then holds what may not come out again; and is of now, so that it matters."""
        payload, chosen = message.payload, self._chosen
        if message.format == "cbor" or len(payload) > 100_000:
            return payload
        if chosen.random() < 0.5:
            # As long as it was: nothing else moves.
            payload = payload.replace(_SEED_TIME, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode())
        if chosen.random() < 0.5:
            text = json.dumps(chosen.choice((TYPED, MARKUP))).encode()[1:-1]
            word = chosen.choice((b'"s1"', b'"a"', b'"b"', b'"motion"', b'"scale"', b'"AA:BB"', b'"q1"', b'"every"'))
            payload = payload.replace(word, b'"' + text + b'"')
        return payload

    def _learn(self, message: Message) -> None:
        found = formats.decode(message.format, "fuzz-1", message.payload)
        self.good += bool(found.readings)
        outcome = (
            message.format,
            frozenset(f"{one.error} {one.field}"[:60] for one in found.refusals),
            bool(found.readings),
        )
        if outcome not in self.seen and len(message.payload) < 10_000:
            self.seen.add(outcome)
            if len(self._kept) >= _KEPT:
                self._kept.pop(self._chosen.randrange(_KEPT))
            self._kept.append(message)
