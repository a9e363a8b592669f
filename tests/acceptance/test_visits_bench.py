"""The benchmark of visits runs, and its targets are what the figures say."""

from __future__ import annotations

from telehealth.bench import targets, visits
from telehealth.bench.visit_servers import Size


async def test_media_flow_and_are_counted() -> None:
    found = await visits._forwarded(2, 1.0)
    assert found.streams == 2
    assert found.cpu > 0
    assert found.delivered > 0.5


async def test_joins_and_crashes_are_timed() -> None:
    (join,) = await visits._joins(1)
    assert 0 < join < 30
    assert 0 < await visits._crash() < 60


async def test_rounds_are_measured_before_and_after() -> None:
    found = await visits._rounds(1)
    assert found.after.bytes > 0
    assert (found.before.threads > 0, found.before.files > 0) == (True, True)


def _figures(*, janus: visits.Forwarded | None) -> visits.Visits:
    def some(cpu: float, people: int = 2) -> visits.Forwarded:
        return visits.Forwarded(people, cpu, people * (people - 1), 0.99, 2.0)

    size = Size(90_000_000, 6, 20)
    return visits.Visits(
        some(5.0),
        some(40.0),
        some(22.0, 6),
        janus,
        [0.3] * 19 + [1.0],
        [0.5, 2.5],
        [1.0],
        visits.Lossy(20, 600, 0, 0.3),
        visits.Rounds(200, 3, size, Size(91_000_000, 7, 20)),
    )


def test_targets_of_visits() -> None:
    janus = visits.Forwarded(6, 20.0, 30, 1.0, None)
    judged = {target.name: target for target in targets.judged(targets.Figures(visits=_figures(janus=janus)))}
    assert judged["a forwarded stream of two / decoded and encoded"].met
    assert round(judged["a forwarded stream of 6 / of Janus"].found, 2) == 1.1
    assert not judged["after an outage of 5 s, longest"].met
    assert not judged["200 rounds of 3 people: more threads"].met
    assert judged["200 rounds of 3 people: more memory"].met


def test_without_janus_nothing_is_said_of_it() -> None:
    names = [target.name for target in targets.judged(targets.Figures(visits=_figures(janus=None)))]
    assert names
    assert not any("Janus" in name for name in names)
