"""Negative controls: what no service can have moved, and services that came too late to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leap_eval.effects.aipw import Floats
from leap_eval.effects.bands import banded
from leap_eval.effects.checks import Models, regression
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import Problem
from leap_eval.settings import Plan

FEWEST = 50  # children on either side of a control exposure


@dataclass(frozen=True, slots=True)
class Control:
    """One negative control of one contrast, with its joint band over all of the family."""

    control: str
    contrast: str
    estimate: float
    low: float
    high: float
    band_low: float
    band_high: float


def controls(
    plan: Plan, asked: Problem, models: Models, listed: list[Contrast], asking: tuple[int, float]
) -> tuple[list[str], list[Control]]:
    """Return the verdict of each contrast (C,) and every control with its band.

    `asking`: the latest age in months of a result, and the level of the joint band over all
    controls and contrasts of the family: many controls do not mean many false alarms.
    """
    last, level = asking
    named, columns = [], []
    for name, x, y in outcomes(plan, asked, models):
        phi = regression(asked, x, y)
        columns += [c.influence(phi) for c in listed]
        named += [(name, c.name) for c in listed]
    for service, psi in late_starts(plan, asked, models, last):
        columns.append(psi)
        named.append(("starts later", service))
    if not columns:
        return ["not_run"] * len(listed), []
    told = banded(np.column_stack(columns), asked.family, level)
    limits = zip(told.estimate, told.low, told.high, told.band_low, told.band_high, strict=True)
    found = [Control(*n, *map(float, v)) for n, v in zip(named, limits, strict=True)]
    return [_verdict(c, found) for c in listed], found


def _verdict(contrast: Contrast, found: list[Control]) -> str:
    services = contrast.name.split(" + ")
    own = [
        f for f in found
        if (f.control == "starts later" and f.contrast in services) or f.contrast == contrast.name
    ]  # fmt: skip
    if not own:
        return "not_run"
    if any(f.band_low > 0 or f.band_high < 0 for f in own):
        return "fail"
    return "warn" if any(f.low > 0 or f.high < 0 for f in own) else "pass"


def outcomes(plan: Plan, asked: Problem, models: Models) -> list[tuple[str, Floats, Floats]]:
    """Return name, background without it, and value of each outcome fixed before any service.

    By regression without the control among the background: the design's propensities
    have balanced it, so weighted means would agree whatever else is wrong.
    """
    told = []
    for control in plan.controls.outcomes:
        column = f"{asked.trial}_nc_{control}"
        if column not in asked.table:
            continue
        y = asked.table[column].to_numpy(float)
        own = {n for n, c in plan.covariates.items() if c.source == control}
        kept = [i for i, n in enumerate(models.names) if n.removesuffix("_missing") not in own]
        x = models.given.x[:, kept]
        squares = np.column_stack([x, *(x[:, [i]] ** 2 for i in range(x.shape[1]))])
        if (~np.isnan(y)).sum() > 10 * squares.shape[1] and np.nanstd(y) > 0:
            told.append((control, squares, (y - np.nanmean(y)) / np.nanstd(y)))
    return told


def late_starts(plan: Plan, asked: Problem, models: Models, last: int) -> list[tuple[str, Floats]]:
    """Return, by service, the influence (n,) of a first start after the result on the result.

    Nothing that comes after can have moved it; a difference says that who comes is not
    as if by chance. What was known by the result, told later than time zero, is background
    here: a concern at two years sends children on. A child's own result counts where its
    age is known, else `last`: so many more starts come too late to have moved it.
    """
    known = _known_by_result(plan, asked)
    told_at = asked.table.get("months", pd.Series(np.nan, asked.table.index))
    when = np.nan_to_num(told_at.to_numpy(float), nan=float(last))
    scale = np.nanstd(asked.y)
    told = []
    for place, service in enumerate(asked.services):
        start = asked.table[f"start_{service}"].to_numpy(float)
        never = np.isnan(start) | (start > when)
        late = never & ~np.isnan(start)
        if min((late & asked.recorded).sum(), (never & ~late & asked.recorded).sum()) < FEWEST:
            continue
        others = np.delete(asked.started, place, axis=1).astype(float)
        background = (models.given.x, models.given.curved, known)
        z = np.column_stack([late, np.ones(len(late)), others, *background])
        told.append((service, _coefficient(z, np.where(never, asked.y / scale, np.nan))))
    return told


def _coefficient(z: Floats, y: Floats) -> Floats:
    seen = ~np.isnan(y)
    inverse = np.linalg.pinv(z[seen].T @ z[seen], hermitian=True)
    beta = inverse @ z[seen].T @ y[seen]
    residual = np.where(seen, np.nan_to_num(y) - z @ beta, 0.0)
    influence: Floats = beta[0] + len(y) * residual * (z @ inverse[:, 0])
    return influence


def _known_by_result(plan: Plan, asked: Problem) -> Floats:
    own = plan.trials[asked.trial].time_zero
    later = [t for t, trial in plan.trials.items() if trial.time_zero > own]
    columns = []
    for name in (f"{t}_x_{n}" for t in later for n, c in plan.covariates.items()
                 if c.dated == "latest"):  # fmt: skip
        if name in asked.table:
            value = asked.table[name].to_numpy(float)
            gap = np.isnan(value)
            columns += [np.where(gap, np.nanmean(value) if not gap.all() else 0.0, value), gap]
    return np.column_stack(columns) if columns else np.zeros((len(asked.y), 0))
