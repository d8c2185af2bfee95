"""Several outcome models as one: each arm leans on those that predict its own children best."""

from __future__ import annotations

from itertools import product

import numpy as np

from leap_eval.effects.aipw import Floats

STEPS = 20
# Arms are small: as if so many children had found all models equally good.
EVEN = 50


def mixed(y: Floats, models: Floats, weight: Floats) -> Floats:
    """Mix out-of-fold surfaces (K, n, A) arm by arm: (n, A).

    The shares of an arm add up to one and minimise the weighted squared error of its own
    children (`weight` (n, A), 0 for all others), which is what the variance of its mean
    hangs on (stacking, Breiman 1996; Cao, Tsiatis and Davidian 2009). They are taken from
    a grid, so that no last bit can move them.
    """
    told = np.empty(models.shape[1:])
    for a in range(models.shape[2]):
        used = weight[:, a] > 0
        share = shares(y[used], models[:, used, a], weight[used, a])
        told[:, a] = share @ models[:, :, a]
    return told


def shares(y: Floats, models: Floats, weight: Floats) -> Floats:
    """Return the share (K,) of each model (K, m) in the best mix for these children."""
    grid = _grid(len(models))
    w = weight / weight.mean()
    off = y - models  # shares add up to one: so do the errors
    spread = ((models - models.mean(axis=0)) ** 2).mean()
    error = np.einsum("gk,kl,gl->g", grid, (off * w) @ off.T, grid)
    even = EVEN * spread * _apart(grid)
    best: Floats = grid[int(np.argmin(np.round((error + even) / max(error.max(), 1e-300), 8)))]
    return best


def _grid(models: int) -> Floats:
    """Return all shares in steps, (G, K), even ones first: they win where all are as good."""
    steps = product(range(STEPS + 1), repeat=models - 1)
    grid: Floats = np.array([(*s, STEPS - sum(s)) for s in steps if sum(s) <= STEPS]) / STEPS
    return grid[np.argsort(_apart(grid), kind="stable")]


def _apart(grid: Floats) -> Floats:
    told: Floats = ((grid - 1 / grid.shape[1]) ** 2).sum(axis=1)
    return told
