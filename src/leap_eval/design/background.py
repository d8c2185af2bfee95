"""Background as numbers: what the propensity models see, and what balance is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from leap_eval.settings import Plan

Floats = npt.NDArray[np.float64]
MOST_MISSING = 0.60
FEW_USERS = 30
CALENDAR_KNOTS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Covariates of one trial: (n, p) with NaN where unknown, and their names."""

    names: tuple[str, ...]
    values: Floats


def background(
    table: pd.DataFrame, plan: Plan, trial: str, eligible: npt.NDArray[np.bool_]
) -> Background:
    """Collect a trial's covariates; constant and mostly missing ones are left out."""
    columns = {n: table[f"{trial}_x_{n}"].to_numpy(float) for n in plan.covariates}
    if "services_out_of_play" in plan.adjust_also:
        for column in sorted(c for c in map(str, table) if c.startswith(f"{trial}_used_")):
            used = table[column].fillna(False).to_numpy(float)
            if used[eligible].sum() >= FEW_USERS:
                columns[column.removeprefix(f"{trial}_")] = used
    if "birth_month" in plan.adjust_also:
        born = pd.to_datetime(table["birth_month"])
        columns["birth_month"] = ((born.dt.year - 2015) * 12 + born.dt.month - 1).to_numpy(float)
    kept = {n: v for n, v in columns.items() if _useful(v[eligible])}
    return Background(
        tuple(kept), np.column_stack([*kept.values()]) if kept else np.zeros((len(table), 0))
    )


def _useful(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return len(known) >= (1 - MOST_MISSING) * len(values) and len(np.unique(known)) > 1


def filled(given: Background, inside: npt.NDArray[np.bool_]) -> tuple[list[str], Floats]:
    """Fill gaps with the mean of those `inside`, and say by an indicator where a gap was."""
    means = np.nanmean(given.values[inside], axis=0)
    gap = np.isnan(given.values)
    values = np.where(gap, means, given.values)
    some = np.flatnonzero(gap[inside].any(axis=0))
    # One indicator for covariates that are missing together: that of the first of them.
    first = sorted({gap[:, j].tobytes(): j for j in reversed(some)}.values())
    names = [f"{given.names[j]}_missing" for j in first]
    return [*given.names, *names], np.hstack([values, gap[:, first].astype(float)])


def terms(names: list[str], values: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """Return standardised columns with bends at quantiles, so that no number must act straight."""
    columns = []
    for name, column in zip(names, values.T, strict=True):
        columns.append(column)
        distinct = np.unique(column[inside])
        if len(distinct) > 2:
            count = CALENDAR_KNOTS if name == "birth_month" else 3
            knots = np.unique(np.quantile(column[inside], np.linspace(0, 1, count + 2)[1:-1]))
            columns += [np.maximum(column - k, 0) for k in knots if k > distinct[0]]
    return standardised(np.column_stack(columns), inside)


def standardised(values: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """Centre and scale every column by those `inside`; drop columns that are constant there."""
    mean, sd = values[inside].mean(axis=0), values[inside].std(axis=0)
    moves = sd > 1e-9
    scaled: Floats = (values[:, moves] - mean[moves]) / sd[moves]
    return scaled
