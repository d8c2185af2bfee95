"""Gaps in the background, filled many times with the outcome in view: chained equations."""

from __future__ import annotations

import numpy as np

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.problem import Problem

FILLINGS, BURN_IN, APART = 20, 6, 2
DONORS, PENALTY = 5, 1e-3


def marked(asked: Problem) -> tuple[tuple[str, ...], Floats]:
    """Fill gaps by the mean and mark them: background as the design sees it, without outcomes."""
    gap = np.isnan(asked.x)
    known = np.nan_to_num(asked.x).sum(axis=0) / np.maximum((~gap).sum(axis=0), 1)
    x = np.where(gap, known, asked.x)
    some = np.flatnonzero(gap.any(axis=0))
    first = sorted({gap[:, j].tobytes(): j for j in reversed(some)}.values())
    names = (*asked.names, *(f"{asked.names[j]}_missing" for j in first))
    return names, np.hstack([x, gap[:, first].astype(float)])


def impute(asked: Problem, seed: int, m: int = FILLINGS) -> Floats:
    """Return `m` fillings of the background, (m, n, p), each covariate in its own unit.

    Filling without the outcome biases estimates (-.083 SD in trials, with it -.005), and
    the design may not see outcomes: so it happens here, for the outcome model alone.
    One long chain (Bayesian regression, predictive mean matching), its fillings
    `APART` sweeps from one another. Nothing missing: one filling.
    """
    gap = np.isnan(asked.x)
    if not gap.any():
        return asked.x[None].copy()
    rng = np.random.default_rng([seed, 6])
    whole = np.column_stack([asked.x, asked.y])
    open_ = np.isnan(whole)
    x = np.where(open_, np.nanmean(whole, axis=0), whole)
    marks = np.column_stack([asked.started, asked.recorded]).astype(float)
    order = sorted(np.flatnonzero(open_.any(axis=0)), key=lambda j: int(open_[:, j].sum()))
    told: list[Floats] = []
    for sweep in range(BURN_IN + APART * m):
        for j in order:
            others = np.hstack([np.delete(x, j, axis=1), marks])
            x[:, j] = _drawn(others, x[:, j], open_[:, j], rng)
        if sweep >= BURN_IN and (sweep - BURN_IN) % APART == 0:
            told.append(x[:, :-1].copy())
    return np.stack(told)


def _drawn(known: Floats, target: Floats, gap: Bools, rng: np.random.Generator) -> Floats:
    """Draw coefficients from their posterior, then copy one of the children predicted nearest."""
    z = known - known.mean(axis=0)
    z /= np.maximum(z.std(axis=0), 1e-9)
    inside, y = z[~gap], target[~gap]
    level = y.mean()
    gram = inside.T @ inside + PENALTY * len(y) * np.eye(z.shape[1])
    half = np.linalg.cholesky(gram)
    beta = np.linalg.solve(gram, inside.T @ (y - level))
    noise = np.sqrt(((y - level - inside @ beta) ** 2).sum() / max(len(y) - z.shape[1], 1))
    drawn = beta + noise * np.linalg.solve(half.T, rng.standard_normal(len(beta)))
    # Those who are told are matched by the estimate, those who are not by the draw (van Buuren).
    told, asked = np.round(inside @ beta, 8), np.round(z[gap] @ drawn, 8)
    order = np.argsort(told, kind="stable")
    near = np.searchsorted(told[order], asked)
    near += rng.integers(-(DONORS // 2), DONORS // 2 + 1, len(asked))
    whole = target.copy()
    whole[gap] = y[order][np.clip(near, 0, len(y) - 1)]
    return whole
