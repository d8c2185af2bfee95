"""Outcome surfaces by boosted trees, for what bends in ways no product of two describes."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.problem import Problem
from leap_eval.effects.surface import patterns

ROUNDS, RATE, LEAVES, LEAF = 100, 0.1, 8, 20
# Scanned pairs and amounts are many and told apart by small differences: ridge alone.
GROWN = ("combination", "service")


def grown(asked: Problem, x: Floats, seed: int) -> list[HistGradientBoostingRegressor]:
    """Fit boosted trees on background and services started, without each fold in turn."""
    told = []
    for k in range(int(asked.fold.max()) + 1):
        train = asked.recorded & (asked.fold != k)
        model = HistGradientBoostingRegressor(
            max_iter=ROUNDS, learning_rate=RATE, max_leaf_nodes=LEAVES, min_samples_leaf=LEAF,
            max_bins=64, early_stopping=False, random_state=seed,
        )  # fmt: skip
        told.append(model.fit(np.hstack([asked.started[train], x[train]]), asked.y[train]))
    return told


def tree_surfaces(
    asked: Problem, x: Floats, models: list[HistGradientBoostingRegressor], rows: Bools
) -> Floats:
    """Predict `rows` under every arm that has trees, out of fold: (rows, arms), NaN elsewhere."""
    told = np.full((len(asked.y), sum(len(s.services) for s in asked.sets)), np.nan)
    place, columns = 0, []
    for s in asked.sets:
        if s.kind in GROWN:
            columns += [(place + a, p) for a, p in enumerate(patterns(asked, s))]
        place += len(s.services)
    if columns:
        on = np.stack([p for _, p in columns])  # (arms, n, services)
        at = [c for c, _ in columns]
        for k, model in enumerate(models):
            held = np.flatnonzero(rows & (asked.fold == k))
            if len(held):
                told[held[:, None], at] = _once(model, on[:, held], x[held])
    return told[rows]


def _once(model: HistGradientBoostingRegressor, on: Bools, x: Floats) -> Floats:
    """Predict each child under each pattern of services once: sets share most patterns."""
    arms, n, services = on.shape
    code = on.reshape(-1, services) @ (1 << np.arange(services)) + np.tile(
        np.arange(n) << services, arms
    )
    kept, first, place = np.unique(code, return_index=True, return_inverse=True)
    rows = np.hstack([on.reshape(-1, services)[first], x[kept >> services]])
    told: Floats = model.predict(rows)[place].reshape(arms, n).T
    return told
