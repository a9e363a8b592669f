"""The study of continuous glucose: two counts that share nothing agree; formats and units."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telehealth import errors
from telehealth.study import cgm, cgm_logs, consensus
from telehealth.study.cgm_logs import Log

MINUTE = 60_000_000


def event_times(values: str, *, minutes: int = 5, lasting: int = 15) -> list[tuple[int, int | None]]:
    """x: beyond, .: inside, -: no reading; places of the starts and ends."""
    at = [place * minutes * MINUTE for place, mark in enumerate(values) if mark != "-"]
    beyond = [mark == "x" for mark in values if mark != "-"]
    found = consensus.events(at, beyond, minutes=minutes, lasting=lasting)
    step = minutes * MINUTE
    return [(one.started_at // step, None if one.ended_at is None else one.ended_at // step) for one in found]


def test_the_count_by_hand() -> None:
    assert event_times("..xx..") == []
    assert event_times("..xxx...") == [(4, 7)]
    assert event_times("..xxx..x...") == [(4, 10)]  # two readings back are not 15 minutes
    assert event_times("..xx-x...") == [(5, 8)]  # a missing reading is no gap
    assert event_times("..xx------xx..") == []  # a silence of more than 30 minutes is
    assert event_times("..xxx-------...") == [(4, 14)]  # and ends nothing
    assert event_times("..xxx-------.xx") == [(4, None)]
    assert event_times(".x.", minutes=15) == [(1, 2)]  # a reading of a 15-minute sensor is 15 minutes
    assert event_times("x" * 23 + "...", lasting=120) == []
    assert event_times("x" * 24 + "...", lasting=120) == [(23, 26)]


EDGES_MG = st.sampled_from([40, 53, 54, 55, 69, 70, 71, 120, 180, 181, 182, 249, 250, 251, 300])
STEPS = st.sampled_from([1, 1, 1, 1, 1, 2, 3, 6, 7, 40])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(EDGES_MG, STEPS), min_size=2, max_size=120), st.sampled_from([5, 15]), st.booleans())
def test_the_engine_counts_the_same(readings: list[tuple[int, int]], minutes: int, in_mg: bool) -> None:
    log = Log("p", minutes=minutes)
    at = 1_700_000_000_000_000
    for mg, step in readings:
        at += step * minutes * MINUTE
        value = float(mg) if in_mg else round(mg / 18.0156, 1)
        log.at.append(at)
        log.judged.append((value, in_mg))
        log.mmol.append(value / 18.0156 if in_mg else value)
    wanted = cgm.kinds()
    (counted,) = cgm.count([log], wanted)
    assert {kind.edge for kind in wanted} == {"low_1", "low_2", "high_1", "high_2"}
    for kind in wanted:
        assert counted[kind.rule].engine == counted[kind.rule].independent
        assert counted[kind.rule].differ == 0


def write(path: Path, header: str, values: list[str], minutes: int = 5) -> None:
    lines = [
        f"2024-02-{1 + 5 * n // 1440:02d} {minutes * n // 60 % 24:02d}:{minutes * n % 60:02d}:00,{v}"
        for n, v in enumerate(values)
    ]
    path.write_text("\n".join([header, *lines]) + "\n")


def test_formats_and_units(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "timestamp,glucose_value_mg_dl", ["100", "69", "Low", "High", "NaN", "9000"])
    write(tmp_path / "b.csv", "time,Glucose (mmol/L)", ["5.5", "3.8", "3.83", "10.0"], 15)
    write(tmp_path / "c.csv", "time,gl", ["5.5", "6.1"])
    write(tmp_path / "d.csv", "time,gl", ["100", "110"])
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(
            "in/e.csv",
            "id,time,gl\n1,2024-02-01 00:00,100\n1,2024-02-01 00:05,100\n1,2024-02-01 00:05,200\n2,2024-02-01 00:00,90",
        )
    logs, used = cgm_logs.read(tmp_path)
    found = {log.person: log for log in logs}
    assert sorted(found) == ["a.csv", "b.csv", "c.csv", "d.csv", "z.zip/in/e.csv:1"]
    assert found["a.csv"].judged == [(100.0, True), (69.0, True), (39.0, True), (401.0, True)]
    assert found["a.csv"].minutes == 5
    assert found["b.csv"].minutes == 15
    assert found["b.csv"].judged == [(5.5, False), (3.8, False), (69.0, True), (10.0, False)]
    assert found["b.csv"].mmol[:2] == [5.5, 3.8]
    assert found["c.csv"].judged == [(5.5, False), (6.1, False)]
    assert found["d.csv"].judged == [(100.0, True), (110.0, True)]
    assert found["z.zip/in/e.csv:1"].judged == [(100.0, True), (100.0, True)]
    assert used.refused == {"a.csv": ["line 7: no sensor can show that glucose"]}


def test_an_id_that_numbers_rows_is_nobody(tmp_path: Path) -> None:
    rows = "\n".join(f"{n},2024-02-01 {n // 12:02d}:{n % 12 * 5:02d},100" for n in range(30))
    (tmp_path / "a.csv").write_text(f"id,time,gl\n{rows}\n")
    assert [log.person for log in cgm_logs.read(tmp_path)[0]] == ["a.csv"]


def test_no_glucose_and_two_units(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,weight\n2024-01-01,80\n")
    with pytest.raises(errors.Invalid, match="has no glucose that can be used"):
        cgm_logs.read(tmp_path)
    (tmp_path / "b.csv").write_text("time,value,unit\n2024-01-01 00:00,80,mg/dL\n2024-01-01 00:05,5,mmol/L\n")
    with pytest.raises(errors.Invalid, match=r"b\.csv: unit must be mg/dL or mmol/L, the same on every line"):
        cgm_logs.read(tmp_path)


def test_the_report(tmp_path: Path) -> None:
    write(
        tmp_path / "a.csv",
        "timestamp,glucose_value_mg_dl",
        ["100"] * 6 + ["60"] * 6 + ["100"] * 6 + ["50"] * 2 + ["100"] * 6,
    )
    report = cgm.run(tmp_path)
    assert report.figures["differing"] == 0
    assert report.figures["sustained/low_1_consensus"] == 1
    assert report.figures["sustained/low_2_consensus"] == 0
    assert [target.met for target in report.targets] == [True]
