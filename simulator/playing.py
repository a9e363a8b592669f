"""Plays a log of created messages again: the same streams, numbers, readings and times of sending."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from simulator import clock, created, errors, feed, native, outbox, pace, publisher, runtime, service, world

#: Where the service's clock is stepped: so far at once.
STEP_MS = 300_000
PATIENCE_SECONDS = 120.0


class _Clock:
    """Shown times of sending come from the log itself."""

    def __init__(self, messages: Sequence[created.Message]) -> None:
        self.error: dict[tuple[str, int], int] = {}
        for message in messages:
            envelope = message.envelope
            if envelope is not None and envelope.sent_at is not None:
                self.error[message.device_id, message.sent_ms] = clock.to_ms(clock.parsed(envelope.sent_at))

    def shown(self, device_id: str, at_ms: int) -> int:
        return self.error.get((device_id, at_ms), at_ms)


async def play(
    messages: Sequence[created.Message],
    devices: Sequence[world.Device],
    broker: world.Broker,
    stop: asyncio.Event,
    *,
    service: str | None,
    token: str | None,
    speed: float | None,
) -> dict[str, Any]:
    """Publishes all of it. speed: times the log's own; None: as fast as receipts come.

    A virtual clock of the service (url, token) is stepped along. Raises BadInput, Refused, Unreachable.
    """
    used = {message.device_id for message in messages}
    missing = sorted(used - {device.device_id for device in devices})
    if missing:
        raise errors.BadInput(f"not in the file of devices: {', '.join(missing[:5])}")
    if not messages:
        raise errors.BadInput("the log has no message")
    shown = _Clock(messages)
    moments = feed.DeviceClock()
    start = clock.from_ms(messages[0].sent_ms)
    with contextlib.closing(outbox.Outbox(None)) as journal:
        sender = publisher.Publisher(
            broker,
            journal,
            now=moments.now,
            beside="replay",
            announced=False,
            facts=publisher.Facts(shown.shown),
        )
        for device in devices:
            if device.device_id in used:
                sender.add(device)
                sender.connect(device.device_id)
        sender.as_planned = True
        async with sender.running(), _stepping(service, token) as stepped:
            await runtime.until(stop, _play(messages, sender, moments, stepped, start, speed))
    totals = sender.totals
    beside = sum(message.stream is None for message in messages)
    return {
        "messages": totals.taken,
        "readings": totals.readings,
        "deliveries": totals.deliveries,
        "settled_messages": totals.settled,
        "refused": totals.refused,
        "beside": beside,
    }


@contextlib.asynccontextmanager
async def _stepping(url: str | None, token: str | None) -> Any:
    """The service whose clock is stepped; None where time is real."""
    if not (url and token):
        yield None
        return
    async with service.opened(url, token) as found:
        try:
            await found.virtual_now()
        except service.ClockNotVirtual:
            yield None
        else:
            yield found


async def _play(
    messages: Sequence[created.Message],
    sender: publisher.Publisher,
    moments: feed.DeviceClock,
    stepped: service.Service | None,
    start: datetime,
    speed: float | None,
) -> None:
    going = pace.Pace(speed)
    at_ms = clock.to_ms(start) - 1
    position = 0
    while position < len(messages):
        following = max(messages[position].sent_ms, at_ms)
        if stepped is not None:
            # On the same grid for every speed, so that the service is told the same.
            following = -(-following // STEP_MS) * STEP_MS
        await going.reach(at_ms, following)
        if stepped is not None:
            await stepped.advance(clock.from_ms(following))
        moments.virtual = clock.from_ms(following)
        while position < len(messages) and messages[position].sent_ms <= following:
            _send(messages[position], sender)
            position += 1
        at_ms = following
        if speed is None and stepped is None and position % 500:
            continue
        await _receipted(sender)
    await _receipted(sender)


def _send(message: created.Message, sender: publisher.Publisher) -> None:
    envelope = message.envelope
    if envelope is None or message.stream is None or message.seq is None:
        sender.say(message.device_id, message.topic, message.body, retain=message.retain)
        return
    readings = bytes(envelope.readings)
    entries = msgspec.json.decode(readings)
    taken = message.sent_ms if message.lane == "readings" else message.sent_ms - native.LIVE_MS - 1
    sender.adopt(
        outbox.Held(message.device_id, message.stream, message.seq, taken, message.sent_ms, len(entries), readings)
    )


async def _receipted(sender: publisher.Publisher) -> None:
    last, quiet_since = (-1, -1), clock.monotonic()
    while due := sender.due:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sender.nothing_due(), 1.0)
        state = (due, sender.totals.settled)
        if state != last:
            last, quiet_since = state, clock.monotonic()
        elif clock.monotonic() - quiet_since > PATIENCE_SECONDS:
            why = next(iter(sender.troubles.values()), "no receipt came")
            raise errors.Unreachable(f"{due} messages are not settled: {why}")
