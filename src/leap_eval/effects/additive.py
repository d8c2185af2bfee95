"""Combinations pulled towards the sum of their services: a second mark, never the grade."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from leap_eval.effects.aipw import Floats
from leap_eval.effects.contrasts import JOIN

if TYPE_CHECKING:
    from leap_eval.effects.bands import Bands
    from leap_eval.effects.fit import Fit

# What a combination adds to its services, in SD: most a little, a few much (spike and slab).
LITTLE = np.array([0.0, 0.01, 0.03, 0.09])  # the spread of most, told by the data
BELIEF = 0.1  # half-normal scale of that spread
MUCH, CHANCE, FEW = 0.25, 0.1, 3  # the spread of those that stand out, how often, how many
ROOM = 60  # of very many combinations fewer may stand out: beliefs grow as their powers
CAUTION = 1.1  # of the band: its covariance is estimated; read off worlds, so a second mark only
FARTHEST = 1.0  # standard errors an estimate may be moved (limited translation, Efron, Morris 1972)


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """Pulled estimates (C,), the standard error left to each, and how far each was moved."""

    estimate: Floats
    se: Floats
    moved: Floats

    def half_width(self, crit: float) -> Floats:
        """Widen what is left by the move: if services do not add up, this much may be wrong."""
        told: Floats = CAUTION * np.hypot(crit * self.se, self.moved)
        return told


def toward_additive(estimate: Floats, additive: Floats, covariance: Floats, sd: float) -> Shrunk:
    """Pull combinations towards what their services add up to, as far as both agree.

    `estimate` (C,) and `additive` (C,) share `covariance` (2C, 2C), estimates first. The
    additive sums have a third of the error but no room for synergy: posterior mean and
    standard error over which combinations stand out and how much the others add. None is
    moved more than one standard error.
    """
    c = len(estimate)
    own, cross = covariance[:c, :c], covariance[:c, c:]
    gain = own - cross
    apart = gain - cross.T + covariance[c:, c:]
    spread, log_prior = _beliefs(c, sd)
    # A billionth of the variance keeps sums apart that are the very estimates.
    least = 1e-9 * np.trace(own)
    inverse = np.linalg.inv(apart + (spread[:, :, None] ** 2 + least) * np.eye(c))
    told = inverse @ (estimate - additive)  # (B, C)
    weigh = log_prior + (np.linalg.slogdet(inverse)[1] - told @ (estimate - additive)) / 2
    weigh = np.exp(weigh - weigh.max())
    weigh /= weigh.sum()
    moves = -told @ gain.T
    move = weigh @ moves
    left = np.diag(own) - ((gain @ np.tensordot(weigh, inverse, 1)) * gain).sum(axis=1)
    unsure = weigh @ (moves - move) ** 2
    most = FARTHEST * np.sqrt(np.diag(own))
    moved = np.clip(move, -most, most)
    return Shrunk(estimate + moved, np.sqrt(np.maximum(left, 0) + unsure), moved)


def _beliefs(c: int, sd: float) -> tuple[Floats, Floats]:
    """Return every belief of what combinations add, as spreads (B, C), and its log prior (B,)."""
    few = [p for k in range(min(FEW, ROOM // c) + 1) for p in combinations(range(c), k)]
    stand_out = np.zeros((len(few), c), bool)
    for row, places in enumerate(few):
        stand_out[row, list(places)] = True
    spread = np.concatenate([np.where(stand_out, MUCH, little) for little in LITTLE])
    many = stand_out.sum(axis=1)
    which = many * np.log(CHANCE) + (c - many) * np.log(1 - CHANCE)
    # On the line of the spread itself: each point of the grid counts its gap.
    common = np.log(np.gradient(LITTLE)) - 0.5 * (LITTLE / BELIEF) ** 2
    return sd * spread, (common[:, None] + which).ravel()


def pulled(fit: Fit, places: list[int], bands: Bands) -> dict[str, Floats]:
    """Return the second mark of one family of contrasts: NaN but for combinations of services."""
    told = {k: np.full(len(places), np.nan) for k in ("pooled", "pooled_low", "pooled_high")}
    services = {c.name: i for i, c in enumerate(fit.listed) if c.family == "service"}
    parts = [fit.listed[i].name.split(JOIN) for i in places]
    able = [k for k, p in enumerate(parts) if set(p) <= set(services)]
    if fit.listed[places[0]].family != "combination" or not able:
        return told
    rows = np.zeros((2 * len(able), len(fit.listed)))
    for row, k in enumerate(able):
        rows[row, places[k]] = 1.0
        rows[len(able) + row, [services[s] for s in parts[k]]] = 1.0
    theta, total = rows @ fit.pooled.theta, rows @ fit.pooled.total @ rows.T
    shrunk = toward_additive(theta[: len(able)], theta[len(able) :], total, fit.sd)
    half = shrunk.half_width(bands.crit)
    told["pooled"][able] = shrunk.estimate
    told["pooled_low"][able], told["pooled_high"][able] = (
        shrunk.estimate - half,
        shrunk.estimate + half,
    )
    return told
