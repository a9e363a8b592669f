"""95 % intervals of what a replay counts, each with the name of its method.

Proportions: Wilson's score interval. Counts over time: exact Poisson (Garwood), with people enough the wider of that
and a bootstrap over people, because one person's alerts are not independent. Medians: exact, from order statistics.
Differences of paired proportions: Newcombe's square-and-add (method 10). The bootstrap's numbers come from a fixed
formula: the same data give the same interval on every computer.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerts import errors

Floats = npt.NDArray[np.float64]

WILSON = "Wilson"
POISSON = "exact Poisson (Garwood)"
BOOTSTRAP = "bootstrap over people (2000 resamples, fixed seed)"
BOTH = "the wider of exact Poisson and bootstrap over people"
ORDER = "exact, from order statistics"
NEWCOMBE = "Newcombe, paired"

RESAMPLES = 2000
#: With fewer people than this, resampling them says too little: rates get the exact Poisson interval.
ENOUGH_PEOPLE = 10

_Z = 1.959963984540054  # of the normal distribution, 97.5 %
_TAIL = 0.025
#: From here on the Wilson-Hilferty form of the exact interval, which differs by less than one part in 10,000.
_MANY = 1000
_AT_ONCE = 2_000_000  #: weights of a bootstrap held in memory at a time


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure; low and high are None where the data cannot give a 95 % interval."""

    value: float | None
    low: float | None
    high: float | None
    method: str

    def to_json(self) -> dict[str, float | str | None]:
        return {"value": self.value, "low": self.low, "high": self.high, "method": self.method}


NOTHING = Estimate(None, None, None, "nothing to count")


def proportion(hits: int, of: int) -> Estimate:
    """hits / of, Wilson; of 0 has no value."""
    if not 0 <= hits <= of:
        raise errors.InputError("there cannot be more hits than tries")
    if of == 0:
        return NOTHING
    share = hits / of
    spread = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    middle, scale = share + _Z**2 / (2 * of), 1 + _Z**2 / of
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if hits == 0 else (middle - spread) / scale
    high = 1.0 if hits == of else (middle + spread) / scale
    return Estimate(share, low, high, WILSON)


def poisson(count: int, exposure: float) -> Estimate:
    """count / exposure with the exact interval of a Poisson count."""
    if count < 0 or exposure < 0:
        raise errors.InputError("a count and its time cannot be negative")
    if exposure == 0:
        return NOTHING
    low = 0.0 if count == 0 else _mean_where(count, upper=False)
    return Estimate(count / exposure, low / exposure, _mean_where(count, upper=True) / exposure, POISSON)


def _mean_where(count: int, *, upper: bool) -> float:
    """The mean at which so many or fewer (upper), or so many or more, have a chance of 2.5 %."""
    if count >= _MANY:
        base = count + 1 if upper else count
        step = _Z if upper else -_Z
        return float(base * (1 - 1 / (9 * base) + step / (3 * math.sqrt(base))) ** 3)
    logs = [-math.lgamma(k + 1) for k in range(count + 1 if upper else count)]
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(100):
        mean = (low + high) / 2
        below = math.fsum(math.exp(k * math.log(mean) - mean + log) for k, log in enumerate(logs))
        too_small = below > _TAIL if upper else 1 - below < _TAIL
        low, high = (mean, high) if too_small else (low, mean)
    return (low + high) / 2


def median(values: Sequence[float]) -> Estimate:
    """Median with the interval between two order statistics that holds it in at least 95 %; from 6 values on."""
    ordered = sorted(values)
    count = len(ordered)
    if count == 0:
        return NOTHING
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    chance, rank = 0.0, 0
    for below in range(count):
        chance += math.exp(_log_choose(count, below) - count * math.log(2))
        if chance > _TAIL:
            break
        rank = below + 1
    if rank == 0:
        return Estimate(middle, None, None, f"{ORDER}: needs 6 values")
    return Estimate(middle, ordered[rank - 1], ordered[count - rank], ORDER)


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def paired(both: int, only_first: int, only_second: int, neither: int) -> Estimate:
    """Share of the second less share of the first, of the same things tried by both."""
    of = both + only_first + only_second + neither
    if of == 0:
        return NOTHING
    first, second = proportion(both + only_first, of), proportion(both + only_second, of)
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    agreement: float = both * neither - only_first * only_second
    if agreement > 0:  # with Newcombe's correction for continuity (method 10)
        agreement = max(agreement - of / 2, 0.0)
    phi = agreement / math.sqrt(margins) if margins else 0.0
    assert first.value is not None  # of is not 0
    assert second.value is not None
    assert first.low is not None
    assert first.high is not None
    assert second.low is not None
    assert second.high is not None
    difference = second.value - first.value
    down, up = second.value - second.low, first.high - first.value
    low = difference - math.sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))
    down, up = first.value - first.low, second.high - second.value
    high = difference + math.sqrt(max(0.0, up**2 - 2 * phi * up * down + down**2))
    return Estimate(difference, max(low, -1.0), min(high, 1.0), NEWCOMBE)


