"""Doubly robust arm means with the influence of every child kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leap_eval.errors import PlanError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ArmMeans:
    """Mean outcome of every arm over all eligible: theta (A,), phi (n, A), theta = mean of phi."""

    theta: Floats
    phi: Floats


def arm_weights(inside: Bools, e: Floats, recorded: Bools, pi: Floats) -> Floats:
    """Weight each arm's recorded children up to all eligible: (n, A), each column's mean 1.

    `inside` (n, A) tells who is in which arm, `e` (n, A) the floored propensities,
    `pi` (n,) the probability of being recorded. Each column is divided by its own
    mean (Hájek 1971), so that adding a constant to every outcome changes nothing.
    """
    w = inside * recorded[:, None] / (e * pi[:, None])
    total: Floats = w.mean(axis=0)
    if (total <= 0).any():
        raise PlanError("effects: an arm has no child with a result; raise plan.arms.minimum")
    return w / total


def arm_means(y: Floats, surface: Floats, weight: Floats) -> ArmMeans:
    """Combine outcome surfaces (n, A) and weights (n, A) into doubly robust means.

    `y` is (n,); where no result is recorded its weight is 0 and its value not used.
    """
    residual = np.where(weight > 0, np.nan_to_num(y)[:, None] - surface, 0.0)
    correction = (weight * residual).mean(axis=0)
    phi = surface + correction + weight * (residual - correction)
    return ArmMeans(phi.mean(axis=0), phi)
