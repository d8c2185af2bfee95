"""Safety proved by example: for each target, two integer tables that agree with every page.

Such a pair defeats every linear and every integer attacker, and checking it needs no
solver. Tables come from the attacker's own programmes where their corners are whole, else
from whole programmes in a small box around such a corner, else from a full one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from leap_eval.disclosure.attack import TINY, Attacker, programme, quiet
from leap_eval.disclosure.cells import Problem
from leap_eval.disclosure.declare import Bools, Floats, Ints
from leap_eval.disclosure.targets import Targets

NODES = 2000
SIZE = 6  # codes per dimension of a box in which all open targets are moved at once
CROWD = 20.0  # no atom of such a box moves further
SEED = 15


@dataclass(frozen=True, slots=True, eq=False)
class Witnesses:
    """Integer tables; per target the one where it is least and the one where it is most."""

    tables: Any  # CSR, tables x atoms; the first is the truth
    low: Ints  # (targets,) row of the table
    high: Ints
    open: Bools  # no pair was found
    unsafe: Bools  # and a whole programme proved that there is none


def together(first: Witnesses, more: Witnesses) -> Witnesses:
    """Return the witnesses of both sets of targets as one."""
    many = first.tables.shape[0]
    return Witnesses(
        sparse.vstack([first.tables, more.tables]).tocsr(),
        np.concatenate([first.low, more.low + many]),
        np.concatenate([first.high, more.high + many]),
        np.concatenate([first.open, more.open]),
        np.concatenate([first.unsafe, more.unsafe]),
    )


@dataclass(slots=True)
class _Found:
    """The best whole tables so far, per target."""

    moves: list[Any]
    up: Floats
    down: Floats
    most: Ints
    least: Ints

    def add(self, move: Floats, targets: Floats) -> None:
        """Keep a move for the targets it carries further than any before."""
        better, lower = targets > self.up + TINY, targets < self.down - TINY
        if better.any() or lower.any():
            self.moves.append(sparse.csr_matrix(move))
            self.most[better] = self.least[lower] = len(self.moves) - 1
            self.up[better], self.down[lower] = targets[better], targets[lower]


def find(
    problem: Problem,
    found: Targets,
    withheld: Bools,
    boxes: int,
    insider: str | None = None,
) -> Witnesses:
    """Return whole tables for every target, as far as the counted boxes go."""
    attacker = Attacker(problem, found, insider)
    attacker.set(withheld.astype(float))
    n = len(found)
    kept = _Found([sparse.csr_matrix((1, len(problem.atoms)))], np.zeros(n), np.zeros(n),
                  np.zeros(n, np.int64), np.zeros(n, np.int64))  # fmt: skip
    unsafe = np.zeros(n, bool)
    sides, chance = axes(problem), np.random.default_rng(SEED)
    if not _corners(attacker, kept):
        for q in attacker.aims.tolist():
            if boxes > 0 and not _enough(found, kept)[q]:
                boxes -= 1
                inside = _around(sides, found.rows[q].indices, chance)
                aims = found.rows[np.flatnonzero(~_enough(found, kept))].sum(axis=0)
                _boxed(attacker, kept, np.asarray(aims).ravel(), inside, CROWD)
    nearest = Nearest(attacker)
    for q in attacker.aims[~_enough(found, kept)[attacker.aims]].tolist():
        for sense in (1.0, -1.0):
            if not _enough(found, kept)[q]:
                far = _far(found, kept, q, sense)
                move = nearest.move(found.rows[q], sense, far)
                if not _keep(attacker, kept, np.round(move)) and boxes > 0:
                    boxes -= 1
                    aim = sense * found.rows[q].toarray().ravel()
                    _boxed(attacker, kept, aim, _box(sides, move), far)
    for q in attacker.aims[~_enough(found, kept)[attacker.aims]].tolist():
        if boxes > 0:
            boxes -= 1
            aim, every = found.rows[q].toarray().ravel(), np.arange(len(problem.atoms))
            far = float(found.width[q] + found.upper[q])
            done = [_boxed(attacker, kept, s * aim, every, far) for s in (1.0, -1.0)]
            unsafe[q] = all(done) and not _enough(found, kept)[q]
    open_ = np.zeros(n, bool)
    open_[attacker.aims] = ~_enough(found, kept)[attacker.aims]
    truth = sparse.csr_matrix(problem.atoms)
    tables = sparse.vstack([truth + move for move in kept.moves])
    return Witnesses(tables.tocsr().astype(np.int64), kept.least, kept.most, open_, unsafe)


def _enough(found: Targets, kept: _Found) -> Bools:
    high = found.truth + kept.up >= found.upper - TINY
    enough: Bools = high & (kept.up - kept.down >= found.width - TINY)
    return enough


def _keep(attacker: Attacker, kept: _Found, move: Floats) -> bool:
    """Keep a whole move if it breaks nothing; checked in whole numbers, whoever made it."""
    problem = attacker.problem
    cells = problem.cells @ move
    low, high = attacker.interval
    if (
        (move + problem.atoms < 0).any()
        or (cells + problem.truth < low - TINY).any()
        or (cells + problem.truth > high + TINY).any()
        or (problem.ties @ move != 0).any()
    ):
        return False
    kept.add(move, attacker.targets.rows @ move)
    return True


def axes(problem: Problem) -> list[Ints]:
    """Return, per dimension, each atom's code (-1: has none)."""
    names = dict.fromkeys(d for told in problem.labels for d, _ in told[2])
    made = []
    for name in (*names, ""):
        told = [dict(t[2]).get(name) if name else t[1] or None for t in problem.labels]
        codes = {c: i for i, c in enumerate(dict.fromkeys(t for t in told if t is not None))}
        made.append(np.array([-1 if t is None else codes[t] for t in told]))
    return made


