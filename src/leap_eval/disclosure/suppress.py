"""Complementary suppression: as few cells more as make every target safe, proven where it can be.

Benders' decomposition with the cuts of Fischetti and Salazar-Gonzalez (2001): a master
chooses what to withhold, the attacker answers with a cut for every target it can pin down.
First the master is linear, then whole; every pattern on the way is repaired and pruned, so
that there is always an audited incumbent and an honest gap. Effort is counted, never timed.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leap_eval.disclosure.attack import TINY, Attacker, Open, attackers, start
from leap_eval.disclosure.cells import SHOWN, Problem
from leap_eval.disclosure.declare import Bools, Floats, Key
from leap_eval.disclosure.dive import dives
from leap_eval.disclosure.magnitude import Amounts
from leap_eval.disclosure.master import Cuts, linear, whole
from leap_eval.disclosure.targets import Targets
from leap_eval.errors import DisclosureError

MANY = 700  # cells, from which on rounds are dear
LOOSE = 0.05  # the first whole masters need not be proven: their cuts are as good


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to search: counted in rounds and nodes, never in seconds."""

    lp_rounds: int = 60
    mip_rounds: int = 30
    mip_nodes: int = 200_000
    exact_cells: tuple[int, int] = (2000, 500)  # flat, deep: above, a wider gap will do
    abort_after_s: float = math.inf  # the only clock: it stops everything, and chooses nothing
    tie_rounds: int = 5
    tie_nodes: int = 100
    gap: float = 0.0
    deep_gap: float = 0.03  # three-way tables and wider: the last cells cost most of the time
    dives: int = 40  # in three-way tables
    dive_nodes: int = 200  # of each whole master after them
    per_round: int = 120  # open targets that answer one pattern
    boxes: int = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """What is withheld, what it costs, and how far from the best it may be."""

    withheld: Bools
    primary: Bools
    cost: float  # in the units of the weights, without the secret draw
    bound: float
    gap: float
    method: str  # optimal | within_gap | repaired | fallback
    asked: int  # programmes the attackers solved


class Conflict(DisclosureError):  # noqa: N818 - an answer with choices, not a fault
    """Not even withholding all that is free protects these groups."""

    def __init__(self, outputs: tuple[str, ...], cells: tuple[Key, ...]) -> None:
        """Name the outputs and the shown cells in the way."""
        super().__init__(
            f"disclosure: withholding every new cell of {', '.join(outputs) or 'this release'} is "
            "not enough; see the choices: hold, coarsen, round or leave an output out"
        )
        self.outputs, self.cells = outputs, cells


