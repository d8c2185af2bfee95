"""The whole design: sets, folds, propensities, and the looks at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from leap_eval.design.amounts import amount_sets
from leap_eval.design.background import Background, background, filled, standardised, terms
from leap_eval.design.balance import balance, detectable, overlap, weights
from leap_eval.design.discover import REST, ArmSet, TrialStarts, arm_sets, trial_starts
from leap_eval.design.folds import folds
from leap_eval.design.propensity import Floats, propensities
from leap_eval.pipeline import track
from leap_eval.settings import Plan

KEPT = ("study_id", "family_id", "draw", "birth_month", "ward", "left_month", "link_weight")
REPEATS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """One row per child for stage 06, and tidy tables of what the design is worth."""

    table: pd.DataFrame
    discovery: pd.DataFrame
    balance: pd.DataFrame
    overlap: pd.DataFrame
    detectable: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    found: ArmSet
    e: Floats  # (repeats, eligible, arms)
    names: list[str]
    x: Floats  # (eligible, covariates)
    eligible: np.ndarray


def run(plan: Plan, cohort: pd.DataFrame, exposure: pd.DataFrame, seed: int) -> Design:
    """Design every trial of the plan from background and starts alone.

    One thread throughout: sums over threads differ in their last bits, and an
    optimiser would turn those into other bytes.
    """
    table = _joined(cohort, exposure)
    fold = folds(table["family_id"].to_numpy(str), seed, repeats=REPEATS)
    columns = _kept(table, plan, fold)
    fitted: list[_Fitted] = []
    told: list[pd.DataFrame] = []
    with threadpool_limits(1):
        for trial in plan.trials:
            starts = trial_starts(table, plan, trial)
            given = background(table, plan, trial, starts.eligible & starts.own)
            sets, discovery = arm_sets(starts, plan)
            amounts, more = amount_sets(starts, plan)
            told += [discovery, more]
            columns |= _covariates(trial, given)
            for found in track(sets + amounts, f"propensities {trial}"):
                fitted.append(_fit(found, starts, given, fold))
        columns |= _set_columns(fitted, len(table))
        looks = [_looks(f, _family_size(f.found, fitted), plan.levels.band) for f in fitted]
    return Design(pd.DataFrame(columns), pd.concat(told, ignore_index=True), *_stacked(looks))


def _joined(cohort: pd.DataFrame, exposure: pd.DataFrame) -> pd.DataFrame:
    joined = cohort.merge(exposure, on=["study_id", "draw"], how="inner", validate="one_to_one")
    return joined.sort_values(["draw", "study_id"], ignore_index=True)


def _kept(table: pd.DataFrame, plan: Plan, fold: np.ndarray) -> dict[str, object]:
    columns: dict[str, object] = {name: table[name] for name in KEPT}
    columns |= {f"group_{g}": table[g] for g in plan.subgroups}
    columns |= {f"fold_{r}": f.astype("int64") for r, f in enumerate(fold)}
    asked = [f"{t}_time_zero" for t in plan.trials]
    asked += [f"{t}_nc_{n}" for t in plan.trials for n in plan.controls.outcomes]
    asked += [f"start_{s}" for s in plan.services]
    return columns | {name: table[name] for name in asked if name in table}


def _covariates(trial: str, given: Background) -> dict[str, object]:
    return {f"{trial}_x_{n}": v for n, v in zip(given.names, given.values.T, strict=True)}


def _fit(found: ArmSet, starts: TrialStarts, given: Background, fold: np.ndarray) -> _Fitted:
    inside = found.label >= 0
    counted = inside & found.own
    names, values = filled(given, counted)
    place = [starts.services.index(s) for s in found.held]
    held = standardised(starts.started[:, place].astype(float), counted)
    x = np.hstack([terms(names, values, counted), held])[inside]
    e = propensities(x, found.label[inside], fold[:, inside], found.name, found.own[inside])
    return _Fitted(found, e, names, values[inside], inside)


def _set_columns(fitted: list[_Fitted], n: int) -> dict[str, object]:
    columns: dict[str, object] = {}
    for f in fitted:
        columns[f"arm.{f.found.name}"] = f.found.label.astype("int64")
        for (r, a), e in zip(np.ndindex(len(f.e), len(f.found.arms)), _columns(f.e), strict=True):
            whole = np.full(n, np.nan)
            whole[f.eligible] = e
            columns[f"p.{f.found.name}.{r}.{a}"] = whole
    return columns


def _columns(e: Floats) -> Floats:
    """Return the propensities column by column, repeat by repeat: (repeats * arms, eligible)."""
    told: Floats = np.round(e.transpose(0, 2, 1).reshape(-1, e.shape[1]), 8)
    return told


def _family_size(found: ArmSet, fitted: list[_Fitted]) -> int:
    """Count the contrasts that share a joint band with those of `found`."""
    kind = found.name.split(":")[0]
    like = [f.found for f in fitted if f.found.name.split(":")[0] == kind]
    if kind.endswith("pair"):
        return len(like)
    return max(1, sum(sum(a.text != REST for a in s.arms) - 1 for s in like))


def _looks(fitted: _Fitted, family: int, level: float) -> tuple[pd.DataFrame, ...]:
    found = fitted.found
    counted = found.own[fitted.eligible]
    arm, x = found.label[fitted.eligible][counted], fitted.x[counted]
    e = fitted.e[0][counted]
    w = weights(x, e, arm)
    seen = overlap(e, w)
    least = detectable(found, seen["ess"].to_numpy(), family, level)
    rows = (
        [{"arm": found.name.split(":")[1], "mde80": least}]
        if isinstance(least, float)
        else [
            {"arm": a.text, "mde80": m}
            for a, m in zip(found.arms[1:], least, strict=True)
            if a.text != REST
        ]
    )
    compared = balance(x, fitted.names, w, arm)
    return tuple(_named(t, found) for t in (compared, seen, pd.DataFrame(rows)))


def _named(table: pd.DataFrame, found: ArmSet) -> pd.DataFrame:
    told = table.assign(trial=found.trial, set=found.name)
    if "number" in told:
        told["arm"] = [found.arms[a].text for a in told["number"]]
    return told[["trial", "set", "arm", *(c for c in table if c not in ("arm", "number"))]]


def _stacked(looks: list[tuple[pd.DataFrame, ...]]) -> tuple[pd.DataFrame, ...]:
    if not looks:
        return (pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    return tuple(pd.concat(part, ignore_index=True) for part in zip(*looks, strict=True))
