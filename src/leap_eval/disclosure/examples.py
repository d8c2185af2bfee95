"""What possible tables prove safe at once, and an exact attacker for what they leave open.

Where a table that every page allows raises any atom of a group to `upper`, and by `width` above
the whole group, the group is safe, for nothing in it can be negative. So one example an atom
clears millions of groups that nobody has to name. Small groups without such an atom are named:
two tables far enough apart clear them, or the attacker is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from leap_eval.disclosure.attack import FAR, TINY, optimum, programme, quiet
from leap_eval.disclosure.cells import Problem
from leap_eval.disclosure.cliques import Group
from leap_eval.disclosure.declare import Bools, Floats, Ints
from leap_eval.disclosure.targets import Need, Targets, crossed, named

NEAR = 30  # a marker that lets a cell lose more children waits until a table breaks it
CROWD = 20  # targets that are asked about one by one
WORTH = 0.9  # a question about all is asked again unless it leaves more than this share
ONCE = 50_000  # groups looked at together


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Who looks: cells it knows whatever is withheld, and of whom it must not learn.

    A group concerns it if it has a child it does not know, and none that only others ask about.
    """

    known: Bools  # (cells,)
    own: Bools  # (atoms,) children it knows
    others: Bools  # (atoms,) whose groups a reader who knows more asks about


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """How far each cell may move away from the truth, as a reader sees it."""

    low: Floats
    high: Floats


def readers(problem: Problem) -> list[Reader]:
    """Return each partner, and last whoever reads every page and knows nobody.

    What a partner cannot tell of others' children, that reader cannot: left are groups of
    children whom every partner knows.
    """
    nobody, none = np.zeros(len(problem.atoms), bool), np.zeros(len(problem.truth), bool)
    partners = [Reader(problem.insiders[p], problem.own[p], nobody) for p in sorted(problem.own)]
    others = np.logical_or.reduce([~p.own for p in partners]) if partners else nobody
    return [*partners, Reader(none, nobody, others)]


def room(problem: Problem, withheld: Bools, reader: Reader) -> Room:
    """Return how far each cell may move under a pattern, as a reader sees it."""
    hidden = (withheld & ~reader.known)[:, None]
    ends = np.where(hidden, problem.hidden, problem.shown) - problem.truth[:, None]
    return Room(np.minimum(ends[:, 0], 0), np.maximum(ends[:, 1], 0))


def shortened(problem: Problem, free: Room, moves: Any) -> Any:
    """Return moves (atoms x moves), each cut to the part that all pages allow, maybe none.

    The truth is possible: so is every part of the way to a possible table.
    """
    share = np.ones(moves.shape[1])
    nothing, many = np.zeros(problem.ties.shape[0]), len(problem.atoms)
    for rows, low, high in (
        (problem.cells, free.low, free.high),
        (problem.ties, nothing, nothing),
        (sparse.identity(many), -problem.atoms, np.full(many, np.inf)),
    ):
        moved = (rows @ moves).tocoo()
        far = (moved.data > high[moved.row] + TINY) | (moved.data < low[moved.row] - TINY)
        row, column, by = moved.row[far], moved.col[far], moved.data[far]
        np.minimum.at(share, column, np.where(by > 0, high[row], low[row]) / by)
    return (moves @ sparse.diags(share)).tocsc()


