"""The headline, swept over fillings of the background and dealings of the folds, and pooled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from leap_eval.effects.aipw import ArmMeans, Floats, arm_means
from leap_eval.effects.bands import clustered, freedom
from leap_eval.effects.contrasts import Contrast, influences
from leap_eval.effects.mix import mixed
from leap_eval.effects.problem import Problem
from leap_eval.effects.rubin import Pooled, of_both, pool
from leap_eval.effects.surface import Background, Lines, background, lines
from leap_eval.effects.trees import grown, tree_surfaces
from leap_eval.errors import PlanError


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What does not depend on the outcome model."""

    names: tuple[str, ...]
    filled: Floats  # (M, n, p)
    marks: Floats  # (n, q): where a gap was
    weight: list[Floats]  # (n, A) of each dealing of the folds
    moves: Floats  # (D, C): how far each contrast moves in each link draw


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """Pooled means, and the models of the first filling and dealing."""

    means: ArmMeans
    pooled: Pooled
    given: Background
    surfaces: dict[str, Floats]
    rank: int


def standard(x: Floats) -> Floats:
    """Centre and scale every column; constant ones become 0."""
    told: Floats = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    return told


def swept(asked: Problem, listed: list[Contrast], parts: Parts, seed: int) -> Swept:
    """Estimate under every filling, each on the next dealing of the folds, and pool.

    With one filling the influence is averaged over the dealings; with several, Rubin's
    rules carry what the gaps (and the folds) add to the variance.
    """
    first: tuple[Background, dict[str, Floats], int] | None = None
    phi, count = np.zeros(parts.weight[0].shape), 0
    thetas, within, area, free = [], [], [], []
    for repeat, given, surfaces, rank in _passes(asked, parts, seed):
        first = first or (given, surfaces, rank)
        means = arm_means(asked.y, surfaces["mixed"], parts.weight[repeat])
        phi, count = phi + means.phi, count + 1
        if len(parts.filled) > 1:
            psi = influences(means.phi, listed)
            thetas.append(psi.mean(axis=0))
            within.append(clustered(psi - thetas[-1], asked.family))
            area.append(clustered(psi - thetas[-1], asked.area))
            free.append(freedom(psi - thetas[-1], asked.family))
    phi = phi / count
    if not np.isfinite(phi).all():
        raise PlanError(
            "effects: a model has not converged, no estimate is written; raise arms.minimum"
        )
    if len(parts.filled) == 1:
        psi = influences(phi, listed)
        thetas = [psi.mean(axis=0)]
        within = [clustered(psi - thetas[0], asked.family)]
        area = [clustered(psi - thetas[0], asked.area)]
        free = [freedom(psi - thetas[0], asked.family)]
    spread = [np.mean(told, axis=0) for told in (within, area, free)]
    pooled = _pooled(np.array(thetas), spread[0], spread[1], spread[2], parts.moves)
    assert first is not None
    return Swept(ArmMeans(phi.mean(axis=0), phi), pooled, *first)


def _pooled(thetas: Floats, within: Floats, area: Floats, free: Floats, moves: Floats) -> Pooled:
    """Pool once: filling k goes with link draw k, so that the spread holds what both add."""
    fixed = pool(thetas, within)[1]
    if len(moves):
        both = np.arange(max(len(thetas), len(moves)))
        thetas = thetas[both % len(thetas)] + moves[both % len(moves)]
    total, between = pool(thetas, within)
    return Pooled(
        theta=thetas.mean(axis=0),
        total=total,
        share_missing=np.diag(fixed) / np.diag(total),
        share_links=np.diag(pool(moves, within)[1]) / np.diag(total),
        area=area + between,
        free=of_both(total, between, free, len(thetas)),
    )


def _passes(
    asked: Problem, parts: Parts, seed: int
) -> Iterator[tuple[int, Background, dict[str, Floats], int]]:
    repeats = len(asked.folds)
    everyone, gaps = np.ones(len(asked.y), bool), np.array(np.isnan(asked.x).any(axis=1), bool)
    trees: dict[int, tuple[list[object], Floats]] = {}
    for number in range(max(len(parts.filled), repeats)):
        repeat = number % repeats
        dealt = asked.repeat(repeat)
        x = np.hstack([parts.filled[number % len(parts.filled)], parts.marks])
        given = background(parts.names, x, dealt)
        line = lines(dealt, given)
        if repeat not in trees:
            models = grown(dealt, x, seed)
            trees[repeat] = models, tree_surfaces(dealt, x, models, everyone)
            tree = trees[repeat][1]
        else:
            # The trees stay; only children with a gap have other background in this filling.
            models, tree = trees[repeat]
            tree = tree.copy()
            tree[gaps] = tree_surfaces(dealt, x, models, gaps)
        told = surfaces(asked.y, line, tree, parts.weight[repeat])
        yield repeat, given, told, line.rank


def surfaces(y: Floats, line: Lines, tree: Floats, weight: Floats) -> dict[str, Floats]:
    """Put the outcome models side by side with their mix; sets without trees take the ridge."""
    tree = np.where(np.isnan(tree), line.curved, tree)
    models = np.stack([line.curved, line.straight, tree])
    if set(np.unique(y[~np.isnan(y)])) <= {0.0, 1.0}:
        models = np.clip(models, 0, 1)
    level = np.full_like(tree, float(np.nanmean(y)))
    mix = mixed(y, models, weight)
    return {"mixed": mix, "ridge": models[0], "boosted": models[2], "none": level}
