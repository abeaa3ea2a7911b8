"""Sums of floats that are rounded once, at the end, over whole columns at once.

Invariant: `split` cuts each cell into parts of which every sum is exact, in whatever order; so a total of the parts'
sums, rounded by `math.fsum`, is the total of the cells.
"""

import math

import polars as pl

LEVELS = 3
_MANTISSA = 53
_LOWEST, _HIGHEST = -1_000, 1_000
"""Exponents beyond which a part might lose bits or overflow."""


def split(cells: pl.Series) -> list[pl.Series] | None:
    """Return columns whose cells add up to the given ones; None where these are too far apart in size.

    A part holds multiples of a power of two that is so large that the sum of all cells has at most 53 bits.
    """
    largest = max(abs(cells.max() or 0.0), abs(cells.min() or 0.0))  # type: ignore[arg-type]
    spare = max(2, len(cells).bit_length())
    exponent = math.frexp(largest)[1]
    if exponent + spare > _HIGHEST:
        return None
    parts = []
    rest = cells
    for _ in range(LEVELS):
        unit = exponent + spare - _MANTISSA + 1
        if unit < _LOWEST:
            return None
        shift = 1.5 * 2.0 ** (unit + _MANTISSA - 1)
        part = (rest + shift) - shift
        parts.append(part)
        rest = rest - part
        exponent = unit
        if not (rest != 0.0).any():
            return parts
    return None
