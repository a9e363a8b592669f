"""What becomes of packets on a bad line; deterministic by seed."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import errors, impair
from simulator.wire import Line, Window, Wire


def sent(
    line: Line, *, seed: str = "1", packets: int = 5000, gap: float = 0.01, size: int = 1000
) -> list[float | None]:
    wire = Wire(line, seed)
    return [wire.arrival(size, number * gap) for number in range(packets)]


def bursts(found: list[float | None]) -> list[int]:
    runs, length = [], 0
    for arrival in [*found, 0.0]:
        if arrival is None:
            length += 1
        elif length:
            runs.append(length)
            length = 0
    return runs


class TestLoss:
    def test_is_the_share_that_was_asked_for(self) -> None:
        assert 0.04 < sent(Line(loss=0.05), packets=20_000).count(None) / 20_000 < 0.06

    def test_comes_in_bursts(self) -> None:
        found = sent(Line(loss=0.05, burst=8), packets=50_000)
        runs = bursts(found)
        assert 0.04 < found.count(None) / 50_000 < 0.06
        assert 6 < sum(runs) / len(runs) < 10
        assert sum(bursts(sent(Line(loss=0.05)))) / len(bursts(sent(Line(loss=0.05)))) < 1.2

    def test_all_or_nothing(self) -> None:
        assert sent(Line(loss=1.0, burst=5), packets=100) == [None] * 100
        assert None not in sent(Line(), packets=100)

    def test_follows_from_the_seed(self) -> None:
        line = Line(loss=0.2, delay=0.05, jitter=0.1, reorder=True)
        assert sent(line, seed="7") == sent(line, seed="7")
        assert sent(line, seed="7") != sent(line, seed="8")

    def test_is_the_same_packets_whatever_else_is_set(self) -> None:
        plain = [arrival is None for arrival in sent(Line(loss=0.1, burst=3))]
        delayed = [arrival is None for arrival in sent(Line(loss=0.1, burst=3, delay=0.2, jitter=0.1))]
        assert plain == delayed


class TestTime:
    @given(
        delay=st.floats(0, 1),
        jitter=st.floats(0, 1),
        reorder=st.booleans(),
        seed=st.text(max_size=5),
        gap=st.floats(0, 0.1),
    )
    def test_nothing_arrives_early_or_later_than_delay_and_jitter(
        self, delay: float, jitter: float, reorder: bool, seed: str, gap: float
    ) -> None:
        found = sent(Line(delay=delay, jitter=jitter, reorder=reorder), seed=seed, packets=50, gap=gap)
        for number, arrival in enumerate(found):
            assert arrival is not None
            assert number * gap + delay <= arrival + 1e-9
            assert arrival <= number * gap + delay + jitter + 1e-4

    def test_order_is_kept_unless_told(self) -> None:
        kept = sent(Line(delay=0.05, jitter=0.1))
        mixed = sent(Line(delay=0.05, jitter=0.1, reorder=True))
        assert all(a < b for a, b in pairwise(kept) if a is not None and b is not None)
        assert any(a > b for a, b in pairwise(mixed) if a is not None and b is not None)

    def test_a_rate_squeezes_and_its_queue_is_finite(self) -> None:
        # 1000 bytes each 10 ms are 800 kbit/s.
        found = sent(Line(rate=400_000, queue=0.2), packets=2000)
        through = [arrival for arrival in found if arrival is not None]
        assert len(through) == pytest.approx(1000, abs=30)
        assert max(arrival - number * 0.01 for number, arrival in enumerate(found) if arrival is not None) < 0.25

    def test_an_outage_is_over_when_it_is(self) -> None:
        wire = Wire(Line(), "1", (Window(5, 5),))
        assert [wire.arrival(100, at) is None for at in (4.9, 5.0, 9.9, 10.0)] == [False, True, True, False]
        assert wire.counts.out == 2


@pytest.mark.parametrize(
    "wrong", [{"loss": 1.1}, {"loss": -0.1}, {"burst": 0.5}, {"delay": -1}, {"jitter": 100}, {"rate": 10}, {"queue": 0}]
)
def test_what_is_no_line_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(errors.BadInput):
        Line(**wrong)  # type: ignore[arg-type]  # one field at a time


class Echo(asyncio.DatagramProtocol):
    """The other side: sends back everything, and remembers who asked."""

    def __init__(self) -> None:
        self.ports: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.ports.append(address[1])
        self.transport.sendto(data, address)  # type: ignore[attr-defined]  # 3.11's own are not registered


class Asker:
    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(address)

    async def ask(self, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.socket, data)
        return await loop.sock_recv(self.socket, 100)


class TestProxy:
    async def test_passes_both_ways_and_counts(self) -> None:
        loop = asyncio.get_running_loop()
        server, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        async with impair.opened(server.get_extra_info("sockname"), up=Line(delay=0.01)) as proxy:
            one, two = Asker(proxy.address), Asker(proxy.address)
            assert await one.ask(b"one") == b"one"
            assert await two.ask(b"two") == b"two"
            assert await one.ask(b"again") == b"again"
            counted = proxy.statistics()
            one.socket.close()
            two.socket.close()
        server.close()
        assert counted["clients"] == 2
        assert counted["up"]["packets"] == counted["down"]["delivered"] == 3
        assert len(set(echo.ports)) == 2

    async def test_a_change_of_network_changes_the_port(self) -> None:
        loop = asyncio.get_running_loop()
        server, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        async with impair.opened(server.get_extra_info("sockname")) as proxy:
            asker = Asker(proxy.address)
            await asker.ask(b"before")
            proxy.rebind()
            assert await asker.ask(b"after") == b"after"
            asker.socket.close()
        server.close()
        assert len(set(echo.ports)) == 2

    async def test_a_cut_stops_everything_until_it_is_over(self) -> None:
        loop = asyncio.get_running_loop()
        server, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        async with impair.opened(server.get_extra_info("sockname")) as proxy:
            asker = Asker(proxy.address)
            await asker.ask(b"before")
            proxy.cut(60)
            await loop.sock_sendall(asker.socket, b"lost")
            while proxy.up.counts.out == 0:  # noqa: ASYNC110  # the proxy tells nobody
                await asyncio.sleep(0)
            asker.socket.close()
        server.close()
        assert len(echo.ports) == 1

    async def test_nobody_on_the_other_side_is_only_loss(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            nobody = probe.getsockname()
        loop = asyncio.get_running_loop()
        async with impair.opened(nobody) as proxy:
            asker = Asker(proxy.address)
            for _ in range(3):
                await loop.sock_sendall(asker.socket, b"hello")
            while proxy.up.counts.delivered < 3:  # noqa: ASYNC110  # the proxy tells nobody
                await asyncio.sleep(0)
            asker.socket.close()

    async def test_a_port_that_is_taken_is_said(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            with pytest.raises(errors.BadInput, match="cannot listen"):
                async with impair.opened(("127.0.0.1", 9), listen=taken.getsockname()):
                    pass
