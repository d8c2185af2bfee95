"""The second lesson: what agreement is worth among the links themselves.

EM on a block takes members of one household for one person, for it has no class of its own for
them. Here every pair competes with the others of its two records (Sadinle 2017): a brother gives
way to the child itself, and m is learnt anew from what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from leap_eval.link import levels
from leap_eval.link.prior import Prior, probability, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leap_eval.link.model import Model

    Floats = NDArray[np.float64]

ROUNDS, STILL = 20, 0.01  # at most so many lessons; none more once no weight moves by so many bits
HELD = 20.0  # pairs that the first lesson counts for


def refine(edges: pd.DataFrame, models: dict[str, Model], prior: Prior) -> dict[str, Model]:
    """Return the models with m learnt from all pairs, each as much as it is likely a link."""
    learnt = models
    for _ in range(ROUNDS):
        bits = edges["bits"].to_numpy() + shift(edges, models, learnt)
        score = scores(edges, bits, prior, unlike(learnt))
        chance = probability(edges, score, prior)
        prior = prior.counted(chance)
        before, learnt = learnt, _lesson(edges, models, chance)
        if np.abs(shift(edges, before, learnt)).max(initial=0) < STILL:
            break
    return learnt


def unlike(models: dict[str, Model]) -> float:
    """Return how often one child stands under two forenames that are nothing alike."""
    return min(model["forename"][levels.ELSE][0] for model in models.values())


def shift(edges: pd.DataFrame, old: dict[str, Model], new: dict[str, Model]) -> Floats:
    """Return by how many bits each pair is worth more under the new models."""
    moved = np.zeros(len(edges))
    for tier, model in new.items():
        rows = (edges["tier"] == tier).to_numpy()
        for field, told in model.items():
            names = levels.labels(tier, field)
            gain = [np.log2(told[n][0] / old[tier][field][n][0]) for n in names]
            moved[rows] += np.array([*gain, 0.0])[edges[field].to_numpy()[rows]]
    return moved


def _lesson(
    edges: pd.DataFrame, models: dict[str, Model], chance: Floats
) -> dict[str, Model]:
    return {
        tier: {f: _shares(edges, tier, f, told, chance) for f, told in model.items()}
        for tier, model in models.items()
    }


def _shares(
    edges: pd.DataFrame, tier: str, field: str, told: dict[str, list[float]], chance: Floats
) -> dict[str, list[float]]:
    names = levels.labels(tier, field)
    level = edges[field].to_numpy()
    rows = (edges["tier"] == tier).to_numpy() & (level >= 0)
    count = np.bincount(level[rows], weights=chance[rows], minlength=len(names))
    first = np.array([told[n][0] for n in names])
    share = (count + HELD * first / first.sum()) / (count.sum() + HELD)
    return {n: [max(float(m), 1e-5), told[n][1]] for n, m in zip(names, share, strict=True)}
