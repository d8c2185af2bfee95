"""One outcome fitted: headline means, specifications and other estimators of every contrast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leap_eval.effects import checks
from leap_eval.effects.aipw import ArmMeans, Floats, arm_means
from leap_eval.effects.bands import Bands, banded
from leap_eval.effects.complete import complete
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import Problem
from leap_eval.effects.surface import (
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
    sd: float  # of the outcome, in the unit of the estimates
    rank: int
    models: checks.Models

    def bands(self, places: list[int], level: float) -> Bands:
        """Estimate some of the contrasts with a joint band over them."""
        phi = np.column_stack([self.listed[i].influence(self.means.phi) for i in places])
        return banded(phi, self.asked.family, level)


def fit(plan: Plan, asked: Problem, listed: list[Contrast], rule_scale: str, seed: int) -> Fit:
    """Fit surfaces and recording once, and put every estimate together from them."""
    sd = float(np.nanstd(asked.y))
    asked = replace(asked, y=asked.y / sd) if rule_scale == "sd" else asked
    names, x = complete(asked, seed)
    models, rank = modelled(asked, names, x, seed)
    weight = checks.stacked_weights(asked, models.pi)
    means = arm_means(asked.y, models.surfaces["mixed"], weight)
    return Fit(
        asked=asked,
        listed=listed,
        means=means,
        weight=weight,
        sd=1.0 if rule_scale == "sd" else sd,
        rank=rank,
        models=models,
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


def modelled(
    asked: Problem, names: tuple[str, ...], x: Floats, seed: int
) -> tuple[checks.Models, int]:
    """Fit surfaces and recording on filled background `x` (n, p): models, and the ridge's rank."""
    given = background(names, x, asked)
    line, rank = ridge_surfaces(asked, given)
    trees = boosted_surfaces(asked, x, seed)
    if set(np.unique(asked.y[asked.recorded])) <= {0.0, 1.0}:
        line, trees = np.clip(line, 0, 1), np.clip(trees, 0, 1)
    surfaces = {"mixed": (line + trees) / 2, "ridge": line, "boosted": trees}
    return checks.Models(names, given, surfaces, recorded_probability(asked, given)), rank
