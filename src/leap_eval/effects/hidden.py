"""How strong a hidden confounder would have to be, and how strong the observed ones are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leap_eval.effects.aipw import Floats
from leap_eval.effects.bands import POINTWISE, clustered

Ints = npt.NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class Leeway:
    """What a hidden confounder could do to one contrast (Chernozhukov et al. 2022).

    `most` is the bias per unit of strength; variances are of the estimate, of `most`,
    and their covariance, children of a family together.
    """

    estimate: float
    most: float
    variance: float
    covariance: float
    spread: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Estimate and limit once the confounder has pulled them towards 0, on the estimate's side."""

    estimate: float
    limit: float


def leeway(psi: Floats, squared: Floats, alpha: Floats, m_alpha: Floats, family: Ints) -> Leeway:
    """Measure the leeway of a contrast from its influence and the weights that make it.

    All are (n,): `psi` with the estimate as mean, `squared` residuals of the outcome,
    `alpha` the contrast's weights, `m_alpha` their own contrast; 2 m_alpha - alpha² has
    the mean of alpha² and less error (DoubleML does the same).
    """
    nu = 2 * m_alpha - alpha**2
    nu = nu if nu.mean() > 0 else alpha**2
    most = math.sqrt(float(squared.mean() * nu.mean()))
    pull = (squared.mean() * (nu - nu.mean()) + nu.mean() * (squared - squared.mean())) / (2 * most)
    both = clustered(np.column_stack([psi - psi.mean(), pull]), family)
    return Leeway(float(psi.mean()), most, float(both[0, 0]), float(both[0, 1]), float(both[1, 1]))


def strength(cf_y: float, cf_d: float) -> float:
    """Return the strength of a confounder that explains these shares of outcome and weights."""
    return math.sqrt(cf_y * cf_d / (1 - cf_d))


def bounds(of: Leeway, cf_y: float, cf_d: float, z: float = POINTWISE) -> Bounds:
    """Return the estimate and its limit after the worst bias of such a confounder."""
    k, sign = strength(cf_y, cf_d), math.copysign(1.0, of.estimate)
    variance = of.variance - 2 * sign * k * of.covariance + k**2 * of.spread
    pulled = of.estimate - sign * k * of.most
    return Bounds(pulled, pulled - sign * z * math.sqrt(max(variance, 0.0)))


def robustness_value(of: Leeway, z: float = 0.0) -> float:
    """Return the share (of both) a confounder must explain to bring estimate or limit to 0.

    `z` 0 asks of the estimate; otherwise of the limit `z` standard errors away. Both
    in closed form: the limit is the smaller root of a quadratic in the strength.
    """
    size = abs(of.estimate)
    if size <= z * math.sqrt(of.variance):
        return 0.0
    cross = math.copysign(1.0, of.estimate) * of.covariance
    a, b = of.most**2 - z**2 * of.spread, size * of.most - z**2 * cross
    c = size**2 - z**2 * of.variance
    k = c / (b + math.sqrt(max(b**2 - a * c, 0.0)))
    return (-(k**2) + math.sqrt(k**4 + 4 * k**2)) / 2


@dataclass(frozen=True, slots=True)
class Benchmark:
    """How strong one observed block of background is, as a confounder of one contrast."""

    block: str
    cf_y: float
    cf_d: float


def benchmarks(z: Floats, row: Floats, y: Floats, blocks: dict[str, list[int]]) -> list[Benchmark]:
    """Leave each block out and fit again by least squares: what it adds, strongest first.

    `z` (n, q) holds arms first, `row` weighs them; `y` (n,) recorded results. The
    weights of a least-squares contrast have the square mean n · row' (z'z)⁻¹ row.
    """
    gram, right = z.T @ z, z.T @ y
    total = float(y @ y)
    rss, nu = _fitted(gram, right, row, total, np.arange(len(gram)))
    told = []
    for block, columns in blocks.items():
        kept = np.setdiff1d(np.arange(len(gram)), columns)
        short, less = _fitted(gram, right, row, total, kept)
        gain = min(max(nu / max(less, 1e-12) - 1, 0.0), 0.99)
        told.append(Benchmark(block, min(max(short / rss - 1, 0.0), 0.99), gain))
    return sorted(told, key=lambda b: (-round(strength(b.cf_y, b.cf_d), 9), b.block))


def _fitted(
    gram: Floats, right: Floats, row: Floats, total: float, kept: Ints
) -> tuple[float, float]:
    inverse = np.linalg.pinv(gram[np.ix_(kept, kept)], hermitian=True)
    beta = inverse @ right[kept]
    return total - float(beta @ right[kept]), float(row[kept] @ inverse @ row[kept])
