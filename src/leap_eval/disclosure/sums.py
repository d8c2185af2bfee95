"""Sums and means beside counts: an attacker who adds up, and what no withheld sum may give away.

He is granted more than any page tells: how many children stand behind every code, what each
of them can contribute, and that nothing moved where nothing moved. What he cannot do then,
nobody can: each withheld sum keeps an interval wider than p % of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from leap_eval.disclosure.attack import TINY, programme, quiet
from leap_eval.disclosure.cells import SHOWN, Problem
from leap_eval.disclosure.declare import Bools, Floats, Ints, Key
from leap_eval.disclosure.rules import Rules
from leap_eval.disclosure.suppress import Conflict
from leap_eval.errors import DisclosureError

PAST = -1  # a fact of an earlier release, or a tie: not for choosing


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """One measure: facts about its sums (rows) over the finest codes (columns)."""

    keys: tuple[Key, ...]  # of each fact: (output, *nodes); no key where it is a tie
    row: Ints  # its cell in the problem of counts, or PAST
    facts: Any  # CSR, facts x codes
    truth: Floats
    told: Floats  # (facts, 2): what a reader knows of a sum that is shown
    texts: tuple[str, ...]
    leaning: Bools  # on its largest contributions, or all at an end of the range
    hidden: Bools  # from the start: small, leaning, or withheld before
    least: Floats  # (codes,) what the children behind a code contribute at least
    most: Floats
    sums: Floats  # (codes,) what they do contribute
    crossing: bool = False  # two sums cross: what they tell of counts must be asked
    ranges: Any = None  # CSR, over atoms and codes, each row 0 or more: what children can add

    def told_of(self, hidden: Bools) -> Iterator[tuple[Key, str, tuple[float, float]]]:
        """Yield of each sum of the last release that is shown its key, text and interval."""
        for f in np.flatnonzero(~hidden & self.new):
            yield self.keys[f], self.texts[f], (float(self.told[f, 0]), float(self.told[f, 1]))

    def narrow(self, hidden: Bools, aims: Bools, p: float) -> dict[int, Bools]:
        """Return the sums known to within p %, each with the facts that tell it."""
        ask, told = _asker(self, hidden), {}
        for f in np.flatnonzero(aims & hidden & (self.most @ self.facts.T > 0)):
            (high, up), (low, down) = ask(self.facts[f], 1.0), ask(self.facts[f], -1.0)
            if high - low <= p / 100 * self.truth[f] + TINY:
                told[int(f)] = (np.abs(up) > TINY) | (np.abs(down) > TINY)
        return told

    @property
    def new(self) -> Bools:
        """Return which facts the last release may tell."""
        new: Bools = self.row != PAST
        return new

    def public(self, p: float) -> Bools:
        """Return which sums earlier pages tell already, whatever is hidden now."""
        known = np.zeros(len(self.truth), bool)
        known[list(self.narrow(self.hidden | self.new, ~known, p))] = True
        return known


def _asker(sums: Sums, hidden: Bools) -> Any:
    """Return the attacker: the largest (1) or smallest (-1) value of a sum, and its duals."""
    solver, many = quiet(), len(sums.least)
    low = np.where(hidden, -np.inf, sums.told[:, 0])
    high = np.where(hidden, np.inf, sums.told[:, 1])
    solver.passModel(programme(sums.facts, np.zeros(many), sums.least, sums.most, low, high))

    def ask(row: Any, sense: float) -> tuple[float, Floats]:
        cost = np.zeros(many)
        cost[row.indices] = -sense * row.data
        solver.changeColsCost(many, np.arange(many, dtype=np.int32), cost)
        solver.run()
        duals = np.array(solver.getSolution().row_dual)
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return -sense * float(solver.getInfo().objective_function_value), duals
        if status in (
            highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible
        ):  # fmt: skip
            return sense * np.inf, np.zeros(len(sums.truth))
        raise DisclosureError("disclosure: the attacker of sums did not end; nothing is released")

    return ask


def blocked(found: Sequence[Sums], rules: Rules) -> Conflict | None:
    """Return why not even hiding all new sums protects those that must stay unknown, if so."""
    p = rules.summaries.dominance.p
    for sums in found:
        # What old pages tell of a sum that another of them withheld is told, whatever leaves now.
        if sums.narrow(sums.hidden | sums.new, sums.hidden & sums.new, p):
            outputs = dict.fromkeys(sums.keys[f][0] for f in np.flatnonzero(sums.new))
            return Conflict(tuple(outputs), ())
    return None


def first(found: Sequence[Sums], problem: Problem) -> Bools:
    """Return which cells are withheld for themselves because their sum leans on few."""
    leaning = np.zeros(len(problem.truth), bool)
    for sums in found:
        leaning[sums.row[sums.leaning & sums.new]] = True
    told: Bools = leaning & (problem.fixed != SHOWN)
    return told


def protected(
    found: Sequence[Sums], problem: Problem, withheld: Bools, more: Sequence[Bools], rules: Rules
) -> tuple[Bools, tuple[Bools, ...]]:
    """Return the pattern under which every hidden sum is safe, and which sums it hides.

    A count and its sum are withheld together; where an old page already shows the count, the
    sum goes alone. Withholding more never narrows an attacker: neither of sums nor of counts.
    """
    pattern, p = withheld.copy(), rules.summaries.dominance.p
    for s, also in zip(found, more, strict=True):
        pattern[s.row[also]] |= problem.free[s.row[also]]
    hidden = [s.hidden | also for s, also in zip(found, more, strict=True)]
    # What an old page tells is no secret any more, unless it must be one: that is a conflict.
    told = [s.public(p) for s in found]
    aims = [s.hidden & s.new | ~known for s, known in zip(found, told, strict=True)]
    moved = True
    while moved:
        moved = False
        for sums, hide, aim, known in zip(found, hidden, aims, told, strict=True):
            hide[sums.new] |= pattern[sums.row[sums.new]]
            if (f := _in_the_way(sums, hide, aim, known, p)) is not None:
                moved = hide[f] = True
                pattern[sums.row[f]] |= problem.free[sums.row[f]]
    return pattern, tuple(hidden)


def _in_the_way(sums: Sums, hidden: Bools, aims: Bools, public: Bools, p: float) -> int | None:
    """Return the shown sum to hide next, or None where every hidden one is safe."""
    told = sums.narrow(hidden, aims, p)
    if not told:
        return None
    guilt = np.sum(list(told.values()), axis=0)
    able = np.flatnonzero((guilt > 0) & ~hidden & sums.new)
    if not len(able):
        raise DisclosureError("disclosure: a sum cannot be protected; leave its output out")
    # The one that stands in the way of most, rather none that is told already; among equals, the
    # least is lost.
    return int(able[np.lexsort((able, sums.truth[able], -guilt[able], public[able]))[0]])
