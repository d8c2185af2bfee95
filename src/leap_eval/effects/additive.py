"""Combinations pulled towards the sum of their services: a second mark, never the grade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leap_eval.effects.aipw import Floats
from leap_eval.effects.contrasts import JOIN

if TYPE_CHECKING:
    from leap_eval.effects.bands import Bands
    from leap_eval.effects.fit import Fit

SPREAD = np.concatenate([[0.0], np.logspace(-2.5, -0.3, 23)])  # of what combinations add, in SD
BELIEF = 0.1  # half-normal scale of that spread
FARTHEST = 1.0  # standard errors an estimate may be moved (limited translation, Efron, Morris 1972)
WIDTH = 0.8  # of the joint half-width; rests on worlds, hence the second mark only


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """Pulled estimates (C,), and the half-width of their band in half-widths of the unshrunk."""

    estimate: Floats
    width: float


def toward_additive(estimate: Floats, additive: Floats, covariance: Floats, sd: float) -> Shrunk:
    """Pull combinations towards what their services add up to, as far as both agree.

    `estimate` (C,) and `additive` (C,) share `covariance` (2C, 2C), estimates first. The
    additive sums have a third of the error but no room for synergy: the spread tau of true
    synergies is averaged over its posterior, and none is moved more than one standard
    error, so that one strong synergy among small ones survives.
    """
    c = len(estimate)
    own, cross = covariance[:c, :c], covariance[:c, c:]
    apart = own - cross - cross.T + covariance[c:, c:]
    d = estimate - additive
    values, vectors = np.linalg.eigh((apart + apart.T) / 2)
    values = np.maximum(values, 1e-12 * max(values.max(), 1e-300))
    seen = vectors.T @ d
    gain = (own - cross) @ vectors
    scale = values + (SPREAD[:, None] * sd) ** 2  # (T, C)
    weigh = -0.5 * (np.log(scale) + seen**2 / scale).sum(axis=1) - 0.5 * (SPREAD / BELIEF) ** 2
    # On the line of tau itself: the grid is even in its logarithm, so each point counts its gap.
    weigh = weigh + np.log(np.gradient(SPREAD))
    weigh = np.exp(weigh - weigh.max())
    weigh /= weigh.sum()
    move = -(gain @ (seen / scale).T) @ weigh
    most = FARTHEST * np.sqrt(np.diag(own))
    return Shrunk(estimate + np.clip(move, -most, most), WIDTH)


def pulled(fit: Fit, places: list[int], bands: Bands) -> dict[str, Floats]:
    """Return the second mark of one family of contrasts: NaN but for combinations of services."""
    told = {k: np.full(len(places), np.nan) for k in ("pooled", "pooled_low", "pooled_high")}
    services = {c.name: i for i, c in enumerate(fit.listed) if c.family == "service"}
    parts = [fit.listed[i].name.split(JOIN) for i in places]
    able = [k for k, p in enumerate(parts) if set(p) <= set(services)]
    if fit.listed[places[0]].family != "combination" or not able:
        return told
    rows = np.zeros((2 * len(able), len(fit.listed)))
    for row, k in enumerate(able):
        rows[row, places[k]] = 1.0
        rows[len(able) + row, [services[s] for s in parts[k]]] = 1.0
    theta, total = rows @ fit.pooled.theta, rows @ fit.pooled.total @ rows.T
    shrunk = toward_additive(theta[: len(able)], theta[len(able) :], total, fit.sd)
    half = shrunk.width * bands.crit * bands.se[able]
    told["pooled"][able] = shrunk.estimate
    told["pooled_low"][able], told["pooled_high"][able] = (
        shrunk.estimate - half,
        shrunk.estimate + half,
    )
    return told
