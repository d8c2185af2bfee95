"""The plasmode twin: the whole chain on data like these, where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leap_eval.effects.aipw import Bools, Floats, arm_means, arm_weights
from leap_eval.effects.bands import banded
from leap_eval.effects.checks import Models
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import Arms, Ints, Problem
from leap_eval.effects.surface import columns_of

PENALTY = 1e-3


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the twin's joint and pointwise bands held the known truth, and in how many."""

    joint: float
    pointwise: float
    replicates: int


@dataclass(frozen=True, slots=True, eq=False)
class _Set:
    """One set of arms made ready: what does not change from replicate to replicate."""

    arms: Arms
    chance: Floats  # (n, A + 1) cumulated, the rest last
    surface: Floats  # (n, A + 1)
    residual: Floats  # (n,)
    steps: list[list[Floats]]  # by fold and arm: the inverse information of a logit
    columns: Ints  # of the stacked arms
    own: list[Contrast]


def twin(
    asked: Problem,
    models: Models,
    listed: Sequence[Contrast],
    level: float,
    asking: tuple[int, int],  # seed, replicates
) -> dict[str, Coverage]:
    """Return, by family of contrasts, how often its joint band holds the truth in the twin.

    Children, families and recording are those of the data; arms are dealt anew from the
    propensities, outcomes are the fitted surfaces (so their contrasts are the truth) plus
    each family's residuals under a random sign. Every replicate fits propensities and
    outcome model again, fold by fold, on Gram matrices made once. Subgroups are left out.
    """
    seed, replicates = asking
    x = np.column_stack([np.ones(len(asked.y)), models.given.x])
    outcome_model = _OutcomeModel.of(asked, models)
    sets = [_ready(asked, models, listed, i, x) for i in range(len(asked.sets))]
    sets = [s for s in sets if s.own]
    truth = {
        name: _truth(sets, name) for name in dict.fromkeys(c.family for s in sets for c in s.own)
    }
    held = {name: np.zeros((replicates, 2)) for name in truth}
    for replicate in range(replicates):
        rng = np.random.default_rng([seed, 10, replicate])
        sign = rng.integers(0, 2, int(asked.family.max()) + 1)[asked.family] * 2.0 - 1
        phi: dict[str, list[Floats]] = {name: [] for name in truth}
        for s in sets:
            told = _estimated(asked, models, s, outcome_model, x, sign * s.residual, rng)
            for c in s.own:
                phi[c.family].append(_only(c, s).influence(told))
        for name, columns in phi.items():
            band = banded(np.column_stack(columns), asked.family, level)
            off = np.abs(band.estimate - truth[name])
            held[name][replicate] = (
                (off <= band.crit * band.se).all(),
                (off <= band.alone * band.se).mean(),
            )
    means = {name: h.mean(axis=0) for name, h in held.items()} if replicates else {}
    return {name: Coverage(float(m[0]), float(m[1]), replicates) for name, m in means.items()}


def _truth(sets: list[_Set], name: str) -> Floats:
    return np.array([
        float(_only(c, s).influence(s.surface[:, :-1]).mean())
        for s in sets for c in s.own if c.family == name
    ])  # fmt: skip


def _only(c: Contrast, s: _Set) -> Contrast:
    return replace(c, row=c.row[s.columns])


def _ready(
    asked: Problem, models: Models, listed: Sequence[Contrast], place: int, x: Floats
) -> _Set:
    arms, columns = asked.sets[place], columns_of(asked)[place]
    own = [c for c in listed if c.place == place and c.subgroup == "all"]
    surface = models.surfaces["mixed"][:, columns]
    total = arms.e.sum(axis=1, keepdims=True)
    rest = np.maximum(1 - total, 0) if not arms.inside.any(axis=1).all() else np.zeros_like(total)
    chance = np.where(
        arms.population[:, None],
        np.hstack([arms.e, rest]),
        np.eye(len(rest.T) + arms.e.shape[1])[-1],
    )
    chance = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
    level = (surface * arms.e / total).sum(axis=1, keepdims=True)
    surface = np.hstack([surface, level])
    mine = np.column_stack([arms.inside, ~arms.inside.any(axis=1)])
    residual = np.where(asked.recorded, np.nan_to_num(asked.y) - surface[mine], 0.0)
    steps = _steps(arms.e, x, asked.fold) if own else []
    return _Set(arms, chance, surface, residual, steps, columns, own)


