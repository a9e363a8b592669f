"""Whether a relay does what visits need of it and nothing else, by relaying: for `telehealth check`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import cast

from aioice import ice, stun
from aioice import turn as client

from telehealth.errors import SettingError
from telehealth.model import turn

_ANSWER_SECONDS = 3.0
_SENDINGS = 5
_LIFETIME_SECONDS = 60
#: STUN error codes.
_UNAUTHORISED, _FORBIDDEN = 401, 403
_FULL = (486, 508)
#: The relay's computer itself, private networks, link-local (where clouds keep credentials), the internet (RFC 5737).
_STRANGERS = ("127.0.0.1", "10.255.255.254", "172.31.255.254", "192.168.255.254", "169.254.169.254", "198.51.100.7")

_Client = client.TurnClientTcpProtocol | client.TurnClientUdpProtocol


async def probe(relay: turn.Relay, secret: str, *, now: datetime, strangers: Sequence[str] = ()) -> None:
    """Relay a packet to this computer, where media workers are, and back; see refused what must be.

    That is an expired and a forged credential, and packets to anybody else, such as the strangers (IP addresses).
    now: real. Raises SettingError.
    """
    good = turn.username(0, 0, now + turn.LIFETIME)
    expired = turn.username(0, 0, now - timedelta(minutes=1))
    with _explained(relay):
        async with _allocated(relay, good, turn.password(secret, good)) as allocation:
            ours = await _there_and_back(relay, allocation)
            for address in dict.fromkeys((*_STRANGERS, allocation.server[0], *strangers)):
                if address not in ours:
                    await _unreachable(relay, allocation, address)
        await _refused(relay, expired, turn.password(secret, expired), "an expired")
        await _refused(relay, good, turn.password(secret + "x", good), "a forged")


@contextlib.contextmanager
def _explained(relay: turn.Relay) -> Iterator[None]:
    try:
        yield
    except stun.TransactionFailed as error:
        code = error.response.error_code
        if code == _UNAUTHORISED:
            problem = "it does not take our credentials: static-auth-secret must be the same, and both clocks right"
            raise SettingError("TELEHEALTH_TURN_SECRET", f"{relay.url}: {problem}") from None
        if code in _FULL:
            raise _wrong(relay, "it is full: see user-quota, total-quota and its ports") from None
        raise _wrong(relay, f"it answers with error {code}") from None
    except ssl.SSLError as error:
        raise _wrong(relay, f"its certificate is not good ({error.reason or type(error).__name__})") from None
    except socket.gaierror:
        raise _wrong(relay, "its name cannot be resolved") from None
    except (TimeoutError, stun.TransactionTimeout):
        raise _wrong(relay, "no answer: is it running, and does a firewall let us through?") from None
    except OSError as error:
        raise _wrong(relay, f"cannot connect ({type(error).__name__})") from None


def _wrong(relay: turn.Relay, problem: str) -> SettingError:
    return SettingError("TELEHEALTH_TURN_URLS", f"{relay.url}: {problem}")


@contextlib.asynccontextmanager
async def _allocated(relay: turn.Relay, name: str, password: str) -> AsyncIterator[_Client]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_ANSWER_SECONDS):
        kind = socket.SOCK_DGRAM if relay.transport == "udp" else socket.SOCK_STREAM
        found = await loop.getaddrinfo(relay.host, relay.port, type=kind)
        server = found[0][4][:2]
        made = (str(server[0]), int(server[1]))

        def protocol() -> _Client:
            chosen = client.TurnClientUdpProtocol if relay.transport == "udp" else client.TurnClientTcpProtocol
            return chosen(made, name, password, _LIFETIME_SECONDS, _LIFETIME_SECONDS)

        transport: asyncio.BaseTransport
        allocation: _Client
        if relay.transport == "udp":
            transport, allocation = await loop.create_datagram_endpoint(protocol, remote_addr=made)
        else:
            tls = ssl.create_default_context() if relay.transport == "tls" else None
            server_name = relay.host if tls is not None else None
            transport, allocation = await loop.create_connection(protocol, *made, ssl=tls, server_hostname=server_name)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await allocation.connect()
        try:
            yield allocation
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await allocation.delete()
    finally:
        transport.close()


class _Echo(asyncio.DatagramProtocol):
    """Where a media worker would be: sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own are not registered as what they are.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self._transport.sendto(data, address)


class _Heard(asyncio.DatagramProtocol):
    """What comes back through the relay."""

    def __init__(self, token: bytes) -> None:
        self._token = token
        self.came = asyncio.Event()

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        if data == self._token:
            self.came.set()


async def _there_and_back(relay: turn.Relay, allocation: _Client) -> list[str]:
    """Returns the addresses of this computer."""
    assert allocation.relayed_address is not None
    version = ipaddress.ip_address(allocation.relayed_address[0]).version
    ours = ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
    mine = [address for address in ours if ipaddress.ip_address(address).version == version]
    if not mine:
        raise _wrong(relay, f"it relays by IPv{version}, and this computer has no such address")
    reached = False
    for number, address in enumerate(mine):
        try:
            await _echoed(relay, allocation, address, client.CHANNEL_NUMBER_MAX - number)
            reached = True
        except stun.TransactionFailed as error:
            if error.response.error_code != _FORBIDDEN:
                raise
    if not reached:
        raise _wrong(relay, "it may not relay to this computer: name its address by allowed-peer-ip (--sfu)")
    return ours


async def _echoed(relay: turn.Relay, allocation: _Client, address: str, channel: int) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Echo, local_addr=(address, 0))
    try:
        peer = transport.get_extra_info("sockname")[:2]
        async with asyncio.timeout(_ANSWER_SECONDS):
            await allocation.channel_bind(channel, peer)
        # Bound by send_data once more: binding again what is bound refreshes it, under the same number only.
        allocation.peer_to_failed_channel[peer] = channel
        token = secrets.token_bytes(32)
        heard = _Heard(token)
        allocation.receiver = heard
        for _ in range(_SENDINGS):
            await allocation.send_data(token, peer)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS / _SENDINGS):
                    await heard.came.wait()
                    return
        raise _wrong(relay, "what it relays does not come back: does a firewall stop UDP between it and media workers?")
    finally:
        transport.close()


async def _unreachable(relay: turn.Relay, allocation: _Client, address: str) -> None:
    number = allocation.channel_number
    allocation.channel_number += 1
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await allocation.channel_bind(number, (address, 9))
    except stun.TransactionFailed as error:
        if error.response.error_code == _FORBIDDEN:
            return
        raise
    raise _wrong(relay, f"it relays to {address}, too: deny all but media workers by denied-peer-ip")


async def _refused(relay: turn.Relay, name: str, password: str, what: str) -> None:
    try:
        async with _allocated(relay, name, password):
            pass
    except stun.TransactionFailed as error:
        if error.response.error_code == _UNAUTHORISED:
            return
        raise
    raise _wrong(relay, f"it takes {what} credential: it must run with use-auth-secret")