# Over people --------------------------------------------------------------------------------------


def rates(counts: Floats, exposures: Floats) -> list[Estimate]:
    """counts and exposures: (people, figures). For each figure the sum of counts over the sum of exposures."""
    people, figures = counts.shape
    sums, times = counts.sum(axis=0), exposures.sum(axis=0)
    found = [poisson(round(count), float(time)) for count, time in zip(sums, times, strict=True)]
    if people < ENOUGH_PEOPLE:
        return found
    # Few exposures belong to many figures: each is resampled once.
    own, which = np.unique(exposures, axis=1, return_inverse=True)
    resampled = np.concatenate([weights @ np.hstack([counts, own]) for weights in _resamples(people)])
    for figure, place in enumerate(np.ravel(which).tolist()):
        time = resampled[:, figures + place]
        # With no alert at all every resample has none: the exact interval says what that proves.
        if sums[figure] > 0 and (time > 0).all():
            found[figure] = _wider(found[figure], *_middle(resampled[:, figure] / time))
    return found


def _wider(exact: Estimate, low: float, high: float) -> Estimate:
    """Few alerts make the exact interval the wider one, people who differ much the other."""
    assert exact.low is not None  # there was time to count in
    assert exact.high is not None
    return Estimate(exact.value, min(exact.low, low), max(exact.high, high), BOTH)


def rate_difference(counts: Floats, others: Floats, exposure: Floats) -> Estimate:
    """Rate of others less rate of counts, of the same people (one entry each) in the same time."""
    time = float(exposure.sum())
    if time == 0:
        return NOTHING
    value = float((others.sum() - counts.sum()) / time)
    if len(counts) < ENOUGH_PEOPLE:
        return Estimate(value, None, None, f"{BOOTSTRAP}: needs {ENOUGH_PEOPLE} people")
    columns = np.column_stack([others - counts, exposure])
    resampled = np.concatenate([weights @ columns for weights in _resamples(len(counts))])
    low, high = _middle(resampled[:, 0] / resampled[:, 1])
    return Estimate(value, low, high, BOOTSTRAP)


def top_share(counts: Floats, part: float = 0.1) -> Estimate:
    """Share of everything counted that the people with most of it have: that part of the people, rounded up."""
    people, total = len(counts), float(counts.sum())
    if total == 0:
        return NOTHING
    ordered = np.sort(counts)[::-1]
    value = float(ordered[: math.ceil(people * part)].sum() / total)
    if people < ENOUGH_PEOPLE:
        return Estimate(value, None, None, f"{BOOTSTRAP}: needs {ENOUGH_PEOPLE} people")
    room = float(math.ceil(people * part))
    shares = []
    for weights in _resamples(people):
        before = np.cumsum(weights, axis=1) - weights
        taken = np.clip(room - before, 0, weights)
        whole = weights @ ordered
        shares.append(((taken @ ordered) / np.where(whole > 0, whole, 1))[whole > 0])
    low, high = _middle(np.concatenate(shares))
    return Estimate(value, low, high, BOOTSTRAP)


def _middle(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, (_TAIL, 1 - _TAIL))
    return float(low), float(high)


def _resamples(people: int) -> Iterator[Floats]:
    """How often each person is drawn, (resamples, people), in pieces that fit into memory."""
    rows = max(1, min(RESAMPLES, _AT_ONCE // people))
    return (_weights(start, min(start + rows, RESAMPLES), people) for start in range(0, RESAMPLES, rows))


@functools.lru_cache(maxsize=2)
def _weights(start: int, stop: int, people: int) -> Floats:
    drawn = _mixed(np.arange(start * people, stop * people, dtype=np.uint64)) % np.uint64(people)
    rows = np.repeat(np.arange(stop - start), people)
    flat = np.bincount(rows * people + drawn.astype(np.int64), minlength=(stop - start) * people)
    return flat.reshape(stop - start, people).astype(np.float64)


def _mixed(number: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Splitmix64 of consecutive numbers: evenly spread, and the same everywhere."""
    mixed = number * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
