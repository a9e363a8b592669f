"""Offers of browsers (SDP): checked, and reduced to what a room forwards: Opus and VP8, without names to be looked up.

The one codec of each kind is what makes forwarding without decoding possible. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

#: A browser that offers all its codecs for each of 22 m-lines needs about 130,000.
MOST_BYTES = 200_000
_MOST_SECTIONS = 40
_MOST_LINE = 2048
_MOST_CANDIDATES = 40
#: That are kept of one m-line, or of the session: browsers need about 50. aiortc compares each with each.
_MOST_LINES = 120
_CODECS = {"audio": "opus/48000", "video": "vp8/90000"}
_TOKEN = re.compile(r"^[A-Za-z0-9!#$%&'*+\-.^_`{|}~]{1,32}$")
_MEDIA = re.compile(r"^m=(audio|video) ([0-9]{1,5}) (UDP/TLS/RTP/SAVPF) ([0-9 ]{1,400})$")
_OF_CODEC = re.compile(r"^a=(?:rtpmap|fmtp|rtcp-fb):([0-9]{1,3}|\*) (.*)$")
#: Numbers are one byte: what is sent to a viewer has those that the viewer offered.
_EXTENSION = re.compile(r"^a=extmap:(?:[1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])(?:/[a-z]+)? [\x21-\x7e]+( |$)")
_LEFT_OUT = ("a=rid:", "a=simulcast:", "a=end-of-candidates", "a=remote-candidates:")


@dataclass(frozen=True)
class Section:
    """One m-line. sends: the browser sends there; otherwise it receives."""

    kind: str
    mid: str
    sends: bool


@dataclass(frozen=True)
class Offer:
    """What is left of an offer; ufrag, password: of the browser's ICE, by which a restart is known."""

    sdp: str
    sections: tuple[Section, ...]
    ufrag: str
    password: str


class BadOffer(Exception):
    """An offer that cannot be answered; the text says why, and repeats nothing of it."""


@dataclass
class _Part:
    media: re.Match[str] | None
    lines: list[str] = field(default_factory=list)

    def value(self, name: str) -> str | None:
        start = f"a={name}:"
        return next((line[len(start) :] for line in self.lines if line.startswith(start)), None)


def read(text: str) -> Offer:
    """Check an offer. Raises BadOffer.

    It may send one voice, a picture of the camera and one of the screen, in this order, and receives any number.
    """
    session, *parts = _parts(text)
    if not parts or len(session.lines) > _MOST_LINES:
        raise BadOffer("no media, or too many lines")
    sections = tuple(_section(part) for part in parts)
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise BadOffer("mids repeat")
    if (session.value("group") or "").split() != ["BUNDLE", *mids]:
        raise BadOffer("not one bundle")
    sends = [section.kind for section in sections if section.sends]
    if sends.count("audio") > 1 or sends.count("video") > 2:
        raise BadOffer("sends too much")
    ufrag, password = (parts[0].value(name) or session.value(name) or "" for name in ("ice-ufrag", "ice-pwd"))
    if not re.fullmatch(r"[A-Za-z0-9+/]{4,256}", ufrag) or not re.fullmatch(r"[A-Za-z0-9+/]{22,256}", password):
        raise BadOffer("no ICE credentials")
    if not (parts[0].value("fingerprint") or session.value("fingerprint") or "").lower().startswith("sha-256 "):
        raise BadOffer("no fingerprint")
    lines = [*session.lines, *(line for part in parts for line in _reduced(part))]
    return Offer("\r\n".join(lines) + "\r\n", sections, ufrag, password)


def _parts(text: str) -> list[_Part]:
    if len(text) > MOST_BYTES or not text.isascii():
        raise BadOffer("too long, or not ASCII")
    parts = [_Part(None)]
    for line in text.replace("\r\n", "\n").split("\n"):
        if len(line) > _MOST_LINE or not (line == "" or line.isprintable()):
            raise BadOffer("a line that is none")
        if line.startswith("m="):
            media = _MEDIA.match(line)
            if media is None or len(parts) > _MOST_SECTIONS:
                raise BadOffer("media of another kind, or too many")
            parts.append(_Part(media))
        elif line:
            parts[-1].lines.append(line)
    if not parts[0].lines or parts[0].lines[0] != "v=0":
        raise BadOffer("not a session description")
    return parts


def _section(part: _Part) -> Section:
    mid = part.value("mid")
    if part.media is None or mid is None or not _TOKEN.match(mid):
        raise BadOffer("media without a mid")
    directions = [line for line in part.lines if line in ("a=sendonly", "a=recvonly", "a=sendrecv", "a=inactive")]
    if directions not in (["a=sendonly"], ["a=recvonly"]):
        raise BadOffer("media that neither only send nor only receive")
    return Section(part.media[1], mid, directions == ["a=sendonly"])


def _reduced(part: _Part) -> list[str]:
    assert part.media is not None
    kept = _kept(part)
    found = [f"m={part.media[1]} {part.media[2]} {part.media[3]} {' '.join(kept)}"]
    candidates = 0
    for line in part.lines:
        of_codec = _OF_CODEC.match(line)
        if (of_codec is not None and of_codec[1] not in (*kept, "*")) or line.startswith(_LEFT_OUT):
            continue
        if line.startswith("a=extmap:") and not _EXTENSION.match(line):
            raise BadOffer("a header extension without a number")
        if line.startswith("a=candidate:"):
            if not _reachable(line.split()):
                continue
            candidates += 1
            if candidates > _MOST_CANDIDATES:
                continue
        found.append(line)
    if len(found) > _MOST_LINES:
        raise BadOffer("too many lines")
    return found


def _reachable(words: list[str]) -> bool:
    """Whether a candidate has an address. Names are none: to look one up holds everybody up, also those of `.local`."""
    if len(words) < 8 or words[2].lower() != "udp":
        return False
    try:
        address = ipaddress.ip_address(words[4])
    except ValueError:
        return False
    return "%" not in words[4] and not address.is_multicast and not address.is_unspecified


def _kept(part: _Part) -> list[str]:
    """Payload types of the room's codec and of its retransmissions."""
    assert part.media is not None
    offered = part.media[4].split()
    names: dict[str, str] = {}
    repairs: dict[str, str] = {}
    for line in part.lines:
        if line.startswith("a=rtpmap:"):
            number, _, name = line[len("a=rtpmap:") :].partition(" ")
            names.setdefault(number, name.lower())
        elif line.startswith("a=fmtp:"):
            number, _, rest = line[len("a=fmtp:") :].partition(" ")
            apt = re.search(r"(?:^|;)\s*apt=([0-9]{1,3})", rest)
            if apt is not None:
                repairs[number] = apt[1]
    main = [number for number in offered if names.get(number, "").startswith(_CODECS[part.media[1]])][:1]
    if not main:
        raise BadOffer("without Opus or VP8")
    repair = [
        number for number in offered if names.get(number, "").startswith("rtx/") and repairs.get(number) == main[0]
    ][:1]
    return main + repair


def finished(answer: str) -> str:
    """Our answer as it goes out: voices carry what repairs a lost packet (in-band FEC)."""
    found = []
    for line in answer.split("\r\n"):
        found.append(line)
        opus = re.match(r"^a=rtpmap:([0-9]{1,3}) opus/48000/2$", line, re.IGNORECASE)
        if opus is not None:
            found.append(f"a=fmtp:{opus[1]} minptime=10;useinbandfec=1")
    return "\r\n".join(found)
