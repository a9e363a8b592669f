"""One device's connection: as little memory and work as can be, for there are thousands of it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from simulator.load import packets

#: Longer than most devices are quiet: a ping is work for both sides.
KEEP_ALIVE_SECONDS = 150
_SUBSCRIBE_ID = 65535


class Owner(Protocol):
    """Who is told. Times are its own business."""

    def opened(self, session: Session) -> None: ...
    def refused(self, session: Session, why: str) -> None: ...
    def acknowledged(self, session: Session, mid: int) -> None: ...
    def heard(self, session: Session, payload: bytes) -> None: ...
    def closed(self, session: Session, was_ready: bool) -> None: ...


class Session(asyncio.Protocol):
    """Connects, subscribes to the device's receipts and commands, publishes with QoS 1."""

    __slots__ = (
        "_owner", "_rest", "_transport", "device_id", "failures", "held", "hopeless", "mid", "opened_at", "password",
        "pending", "ready", "refusals", "seq", "silent_since", "topic",
    )  # fmt: skip

    def __init__(self, owner: Owner, device_id: str, password: str) -> None:
        self.device_id = device_id
        self.password = password
        self.topic = packets.text(f"telehealth/v1/{device_id}/readings")
        self.ready = False
        self.mid = 0
        self.seq = 0
        self.failures = 0
        #: Monotonic seconds: when it began to connect, and when it last sent anything.
        self.opened_at = 0.0
        self.silent_since = 0.0
        #: The broker does not take the credentials: there is no use in trying again.
        self.hopeless = False
        #: By seq: what no receipt has settled. By message id: when it was sent, and which seq. Kept by the owner.
        self.held: dict[int, Any] = {}
        self.pending: dict[int, tuple[float, int]] = {}
        self.refusals: set[tuple[int, int | None]] | None = None
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    @property
    def connected(self) -> bool:
        return self._transport is not None

    def publish(self, payload: bytes) -> int:
        """Sends it; its message id."""
        assert self._transport is not None
        self.mid = self.mid % 65534 + 1
        self._transport.write(packets.publish(self.mid, self.topic, payload))
        return self.mid

    def ping(self) -> None:
        if self._transport is not None:
            self._transport.write(packets.PINGREQ)

    def close(self) -> None:
        """Says goodbye. May be called twice."""
        if self._transport is not None:
            self._transport.write(packets.DISCONNECT)
            self._transport.close()

    def abandon(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio's callbacks ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own transports are no subclass.
        self._transport, self._rest, self.ready = cast(asyncio.Transport, transport), b"", False
        self._transport.write(packets.connect(self.device_id, self.device_id, self.password, KEEP_ALIVE_SECONDS))

    def connection_lost(self, error: Exception | None) -> None:
        was_ready, self._transport, self.ready = self.ready, None, False
        self._owner.closed(self, was_ready)

    def data_received(self, data: bytes) -> None:
        try:
            found, self._rest = packets.split(self._rest + data if self._rest else data)
        except ValueError:
            self.abandon()
            return
        for first, body in found:
            self._packet(first, body)

    def _packet(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == packets.PUBACK:
            self._owner.acknowledged(self, body[0] << 8 | body[1])
        elif kind == packets.PUBLISH:
            end = 2 + (body[0] << 8 | body[1])
            receipt = body.startswith(b"receipts", end - 8)
            if first & 6:
                if self._transport is not None:
                    self._transport.write(packets.puback(body[end : end + 2]))
                end += 2
            if receipt:
                self._owner.heard(self, body[end:])
        elif kind == packets.CONNACK:
            if body[1] == 0:
                root = f"telehealth/v1/{self.device_id}"
                assert self._transport is not None
                self._transport.write(packets.subscribe(_SUBSCRIBE_ID, [f"{root}/receipts", f"{root}/commands"]))
            else:
                self.hopeless = body[1] in (4, 5)
                self._owner.refused(self, packets.REFUSALS.get(body[1], f"code {body[1]}"))
                self.abandon()
        elif kind == packets.SUBACK:
            if 128 in body[2:]:
                self._owner.refused(self, "subscription")
                self.abandon()
            else:
                self.ready = True
                self._owner.opened(self)
