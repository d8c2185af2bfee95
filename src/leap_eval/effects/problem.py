"""One outcome's question as arrays: who, which arms, what background, which results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from leap_eval.draws import unmarked
from leap_eval.effects.aipw import Bools, Floats
from leap_eval.settings import Plan, propensity_floor

Ints = npt.NDArray[np.int64]
REST = "rest"
FEWEST_AT_A_LEVEL = 10
CHILD = ["study_id", "draw"]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What stage 05 hands on: one row per child, and what each arm number stands for."""

    table: pd.DataFrame
    discovery: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One outcome's results: `value` per study_id, for the children who could have one."""

    outcome: str
    table: pd.DataFrame  # study_id, draw, value (NaN where not recorded), months: age at it


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """One set of arms: services of each, who is in which (n, A), floored propensities (n, A)."""

    name: str
    services: tuple[tuple[str, ...], ...]
    inside: Bools
    e: Floats
    floored: Floats  # (A,) share of children below the floor
    repeats: Floats  # (R, n, A): `e` of every repeat of the folds
    population: Bools  # (n,) whom the set is about
    texts: tuple[str, ...] = ()  # of dose and breadth, the bins

    @property
    def kind(self) -> str:
        """Say what the arms are: combination, service, pair, dose or breadth."""
        return self.name.partition(".")[2].partition(":")[0]

    @property
    def holds(self) -> bool:
        """Tell whether other services stay as they happened, not switched off."""
        return self.kind in ("service", "pair", "dose")

    @property
    def by_amount(self) -> bool:
        """Tell whether the arms are amounts, not services."""
        return self.kind in ("dose", "breadth")


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """All arrays of one outcome, n children in the order of study_id."""

    trial: str
    names: tuple[str, ...]
    x: Floats  # (n, p), NaN where unknown
    y: Floats  # (n,), NaN where not recorded
    services: tuple[str, ...]
    started: Bools  # (n, services)
    family: Ints
    fold: Ints
    quarter: Ints  # quarter of birth
    sets: tuple[Arms, ...]
    table: pd.DataFrame  # groups and negative controls
    folds: Ints  # (R, n): `fold` of every repeat
    area: Ints  # (n,) ward, as a number
    link_weight: Floats  # (n,) what repairs missed links
    draw: Ints  # (n,) 0 the best links, others those of link draws

    @property
    def recorded(self) -> Bools:
        """Who has a result."""
        return ~np.isnan(self.y)

    @property
    def own(self) -> Bools:
        """Who stands in the best links: models are fitted on these alone."""
        best: Bools = self.draw == 0
        return best

    def repeat(self, number: int) -> Problem:
        """Return the same question on another dealing of the folds."""
        sets = tuple(replace(s, e=s.repeats[number]) for s in self.sets)
        return replace(self, fold=self.folds[number], sets=sets)


def first_results(
    outcomes: Any, links: Any, given: Given, plan: Plan, asked: tuple[str, date]
) -> Measured:
    """Take each child's first result in the age window; `asked` is (outcome, as_at).

    Results that disagree on one day are averaged. Children born when the instrument
    was not in use, or too young by `as_at`, could have no result and are left out.
    """
    outcome, as_at = asked
    rule = plan.outcomes[outcome]
    rows = outcomes.filter(outcomes.instrument.isin(rule.instrument), outcomes.item == rule.item)
    joined = rows.join(links.filter(links.role == "child"), "record_key")
    joined = unmarked(joined.select("study_id", "measured_on", "value", "level"))
    found = joined.to_pandas().merge(given.table[[*CHILD, "birth_month"]], on=CHILD)
    if rule.levels is not None:
        found["value"] = found["level"].map(rule.levels)
    found["months"] = _months(found["birth_month"], found["measured_on"])
    found = found[found["months"].between(*rule.age)].dropna(subset=["value"])
    first = found["measured_on"] == found.groupby(CHILD)["measured_on"].transform("min")
    told = found[first].groupby(CHILD)[["value", "months"]].mean().astype(float)
    able = given.table.loc[_able(given.table["birth_month"], rule, as_at), CHILD]
    return Measured(outcome, able.join(told, on=CHILD))


def _key(measured: Measured) -> list[str]:
    """Return what names a child in results: without a `draw` they are of the best links."""
    return [c for c in CHILD if c in measured.table]


