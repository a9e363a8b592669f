"""Devices as things: battery with hysteresis, firmware, silence; and why a measure has not come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from telehealth.errors import Invalid
from telehealth.model import silence, technical
from telehealth.model.silence import Arrival, Known
from telehealth.model.technical import Condition, Kind, Said, Setting, Settings

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SAID = Said("cuff", True, False, T0, T0, True, None, None)
ZONE = ZoneInfo("Europe/London")


def levels(charges: list[float | None]) -> list[str | None]:
    """The level of the battery's condition after each of these charges."""
    present: dict[Kind, Condition] = {}
    found = []
    for number, charge in enumerate(charges):
        at = T0 + number * HOUR
        said = replace(SAID, battery=charge, said_at=at, heard_at=at)
        for change in technical.decide(said, present, Settings(), at)[0]:
            present.pop(change.kind, None)
            if change.until is None:
                present[change.kind] = change
        found.append(present["battery"].level if "battery" in present else None)
    return found


def test_battery() -> None:
    """Strictly below a limit; back by the hysteresis; critical stays critical until it is charged; silence changes
    nothing."""
    assert levels([1.0, 0.2, 0.19, None, 0.2, 0.2499, 0.25]) == [None, None, "low", "low", "low", "low", None]
    assert levels([0.1, 0.0999, 0.15, 0.24, 0.25, 0.05]) == [
        "low",
        "critical",
        "critical",
        "critical",
        None,
        "critical",
    ]


def test_a_revoked_device_is_of_no_concern() -> None:
    said = replace(SAID, battery=0.05)
    [low], _ = technical.decide(said, {}, Settings(), T0)
    [over], _ = technical.decide(replace(said, revoked=True), {"battery": low}, Settings(), T0 + HOUR)
    assert over.until == T0 + HOUR


@pytest.mark.parametrize(
    ("has", "needs", "old"),
    [
        ("1.4.0", "1.4.0", False),
        ("1.4", "1.4.0", False),
        ("1.3.9", "1.4", True),
        ("1.10.0", "1.9.9", False),
        ("v1.2.3-beta", "1.2.4", True),
        ("0.9", "1", True),
        ("unknown", "1.4", False),
        ("1.0", "", False),
    ],
)
def test_firmware(has: str, needs: str, old: bool) -> None:
    """By numbers, not by letters; what cannot be compared is not judged."""
    settings = Settings([Setting("minimum_firmware", needs, "recall", "approved", "cuff")])
    found, _ = technical.decide(replace(SAID, firmware=has), {}, settings, T0)
    assert [change.level for change in found] == (["old"] if old else [])
    others, _ = technical.decide(replace(SAID, model="scale", firmware=has), {}, settings, T0)
    assert others == []


def test_offline() -> None:
    """After so many hours without a sign of life, where somebody is monitored with it; it says when to look again."""
    said = replace(SAID, online=False, said_at=T0 + HOUR)
    due = T0 + 25 * HOUR
    assert technical.decide(said, {}, Settings(), due - timedelta(microseconds=1)) == ([], due)
    [silent], wake = technical.decide(said, {}, Settings(), due)
    assert (silent.kind, silent.since, wake) == ("silent", due, due + timedelta(minutes=15))
    assert technical.decide(replace(said, in_use=False), {}, Settings(), due) == ([], None)
    paused = replace(said, in_use=False, assigned=True)
    assert technical.decide(paused, {}, Settings(), due) == ([], due + HOUR)
    [over], _ = technical.decide(replace(said, heard_at=due + HOUR), {"silent": silent}, Settings(), due + HOUR)
    assert over.until == due + HOUR


def test_nothing_is_expected_of_a_device_that_never_said_it_would() -> None:
    """No heartbeat unless the registry says that its model has one."""
    assert technical.decide(SAID, {}, Settings(), T0 + 1000 * HOUR) == ([], None)
    settings = Settings([Setting("heartbeat_minutes", 90.0, "manual", "approved", "cuff")])
    [silent], _ = technical.decide(SAID, {}, settings, T0 + 1000 * HOUR)
    assert (silent.detail["why"], silent.since) == ("no_heartbeat", T0 + timedelta(minutes=90))


@pytest.mark.parametrize(
    ("name", "value"),
    [("battery_low", "2"), ("battery_low", "some"), ("offline_hours", "0"), ("minimum_firmware", "new"), ("x", "1")],
)
def test_settings_that_make_no_sense(name: str, value: str) -> None:
    with pytest.raises(Invalid):
        technical.checked(name, value)


def test_limits_that_contradict_each_other() -> None:
    with pytest.raises(Invalid, match="above battery_low"):
        Settings([Setting("battery_critical", 0.3, "s", "a")]).check_order("")
    with pytest.raises(Invalid, match="above 1"):
        Settings([Setting("battery_low", 0.99, "s", "a")]).check_order("cuff")


def test_every_default_has_a_source() -> None:
    assert all(setting.source and setting.approval for setting in technical.defaults().values())


def _known(**more: object) -> Known:
    return replace(Known("kit-7", ("spo2",), T0, True, T0 - HOUR), **more)  # type: ignore[arg-type]  # fields of Known


DUE = T0 - HOUR


@pytest.mark.parametrize(
    ("devices", "arrivals", "key", "words"),
    [
        ([], [], "no_device", "none of the resident's devices"),
        ([_known(codes=("weight",))], [], "no_device", "measures it"),
        ([_known()], [], "resident_silent", "device kit-7 is on"),
        ([_known(online=None)], [], "resident_silent", "nothing was measured"),
        ([_known(online=None, heard_at=DUE - HOUR)], [], "device_silent", "last heard of at 07:00"),
        ([_known(online=None, heard_at=None)], [], "device_silent", "never heard of"),
        ([_known(online=False, said_at=T0)], [], "device_silent", "offline since 09:00"),
        # heard after its last will: by HTTP, or the status of the new connection is still on its way
        ([_known(online=False, said_at=T0 - HOUR)], [], "resident_silent", "is on"),
        ([_known(online=True, heard_at=T0 - 25 * HOUR)], [], "device_silent", "08:00 on 01-Mar"),
        ([_known(online=False, said_at=T0), _known(device_id="kit-8")], [], "resident_silent", "device kit-8 is on"),
        ([_known()], [Arrival("spo2", T0 - 6 * HOUR, T0)], "data_late", "taken at 03:00"),
        ([_known()], [Arrival("weight", T0 - 6 * HOUR, T0)], "resident_silent", "is on"),
    ],
)
def test_why_a_measure_has_not_come(devices: list[Known], arrivals: list[Arrival], key: str, words: str) -> None:
    """Device silent, resident silent and data late are different, and say so."""
    found = silence.cause("spo2", DUE, devices, arrivals, T0, ZONE)
    assert found.key == key
    assert words in found.text
