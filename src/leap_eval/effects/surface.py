"""Outcome surfaces: what each child's result would be in every arm, fitted without its fold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.problem import Arms, Problem

RIDGE = np.logspace(-5, 1, 13)
ENOUGH_TOGETHER = 150
ROUNDS, RATE, LEAVES, LEAF = 200, 0.05, 8, 20
LOWEST_RECORDED = 0.05
# One penalty for all columns shrinks a service's own term as if it were one of many products
# (IHDP error .200, with these scales .112): what is asked about is held back least.
MAIN, SERVICE = 3.0, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A ridge model: its penalised coefficients, and the shape of the matrix it was fitted on."""

    coefficients: Floats
    mean: Floats
    level: float
    rank: int


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Filled background ready for models: standardised columns, and which are measured numbers."""

    x: Floats  # (n, p)
    curved: Floats  # (n, q): squares and products
    pairs: tuple[tuple[int, int], ...]  # services that enough children started together


def background(names: tuple[str, ...], x: Floats, asked: Problem) -> Background:
    """Standardise, bend and cross the background; services used before and gaps stay straight."""
    z = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    rich = [
        i for i, n in enumerate(names) if not n.startswith("used_") and not n.endswith("_missing")
    ]
    squares = [z[:, i] ** 2 for i in rich if len(np.unique(x[:, i])) > 2]
    crossed = [z[:, i] * z[:, j] for i, j in combinations(rich, 2)]
    quarters = [(asked.quarter == q).astype(float) for q in np.unique(asked.quarter)[1:]]
    seen = asked.started[asked.recorded].astype(int)
    both = seen.T @ seen
    pairs = [p for p in combinations(range(len(asked.services)), 2) if both[p] >= ENOUGH_TOGETHER]
    curved = (
        np.column_stack([*squares, *crossed, *quarters])
        if squares or crossed or quarters
        else z[:, :0]
    )
    curved = (curved - curved.mean(axis=0)) / np.maximum(curved.std(axis=0), 1e-9)
    return Background(z, curved, tuple(pairs))


def design_matrix(given: Background, on: Bools) -> Floats:
    """Build the ridge's columns: background, services, background by service, service pairs."""
    lit = on.astype(float)
    by_service = [given.x * lit[:, [s]] for s in range(lit.shape[1])]
    together = [MAIN * (lit[:, a] * lit[:, b])[:, None] for a, b in given.pairs]
    return np.hstack([MAIN * given.x, given.curved, SERVICE * lit, *by_service, *together])


def ridge(x: Floats, y: Floats) -> Fitted:
    """Fit ridge regression, its penalty by generalised cross-validation on the Gram matrix."""
    mean, level, n = x.mean(axis=0), float(y.mean()), len(y)
    centred = x - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / n)
    values = np.maximum(values, 0)
    c = vectors.T @ (centred.T @ (y - level)) / n
    scores = [_gcv(values, c, float(((y - level) ** 2).mean()), n, penalty) for penalty in RIDGE]
    penalty = RIDGE[int(np.argmin(np.round(scores, 8)))]
    rank = int((values > 1e-10 * values.max()).sum())
    return Fitted(vectors @ (c / (values + penalty)), mean, level, rank)


def _gcv(values: Floats, c: Floats, variance: float, n: int, penalty: float) -> float:
    rss = variance - float((c**2 * (values + 2 * penalty) / (values + penalty) ** 2).sum())
    free = float((values / (values + penalty)).sum()) / n
    return rss / max(1 - free, 1e-3) ** 2


def predicted(fitted: Fitted, x: Floats) -> Floats:
    """Predict by a fitted ridge model."""
    return fitted.level + (x - fitted.mean) @ fitted.coefficients


def patterns(asked: Problem, arms: Arms) -> list[Bools]:
    """Return which services are on for every child, (n, services), in each arm of a set."""
    own = {s for services in arms.services for s in services}
    told = []
    for services in arms.services:
        on = asked.started.copy() if arms.holds else np.zeros_like(asked.started)
        for place, service in enumerate(asked.services):
            if service in own or not arms.holds:
                on[:, place] = service in services
        told.append(on)
    return told


def ridge_surfaces(asked: Problem, given: Background) -> tuple[Floats, int]:
    """Predict every arm of every set by ridge, out of fold: (n, arms of all sets), and its rank."""
    y, recorded = asked.y, asked.recorded
    on = [p for s in asked.sets for p in patterns(asked, s)]
    observed = design_matrix(given, asked.started)
    fits = {
        k: ridge(observed[recorded & (asked.fold != k)], y[recorded & (asked.fold != k)])
        for k in np.unique(asked.fold)
    }
    told = np.empty((len(y), len(on)))
    for place, pattern in enumerate(on):
        columns = design_matrix(given, pattern)
        for k, fitted in fits.items():
            held = asked.fold == k
            told[held, place] = predicted(fitted, columns[held])
    return told, max(f.rank for f in fits.values())


def boosted_surfaces(asked: Problem, x: Floats, seed: int) -> Floats:
    """Predict every arm of every set by boosted trees, out of fold: (n, arms of all sets)."""
    on = np.stack([p for s in asked.sets for p in patterns(asked, s)])  # (arms, n, services)
    told = np.empty((len(asked.y), len(on)))
    for k in np.unique(asked.fold):
        train, held = asked.recorded & (asked.fold != k), asked.fold == k
        model = HistGradientBoostingRegressor(
            max_iter=ROUNDS, learning_rate=RATE, max_leaf_nodes=LEAVES, min_samples_leaf=LEAF,
            max_bins=64, early_stopping=False, random_state=seed,
        )  # fmt: skip
        model.fit(np.hstack([asked.started[train], x[train]]), asked.y[train])
        told[held] = _once(model, on[:, held], x[held])
    return told


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


def recorded_probability(asked: Problem, given: Background) -> Floats:
    """Predict each child's probability of a recorded result, out of fold: (n,), floored."""
    if asked.recorded.all():
        return np.ones(len(asked.y))
    quarters = asked.quarter[:, None] == np.unique(asked.quarter)
    x = np.hstack([given.x, quarters, asked.started])
    pi = np.empty(len(asked.y))
    for k in np.unique(asked.fold):
        train, held = asked.fold != k, asked.fold == k
        model = LogisticRegression(C=1 / (1e-3 * train.sum()), max_iter=300, tol=1e-4)
        pi[held] = model.fit(x[train], asked.recorded[train]).predict_proba(x[held])[:, 1]
    return np.maximum(pi, LOWEST_RECORDED)


def columns_of(asked: Problem) -> list[npt.NDArray[np.int64]]:
    """Tell which columns of the stacked surfaces belong to each set."""
    ends = np.cumsum([len(s.services) for s in asked.sets])
    return [np.arange(end - len(s.services), end) for s, end in zip(asked.sets, ends, strict=True)]
