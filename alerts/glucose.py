"""Where a glucose value stands among the bands of the consensus (Battelino 2019, Diabetes Care 42:1593).

The bands are defined twice, in mmol/L and in mg/dL, and the two definitions do not meet: 181 mg/dL is above 180 but,
at a resolution of 0.1 mmol/L, 10.0 and so not above 10.0. A value is therefore judged in the unit that it was
measured in, which its canonical value still shows: a whole multiple of 0.1 mmol/L was measured in mmol/L.
"""

from __future__ import annotations

MG_DL_PER_MMOL_L = 18.0156

#: The edges as the consensus has them: mmol/L -> mg/dL.
EDGES = {3.0: 54, 3.9: 70, 10.0: 180, 13.9: 250}
_NEAR = 1e-6


def beyond(value: float, edge: float, side: str) -> bool:
    """Whether a value (mmol/L, not rounded) is below (side "low") or above ("high") an edge of EDGES, strictly."""
    tenths = value * 10
    if abs(tenths - round(tenths)) < _NEAR:
        return round(tenths) < round(edge * 10) if side == "low" else round(tenths) > round(edge * 10)
    judged = round(value * MG_DL_PER_MMOL_L)
    return judged < EDGES[edge] if side == "low" else judged > EDGES[edge]


def bands(value: float) -> tuple[int, int, int, int]:
    """1 or 0 each: below 3.0, below 3.9, above 10.0, above 13.9."""
    tenths = value * 10
    whole = round(tenths)
    if abs(tenths - whole) < _NEAR:
        return (whole < 30, whole < 39, whole > 100, whole > 139)
    mg_dl = round(value * MG_DL_PER_MMOL_L)
    return (mg_dl < 54, mg_dl < 70, mg_dl > 180, mg_dl > 250)
