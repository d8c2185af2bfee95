"""Balance, overlap and what could be found: the looks a design must pass before outcomes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from leap_eval.design.discover import ArmSet
from leap_eval.settings import propensity_floor
from leap_eval.weighting import effective, tilted

Floats = npt.NDArray[np.float64]
RESIDUAL_VARIANCE = 0.8


def weights(x: Floats, e: Floats, arm: npt.NDArray[np.integer]) -> Floats:
    """Return inverse-propensity weights (n, arms), 0 outside the arm: floored, then tilted."""
    z = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    told = np.zeros(e.shape)
    for a in range(e.shape[1]):
        own = arm == a
        told[own, a] = tilted(1 / np.maximum(e[own, a], propensity_floor(own.mean())), z[own])
    return told


def balance(x: Floats, names: list[str], w: Floats, arm: npt.NDArray[np.integer]) -> pd.DataFrame:
    """Compare each arm, raw and weighted, with all eligible children, in their SDs."""
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    rows = []
    for a in range(w.shape[1]):
        before = (x[arm == a].mean(axis=0) - mean) / sd
        after = (w[:, a] @ x / w[:, a].sum() - mean) / sd
        for name, was, now in zip(names, before, after, strict=True):
            rows.append({"number": a, "covariate": name, "smd_before": was, "smd_after": now})
    return pd.DataFrame(rows)


def overlap(e: Floats, w: Floats) -> pd.DataFrame:
    """Tell each arm's children, effective sample size, and share of children below the floor."""
    floors = np.array([propensity_floor(s) for s in (w > 0).mean(axis=0)])
    return pd.DataFrame(
        {
            "number": np.arange(e.shape[1]),
            "n": (w > 0).sum(axis=0),
            "ess": effective(w),
            "floored_share": (e < floors).mean(axis=0),
            "e_low": np.quantile(e, 0.05, axis=0),
            "e_mid": np.quantile(e, 0.50, axis=0),
            "e_high": np.quantile(e, 0.95, axis=0),
        }
    )


def detectable(found: ArmSet, ess: Floats, family: int, level: float) -> float | list[float]:
    """Return the smallest difference, in SD, found with power .80 in a family of contrasts.

    An arm against the first; for four arms their synergy. All children count as
    recorded, so the figure is the best case.
    """
    crit = float(norm.ppf(1 - (1 - level ** (1 / family)) / 2))
    power = float(norm.ppf(0.80))
    if ".pair:" in found.name:
        return (crit + power) * float(np.sqrt(RESIDUAL_VARIANCE * (1 / ess).sum()))
    se = np.sqrt(RESIDUAL_VARIANCE * (1 / ess[1:] + 1 / ess[0]))
    return [float(v) for v in (crit + power) * se]
