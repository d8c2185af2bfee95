"""How strong a hidden confounder would have to be."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EValue:
    """The E-value of an estimate and of its limit nearer to no effect (VanderWeele, Ding 2017)."""

    estimate: float
    limit: float


def evalue(rr: float, low: float, high: float) -> EValue:
    """Return how strongly a hidden confounder must go with service and outcome to explain `rr`."""
    nearer = low if rr >= 1 else high
    crosses = low <= 1 <= high
    return EValue(_one(rr), 1.0 if crosses else _one(nearer))


def _one(rr: float) -> float:
    rr = max(rr, 1e-9)
    rr = 1 / rr if rr < 1 else rr
    return rr + math.sqrt(rr * (rr - 1))


def ratio_of_sd(d: float) -> float:
    """Return the risk ratio that stands for a difference of `d` SD."""
    return math.exp(0.91 * max(-20.0, min(20.0, d)))
