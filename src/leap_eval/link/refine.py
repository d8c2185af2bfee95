"""The second lesson: what agreement is worth among the links themselves.

EM on a block takes members of one household for one person, for it has no class of its own for
them. Here every pair competes with the others of its two records (Sadinle 2017): a brother gives
way to the child itself, and m is learnt anew from what is left. Forename and surname are then
looked at together, for they err together: exchanged, or typed by the same tired hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from leap_eval.link import levels
from leap_eval.link.prior import Prior, probability, scores

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from leap_eval.link.model import Model

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Levels = dict[str, tuple["Ints", dict[str, "Ints"]]]  # per tier: its edges, and their levels
ROUNDS, STILL = 20, 0.01  # at most so many lessons; none more once no pair moves by so many bits
HELD = 20.0  # pairs that the first lesson counts for
TOGETHER = ("forename", "surname")
HELD_TOGETHER = 5.0  # pairs that "the two err each for itself" counts for
LEAST_M = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """Per tier: m and u of each level, and the bits that both names' levels add together."""

    models: dict[str, Model]
    together: dict[str, Floats] = field(default_factory=dict)

    def unlike(self) -> float:
        """Return how often one child stands under two forenames that are nothing alike."""
        return min(model["forename"][levels.ELSE][0] for model in self.models.values())


def refine(edges: pd.DataFrame, models: dict[str, Model], prior: Prior) -> tuple[Floats, Learnt]:
    """Return each pair's bits, with m learnt from all pairs, each as far as it is likely a link."""
    learnt, moved, told = Learnt(models), np.zeros(len(edges)), _levels(edges, models)
    for _ in range(ROUNDS):
        score = scores(edges, edges["bits"].to_numpy() + moved, prior, learnt.unlike())
        chance = probability(score, prior)
        prior, learnt = prior.counted(chance), _lesson(told, models, chance)
        before, moved = moved, _moved(told, models, learnt, len(edges))
        if np.abs(moved - before).max(initial=0) < STILL:
            break
    return edges["bits"].to_numpy() + moved, learnt


def _levels(edges: pd.DataFrame, models: dict[str, Model]) -> Levels:
    tiers = edges["tier"].to_numpy(object)
    rows = {tier: np.flatnonzero(tiers == tier) for tier in models}
    return {
        tier: (rows[tier], {f: edges[f].to_numpy()[rows[tier]] for f in model})
        for tier, model in models.items()
    }


def _lesson(levels_: Levels, models: dict[str, Model], chance: Floats) -> Learnt:
    told: dict[str, Model] = {}
    together = {}
    for tier, model in models.items():
        rows, level = levels_[tier]
        told[tier] = {f: _shares(tier, f, m, level[f], chance[rows]) for f, m in model.items()}
        together[tier] = _together(tier, level, chance[rows])
    return Learnt(told, together)


def _shares(
    tier: str, name: str, told: dict[str, list[float]], level: Ints, chance: Floats
) -> dict[str, list[float]]:
    names, known = levels.labels(tier, name), level >= 0
    count = np.bincount(level[known], weights=chance[known], minlength=len(names))
    first = np.array([told[n][0] for n in names])
    share = (count + HELD * first / first.sum()) / (count.sum() + HELD)
    return {n: [max(float(m), LEAST_M), told[n][1]] for n, m in zip(names, share, strict=True)}


def _together(tier: str, level: dict[str, Ints], chance: Floats) -> Floats:
    one, two = (level[f] for f in TOGETHER)
    rows, columns = (len(levels.labels(tier, f)) for f in TOGETHER)
    known = (one >= 0) & (two >= 0)
    place, weights = (one.astype(np.int64) * columns + two)[known], chance[known]
    count = np.bincount(place, weights, rows * columns).reshape(rows, columns)
    alone = np.outer(count.sum(axis=1), count.sum(axis=0)) / max(count.sum(), 1e-9)
    bits: Floats = np.log2((count + HELD_TOGETHER) / (alone + HELD_TOGETHER))
    return bits


def _moved(levels_: Levels, first: dict[str, Model], learnt: Learnt, edges: int) -> Floats:
    moved = np.zeros(edges)
    for tier, model in learnt.models.items():
        rows, level = levels_[tier]
        for name, told in model.items():
            gain = [
                np.log2(told[n][0] / first[tier][name][n][0]) for n in levels.labels(tier, name)
            ]
            moved[rows] += np.array([*gain, 0.0])[level[name]]  # -1, missing, is the last
        one, two = (level[f] for f in TOGETHER)
        added = learnt.together[tier][one, two]
        moved[rows] += np.where((one >= 0) & (two >= 0), added, 0.0)
    return moved
