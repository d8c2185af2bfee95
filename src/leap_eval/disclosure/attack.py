"""The attacker: exact linear inference from everything that is shown, and from the markers.

Unknown are the atoms, none negative. Known is an interval for each cell. Every table met on
the way is kept: a pool of possible tables clears most targets before a programme is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import linalg, sparse

from leap_eval.disclosure.cells import WITHHELD, Problem
from leap_eval.disclosure.declare import Bools, Floats, Ints
from leap_eval.disclosure.targets import Targets
from leap_eval.errors import DisclosureError

TINY = 1e-6
FAR = 1e5  # no atom moves further: keeps every programme bounded
POOL = 1500
BYTES = 2.5e8
RANK = 1e-7  # rows that differ by less from sums of others say nothing new
ONCE = 3000  # rows looked at together


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """How far a group can be moved, the table that moves it so, and the duals that prove it."""

    value: float
    table: Floats  # (atoms,)
    duals: Floats  # (cells,)
    slack: float  # what the atoms' own bounds contribute


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """A target that is not safe, with both ends of the attacker's interval."""

    target: int
    high: Bound
    low: Bound


class Pool:
    """Possible tables as moves away from the truth, the latest kept; and what each moves.

    The first is the truth itself, which every page allows.
    """

    def __init__(self, cells: int, targets: int) -> None:
        """Start with the truth alone."""
        self._most = int(min(POOL, max(BYTES / (8 * (cells + targets + 1)), 2)))
        self._cells, self._targets = np.zeros((64, cells)), np.zeros((64, targets))
        self._many, self._next = 1, 1

    def add(self, cells: Floats, targets: Floats) -> int:
        """Keep a table and return its place; the oldest goes when there are too many."""
        at = self._next
        if at == len(self._cells):
            more = min(len(self._cells), self._most)
            self._cells = np.vstack([self._cells, np.zeros((more, len(cells)))])
            self._targets = np.vstack([self._targets, np.zeros((more, len(targets)))])
        self._cells[at], self._targets[at] = cells, targets
        self._many = max(self._many, at + 1)
        self._next = at + 1 if at + 1 < self._most else 1
        return at

    def fits(self, low: Floats, high: Floats) -> Bools:
        """Tell which tables respect these intervals of the cells' moves."""
        cells = self._cells[: self._many]
        return np.asarray(((cells >= low - TINY) & (cells <= high + TINY)).all(axis=1), bool)

    def furthest(self, fits: Bools, targets: Ints) -> tuple[Ints, Ints]:
        """Return which of the fitting tables moves each target furthest up, and down."""
        places = np.flatnonzero(fits)
        told = self._targets[np.ix_(places, targets)]
        return places[told.argmax(axis=0)], places[told.argmin(axis=0)]

    def move(self, at: Ints, targets: Ints) -> Floats:
        """Return how far the tables at these places move their targets."""
        moved: Floats = self._targets[at, targets]
        return moved


class Attacker:
    """Asks one linear programme many questions: only the objective and the pattern change."""

    def __init__(self, problem: Problem, targets: Targets, insider: str | None = None) -> None:
        """Build the programme: atoms as variables, cells and ties as rows."""
        self.problem, self.targets = problem, targets
        self.known = (
            np.zeros(len(problem.truth), bool) if insider is None else problem.insiders[insider]
        )
        self.aims = (
            np.arange(len(targets))
            if insider is None
            else np.flatnonzero(targets.rows @ (~problem.own[insider]) > 0)
        )
        self.pool = Pool(len(problem.truth), len(targets))
        # The tables that clear each target; 0, the truth, clears none.
        self._most = np.zeros(len(targets), np.int64)
        self._least = np.zeros(len(targets), np.int64)
        self.asked = 0
        self._atoms = problem.cells.shape[1]
        self._rows = telling(problem)
        self._cost = np.zeros(self._atoms)
        self._fresh = True
        self._solver = quiet()
        for name, value in (("presolve", "off"), ("solver", "simplex")):
            self._solver.setOptionValue(name, value)
        self._solver.passModel(_programme(problem, self._rows))
        self._low, self._high = problem.shown[:, 0].copy(), problem.shown[:, 1].copy()

    def set(self, pattern: Floats, reach: float = np.inf) -> None:
        """Tell the attacker what is withheld; a fraction opens each interval by that much."""
        problem = self.problem
        share = np.where(self.known, 0.0, pattern)
        whole, part = share > 1 - TINY, (share > TINY) & (share <= 1 - TINY)
        self._low = np.where(whole, problem.hidden[:, 0], problem.shown[:, 0])
        self._high = np.where(whole, problem.hidden[:, 1], problem.shown[:, 1])
        top = np.minimum(problem.hidden[part, 1], problem.truth[part] + reach)
        self._low[part] += (problem.hidden[part, 0] - self._low[part]) * share[part]
        self._high[part] += (top - self._high[part]) * share[part]
        rows, many = self._rows, len(self._rows)
        self._solver.changeRowsBounds(
            many, np.arange(many, dtype=np.int32), self._low[rows], self._high[rows]
        )
        self._fresh = True

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """Return what the attacker knows of each cell: its lowest and its highest."""
        return self._low, self._high

    def bound(self, row: Any, sense: float) -> Bound:
        """Return the largest (sense 1) or smallest (-1) value of a group that all facts allow."""
        cost = np.zeros(self._atoms)
        cost[row.indices] = -sense * row.data
        changed = np.flatnonzero(cost != self._cost).astype(np.int32)
        self._solver.changeColsCost(len(changed), changed, cost[changed])
        self._cost = cost
        # A new pattern breaks the last table (dual simplex); a new question does not (primal).
        self._solver.setOptionValue("simplex_strategy", 1 if self._fresh else 4)
        self.asked += 1
        optimum(self._solver)
        self._fresh = False
        told = self._solver.getSolution()
        table = np.array(told.col_value)
        asked = -np.array(told.row_dual)
        asked[np.abs(asked) < 1e-9] = 0
        duals = np.zeros(len(self._low))
        duals[self._rows] = asked[: len(self._rows)]
        left = -cost - self.problem.cells.T @ duals
        left -= self.problem.ties.T @ asked[len(self._rows) :]
        down = np.maximum(-left, 0) @ self.problem.atoms
        slack = down + np.where(left > 1e-7, left, 0).sum() * FAR
        value = -sense * float(cost @ table)
        return Bound(value, table, duals, float(slack))

    def opened(self, most: int | None = None, first: Ints | None = None) -> list[Open]:
        """Return the targets that can be pinned down under the pattern set, at most so many."""
        unsafe: list[Open] = []
        left = self._uncleared()
        told = np.isin(left, [] if first is None else first)
        for q in [*left[told], *left[~told]]:
            if self._clear(q):
                continue
            high = self._ask(q, 1.0)
            if self._clear(q):
                continue
            low = self._ask(q, -1.0)
            if not self._clear(q):
                unsafe.append(Open(int(q), high, low))
                if most is not None and len(unsafe) >= most:
                    break
        return unsafe

    def _uncleared(self) -> Ints:
        """Return the targets that no table met so far clears under the pattern set."""
        truth, aims = self.problem.truth, self.aims
        fits = self.pool.fits(self._low - truth, self._high - truth)
        for at in (self._most, self._least):
            at[~fits[at]] = 0
        left = aims[~self._clear(aims)]
        self._most[left], self._least[left] = self.pool.furthest(fits, left)
        still: Ints = left[~self._clear(left)]
        return still

    def _clear(self, q: Any) -> Any:
        found = self.targets
        up, down = (self.pool.move(at[q], q) for at in (self._most, self._least))
        return (found.truth[q] + up >= found.upper[q] - TINY) & (up - down >= found.width[q] - TINY)

    def _ask(self, q: int, sense: float) -> Bound:
        told = self.bound(self.targets.rows[q], sense)
        move = told.table - self.problem.atoms
        moved, every = self.targets.rows @ move, np.arange(len(self.targets))
        at = self.pool.add(self.problem.cells @ move, moved)
        # What stood in this place before clears nothing any more.
        for kept in (self._most, self._least):
            kept[kept == at] = 0
        self._most[moved > self.pool.move(self._most, every)] = at
        self._least[moved < self.pool.move(self._least, every)] = at
        return told


