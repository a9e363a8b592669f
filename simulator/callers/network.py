"""The network between a caller and the service's media: a proxy of the caller's own, where the script wants one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from simulator import errors, impair
from simulator.callers import peer
from simulator.callers.script import Script
from simulator.wire import Line

_RELAY = re.compile(r"turn:(?P<host>\[[^\]]+\]|[^:?]+)(?::(?P<port>\d+))?")


class Network:
    """Either nothing (as good as the computer's own), or an impairment proxy for each way to the service."""

    def __init__(self, script: Script, path: peer.Path, seed: int) -> None:
        self._line = script.network or Line()
        self._bad = script.network is not None or any(act.do in ("cut", "rebind") for act in script.acts)
        self._path, self._seed = path, seed
        self._open = contextlib.AsyncExitStack()
        self._proxy: impair.Proxy | None = None
        self._cut_until = 0.0
        if self._bad and path in ("tcp", "tls"):
            raise errors.BadInput("a bad network is UDP only: give --path direct or udp")

    async def __aenter__(self) -> Network:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def proxied(self) -> bool:
        """Media go through a proxy to the service's own address: it must find no way around."""
        return self._bad and self._path == "direct"

    def statistics(self) -> dict[str, Any] | None:
        return None if self._proxy is None else self._proxy.statistics()

    def cut(self, seconds: float) -> None:
        self._cut_until = asyncio.get_running_loop().time() + seconds
        if self._proxy is not None:
            self._proxy.cut(seconds)

    def rebind(self) -> None:
        if self._proxy is not None:
            self._proxy.rebind()

    async def servers(self, ice_servers: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """The relays as the caller is to use them."""
        if not self._bad or self._path != "udp":
            return ice_servers
        for server in ice_servers:
            urls = server["urls"] if isinstance(server["urls"], list) else [server["urls"]]
            for url in urls:
                found = _RELAY.match(url)
                if found and peer.transport_of(url) == "udp":
                    host, port = await self._before((found["host"].strip("[]"), int(found["port"] or 3478)))
                    return [{**server, "urls": [f"turn:{host}:{port}?transport=udp"]}]
        return ice_servers

    async def through(self, answer: str) -> tuple[str, int] | None:
        """Where media go instead of the answer's address."""
        if not self.proxied:
            return None
        return await self._before(peer.candidate(answer))

    async def _before(self, to: tuple[str, int]) -> tuple[str, int]:
        await self._open.aclose()
        self._seed += 1
        opened = impair.opened(to, listen=(own_address(to), 0), up=self._line, seed=self._seed)
        self._proxy = await self._open.enter_async_context(opened)
        left = self._cut_until - asyncio.get_running_loop().time()
        if left > 0:
            self._proxy.cut(left)
        return self._proxy.address


def own_address(to: tuple[str, int]) -> str:
    """From which this computer would send there."""
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(to)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
