"""The few packets of MQTT 3.1.1 that a device needs. Pure."""

from __future__ import annotations

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
#: What a broker says who refuses a connection, by its code.
REFUSALS = {1: "protocol", 2: "client id", 3: "server unavailable", 4: "user name or password", 5: "not authorised"}


def connect(client_id: str, user: str, password: str, keep_alive: int) -> bytes:
    """With a clean session. keep_alive: seconds."""
    body = b"\x00\x04MQTT\x04\xc2" + keep_alive.to_bytes(2, "big")
    return packet(0x10, body + text(client_id) + text(user) + text(password))


def subscribe(mid: int, topics: list[str]) -> bytes:
    """With QoS 1."""
    return packet(0x82, mid.to_bytes(2, "big") + b"".join(text(topic) + b"\x01" for topic in topics))


def publish(mid: int, topic: bytes, payload: bytes) -> bytes:
    """With QoS 1. topic: with its length before it, as text() makes it."""
    return packet(0x32, topic + mid.to_bytes(2, "big") + payload)


def puback(mid: bytes) -> bytes:
    return b"\x40\x02" + mid


def text(string: str) -> bytes:
    data = string.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes) -> bytes:
    size = len(body)
    if size < 128:
        return bytes((first, size)) + body
    length = bytearray((first,))
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(length) + body


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Whole packets as (first byte, body), and what is left. Raises ValueError where it cannot be MQTT."""
    found: list[tuple[int, bytes]] = []
    at, end = 0, len(data)
    while end - at >= 2:
        size = data[at + 1]
        start = at + 2
        if size >= 128:
            size &= 127
            for shift in (7, 14, 21):
                if start >= end:
                    return found, data[at:]
                digit = data[start]
                start += 1
                size |= (digit & 127) << shift
                if digit < 128:
                    break
            else:
                raise ValueError("a length of more than four bytes")
        if start + size > end:
            break
        found.append((data[at], data[start : start + size]))
        at = start + size
    return found, data[at:] if at else data
