"""Sums and ratios: when one or two children stand for the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leap_eval.disclosure.cells import FREE, Problem
from leap_eval.disclosure.rules import Rules
from leap_eval.disclosure.targets import Targets
from leap_eval.errors import DisclosureError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
TOP = 1e5  # the largest amount, as the solver sees it


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """Amounts in the cells of a problem of counts, and the sums that must stay unknown."""

    problem: Problem
    found: Targets
    first: Bools  # withheld for themselves: as counts, or because the amount leans on few


def amounts(
    problem: Problem, sums: Floats, top1: Floats, top2: Floats, first: Bools, rules: Rules
) -> Amounts:
    """Return the amounts of each atom as a problem of its own, over the same cells.

    A cell whose sum leans on its largest contributions is withheld like a small one; of both
    the attacker's interval must be wider than p % of the sum. Nothing is told of an amount
    but that none is negative.
    """
    largest = np.array([_largest(problem.cells[i].indices, top1, top2) for i in range(len(first))])
    total = problem.cells @ sums
    whole = (problem.truth > 0) & (problem.fixed == FREE)
    leaning = np.zeros(len(first), bool)
    leaning[whole] = dominated(total[whole], largest[whole, 0], largest[whole, 1], rules)
    scale = TOP / max(total.max(initial=0), 1e-300)  # the solver's tolerance is one for all
    total = total * scale
    hidden = np.tile([0.0, np.inf], (len(total), 1))
    same = replace(
        problem, truth=total, atoms=sums * scale, shown=np.stack([total, total], axis=1),
        hidden=hidden, insiders={}, own={}, groups=(),
    )  # fmt: skip
    primary = (first | leaning) & (total > 0)
    rows, truth = problem.cells[np.flatnonzero(primary)], total[primary]
    width = rules.summaries.dominance.p / 100 * truth
    return Amounts(
        same, Targets(rows, truth, truth, width, ("amount",) * len(truth)), first | leaning
    )


def _largest(atoms: NDArray[np.int32], top1: Floats, top2: Floats) -> list[float]:
    told = np.sort(np.concatenate([top1[atoms], top2[atoms], [0.0, 0.0]]))
    return [float(told[-1]), float(told[-2])]


def dominated(total: ArrayLike, top1: ArrayLike, top2: ArrayLike, rules: Rules) -> Bools:
    """Tell which sums lean on their two largest contributions, by either rule."""
    found: Bools = leans(total, top1, top2, rules) | guessed(total, top1, top2, rules)
    return found


def leans(total: ArrayLike, top1: ArrayLike, top2: ArrayLike, rules: Rules) -> Bools:
    """Tell which sums are to k % or more those of their two largest contributions."""
    whole, first, second = _parts(total, top1, top2)
    found: Bools = (whole > 0) & (100 * (first + second) >= rules.summaries.dominance.k * whole)
    return found


def guessed(total: ArrayLike, top1: ArrayLike, top2: ArrayLike, rules: Rules) -> Bools:
    """Tell where the second largest could work out the largest to within p % of it.

    A sum of nothing tells that everybody contributed nothing.
    """
    whole, first, second = _parts(total, top1, top2)
    rest = 100 * (whole - first - second)
    found: Bools = (rest < rules.summaries.dominance.p * first) | (whole == 0)
    return found


def _parts(total: ArrayLike, top1: ArrayLike, top2: ArrayLike) -> tuple[Floats, Floats, Floats]:
    whole, first, second = (np.asarray(v, dtype=float) for v in (total, top1, top2))
    if np.any(first + second > whole * (1 + 1e-9)) or np.any(second > first) or np.any(second < 0):
        raise DisclosureError(
            "results/cubes: top1 and top2 must be the largest parts of sum; rerun the cube's stage"
        )
    return whole, first, second


def classes(part: ArrayLike, whole: ArrayLike, rules: Rules) -> Bools:
    """Tell where all, or none, of a group share what must not be known of anyone."""
    some, everyone = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    share = np.divide(some, everyone, out=np.full(len(some), 0.5), where=everyone > 0)
    said = rules.class_disclosure
    found: Bools = (share <= said.low) | (share >= said.high)
    return found


def ratio(part: float | None, whole: float | None, decimals: int) -> str:
    """Return a percentage of two shown counts, or nothing: beside a hidden count it would tell it.

    `decimals` are those of a per cent; the text is a share between 0 and 1.
    """
    if part is None or not whole:
        return ""
    return f"{part / whole:.{decimals + 2}f}"
