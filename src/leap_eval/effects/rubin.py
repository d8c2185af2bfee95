"""Several fillings and several dealings of the folds pooled into one answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leap_eval.effects.aipw import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """C contrasts pooled: estimates, their total covariance, and what gaps and links add to it."""

    theta: Floats  # (C,)
    total: Floats  # (C, C)
    share_missing: Floats  # (C,)
    share_links: Floats  # (C,)
    area: Floats  # (C, C): covariance with areas as clusters, as far as they differ
    free: Floats  # (C,): degrees of freedom of the total variances


def pool(thetas: Floats, within: Floats) -> tuple[Floats, Floats]:
    """Pool m answers (m, C) and their mean covariance (C, C): Rubin 1987, total and between."""
    m = len(thetas)
    if m < 2:
        return within, np.zeros_like(within)
    apart = thetas - thetas.mean(axis=0)
    between = (1 + 1 / m) * (apart.T @ apart) / (m - 1)
    return within + between, between


def of_both(total: Floats, between: Floats, within: Floats, m: int) -> Floats:
    """Return the degrees of freedom (C,) of the total covariance (C, C) of m answers.

    Satterthwaite over both parts; `within` (C,) are those of the variance within an answer.
    """
    t, b = np.diag(total), np.diag(between)
    told: Floats = t**2 / ((t - b) ** 2 / within + b**2 / max(m - 1, 1))
    return told
