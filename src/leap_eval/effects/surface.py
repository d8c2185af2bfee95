"""Outcome surfaces by ridge: what each child's result would be in every arm, without its fold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.problem import Arms, Problem

RIDGE = np.logspace(-5, 1, 13)
ENOUGH_TOGETHER = 150
MOST_CROSSED = 30  # numbers whose products all fit; beyond, trees find those that matter
LOWEST_RECORDED = 0.05
# One penalty for all columns would shrink a service's own term as if it were one of many products
# (IHDP: error of the surface .36 SD, with these scales .27): what is asked about is held least.
SERVICE, MAIN, CURVED = 10.0, 3.0, 0.3


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
    pairs_of = combinations(rich if len(rich) <= MOST_CROSSED else [], 2)
    crossed = [z[:, i] * z[:, j] for i, j in pairs_of]
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


def design_matrix(given: Background, lit: Floats, more: Floats | None = None) -> Floats:
    """Build the ridge's columns: background, curves, `lit` (n, S), background by lit, `more`."""
    by_lit = [MAIN * given.x * lit[:, [s]] for s in range(lit.shape[1])]
    together = [lit[:, [a]] * lit[:, [b]] for a, b in given.pairs] if more is None else [more]
    last = [MAIN * t for t in together]
    return np.hstack([MAIN * given.x, CURVED * given.curved, SERVICE * lit, *by_lit, *last])


def ridge(x: Floats, y: Floats) -> Fitted:
    """Fit ridge regression, its penalty by generalised cross-validation on the Gram matrix."""
    return solved(moments(x, y))


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """All that a ridge model needs of its rows: sums add up over folds."""

    n: int
    total: Floats  # (p + 1,) of the columns, then of the outcome
    cross: Floats  # (p + 1, p + 1)

    def without(self, held: Moments) -> Moments:
        """Return the moments of the other rows."""
        return Moments(self.n - held.n, self.total - held.total, self.cross - held.cross)


def moments(x: Floats, y: Floats) -> Moments:
    """Sum up columns and outcome."""
    both = np.column_stack([x, y])
    return Moments(len(y), both.sum(axis=0), both.T @ both)


def solved(m: Moments) -> Fitted:
    """Fit ridge regression from moments."""
    mean = m.total / m.n
    cross = m.cross / m.n - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(cross[:-1, :-1])
    values = np.maximum(values, 0)
    c, variance = vectors.T @ cross[:-1, -1], float(cross[-1, -1])
    scores = [_gcv(values, c, variance, m.n, penalty) for penalty in RIDGE]
    penalty = RIDGE[int(np.argmin(np.round(scores, 8)))]
    rank = int((values > 1e-10 * values.max()).sum())
    return Fitted(vectors @ (c / (values + penalty)), mean[:-1], float(mean[-1]), rank)


def _gcv(values: Floats, c: Floats, variance: float, n: int, penalty: float) -> float:
    rss = variance - float((c**2 * (values + 2 * penalty) / (values + penalty) ** 2).sum())
    free = float((values / (values + penalty)).sum()) / n
    return rss / max(1 - free, 1e-3) ** 2


def predicted(fitted: Fitted, x: Floats) -> Floats:
    """Predict by a fitted ridge model."""
    return fitted.level + (x - fitted.mean) @ fitted.coefficients


def crossed(matrix: Floats, y: Floats, fold: npt.NDArray[np.int64], used: Bools) -> list[Fitted]:
    """Fit without each fold in turn, from one pass over the rows `used`."""
    own = [used & (fold == k) for k in range(int(fold.max()) + 1)]
    parts = [moments(matrix[rows], y[rows]) for rows in own]
    whole = Moments(
        sum(p.n for p in parts),
        np.sum([p.total for p in parts], axis=0),
        np.sum([p.cross for p in parts], axis=0),
    )
    return [solved(whole.without(p)) for p in parts]


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
    fits = crossed(
        design_matrix(given, asked.started.astype(float)), asked.y, asked.fold, asked.recorded
    )
    parts = [
        (rows := asked.fold == k, _parts(given, fitted, rows, len(asked.services)))
        for k, fitted in enumerate(fits)
    ]
    told = [
        _amount_surface(asked, given, s) if s.by_amount else _service_surface(asked, s, parts)
        for s in asked.sets
    ]
    return np.hstack(told), max(f.rank for f in fits)


