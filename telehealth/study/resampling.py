"""95 % intervals over people: of the figure itself, and of the same figure of another group of people.

The first says how well these people tell the figure. The second is what other data should be held against: as many
other people, as different among themselves as these are. It is wider, because they are a sample as well.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from alerts import intervals

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
SEED = 2026
_TAIL = 0.025
_DRAWS = 1000
_FEWEST, _AT_ONCE = 250, 10_000_000  #: resamples of very many people are fewer, to fit into memory
_MANY = 200  #: from here on the normal distribution is near enough


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval (low, high) and that of another group of as many people; None: cannot be said."""

    value: float | None
    low: float | None = None
    high: float | None = None
    other_low: float | None = None
    other_high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return {key: None if number is None else round(number, 4) for key, number in asdict(self).items()}

    def told(self, decimals: int = 2) -> str:
        """ "0.52 (0.31 to 0.73)"."""
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.{decimals}f}"
        return f"{self.value:.{decimals}f} ({self.low:.{decimals}f} to {self.high:.{decimals}f})"

    def others(self, decimals: int = 2) -> str:
        """ "0.10 to 0.90"."""
        if self.other_low is None or self.other_high is None:
            return "-"
        return f"{self.other_low:.{decimals}f} to {self.other_high:.{decimals}f}"


NOTHING = Figure(None)


