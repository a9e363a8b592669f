"""Relays for browsers behind firewalls: credentials that coturn understands, and how a relay is set up.

Pure. The credentials are those of coturn's use-auth-secret: the name says until when and for whom, the password is
its HMAC. coturn keeps no list of them; whoever knows the secret can make them, so browsers get one that ends soon.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from telehealth.errors import SettingError

if TYPE_CHECKING:
    from telehealth.config import Settings

Transport = Literal["udp", "tcp", "tls"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: A credential begins a relaying within this time. Browsers are sent new ones with the state of their visit.
LIFETIME: Final = timedelta(minutes=10)

_URL = re.compile(
    r"(?P<scheme>turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<by>udp|tcp))?"
)
_PORTS = {"turn": 3478, "turns": 5349}


@dataclass(frozen=True)
class Relay:
    """Where a relay listens, as one of TELEHEALTH_TURN_URLS says it."""

    url: str
    host: str
    port: int
    transport: Transport


def relays(settings: Settings) -> tuple[Relay, ...]:
    """The relays of TELEHEALTH_TURN_URLS, in order. Raises SettingError for one that a browser would not use."""
    return tuple(_relay(url) for url in (settings.turn_urls or "").split(",") if url)


def _relay(url: str) -> Relay:
    found = _URL.fullmatch(url)
    port = None if found is None else int(found["port"] or _PORTS[found["scheme"]])
    if found is None or port is None or not 1 <= port <= 65535:
        raise SettingError(
            "TELEHEALTH_TURN_URLS", "each must be turn:HOST:PORT?transport=udp (or tcp), or turns:HOST:PORT"
        )
    transport: Transport
    if found["scheme"] == "turns":
        if found["by"] == "udp":
            raise SettingError("TELEHEALTH_TURN_URLS", "turns: goes over TCP: leave out ?transport=udp")
        transport = "tls"
    else:
        transport = "tcp" if found["by"] == "tcp" else "udp"
    return Relay(url, found["host"].strip("[]"), port, transport)


def username(visit: int, participant: int, until: datetime) -> str:
    """Of a credential: until when it works (Unix seconds), and for whom (coturn counts by the last two)."""
    return f"{int(until.timestamp())}:{visit}:{participant}"


def password(secret: str, name: str) -> str:
    """Of a user name: base64 of its HMAC-SHA1 by static-auth-secret."""
    return base64.b64encode(hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()).decode()


def ice_servers(settings: Settings, visit: int, participant: int, real_now: datetime) -> list[dict[str, Any]]:
    """What a browser is to put into RTCConfiguration.iceServers; [] without relays. Worth LIFETIME from real_now.

    Raises SettingError where relays are set and their secret is not.
    """
    if not (found := relays(settings)):
        return []
    name = username(visit, participant, real_now + LIFETIME)
    return [
        {
            "urls": [relay.url for relay in found],
            "username": name,
            "credential": password(settings.needed("turn_secret"), name),
        }
    ]


# How a relay is set up ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """A coturn that relays to media workers only.

    listen, relay: its own addresses; external: the one that the world sees, behind NAT. media: where media workers'
    sockets are, each an address or a network. ports: of relayed packets, first and last. quota: relayings at one time
    of one participant, and of all. certificate, key: PEM files, for turns:.
    """

    secret: str
    realm: str
    listen: tuple[Address, ...]
    relay: Address
    media: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    external: Address | None = None
    port: int = 3478
    tls_port: int = 5349
    ports: tuple[int, int] = (49160, 49959)
    certificate: str | None = None
    key: str | None = None
    quota: tuple[int, int] = (12, 600)


def configuration(plan: Plan) -> str:
    """turnserver.conf. Raises SettingError for what coturn would misread or what would open it to everybody."""
    _refuse(plan)
    lines = ["# Written by `telehealth turn config`. It holds the secret: mode 0600, owned by coturn's account.", ""]
    lines += [f"listening-ip={address}" for address in plan.listen]
    lines += [f"listening-port={plan.port}", f"relay-ip={plan.relay}"]
    if plan.external is not None:
        lines.append(f"external-ip={plan.external}/{plan.relay}")
    lines += [f"min-port={plan.ports[0]}", f"max-port={plan.ports[1]}", ""]
    if plan.certificate is not None:
        lines += [
            f"tls-listening-port={plan.tls_port}",
            f"cert={plan.certificate}",
            f"pkey={plan.key}",
            "no-tlsv1",
            "no-tlsv1_1",
            "no-dtls",
        ]
    else:
        lines += ["no-tls", "no-dtls"]
    lines += [
        "",
        "# Who may: whoever the service gave a credential, for ten minutes.",
        "use-auth-secret",
        f"static-auth-secret={plan.secret}",
        f"realm={plan.realm}",
        "fingerprint",
        "stale-nonce=600",
        f"user-quota={plan.quota[0]}",
        f"total-quota={plan.quota[1]}",
        "",
        "# Where to: media workers, and nothing else.",
        "denied-peer-ip=0.0.0.0-255.255.255.255",
        "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        *(f"allowed-peer-ip={_range(network)}" for network in plan.media),
        "no-multicast-peers",
        "no-tcp-relay",
        "",
        "no-cli",
        "no-software-attribute",
        "no-rfc5780",
        "simple-log",
        "log-file=stdout",
    ]
    if any(network.is_loopback for network in plan.media):
        lines.append("allow-loopback-peers")
    return "\n".join(lines) + "\n"


def _range(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    if network.num_addresses == 1:
        return str(network.network_address)
    return f"{network[0]}-{network[-1]}"


def _refuse(plan: Plan) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_+/=.-]{16,200}", plan.secret):
        raise SettingError("TELEHEALTH_TURN_SECRET", "must be 16 to 200 letters, digits and _ + / = . -")
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,127}", plan.realm):
        raise SettingError("--realm", "must be a name like relay.example")
    if not plan.media:
        raise SettingError("--sfu", "name at least one address of the media workers")
    if any(network.num_addresses > 4096 for network in plan.media):
        raise SettingError("--sfu", "a network of more than 4,096 addresses is not media workers only")
    low, high = plan.ports
    if not 1024 <= low < high <= 65535:
        raise SettingError("--relay-ports", "must be FIRST-LAST, from 1024 to 65535")
    if low <= plan.port <= high or (plan.certificate is not None and low <= plan.tls_port <= high):
        raise SettingError("--relay-ports", "must not hold the ports that the relay listens on")
    if (plan.certificate is None) != (plan.key is None):
        raise SettingError("--key", "and --certificate go together")
    if any(text is not None and re.search(r"[\s#]", text) for text in (plan.certificate, plan.key)):
        raise SettingError("--certificate", "and --key must be paths without spaces")
