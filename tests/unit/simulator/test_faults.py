"""Faults as they are asked for: read, checked, refused with words; and clocks that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulator import clock, errors, realistic
from simulator.homes import catalogue, clocks, faults, kinds

START = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KNOWN = {"device:d1", "device:d2", "resident:r1", "home:h1"}


@pytest.mark.parametrize(
    ("text", "minutes", "shown"),
    [
        ("d1=+2h", 0, START + timedelta(hours=2)),
        ("d1=-90s", 5, START + 5 * MINUTE - timedelta(seconds=90)),
        ("d1=-1h@10m", 9, START + 9 * MINUTE),
        ("d1=-1h@10m", 10, START + 10 * MINUTE - timedelta(hours=1)),
        ("d1=unset", 3, datetime(2000, 1, 1, 0, 3, tzinfo=UTC)),
        ("d1=drift+20s", 1440, START + timedelta(days=1, seconds=20)),
    ],
)
def test_what_a_wrong_clock_shows(text: str, minutes: int, shown: datetime) -> None:
    fault = clocks.option(text, "c1", KNOWN, START)
    assert clock.from_ms(clocks.shown([fault], clock.to_ms(START + minutes * MINUTE))) == shown


def test_a_clock_is_right_again_when_its_fault_is_over() -> None:
    fault = faults.parse("clock_dst:d1:hours=1@1h..2h", "f", KNOWN, START)
    hours = [clock.to_ms(START + timedelta(hours=hour)) for hour in (0, 1, 2)]
    assert [clocks.shown([fault], at) - at for at in hours] == [0, 3_600_000, 0]


@pytest.mark.parametrize("wrong", ["d1", "d1=2h", "d1=+2y", "=@", "d9=+2h"])
def test_wrong_clocks_are_refused(wrong: str) -> None:
    with pytest.raises(errors.BadInput):
        clocks.option(wrong, "c1", KNOWN, START)


def test_a_fault_as_text() -> None:
    fault = faults.parse("motion:r1:share=0.25,codes=spo2+pulse@6h..2026-10-25T12:00:00Z", "f1", KNOWN, START)
    assert fault.target == "resident:r1"
    assert fault.number("share") == 0.25
    assert fault.number("flagged") == 0.8
    assert fault.codes == ("spo2", "pulse")
    assert fault.from_ms == clock.to_ms(START + timedelta(hours=6))
    assert fault.to_ms == clock.to_ms(datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert [fault.active(at) for at in (fault.from_ms - 1, fault.from_ms, fault.to_ms - 1, fault.to_ms)] == [
        False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense:d1", "no fault of this kind"),
        ("motion:d9", "device or a resident or a home"),
        ("motion:d1:share=2", "from 0 to 1"),
        ("motion:d1:shares=1", "no parameter"),
        ("motion:d1:share=nan", "from 0 to 1"),
        ("clipped:d1:end=middle", "one of low, high"),
        ("shared_kit:d1:named=perhaps", "yes or no"),
        ("motion:d1@6h..1h", "ends before"),
        ("motion:d1@soon", "not a time"),
        ("motion:d1@2026-10-25T12:00:00", "no offset"),
        ("flood:r1", "needs a device"),
        ("motion", "not a fault"),
    ],
)
def test_what_is_wrong_with_a_fault_is_said(text: str, says: str) -> None:
    with pytest.raises(errors.BadInput, match=says):
        faults.parse(text, "f1", KNOWN, START)


def test_every_kind_says_what_a_tester_sees_and_can_be_switched_on_as_it_stands() -> None:
    for kind in catalogue.KINDS.values():
        target = {"device": "d1", "resident": "r1", "home": "h1"}[kind.targets[0]]
        fault = faults.made("f", kind.name, target, KNOWN, 0, None, {})
        assert fault.active(0)
        assert kind.sees.endswith(".")
        assert kind.description.endswith(".")
        for parameter in kind.parameters:
            if isinstance(parameter.default, float):
                assert parameter.lowest <= parameter.default <= parameter.highest
    assert realistic.known()


def test_the_document_names_every_fault_with_its_parameters_and_every_kind_of_device() -> None:
    text = Path("docs/simulator/faults.md").read_text("utf-8")
    for kind in catalogue.KINDS.values():
        line = next(line for line in text.splitlines() if line.startswith(f"| `{kind.name}` |"))
        assert kind.description in line
        assert kind.sees in line
        assert all(f"`{parameter.name}`" in line for parameter in kind.parameters)
    assert all(f"| `{name}` | {kind.title} |" in text for name, kind in kinds.KINDS.items())


def test_faults_of_scenarios_count_from_the_onset() -> None:
    planned = faults.planned({"kind": "wifi_outage", "from_hours": 2, "to_hours": 5.5})
    fault = planned.at("r1", 1_000_000, "x/fault1")
    assert (fault.from_ms, fault.to_ms) == (1_000_000 + 7_200_000, 1_000_000 + 19_800_000)
    assert fault.target == "resident:r1"
    for wrong in ({"kind": "flood"}, {"kind": "motion", "from_hours": "x"}, {"kind": "motion", "to_hours": -1}):
        with pytest.raises(errors.BadInput):
            faults.planned(wrong)