Split = tuple[Floats, Floats, Floats]  # base (n,), gain (n, services), pair (services, services)


def _service_surface(asked: Problem, arms: Arms, parts: list[tuple[Bools, Split]]) -> Floats:
    """Add up, child by child, background, what each service adds there, and what pairs add.

    The same numbers as multiplying out the design matrix of every arm, at a fraction
    of the cost: children times services, not times columns.
    """
    told = np.empty((len(asked.y), len(arms.services)))
    on = [p.astype(float) for p in patterns(asked, arms)]
    for rows, (base, gain, pair) in parts:
        for a, pattern in enumerate(on):
            lit = pattern[rows]
            told[rows, a] = base + (lit * (gain + lit @ pair)).sum(axis=1)
    return told


def _parts(given: Background, fitted: Fitted, rows: Bools, services: int) -> Split:
    x, curved = given.x[rows], given.curved[rows]
    p, q = x.shape[1], curved.shape[1]
    cut = np.cumsum([p, q, services, p * services])
    main, bent, own, by, both = np.split(fitted.coefficients, cut)
    base = fitted.level - fitted.mean @ fitted.coefficients
    base = base + MAIN * (x @ main) + CURVED * (curved @ bent)
    gain = SERVICE * own + MAIN * (x @ by.reshape(services, p).T)
    pair = np.zeros((services, services))
    for place, together in enumerate(given.pairs):
        pair[together] = MAIN * both[place]
    return base, gain, pair


def _amount_surface(asked: Problem, given: Background, arms: Arms) -> Floats:
    """Predict each amount by a model of its own, among the children the set is about."""
    who = arms.population
    rest = who & ~arms.inside.any(axis=1)
    lit = np.column_stack([arms.inside, rest][: 1 + bool(rest.any())]).astype(float)[:, 1:]
    near = Background(given.x, given.curved, ())
    held = SERVICE * asked.started.astype(float) if arms.holds else np.zeros((len(who), 0))
    fits = crossed(
        design_matrix(near, lit, held), np.nan_to_num(asked.y), asked.fold, who & asked.recorded
    )
    told = np.empty((len(who), len(arms.services)))
    for a in range(told.shape[1]):
        as_if = np.zeros_like(lit)
        if a:
            as_if[:, a - 1] = 1.0
        columns = design_matrix(near, as_if, held)
        for k, fitted in enumerate(fits):
            told[asked.fold == k, a] = predicted(fitted, columns[asked.fold == k])
    return told


def recorded_probability(asked: Problem, z: Floats) -> Floats:
    """Predict each child's probability of a recorded result, out of fold: (n,), floored.

    `z` (n, q) is background filled without the outcome, in SD.
    """
    if asked.recorded[asked.own].all():
        return np.ones(len(asked.y))
    quarters = asked.quarter[:, None] == np.unique(asked.quarter)
    x = np.hstack([z, quarters, asked.started])
    pi = np.empty(len(asked.y))
    for k in np.unique(asked.fold):
        train, held = (asked.fold != k) & asked.own, asked.fold == k
        model = LogisticRegression(C=1 / (1e-3 * train.sum()), max_iter=300, tol=1e-4)
        pi[held] = model.fit(x[train], asked.recorded[train]).predict_proba(x[held])[:, 1]
    return np.maximum(pi, LOWEST_RECORDED)


def columns_of(asked: Problem) -> list[npt.NDArray[np.int64]]:
    """Tell which columns of the stacked surfaces belong to each set."""
    ends = np.cumsum([len(s.services) for s in asked.sets])
    return [np.arange(end - len(s.services), end) for s, end in zip(asked.sets, ends, strict=True)]
