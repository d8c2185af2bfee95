"""Complementary suppression: as few cells more as make every target safe.

Benders' decomposition with the cuts of Fischetti and Salazar-Gonzalez (2001): a master
chooses what to withhold, the attacker answers with a cut for every target it can pin
down. When the counted effort is spent, what is open is repaired cell by cell. The same
audit decides, whatever the method.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import highspy
import numpy as np

from leap_eval.disclosure.attack import Attacker, Open, audit, quiet
from leap_eval.disclosure.cells import Bools, Floats, Problem, sensitive
from leap_eval.disclosure.rules import Rules
from leap_eval.errors import DisclosureError
from leap_eval.pipeline import track


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """What is withheld, how it was found, and how far from the best it may be."""

    withheld: Bools
    primary: Bools
    targets: int
    method: str  # optimal | within_gap | repaired
    bound: float


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    weights: Floats  # (cells,)
    need: float


def suppress(found: Problem, rules: Rules, draw: bytes) -> Pattern:
    """Return a pattern under which no target is open, or raise: an unsafe one never leaves here."""
    attacker = Attacker(found)
    primary = sensitive(found, rules)
    free = (found.truth > 0) & ~primary
    cost = 1 + _draws(found, draw) / (2 * max(len(found.keys), 1))
    cuts: list[_Cut] = []
    withheld, bound = primary.copy(), float(primary.sum())
    for _ in track(range(rules.effort.rounds), "rounds of suppression"):
        unsafe = audit(attacker, found, withheld, rules)
        if not unsafe:
            method = "optimal" if not cuts or rules.effort.gap == 0 else "within_gap"
            kept = _pruned(attacker, found, withheld & ~primary, primary, rules)
            return Pattern(kept, primary, found.targets.shape[0], method, bound)
        cuts += [cut for o in unsafe for cut in _cuts(found, o, rules)]
        withheld, bound = _master(cuts, primary, free, cost, rules)
    repaired = _repaired(attacker, found, withheld, free, rules)
    return Pattern(repaired, primary, found.targets.shape[0], "repaired", bound)


def _draws(found: Problem, draw: bytes) -> Floats:
    # A secret choice among equally good patterns: rebuilding the optimiser tells nothing.
    told = [hashlib.sha256(draw + "\x1f".join(key).encode()).digest()[:6] for key in found.keys]
    return np.array([int.from_bytes(t, "big") / 2**48 for t in told])


def _cuts(found: Problem, o: Open, rules: Rules) -> list[_Cut]:
    made = []
    if o.high.value < rules.upper - 1e-6:
        made.append(_cut(found, o.high.duals, rules.upper))
    if o.high.value - o.low.value < rules.width - 1e-6:
        made.append(_cut(found, o.high.duals, rules.width, o.low.duals))
    return made


def _cut(found: Problem, duals: Floats, need: float, others: Floats | None = None) -> _Cut:
    """Return what must be withheld for a bound to move: sum of weights over withheld cells >= need.

    With row duals l, the bound is at most the sum of l x truth plus, for each withheld
    cell, l+ x (how far it may rise) or l- x (how far it may fall).
    """
    weights, base = np.zeros(len(found.truth)), 0.0
    for side in (duals, others) if others is not None else (duals,):
        rise, fall = np.maximum(side, 0), np.maximum(-side, 0)
        weights += rise * 1e6 + fall * np.maximum(found.truth - 1, 0)
        base += float(side @ found.truth)
    left = max(need - base, 1e-6)
    return _Cut(np.minimum(np.where(weights > 1e-9, weights, 0) / left, 1.0), 1.0)


def _master(
    cuts: list[_Cut], primary: Bools, free: Bools, cost: Floats, rules: Rules
) -> tuple[Bools, float]:
    """Return the cheapest pattern that meets every cut so far, and a bound on its cost."""
    columns = np.flatnonzero(free)
    rows = [(c.weights[columns], c.need - float(c.weights[primary].sum())) for c in cuts]
    rows = [(w, need) for w, need in rows if need > 1e-9]
    solver = quiet()
    solver.setOptionValue("mip_rel_gap", rules.effort.gap)
    solver.setOptionValue("mip_max_nodes", rules.effort.nodes)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(columns), len(rows)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = (
        cost[columns],
        np.zeros(len(columns)),
        np.ones(len(columns)),
    )
    lp.integrality_ = [highspy.HighsVarType.kInteger] * len(columns)
    lp.row_lower_ = np.array([need for _, need in rows])
    lp.row_upper_ = np.full(len(rows), highspy.kHighsInf)
    places = [np.flatnonzero(w > 0) for w, _ in rows]
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum([len(p) for p in places])]).astype(
        np.int32
    )
    lp.a_matrix_.index_ = np.concatenate([*places, np.array([], int)]).astype(np.int32)
    lp.a_matrix_.value_ = np.concatenate(
        [*(w[p] for (w, _), p in zip(rows, places, strict=True)), []]
    )
    solver.passModel(lp)
    solver.run()
    chosen = np.array(solver.getSolution().col_value)
    if len(chosen) != len(columns) or not len(columns):
        raise DisclosureError(
            "disclosure: no pattern can protect these tables; leave one of them out"
        )
    withheld = primary.copy()
    withheld[columns[chosen > 0.5]] = True
    return withheld, float(primary.sum()) + float(solver.getInfo().mip_dual_bound)


def _repaired(
    attacker: Attacker, found: Problem, withheld: Bools, free: Bools, rules: Rules
) -> Bools:
    """Withhold what open targets ask for most, cell by cell; then show again what is not needed."""
    kept = withheld.copy()
    for _ in range(int(free.sum()) + 1):
        unsafe = audit(attacker, found, kept, rules)
        if not unsafe:
            return _pruned(attacker, found, kept & free, kept & ~free, rules)
        wishes = sum(
            (c.weights for o in unsafe for c in _cuts(found, o, rules)), np.zeros(len(kept))
        )
        wishes[kept | ~free] = -1
        if wishes.max() <= 0:
            break
        kept[int(np.argmax(np.round(wishes, 9)))] = True
    raise DisclosureError("disclosure: no pattern can protect these tables; leave one of them out")


def _pruned(
    attacker: Attacker, found: Problem, secondary: Bools, primary: Bools, rules: Rules
) -> Bools:
    """Show again, largest first, every secondary cell without which all stays safe."""
    kept = secondary | primary
    order = sorted(np.flatnonzero(secondary), key=lambda i: (-found.truth[i], i))
    for place in order:
        without = kept.copy()
        without[place] = False
        if not audit(attacker, found, without, rules):
            kept = without
    return kept
