"""Where a glucose value stands among the bands of the consensus (Battelino 2019, Diabetes Care 42:1593).

The bands are defined twice, in mmol/L and in mg/dL, and the two definitions do not meet: 181 mg/dL is above 180 but,
at a resolution of 0.1 mmol/L, 10.0 and so not above 10.0. A value is therefore judged in the unit that it was
measured in, as it was sent, so that everybody who counts the same file by the consensus counts the same. Which unit
that was its canonical value still shows: one with at most three decimals was measured in mmol/L.
"""

from __future__ import annotations

MG_DL_PER_MMOL_L = 18.0156

#: The edges as the consensus has them: mmol/L -> mg/dL.
EDGES = {3.0: 54, 3.9: 70, 10.0: 180, 13.9: 250}
_NEAR = 1e-6
#: What conversion to mmol/L and back may lose, in mg/dL.
_LOST = 1e-4


def beyond(value: float, edge: float, side: str) -> bool:
    """Whether a value (mmol/L, not rounded) is below (side "low") or above ("high") an edge of EDGES, strictly."""
    if _in_mmol_l(value):
        return value < edge - _NEAR if side == "low" else value > edge + _NEAR
    judged = value * MG_DL_PER_MMOL_L
    return judged < EDGES[edge] - _LOST if side == "low" else judged > EDGES[edge] + _LOST


def bands(value: float) -> tuple[int, int, int, int]:
    """1 or 0 each: below 3.0, below 3.9, above 10.0, above 13.9."""
    if _in_mmol_l(value):
        return (value < 3.0 - _NEAR, value < 3.9 - _NEAR, value > 10.0 + _NEAR, value > 13.9 + _NEAR)
    mg_dl = value * MG_DL_PER_MMOL_L
    return (mg_dl < 54 - _LOST, mg_dl < 70 - _LOST, mg_dl > 180 + _LOST, mg_dl > 250 + _LOST)


def _in_mmol_l(value: float) -> bool:
    thousandths = value * 1000
    return abs(thousandths - round(thousandths)) < _NEAR
