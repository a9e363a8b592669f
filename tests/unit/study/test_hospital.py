"""The study of hospital vital signs: the plain score against the engine's, calls, onsets and formats."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import news2
from telehealth import errors
from telehealth.study import hospital, hospital_stays, plain_news2
from telehealth.study.hospital_stays import Stay

HEADER = "patient,HR,O2Sat,Temp,SBP,MAP,DBP,Resp,FiO2,Age,Gender,HospAdmTime,ICULOS,SepsisLabel"


def stay(hours: dict[int, dict[str, float]], *, last: int, onset: int | None = None) -> Stay:
    found = Stay("p", first=1, last=last, onset=onset)
    for hour, values in hours.items():
        for code, value in values.items():
            found.values[code][hour] = value
    return found


NUMBER = st.one_of(st.none(), st.floats(0, 1))


@given(NUMBER, NUMBER, st.sampled_from([None, 0.0, 1.0]), NUMBER, NUMBER, NUMBER)
def test_the_plain_score_is_news2(
    rr: float | None,
    spo2: float | None,
    oxygen: float | None,
    sbp: float | None,
    pulse: float | None,
    temp: float | None,
) -> None:
    def within(share: float | None, low: float, high: float) -> float | None:
        return None if share is None else low + share * (high - low)

    values = {
        "resp_rate": within(rr, 4, 40), "spo2": within(spo2, 70, 100), "on_oxygen": oxygen,
        "systolic": within(sbp, 60, 260), "pulse": within(pulse, 20, 180), "temperature": within(temp, 33, 41),
    }  # fmt: skip
    (score,) = plain_news2.scores(
        stay({1: {code: value for code, value in values.items() if value is not None}}, last=1)
    )
    expected = news2.score(
        news2.Inputs(
            values["resp_rate"], values["spo2"], 1, None if oxygen is None else bool(oxygen), values["systolic"],
            values["pulse"], None, values["temperature"],
        )
    )  # fmt: skip
    assert score == expected.total


def test_values_hold_for_eight_hours() -> None:
    assert plain_news2.scores(stay({2: {"pulse": 135.0}}, last=12)) == [0] + [3] * 9 + [0, 0]


def test_plain_episodes_and_joining() -> None:
    totals = [5, 5, 4, 5, 4, 4, 4, 4, 6]
    assert plain_news2.episodes(totals, 5, 0) == [0, 3, 8]
    assert plain_news2.episodes(totals, 5, 1) == [0, 8]
    assert plain_news2.episodes(totals, 5, 4) == [0]
    assert plain_news2.episodes(totals, 6, 0) == [8]


def test_the_engine_calls_when_the_score_is_reached_and_again_only_if_worse() -> None:
    well = {"resp_rate": 14.0, "spo2": 98.0, "systolic": 120.0, "pulse": 70.0, "temperature": 37.0}
    five = {**well, "resp_rate": 22.0, "spo2": 93.0, "pulse": 95.0}
    seven = {**five, "temperature": 39.5}
    course = {1: well, 2: five, 3: well, 4: five, 5: well, 6: seven, 7: well, 8: five}
    patient = stay(course, last=8)
    assert plain_news2.scores(patient) == [0, 5, 0, 5, 0, 7, 0, 5]
    assert hospital._engine([patient], 24).calls == ((2, 6),)
    assert hospital._engine([patient], 0).calls == ((2, 4, 6, 8),)
    assert hospital._engine([stay(course, last=8, onset=6)], 0).calls == ((2, 4),)


def test_formats_and_onset(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text(
        f"{HEADER}\np1,80,98,,120,90,70,14,0.21,60,1,-3,1,0\np1,90,97,36.5,,,,15,0.5,60,1,-3,2,1\np1,,,,,,,,,60,1,-3,3,1\n"
        "p2,9999,,,,,,,,60,1,-3,1,0\np2,70\np2,70,98,,120,90,70,14,,60,1,-3,soon,0\n"
    )
    (tmp_path / "p000009.psv").write_text(
        "HR|O2Sat|Temp|SBP|MAP|DBP|Resp|ICULOS|SepsisLabel\n80|NaN|NaN|120|90|70|14|1|0\n"
    )
    stays, used = hospital_stays.read(tmp_path)
    first, second, third = stays
    assert (first.onset, first.first, first.last, first.stop) == (8, 1, 3, 4)
    assert first.values["pulse"] == {1: 80.0, 2: 90.0}
    assert first.values["on_oxygen"] == {1: 0.0, 2: 1.0}
    assert second.values["pulse"] == {}
    assert third.patient == "p000009.psv"
    assert used.files == {"all.csv": "hourly vital signs", ".: files of one patient each": "hourly vital signs"}
    assert used.refused == {"all.csv": ["line 6: has too few fields", "line 7: the hour or the label is no number"]}


def test_no_stays(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid, match="has no hospital stay that can be used; known are: PhysioNet"):
        hospital_stays.read(tmp_path)


def test_the_report_matches_burdens_without_looking_at_sepsis(tmp_path: Path) -> None:
    rows = []
    for patient in range(12):
        septic = patient % 2
        for hour in range(1, 41):
            ill = hour % 7 == 0 or (septic and hour > 25)
            vitals = "120,92,39.2,95" if ill else "80,98,37.0,120"
            label = int(bool(septic) and hour >= 34)
            rows.append(f"p{patient},{vitals},80,70,{24 if ill else 14},,60,1,-3,{hour},{label}")
    (tmp_path / "all.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    report = hospital.run(tmp_path)
    own, rival = report.figures["per_patient_day"], report.figures["rival_per_patient_day"]
    assert own.value <= rival.value
    assert report.figures["septic"] == 6
    assert report.figures["sensitivity"].value == 1
    assert report.figures["median_lead_hours"] == 33
    assert "<svg" in report.html()
