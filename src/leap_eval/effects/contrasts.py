"""What is compared with what: contrasts of arm means, by family."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.problem import Arms, Problem
from leap_eval.effects.surface import columns_of
from leap_eval.settings import Plan

FEWEST_IN_SUBGROUP = 50
JOIN = " + "
UNKNOWN = ("not_known", "not_stated")


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """One comparison: `row` (A,) weighs the stacked arms; `where` (n,) tells for whom."""

    family: str
    name: str
    place: int  # of its set
    row: Floats
    subgroup: str = "all"
    where: Bools | None = field(default=None)
    against: Bools | None = field(default=None)  # told as `where` less these
    reference: str = "none"

    @property
    def arms(self) -> Bools:
        """Which stacked arms take part."""
        taken: Bools = self.row != 0
        return taken

    def influence(self, phi: Floats) -> Floats:
        """Return each child's share (n,) in the contrast, whose mean is the estimate."""
        told: Floats = phi @ self.row
        if self.where is None:
            return told
        within = _within(told, self.where)
        return within if self.against is None else within - _within(told, self.against)


def weighted(phi: Floats, listed: list[Contrast], weight: Floats) -> Floats:
    """Estimate every contrast with each child counted by its weight (n,): (C,)."""
    told = phi @ np.column_stack([c.row for c in listed])
    means = []
    for c, own in zip(listed, told.T, strict=True):
        where = np.ones(len(weight), bool) if c.where is None else c.where
        mean = float(np.average(own[where], weights=weight[where]))
        rest = 0.0 if c.against is None else np.average(own[c.against], weights=weight[c.against])
        means.append(mean - float(rest))
    return np.array(means)


def _within(told: Floats, where: Bools) -> Floats:
    inside = told[where].mean()
    share: Floats = where / where.mean()
    within: Floats = np.where(where, share * (told - inside), 0.0) + inside
    return within


def influences(phi: Floats, listed: list[Contrast]) -> Floats:
    """Return every contrast's influence side by side: (n, C)."""
    told = phi @ np.column_stack([c.row for c in listed])
    for place, c in enumerate(listed):
        if c.where is not None:
            told[:, place] = c.influence(phi)
    return told


def contrasts(plan: Plan, asked: Problem) -> list[Contrast]:
    """List the contrasts of the plan: combinations, services, pairs, amounts, subgroups."""
    told: list[Contrast] = []
    named = {tuple(sorted(p)) for p in plan.pairs.named}
    width = sum(len(s.services) for s in asked.sets)
    for place, (arms, columns) in enumerate(zip(asked.sets, columns_of(asked), strict=True)):
        where = None if arms.population.all() else arms.population
        if arms.kind == "pair":
            family = "pair_named" if arms.services[-1] in named else "pair_scan"
            rows = [(JOIN.join(arms.services[-1]), np.array([1.0, -1.0, -1.0, 1.0]))]
            reference = "sum of both alone"
        else:
            family, reference = arms.kind, arms.texts[0] if arms.by_amount else "none"
            rows = _amounts(arms) if arms.by_amount else _against_first(arms)
        told += [
            Contrast(family, n, place, _row(width, columns, w), where=where, reference=reference)
            for n, w in rows
        ]
    services = [c for c in told if c.family == "service"]
    return told + [c for s in services for c in _subgroups(plan, asked, s)]


def _against_first(arms: Arms) -> list[tuple[str, Floats]]:
    eye = np.eye(len(arms.services))
    return [(JOIN.join(s), eye[k] - eye[0]) for k, s in enumerate(arms.services) if k]


def _amounts(arms: Arms) -> list[tuple[str, Floats]]:
    """Compare every bin with the first, and tell the mean step from one bin to the next."""
    head = arms.name.partition(":")[2] or "breadth"
    eye = np.eye(len(arms.texts))
    told = [(f"{head}:{t}", eye[k] - eye[0]) for k, t in enumerate(arms.texts) if k]
    if len(arms.texts) > 2:
        step = np.arange(len(arms.texts)) - (len(arms.texts) - 1) / 2
        told.append((f"{head}:trend", step / (step**2).sum()))
    return told


def _row(width: int, columns: np.ndarray, weigh: Floats) -> Floats:
    row = np.zeros(width)
    row[columns] = weigh
    return row


def _subgroups(plan: Plan, asked: Problem, service: Contrast) -> list[Contrast]:
    """List a service within each subgroup, and within it less elsewhere: who gains more?"""
    told = []
    arms = asked.sets[service.place]
    inside = arms.inside & asked.recorded[:, None]
    for group in plan.subgroups:
        values = asked.table[f"group_{group}"].astype(str).to_numpy(object)
        known = arms.population & ~np.isin(values, UNKNOWN)
        codes = sorted(set(values[known]))
        for code in codes:
            where = known & (values == code)
            if inside[where].sum(axis=0).min() < FEWEST_IN_SUBGROUP:
                continue
            within = replace(service, family="subgroup", subgroup=f"{group}:{code}", where=where)
            told.append(within)
            rest = known & ~where
            if len(codes) == 2 and code == codes[1]:
                continue  # the first code has said it, with the other sign
            if rest.any() and inside[rest].sum(axis=0).min() >= FEWEST_IN_SUBGROUP:
                told.append(replace(within, family="subgroup_gap", against=rest))
    return told
