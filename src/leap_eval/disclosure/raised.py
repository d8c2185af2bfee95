"""Possible ways to raise the few children of a place: moves that no page notices, or hardly any.

Children who stay and children who move are raised apart. *Lifts* move those who stay around
boxes, which no table of two dimensions notices, or as a linear programme finds. *Swaps* move
those who joined or left in one quarter, made up for at the same place by children who stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from leap_eval.disclosure.attack import FAR, TINY, programme, quiet
from leap_eval.disclosure.cells import Problem
from leap_eval.disclosure.declare import Bools, Floats, Ints
from leap_eval.disclosure.examples import CROWD, WORTH, Questions, Room, bounded, kinds
from leap_eval.disclosure.witnesses import axes

CHEAP = 1e-3  # what changing a cell costs that is withheld anyway


class Movers:
    """Who stays, and who joined or left, each with the children who stay at the same place."""

    def __init__(self, problem: Problem) -> None:
        """Tell them apart by the releases in which each atom was counted."""
        told, many = problem.labels, len(problem.labels)
        spans: dict[tuple[str, str], tuple[int, int]] = {}
        for cube, service, *_, start, stop in told:
            first, last = spans.get((cube, service), (start, stop))
            spans[cube, service] = min(first, start), max(last, stop)
        self._start, self._stop = (np.array([t[i] for t in told]) for i in (4, 5))
        first_, last_ = (np.array([spans[t[0], t[1]][i] for t in told]) for i in (0, 1))
        joined, left = self._start > first_, self._stop < last_
        self._last, self.stays, self.twice = int(last_.max()), ~joined & ~left, joined & left
        at = {t[:4]: i for i, t in enumerate(told) if self.stays[i]}
        self.stayer = np.array([at.get(t[:4], -1) for t in told])
        # Leavers are made up for before they left: afterwards their move is the stayers'.
        self.paired = left & ~joined & (self.stayer >= 0)
        pairs = np.flatnonzero(self.paired)
        made_up = (-np.ones(len(pairs)), (self.stayer[pairs], pairs))
        moves = sparse.identity(many) + sparse.csr_matrix(made_up, shape=(many, many))
        self.whole = moves.tocsc()  # what moves with each mover
        self.seen = (sparse.vstack([problem.cells, problem.ties]) @ self.whole).tocsr()

    def of(self, quarter: int) -> Bools:
        """Return who joined in a quarter, or had left by then."""
        moved: Bools = ~self.stays & ((self._start == quarter) | (self._stop == quarter - 1))
        return moved

    @property
    def newest(self) -> Bools:
        """Return the movers of the last quarter."""
        return self.of(self._last)

    def quarters(self) -> Iterator[Ints]:
        """Yield who moved once, by quarter, the newest first."""
        for quarter in range(self._last, 0, -1):
            if len(who := np.flatnonzero(self.of(quarter) & ~self.twice)):
                yield who


def swaps(
    problem: Problem, movers: Movers, who: Ints, aims: Ints, free: Room, soft: Bools,
    costs: Floats, level: float,
) -> tuple[Any, Bools]:  # fmt: skip
    """Return moves (atoms x aims), the cheapest that raise each to a level, and cells they change.

    Only these movers move. `soft` cells may change at a cost: they are to be withheld.
    """
    n, seen = len(who), movers.seen[:, who]
    nothing = np.zeros(seen.shape[0] - len(soft))
    low, high = (np.concatenate([side, nothing]) for side in (free.low, free.high))
    hard = np.ones(seen.shape[0], bool)  # whatever is not soft, and every tie
    hard[: len(soft)] = ~soft
    rows, low, high, _ = bounded(seen[np.flatnonzero(hard)], low[hard], high[hard])
    at = np.flatnonzero(soft)
    at = at[np.diff(seen.indptr)[at] > 0]
    first, of = kinds(seen[at])
    parts, many = seen[at[first]], len(first)
    price = np.bincount(of, costs[at], many)
    fall = np.full(many, np.inf)  # as far as the marker of a withheld cell allows
    np.minimum.at(fall, of, np.maximum(problem.truth - problem.hidden[:, 0], 0)[at])
    # Of fewer movers than a level hardly any cell is worth keeping: they may change it.
    spent = np.asarray(abs(parts) @ problem.atoms[who]).ravel() < level
    used = np.zeros(many, bool)
    eye, zero, lowest = sparse.identity(many), np.zeros(many), -problem.atoms[who]
    most = np.where(movers.paired[who], problem.atoms[movers.stayer[who]], FAR)
    solver = quiet()
    for name, value in (("presolve", "off"), ("solver", "simplex"), ("simplex_strategy", 1)):
        solver.setOptionValue(name, value)
    solver.passModel(programme(
        sparse.bmat([[parts, -eye, eye], [rows, None, None]]).tocsr(), np.zeros(n + 2 * many),
        np.concatenate([lowest, zero, zero]), np.concatenate([most, zero + np.inf, fall]),
        np.concatenate([zero, low]), np.concatenate([zero, high]),
    ))  # fmt: skip
    columns, moves = np.arange(n, n + 2 * many, dtype=np.int32), list[Floats]()
    for i in aims.tolist():
        cost = np.tile(np.where(spent, CHEAP, 1.0) * price, 2)
        solver.changeColsCost(len(columns), columns, cost)
        solver.changeColBounds(i, level + lowest[i], FAR)
        solver.run()
        if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            move = np.array(solver.getSolution().col_value)[:n]
            move[np.abs(move) < TINY] = 0
            changed = np.abs(parts @ move) > TINY
            spent, used = spent | changed, used | changed
            moves.append(move)
        else:
            solver.clearSolver()
        solver.changeColBounds(i, lowest[i], most[i])
    told = np.zeros(len(soft), bool)
    told[at] = used[of]
    here = sparse.csc_matrix((np.ones(n), (who, np.arange(n))), shape=(len(problem.atoms), n))
    return here @ sparse.csc_matrix(np.array(moves).reshape(len(moves), n).T), told


class Lifts:
    """Moves of children who stay that no page notices, each raising one place of few."""

    def __init__(self, problem: Problem, movers: Movers, level: float) -> None:
        """Raise them by boxes, and where there is no room by a programme."""
        self._atoms, self._stays = problem.atoms, np.flatnonzero(movers.stays)
        sides = [codes[self._stays] for codes in axes(problem)]
        sides = [codes for codes in sides if (codes >= 0).all()]
        apart = len(set(zip(*sides, strict=True))) == len(self._stays)
        self._grid = tuple(sides) if len(sides) == 3 and apart else None
        if self._grid:
            self._there = np.zeros([int(codes.max()) + 1 for codes in sides], bool)
            self._there[self._grid] = True
            self._place = dict(zip(self._stays.tolist(), zip(*sides, strict=True), strict=True))
        wanted = movers.stays & (problem.atoms > 0)
        wanted[movers.stayer[movers.paired]] = True
        few = np.flatnonzero(wanted & (problem.atoms < level)).tolist()
        boxes = {i: self._box(problem.atoms, i, level) for i in few}
        left = {i: level - problem.atoms[i] for i, move in boxes.items() if move is None}
        told = _programmed(problem, movers, left)
        self.moves = {i: told[i] if move is None else move for i, move in boxes.items()}

    def _box(self, told: Floats, i: int, level: float) -> Floats | None:
        """Return a move round boxes that raises a place to a level, where these many stay."""
        if self._grid is None:
            return None
        grid = np.zeros(self._there.shape)
        grid[self._grid] = told[self._stays]
        move = boxed(grid, self._there, self._place[i], level)
        if move is None:
            return None
        whole = np.zeros(len(told))
        whole[self._stays] = move[self._grid]
        return whole

    def mended(self, move: Floats) -> Floats:
        """Return a move with as many more at each place as it lacks, where they can be found."""
        for i in self._stays[(self._atoms + move)[self._stays] < -TINY].tolist():
            lack = -(self._atoms[i] + move[i])
            more = self._box(self._atoms + move, i, 0.0)
            if more is None and i in self.moves:
                more = self.moves[i] * min(1.0, lack / max(self.moves[i][i], TINY))
            move = move if more is None else move + more
        return move


def _programmed(problem: Problem, movers: Movers, lack: Mapping[int, float]) -> dict[int, Floats]:
    """Return moves of those who stay that no page notices, each raising a place by what it lacks.

    Or as far as it goes. All places are asked about together while that answers many.
    """
    nothing, stays = np.zeros(len(problem.truth)), np.flatnonzero(movers.stays)
    asked = Questions(problem, stays, movers.stays, Room(nothing, nothing))
    best = dict.fromkeys(lack, np.zeros(len(problem.atoms)))

    def ask(places: Sequence[int]) -> None:
        told = (np.ones(len(places)), (np.zeros(len(places), int), list(places)))
        row = sparse.csr_matrix(told, shape=(1, len(problem.atoms)))
        move, _ = asked.furthest(row, 1.0)
        best.update({i: move for i in lack if move[i] > best[i][i]})

    before = np.inf
    while CROWD < len(left := [i for i in lack if best[i][i] < lack[i] - TINY]) < WORTH * before:
        before = len(left)
        ask(left)
    for i in lack:
        if best[i][i] < lack[i] - TINY:
            ask([i])
    return {i: move * min(1.0, lack[i] / max(move[i], TINY)) for i, move in best.items()}


def boxed(grid: Floats, there: Bools, at: tuple[int, int, int], level: float) -> Floats | None:
    """Return a move round boxes that raises a place to a level, every margin of two as it was.

    Greedily by the widest box: up at the place and at the corners two steps from it, down at
    the other four. None, if there is no room.
    """
    a, y, s = at
    left, move = level - grid[at], np.zeros_like(grid)
    spare, free = np.where(there, np.maximum(grid, 0.0), 0.0), np.where(there, np.inf, 0.0)
    rises = np.minimum(np.minimum(free[:, :, s][:, :, None], free[:, y, :][:, None, :]), free[a])
    rises[a] = rises[:, y] = rises[:, :, s] = 0
    while left > TINY:
        falls = np.minimum(spare[:, y, s][:, None, None], spare[a, :, s][None, :, None])
        most = np.minimum(np.minimum(falls, spare[a, y][None, None, :]), np.minimum(spare, rises))
        b, z, t = np.unravel_index(np.argmax(most), most.shape)
        step = min(most[b, z, t], left)
        if step <= TINY:
            return None
        for up in ((a, y, s), (b, z, s), (b, y, t), (a, z, t)):
            move[up] += step
        for down in ((b, y, s), (a, z, s), (a, y, t), (b, z, t)):
            move[down] -= step
            spare[down] -= step
        left -= step
    return move
