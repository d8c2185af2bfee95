"""Combinations pulled towards the sum of their services: a second mark, never the grade."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.bands import Bands, of
from leap_eval.effects.contrasts import JOIN

if TYPE_CHECKING:
    from leap_eval.effects.fit import Fit

# The spread of synergies, in SD, on an even line of its logarithm. Its prior is nought at
# nought (services never quite add up: Chung, Rabe-Hesketh, Dorie, Gelman, Liu 2013) and has
# a Cauchy's tail: s / (1 + (s / BELIEF)^2)^1.5, half of what a plan calls small.
SPREADS = np.geomspace(0.01, 0.32, 8)
BELIEF = 0.05
MUCH = 0.25  # the spread of the one that stands out, as likely as not


def toward_additive(
    both: Floats, covariance: Floats, synergies: Floats, sd: float, level: float
) -> Bands:
    """Pull combinations towards what their services add up to, as far as both agree.

    `both` (2C,) holds the estimates, then the sums of their services, with one `covariance`
    (2C, 2C). The sums have a third of the error but no room for synergy: `synergies` (C, P)
    tells what one of each pair adds to a combination beyond its sum. The band is the joint
    one of the posterior over how far services do not add up and which of them stands out.
    """
    c = len(synergies)
    apart = np.hstack([np.eye(c), -np.eye(c)])  # estimates less sums
    gap, gain, own = apart @ both, covariance[:c] @ apart.T, covariance[:c, :c]
    prior, weigh = _beliefs(synergies)
    # A billionth of the variance keeps sums apart that are the very estimates.
    least = 1e-9 * np.trace(own) * np.eye(c)
    inverse = np.linalg.inv(apart @ covariance @ apart.T + sd**2 * prior + least)  # (B, C, C)
    told = inverse @ gap
    weigh = weigh + (np.linalg.slogdet(inverse)[1] - told @ gap) / 2
    weigh = np.exp(weigh - weigh.max())
    weigh /= weigh.sum()
    moves = told @ gain.T
    move = weigh @ moves
    left = own - gain @ np.tensordot(weigh, inverse, 1) @ gain.T
    unsure = (moves - move).T @ (weigh[:, None] * (moves - move))
    return of(both[:c] - move, left + unsure, level)


def _beliefs(synergies: Floats) -> tuple[Floats, Floats]:
    """Return every prior covariance of the gaps (B, C, C), for SD 1, with its log weight (B,).

    Each pair has a synergy, each combination one of its own, all with one spread but the
    one that may stand out.
    """
    each = np.hstack([synergies, np.eye(len(synergies))])
    alone = np.einsum("cp,dp->pcd", each, each)
    more = np.maximum(MUCH**2 - SPREADS**2, 0)[:, None, None, None] * alone
    common = (SPREADS**2)[:, None, None] * alone.sum(axis=0)
    prior = np.concatenate([common, (common[:, None] + more).reshape(-1, *alone.shape[1:])])
    # Twice s: once for the prior, once as the line is that of the logarithm.
    spread = 2 * np.log(SPREADS) - 1.5 * np.log1p((SPREADS / BELIEF) ** 2)
    return prior, np.concatenate([spread, np.repeat(spread - np.log(len(alone)), len(alone))])


def _synergies(together: Bools, started: Floats) -> Floats:
    """Tell what one synergy of each pair adds to each combination beyond the sum of services.

    `together` (C, S): services of each combination. A service is told with the others as they
    happened: with its share (S, S) `started` of the other, it has a part of the synergy.
    """
    pairs = combinations(range(together.shape[1]), 2)
    told = [
        together[:, s] * together[:, t]
        - together[:, s] * started[s, t]
        - together[:, t] * started[t, s]
        for s, t in pairs
    ]
    return np.array(told, float).reshape(-1, len(together)).T


def pulled(fit: Fit, places: list[int], level: float) -> dict[str, Floats]:
    """Return the second mark of one family of contrasts: NaN but for combinations of services."""
    told = {k: np.full(len(places), np.nan) for k in ("pooled", "pooled_low", "pooled_high")}
    services = {c.name: i for i, c in enumerate(fit.listed) if c.family == "service"}
    parts = [fit.listed[i].name.split(JOIN) for i in places]
    able = [k for k, p in enumerate(parts) if set(p) <= set(services)]
    if fit.listed[places[0]].family != "combination" or not able:
        return told
    together = np.array([[s in parts[k] for s in services] for k in able])
    every = np.eye(len(fit.listed))
    chosen = every[[places[k] for k in able]]
    rows = np.concatenate([chosen, together @ every[list(services.values())]])
    band = toward_additive(
        rows @ fit.pooled.theta,
        rows @ fit.pooled.total @ rows.T,
        _synergies(together, _started(fit, services)),
        fit.sd,
        level,
    )
    marks = (band.estimate, band.band_low, band.band_high)
    for column, mark in zip(told.values(), marks, strict=True):
        column[able] = mark
    return told


def _started(fit: Fit, services: dict[str, int]) -> Floats:
    """Return the share (S, S) that started each service, of the children each is told for."""
    own, columns = fit.asked.own, [fit.asked.services.index(s) for s in services]
    whom = [fit.listed[i].where for i in services.values()]
    groups = [own if w is None else own & w for w in whom]
    return np.array([fit.asked.started[g][:, columns].mean(axis=0) for g in groups])
