"""The specification curve: every choice an analyst might have made, made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from leap_eval.effects.aipw import ArmMeans, Bools, Floats
from leap_eval.effects.checks import Models
from leap_eval.effects.problem import Arms, Problem
from leap_eval.effects.surface import columns_of
from leap_eval.settings import Plan

FLOORS = (0.0, 0.02)
FEWEST_IN_ARM = 20
PENALTY = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Specification:
    """One set of choices, and the arm means (A,) it leads to; NaN where an arm is too small."""

    outcome_model: str
    propensity: str
    background: str
    grace: int
    floor: float
    means: ArmMeans

    @property
    def words(self) -> str:
        """The choices in one line."""
        return (
            f"{self.outcome_model}, {self.propensity}, {self.background}, "
            f"grace {self.grace}, floor {self.floor:g}"
        )


def specifications(plan: Plan, asked: Problem, models: dict[str, Models]) -> list[Specification]:
    """Estimate under all of 2 outcome models x 2 propensity models x backgrounds x graces x floors.

    `models` holds the surfaces by background. At the headline's grace with all of the
    background the logistic propensities are the design's own; elsewhere they are
    logistic by linear discriminants, the maximum-likelihood answer where background is
    normal, in closed form from one Gram matrix.
    """
    told = []
    for (background, fitted), grace in product(models.items(), plan.months.graces):
        sets = [_moved(asked, s, plan, grace) for s in asked.sets]
        shares = _propensities(asked, sets, fitted)
        if background == "all" and grace == plan.months.grace:
            shares["logistic"] = [s.e for s in asked.sets]
        for (name, e), floor in product(shares.items(), FLOORS):
            for surface in ("ridge", "boosted"):
                means = _means(asked, sets, e, fitted, surface, floor)
                told.append(Specification(surface, name, background, grace, floor, means))
    return told


def _moved(asked: Problem, arms: Arms, plan: Plan, grace: int) -> Bools:
    """Tell who is in which arm had the grace period been another."""
    if grace == plan.months.grace or arms.by_amount:
        return arms.inside
    zero = plan.trials[asked.trial].time_zero
    months = asked.table[[f"start_{s}" for s in asked.services]].to_numpy(float)
    began = (months >= zero) & (months < zero + grace)
    own = [i for i, s in enumerate(asked.services)
           if not arms.holds or any(s in named for named in arms.services)]  # fmt: skip
    wanted = np.array([[asked.services[i] in named for i in own] for named in arms.services])
    inside: Bools = (began[:, None, own] == wanted[None]).all(axis=2)
    return inside & arms.population[:, None]


def _propensities(asked: Problem, sets: list[Bools], models: Models) -> dict[str, list[Floats]]:
    """Return two cross-fitted propensities of every set: logistic by discriminants, and linear."""
    x = np.column_stack([models.given.x, _squares(models.given.x)])
    linear = [np.ones(s.shape) for s in sets]
    logistic = [np.ones(s.shape) for s in sets]
    roots: dict[tuple[bytes, int], tuple[Floats, Floats, Floats]] = {}
    for place, (inside, arms) in enumerate(zip(sets, asked.sets, strict=True)):
        for k in np.unique(asked.fold):
            train = (asked.fold != k) & arms.population
            held = (asked.fold == k) & arms.population
            key = arms.population.tobytes(), int(k)
            roots[key] = roots.get(key) or _root(x[train])
            centre, a, root = roots[key]
            share = np.maximum(inside[train].mean(axis=0), 1 / len(a))
            slope = root @ (a.T @ (inside[train] - share) / len(a))
            score = (x[held] - centre) @ slope
            linear[place][held] = share + score
            # Discriminants: the linear slopes over the share; one pooled spread for all arms.
            raised = np.exp(
                np.clip(np.log(share) + score / share - _tilt(slope, share, a), -30, 30)
            )
            rest = max(1 - share.sum(), 0.0)
            logistic[place][held] = raised / (raised.sum(axis=1, keepdims=True) + rest)
    return {"logistic": logistic, "linear": linear}


def _root(x: Floats) -> tuple[Floats, Floats, Floats]:
    centre = x.mean(axis=0)
    a = x - centre
    return centre, a, np.linalg.inv(a.T @ a / len(a) + PENALTY * np.eye(x.shape[1]))


def _tilt(slope: Floats, share: Floats, a: Floats) -> Floats:
    # Half the squared length of the mean shift keeps each arm's average share as it is.
    tilt: Floats = 0.5 * ((a @ (slope / share)) ** 2).mean(axis=0)
    return tilt


def _squares(x: Floats) -> Floats:
    bent: Floats = x[:, [len(np.unique(c)) > 2 for c in x.T]] ** 2
    centred: Floats = bent - bent.mean(axis=0)
    return centred


def _means(
    asked: Problem, sets: list[Bools], e: list[Floats], models: Models, surface: str, floor: float
) -> ArmMeans:
    phi = []
    y = np.nan_to_num(asked.y)[:, None]
    for s, inside, share, columns in zip(asked.sets, sets, e, columns_of(asked), strict=True):
        lowest = np.maximum(np.minimum(s.e.min(axis=0), 0.01), floor)
        some = inside & asked.recorded[:, None]
        w = some / (np.maximum(share, lowest) * models.pi[:, None])
        total = w[s.population].mean(axis=0)
        w = w / np.where(total > 0, total, 1.0)
        mu = models.surfaces[surface][:, columns]
        residual = np.where(some, y - mu, 0.0)
        # Outside a set's population nothing is weighted, and no contrast counts the surface.
        fit = mu + w * residual
        fit[:, some.sum(axis=0) < FEWEST_IN_ARM] = np.nan
        phi.append(fit)
    stacked = np.hstack(phi)
    return ArmMeans(stacked.mean(axis=0), stacked)
