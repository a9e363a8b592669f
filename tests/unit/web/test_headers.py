"""What is answered, and logged, when something fails on the way."""

from __future__ import annotations

import asyncio

import pytest
import structlog.testing
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from telehealth.web import headers


class Line(asyncio.Transport):
    """Somebody's connection, of which only is known whether it ends."""

    def __init__(self, *, ends: bool) -> None:
        super().__init__()
        self._ends = ends

    def is_closing(self) -> bool:
        return self._ends


async def _failing(_request: web.Request) -> web.StreamResponse:
    raise ConnectionResetError("Cannot write to closing transport")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(None, 400, id="has gone"),
        pytest.param(Line(ends=True), 400, id="is going"),
        pytest.param(Line(ends=False), 503, id="is there: it is the database"),
    ],
)
async def test_who_hangs_up_is_no_error_of_ours(line: Line | None, status: int) -> None:
    """A connection that ends while its answer begins is no trouble that anybody has to look for."""
    request = make_mocked_request("GET", "/ws", headers={"Accept": "application/json"}, transport=Line(ends=True))
    request.protocol.transport = line
    with structlog.testing.capture_logs() as logged:
        response = await headers.surround(request, _failing)
    assert response.status == status
    assert [one["log_level"] for one in logged if one["event"] == "request failed"] == ["error"] * (status == 503)
