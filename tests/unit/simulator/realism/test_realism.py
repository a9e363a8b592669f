"""Comparing simulated residents with people: reading what they measured, twins, figures, the report."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from simulator import __main__ as command
from simulator import errors, noise
from simulator.bodies import physiology
from simulator.realism import comparing, people, report, twins
from simulator.realism.people import Series

DAY = 86_400_000
START = 1_700_000_000_000


def write(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def one(found: people.Found, code: str) -> Series:
    (series,) = (series for series in found.series if series.code == code)
    return series


def test_the_plain_format_converts_units_and_leaves_out_the_impossible(tmp_path: Path) -> None:
    write(
        tmp_path / "home.csv",
        [
            ("person", "code", "value", "unit", "taken_at"),
            ("a", "weight", 100, "[lb_av]", "2026-01-01T08:00:00Z"),
            ("a", "weight", 45.4, "kg", "2026-01-02T08:00:00+01:00"),
            ("a", "weight", 0.001, "kg", "2026-01-03T08:00:00Z"),
            ("a", "consciousness", "A", "", "2026-01-03T08:00:00Z"),
            ("a", "weight", 45, "stone", "2026-01-03T09:00:00Z"),
            ("a", "weight", "many", "kg", "2026-01-03T10:00:00Z"),
        ],
    )
    found = people.read(tmp_path)
    assert one(found, "weight").values.tolist() == pytest.approx([45.359237, 45.4])
    assert found.refused == {"home.csv": 4}


def test_tables_are_known_by_their_columns(tmp_path: Path) -> None:
    write(
        tmp_path / "bp.csv",
        [("user_code", "measurement_datetime", "diastolic", "systolic"), ("a", "2020-04-29  22:33:33", 100, 150)],
    )
    write(
        tmp_path / "days.csv",
        [("user_code", "day", "average_spo2_value", "steps_count"), ("a", "2020-02-12", 0.97, 8574), ("a", "x", 1, 2)],
    )
    write(tmp_path / "scale.csv", [("startDate", "value", "unit"), ("2022-01-19 06:22:42 -0800", 220.462262, "lb")])
    write(tmp_path / "krone.csv", [("subject", "day", "body_weight"), (1, 0, 69.4), (1, 1, 70)])
    write(tmp_path / "other.csv", [("patient", "HR"), (1, 80)])
    with gzip.open(tmp_path / "hours.csv.gz", "wt") as packed:
        packed.write("hour,pid,rhr_median,rhr_n,steps\n2020-03-10 00:00:00,p,79.6,60,3\n2020-03-10 01:00:00,p,50,2,3\n")
    with zipfile.ZipFile(tmp_path / "cgm.zip", "w") as archive:
        archive.writestr("one.csv", "timestamp,glucose_value_mg_dl\n2023-09-04 00:03:00,90.078\n")
    found = people.read(tmp_path)
    assert one(found, "systolic").values.tolist() == [150]
    assert one(found, "spo2").values.tolist() == [97]
    assert one(found, "steps").values.tolist() == [8574]
    assert one(found, "resting_pulse").values.tolist() == [79.6]
    assert one(found, "glucose").values.tolist() == pytest.approx([5.0])
    assert sorted(series.values[0] for series in found.series if series.code == "weight") == pytest.approx([69.4, 100])
    assert found.unknown == ["other.csv"]


def test_a_folder_without_measurements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.BadInput, match="no measurements"):
        people.read(tmp_path)
    with pytest.raises(errors.BadInput, match="no such file"):
        people.read(tmp_path / "away")


def test_stays_end_after_twelve_weeks_or_a_gap_of_four() -> None:
    days = np.array([*range(0, 120), *range(160, 180), *range(300, 310)], dtype=np.int64)
    series = Series("a", "weight", START + days * DAY, np.full(len(days), 80.0))
    assert [len(stay.times_ms) for stay in twins.stays(series)] == [84, 36, 20]
    assert [stay.known for stay in twins.stays(series)] == [28, 12, 6]


def test_a_twin_knows_nothing_of_what_is_compared() -> None:
    times = START + np.arange(60, dtype=np.int64) * DAY
    values = 70.0 + np.arange(60) % 5
    told = [
        next(twins.stays(Series("a", "pulse", times, np.concatenate([values[:20], later]))))
        for later in (values[20:], values[20:] + 50)
    ]
    assert np.array_equal(twins.of(told[0], 1).lives, twins.of(told[1], 1).lives)


def test_a_twin_has_the_level_and_spread_of_the_admission() -> None:
    times = START + np.arange(80, dtype=np.int64) * DAY
    drawn = noise.gaussian(noise.key("somebody"), np.arange(80, dtype=np.int64))
    stay = next(twins.stays(Series("a", "pulse", times, 90.0 + 12.0 * drawn)))
    known = stay.values[: stay.known]
    lives = twins.of(stay, 1).lives
    assert lives.mean() == pytest.approx(known.mean(), abs=1.5)
    assert lives.std() == pytest.approx(known.std(), rel=0.3)


def test_the_distance_is_kolmogorov_and_smirnovs() -> None:
    assert comparing.distance({1: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0}) == 0
    assert comparing.distance({1: 1.0, 2: 1.0, 3: 2.0}, {2: 3.0, 3: 1.0}) == pytest.approx(0.25)
    assert comparing.distance({1: 5.0}, {2: 1.0}) == 1


def test_autocorrelation_is_about_the_own_mean() -> None:
    assert twins.autocorrelation(np.array([1.0, -1.0, 1.0, -1.0])) == pytest.approx(-0.75)
    assert twins.autocorrelation(np.array([5.0, 5.0, 5.0])) == 0


def people_like_bodies(count: int, code: str, level: float, spread: float) -> list[Series]:
    found = []
    for number in range(count):
        times = START + np.arange(60, dtype=np.int64) * DAY + number * 7919
        profile = twins.somebody(f"p{number}", code, level + 2 * (number - count / 2), spread, 77 + number)
        values = physiology.measured(profile, None, "cuff", code, times)
        found.append(Series(f"p{number}", code, times, values))
    return found


def test_people_who_are_like_bodies_are_within() -> None:
    found = comparing.compare("systolic", "spot", people_like_bodies(30, "systolic", 125, 8.6), 1)
    assert found is not None
    assert found.verdict == "within"
    assert found.figures.ks < 0.08
    assert abs(found.figures.lag_difference) < 0.08
    assert found.chance is None


def test_people_who_change_after_admission_are_outside() -> None:
    """No chance and no instrument makes everybody's pressure rise."""
    strangers = [
        Series(one.person, one.code, one.times_ms, one.values + 15 * (np.arange(60) >= 20))
        for one in people_like_bodies(12, "systolic", 125, 8.6)
    ]
    found = comparing.compare("systolic", "spot", strangers, 1)
    assert found is not None
    assert found.verdict == "outside"
    assert found.figures.ks > comparing.KS_LIMIT


