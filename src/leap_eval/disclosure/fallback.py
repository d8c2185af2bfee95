"""Programmes too large to search: built from examples, audited exactly, never called the best.

What raises a group of movers and changes cells besides is kept, and those cells are withheld. A
new cell is shown only where an older one, shown exactly, differs from it by the newest movers
alone: then what was possible of older quarters stays possible. Whatever made an example, every
page checks it, and the exact attacker is asked about all that no example clears.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from scipy import sparse

from leap_eval.disclosure import suppress, targets
from leap_eval.disclosure.attack import TINY, start
from leap_eval.disclosure.cells import SHOWN, Problem
from leap_eval.disclosure.declare import Bools, Floats, Ints
from leap_eval.disclosure.examples import (
    Audit,
    Reader,
    Room,
    kinds,
    readers,
    room,
    shortened,
    small,
)
from leap_eval.disclosure.raised import CHEAP, Lifts, Movers, swaps
from leap_eval.disclosure.suppress import Pattern
from leap_eval.disclosure.targets import Need, Targets
from leap_eval.disclosure.witnesses import Witnesses

# Cells x atoms. From here on what no page notices spares the search most of its targets ...
DEAR = 4e6
# ... and from here on it does not end where older releases bind: the smallest programme met above
# it asked thousands of questions a round (decision 0110).
LARGE = 6e6
REPAIRS = 40  # rounds that withhold what an open group's duals name; then all that is free goes


def dear(problem: Problem) -> bool:
    """Tell whether a search would be long enough to look for unnoticed moves before it."""
    rows, atoms = problem.cells.shape
    return bool(rows * atoms > DEAR)


def large(problem: Problem) -> bool:
    """Tell whether a problem is too large for the exact search: many cells, many of them old."""
    rows, atoms = problem.cells.shape
    return bool(rows * atoms > LARGE and ((problem.fixed == SHOWN) & (problem.truth > 0)).any())


def wanted(problem: Problem, need: Need, spared: bool) -> Targets:
    """Return the targets of a search; `spared`, less the groups that are safe anyway.

    In a large problem no group is named here: `protect` names those that no example clears.
    """
    named = not (spared or large(problem))
    found = targets.targets(problem, need, named)
    return found if named or large(problem) else targets.add(found, unnoticed(problem, need)[1])


def unnoticed(problem: Problem, need: Need, rounded: bool = False) -> tuple[Audit, Targets]:
    """Return the groups that are safe whatever is withheld, and the small groups that are left.

    Their examples are moves that no page notices; if `rounded`, of whole children only.
    """
    moves = _unnoticed(problem, Lifts(problem, Movers(problem), level(need)))
    moves = _whole(moves) if rounded else moves
    found = small(problem, _reach(problem, moves, need), need)
    left = Audit(found, moves).open
    return Audit(targets.some(found, ~left), moves), targets.some(found, left)


def _unnoticed(problem: Problem, lifts: Lifts) -> Any:
    nothing = np.zeros(len(problem.truth))
    return shortened(problem, Room(nothing, nothing), _stacked(problem, lifts.moves.values()))


def condemned(problem: Problem, need: Need) -> Ints:
    """Return new small cells that an older one and a marker tell too well, whatever is withheld.

    Such a cell holds what its marker says at least, and at most what an exact one around it does.
    """
    new = np.flatnonzero(targets.primary(problem, need) & problem.free)
    exact, rows = np.flatnonzero(problem.exact), problem.cells[new]
    around = (problem.cells[exact] @ rows.T).toarray() == np.diff(rows.indptr)
    most = np.where(around, problem.truth[exact][:, None], np.inf).min(axis=0, initial=np.inf)
    told = (most < need.upper) | (most - problem.hidden[new, 0] < need.width)
    guilty: Ints = new[told & (problem.truth[new] < need.threshold)]
    return guilty


def protect(
    problem: Problem, need: Need, first: Bools, more: Targets, draw: bytes
) -> tuple[Pattern, list[Audit]]:
    """Return a pattern under which no group is open to any reader, and the audits of them.

    `more` are targets beside the small groups. Raises `suppress.Conflict` where withholding
    all that is free is not enough.
    """
    if len(told := condemned(problem, need)):
        raise suppress.conflict(problem, told.tolist())
    movers, must, every = Movers(problem), start(problem, first), readers(problem)
    lifts = Lifts(problem, movers, level(need))
    moves = _unnoticed(problem, lifts)
    candid = continued(problem, movers) & ~must
    withheld = must | (problem.free & ~candid)
    moves, used = _swapped(problem, movers, lifts, moves, every, withheld, candid, need, draw)
    withheld |= used
    for repairs in range(len(must) + 1):
        audits = list[Audit]()
        for reader in every:
            free = room(problem, withheld, reader)
            audits.append(audited(problem, movers, reader, free, moves, need, more))
            moves = sparse.hstack([moves, audits[-1].met]).tocsc()
        if not any(audit.open.any() for audit in audits):
            cost, least = (float(problem.weights[w].sum()) for w in (withheld, must))
            gap = (cost - least) / max(cost, 1e-9)
            return Pattern(withheld, first, cost, least, gap, "fallback", 0), audits
        able, guilt = problem.free & ~withheld, np.sum([a.guilt for a in audits], axis=0)
        if not able.any():
            break
        guilty = able & (guilt > 0)
        withheld |= guilty if guilty.any() and repairs < REPAIRS else able
    raise suppress.conflict(problem, np.flatnonzero(guilt).tolist())


def _swapped(
    problem: Problem, movers: Movers, lifts: Lifts, moves: Any, every: Sequence[Reader],
    withheld: Bools, candid: Bools, need: Need, draw: bytes,
) -> tuple[Any, Bools]:  # fmt: skip
    """Return moves with swaps, unchecked, and the cells that must be withheld for them."""
    used, to = np.zeros(len(withheld), bool), level(need)
    costs = problem.weights * (1 + suppress.draws(problem, draw) / 4)
    few = (problem.atoms > 0) & (problem.atoms < need.threshold)
    for reader in every:
        free, made = room(problem, withheld, reader), list[Floats]()
        now = shortened(problem, room(problem, withheld | used, reader), moves)
        aims = few & ~reader.own & ~reader.others & (_reach(problem, now, need) < to - TINY)
        for who in movers.quarters():
            price = np.where(used, CHEAP, 1.0) * costs
            told, changed = swaps(
                problem, movers, who, np.flatnonzero(aims[who]), free, candid & ~reader.known,
                price, to,
            )  # fmt: skip
            used |= changed
            made += [lifts.mended(m.toarray().ravel()) for m in (movers.whole @ told).T.tocsr()]
        moves = sparse.hstack([moves, _stacked(problem, made)]).tocsc()
    return moves, used


def continued(problem: Problem, movers: Movers) -> Bools:
    """Return the free cells that an older one, shown exactly, tells but for the newest movers."""
    _, of = kinds(problem.cells[:, np.flatnonzero(~movers.newest)].tocsr())
    told: Bools = problem.free & np.isin(of, of[problem.exact])
    return told


def _stacked(problem: Problem, moves: Iterable[Floats]) -> Any:
    none = sparse.csr_matrix((1, len(problem.atoms)))
    return sparse.vstack([none, *map(sparse.csr_matrix, moves)]).T.tocsc()


def _whole(moves: Any) -> Any:
    """Return the moves of whole children among these."""
    broken = abs(moves - moves.rint()).max(axis=0).toarray().ravel() > TINY
    return moves[:, np.flatnonzero(~broken)].rint()


def _reach(problem: Problem, moves: Any, need: Need) -> Floats:
    """Return how high a move raises each atom; none of many children is in a small group."""
    reach: Floats = problem.atoms + moves.max(axis=1).toarray().ravel()
    return np.where(problem.atoms >= need.threshold, np.inf, reach)


def audited(
    problem: Problem, movers: Movers, reader: Reader, free: Room, moves: Any, need: Need,
    more: Targets,
) -> Audit:  # fmt: skip
    """Return the audit of all that a reader must not know: every open target has been asked."""
    moves = shortened(problem, free, moves)
    others = reader.others & (problem.atoms > 0)
    reach = np.where(others, np.inf, _reach(problem, moves, need))
    found = targets.add(small(problem, reach, need), more)
    new, known = (found.rows @ (problem.atoms * w) for w in (~reader.own, reader.others))
    audit = Audit(targets.some(found, (new > 0) & (known == 0)), moves)
    audit.ask(problem, movers.stays, free)
    return audit


def level(need: Need) -> float:
    """Return where an atom must be able to stand, for every small group that holds it."""
    return float(max(need.upper, need.threshold - 1 + need.width))


def whole(problem: Problem, audits: Sequence[Audit], need: Need) -> tuple[Targets, Witnesses]:
    """Return whole tables that prove audits, and all that they must prove.

    An atom that examples raise stands for every small group that holds it. What only parts of
    children clear is open here: linear attackers cannot tell it, and nobody has asked others.
    """
    atoms, every = problem.atoms, sparse.hstack([audit.moves for audit in audits]).tocsc()
    upper = np.floor(np.minimum(_reach(problem, every, need), level(need)) + TINY)
    few = np.flatnonzero((atoms > 0) & (atoms < need.threshold) & (upper > atoms))
    rows, truth = sparse.identity(len(atoms), format="csr")[few], atoms[few]
    raised = Targets(rows, truth, upper[few], upper[few] - truth, ("group",) * len(few))
    found, moves = reduce(targets.add, [raised, *(audit.found for audit in audits)]), _whole(every)
    moved = (found.rows @ moves).tocsr()
    least, most = (np.asarray(f(axis=1)).ravel() for f in (moved.argmin, moved.argmax))
    used, at = np.unique([0, *least, *most], return_inverse=True)
    tables = sparse.csr_matrix(atoms + moves[:, used].T.toarray()).astype(np.int64)
    least, most, open_ = at[1 : len(found) + 1], at[len(found) + 1 :], Audit(found, moves).open
    return found, Witnesses(tables, least, most, open_, np.zeros(len(found), bool))
