"""Whoever is put out has no transport any more: nothing is heard from them, and nothing is sent to them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from telehealth.media import peer
from tests.integration.media.callers import Caller
from tests.integration.media.conftest import Visit


def _ports(sdp: str) -> list[tuple[str, int]]:
    """Where a worker hears somebody, by its answer."""
    lines = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return [(words[4], int(words[5])) for words in lines if ":" not in words[4]]


def _free(address: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        try:
            own.bind(address)
        except OSError:
            return False
        return True


async def _until_free(addresses: list[tuple[str, int]]) -> None:
    assert addresses
    async with asyncio.timeout(10):
        while not all(_free(address) for address in addresses):  # noqa: ASYNC110  # the kernel tells nobody
            await asyncio.sleep(0.02)


async def test_whoever_is_put_out_can_send_no_more(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1), one.hears(2))
    voice = one.mid_of(2, "audio")
    assert voice is not None
    heard = one.listen(voice)
    addresses = _ports(two.connection.remoteDescription.sdp)
    assert not any(_free(address) for address in addresses)
    closed = asyncio.Event()

    def changed() -> None:
        if two.connection.connectionState == "closed":
            closed.set()

    two.connection.on("connectionstatechange", changed)
    await visit.workers.leave(visit.room, 2)
    told = len(heard)
    seen = two.pictures.total()
    await _until_free(addresses)
    await asyncio.wait_for(closed.wait(), 10)  # their browser is told
    assert len(heard) - told <= 2, "what was on its way"
    await visit.watched.until(lambda: one.mid_of(2, "audio") is None)
    three = await visit.join(3)
    await asyncio.gather(one.sees(3, more=10), three.sees(1))
    assert two.pictures.total() - seen <= 2


class _Nobody:
    def heard(self, *_: Any) -> None:
        pass

    def changed(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("trouble", ["hangs", "fails"])
async def test_a_transport_is_closed_also_where_aiortc_does_not_close_it(
    monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(peer, "_CLOSE_SECONDS", 0.2)
    caller = Caller(1)
    made, answer = await peer.Peer.answer(1, await caller.offer(), _Nobody())
    addresses = _ports(answer)
    assert not any(_free(address) for address in addresses)

    async def close() -> None:
        if trouble == "fails":
            raise RuntimeError("the socket is closed")
        await asyncio.get_running_loop().create_future()

    stock = made._connection.close
    monkeypatch.setattr(made._connection, "close", close)
    await made.close()
    await _until_free(addresses)
    await stock()
    await caller.close()