class People:
    """How often each unit is drawn in each resample, and in a second, independent one.

    owners: whose each unit is. People are drawn with replacement, then each one's units: a long log of one person is
    several units, but never several people.
    """

    def __init__(self, owners: Sequence[str], seed: int = SEED) -> None:
        self.count = len(owners)
        self.rows = max(_FEWEST, min(RESAMPLES, _AT_ONCE // max(self.count, 1)))
        self.owners = tuple(owners)
        self.chance = random.Random(seed)
        self.first, self.second = self._draws(owners), self._draws(owners)

    def _draws(self, owners: Sequence[str]) -> Floats:
        units: dict[str, list[int]] = {}
        for position, owner in enumerate(owners):
            units.setdefault(owner, []).append(position)
        groups = list(units.values())
        if len(groups) == self.count:
            return self._weights(self.rows, self.count)
        drawn = np.zeros((self.rows, self.count))
        people = self._weights(self.rows, len(groups))
        for row in range(self.rows):
            for number, members in zip(people[row].tolist(), groups, strict=True):
                for _ in range(int(number) * len(members)):
                    drawn[row, members[self.chance.randrange(len(members))]] += 1
        return drawn

    def _weights(self, rows: int, width: int) -> Floats:
        if width == 0:
            return np.zeros((rows, 0))
        raw = np.frombuffer(self.chance.randbytes(8 * rows * width), np.uint64) % np.uint64(width)
        places = np.repeat(np.arange(rows), width) * width + raw.astype(np.int64)
        return np.bincount(places, minlength=rows * width).reshape(rows, width).astype(np.float64)

    def rate(self, counts: Sequence[float], exposure: Sequence[float]) -> Figure:
        """Sum of counts over sum of exposure. The wider one of the bootstrap's and Poisson's exact interval."""
        number, time = np.array(counts, float), np.array(exposure, float)
        total, whole = float(number.sum()), float(time.sum())
        if whole <= 0:
            return NOTHING
        exact = intervals.poisson(round(total), whole)
        assert exact.low is not None
        assert exact.high is not None
        times = np.maximum(self.first @ time, 1e-12)
        low, high = _middle((self.first @ number) / times)
        means = [
            self.chance.gammavariate(seen + 0.5, whole / max(spent, 1e-12))
            for seen, spent in zip((self.first @ number).tolist(), times.tolist(), strict=True)
        ]
        other_low, other_high = _middle(np.array([self._poisson(mean) / whole for mean in means]))
        # People differ by more than chance: once for these and once for the others.
        spread = _ratio(self.first, number, time) + _ratio(self.second, number, time) - total / whole
        spread_low, spread_high = _middle(np.maximum(spread, 0))
        low, high = min(low, exact.low), max(high, exact.high)
        return Figure(total / whole, low, high, min(low, other_low, spread_low), max(high, other_high, spread_high))

    def share(self, hits: Sequence[float], tries: Sequence[float]) -> Figure:
        """Sum of hits over sum of tries. The wider one of the bootstrap's interval and Wilson's of whole people."""
        number, of = np.array(hits, float), np.array(tries, float)
        whole = float(of.sum())
        if whole <= 0:
            return NOTHING
        value = float(number.sum()) / whole
        units = len({owner for owner, tried in zip(self.owners, of.tolist(), strict=True) if tried > 0})
        first, second = _ratio(self.first, number, of), _ratio(self.second, number, of)
        low, high = _middle(first)
        wilson_low, wilson_high = _wilson(value, units)
        low, high = min(low, wilson_low), max(high, wilson_high)
        shares = [self.chance.betavariate(value * units + 0.5, (1 - value) * units + 0.5) for _ in range(_DRAWS)]
        if bool(((number == 0) | (number == of)).all()):
            spread = np.array([self._binomial(units, share) / units for share in shares])
        else:
            spread = first + second - value
        other_low, other_high = _middle(np.clip(spread, 0, 1))
        wilson_low, wilson_high = _wilson(value, units / 2)
        return Figure(value, low, high, min(low, other_low, wilson_low), max(high, other_high, wilson_high))

    def mean(self, sums: Sequence[float], numbers: Sequence[float]) -> Figure:
        """Sum over number."""
        total, of = np.array(sums, float), np.array(numbers, float)
        whole = float(of.sum())
        if whole <= 0:
            return NOTHING
        value = float(total.sum()) / whole
        first, second = _ratio(self.first, total, of), _ratio(self.second, total, of)
        low, high = _middle(first)
        other_low, other_high = _middle(first + second - value)
        return Figure(value, low, high, min(low, other_low), max(high, other_high))

    def difference(
        self, one: tuple[Sequence[float], Sequence[float]], other: tuple[Sequence[float], Sequence[float]]
    ) -> Figure:
        """Ratio of sums of the first less that of the second, on the same people."""
        (a, b), (c, d) = [(np.array(x, float), np.array(y, float)) for x, y in (one, other)]
        if b.sum() <= 0 or d.sum() <= 0:
            return NOTHING
        value = float(a.sum() / b.sum() - c.sum() / d.sum())
        first = _ratio(self.first, a, b) - _ratio(self.first, c, d)
        second = _ratio(self.second, a, b) - _ratio(self.second, c, d)
        low, high = _middle(first)
        other_low, other_high = _middle(first + second - value)
        return Figure(value, low, high, min(low, other_low), max(high, other_high))

    def _binomial(self, tries: int, share: float) -> int:
        if tries > _MANY:
            return round(min(max(self.chance.gauss(tries * share, math.sqrt(tries * share * (1 - share))), 0), tries))
        return sum(self.chance.random() < share for _ in range(tries))

    def _poisson(self, mean: float) -> int:
        """Of a mean of any size; by inversion where it is small."""
        if mean > _MANY:
            return max(0, round(self.chance.gauss(mean, math.sqrt(mean))))
        limit, product, count = math.exp(-mean), self.chance.random(), 0
        while product > limit:
            product *= self.chance.random()
            count += 1
        return count


def _ratio(weights: Floats, number: Floats, of: Floats) -> Floats:
    below = weights @ of
    whole = float(number.sum() / of.sum())
    return np.where(below > 0, (weights @ number) / np.where(below > 0, below, 1), whole)


def _middle(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, (_TAIL, 1 - _TAIL))
    return float(low), float(high)


def _wilson(share: float, units: float) -> tuple[float, float]:
    z = 1.959964
    if units == 0:
        return 0.0, 1.0
    spread = z * math.sqrt(share * (1 - share) / units + z**2 / (4 * units**2))
    middle, scale = share + z**2 / (2 * units), 1 + z**2 / units
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
