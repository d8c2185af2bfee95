"""The robustness checks of the first cut; a check that is not run says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leap_eval.effects.aipw import ArmMeans, Floats, arm_means, arm_weights
from leap_eval.effects.bands import POINTWISE, Bands, banded
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import Problem
from leap_eval.effects.surface import Background, columns_of
from leap_eval.effects.weights import stacked_weights

NOT_RUN = "not_run"
NUMBERS = range(1, 13)


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The fitted parts from which the headline and every specification are put together."""

    given: Background
    surfaces: dict[str, Floats]  # mixed, ridge, boosted, none: (n, A)
    pi: Floats
    z: Floats  # (n, q) background filled without the outcome, in SD: what weights balance


def verdict(value: float, best: float, fair: float) -> str:
    """Grade a number of which less is better: pass, warn or fail."""
    return "pass" if value <= best else "warn" if value <= fair else "fail"


def specifications(asked: Problem, models: Models) -> dict[str, ArmMeans]:
    """Estimate under every choice an analyst might have made: surface x floor x recording."""
    told = {}
    for floor in (0.0, 0.02):
        for recording, pi in (("ipcw", models.pi), ("complete", np.ones(len(asked.y)))):
            weight = stacked_weights(asked, models.z, pi, floor)
            for name, surface in models.surfaces.items():
                words = f"{name}, floor {floor:g}, {recording}"
                told[words] = arm_means(asked.y, surface, weight)
    return told


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


def alternatives(estimate: Floats, half: Floats, bands: Bands, others: Floats) -> list[str]:
    """Check 3: other estimators (K, C) lie within a half-width and on the same side of 0."""
    real = np.abs(estimate) > POINTWISE * bands.se
    off = (np.abs(others - estimate) > half) | (real & (np.sign(others) != np.sign(estimate)))
    return [verdict(float(n), 0, 1) for n in off.sum(axis=0)]


def curve(estimate: Floats, bands: Bands, specs: Floats) -> tuple[Floats, list[str]]:
    """Check 4: the share of specifications (K, C) of the estimate's sign, and its verdict."""
    same: Floats = (np.sign(specs) == np.sign(estimate)).mean(axis=0)
    middle = np.median(specs, axis=0)
    held = (middle >= bands.band_low) & (middle <= bands.band_high)
    return same, [
        "pass" if s >= 0.8 and h else "warn" if s >= 0.6 and h else "fail"
        for s, h in zip(same, held, strict=True)
    ]


def negative_controls(
    asked: Problem, family: list[Contrast], covered: list[tuple[Floats, Floats]], level: float
) -> list[str]:
    """Check 5: arms do not differ in what was fixed before any service; `covered` is (x, y) each.

    By regression without the control among the background: the design's propensities
    have balanced it, so weighted means would agree whatever else is wrong.
    """
    if not covered:
        return [NOT_RUN] * len(family)
    worst = np.zeros(len(family), dtype=int)
    for x, y in covered:
        phi = regression(asked, x, y)
        told = banded(np.column_stack([phi @ c.row for c in family]), asked.family, level)
        point = (told.low > 0) | (told.high < 0)
        joint = (told.band_low > 0) | (told.band_high < 0)
        worst = np.maximum(worst, point.astype(int) + joint)
    return [("pass", "warn", "fail")[w] for w in worst]


def tipping(bands: Bands, unrecorded: Floats, sd: float) -> list[str]:
    """Check 9: how far unrecorded results of the arm must differ before the band first holds 0."""
    limit = np.maximum(np.maximum(bands.band_low, -bands.band_high), 0) / sd
    delta = limit / np.maximum(unrecorded, 1e-9)
    return ["pass" if d >= 0.20 else "warn" if d >= 0.10 else "fail" for d in delta]
