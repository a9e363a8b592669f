"""HTTP requests for a running service: of every route and of none, right and wrong in every part, down to the bytes."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import telehealth.web
from telehealth.web import routes
from telehealth.web.auth import Who
from tests.fuzz import words
from tests.fuzz.messages import Messages
from tests.fuzz.service import HIDDEN, MARKUP, TYPED, Running

_WEB = Path(telehealth.web.__file__).parent
#: What pages and the API ask for by name, and the values that they know.
_WORDS = words.words(_WEB)
#: Where the bodies of requests are described.
_BODIES = [path for path in _WEB.rglob("*.py") if path.stem.endswith(("requests", "_models"))]
_FIELDS = tuple(
    sorted(
        {
            *re.findall(r'name="([a-z_]+)"', "".join(page.read_text() for page in _WEB.rglob("templates/**/*.html"))),
            *re.findall(r"^    ([a-z_]+): ", "".join(path.read_text() for path in _BODIES), re.MULTILINE),
            *("date", "time", "hours", "cursor", "pulse", "spo2", "temperature", "systolic", "diastolic", "weight"),
        }
    )
)
_ODD: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 2**31, 2**63 - 1, 2**63, 10**19, 1.5, 1e308, "", "0", "-1", "9" * 19, "9" * 30, "NaN", " "),
    *("\x00", "\ud83d\udca9", "é", "%", "' OR 1=1 --", "../../etc", TYPED, MARKUP, "a" * 65, "a" * 3000, [], {}, [[]]),
    *("2026-03-02T11:59:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-02", "24:00", "10:30"),
)
_USUAL: tuple[Any, ...] = (
    *("a reason", "entry-12345", "2026-03-02T11:59:00Z", "reading", "period", "set", "at", "said", "arrived", "nobody"),
    *(72, 97.5, 1, "1", "spo2", "%", "/min", "no_action_needed", "high", "active", "24h", "7d"),
)
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", TYPED, "G\x00T")
_HEADERS = (
    *(
        "Range: bytes=0-5,1-99999999999",
        "If-None-Match: *",
        "If-Modified-Since: x",
        "Expect: 100-continue",
        "Upgrade: h2c",
    ),
    *("Accept-Encoding: gzip, br, *;q=0", "Accept: application/json", "Accept: text/html", "Accept-Language: \xff"),
    *("Transfer-Encoding: chunked", "Content-Encoding: gzip", "Content-Encoding: br", "Content-Length: -1"),
    *("Content-Length: 5", "Content-Length: 99999999999999999999", "Content-Type: multipart/form-data; boundary=x"),
    *("Content-Type: application/json; charset=utf-7", "Content-Type: \x01", "X-Forwarded-For: 1.2.3.4, " + TYPED),
    *("Forwarded: for=" + TYPED, "X-Forwarded-Proto: https", "Connection: keep-alive, Upgrade", "TE: trailers"),
    *("Cookie: telehealth=" + "a" * 4000, 'Cookie: telehealth="\\"; a=b;;;=', "Origin: http://evil.example"),
    *(
        "Sec-Fetch-Site: cross-site",
        "X-CSRF-Token: " + TYPED,
        "Host: evil.example",
        "X-A: " + "b" * 9000,
        "X : y",
        ": z",
    ),
    *("X-Request-Id: " + TYPED, "If-Range: x", "User-Agent: " + TYPED, " folded: yes"),
)


@dataclass
class Request:
    """path_kind: the route it was made from. whole: something must be answered."""

    path_kind: str
    pieces: list[bytes]
    whole: bool = True
    pause: float = 0.0
    good_message: bool = False
    keep: bytes = field(default=b"", repr=False)


class Requests:
    """From a seed."""

    def __init__(self, service: Running, chosen: random.Random) -> None:
        self._service = service
        self._chosen = chosen
        self._messages = Messages(chosen)
        #: Bytes of requests that were answered in a new way.
        self.kept: list[tuple[str, bytes]] = []
        #: Ids that the service showed, to be asked for.
        self.ids: dict[str, list[str]] = {
            "ward_id": [str(service.ward.id), str(service.hidden.ward.id)],
            "resident_id": [*(str(one.id) for one in service.residents), str(service.hidden.id)],
            "alert_id": ["1", "2", "3"],
            "entry_id": ["1", "2", "3"],
            "appointment_id": ["1", "2", "3"],
            "contact_id": ["1", "2", "3"],
            "visit_id": ["1", "2", "3"],
            "encounter_id": ["1", "2", "3"],
            "follow_up_id": ["1", "2", "3"],
            "link_id": ["1", "2", "3"],
            "token": ["a" * 43, TYPED],
            "recording_id": ["00000000-0000-0000-0000-000000000000"],
            "device_id": [*service.passwords, f"{HIDDEN}-1"],
            "reading_key": ["1772452740000_" + "0" * 32 + "_1"],
            "format": ["gatt", "fhir", "cbor", "omh", "theengs", "tenovi", "native", "none"],
            "path": ["main.css", "../../etc/passwd", "%2e%2e/x", "a" * 300, TYPED],
        }

    def next(self) -> Request:
        """One more."""
        match self._chosen.randrange(20):
            case 0:
                return Request(
                    "noise", [self._chosen.randbytes(self._chosen.choice((1, 20, 400, 70_000)))], whole=False
                )
            case 1 | 2 | 3 if self.kept:
                kind, kept = self._chosen.choice(self.kept)
                return Request(kind, [_bent(kept, self._chosen)], whole=False)
            case 4:
                return self._pipelined()
            case 5:
                return self._slow()
            case 6:
                return self._socket()
            case n if n < 12:
                return self._of_device()
            case _:
                return self._of_staff()

    def _pipelined(self) -> Request:
        made = [self._of_staff() if self._chosen.random() < 0.5 else self._of_device() for _ in range(4)]
        data = b"".join(one.keep for one in made).replace(b"Connection: close\r\n", b"")
        return Request("pipelined", [data], whole=False)

    def _slow(self) -> Request:
        """In pieces; sometimes it never ends."""
        made = self._of_device() if self._chosen.random() < 0.5 else self._of_staff()
        cuts = sorted(self._chosen.randrange(len(made.keep) + 1) for _ in range(3))
        pieces = [made.keep[a:b] for a, b in zip([0, *cuts], [*cuts, len(made.keep)], strict=True)]
        if self._chosen.random() < 0.5:
            return Request("slow", pieces[:-1], whole=False, pause=0.05)
        return Request("slow", [piece for piece in pieces if piece], whole=made.whole, pause=0.02)

    def _socket(self) -> Request:
        chosen = self._chosen
        headers = [
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: " + base64.b64encode(chosen.randbytes(16)).decode(),
            f"Cookie: telehealth={self._service.staff.cookie}",
        ]
        if chosen.random() < 0.3:
            headers.pop(chosen.randrange(len(headers)))
        ward, text = chosen.choice(self.ids["ward_id"]), chosen.choice((TYPED, "\ud83d\udca9", "x" * 70_000))
        said = chosen.choice(
            (b'{"subscribe":{"ward":%s}}' % ward.encode(), b"{", json.dumps({"subscribe": text}).encode(), b"[" * 5000)
        )
        frame = _frame(said, chosen)
        return Request("socket", [_head("GET", "/ws", [*self._host(), *headers]), frame], whole=False, pause=0.02)

    def _of_device(self) -> Request:
        chosen = self._chosen
        message = self._messages.next()
        device = chosen.choice(list(self._service.passwords))
        password = self._service.passwords[device]
        match chosen.randrange(12):
            case 0:
                device = chosen.choice(("nobody", f"{HIDDEN}-1", "a" * 64, "a" * 65, "x%20y", "%00", TYPED))
            case 1:
                password = chosen.choice((TYPED, "", "é", password[:-1], "a" * 2000))
            case _:
                pass
        lane = chosen.choice(("readings", "readings", "backlog"))
        path = f"/api/v1/devices/{device}/{lane}"
        if message.format != "native" or chosen.random() < 0.3:
            path += "/" + (message.format if chosen.random() < 0.9 else chosen.choice(("none", "X", "a" * 40, TYPED)))
        given = base64.b64encode(f"{device}:{password}".encode(errors="replace")).decode()
        headers = [f"Authorization: Basic {given}"]
        if chosen.random() < 0.1:
            headers = [
                chosen.choice(("Authorization: Basic =", "Authorization: Basic " + TYPED, "Authorization: ÿ", "X: y"))
            ]
        elif chosen.random() < 0.2:
            headers.append(
                "Content-Type: " + chosen.choice(("application/cbor", "application/fhir+json", TYPED, "é", "a" * 900))
            )
        made = self._made("POST", path, headers, message.payload, "POST /api/v1/devices/")
        made.good_message = True
        return made

    def _of_staff(self) -> Request:
        chosen = self._chosen
        route = chosen.choice(routes.ALL)
        if route.path == "/ws" or (route.who is Who.DEVICE) or (route.path == "/sign-in" and chosen.random() < 0.9):
            route = chosen.choice(routes.API[:20])
        path = re.sub(r"\{([a-z_]+):(?:[^{}]|\{[^}]*\})*\}", lambda found: self._id(found[1]), route.path)
        if chosen.random() < 0.05:
            path += chosen.choice(("/", "//", "/%00", f"/{TYPED}", "%", "?", "#x", ";a=b"))
        method = route.method if chosen.random() < 0.93 else chosen.choice(_METHODS)
        if chosen.random() < 0.5:
            path += "?" + self._form(chosen.choice((1, 1, 2, 5, 150)))
        by_token = path.startswith("/api/") or chosen.random() < 0.1
        staff, headers, body = self._service.staff, [], b""
        headers.append(f"Authorization: Bearer {staff.bearer}" if by_token else f"Cookie: telehealth={staff.cookie}")
        if chosen.random() < 0.05:
            headers = []
        if method == "POST":
            kind = "json" if by_token else "form"
            if chosen.random() < 0.1:
                kind = chosen.choice(("json", "form", "other"))
            if kind == "json":
                body = json.dumps(self._object()).encode(errors="surrogatepass")
                headers.append("Content-Type: application/json")
            elif kind == "form":
                csrf = staff.csrf if chosen.random() < 0.95 and route.path != "/sign-out" else TYPED
                body = f"csrf={csrf}&{self._form(chosen.choice((1, 3, 6, 110)))}".encode(errors="surrogatepass")
                headers += [
                    "Content-Type: application/x-www-form-urlencoded",
                    f"Origin: http://127.0.0.1:{self._service.port}",
                ]
            else:
                body = chosen.randbytes(50)
        return self._made(method, path, headers, body, f"{route.method} {route.path}")

    def _id(self, name: str) -> str:
        if self._chosen.random() < 0.1:
            return self._chosen.choice(("0", "9223372036854775807", "9999999999999999999", "-1", "a", "%00", TYPED))
        known = self.ids[name]
        # Those of the beginning, or new ones.
        return self._chosen.choice(known[:4] if self._chosen.random() < 0.3 else known[-50:])

    def _value(self) -> Any:
        chosen = self._chosen
        match chosen.randrange(4):
            case 0:
                return chosen.choice(_ODD)
            case 1:
                return chosen.choice(_WORDS)
            case 2:
                return chosen.choice([one for known in self.ids.values() for one in known])
            case _:
                return chosen.choice(_USUAL)

    def _form(self, most: int) -> str:
        pairs = [(self._chosen.choice(_FIELDS), str(self._value())) for _ in range(self._chosen.randrange(1, most + 1))]
        return urllib.parse.urlencode(pairs, errors="replace")

    def _object(self) -> Any:
        chosen = self._chosen
        if chosen.random() < 0.05:
            return chosen.choice((None, [], "x", 1, [[[]]], {"a" * 5000: 1}))
        found = {chosen.choice(_FIELDS): self._value() for _ in range(chosen.randrange(6))}
        if chosen.random() < 0.6:
            found |= {
                "reason": "a reason",
                "outcome": "no_action_needed",
                "device_id": chosen.choice(self.ids["device_id"]),
            }
        if chosen.random() < 0.3:
            value = {"code": chosen.choice(("pulse", "spo2", "pain", self._value())), "value": self._value()}
            found |= {
                "entry": f"entry-{chosen.randrange(50)}-abc",
                "taken_at": "2026-03-02T11:59:00Z",
                "values": [value],
            }
        if chosen.random() < 0.3:
            found |= {"how": chosen.choice(("arrived", "said", "at")), "at": self._value()}
        if chosen.random() < 0.3:
            found |= {"resident": chosen.choice((None, 1, 2, 3, self._value()))}
        return found

    def _host(self) -> list[str]:
        return [f"Host: 127.0.0.1:{self._service.port}"]

    def _made(self, method: str, path: str, headers: list[str], body: bytes, kind: str) -> Request:
        chosen = self._chosen
        lines = [*self._host(), "Connection: close", *headers]
        whole = True
        match chosen.randrange(30):
            case 0:
                lines.append("Transfer-Encoding: chunked")
                body = _chunked(body, chosen)
            case 1:
                lines += ["Transfer-Encoding: chunked", f"Content-Length: {len(body)}"]
                whole = False
            case 2:
                body = gzip.compress(body)
                lines += ["Content-Encoding: gzip", f"Content-Length: {len(body)}"]
            case 3:
                # It says that there is more, or less.
                lines.append(f"Content-Length: {max(0, len(body) + chosen.choice((-1, 1, 1000)))}")
                whole = False
            case 4:
                body = gzip.compress(b"0" * 20_000_000)
                lines += ["Content-Encoding: gzip", f"Content-Length: {len(body)}"]
            case _:
                if body or method == "POST":
                    lines.append(f"Content-Length: {len(body)}")
        if chosen.random() < 0.15:
            lines.insert(chosen.randrange(len(lines) + 1), chosen.choice(_HEADERS))
            whole = False
        head = _head(method, path, lines)
        whole = whole and method in ("GET", "POST") and b"\x00" not in head and "#" not in path
        return Request(kind, [head + body], whole=whole, keep=head + body)


def _head(method: str, path: str, lines: list[str]) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1", errors="replace")


def _chunked(body: bytes, chosen: random.Random) -> bytes:
    size = max(1, chosen.choice((1, 7, 1000, len(body) + 1)))
    if len(body) // size > 5000:
        size = len(body)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def _frame(data: bytes, chosen: random.Random) -> bytes:
    """Of a WebSocket, masked with zeros; now and then wrong."""
    first = chosen.choice((0x81, 0x81, 0x82, 0x01, 0x89, 0x88, 0xF1, 0x83))
    length = len(data)
    if length < 126:
        head = bytes([first, 0x80 | length])
    elif length < 65536:
        head = bytes([first, 0xFE]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, 0xFF]) + length.to_bytes(8, "big")
    return head + (b"\x00" * 4) + data


def _bent(data: bytes, chosen: random.Random) -> bytes:
    """Some of its bytes are others, are gone, or come twice."""
    changed = bytearray(data)
    for _ in range(chosen.choice((1, 1, 3, 10))):
        # Mostly in the head: bodies have their own fuzzers.
        at = chosen.randrange(min(len(changed), 600) + 1)
        match chosen.randrange(5):
            case 0:
                changed[at:at] = chosen.choice(
                    (b"\r\n", b"\r", b"\n", b"\x00", b" ", b":", b"\xff", b"%", b";", b"0\r\n\r\n")
                )
            case 1:
                del changed[at : at + chosen.choice((1, 2, 10))]
            case 2:
                changed[at:at] = chosen.choice(_WORDS).encode()
            case 3:
                changed[at:at] = changed[at : at + 40]
            case _ if at < len(changed):
                changed[at] ^= 1 << chosen.randrange(8)
    return bytes(changed)
