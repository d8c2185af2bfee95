"""The master programme: the cheapest pattern that meets every cut so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from leap_eval.disclosure.attack import quiet
from leap_eval.disclosure.declare import Bools, Floats, Ints
from leap_eval.errors import DisclosureError

SLACK = 0.3  # by how much a cut is more than met when it is forgotten; it may come again


class Cuts:
    """Rows `weights x >= 1` over the free cells; what must be withheld is taken off before."""

    def __init__(self, must: Bools, free: Bools) -> None:
        """Start with none."""
        self.must, self.free, self.places = must, free, np.flatnonzero(free)
        self.cells = len(free)
        self.rows: list[tuple[Ints, Floats]] = []
        self._seen: set[bytes] = set()

    def add(self, weights: Floats, need: float) -> None:
        """Add a cut, each weight clipped to the need: one cell cannot do more than all."""
        left = need - float(weights[self.must].sum())
        if left > 1e-6:
            told = np.minimum(np.maximum(weights[self.places], 0) / left, 1.0)
            told = np.where(told > 1e-7, np.ceil(told * 1e9) / 1e9, 0.0)
            at = np.flatnonzero(told)
            sign = at.tobytes() + told[at].tobytes()
            if sign not in self._seen:
                self._seen.add(sign)
                self.rows.append((at, told[at]))

    def spare(self, pattern: Floats | Bools) -> tuple[Any, Floats]:
        """Return the cuts, a column per cell, and by how much a pattern more than meets each."""
        ends = np.cumsum([0, *(len(at) for at, _ in self.rows)])
        at = np.concatenate([np.array([], np.int64), *(at for at, _ in self.rows)])
        told = np.concatenate([np.array([]), *(told for _, told in self.rows)])
        shape = (len(self.rows), self.cells)
        rows = sparse.csr_matrix((told, self.places[at], ends), shape=shape)
        return rows.tocsc(), rows @ pattern - 1

    def tight(self, x: Floats, most: float = 1e-6) -> list[tuple[Ints, Floats]]:
        """Return the cuts that a point meets by less than this."""
        _, spare = self.spare(x)
        return [row for row, more in zip(self.rows, spare, strict=True) if more < most]

    def lean(self, x: Floats, cost: Floats) -> tuple[Cuts, Floats]:
        """Return the few cuts that hold the relaxed master where it is, and where that is."""
        x, _ = linear(self, cost, x).solve()
        few = Cuts(self.must, self.free)
        few.rows = self.tight(x)
        return few, x

    def cover(self, pattern: Bools, cost: Floats) -> Bools:
        """Withhold, greedily, until every cut is met: the most need for the cost first."""
        cuts, spare = self.spare(pattern)
        told, left, more = cuts.tocoo(), np.maximum(-spare, 0.0), pattern.copy()
        while (left > 1e-7).any():
            worth = np.minimum(told.data, left[told.row])
            score = np.bincount(told.col, worth, self.cells) / cost
            score[more] = 0.0
            best = int(np.argmax(score))
            if score[best] <= 0:
                break
            more[best] = True
            at = slice(cuts.indptr[best], cuts.indptr[best + 1])
            left[cuts.indices[at]] = np.maximum(left[cuts.indices[at]] - cuts.data[at], 0.0)
        return more


class linear:  # noqa: N801 - reads as a verb where it is used
    """The relaxed master, solved again and again as cuts come in."""

    def __init__(self, cuts: Cuts, cost: Floats, near: Floats | None = None) -> None:
        """Start with the free cells as columns; `near` a point, cuts come in when broken."""
        self._cuts, self._cost, self._told, self._near = cuts, cost, 0, near
        self._solver = quiet()
        n = len(cuts.places)
        self._solver.addVars(n, np.zeros(n), np.ones(n))
        self._solver.changeColsCost(n, np.arange(n, dtype=np.int32), cost[cuts.places])
        if near is not None:
            self._add(cuts.tight(near))

    def _add(self, rows: list[tuple[Ints, Floats]]) -> None:
        for at, told in rows:
            self._solver.addRow(1.0, highspy.kHighsInf, len(at), at.astype(np.int32), told)

    def hold(self, held: Bools) -> None:
        """Withhold these free cells from now on."""
        for i in np.flatnonzero(held):
            self._solver.changeColBounds(int(i), 1.0, 1.0)

    def drop(self) -> None:
        """Forget the cuts that the last answer more than meets: many come, and few matter."""
        met = np.array(self._solver.getSolution().row_value) > 1 + SLACK
        if met.any():
            self._solver.deleteRows(int(met.sum()), np.flatnonzero(met).astype(np.int32))

    def solve(self) -> tuple[Floats, float]:
        """Return the cheapest fractions that meet all cuts, over all cells, and their cost."""
        if self._near is None:
            self._add(self._cuts.rows[self._told :])
            self._told = len(self._cuts.rows)
        base = float(self._cost[self._cuts.must].sum())
        if not len(self._cuts.places):
            return self._cuts.must.astype(float), base
        while True:
            self._solver.run()
            if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise DisclosureError(
                    "disclosure: no pattern can protect these tables; leave one out"
                )
            x = self._cuts.must.astype(float)
            x[self._cuts.places] = np.clip(np.array(self._solver.getSolution().col_value), 0, 1)
            broken = [] if self._near is None else self._cuts.tight(x, -1e-6)
            if not broken:
                return x, base + float(self._solver.getInfo().objective_function_value)
            self._add(broken)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """A whole pattern, a bound on every whole pattern, and whether the counted effort ran out."""

    pattern: Bools
    bound: float
    stopped: bool


def whole(
    cuts: Cuts,
    cost: Floats,
    gap: float,
    nodes: int,
    cap: tuple[Floats, float] | None = None,
) -> Whole:
    """Solve a fresh whole master; `cap`: weights, and their most.

    Fresh and without a start, because HiGHS 1.16.0 was seen to report a wrong objective for
    columns made whole after a relaxed run, and for a start given before presolve (it loses
    the offset). The cost is computed from the pattern, and a bound above it is not believed.
    """
    n = len(cuts.places)
    weights, most = cap or (np.ones(len(cost)), np.inf)
    rows = [*cuts.rows, (np.arange(n), weights[cuts.places])]
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, len(rows)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost[cuts.places], np.zeros(n), np.ones(n)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * n
    lp.row_lower_ = np.append(np.ones(len(cuts.rows)), -np.inf)
    lp.row_upper_ = np.append(
        np.full(len(cuts.rows), np.inf), most - weights[cuts.must].sum() + 1e-6
    )
    matrix = lp.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.start_ = np.cumsum([0, *(len(at) for at, _ in rows)]).astype(np.int32)
    matrix.index_ = np.concatenate([np.array([], int), *(a for a, _ in rows)]).astype(np.int32)
    matrix.value_ = np.concatenate([np.array([]), *(t for _, t in rows)])
    solver: Any = quiet()
    solver.setOptionValue("mip_rel_gap", gap)
    solver.setOptionValue("mip_abs_gap", 0.0 if gap == 0 else 1e-6)
    solver.setOptionValue("mip_max_nodes", nodes)
    solver.passModel(lp)
    solver.run()
    chosen = np.array(solver.getSolution().col_value)
    if len(chosen) != n or solver.getInfo().primal_solution_status != 2:
        return Whole(cuts.must.copy(), 0.0, True)
    pattern = cuts.must.copy()
    pattern[cuts.places[chosen > 0.5]] = True
    bound = float(solver.getInfo().mip_dual_bound) + float(cost[cuts.must].sum())
    done = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    price = float(cost[pattern].sum())
    if bound > price + 1e-6 or (done and bound < price * (1 - gap) - 1e-6):
        return Whole(pattern, 0.0, True)
    return Whole(pattern, bound, not done)
