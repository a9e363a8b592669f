"""Browsers that say nothing, and that come too often."""

from __future__ import annotations

import pytest

from telehealth.web.calls import call_socket, rooms
from tests.integration.calls.conftest import Clinic


async def test_a_silent_browser_is_hung_up_on_and_shows_as_lost(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    monkeypatch.setattr(call_socket, "SILENCE_SECONDS", 0.3)
    guest = await clinic.waits(visit)
    assert await guest.ended() == 1001
    assert nurse.code is None
    await nurse.shows(
        lambda s: any(p["presence"] == "waiting" and p["role"] == "resident" for p in s["visit"]["people"])
    )


async def test_whoever_comes_back_again_and_again_has_to_wait(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MOST_A_MINUTE", 3)
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    for _ in range(3):
        call = await clinic.call(browser, f"/ws{path}")
        await call.presence("checking")
    late = await clinic.call(browser, f"/ws{path}")
    await late.heard("bye", why="service")
    assert await late.ended() == 1001
    assert call.code is None
