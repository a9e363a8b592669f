"""A browser that says nothing is gone."""

from __future__ import annotations

import pytest

from telehealth.web import call_socket
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
