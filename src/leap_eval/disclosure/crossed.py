"""Sums that cross, attacked together with the counts: what both tell of a group of children.

Nested sums tell nothing of counts. Of sums that cross nobody knows before it is asked: what
two of them differ by, and what a child can add at most, may bound a withheld count. So one
attacker is given both: the children, and what those behind each code add.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from leap_eval.disclosure import sums as adding
from leap_eval.disclosure.attack import attackers, audit, programme, quiet
from leap_eval.disclosure.cells import FREE, SHOWN, Problem
from leap_eval.disclosure.declare import Bools, Floats
from leap_eval.disclosure.rules import Rules
from leap_eval.disclosure.sums import Sums
from leap_eval.disclosure.suppress import Conflict
from leap_eval.disclosure.targets import Targets
from leap_eval.disclosure.witnesses import Witnesses
from leap_eval.errors import DisclosureError


class Both:
    """Counts, and beside them every measure whose sums cross, as one problem for attackers."""

    def __init__(self, problem: Problem, found: Targets, sums: Sequence[Sums]) -> None:
        """Join them; where no sums cross, this is the problem of counts as it was."""
        self.counts, self.sums = problem, sums
        self.at: dict[int, slice] = {}  # where the facts about each measure stand
        end = len(problem.truth)
        for i, s in enumerate(sums):
            if s.crossing:
                self.at[i], end = slice(end, end + len(s.truth)), end + len(s.truth)
        told = [sums[i] for i in self.at]
        self.problem = _joined(problem, told) if told else problem
        self.targets = replace(found, rows=_wide(found.rows, len(self.problem.atoms)))
        self._attackers = attackers(self.problem, self.targets) if told else []

    def _hidden(self, withheld: Bools, hidden: Sequence[Bools]) -> Bools:
        told = np.zeros(len(self.problem.truth), bool)
        told[: len(withheld)] = withheld
        for i, at in self.at.items():
            told[at] = hidden[i]
        return told

    def safe(self, withheld: Bools, hidden: Sequence[Bools]) -> bool:
        """Tell whether nobody can pin down a target: a fresh audit, from nothing."""
        return not audit(self.problem, self.targets, self._hidden(withheld, hidden))

    def guilt(self, withheld: Bools, hidden: Sequence[Bools]) -> Floats:
        """Return how much each cell, and then each fact, tells of targets that are open."""
        told = np.zeros(len(self.problem.truth))
        for attacker in self._attackers:
            attacker.set(self._hidden(withheld, hidden).astype(float))
            for o in attacker.opened():
                told += np.abs(o.high.duals) + np.abs(o.low.duals)
        return told

    def proven(self, shown: Witnesses, hidden: Sequence[Bools]) -> Witnesses:
        """Return the witnesses; open again are those whose children cannot add what is shown."""
        wrong = np.zeros(shown.tables.shape[0], bool)
        for i in self.at:
            wrong |= ~_possible(self.sums[i], hidden[i], shown.tables.toarray())
        return replace(shown, open=shown.open | wrong[shown.low] | wrong[shown.high])


def _joined(problem: Problem, sums: Sequence[Sums]) -> Problem:
    """Return atoms, then codes; cells, then facts about sums, then what children can add."""
    atoms = len(problem.atoms)
    whole = np.concatenate([problem.atoms, *(s.sums for s in sums)])
    facts = sparse.block_diag([sparse.csr_matrix((0, atoms)), *(s.facts for s in sums)])
    children = sparse.vstack([s.ranges[:, :atoms] for s in sums])
    ranges = sparse.hstack([children, sparse.block_diag([s.ranges[:, atoms:] for s in sums])])
    rows = sparse.vstack([_wide(problem.cells, len(whole)), facts, ranges]).tocsr()
    unknown = np.tile([0.0, np.inf], (facts.shape[0] + ranges.shape[0], 1))
    told = [np.where(s.new | s.hidden, FREE, SHOWN) for s in sums]
    nobody, none = np.zeros(len(unknown), bool), np.zeros(len(whole) - atoms, bool)
    return replace(
        problem, cells=rows, truth=rows @ whole, atoms=whole, ties=_wide(problem.ties, len(whole)),
        shown=np.vstack([problem.shown, *(s.told for s in sums), unknown[facts.shape[0] :]]),
        hidden=np.vstack([problem.hidden, unknown]),
        fixed=np.concatenate([problem.fixed, *told, np.full(ranges.shape[0], FREE)]),
        insiders={p: np.append(known, nobody) for p, known in problem.insiders.items()},
        own={p: np.append(own, none) for p, own in problem.own.items()},
    )  # fmt: skip


def _wide(rows: Any, width: int) -> Any:
    return sparse.csr_matrix((rows.data, rows.indices, rows.indptr), shape=(rows.shape[0], width))


def _possible(sums: Sums, hidden: Bools, tables: Floats) -> Bools:
    """Tell which tables of children could have added all sums that are shown."""
    many, atoms, facts = len(sums.sums), tables.shape[1], len(sums.truth)
    least = -(sums.ranges[:, :atoms] @ tables.T)
    rows = sparse.vstack([sums.facts, sums.ranges[:, atoms:]]).tocsr()
    known = np.where(hidden[:, None], [-np.inf, np.inf], sums.told)
    at, free = np.arange(facts, rows.shape[0], dtype=np.int32), np.full(len(least), np.inf)
    low, high = np.append(known[:, 0], -free), np.append(known[:, 1], free)
    solver, found = quiet(), []
    nothing = np.zeros(many)
    solver.passModel(programme(rows, nothing, nothing, np.full(many, np.inf), low, high))
    for told in least.T:
        solver.changeRowsBounds(len(at), at, told, free)
        solver.run()
        found.append(solver.getModelStatus() == highspy.HighsModelStatus.kOptimal)
    return np.array(found)


def blocked(problem: Problem, found: Targets, sums: Sequence[Sums]) -> Conflict | None:
    """Return why not even hiding all that is new keeps crossing sums from telling, if so."""
    asked = [s for s in sums if s.crossing]
    every = problem.fixed != SHOWN, [s.hidden | s.new for s in sums]
    able = all(s.ranges is not None for s in asked)
    if not asked or (able and not Both(problem, found, sums).guilt(*every).any()):
        return None
    outputs = dict.fromkeys(s.keys[f][0] for s in asked for f in np.flatnonzero(s.new))
    return Conflict(tuple(outputs), ())


def protected(both: Both, withheld: Bools, rules: Rules) -> tuple[Bools, tuple[Bools, ...]]:
    """Return the pattern, and which sums it hides: no sum tells of another, nor of children."""
    more = [np.zeros(len(s.truth), bool) for s in both.sums]
    while True:
        withheld, hidden = adding.protected(both.sums, both.counts, withheld, more, rules)
        guilt = both.guilt(withheld, hidden)
        if not guilt.any():
            return withheld, hidden
        # The sum that tells most goes, or the cell, where only old sums are in the way.
        able = [guilt[at] * (both.sums[i].new & ~hidden[i]) for i, at in both.at.items()]
        worst = int(np.argmax([a.max() for a in able]))
        if able[worst].any():
            more[list(both.at)[worst]][able[worst].argmax()] = True
        else:
            told = guilt[: len(withheld)] * (both.counts.free & ~withheld)
            if not told.any():
                raise DisclosureError("disclosure: sums give a group away; leave margins out")
            withheld = withheld | (np.arange(len(told)) == told.argmax())
