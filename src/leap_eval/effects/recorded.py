"""Results that are not there: how far they would have to differ, and whether they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from leap_eval.effects.aipw import Floats
from leap_eval.effects.bands import Bands, banded, clustered
from leap_eval.effects.checks import Models, stacked_inside
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import CHILD, Given, Measured, Problem, first_results
from leap_eval.settings import Plan

POINTS, MONTHS = 0.05, 1.0
WAYS = ("unrecorded here", "unrecorded there")
FEWEST = 200  # children with the other result, with and without this one


def companions(measured: Measured, others: Mapping[str, Measured]) -> Measured:
    """Set other outcomes' results beside this one's, as `also_OUTCOME`.

    They enter no estimate. A child whose result here is missing may have one there: the
    only sight of who is not recorded that does not rest on the background.
    """
    table = measured.table
    for name, other in others.items():
        if name != measured.outcome:
            key = [c for c in CHILD if c in table]
            column = other.table.set_index(key)["value"].rename(f"also_{name}")
            table = table.join(column, on=key)
    return Measured(measured.outcome, table)


def opened(
    outcomes: Any, links: Any, given: Given, plan: Plan, asked: tuple[str, date]
) -> Measured:
    """Take each child's first result, and beside it those of the plan's other outcomes."""
    outcome, as_at = asked
    told = {n: first_results(outcomes, links, given, plan, (n, as_at)) for n in plan.outcomes}
    return companions(told[outcome], told)


def unrecorded(asked: Problem, pi: Floats) -> Floats:
    """Return, by arm (A,), the share of all eligible whose result would be missing there."""
    shares = []
    for s in asked.sets:
        w = s.inside / s.e
        shares.append((w * (1 - pi)[:, None]).sum(axis=0) / w.sum(axis=0))
    return np.concatenate(shares)


def tipping(bands: Bands, missing: Floats, sd: float) -> Floats:
    """Return by how many SD the arm's unrecorded must differ before the band first holds 0: (C,).

    In closed form: shifting them by d moves the arm's mean by d times their share.
    """
    limit = np.maximum(np.maximum(bands.band_low, -bands.band_high), 0) / sd
    told: Floats = np.minimum(limit / np.maximum(missing, 1e-9), 9.0)
    return told


@dataclass(frozen=True, slots=True, eq=False)
class Evenness:
    """Whether arms are recorded and followed alike: (C,) each, with verdicts."""

    recorded: Floats  # difference in the weighted share recorded
    months: Floats  # difference in months observed; NaN where nobody's leaving is known
    verdicts: list[str]
    companions: list[dict[str, Any]]


def evenness(
    asked: Problem, models: Models, listed: list[Contrast], level: float, families: int = 1
) -> Evenness:
    """Compare arms in share recorded and months observed, and ask who is not recorded.

    Arms of 150 children differ by 5 points by chance: a difference counts only where it
    is that large and its joint band, over all `families` of the outcome, leaves out 0.
    """
    wide = over(level, families)
    share, share_off = _uneven(asked, listed, asked.recorded.astype(float), POINTS, wide)
    seen = _months_observed(asked)
    months, months_off = (
        (np.full(len(listed), np.nan), np.zeros(len(listed), int))
        if seen is None
        else _uneven(asked, listed, seen, MONTHS, wide)
    )
    found = _by_companions(asked, models, level)
    worst = max((2 if f["p"] < 1 - level else 0 for f in found), default=0)
    off = np.maximum(np.maximum(share_off, months_off), worst)
    return Evenness(share, months, [("pass", "warn", "fail")[i] for i in off], found)


def over(level: float, families: int) -> float:
    """Return the level at which each family is asked, so that all of them hold at `level`."""
    return 1 - (1 - level) / max(families, 1)


def _uneven(
    asked: Problem, listed: list[Contrast], value: Floats, limit: float, level: float
) -> tuple[Floats, Any]:
    if np.ptp(value) == 0:  # all alike: nothing can differ
        return np.zeros(len(listed)), np.zeros(len(listed), int)
    parts = []
    for s in asked.sets:
        w = s.inside / s.e
        w = w / w[s.population].mean(axis=0)
        mean = (w * value[:, None]).sum(axis=0) / w.sum(axis=0)
        parts.append(mean + w * (value[:, None] - mean))
    phi = np.hstack(parts)
    told = banded(np.column_stack([c.influence(phi) for c in listed]), asked.family, level)
    large = np.abs(told.estimate) > limit
    apart = (told.band_low > 0) | (told.band_high < 0)
    near = (told.low > 0) | (told.high < 0)
    return told.estimate, np.where(large & apart, 2, np.where(large & near, 1, 0))


def _months_observed(asked: Problem) -> Floats | None:
    left = pd.to_datetime(asked.table["left_month"])
    zero = pd.to_datetime(asked.table[f"{asked.trial}_time_zero"])
    if left.isna().all():
        return None
    gone = (left.dt.year - zero.dt.year) * 12 + left.dt.month - zero.dt.month
    return np.clip(gone.fillna(np.inf).to_numpy(float), 0, 12)


def _by_companions(asked: Problem, models: Models, level: float) -> list[dict[str, Any]]:
    """Ask, by other results of the same children, whether the unrecorded differ.

    Both ways: does the other result differ where this one is missing, and does this one
    differ where the other is? Who leaves early has no other result; but if development
    goes with leaving, this result goes with being seen again. Result and recording are
    freed of arms and background first: what is left should not go together. p values are
    Bonferroni's over companions and ways.
    """
    names = [str(c) for c in asked.table if str(c).startswith("also_")]
    arms = stacked_inside(asked)
    z = np.column_stack([np.ones(len(asked.y)), arms, models.given.x, models.given.curved])
    told = []
    for name, way in product(names, WAYS):
        other = asked.table[name].to_numpy(float)
        value, seen = (
            (other, asked.recorded) if way == "unrecorded here" else (asked.y, ~np.isnan(other))
        )
        known = ~np.isnan(value)
        counts = (known & seen).sum(), (known & ~seen).sum()
        if min(counts) < FEWEST / 4 or sum(counts) < FEWEST or np.nanstd(value) == 0:
            continue
        slope, se = _slope(z[known], value[known], seen[known], asked.family[known])
        p = min(1.0, len(names) * len(WAYS) * 2 * float(norm.sf(abs(slope) / se)))
        row = {"companion": name.removeprefix("also_"), "way": way}
        told.append({**row, "slope": slope, "se": se, "p": p})
    return told


def _slope(z: Floats, value: Floats, recorded: Any, family: Any) -> tuple[float, float]:
    project = np.linalg.lstsq(z, np.column_stack([value, recorded]), rcond=1e-9)[0]
    free = np.column_stack([value, recorded]) - z @ project
    v, r = free[:, 0] / free[:, 0].std(), free[:, 1]
    slope = float((v * r).mean())
    codes = np.unique(family, return_inverse=True)[1]
    return slope, float(np.sqrt(clustered((v * (r - slope * v))[:, None], codes)[0, 0]))
