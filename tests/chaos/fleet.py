"""Devices that obey receipts on a bad network: they send twice, out of order, on both lanes, and forget everything."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.wire import Gone, Link

#: What identifies a reading here: device, source_id, code.
Name = tuple[str, str, str]

_RESEND_SECONDS = 4.0
_BURST = 40


@dataclass
class Message:
    """One message until a receipt settles it. readings as they are sent."""

    seq: int
    readings: list[dict[str, Any]]
    sent_at: float = -1e9


@dataclass
class Said:
    """What a whole fleet said and heard."""

    #: Every reading that was ever produced, with its value.
    values: dict[Name, float] = field(default_factory=dict)
    taken: dict[Name, datetime] = field(default_factory=dict)
    receipted: set[Name] = field(default_factory=set)
    #: Forgotten by a device before a receipt came: may be stored or not.
    forgotten: set[Name] = field(default_factory=set)
    refused: list[Any] = field(default_factory=list)
    messages: int = 0
    deliveries: int = 0
    duplicates: int = 0
    reconnects: int = 0
    wipes: int = 0


class Device:
    """Measures, keeps, sends, and deletes only what a receipt of its own stream settles."""

    def __init__(self, device_id: str, seed: str, said: Said, now: Callable[[], float]) -> None:
        self.device_id = device_id
        self._random = random.Random(seed)
        self._said = said
        self._now = now
        self._link: Link | None = None
        self._news = asyncio.Event()
        self._streams = 0
        self._below = 0
        self._last = datetime(2000, 1, 1, tzinfo=UTC)
        self._runs_red = 0
        self.kept: dict[int, Message] = {}
        self._begin_stream()

    # What it measures ------------------------------------------------------------------------------

    def _begin_stream(self) -> None:
        self._streams += 1
        self._stream = f"{self.device_id}-{self._streams}-{self._random.randrange(1 << 30)}"
        self._seq = 0
        self.kept = {}

    def measure(self) -> None:
        """One message: an SpO2, which is low for some readings in a row now and then, and a pulse."""
        self._seq += 1
        self._said.messages += 1
        # Milliseconds tell readings apart, and times of one device rise.
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        at = self._last.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._runs_red == 0 and self._random.random() < 0.06:
            self._runs_red = self._random.randint(1, 4)
        low, self._runs_red = self._runs_red > 0, max(0, self._runs_red - 1)
        values = {"spo2": (84 if low else 97, "%"), "pulse": (self._random.randint(55, 90), "/min")}
        readings = []
        for code, (value, unit) in values.items():
            source = f"{self._stream}/{self._seq}"
            readings.append({"code": code, "value": value, "unit": unit, "taken_at": at, "source_id": source[-64:]})
            name = (self.device_id, source[-64:], code)
            self._said.values[name] = float(value)
            self._said.taken[name] = datetime.fromisoformat(at)
        self.kept[self._seq] = Message(self._seq, readings)
        self._news.set()

    def wipe(self) -> None:
        """Its memory is lost: another stream begins, and what was not settled is forgotten."""
        for message in self.kept.values():
            self._said.forgotten |= self._names(message)
        self._said.wipes += 1
        self._begin_stream()

    def _names(self, message: Message) -> set[Name]:
        return {(self.device_id, reading["source_id"], reading["code"]) for reading in message.readings}

    # How it talks ----------------------------------------------------------------------------------

    def cut(self) -> None:
        """The network goes."""
        if self._link is not None:
            self._link.cut()

    async def run(self, port: int) -> None:
        """Until cancelled."""
        while True:
            try:
                link = await Link.open(port, self.device_id, f"telehealth/v1/{self.device_id}/receipts")
            except Gone:
                await asyncio.sleep(self._random.uniform(0.1, 0.5))
                continue
            self._link = link
            self._said.reconnects += 1
            for message in self.kept.values():
                message.sent_at = -1e9
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(link.listen(self._receipt))
                    group.create_task(self._send(link))
            except* (Gone, OSError):
                pass
            finally:
                link.cut()
                self._link = None

    async def _send(self, link: Link) -> None:
        while True:
            self._news.clear()
            now = self._now()
            waiting = [m for m in self.kept.values() if now - m.sent_at > _RESEND_SECONDS][:_BURST]
            self._random.shuffle(waiting)
            for message in waiting:
                message.sent_at = now
                for _ in range(1 + (self._random.random() < 0.15)):
                    self._publish(link, message)
            await link.drain()
            try:
                async with asyncio.timeout(0.5):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _publish(self, link: Link, message: Message) -> None:
        old = (datetime.now(UTC) - datetime.fromisoformat(message.readings[0]["taken_at"])).total_seconds() > 20
        channel = "backlog" if old and self._random.random() < 0.5 else "readings"
        sent_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        content = {
            "stream": self._stream,
            "seq": message.seq,
            "oldest": min(self.kept, default=message.seq),
            "sent_at": sent_at,
            "readings": message.readings,
        }
        link.publish(f"telehealth/v1/{self.device_id}/{channel}", json.dumps(content).encode())
        self._said.deliveries += 1

    def _receipt(self, payload: bytes) -> None:
        receipt = json.loads(payload)
        self._said.refused += receipt["refused"]
        if receipt["stream"] != self._stream:
            return
        for low, high in [(1, receipt["through"]), *receipt["also"]]:
            for seq in [seq for seq in self.kept if low <= seq <= high]:
                self._said.receipted |= self._names(self.kept.pop(seq))
