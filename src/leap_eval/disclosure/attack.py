"""The attacker: exact linear inference from everything that is shown, and from the markers.

Unknown are the atoms, none negative. Known, for each cell: its value, or that it is
withheld, which tells "one or more", because zeros are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from leap_eval.disclosure.cells import Bools, Floats, Problem
from leap_eval.disclosure.rules import Rules
from leap_eval.errors import DisclosureError


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """How far a group can be moved, the table that moves it so, and the row duals."""

    value: float
    table: Floats  # (atoms,)
    duals: Floats  # (cells,)


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """A target that is not safe: its row, and what is missing."""

    target: int
    high: Bound
    low: Bound


class Attacker:
    """Asks one linear programme many questions: only the objective and the pattern change."""

    def __init__(self, found: Problem) -> None:
        """Build the programme: atoms as variables, cells and ties as rows."""
        self._found = found
        rows = sparse.vstack([found.cells, found.equal]).tocsr()
        self._cells, self._atoms = found.cells.shape
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self._atoms, rows.shape[0]
        lp.col_cost_ = np.zeros(self._atoms)
        lp.col_lower_ = np.zeros(self._atoms)
        lp.col_upper_ = np.full(self._atoms, highspy.kHighsInf)
        lp.row_lower_ = np.concatenate([found.truth, np.zeros(found.equal.shape[0])])
        lp.row_upper_ = lp.row_lower_
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
            rows.indptr,
            rows.indices,
            rows.data,
        )
        lp.sense_ = highspy.ObjSense.kMaximize
        self._solver: Any = quiet()
        self._solver.setOptionValue("presolve", "off")
        self._solver.passModel(lp)

    def set(self, withheld: Bools) -> None:
        """Tell the attacker which cells are withheld."""
        low = np.where(withheld, 1.0, self._found.truth)
        high = np.where(withheld, highspy.kHighsInf, self._found.truth)
        places = np.arange(self._cells, dtype=np.int32)
        self._solver.changeRowsBounds(self._cells, places, low, high)

    def bound(self, row: Floats, sense: float) -> Bound:
        """Return the largest (sense 1) or smallest (-1) value of a group that all facts allow."""
        places = np.arange(self._atoms, dtype=np.int32)
        self._solver.changeColsCost(self._atoms, places, sense * row)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status == highspy.HighsModelStatus.kUnbounded:
            return Bound(sense * np.inf, np.zeros(self._atoms), np.zeros(self._cells))
        if status != highspy.HighsModelStatus.kOptimal:
            raise DisclosureError(
                "disclosure: the attacker's programme did not end; nothing is released"
            )
        told = self._solver.getSolution()
        table = np.array(told.col_value)
        return Bound(float(row @ table), table, np.array(told.row_dual)[: self._cells])


class _Silent(highspy.Highs):
    def enableCallbacks(self) -> None:  # noqa: N802
        # HiGHS prints its banner here, before an option can be set from outside.
        self.silent()
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def quiet() -> Any:
    """Return a solver that says nothing and uses one thread and a fixed seed."""
    solver: Any = _Silent()  # type: ignore[no-untyped-call]
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", 1)
    return solver


def audit(attacker: Attacker, found: Problem, withheld: Bools, rules: Rules) -> list[Open]:
    """Return the targets an attacker can pin down; an empty list is a safe pattern.

    Every table met on the way clears all targets it moves far enough.
    """
    attacker.set(withheld)
    rows = found.targets.toarray()
    high, low = found.target_truth.copy(), found.target_truth.copy()
    unsafe: list[Open] = []
    for i in range(len(rows)):
        if _safe(high[i], low[i], rules):
            continue
        up = attacker.bound(rows[i], 1.0)
        if np.isfinite(up.value):
            moved = rows @ up.table
            high, low = np.maximum(high, moved), np.minimum(low, moved)
        high[i] = max(high[i], up.value)
        if _safe(high[i], low[i], rules):
            continue
        down = attacker.bound(rows[i], -1.0)
        moved = rows @ down.table
        high, low = np.maximum(high, moved), np.minimum(low, moved)
        if not _safe(high[i], low[i], rules):
            unsafe.append(Open(i, up, down))
    return unsafe


def _safe(high: float, low: float, rules: Rules) -> bool:
    return high >= rules.upper - 1e-6 and high - low >= rules.width - 1e-6