def test_an_instrument_is_known_by_the_first_thirds_of_all_people() -> None:
    """The same level and spread, but each measurement for itself."""
    index = np.arange(60, dtype=np.int64)
    people = people_like_bodies(16, "systolic", 125, 8.6)
    strangers = [
        Series(one.person, one.code, one.times_ms, 125 + 9 * noise.gaussian(noise.key(one.person), index))
        for one in people
    ]
    stays, usual = ([stay for one in many for stay in twins.stays(one)] for many in (strangers, people))
    kind = twins.instrument(stays)
    assert kind is not None
    assert kind.error > 0.3
    assert twins.instrument(usual) is None
    found = comparing.compare("systolic", "spot", strangers, 1)
    assert found is not None
    assert abs(found.figures.lag_difference) < comparing.LAG_LIMIT < abs(found.published.lag_difference)


def test_of_few_people_it_is_said_that_nothing_can_be_told() -> None:
    few = people_like_bodies(2, "systolic", 125, 8.6)
    changed = [Series(one.person, one.code, one.times_ms, one.values + np.arange(60) / 3) for one in few]
    found = comparing.compare("systolic", "spot", changed, 1)
    assert found is not None
    assert found.chance is not None
    assert found.verdict == "few"


def test_resting_pulse_by_the_hour_is_pulse_at_rest() -> None:
    hours = START + np.arange(100, dtype=np.int64) * 3_600_000
    assert twins.simulated_code(Series("a", "resting_pulse", hours, np.full(100, 60.0))) == "pulse"
    assert twins.simulated_code(Series("a", "resting_pulse", hours * 24, np.full(100, 60.0))) == "resting_pulse"


def test_the_command_writes_a_page_and_json_that_name_nobody(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [("person", "code", "value", "unit", "taken_at")]
    for series in people_like_bodies(3, "systolic", 125, 8.6):
        for at, value in zip(series.times_ms.tolist(), series.values.tolist(), strict=True):
            rows.append((f"Mrs {series.person}", "systolic", value, "mm[Hg]", f"2026-{1 + at % 9:02d}-01"))
            rows[-1] = (*rows[-1][:4], np.datetime64(at, "ms").item().isoformat() + "Z")
    data, page = write(tmp_path / "home.csv", rows), tmp_path / "page.html"
    result = CliRunner().invoke(command.app, ["realism", "--data", str(data), "--json", "--html", str(page)])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout.splitlines()[-1])
    assert document["vitals"][0]["code"] == "systolic"
    assert document["vitals"][0]["people"] == 3
    assert "glucose" in document["not_compared"]
    text = page.read_text()
    assert "<svg" in text
    assert "<script" not in text
    assert "Mrs" not in text + result.stdout


def test_a_wrong_folder_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(command.app, ["realism", "--data", str(tmp_path / "away")])
    assert result.exit_code == 2
    assert report.METHOD
