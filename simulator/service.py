"""The service over HTTP: only its clock, for accelerated runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import aiohttp

from simulator import clock, errors

ADVANCE_SECONDS = 120.0


class ClockNotVirtual(errors.Refused):
    """The service runs in real time."""

    status = 2

    def __init__(self, why: str) -> None:
        super().__init__(f"this service's clock cannot be stepped ({why}): only --speed 1 is possible")


class Service:
    """A service whose virtual clock may be stepped with a control token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}

    async def virtual_now(self) -> datetime:
        """Raises ClockNotVirtual or Unreachable."""
        # A step to nowhere only settles the present moment, and answers with it.
        answer = await self._advance(None)
        if not isinstance(answer.get("at"), str):
            raise ClockNotVirtual("it runs in real time")
        return datetime.fromisoformat(answer["at"])

    async def advance(self, to: datetime) -> None:
        """Steps to a time; returns when every time-driven rule up to there has fired."""
        await self._advance(clock.text(to))

    async def go_virtual(self) -> datetime:
        """Time that was real becomes virtual from its present moment on. Raises ClockNotVirtual where it must not."""
        answer = await self._advance("virtual")
        if not isinstance(answer.get("at"), str):
            raise ClockNotVirtual("it runs in real time")
        return datetime.fromisoformat(answer["at"])

    async def go_real(self) -> None:
        """Virtual time ends; from here the service runs in real time."""
        await self._advance("real")

    async def _advance(self, to: str | None) -> dict[str, Any]:
        try:
            async with self._session.post(
                f"{self._url}/api/v1/clock/advance",
                json={"to": to},
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(ADVANCE_SECONDS),
            ) as response:
                if response.status in (400, 401, 403, 404, 405, 409, 422):
                    raise ClockNotVirtual(f"HTTP {response.status}")
                if response.status >= 400:
                    raise errors.Refused(f"the service answered {response.status} when asked to advance its clock")
                text = await response.text()
                answer = await response.json() if text.startswith("{") else {}
                return dict(answer)
        except TimeoutError:
            raise errors.Unreachable("the service did not answer in time when asked to advance its clock") from None
        except (aiohttp.ClientError, ValueError):
            raise errors.Unreachable("the service cannot be reached by HTTP; see --url") from None


@contextlib.asynccontextmanager
async def opened(url: str, token: str) -> AsyncIterator[Service]:
    async with aiohttp.ClientSession() as session:
        yield Service(session, url, token)