class Questions:
    """A reader told of all but some atoms, who can be asked how far a group may be moved."""

    def __init__(self, problem: Problem, at: Ints, stays: Bools, free: Room) -> None:
        """Build its programme over the atoms `at`; cells that are one for it are one row.

        Exact cells over the same children who stay are told as differences: the same facts in
        fewer numbers. A marker tells little of a large cell: it waits until a table breaks it.
        """
        self._many, self._at = len(problem.atoms), at
        cells, low, high, self._row = bounded(problem.cells[:, at].tocsr(), free.low, free.high)
        self._change = differences(cells[:, np.flatnonzero(stays[at])], low == high)
        self._rows, self._low, self._high = (self._change @ cells).tocsr(), low, high
        self._rows.eliminate_zeros()
        self._far = (low < -NEAR) & (high == np.inf)
        self._order = np.flatnonzero(~self._far)
        ties, every = problem.ties[:, at].tocsr(), np.zeros(len(at))
        nothing = np.zeros(ties.shape[0])
        ends = (np.concatenate([nothing, e[self._order]]) for e in (low, high))
        self._solver = quiet()
        for name, value in (("presolve", "off"), ("solver", "simplex")):
            self._solver.setOptionValue(name, value)
        rows = sparse.vstack([ties, self._rows[self._order]]).tocsr()
        self._solver.passModel(programme(rows, every, -problem.atoms[at], every + FAR, *ends))
        self._fresh = False

    def furthest(self, row: Any, sense: float) -> tuple[Floats, Bools]:
        """Return the move that takes a group furthest, and the cells that keep it there."""
        cost = -sense * row[:, self._at].toarray().ravel()
        self._solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        while True:
            # New rows break the last table (dual simplex); a new question does not (primal).
            self._solver.setOptionValue("simplex_strategy", 1 if self._fresh else 4)
            optimum(self._solver)
            self._fresh = False
            told = self._solver.getSolution()
            move = np.array(told.col_value)
            broken = np.flatnonzero(self._far & (self._rows @ move < self._low - TINY))
            if not len(broken):
                break
            more = self._rows[broken]
            self._solver.addRows(
                len(broken), self._low[broken], self._high[broken], more.nnz,
                more.indptr[:-1].astype(np.int32), more.indices, more.data,
            )  # fmt: skip
            self._far[broken], self._fresh = False, True
            self._order = np.concatenate([self._order, broken])
        move[np.abs(move) < 1e-9] = 0
        whole, duals = np.zeros(self._many), np.zeros(len(self._low))
        whole[self._at] = move
        duals[self._order] = np.array(told.row_dual)[-len(self._order) :]
        told_by = np.abs(self._change.T @ duals) > TINY
        return whole, (self._row >= 0) & told_by[self._row]


def bounded(rows: Any, low: Floats, high: Floats) -> tuple[Any, Floats, Floats, Ints]:
    """Return different rows, each with its tightest bounds, and which of them each cell is (-1)."""
    at = np.flatnonzero((np.diff(rows.indptr) > 0) & ((low > -np.inf) | (high < np.inf)))
    first, of = kinds(rows[at])
    least, most = np.full(len(first), -np.inf), np.full(len(first), np.inf)
    np.maximum.at(least, of, low[at])
    np.minimum.at(most, of, high[at])
    row = np.full(len(low), -1)
    row[at] = of
    return rows[at[first]], least, most, row


def differences(still: Any, exact: Bools) -> Any:
    """Return the matrix that takes from each exact row the one before it over the same atoms."""
    at = np.flatnonzero(exact)
    _, of = kinds(still[at].tocsr())
    order = np.argsort(of, kind="stable")
    again = np.flatnonzero(np.diff(of[order]) == 0)
    less = (np.ones(len(again)), (at[order[again + 1]], at[order[again]]))
    return sparse.identity(len(exact)) - sparse.csr_matrix(less, shape=(len(exact),) * 2)


def kinds(rows: Any) -> tuple[Ints, Ints]:
    """Return the first of each kind of row, and of which kind each row is."""
    rows.sort_indices()
    seen: dict[bytes, int] = {}
    first, of = list[int](), np.zeros(rows.shape[0], np.int64)
    for i, (a, b) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
        of[i] = seen.setdefault(rows.indices[a:b].tobytes() + rows.data[a:b].tobytes(), len(seen))
        if of[i] == len(first):
            first.append(i)
    return np.array(first, np.int64), of


