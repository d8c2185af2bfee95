"""What an evaluator may do about a table that loses much: the smallest coarsening that passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from leap_eval.disclosure import rounding
from leap_eval.disclosure.declare import ALL, Cube, Nodes, Output
from leap_eval.disclosure.rules import Rules, preset

MEMBERSHIP = "service"
COLUMNS = ["output", "withheld", "small_themselves", "to_protect_others", "smallest_coarsening"]


@dataclass(frozen=True, slots=True)
class Coarsening:
    """A coarser table: what to do in words, how many cells it has, and how many are small."""

    words: str
    cells: int
    small: int


def smallest(output: Output, cube: Cube, rules: Rules) -> Coarsening | None:
    """Return the coarser table with the most cells of which none is small, if there is one.

    Steps: the codes with small cells taken together as one (the fewest that will do), then a
    dimension left out. No small cell is what makes a table pass by itself; the joint audit
    still decides when it is declared.
    """
    told = [c for c in _steps(output, cube, rules) if c.small == 0 and c.cells > 0]
    return max(told, key=lambda c: (c.cells, c.words)) if told else None


def _steps(output: Output, cube: Cube, rules: Rules) -> Iterator[Coarsening]:
    for dimension, nodes in output.nodes.items():
        if dimension == MEMBERSHIP:
            continue
        codes = [n for n in nodes if n != ALL]
        worst = sorted(codes, key=lambda n: (_least(output, cube, dimension, n), n))
        for many in range(2, len(codes)):
            merged = {n: nodes[n] for n in codes if n not in worst[:many]}
            merged[f"other_{dimension}"] = tuple(c for n in worst[:many] for c in nodes[n])
            coarser = _counted(output, cube, {**output.nodes, dimension: merged}, rules)
            yield Coarsening(f"take the {many} smallest of {dimension} together", *coarser)
            if coarser[1] == 0:
                break
    plain = [d for d in output.nodes if d != MEMBERSHIP]
    for many in range(1, len(plain) + 1):
        for left in combinations(plain, many):
            rest = {d: n for d, n in output.nodes.items() if d not in left}
            if rest:
                yield Coarsening(
                    f"leave out {', '.join(left)}", *_counted(output, cube, rest, rules)
                )


def _least(output: Output, cube: Cube, dimension: str, node: str) -> float:
    counts = _cells(cube, {**output.nodes, dimension: {node: output.nodes[dimension][node]}})
    return float(counts[counts > 0].min()) if (counts > 0).any() else np.inf


def _counted(output: Output, cube: Cube, nodes: Nodes, rules: Rules) -> tuple[int, int]:
    counts = _cells(cube, nodes)
    return len(counts), int(((counts > 0) & (counts < rules.threshold)).sum())


def _cells(cube: Cube, nodes: Nodes) -> np.ndarray:
    """Return the counts of the inner cells of these nodes."""
    table = cube.counts
    if cube.membership in nodes:
        table = table[table["used"] == "used"]
    elif cube.membership:  # every service splits the same children: one of them counts all
        table = table[table[cube.membership] == table[cube.membership].min()]
    keys = []
    for dimension, told in nodes.items():
        of = {c: n for n, codes in told.items() if n != ALL for c in codes}
        keys.append(table[dimension].map(of))
    sums = table["children"].groupby([k.rename(str(i)) for i, k in enumerate(keys)]).sum()
    return np.asarray(sums, dtype=float)


def table(
    tables: Mapping[str, Sequence[Output]], cubes: Mapping[str, Cube], rules: Rules,
    reasons: Mapping[tuple[str, ...], bool],
) -> pd.DataFrame:  # fmt: skip
    """Return, by declared table, why cells are withheld and what coarser table would pass.

    `reasons` tells of each withheld cell whether it is small itself. For the evaluator alone:
    which cell was withheld for which reason never leaves the room.
    """
    rows = []
    for name, outputs in tables.items():
        ids = {o.id for o in outputs}
        mine = [itself for key, itself in reasons.items() if key[0] in ids]
        found = [smallest(o, cubes[o.cube], rules) for o in outputs] if mine else []
        words = "; ".join(f"{c.words}: {c.cells} cells" for c in found if c)
        rows.append((name, len(mine), sum(mine), len(mine) - sum(mine), words or "none needed"
                     if not mine else words or "none found"))  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def priced(
    failed: Mapping[str, Sequence[Output]], cubes: Mapping[str, Cube], rules: Rules,
    told: Mapping[str, int],
) -> pd.DataFrame:  # fmt: skip
    """Return what each way out of a conflict would show of an output that had to yield.

    `told` holds how many cells of each table the last release showed. A price, not a promise:
    the joint audit decides about whatever is declared next.
    """
    rounds = preset("hes")
    rows = []
    for name, outputs in failed.items():
        counts = [_cells(cubes[o.cube], o.nodes) for o in outputs]
        every = np.concatenate(counts)
        coarser = [smallest(o, cubes[o.cube], rules) for o in outputs]
        shows = {
            "hold": sum(told.get(o.id, 0) for o in outputs),
            "coarsen": sum(c.cells for c in coarser if c),
            "round": int((~rounding.shown(every, rounds).hidden).sum()),
            "withhold": 0,
        }
        rows += [(name, choice, n, len(every)) for choice, n in shows.items()]
    return pd.DataFrame(rows, columns=["output", "choice", "cells_shown", "cells"])
