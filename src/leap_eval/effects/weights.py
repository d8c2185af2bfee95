"""Weights of every arm: propensity, recording and linkage, brought to the background of all."""

from __future__ import annotations

import numpy as np

from leap_eval.effects.aipw import Floats, arm_weights
from leap_eval.effects.problem import Arms, Problem
from leap_eval.weighting import imbalance, tilted


def stacked_weights(asked: Problem, z: Floats, pi: Floats, floor: float = 0.0) -> Floats:
    """Return the weights of all sets' arms side by side: (n, A); `z` (n, q) background in SD."""
    return np.hstack([_weights(asked, s, z, pi, floor) for s in asked.sets])


def _weights(asked: Problem, arms: Arms, z: Floats, pi: Floats, floor: float) -> Floats:
    who = arms.population
    inside, e = arms.inside[who], np.maximum(arms.e[who], floor)
    weight = arm_weights(inside, e, asked.recorded[who], pi[who])
    centred = _centred(z[who])
    for a in range(weight.shape[1]):
        used = weight[:, a] > 0
        weight[used, a] = tilted(weight[used, a], centred[used])
    told = np.zeros((len(who), weight.shape[1]))
    told[who] = weight
    return told


def _centred(z: Floats) -> Floats:
    """Put background in the SDs of these children; what is constant among them says nothing."""
    told: Floats = (z - z.mean(axis=0)) / np.where(z.std(axis=0) > 1e-9, z.std(axis=0), np.inf)
    return told


def farthest(asked: Problem, z: Floats, weight: Floats) -> Floats:
    """Return the largest weighted difference of each arm from its population, in SD: (A,)."""
    told, first = [], 0
    for s in asked.sets:
        own = weight[s.population, first : first + s.inside.shape[1]]
        centred = _centred(z[s.population])
        told += [float(np.abs(imbalance(w, centred)).max(initial=0.0)) for w in own.T]
        first += s.inside.shape[1]
    return np.array(told)