class Search:
    """One search: the attackers, the cuts they gave, and the best audited pattern so far."""

    def __init__(
        self, problem: Problem, found: Targets, first: Bools, draw: bytes,
        most: float = math.inf, beside: Sequence[Amounts] = (),
    ) -> None:  # fmt: skip
        """Start with what must be withheld; `draw` chooses secretly among equal optima."""
        self.problem, self.found, self.draw = problem, found, draw
        self._most, self._ends = most, time.monotonic() + most
        self.must = start(problem, first)
        self.free = problem.free & ~self.must
        self.cost = problem.weights
        # Among equals: fewer children withheld, and a secret draw; together less than one cell.
        mass = problem.truth / max(problem.truth.max(initial=0), 1)
        wish = (draws(problem, draw) + mass) / (4 * max(int(self.free.sum()), 1))
        self.secret = problem.weights * (1 + wish)
        self.attackers = attackers(problem, found)
        self.attackers += [Attacker(sums.problem, sums.found) for sums in beside]
        self.cuts = Cuts(self.must, self.free)
        self.best: Bools = self.must | self.free
        self.guide = self.must.astype(float)
        self.offenders: list[list[int]] = [[] for _ in self.attackers]
        # Keys are an output and a node of each dimension: published in three ways or more.
        self.deep = any(len(key) > 3 for key in problem.names)
        # Each round asks about every target, and a repair about every cell besides.
        self.seldom = 1 + (len(problem.truth) // MANY) ** 2

    def opened(self, x: Floats, reach: float = np.inf, most: int | None = None) -> list[Open]:
        """Return open targets under x, and add what they ask for to the cuts."""
        self.hurry()
        found: list[Open] = []
        for i, attacker in enumerate(self.attackers):
            attacker.set(x, reach)
            unsafe = attacker.opened(most, np.array(self.offenders[i], dtype=np.int64))
            self.offenders[i] = [o.target for o in unsafe][:500]
            for o in unsafe:
                for weights, need in cuts(attacker, o):
                    self.cuts.add(weights, need)
            found += unsafe
        return found

    def hurry(self) -> None:
        """Stop everything when the time is over: a pattern chosen by the clock is none."""
        if time.monotonic() > self._ends:
            more = int((self.best & ~self.must).sum())
            raise DisclosureError(
                f"disclosure: effort.abort_after_s {self._most:.0f} is over; nothing is written. "
                f"The last audited pattern, unproven, withholds {more} cells to protect others; "
                "lower effort.lp_rounds and mip_rounds, or leave a table out"
            )

    def safe(self, pattern: Bools) -> bool:
        """Tell whether no attacker can pin down a target under a pattern."""
        return not self.opened(pattern.astype(float), most=1)

    def price(self, pattern: Bools) -> float:
        """Return what a pattern costs, without the draw."""
        return float(self.cost[pattern].sum())

    def keep(self, pattern: Bools) -> None:
        """Keep an audited pattern if it is the cheapest so far."""
        if self.price(pattern) < self.price(self.best) - TINY:
            self.best = pattern.copy()

    def repair(self, pattern: Bools, guide: Floats, most: int) -> Bools:
        """Return a safe pattern near this one: withhold more, then show again what can be shown.

        Joined with the best so far it is safe at once, and pruning asks a programme or more per
        cell. In large problems it grows instead, as the attackers' cuts ask: many cuts, which
        would slow the masters of small ones.
        """
        every = self.must | self.free
        if self.seldom == 1:
            near = pattern if self.safe(pattern) else self.best | pattern
            return self.prune(near, guide + pattern)
        while (pattern != every).any() and self.opened(pattern.astype(float), most=most):
            more = self.cuts.cover(pattern, self.secret)
            pattern = more if (more != pattern).any() else every
        return self.prune(pattern, guide)

    def prune(self, pattern: Bools, guide: Floats) -> Bools:
        """Show again, least wanted first, every cell without which all stays safe."""
        kept = pattern.copy()
        places = np.flatnonzero(kept & self.free)
        order = np.lexsort((-self.secret[places], -self.cost[places], guide[places]))
        cuts, spare = self.cuts.spare(kept)
        for i in places[order]:
            at = slice(cuts.indptr[i], cuts.indptr[i + 1])
            needed = cuts.data[at] > spare[cuts.indices[at]] + TINY
            kept[i] = needed.any()
            if not kept[i]:
                kept[i] = not self.safe(kept)
                if len(self.cuts.rows) > len(spare):
                    cuts, spare = self.cuts.spare(kept)
                elif not kept[i]:
                    spare[cuts.indices[at]] -= cuts.data[at]
        return kept


def suppress(
    problem: Problem, found: Targets, first: Bools, effort: Effort, draw: bytes,
    beside: Sequence[Amounts] = (),
) -> Pattern:  # fmt: skip
    """Return a pattern under which no target is open, or raise: an unsafe one never leaves here.

    `beside` are amounts shown in the same cells as the counts, and withheld with them.
    """
    search = Search(problem, found, first, draw, effort.abort_after_s, beside)
    deep = any(len(g.sets) > 2 for g in problem.groups)
    many = len(problem.truth) > effort.exact_cells[deep]
    gap = effort.deep_gap if deep else 0.0
    effort = replace(effort, gap=max(effort.gap, LOOSE if many else gap))
    if unsafe := search.opened((search.must | search.free).astype(float)):
        raise _conflict(problem, unsafe)
    bound = _linear(search, effort)
    bound, proven = _whole(search, effort, bound)
    if proven:
        _secret(search, effort)
    cost = search.price(search.best)
    bound = cost if proven else min(_rounded(search, bound), cost)
    gap = (cost - bound) / max(cost, 1e-9)
    method = "optimal" if proven else "within_gap" if gap <= effort.gap else "repaired"
    asked = sum(a.asked for a in search.attackers)
    return Pattern(search.best, first, cost, bound, gap, method, asked)


def blocked(problem: Problem, found: Targets) -> Conflict | None:
    """Return why not even withholding all that is free protects every target, if so."""
    every = (problem.fixed != SHOWN).astype(float)
    unsafe: list[Open] = []
    for attacker in attackers(problem, found):
        attacker.set(every)
        unsafe += attacker.opened()
    return _conflict(problem, unsafe) if unsafe else None


def _conflict(problem: Problem, unsafe: list[Open]) -> Conflict:
    return conflict(
        problem, {int(i) for o in unsafe for b in (o.high, o.low) for i in np.flatnonzero(b.duals)}
    )


def conflict(problem: Problem, held: Collection[int]) -> Conflict:
    """Return what to say where these cells keep a group open whatever else is withheld."""
    # A withheld cell is in the way, too, where its marker says "not zero".
    outputs = dict.fromkeys(key[0] for key, row in problem.names.items() if row in held)
    outputs = outputs or dict.fromkeys(key[0] for key in problem.names)
    return Conflict(tuple(outputs), tuple(problem.keys[i] for i in sorted(held)))


def _linear(search: Search, effort: Effort) -> float:
    """Solve the relaxation with cuts until no fraction helps; return its bound.

    In large problems, most of them old, the attackers answer half-way to a point known to be
    safe: a cut that is broken there is broken more at the master's own, and it is deeper.
    """
    reach = float(np.maximum(search.found.upper, search.found.width).max(initial=1.0))
    master = linear(search.cuts, search.cost)
    bound, stalled, x = 0.0, 0, search.must.astype(float)
    inner = (search.must | search.free).astype(float)
    old = search.seldom > 1 and 2 * search.problem.free.sum() < len(search.problem.truth)
    for _ in range(effort.lp_rounds):
        x, value = master.solve()
        stalled = stalled + 1 if value < bound + 1e-4 * max(bound, 1) else 0
        bound = max(bound, value)
        between = (x + inner) / 2
        if old and search.opened(between, reach, effort.per_round):
            continue
        inner = between
        if not search.opened(x, reach, effort.per_round) or stalled >= 5:
            break
    search.guide = x
    if search.deep:
        dives(search, effort, reach, _rounded(search, bound))
    else:  # What the fractions touch at all is nearly safe when no fraction helps any more.
        search.keep(search.repair(x > TINY, x, effort.per_round))
    return bound


def _whole(search: Search, effort: Effort, bound: float) -> tuple[float, bool]:
    """Solve whole masters with cuts until one is safe; return the bound and whether it is met."""
    gap, seldom = (LOOSE / 2.5, 3) if search.deep else (LOOSE, 1)
    rounds = -(-effort.mip_rounds // (search.seldom * seldom))
    nodes = min(effort.mip_nodes, effort.dive_nodes) if search.deep else effort.mip_nodes
    for number in range(rounds):
        if _met(search, bound):
            return bound, True
        told = whole(search.cuts, search.cost, gap, nodes)
        bound = max(bound, _rounded(search, told.bound))
        unsafe = search.opened(told.pattern.astype(float), most=effort.per_round)
        # After dives a repair finds nothing better.
        last = number == rounds - 1
        if unsafe and not search.deep and (search.seldom == 1 or last):
            search.keep(search.repair(told.pattern, search.guide, effort.per_round))
        elif not unsafe:
            search.keep(told.pattern)
        if told.stopped or search.price(search.best) * (1 - effort.gap) <= bound:
            break
        gap = gap if unsafe else 0.0
    return bound, _met(search, bound)


def _secret(search: Search, effort: Effort) -> None:
    """Choose among the proven optima by the secret draw, as far as the effort goes."""
    most = search.price(search.best)
    for _ in range(effort.tie_rounds):
        cap = (search.cost, most)
        told = whole(search.cuts, search.secret, 0.0, effort.tie_nodes, cap)
        if told.stopped:
            return
        if not search.opened(told.pattern.astype(float), most=effort.per_round):
            search.best = told.pattern
            return


def _rounded(search: Search, bound: float) -> float:
    even = bool((search.cost == 1).all())
    return float(np.ceil(bound - TINY)) if even else bound


def _met(search: Search, bound: float) -> bool:
    return search.price(search.best) <= _rounded(search, bound) + 1e-7 * max(1.0, bound)


def cuts(attacker: Attacker, o: Open) -> list[tuple[Floats, float]]:
    """Return what must be withheld for an open target: weights of cells, and the least sum.

    With row duals l, the bound is at most the truth, plus what shown intervals and the
    atoms' own bounds give, plus l+ (how far a withheld cell may rise) or l- (may fall).
    """
    found, q = attacker.targets, o.target
    high, base_high = _weights(attacker, o.high)
    low, base_low = _weights(attacker, o.low)
    made = []
    if o.high.value < found.upper[q] - TINY:
        made.append((high, found.upper[q] - found.truth[q] - base_high))
    if o.high.value - o.low.value < found.width[q] - TINY:
        made.append((high + low, found.width[q] - base_high - base_low))
    return [(weights, need) for weights, need in made if need > TINY]


def _weights(attacker: Attacker, bound: Any) -> tuple[Floats, float]:
    problem = attacker.problem
    rise, fall = np.maximum(bound.duals, 0), np.maximum(-bound.duals, 0)
    up = np.minimum(problem.hidden[:, 1] - problem.shown[:, 1], 1e7)
    down = problem.shown[:, 0] - problem.hidden[:, 0]
    weights = np.where(attacker.known, 0.0, rise * up + fall * down)
    base = rise @ (problem.shown[:, 1] - problem.truth) + fall @ (
        problem.truth - problem.shown[:, 0]
    )
    return weights, float(base) + bound.slack


def draws(problem: Problem, draw: bytes) -> Floats:
    """Return a secret number in [0, 1) per cell: rebuilding the optimiser then tells nothing."""
    told = [hashlib.sha256(draw + "\x1f".join(key).encode()).digest()[:6] for key in problem.keys]
    return np.array([int.from_bytes(t, "big") / 2**48 for t in told])
