"""What must stay unknown: every group of 1 to threshold - 1 children that the data could betray.

Published or never published: crosses of refined codes, published nodes, and differences of
nested nodes, in a release, joined since another, or left before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from leap_eval.disclosure.cells import SHOWN, Problem
from leap_eval.disclosure.cliques import Group
from leap_eval.disclosure.declare import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Need:
    """How small is sensitive, and how far the attacker's interval must reach and spread."""

    threshold: int = 10
    upper: int = 10
    width: int = 10


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Groups (rows) over atoms, their truth, and what the attacker's interval must keep."""

    rows: Any  # CSR, targets x atoms
    truth: Floats
    upper: Floats
    width: Floats
    why: tuple[str, ...]  # "cell", "group", "families", "class" ...

    def __len__(self) -> int:
        """Return the number of targets."""
        return len(self.truth)


def primary(problem: Problem, need: Need) -> Bools:
    """Return which cells are withheld for themselves."""
    small = (problem.truth > 0) & (problem.truth < need.threshold)
    sensitive: Bools = (small | problem.few) & (problem.fixed != SHOWN)
    return sensitive


def targets(problem: Problem, need: Need, groups: bool = True) -> Targets:
    """Return all that must stay unknown; without `groups`, the published cells alone."""
    small = np.flatnonzero((problem.truth > 0) & (problem.truth < need.threshold))
    told = [problem.cells[small]]
    if groups:
        told += [_small(g, problem.atoms, need.threshold) for g in problem.groups]
    few = np.flatnonzero(problem.few & (problem.truth >= need.threshold))
    rows, why = _distinct(sparse.vstack([problem.cells[few], *told]).tocsr(), len(few), len(small))
    return named(rows, problem.atoms, need, why)


def named(rows: Any, atoms: Floats, need: Need, why: tuple[str, ...] = ()) -> Targets:
    """Return groups (rows over atoms) as targets; without `why`, all are "group"."""
    truth = rows @ atoms
    upper = np.maximum(np.full(len(truth), float(need.upper)), truth)
    width = np.full(len(truth), float(need.width))
    return Targets(rows, truth, upper, width, why or ("group",) * len(truth))


def add(found: Targets, more: Targets) -> Targets:
    """Return both sets of targets as one."""
    return Targets(
        sparse.vstack([found.rows, more.rows]).tocsr(),
        np.concatenate([found.truth, more.truth]),
        np.concatenate([found.upper, more.upper]),
        np.concatenate([found.width, more.width]),
        (*found.why, *more.why),
    )


def some(found: Targets, which: Bools) -> Targets:
    """Return those targets that are wanted."""
    at = np.flatnonzero(which)
    why = tuple(found.why[i] for i in at.tolist())
    return Targets(found.rows[at], found.truth[at], found.upper[at], found.width[at], why)


def _small(group: Group, atoms: Floats, threshold: int) -> Any:
    """Return the group's small sums over crosses of its sets, a row each."""
    shape = tuple(s.shape[1] for s in group.sets)
    counts = np.zeros(int(np.prod(shape)))
    np.add.at(counts, group.place, atoms[group.atoms])
    sums = crossed(group.sets, counts)
    small = np.argwhere((sums > 0) & (sums < threshold))
    places = [np.unravel_index(group.place, shape)] if len(small) else []
    rows = [_members(group, places[0], chosen) for chosen in small]
    ends = np.cumsum([0, *(len(r) for r in rows)])
    told = np.concatenate([*rows, np.array([], np.int64)])
    return sparse.csr_matrix((np.ones(len(told)), told, ends), shape=(len(rows), len(atoms)))


def crossed(sets: Sequence[Bools], counts: Any) -> Any:
    """Return the sums over every cross of sets, a dimension each."""
    sums = counts.reshape(tuple(s.shape[1] for s in sets))
    for axis, told in enumerate(sets):
        sums = np.moveaxis(np.tensordot(told.astype(float), sums, (1, axis)), 0, axis)
    return sums


def _members(group: Group, places: tuple[Ints, ...], chosen: Ints) -> Ints:
    inside = np.ones(len(group.atoms), bool)
    for sets, place, i in zip(group.sets, places, chosen, strict=True):
        inside &= sets[i][place]
    return np.sort(group.atoms[inside])


def _distinct(rows: Any, few: int, cells: int) -> tuple[Any, tuple[str, ...]]:
    seen: dict[bytes, int] = {}
    for i in range(rows.shape[0]):
        seen.setdefault(np.sort(rows.indices[rows.indptr[i] : rows.indptr[i + 1]]).tobytes(), i)
    kept = list(seen.values())
    why = ("families" if i < few else "cell" if i < few + cells else "group" for i in kept)
    return rows[kept], tuple(why)
