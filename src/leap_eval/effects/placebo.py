"""Placebo: what the estimator finds when arms are dealt anew among children alike."""

from __future__ import annotations

import numpy as np

from leap_eval.effects.aipw import Floats
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import Problem
from leap_eval.effects.surface import columns_of

FIFTHS = 5


def placebo(
    asked: Problem, listed: list[Contrast], surface: Floats, pi: Floats
) -> tuple[Floats, Floats]:
    """Return mean and spread (C,) of every contrast over all deals of the arms within fifths.

    Fifths of the reference arm's propensity. With the outcome surface averaged over
    arms, a deal moves only the weighted residuals, a linear statistic: its mean and
    variance over all permutations are known without drawing any (Hoeffding 1951).
    """
    told = np.zeros((2, len(listed)))
    for place, (arms, columns) in enumerate(zip(asked.sets, columns_of(asked), strict=True)):
        own = [i for i, c in enumerate(listed) if c.place == place and c.subgroup == "all"]
        if not own:
            continue
        inside, rows = arms.inside, np.array([listed[i].row[columns] for i in own])
        some = inside.any(axis=1) & asked.recorded
        share = arms.e / arms.e.sum(axis=1, keepdims=True)
        level = (share * surface[:, columns]).sum(axis=1)
        residual = np.where(some, np.nan_to_num(asked.y) - level, 0.0)
        fifth = np.searchsorted(np.quantile(arms.e[some, 0], [0.2, 0.4, 0.6, 0.8]), arms.e[:, 0])
        raw = some[:, None] / (arms.e * pi[:, None])
        mean, covariance = _dealt(raw, residual, inside & some[:, None], fifth)
        told[0, own] = rows @ mean
        told[1, own] = np.sqrt(np.maximum(np.einsum("ca,ab,cb->c", rows, covariance, rows), 0))
    return told[0], told[1]


def _dealt(
    raw: Floats, residual: Floats, inside: np.ndarray, fifth: np.ndarray
) -> tuple[Floats, Floats]:
    # Each arm's mean is a ratio; to first order its numerator over its expected total.
    arms = raw.shape[1]
    shares = [inside[fifth == f].sum(axis=0) for f in range(FIFTHS)]
    pools = [(fifth == f) & inside.any(axis=1) for f in range(FIFTHS)]
    average = [raw[p].mean(axis=0) if p.any() else np.zeros(arms) for p in pools]
    total = np.sum([n * m for n, m in zip(shares, average, strict=True)], axis=0)
    centre = np.sum(
        [n * (raw[p] * residual[p, None]).mean(axis=0) for n, p in zip(shares, pools, strict=True)
         if p.any()], axis=0,
    ) / total  # fmt: skip
    covariance = np.zeros((arms, arms))
    for n, p in zip(shares, pools, strict=True):
        size = int(p.sum())
        if size < 2:
            continue
        v = raw[p] * (residual[p, None] - centre) / total
        spread = np.cov(v, rowvar=False).reshape(arms, arms)
        covariance += spread * (np.diag(n.astype(float)) - np.outer(n, n) / size)
    return centre, covariance
