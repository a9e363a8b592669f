"""95 % intervals: Wilson for proportions, exact Poisson (Garwood) for rates, order statistics for medians.

Written here because the simulator may not look into the package that is judged, and a library for three formulas
would be a dependency of every installation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WILSON = "Wilson"
POISSON = "exact Poisson (Garwood)"
ORDER = "exact, from order statistics"
_Z = 1.959963984540054  # of the normal distribution, 97.5 %
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure; all None where there is nothing to count; low and high None where the data give no interval."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = "nothing to count"

    def to_json(self) -> dict[str, float | str | None]:
        return {"value": self.value, "low": self.low, "high": self.high, "method": self.method}


NOTHING = Estimate()


def proportion(hits: int, of: int) -> Estimate:
    """hits / of."""
    if of == 0:
        return NOTHING
    share = hits / of
    spread = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    middle, scale = share + _Z**2 / (2 * of), 1 + _Z**2 / of
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if hits == 0 else (middle - spread) / scale
    high = 1.0 if hits == of else (middle + spread) / scale
    return Estimate(share, low, high, WILSON)


def rate(count: int, days: float) -> Estimate:
    """count / days."""
    if days <= 0:
        return NOTHING
    # P(k, m), the regularised incomplete gamma function, is the chance of k or more where the mean is m.
    low = 0.0 if count == 0 else _where(lambda mean: _gamma(count, mean) - _TAIL, count)
    high = _where(lambda mean: _gamma(count + 1, mean) - (1 - _TAIL), count)
    return Estimate(count / days, low / days, high / days, POISSON)


def _where(rising: Callable[[float], float], count: int) -> float:
    """Where a rising function is zero, by halving."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _gamma(a: float, x: float) -> float:
    """P(a, x), by its series, or by the continued fraction of its complement where that is the quicker one."""
    if x <= 0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1.0 / a
        n = a
        while abs(term) > abs(total) * 1e-16:
            n += 1
            term *= x / n
            total += term
        return total * front
    tiny = 1e-300
    b = x + 1 - a
    c = 1 / tiny
    d = 1 / b
    fraction = d
    for i in range(1, 100_000):
        an = -i * (i - a)
        b += 2
        d = 1 / (an * d + b or tiny)
        c = b + an / c or tiny
        fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return 1 - front * fraction


def median(values: Sequence[float]) -> Estimate:
    """The interval between two order statistics that holds the median in at least 95 %; from 6 values on."""
    ordered = sorted(values)
    count = len(ordered)
    if count == 0:
        return NOTHING
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    chance, rank = 0.0, 0
    for below in range(count):
        chance += math.exp(
            math.lgamma(count + 1) - math.lgamma(below + 1) - math.lgamma(count - below + 1) - count * math.log(2)
        )
        if chance > _TAIL:
            break
        rank = below + 1
    if rank == 0:
        return Estimate(middle, None, None, f"{ORDER}: needs 6 values")
    return Estimate(middle, ordered[rank - 1], ordered[count - rank], ORDER)
