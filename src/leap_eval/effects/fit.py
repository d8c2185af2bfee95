"""One outcome fitted: headline means, specifications and other estimators of every contrast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leap_eval.effects import bands as of_bands
from leap_eval.effects import checks
from leap_eval.effects.aipw import ArmMeans, Floats
from leap_eval.effects.complete import impute, marked
from leap_eval.effects.contrasts import Contrast, influences
from leap_eval.effects.links import Moves, unmoved
from leap_eval.effects.problem import Problem
from leap_eval.effects.rubin import Pooled
from leap_eval.effects.surface import recorded_probability
from leap_eval.effects.sweep import Parts, standard, swept
from leap_eval.effects.weights import farthest, stacked_weights


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Headline influence of every arm, and C contrasts under every other choice."""

    asked: Problem
    listed: list[Contrast]
    means: ArmMeans  # averaged over fillings and dealings of the folds
    pooled: Pooled
    models: checks.Models  # of the first filling and dealing
    weight: Floats  # (n, A)
    imbalance: Floats  # (A,)
    sd: float  # of the outcome, in the unit of the estimates
    rank: int
    fillings: int
    moves: Moves  # what other sets of links would change, in the unit of the estimates

    def bands(self, places: list[int], level: float) -> of_bands.Bands:
        """Put the joint band round one family of contrasts."""
        at = np.ix_(places, places)
        free = self.pooled.free[places]
        return of_bands.of(self.pooled.theta[places], self.pooled.total[at], level, free)

    def areas(self, places: list[int], level: float) -> of_bands.Bands:
        """Put the wider band round it that treats areas as clusters."""
        at = np.ix_(places, places)
        return of_bands.cautious(
            self.pooled.theta[places],
            self.pooled.total[at],
            self.pooled.area[at],
            len(np.unique(self.asked.area)),
            level,
        )


def fit(
    asked: Problem, listed: list[Contrast], scale: str, seed: int, moved: Moves | None = None
) -> Fit:
    """Fit surfaces and recording once, and put every estimate together from them."""
    sd = float(np.nanstd(asked.y))
    moved = unmoved(listed) if moved is None else moved
    if scale == "sd":
        asked, moved = replace(asked, y=asked.y / sd), moved.divided(sd)
    names, known = marked(asked)
    z = standard(known)
    pi = [recorded_probability(asked.repeat(r), z) for r in range(len(asked.folds))]
    weight = [stacked_weights(asked.repeat(r), z, p) for r, p in enumerate(pi)]
    filled = impute(asked, seed)
    marks = known[:, asked.x.shape[1] :]
    done = swept(asked, listed, Parts(names, filled, marks, weight, moved.draws), seed)
    models = checks.Models(names, done.given, done.surfaces, pi[0], z)
    return Fit(
        asked=asked,
        listed=listed,
        means=done.means,
        pooled=done.pooled,
        models=models,
        weight=weight[0],
        imbalance=farthest(asked, z, weight[0]),
        sd=1.0 if scale == "sd" else sd,
        rank=done.rank,
        fillings=len(filled),
        moves=moved,
    )


def estimates(means: ArmMeans, listed: list[Contrast]) -> Floats:
    """Estimate every contrast from arm means: (C,)."""
    told: Floats = influences(means.phi, listed).mean(axis=0)
    return told