def _months(born: pd.Series[Any], on: pd.Series[Any]) -> pd.Series[Any]:
    start, end = pd.to_datetime(born), pd.to_datetime(on)
    return (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month


def _able(birth: pd.Series[Any], rule: Any, as_at: date) -> Bools:
    born = pd.to_datetime(birth)
    able = born + pd.DateOffset(months=rule.age[1]) <= pd.Timestamp(as_at)
    if rule.births is not None:
        able &= born.between(pd.Timestamp(rule.births[0]), pd.Timestamp(rule.births[1]))
    return able.fillna(False).to_numpy(bool)


def problem(plan: Plan, given: Given, measured: Measured, draws: bool = False) -> Problem:
    """Put one outcome's children, arms, background and results into arrays.

    With `draws` also the children of all link draws, after those of the best links.
    """
    trial = plan.outcomes[measured.outcome].trial
    sets = [c for c in given.table if str(c).startswith(f"arm.{trial}.")]
    eligible = (given.table[sets] >= 0).any(axis=1) if sets else np.zeros(len(given.table), bool)
    eligible &= draws | (given.table["draw"] == 0)
    table = given.table[eligible].merge(measured.table, on=_key(measured), validate="one_to_one")
    table = table.assign(last=table["draw"] != 0).sort_values(["last", *CHILD], ignore_index=True)
    own = (table["draw"] == 0).to_numpy()
    services = tuple(sorted(plan.trials[trial].in_play))
    asked = [str(c) for c in table if str(c).startswith(f"{trial}_x_")]
    seen = own & table["value"].notna().to_numpy()
    told = {c: merged(table[c].to_numpy(float), seen) for c in asked}
    # Among those who could have a result a covariate may say nothing: it leaves the model.
    columns = [c for c in asked if len(np.unique(told[c][own & ~np.isnan(told[c])])) > 1]
    born = pd.to_datetime(table["birth_month"])
    repeats = sorted(c for c in map(str, table) if c.startswith("fold_"))
    folds = table[repeats].to_numpy(np.int64).T
    return Problem(
        trial=trial,
        names=tuple(c.removeprefix(f"{trial}_x_") for c in columns),
        x=np.column_stack([told[c] for c in columns]) if columns else np.zeros((len(table), 0)),
        y=table["value"].to_numpy(float),
        services=services,
        started=_started(table, plan, trial, services),
        family=pd.factorize(table["family_id"], sort=True)[0].astype(np.int64),
        fold=folds[0],
        quarter=np.asarray((born.dt.year * 4 + born.dt.quarter).fillna(0), dtype=np.int64),
        sets=tuple(_arms(table, given.discovery, str(c).removeprefix("arm.")) for c in sets),
        table=table,
        folds=folds,
        link_weight=table["link_weight"].to_numpy(float),
        draw=table["draw"].to_numpy(np.int64),
        area=pd.factorize(table["ward"].fillna(""), sort=True)[0].astype(np.int64),
    )


def merged(values: Floats, seen: Bools) -> Floats:
    """Join levels and gaps that fewer than ten children with a result have to what is nearest.

    A model may not single out so few: the gate would withhold all that it says.
    """
    told = values.copy()
    gap = np.isnan(told)
    if 0 < (gap & seen).sum() < FEWEST_AT_A_LEVEL and not gap.all():
        told[gap] = np.median(told[~gap])
    levels = list(np.unique(told[~np.isnan(told)]))
    while 1 < len(levels) <= 3:
        counts = [int((seen & (told == level)).sum()) for level in levels]
        few = int(np.argmin(counts))
        if counts[few] >= FEWEST_AT_A_LEVEL:
            break
        near = min((n for n in range(len(levels)) if n != few), key=lambda n: abs(n - few))
        told[told == levels[few]] = levels[near]
        levels.pop(few)
    return told


def _started(table: pd.DataFrame, plan: Plan, trial: str, services: tuple[str, ...]) -> Bools:
    zero = plan.trials[trial].time_zero
    months = table[[f"start_{s}" for s in services]].to_numpy(float)
    return (months >= zero) & (months < zero + plan.months.grace)


def _arms(table: pd.DataFrame, discovery: Sequence[Mapping[str, Any]], name: str) -> Arms:
    told = sorted((d for d in discovery if d["set"] == name and d["number"] >= 0), key=_number)
    arms = [d for d in told if d["arm"] != REST]
    label = table[f"arm.{name}"].to_numpy(int)
    population = label >= 0
    inside = label[:, None] == np.array([d["number"] for d in arms])
    own = population & (table["draw"] == 0).to_numpy()
    floors = np.array([propensity_floor(s) for s in inside[own].mean(axis=0)])
    columns = [
        [f"p.{name}.{r}.{d['number']}" for d in arms]
        for r in range(sum(str(c).startswith("fold_") for c in table))
    ]
    raw = np.stack([table[repeat].to_numpy(float) for repeat in columns])
    # Outside the population nothing is weighted; 1 keeps the arithmetic quiet.
    e = np.where(population[:, None], np.maximum(raw, floors), 1.0)
    amounts = name.partition(".")[2].startswith(("dose", "breadth"))
    return Arms(
        name=name,
        services=tuple(() if amounts else _services(d["arm"]) for d in arms),
        inside=inside,
        e=e[0],
        floored=(raw[0][own] < floors).mean(axis=0),
        repeats=e,
        population=population,
        texts=tuple(d["arm"] for d in arms),
    )


def answerable(asked: Problem, fewest: int) -> Problem:
    """Leave out arms with fewer results than `fewest`; sets that need them go as a whole."""
    kept = [_with_results(s, asked.recorded, fewest) for s in asked.sets]
    return replace(asked, sets=tuple(s for s in kept if len(s.services) > 1))


def _with_results(arms: Arms, recorded: Bools, fewest: int) -> Arms:
    enough = (arms.inside & recorded[:, None]).sum(axis=0) >= fewest
    whole = arms.kind in ("service", "pair")
    if not enough[0] or (whole and not enough.all()):
        enough = np.zeros_like(enough)
    at = np.flatnonzero(enough)
    return replace(
        arms,
        services=tuple(arms.services[i] for i in at),
        inside=arms.inside[:, at],
        e=arms.e[:, at],
        floored=arms.floored[at],
        repeats=arms.repeats[:, :, at],
        texts=tuple(arms.texts[i] for i in at),
    )


def _number(row: Mapping[str, Any]) -> int:
    return int(row["number"])


def _services(arm: str) -> tuple[str, ...]:
    return () if arm == "none" else tuple(arm.split(" + "))
