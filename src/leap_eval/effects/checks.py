"""Other estimators beside the headline, and the verdicts on what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leap_eval.effects.aipw import ArmMeans, Floats, arm_weights
from leap_eval.effects.bands import Bands
from leap_eval.effects.problem import Problem
from leap_eval.effects.surface import Background, columns_of

NOT_RUN = "not_run"
NUMBERS = range(1, 13)


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The fitted parts from which the headline and every specification are put together."""

    names: tuple[str, ...]  # of the columns of given.x
    given: Background
    surfaces: dict[str, Floats]  # mixed, ridge, boosted: (n, A)
    pi: Floats
    z: Floats  # (n, q) background filled without the outcome, in SD: what weights balance


def verdict(value: float, best: float, fair: float) -> str:
    """Grade a number of which less is better: pass, warn or fail."""
    return "pass" if value <= best else "warn" if value <= fair else "fail"


def stacked_inside(asked: Problem) -> Floats:
    """Tell who is in which arm, all sets' arms side by side: (n, A)."""
    return np.hstack([s.inside for s in asked.sets]).astype(float)


def overlap_means(asked: Problem, models: Models) -> ArmMeans:
    """Estimate for the children who could be in any arm (Li, Morgan, Zaslavsky 2018)."""
    parts = []
    for s, columns in zip(asked.sets, columns_of(asked), strict=True):
        who = s.population
        h = np.where(who, 1 / (1 / s.e).sum(axis=1), 0.0)
        h /= h[who].mean()
        weight = np.zeros(s.e.shape)
        weight[who] = arm_weights(
            s.inside[who], s.e[who] / h[who, None], asked.recorded[who], models.pi[who]
        )
        surface = models.surfaces["mixed"][:, columns]
        residual = np.where(weight > 0, np.nan_to_num(asked.y)[:, None] - surface, 0.0)
        parts.append(h[:, None] * surface + weight * residual)
    phi = np.hstack(parts)
    return ArmMeans(phi.mean(axis=0), phi)


def regression(asked: Problem, x: Floats, y: Floats) -> Floats:
    """Regress `y` on arms and background, set by set: influence (n, A), mean = coefficient.

    A saturated least-squares model, the one most reports would use; reference arm 0.
    """
    parts = []
    for s in asked.sets:
        seen = ~np.isnan(y) & s.population
        inside = s.inside.astype(float)
        rest = 1 - inside.sum(axis=1, keepdims=True)
        own = {name for services in s.services for name in services}
        held = [i for i, name in enumerate(asked.services) if s.holds and name not in own]
        columns = [inside[:, 1:], rest, np.ones((len(y), 1)), asked.started[:, held], x]
        matrix = np.hstack(columns)
        inverse = np.linalg.pinv(matrix[seen].T @ matrix[seen], hermitian=True)
        beta = inverse @ matrix[seen].T @ y[seen]
        residual = np.where(seen, np.nan_to_num(y) - matrix @ beta, 0.0)
        arms = inside.shape[1] - 1
        influence = s.population.sum() * residual[:, None] * (matrix @ inverse[:, :arms])
        parts.append(np.hstack([np.zeros((len(y), 1)), beta[:arms] + influence]))
    return np.hstack(parts)


def alternatives(bands: Bands, others: Floats) -> tuple[Floats, list[str]]:
    """Check 3: other estimators (K, C) lie within a half-width and on the same side of 0.

    Returns the largest distance in half-widths, and the verdicts. An estimator without
    an answer (NaN) is not counted against.
    """
    half = bands.crit * bands.se
    real = np.abs(bands.estimate) > bands.alone * bands.se
    away = np.nan_to_num(np.abs(others - bands.estimate) / half)
    turned = np.isfinite(others) & (np.sign(others) != np.sign(bands.estimate))
    off = (away > 1) | (real & turned)
    return away.max(axis=0), [verdict(float(n), 0, 1) for n in off.sum(axis=0)]


def curve(bands: Bands, specs: Floats) -> tuple[Floats, list[str]]:
    """Check 4: the share of specifications (K, C) of the estimate's sign, and its verdict."""
    known = np.maximum(np.isfinite(specs).sum(axis=0), 1)
    same: Floats = (np.sign(specs) == np.sign(bands.estimate)).sum(axis=0) / known
    middle = np.nanmedian(specs, axis=0)
    held = (middle >= bands.band_low) & (middle <= bands.band_high)
    return same, [
        "pass" if s >= 0.8 and h else "warn" if s >= 0.6 and h else "fail"
        for s, h in zip(same, held, strict=True)
    ]