def _steps(e: Floats, x: Floats, fold: Ints) -> list[list[Floats]]:
    told: list[list[Floats]] = [[] for _ in range(int(fold.max()) + 1)]
    ridge = PENALTY * np.eye(x.shape[1])
    for column in e.T:
        w = column * (1 - column)
        parts = [(x[fold == k] * w[fold == k, None]).T @ x[fold == k] for k in range(len(told))]
        whole = np.sum(parts, axis=0)
        for k, part in enumerate(parts):
            told[k].append(np.linalg.inv(whole - part + ridge * w.sum()))
    return told


def _estimated(
    asked: Problem,
    models: Models,
    s: _Set,
    model: _OutcomeModel,
    x: Floats,
    noise: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Deal arms, make outcomes, and estimate: phi (n, A)."""
    number = (rng.random((len(noise), 1)) > s.chance).sum(axis=1)
    dealt = number[:, None] == np.arange(s.chance.shape[1])
    y = s.surface[dealt] + noise
    inside = dealt[:, :-1]
    e = np.maximum(_propensities(s, inside, x, asked.fold), s.arms.e.min(axis=0))
    surface = model.predicted(asked, dealt, y)[:, :-1]
    who, phi = s.arms.population, np.zeros(surface.shape)
    weight = arm_weights(inside[who], e[who], asked.recorded[who], models.pi[who])
    phi[who] = arm_means(np.where(asked.recorded, y, np.nan)[who], surface[who], weight).phi
    return phi


def _propensities(s: _Set, inside: Bools, x: Floats, fold: Ints) -> Floats:
    """Fit logits again by one Newton step from the propensities the arms were dealt from."""
    off = inside - s.arms.e
    parts = [x[fold == k].T @ off[fold == k] for k in range(len(s.steps))]
    whole = np.sum(parts, axis=0)
    score = np.log(s.arms.e / np.maximum(1 - s.arms.e, 1e-9))
    for k, part in enumerate(parts):
        slope = np.column_stack(
            [step @ v for step, v in zip(s.steps[k], (whole - part).T, strict=True)]
        )
        score[fold == k] += x[fold == k] @ slope
    told: Floats = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
    return told


@dataclass(frozen=True, slots=True, eq=False)
class _OutcomeModel:
    """Least squares on arms and background, fold by fold, the background's part made once."""

    x: Floats  # (n, q), standardised
    inverse: list[Floats]  # by fold, of x'x without it

    @staticmethod
    def of(asked: Problem, models: Models) -> _OutcomeModel:
        x = models.given.x
        bent = x[:, [len(np.unique(c)) > 2 for c in x.T]] ** 2
        x = np.column_stack([x, bent - bent.mean(axis=0)])
        seen = x * asked.recorded[:, None]
        whole = seen.T @ seen
        ridge = PENALTY * asked.recorded.sum() * np.eye(x.shape[1])
        folds = range(int(asked.fold.max()) + 1)
        parts = [seen[asked.fold == k].T @ seen[asked.fold == k] for k in folds]
        return _OutcomeModel(x, [np.linalg.inv(whole - part + ridge) for part in parts])

    def predicted(self, asked: Problem, dealt: Bools, y: Floats) -> Floats:
        """Predict every child in every arm, out of fold: (n, A + 1)."""
        d = dealt * asked.recorded[:, None].astype(float)
        right = np.column_stack([d, y * asked.recorded])
        told = np.empty(dealt.shape)
        cut = [asked.fold == k for k in range(len(self.inverse))]
        parts = [(self.x[f].T @ right[f], d[f].T @ right[f]) for f in cut]
        across = np.sum([part for part, _ in parts], axis=0)
        down = np.sum([block for _, block in parts], axis=0)
        for k, (part, block) in enumerate(parts):
            xd, dd = across - part, down - block
            lifted = self.inverse[k] @ xd
            gram = dd[:, :-1] - xd[:, :-1].T @ lifted[:, :-1]
            gap = dd[:, -1] - xd[:, :-1].T @ lifted[:, -1]
            shift = np.linalg.lstsq(gram, gap, rcond=1e-9)[0]
            slope = lifted[:, -1] - lifted[:, :-1] @ shift
            told[cut[k]] = (self.x[cut[k]] @ slope)[:, None] + shift
        return told