def telling(problem: Problem) -> Ints:
    """Return the cells that tell something: what old shown cells add up to is left out.

    Of many releases most cells are sums and differences of others, and their facts never
    change: the same attacker without them answers in a fraction of the time.
    """
    same = problem.exact
    same[list(problem.names.values())] = False  # a conflict names cells of this release
    kept = np.array([], np.int64)
    for some in np.split(np.flatnonzero(same), np.arange(ONCE, int(same.sum()), ONCE)):
        kept = np.concatenate([kept, some])
        if len(kept):
            told, order = linalg.qr(problem.cells[kept].toarray().T, mode="r", pivoting=True)
            kept = kept[order[: int((np.abs(np.diag(told)) > RANK).sum())]]
    return np.sort(np.concatenate([np.flatnonzero(~same), kept]))


def _programme(problem: Problem, cells: Ints) -> Any:
    rows = sparse.vstack([problem.cells[cells], problem.ties]).tocsr()
    nothing = np.zeros(problem.ties.shape[0])
    low, high = (np.concatenate([problem.shown[cells, i], nothing]) for i in (0, 1))
    width = len(problem.atoms)
    return programme(rows, np.zeros(width), np.zeros(width), problem.atoms + FAR, low, high)


def programme(
    rows: Any, cost: Floats, lower: Floats, upper: Floats, low: Floats, high: Floats
) -> Any:
    """Return a programme for the solver: least cost, columns in their bounds, rows in theirs."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = rows.shape[1], rows.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, lower, upper
    lp.row_lower_, lp.row_upper_ = low, high
    matrix = lp.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.start_, matrix.index_, matrix.value_ = rows.indptr, rows.indices, rows.data
    return lp


def optimum(solver: Any) -> None:
    """Run a programme to its optimum, from nothing if need be, or raise."""
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        solver.clearSolver()
        solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise DisclosureError(
            "disclosure: the attacker's programme did not end; nothing is released"
        )


class _Silent(highspy.Highs):
    def enableCallbacks(self) -> None:  # noqa: N802 - HiGHS names it
        # HiGHS prints its banner here, before an option can be set from outside.
        self.silent()
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def quiet() -> Any:
    """Return a solver that says nothing and uses one thread and a fixed seed."""
    solver: Any = _Silent()  # type: ignore[no-untyped-call]
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", 1)
    return solver


def attackers(problem: Problem, targets: Targets) -> list[Attacker]:
    """Return whoever is to be kept out: the reader of every page, and each partner in turn."""
    whom: list[str | None] = [None, *sorted(problem.insiders)]
    return [Attacker(problem, targets, insider) for insider in whom]


def audit(problem: Problem, targets: Targets, withheld: Bools) -> list[Open]:
    """Return every target that somebody can pin down; an empty list is a safe pattern."""
    unsafe = []
    for attacker in attackers(problem, targets):
        attacker.set(withheld.astype(float))
        unsafe += attacker.opened()
    return unsafe


def start(problem: Problem, first: Bools) -> Bools:
    """Return the pattern of what must be withheld: primary cells, and the ledger's."""
    must: Bools = (first | (problem.fixed == WITHHELD)) & (problem.fixed != 0)
    return must
