"""Weights that bring a group to the background of all: shared by the design and the estimates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]
CLOSE = 0.08  # SD; within the .10 that passes, wherever any weights can do it
FARTHEST = 4.0  # no weight is moved further than this can explain: then balance fails, and says so


def tilted(weight: Floats, x: Floats, close: float = CLOSE) -> Floats:
    """Tilt an arm's weights (m,) as little as brings its background within `close` of zero.

    `x` (m, p) is the arm's background in SDs of the target population, centred there.
    Propensities fitted on other families leave an arm of 200 as far from its target as
    chance does, .2 SD in some of 40 covariates; this takes that back before outcomes
    are weighed (calibration with a tolerance: Tan 2020; Zubizarreta 2015). Only covariates
    that lie too far move, and the effective sample size shows the price.
    """
    share = weight / weight.sum()
    if not len(share) or np.abs(share @ x).max(initial=0.0) <= close:
        return weight
    p = x.shape[1]

    def dual(both: Floats) -> tuple[float, Floats]:
        score = x @ (both[:p] - both[p:])
        top = score.max()
        raised = share * np.exp(score - top)
        total = raised.sum()
        mean = raised @ x / total
        value = np.log(total) + top + close * both.sum()
        return float(value), np.concatenate([mean + close, close - mean])

    limits = [(0.0, FARTHEST)] * (2 * p)
    found = minimize(dual, np.zeros(2 * p), jac=True, method="L-BFGS-B", bounds=limits)
    # Rounded, so that another processor's last bits end in the same weights.
    score = x @ np.round(found.x[:p] - found.x[p:], 6)
    told: Floats = weight * np.exp(score - score.max())
    scaled: Floats = told * (weight.sum() / told.sum())
    return scaled


def imbalance(weight: Floats, x: Floats) -> Floats:
    """Return how far the weighted means of background (m, p) lie from zero, in its unit: (p,)."""
    told: Floats = weight @ x / weight.sum()
    return told


def effective(weight: Floats) -> Floats:
    """Return the effective sample size of every column of weights."""
    told: Floats = weight.sum(axis=0) ** 2 / np.maximum((weight**2).sum(axis=0), 1e-300)
    return told
