"""Cells as sums of atoms: everything that is published, and what ties it together.

An atom is a group of children that no published table splits further. Every service
splits the same children into used and not used, so services never add up; wards, groups
and deprivation thirds are margins of the same children, so their totals must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from leap_eval.disclosure.rules import Rules
from leap_eval.errors import DisclosureError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Key = tuple[str, ...]
ALL = "all"


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Published cells (rows) over atoms (columns), the truth, and what else is known."""

    keys: tuple[Key, ...]  # (output, *codes) of each cell
    cells: Any  # CSR, cells x atoms, 0/1
    truth: Floats  # (cells,)
    few_families: Bools  # (cells,)
    equal: Any  # CSR, facts x atoms: each row sums to 0
    targets: Any  # CSR, targets x atoms: groups that must stay unknown
    target_truth: Floats


@dataclass(slots=True)
class Collector:
    """Collects atoms, cells and ties, in the order given."""

    atoms: dict[Key, int] = field(default_factory=dict)
    counts: list[float] = field(default_factory=list)
    families: list[float] = field(default_factory=list)
    cells: dict[Key, list[int]] = field(default_factory=dict)
    ties: list[tuple[list[int], list[int]]] = field(default_factory=list)

    def atom(self, key: Key, children: int, families: int) -> int:
        """Add an atom with its true count."""
        if key in self.atoms:
            raise DisclosureError(
                f"results/cubes/{key[0]}: a row stands twice; mend the stage that made it"
            )
        self.atoms[key] = len(self.counts)
        self.counts.append(float(children))
        self.families.append(float(families))
        return self.atoms[key]

    def cell(self, key: Key, atoms: list[int]) -> None:
        """Publish the sum of some atoms under a key."""
        self.cells[key] = atoms

    def tie(self, left: list[int], right: list[int]) -> None:
        """Tell the attacker that two sums are equal; the truth must agree."""
        if sum(self.counts[i] for i in left) != sum(self.counts[i] for i in right):
            raise DisclosureError(
                "results/cubes: tables of the same children disagree on a total; rerun stage 04"
            )
        self.ties.append((left, right))


def reach(into: Collector, cube: pd.DataFrame, by: str, output: str, totals: str) -> None:
    """Add a table of one dimension by service, its totals by code (`totals`), and its margins."""
    _whole(cube, (by, "service", "used"))
    services = sorted(cube["service"].unique())
    codes = sorted(cube[by].unique())
    told = {
        (r[0], r[1], r[2]): (r[3], r[4])
        for r in cube[[by, "service", "used", "children", "families"]].itertuples(index=False)
    }
    at: dict[tuple[str, str, str], int] = {}
    for service in services:
        for code in codes:
            for used in ("used", "not_used"):
                children, families = told.get((code, service, used), (0, 0))
                at[code, service, used] = into.atom(
                    (output, code, service, used), children, families
                )
    for code in codes:
        whole = [at[code, services[0], u] for u in ("used", "not_used")]
        into.cell((totals, code) if totals != output else (output, code, ALL), whole)
        for service in services[1:]:
            into.tie(whole, [at[code, service, u] for u in ("used", "not_used")])
    for service in services:
        for code in codes:
            into.cell((output, code, service), [at[code, service, "used"]])
        into.cell((output, ALL, service), [at[code, service, "used"] for code in codes])


def align(into: Collector, outputs: tuple[str, ...], services: tuple[str, ...]) -> None:
    """Tie the margins of several reach tables: all count the same children."""
    first, *rest = outputs
    for service in services:
        for used in ("used", "not_used"):
            left = [i for k, i in into.atoms.items() if k[0] == first and k[2:] == (service, used)]
            for other in rest:
                right = [
                    i for k, i in into.atoms.items() if k[0] == other and k[2:] == (service, used)
                ]
                into.tie(left, right)


def counts(into: Collector, cube: pd.DataFrame, dimension: str, output: str) -> None:
    """Add a one-way table of counts."""
    _whole(cube, (dimension,))
    for code, children, families in cube[[dimension, "children", "families"]].itertuples(
        index=False
    ):
        into.cell(
            (output, str(code)), [into.atom((output, str(code)), int(children), int(families))]
        )


def _whole(cube: pd.DataFrame, dimensions: tuple[str, ...]) -> None:
    if missing := [d for d in dimensions if d not in cube]:
        raise DisclosureError(
            f"results/cubes: dimension {missing[0]} is not there; rerun its stage"
        )
    if (cube["children"] < 0).any() or (cube["children"] % 1 != 0).any():
        raise DisclosureError(
            "results/cubes: children must be whole and 0 or more; rerun its stage"
        )


def problem(into: Collector, rules: Rules) -> Problem:
    """Close the collection: cells, ties, and every group that must stay unknown."""
    width = len(into.counts)
    truth_atoms = np.array(into.counts)
    cells = _matrix([(list(a), ()) for a in into.cells.values()], width)
    families = cells @ np.array(into.families)
    truth = cells @ truth_atoms
    equal = _matrix(into.ties, width)
    small = (truth > 0) & ((truth < rules.threshold) | (families < rules.families))
    hidden = (truth_atoms > 0) & (truth_atoms < rules.threshold)
    targets = sparse.vstack(
        [cells[np.flatnonzero(small)], sparse.identity(width, format="csr")[np.flatnonzero(hidden)]]
    )
    targets = _distinct(targets.tocsr())
    return Problem(
        tuple(into.cells),
        cells,
        truth,
        small & (truth >= rules.threshold),
        equal,
        targets,
        targets @ truth_atoms,
    )


def _matrix(rows: Any, width: int) -> Any:
    entries = [
        (r, c, s)
        for r, (plus, minus) in enumerate(rows)
        for group, s in ((plus, 1.0), (minus, -1.0))
        for c in group
    ]
    if not entries:
        return sparse.csr_matrix((len(rows), width))
    r, c, v = zip(*entries, strict=True)
    return sparse.csr_matrix((v, (r, c)), shape=(len(rows), width))


def _distinct(rows: Any) -> Any:
    seen: dict[bytes, int] = {}
    for i in range(rows.shape[0]):
        seen.setdefault(rows[i].indices.tobytes(), i)
    return rows[sorted(seen.values())]


def sensitive(found: Problem, rules: Rules) -> Bools:
    """Return which cells are withheld for themselves (primary suppression)."""
    small: Bools = (found.truth > 0) & (found.truth < rules.threshold)
    return small | found.few_families


def collected(cubes: Mapping[str, pd.DataFrame]) -> Collector:
    """Collect the tables of this programme's release from its cubes."""
    into = Collector()
    reach(into, cubes["reach"], "ward", "reach", "reach-ward")
    reach(into, cubes["reach_group"], "ethnicity_group5", "reach-group", "reach-group")
    reach(into, cubes["reach_imd"], "imd_third", "reach-imd", "reach-imd")
    services = tuple(sorted(cubes["reach"]["service"].unique()))
    align(into, ("reach", "reach-group", "reach-imd"), services)
    counts(into, cubes["flow"], "step", "flow")
    for trial, cube in cubes["combinations"].groupby("trial"):
        counts(into, cube, "combination", f"combinations-{trial}")
    return into
