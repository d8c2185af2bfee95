"""What is compared with what: contrasts of arm means, by family."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.problem import Problem
from leap_eval.effects.surface import columns_of
from leap_eval.settings import Plan

FEWEST_IN_SUBGROUP = 50
JOIN = " + "


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """One comparison: `row` (A,) weighs the stacked arms; `where` (n,) tells a subgroup."""

    family: str
    name: str
    place: int  # of its set
    row: Floats
    subgroup: str = "all"
    where: Bools | None = field(default=None)

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
        inside = told[self.where].mean()
        share: Floats = self.where / self.where.mean()
        within: Floats = share * (told - inside) + inside
        return within


def contrasts(plan: Plan, asked: Problem) -> list[Contrast]:
    """List the contrasts of the plan: combinations, services, pairs, services by subgroup."""
    told: list[Contrast] = []
    named = {tuple(sorted(p)) for p in plan.pairs.named}
    width = sum(len(s.services) for s in asked.sets)
    for place, (arms, columns) in enumerate(zip(asked.sets, columns_of(asked), strict=True)):
        if ".pair:" in arms.name:
            family = "pair_named" if arms.services[-1] in named else "pair_scan"
            row = _row(width, columns, np.array([1.0, -1.0, -1.0, 1.0]))
            told.append(Contrast(family, JOIN.join(arms.services[-1]), place, row))
            continue
        family = "combination" if arms.name.endswith(".combination") else "service"
        for number, services in enumerate(arms.services[1:], start=1):
            weigh = np.zeros(len(columns))
            weigh[[0, number]] = -1.0, 1.0
            told.append(Contrast(family, JOIN.join(services), place, _row(width, columns, weigh)))
    return told + [c for s in told if s.family == "service" for c in _subgroups(plan, asked, s)]


def _row(width: int, columns: np.ndarray, weigh: Floats) -> Floats:
    row = np.zeros(width)
    row[columns] = weigh
    return row


def _subgroups(plan: Plan, asked: Problem, service: Contrast) -> list[Contrast]:
    told = []
    inside = asked.sets[service.place].inside & asked.recorded[:, None]
    for group in plan.subgroups:
        values = asked.table[f"group_{group}"].astype(str)
        for code in sorted(set(values) - {"not_known", "not_stated"}):
            where = (values == code).to_numpy(bool)
            if inside[where].sum(axis=0).min() >= FEWEST_IN_SUBGROUP:
                name = f"{group}:{code}"
                told.append(
                    Contrast("subgroup", service.name, service.place, service.row, name, where)
                )
    return told