class Audit:
    """Targets, and how far tables that every page allows are known to move each."""

    def __init__(self, found: Targets, moves: Any) -> None:
        """Start with the examples given (atoms x moves)."""
        self.found, self.moves = found, moves
        self.met = moves[:, :0]  # what questions found beside them
        moved = (found.rows @ moves).tocsr()
        self._up = np.maximum(moved.max(axis=1).toarray().ravel(), 0)
        self._down = np.minimum(moved.min(axis=1).toarray().ravel(), 0)
        self.guilt: Floats = np.zeros(0)  # (cells,) how many open targets each keeps open

    @property
    def open(self) -> Bools:
        """Tell which targets no two tables met so far clear."""
        told: Bools = self._open(slice(None))
        return told

    def _open(self, at: Any) -> Any:
        found = self.found
        high = found.truth[at] + self._up[at] >= found.upper[at] - TINY
        return ~(high & (self._up[at] - self._down[at] >= found.width[at] - TINY))

    def ask(self, problem: Problem, stays: Bools, free: Room) -> None:
        """Ask how far open targets can be moved, and keep every table met on the way."""
        self.guilt = np.zeros(len(problem.truth))
        if not self.open.any():
            return
        asked = Questions(problem, np.arange(len(problem.atoms)), stays, free)
        # Of all together first: as long as one question clears many, it is worth a hundred.
        before = np.inf
        while (many := int(self.open.sum())) > CROWD and many < WORTH * before:
            before = many
            self._meet(asked.furthest(sparse.csr_matrix(self.open @ self.found.rows), 1.0)[0])
        # Small groups then: what moves them moves those that hold them.
        left = np.flatnonzero(self.open)
        for q in left[np.argsort(np.diff(self.found.rows.indptr)[left], kind="stable")].tolist():
            cells = np.zeros(len(self.guilt))
            for sense in (1.0, -1.0):
                if self._open(q):
                    move, why = asked.furthest(self.found.rows[q], sense)
                    self._meet(move)
                    cells += why
            self.guilt += cells * self._open(q)
        self.moves = sparse.hstack([self.moves, self.met]).tocsc()

    def _meet(self, move: Floats) -> None:
        moved = self.found.rows @ move
        self._up, self._down = np.maximum(self._up, moved), np.minimum(self._down, moved)
        self.met = sparse.hstack([self.met, sparse.csc_matrix(move[:, None])]).tocsc()


def small(problem: Problem, reach: Floats, need: Need) -> Targets:
    """Return the small groups none of whose atoms an example raises far enough."""
    none = sparse.csr_matrix((0, len(reach)))
    rows = sparse.vstack([none, *_small(problem.groups, problem.atoms, reach, need)]).tocsr()
    return named(rows[kinds(rows)[0]], problem.atoms, need)


def _small(
    groups: Iterable[Group], atoms: Floats, reach: Floats, need: Need
) -> Iterator[sparse.csr_matrix]:
    for group in groups:
        for many in range(1, need.threshold):
            firm = reach[group.atoms] < max(need.upper, many + need.width) - TINY
            children = np.where(firm, atoms[group.atoms], 0.0)
            if not children.any():
                continue
            sets = _usable(group, children, firm)
            shape = tuple(s.shape[1] for s in sets)
            size = int(np.prod(shape))
            sums = crossed(sets, np.bincount(group.place, children, size))
            far = crossed(sets, np.bincount(group.place, ~firm, size))
            found = np.argwhere((sums == many) & (far == 0))
            places = np.unravel_index(group.place[firm], shape)
            for at in range(0, len(found), ONCE):
                told = zip(sets, found[at : at + ONCE].T, places, strict=True)
                inside = np.logical_and.reduce([s[i][:, p] for s, i, p in told])
                bits = np.packbits(inside, axis=1)
                kept = list(dict.fromkeys(map(bytes, bits)))
                packed = np.frombuffer(b"".join(kept), np.uint8).reshape(len(kept), -1)
                row, column = np.nonzero(np.unpackbits(packed, axis=1, count=int(firm.sum())))
                told_of = (np.ones(len(row)), (row, group.atoms[firm][column]))
                yield sparse.csr_matrix(told_of, shape=(len(packed), len(reach)))


def _usable(group: Group, children: Floats, firm: Bools) -> list[Bools]:
    """Return, by dimension, the sets of which some slice has children and no atom that goes far.

    Sets that no atom of this presence tells apart are one.
    """
    shape = tuple(s.shape[1] for s in group.sets)
    size = int(np.prod(shape))
    there, sums_, far_ = (
        np.bincount(group.place, told, size).reshape(shape)
        for told in (np.ones(len(firm)), children, ~firm)
    )
    made = []
    for axis, sets in enumerate(group.sets):
        codes = np.flatnonzero(np.moveaxis(there, axis, 0).reshape(shape[axis], -1).any(axis=1))
        first = np.sort(np.unique(sets[:, codes], axis=0, return_index=True)[1])
        sides = [np.moveaxis(t, axis, 0).reshape(shape[axis], -1) for t in (sums_, far_)]
        sums, far = (sets[first].astype(float) @ side for side in sides)
        made.append(sets[first][((sums > 0) & (far == 0)).any(axis=1)])
    return made
