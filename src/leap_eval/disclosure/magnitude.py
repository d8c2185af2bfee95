"""Sums, means, percentiles: when one or two children stand for the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leap_eval.disclosure.rules import Rules
from leap_eval.errors import DisclosureError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def dominated(total: ArrayLike, top1: ArrayLike, top2: ArrayLike, rules: Rules) -> Bools:
    """Tell which sums lean on their two largest contributions, by either rule."""
    found: Bools = leans(total, top1, top2, rules) | guessed(total, top1, top2, rules)
    return found


def leans(total: ArrayLike, top1: ArrayLike, top2: ArrayLike, rules: Rules) -> Bools:
    """Tell which sums are to k % or more those of their two largest contributions."""
    whole, first, second = _parts(total, top1, top2)
    found: Bools = (whole > 0) & (100 * (first + second) >= rules.summaries.dominance.k * whole)
    return found


def guessed(total: ArrayLike, top1: ArrayLike, top2: ArrayLike, rules: Rules) -> Bools:
    """Tell where the second largest could work out the largest to within p % of it.

    A sum of nothing tells that everybody contributed nothing.
    """
    whole, first, second = _parts(total, top1, top2)
    rest = 100 * (whole - first - second)
    found: Bools = (rest < rules.summaries.dominance.p * first) | (whole == 0)
    return found


def _parts(total: ArrayLike, top1: ArrayLike, top2: ArrayLike) -> tuple[Floats, Floats, Floats]:
    whole, first, second = (np.asarray(v, dtype=float) for v in (total, top1, top2))
    if np.any(first + second > whole * (1 + 1e-9)) or np.any(second > first) or np.any(second < 0):
        raise DisclosureError(
            "results/cubes: top1 and top2 must be the largest parts of sum; rerun the cube's stage"
        )
    return whole, first, second


def percentile_ok(n: int, share: float, rules: Rules) -> bool:
    """Tell whether enough children lie on either side of a percentile (share: 0 to 1)."""
    least = rules.least(rules.summaries.percentile_each_side)
    return bool(0 < share < 1 and min(share, 1 - share) * n >= least)


def classes(part: ArrayLike, whole: ArrayLike, rules: Rules) -> Bools:
    """Tell where all, or none, of a group share what must not be known of anyone."""
    some, everyone = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    share = np.divide(some, everyone, out=np.full(len(some), 0.5), where=everyone > 0)
    said = rules.class_disclosure
    found: Bools = (share <= said.low) | (share >= said.high)
    return found


def ratio(part: float | None, whole: float | None, decimals: int) -> str:
    """Return a percentage of two shown counts, or nothing: beside a hidden count it would tell it.

    `decimals` are those of a per cent; the text is a share between 0 and 1.
    """
    if part is None or not whole:
        return ""
    return f"{part / whole:.{decimals + 2}f}"
