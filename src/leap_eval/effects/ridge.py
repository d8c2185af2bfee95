"""Ridge regression from sums of products: one pass over the rows for all folds and penalties."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from leap_eval.effects.aipw import Bools, Floats

RIDGE = np.logspace(-5, 1, 13)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A ridge model: its penalised coefficients, and the shape of the matrix it was fitted on."""

    coefficients: Floats
    mean: Floats
    level: float
    rank: int

    def among(self, kept: Bools) -> Fitted:
        """Return the same model on all columns, of which it was given those `kept`."""
        coefficients, mean = np.zeros(len(kept)), np.zeros(len(kept))
        coefficients[kept], mean[kept] = self.coefficients, self.mean
        return replace(self, coefficients=coefficients, mean=mean)


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

    def only(self, kept: Bools) -> Moments:
        """Return the moments of the columns `kept`, and of the outcome."""
        at = np.append(np.flatnonzero(kept), len(kept))
        return Moments(self.n, self.total[at], self.cross[np.ix_(at, at)])


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
    return [solved(m) for m in held_out(matrix, y, fold, used)]


def held_out(matrix: Floats, y: Floats, fold: npt.NDArray[np.int64], used: Bools) -> list[Moments]:
    """Return the moments of the rows `used` without each fold in turn."""
    own = [used & (fold == k) for k in range(int(fold.max()) + 1)]
    parts = [moments(matrix[rows], y[rows]) for rows in own]
    whole = Moments(
        sum(p.n for p in parts),
        np.sum([p.total for p in parts], axis=0),
        np.sum([p.cross for p in parts], axis=0),
    )
    return [whole.without(p) for p in parts]
