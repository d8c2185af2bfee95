"""Rounded counts: what is shown of a count, and the interval every reader may conclude from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leap_eval.disclosure.rules import Rules

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Text of each count (empty: the marker), its interval, and whether it is hidden."""

    text: tuple[str, ...]
    low: Floats
    high: Floats
    hidden: NDArray[np.bool_]


def shown(values: ArrayLike, rules: Rules) -> Shown:
    """Show counts as the rules do; `low` and `high` hold every count that is shown this way.

    Without `rounding`, a sensitive count is hidden and any other one shown exactly; which
    others are hidden besides is the solver's choice, not this function's.
    """
    n = np.asarray(values, dtype=float)
    rounding = rules.rounding
    if rounding is None:
        least = 0 if rules.zero == "hide" else 1
        hidden = (n >= least) & (n < rules.threshold)
        low, high, told = n.copy(), n.copy(), n
    elif rounding.midpoint:
        # 6 ceil(n/6) - 3: bins 1-6, 7-12, ...; nobody stays nobody.
        hidden = _within(n, rounding.hide)
        top = rounding.base * np.ceil(n / rounding.base)
        told = np.where(n > 0, top - rounding.base // 2, 0)
        low, high = np.where(n > 0, top - rounding.base + 1, 0), top
    else:
        hidden = _within(n, rounding.hide)
        # Halves go up, away from the even-odd rule that would make bins of unequal width.
        told = rounding.base * np.floor(n / rounding.base + 0.5)
        low = np.ceil(told - rounding.base / 2)
        high = np.ceil(told + rounding.base / 2) - 1
        low, high = _clipped(low, high, n, rounding.hide)
    low = np.where(hidden, rules.marker[0], low)
    high = np.where(hidden, rules.marker[1], high)
    text = tuple("" if h else f"{v:.0f}" for v, h in zip(told, hidden, strict=True))
    return Shown(text, low, high, hidden)


def _within(n: Floats, hide: tuple[int, int] | None) -> NDArray[np.bool_]:
    return np.zeros(len(n), bool) if hide is None else (n >= hide[0]) & (n <= hide[1])


def _clipped(
    low: Floats, high: Floats, n: Floats, hide: tuple[int, int] | None
) -> tuple[Floats, Floats]:
    """Take out of each interval what would have been hidden: the reader does so, too."""
    low = np.maximum(low, 0)
    if hide is None:
        return low, high
    above = n > hide[1]
    return np.where(above, np.maximum(low, hide[1] + 1), low), np.where(
        above, high, np.minimum(high, hide[0] - 1)
    )
