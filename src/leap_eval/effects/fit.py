"""One outcome fitted: headline means, specifications and other estimators of every contrast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leap_eval.effects import bands as of_bands
from leap_eval.effects import checks
from leap_eval.effects.aipw import ArmMeans, Floats, arm_means
from leap_eval.effects.complete import impute, marked
from leap_eval.effects.contrasts import Contrast, influences, weighted
from leap_eval.effects.problem import Problem
from leap_eval.effects.rubin import Pooled
from leap_eval.effects.surface import recorded_probability
from leap_eval.effects.sweep import Parts, standard, swept
from leap_eval.effects.weights import farthest, stacked_weights
from leap_eval.settings import Plan


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
    specifications: dict[str, Floats]  # (C,) each
    others: dict[str, Floats]  # (C,) each, NaN where an estimator has no answer
    controls: list[tuple[Floats, Floats]]
    weighted_links: Floats  # (C,) with children counted by what repairs missed links

    def bands(self, places: list[int], level: float) -> of_bands.Bands:
        """Put the joint band round one family of contrasts."""
        at = np.ix_(places, places)
        return of_bands.of(self.pooled.theta[places], self.pooled.total[at], level)

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


def fit(plan: Plan, asked: Problem, listed: list[Contrast], rule_scale: str, seed: int) -> Fit:
    """Fit surfaces and recording once, and put every estimate together from them."""
    sd = float(np.nanstd(asked.y))
    asked = replace(asked, y=asked.y / sd) if rule_scale == "sd" else asked
    names, known = marked(asked)
    z = standard(known)
    pi = [recorded_probability(asked.repeat(r), z) for r in range(len(asked.folds))]
    weight = [stacked_weights(asked.repeat(r), z, p) for r, p in enumerate(pi)]
    filled = impute(asked, seed)
    marks = known[:, asked.x.shape[1] :]
    done = swept(asked, listed, Parts(names, filled, marks, weight), seed)
    models = checks.Models(done.given, done.surfaces, pi[0], z)
    return Fit(
        asked=asked,
        listed=listed,
        means=done.means,
        pooled=done.pooled,
        models=models,
        weight=weight[0],
        imbalance=farthest(asked, z, weight[0]),
        sd=1.0 if rule_scale == "sd" else sd,
        rank=done.rank,
        fillings=len(filled),
        specifications={
            words: estimates(told, listed)
            for words, told in checks.specifications(asked, models).items()
        },
        others=_others(asked, listed, models, weight[0]),
        controls=_controls(plan, asked, names, z),
        weighted_links=weighted(done.means.phi, listed, asked.link_weight),
    )


def estimates(means: ArmMeans, listed: list[Contrast]) -> Floats:
    """Estimate every contrast from arm means: (C,)."""
    told: Floats = influences(means.phi, listed).mean(axis=0)
    return told


def _others(
    asked: Problem, listed: list[Contrast], models: checks.Models, weight: Floats
) -> dict[str, Floats]:
    x = np.hstack([models.given.x, models.given.curved])
    phi = checks.regression(asked, x, asked.y)
    least_squares = estimates(ArmMeans(phi.mean(axis=0), phi), listed)
    subgroup = np.array([c.subgroup != "all" for c in listed], dtype=bool)
    return {
        "least squares": np.where(subgroup, np.nan, least_squares),
        "boosted trees alone": estimates(
            arm_means(asked.y, models.surfaces["boosted"], weight), listed
        ),
        "overlap weights": estimates(checks.overlap_means(asked, models), listed),
    }


def _controls(
    plan: Plan, asked: Problem, names: tuple[str, ...], z: Floats
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
            told.append((z[:, kept], (y - np.nanmean(y)) / np.nanstd(y)))
    return told