def _around(axes: list[Ints], core: Ints, chance: np.random.Generator) -> Ints:
    """Return the atoms of a few codes per dimension, some of the target's own among them."""
    inside = np.ones(len(axes[0]), bool)
    for codes in axes:
        every = chance.permutation(np.unique(codes[codes >= 0]))
        mine = np.isin(every, codes[core])
        chosen = np.concatenate([every[mine][: SIZE // 2 + 1], every[~mine]])[:SIZE]
        inside &= (codes < 0) | np.isin(codes, chosen)
    return np.flatnonzero(inside)


def _box(axes: list[Ints], move: Floats) -> Ints:
    """Return the atoms of all codes, by dimension, that a move touches."""
    core = np.flatnonzero(np.abs(move) > TINY)
    inside = np.ones(len(move), bool)
    for codes in axes:
        inside &= (codes < 0) | np.isin(codes, codes[core])
    return np.flatnonzero(inside)


def _far(found: Targets, kept: _Found, q: int, sense: float) -> float:
    """Return how far a target must still go: up all the way, or down what is missing then."""
    if sense > 0:
        return float(max(found.upper[q] - found.truth[q], found.width[q] + kept.down[q]))
    return float(found.width[q] - kept.up[q])


class Nearest:
    """The possible table nearest to the truth that moves a target far enough."""

    def __init__(self, attacker: Attacker) -> None:
        """Build the programme: rises, falls, and how far the target is moved."""
        problem, n = attacker.problem, len(attacker.problem.atoms)
        rows = sparse.vstack([problem.cells, problem.ties])
        rows = sparse.hstack([rows, -rows, sparse.csr_matrix((rows.shape[0], 1))])
        last = sparse.csr_matrix(([-1.0], ([0], [2 * n])), shape=(1, 2 * n + 1))
        rows = sparse.vstack([rows, last]).tocsr()
        nothing = np.zeros(problem.ties.shape[0] + 1)
        low, high = attacker.interval
        self._n, self._aim, self._old = n, rows.shape[0] - 1, np.array([], np.int32)
        self._solver = quiet()
        self._solver.setOptionValue("presolve", "off")
        cost = np.append(np.full(2 * n, 1.0), -1e4)
        upper = np.concatenate([np.full(n, np.inf), problem.atoms, [0.0]])
        self._solver.passModel(
            programme(rows, cost, np.zeros(2 * n + 1), upper,
                      np.concatenate([low - problem.truth, nothing]),
                      np.concatenate([high - problem.truth, nothing]))
        )  # fmt: skip

    def move(self, row: Any, sense: float, far: float) -> Floats:
        """Return the smallest move that takes a target as far as asked, or as far as it goes."""
        for j in self._old:
            self._solver.changeCoeff(self._aim, int(j), 0.0)
            self._solver.changeCoeff(self._aim, int(j) + self._n, 0.0)
        for j in row.indices:
            self._solver.changeCoeff(self._aim, int(j), sense)
            self._solver.changeCoeff(self._aim, int(j) + self._n, -sense)
        self._old = row.indices
        self._solver.changeColBounds(2 * self._n, 0.0, far)
        self._solver.run()
        told = np.array(self._solver.getSolution().col_value)
        return np.asarray(told[: self._n] - told[self._n : 2 * self._n])


def _corners(attacker: Attacker, kept: _Found) -> bool:
    """Keep those of the attacker's own corners that are whole; stop if hardly any is."""
    found, tried, whole = attacker.targets, 0, 0
    for q in attacker.aims.tolist():
        for sense in (1.0, -1.0):
            if not _enough(found, kept)[q]:
                corner = attacker.bound(found.rows[q], sense).table - attacker.problem.atoms
                tried, whole = tried + 1, whole + _keep(attacker, kept, np.round(corner))
                if tried >= 20 and 4 * whole < tried:
                    return False
    return True


def _boxed(attacker: Attacker, kept: _Found, aim: Floats, inside: Ints, far: float) -> bool:
    """Move what is aimed at as far as some atoms allow, the rest at the truth.

    Tells whether a table was kept and is proven to go as far as any of these atoms.
    """
    problem, (low, high) = attacker.problem, attacker.interval
    rows = sparse.vstack([problem.cells[:, inside], problem.ties[:, inside]]).tocsr()
    used = np.flatnonzero(np.diff(rows.indptr))
    nothing = np.zeros(problem.ties.shape[0])
    ends = [np.concatenate([side - problem.truth, nothing])[used] for side in (low, high)]
    most = np.full(len(inside), CROWD if far == CROWD else np.inf)
    lp = programme(
        sparse.vstack([rows[used], sparse.csr_matrix(aim[inside])]).tocsr(), -aim[inside],
        -problem.atoms[inside], most,
        np.append(ends[0], 0), np.append(ends[1], np.inf if far == CROWD else far),
    )  # fmt: skip
    lp.integrality_ = [highspy.HighsVarType.kInteger] * len(inside)
    solver = quiet()
    solver.setOptionValue("mip_max_nodes", NODES)
    solver.setOptionValue("mip_rel_gap", 0.2 if far == CROWD else 0.0)
    solver.passModel(lp)
    solver.run()
    done = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    values = np.array(solver.getSolution().col_value)
    if solver.getInfo().primal_solution_status != 2 or len(values) != len(inside):
        return False
    move = np.zeros(len(problem.atoms))
    move[inside] = np.round(values)
    return _keep(attacker, kept, move) and done
