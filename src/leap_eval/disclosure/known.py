"""What a page tells of each cell under the rules: exact, rounded, hidden, or a class of people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from leap_eval.disclosure import magnitude, rounding, targets
from leap_eval.disclosure.cells import ALL, FREE, SHOWN, WITHHELD, Problem
from leap_eval.disclosure.declare import Key, Output
from leap_eval.disclosure.rules import Rules
from leap_eval.disclosure.targets import Need, Targets

MEMBERSHIP = "service"


def need(rules: Rules) -> Need:
    """Return how small is sensitive and what an attacker's interval must keep."""
    return Need(rules.threshold, rules.upper, rules.width)


def rounded(problem: Problem, rules: Rules) -> Problem:
    """Return the problem with every new cell as the rules round it; older ones stay as told."""
    if rules.rounding is None:
        return problem
    told = rounding.shown(problem.truth, rules)
    new = problem.fixed == FREE
    fixed = problem.fixed.copy()
    # Rounding hides by itself: a small count it shows is shown, one it hides stays hidden.
    fixed[new & ~told.hidden & (problem.truth < rules.threshold)] = SHOWN
    fixed[new & told.hidden] = WITHHELD
    shown = np.stack([told.low, told.high], axis=1)
    # A large cell withheld by repair is no small one, and a keen attacker may know which is which.
    hidden = np.where(told.hidden[:, None], np.array(rules.marker), [rules.threshold, np.inf])
    return replace(
        problem,
        shown=np.where(new[:, None], shown, problem.shown),
        hidden=np.where(new[:, None], hidden, problem.hidden),
        fixed=fixed,
    )


def summed(problem: Problem, rules: Rules, outputs: Sequence[Output]) -> Problem:
    """Return the problem with totals that are sums of rounded cells (preset `opensafely`).

    Such a total tells nothing that its cells do not. Where a part is hidden it is hidden too:
    a total of the shown parts would look like one of all.
    """
    shown, hidden, fixed = problem.shown.copy(), problem.hidden.copy(), problem.fixed.copy()
    for row, parts in _totals(problem, rules, outputs):
        shown[row] = problem.shown[parts].sum(axis=0)
        hidden[row] = 0.0, np.inf
        fixed[row] = WITHHELD if (problem.fixed[parts] == WITHHELD).any() else FREE
    return replace(problem, shown=shown, hidden=hidden, fixed=fixed)


def sums(problem: Problem, rules: Rules, outputs: Sequence[Output]) -> dict[int, str]:
    """Return the text of every total that is a sum of rounded cells, by its row."""
    texts = rounding.shown(problem.truth, rules).text
    totals = _totals(problem, rules, outputs)
    return {row: str(sum(int(texts[i] or 0) for i in parts)) for row, parts in totals}


def _totals(
    problem: Problem, rules: Rules, outputs: Sequence[Output]
) -> Iterator[tuple[int, list[int]]]:
    if rules.preset != "opensafely":
        return
    for output in outputs:
        for key in (k for k in output.keys() if ALL in k[1:]):  # noqa: SIM118 - Output's method
            parts = [problem.names[k] for k in _inside(key, output) if k in problem.names]
            if len(parts) > 1 and problem.truth[problem.names[key]] > 0:
                yield problem.names[key], parts


def _inside(key: Key, output: Output) -> list[Key]:
    """Return the inner cells a margin sums; services overlap, so nothing sums over them."""
    sides = [
        [n for n in nodes if n != ALL] if code == ALL else [code]
        for nodes, code in zip(output.nodes.values(), key[1:], strict=True)
    ]
    overlap = dict(zip(output.nodes, key[1:], strict=True)).get(MEMBERSHIP) == ALL
    return [] if overlap else [(key[0], *codes) for codes in product(*sides)]


def weighted(problem: Problem, rules: Rules) -> Problem:
    """Return the problem with what withholding each cell costs, margins apart."""
    said, n = rules.weights, np.maximum(problem.truth, 1)
    cost = {"one": np.ones(len(n)), "log": np.log1p(n), "count": n}[said.cell]
    margin = np.array([ALL in key[2:] for key in problem.keys], bool)
    return replace(problem, weights=np.where(margin, said.margin, 1.0) * cost)


def secret(outputs: Sequence[Output], rules: Rules) -> Iterator[Key]:
    """Yield the cells of sensitive classes: of them even a zero tells something of everybody."""
    said = rules.class_disclosure
    for output in outputs:
        for key in output.keys():  # noqa: SIM118 - a method of Output, not of a mapping
            pairs = list(zip(output.nodes, key[1:], strict=True))
            if any(
                c in said.services if d == MEMBERSHIP else d in said.dimensions for d, c in pairs
            ):
                yield key


def class_cells(
    problem: Problem, rules: Rules, outputs: Sequence[Output]
) -> tuple[Problem, Targets | None]:
    """Return the problem with all-or-none cells of sensitive classes hidden, and as targets.

    Zeros of such a class are hidden like small counts, so that its marker tells nothing.
    """
    everyone = {o.id: next(iter(o.nodes), "") for o in outputs}
    pairs = []
    for key in secret(outputs, rules):
        beside = [(key[0], key[1], ALL), (f"{key[0]}-{everyone[key[0]]}", key[1])]
        whole = next((problem.names[k] for k in beside if k in problem.names), None)
        if whole is not None and len(key) == 3:
            pairs.append((problem.names[key], whole))
    if not pairs:
        return problem, None
    part, every = np.array(pairs).T
    hit = magnitude.classes(problem.truth[part], problem.truth[every], rules)
    new = problem.fixed[part] == FREE
    rows = np.unique(part[hit & new & (problem.truth[every] > 0)])
    hidden, fixed = problem.hidden.copy(), problem.fixed.copy()
    hidden[part[new], 0] = 0.0
    fixed[rows] = WITHHELD
    wide = np.full(len(rows), float(rules.width))
    truth = problem.truth[rows]
    more = Targets(problem.cells[rows], truth, truth, wide, ("class",) * len(rows))
    return replace(problem, hidden=hidden, fixed=fixed), more


def joined(first: Targets, more: Targets | None) -> Targets:
    """Return both sets of targets as one."""
    return first if more is None or not len(more) else targets.add(first, more)
