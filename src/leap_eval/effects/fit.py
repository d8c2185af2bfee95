"""One outcome fitted: headline means, specifications and other estimators of every contrast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leap_eval.effects import checks
from leap_eval.effects.aipw import ArmMeans, Floats, arm_means
from leap_eval.effects.complete import complete
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import Problem
from leap_eval.effects.surface import (
    Background,
    background,
    boosted_surfaces,
    recorded_probability,
    ridge_surfaces,
)
from leap_eval.settings import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Headline influence of every arm, and C contrasts under every other choice."""

    asked: Problem
    listed: list[Contrast]
    means: ArmMeans
    weight: Floats  # (n, A)
    imbalance: Floats  # (A,)
    sd: float  # of the outcome, in the unit of the estimates
    rank: int
    specifications: dict[str, Floats]  # (C,) each
    others: dict[str, Floats]  # (C,) each, NaN where an estimator has no answer
    controls: list[tuple[Floats, Floats]]


def fit(plan: Plan, asked: Problem, listed: list[Contrast], rule_scale: str, seed: int) -> Fit:
    """Fit surfaces and recording once, and put every estimate together from them."""
    sd = float(np.nanstd(asked.y))
    asked = replace(asked, y=asked.y / sd) if rule_scale == "sd" else asked
    names, x = complete(asked, seed)
    given = background(names, x, asked)
    models, rank = _models(asked, given, x, seed)
    weight = checks.stacked_weights(asked, models.pi)
    means = arm_means(asked.y, models.surfaces["mixed"], weight)
    return Fit(
        asked=asked,
        listed=listed,
        means=means,
        weight=weight,
        imbalance=checks.imbalance(asked, given),
        sd=1.0 if rule_scale == "sd" else sd,
        rank=rank,
        specifications={
            words: estimates(told, listed)
            for words, told in checks.specifications(asked, models).items()
        },
        others=_others(asked, listed, given, models),
        controls=_controls(plan, asked, names, given),
    )


def estimates(means: ArmMeans, listed: list[Contrast]) -> Floats:
    """Estimate every contrast from arm means: (C,)."""
    return np.array(
        [
            float(means.theta @ c.row)
            if c.where is None
            else float((means.phi[c.where] @ c.row).mean())
            for c in listed
        ]
    )


def _models(asked: Problem, given: Background, x: Floats, seed: int) -> tuple[checks.Models, int]:
    line, rank = ridge_surfaces(asked, given)
    trees = boosted_surfaces(asked, x, seed)
    if set(np.unique(asked.y[asked.recorded])) <= {0.0, 1.0}:
        line, trees = np.clip(line, 0, 1), np.clip(trees, 0, 1)
    level = np.full_like(line, float(np.nanmean(asked.y)))
    surfaces = {"mixed": (line + trees) / 2, "ridge": line, "boosted": trees, "none": level}
    return checks.Models(given, surfaces, recorded_probability(asked, given)), rank


def _others(
    asked: Problem, listed: list[Contrast], given: Background, models: checks.Models
) -> dict[str, Floats]:
    weight = checks.stacked_weights(asked, models.pi)
    phi = checks.regression(asked, np.hstack([given.x, given.curved]), asked.y)
    least_squares = estimates(ArmMeans(phi.mean(axis=0), phi), listed)
    subgroup = np.array([c.where is not None for c in listed], dtype=bool)
    return {
        "least squares": np.where(subgroup, np.nan, least_squares),
        "boosted trees alone": estimates(
            arm_means(asked.y, models.surfaces["boosted"], weight), listed
        ),
        "overlap weights": estimates(checks.overlap_means(asked, models), listed),
    }


def _controls(
    plan: Plan, asked: Problem, names: tuple[str, ...], given: Background
) -> list[tuple[Floats, Floats]]:
    told = []
    for control in plan.controls.outcomes:
        column = f"{asked.trial}_nc_{control}"
        if column not in asked.table:
            continue
        y = asked.table[column].to_numpy(float)
        own = {n for n, c in plan.covariates.items() if c.source == control}
        kept = [i for i, n in enumerate(names) if n.removesuffix("_missing") not in own]
        if (~np.isnan(y)).sum() > 10 * len(kept) and np.nanstd(y) > 0:
            told.append((given.x[:, kept], (y - np.nanmean(y)) / np.nanstd(y)))
    return told
