"""The latest messages and events of a feeding, bounded, for the control API."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
from collections.abc import Iterable
from typing import Any, Final

from simulator import clock, native, outbox, receipts
from simulator.homes.malicious import Extra

#: Messages of one device that are kept: one that floods pushes out only its own.
MESSAGES: Final = 300
#: The latest of each device for who asks for all of them.
LATEST: Final = 30
EVENTS: Final = 1_000
#: Readings of a message that are shown.
READINGS: Final = 40
#: Deliveries of a message that are kept.
DELIVERIES: Final = 20
#: Bytes of a malicious message that are shown.
BYTES: Final = 300


class Messages:
    """Recent messages by (device, stream, seq); each has a number that rises whenever anything becomes of it."""

    def __init__(self) -> None:
        self._entries: dict[str, collections.OrderedDict[tuple[str, int], dict[str, Any]]] = {}
        self._number = 0
        self._beside = 0

    def created(self, found: Iterable[outbox.Held]) -> None:
        for held in found:
            lane = native.lane(held.taken_ms, held.sent_ms)
            self._put(
                (held.stream, held.seq),
                {
                    "device_id": held.device_id,
                    "kind": "readings",
                    "topic": native.topic(held.device_id, lane),
                    "stream": held.stream,
                    "seq": held.seq,
                    "lane": lane,
                    "sent_at": clock.text(clock.from_ms(held.sent_ms)),
                    "count": held.count,
                    "readings": json.loads(held.readings)[:READINGS],
                    "deliveries": [],
                    "receipted": False,
                    "refused": [],
                },
            )

    def beside(self, extra: Extra, sent: bool) -> None:
        """A message beside the contract: a status, or a malicious one."""
        self._beside += 1
        at = clock.text(clock.from_ms(extra.at_ms))
        self._put(
            ("", self._beside),
            {
                "device_id": extra.device_id,
                "kind": "status" if extra.retain else "malicious",
                "topic": extra.topic,
                "stream": None,
                "seq": None,
                "lane": extra.topic.rpartition("/")[2],
                "sent_at": at,
                "count": 0,
                "bytes": len(extra.payload),
                "text": extra.payload[:BYTES].decode("ascii", "backslashreplace"),
                "readings": [],
                "deliveries": [at] if sent else [],
                "receipted": False,
                "refused": [],
            },
        )

    def delivered(self, held: outbox.Held, at_ms: int) -> None:
        entry = self._touch(held)
        if entry is not None and len(entry["deliveries"]) < DELIVERIES:
            entry["deliveries"].append(clock.text(clock.from_ms(at_ms)))

    def settled(self, held: outbox.Held) -> None:
        entry = self._touch(held)
        if entry is not None:
            entry["receipted"] = True

    def refused(self, held: outbox.Held, refusal: receipts.Refusal) -> None:
        entry = self._touch(held)
        if entry is not None:
            entry["refused"].append(
                {
                    "index": refusal.index,
                    "error": refusal.error,
                    "field": refusal.field,
                    "detail": refusal.detail,
                }
            )

    def after(self, number: int, device_id: str | None, most: int = 200) -> dict[str, Any]:
        """What has changed since, oldest change first, and the number to ask with next."""
        wanted = [own for name, own in self._entries.items() if device_id in (None, name)]
        if number == 0:
            # Who begins anew wants the latest of each; who follows must not miss any.
            last = LATEST if device_id is None else most
            changed = [entry for own in wanted for entry in list(own.values())[-last:]]
        else:
            changed = [entry for own in wanted for entry in own.values() if entry["n"] > number]
        changed.sort(key=lambda entry: entry["n"])
        found = changed if number == 0 else changed[:most]
        return {"messages": found, "next": found[-1]["n"] if found else max(number, 0)}

    def last(self, device_id: str) -> dict[str, Any] | None:
        own = self._entries.get(device_id, collections.OrderedDict())
        for (stream, _), entry in reversed(own.items()):
            if stream:
                return entry
        return None

    def _put(self, name: tuple[str, int], entry: dict[str, Any]) -> None:
        self._number += 1
        own = self._entries.setdefault(entry["device_id"], collections.OrderedDict())
        own[name] = entry | {"n": self._number}
        if len(own) > MESSAGES:
            own.popitem(last=False)

    def _touch(self, held: outbox.Held) -> dict[str, Any] | None:
        entry = self._entries.get(held.device_id, collections.OrderedDict()).get((held.stream, held.seq))
        if entry is not None:
            self._number += 1
            entry["n"] = self._number
        return entry


class Events:
    """What happened, numbered; who asks for what comes next waits for it."""

    def __init__(self) -> None:
        self._events: collections.deque[dict[str, Any]] = collections.deque(maxlen=EVENTS)
        self._number = 0
        self._came = asyncio.Event()

    def add(self, kind: str, at: str, **facts: Any) -> None:
        self._number += 1
        self._events.append({"n": self._number, "event": kind, "at": at, **facts})
        self._came.set()
        self._came = asyncio.Event()

    async def after(self, number: int, seconds: float) -> dict[str, Any]:
        """Everything since that number; waits so long for the first one. next: to ask with."""
        if number > self._number:
            # Of a feeding that ended before this one began.
            number = 0
        if number == self._number:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), seconds)
        found = [event for event in self._events if event["n"] > number]
        return {"events": found, "next": self._number}
