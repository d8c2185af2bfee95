"""Cells as sums of atoms: all that is or was published, as one matrix over the same atoms.

Inner cells, margins, hierarchies, linked tables, re-cut codes and older releases are its
rows. Two cells with the same atoms are one cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from leap_eval.disclosure import cliques
from leap_eval.disclosure.cliques import Atoms, Clique, Group, Label, Parts
from leap_eval.disclosure.declare import (
    ALL,
    Bools,
    Cube,
    Floats,
    Key,
    Output,
    Release,
    Told,
)  # fmt: skip
from leap_eval.errors import DisclosureError

__all__ = ["ALL", "Bools", "Cube", "Floats", "Key", "Output", "Problem", "Release", "Told"]
FREE, SHOWN, WITHHELD = -1, 0, 1
Own = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Published cells (rows) over atoms (columns), the truth, and what the attacker may see."""

    keys: tuple[Key, ...]  # (release, output, *nodes): the first name of each distinct cell
    names: Mapping[Key, int]  # every cell of the last release, (output, *nodes) -> its row
    cells: Any  # CSR, cells x atoms, 0/1
    truth: Floats  # (cells,)
    shown: Floats  # (cells, 2): the interval a reader has when the cell is shown
    hidden: Floats  # (cells, 2): and when it is withheld
    fixed: NDArray[np.int8]  # FREE, SHOWN or WITHHELD
    few: Bools  # too few families or partners, whatever the count
    weights: Floats  # what withholding costs
    ties: Any  # CSR, facts x atoms: each row sums to 0
    atoms: Floats  # (atoms,) true counts
    groups: tuple[Group, ...]  # of which atoms the groups that could be told consist
    labels: tuple[Label, ...]  # what each atom is
    insiders: Mapping[str, Bools]  # cells a partner knows exactly
    own: Mapping[str, Bools]  # (atoms,) children a partner knows

    @property
    def free(self) -> Bools:
        """Return which cells may be withheld or shown, as the solver chooses."""
        free: Bools = self.fixed == FREE
        return free

    @property
    def exact(self) -> Bools:
        """Return which cells are shown for good, as the number they hold."""
        exact: Bools = (self.fixed == SHOWN) & (self.shown[:, 0] == self.shown[:, 1])
        return exact


@dataclass(slots=True)
class _Rows:
    """Distinct cells, in the order in which they are met."""

    at: dict[bytes, int] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    rows: list[NDArray[np.int32]] = field(default_factory=list)
    told: list[list[Told]] = field(default_factory=list)
    few: list[bool] = field(default_factory=list)
    names: dict[Key, int] = field(default_factory=dict)

    def add(self, key: Key, columns: NDArray[np.int32], told: Told | None, few: bool) -> int:
        """Add a cell or meet it again, with what was told of it, and return its row."""
        row = self.at.setdefault(columns.tobytes(), len(self.keys))
        if row == len(self.keys):
            self.keys.append(key)
            self.rows.append(columns)
            self.told.append([])
            self.few.append(False)
        self.told[row] += [told] if told else []
        self.few[row] |= few
        return row


def collect(
    releases: Sequence[Release],
    marker: float = 1.0,
    zeros: bool = True,
    units: tuple[int, int] = (1, 1),
    insiders: Mapping[str, Own] | None = None,
    always_show: frozenset[Key] = frozenset(),
    secret: frozenset[Key] = frozenset(),
) -> Problem:
    """Collect every cell of every release; the last is to be solved, the others bind.

    `marker` is the least a withheld cell may hold: 1 where `zeros` are shown, for then the
    marker says "not zero". A cell of fewer families, or partners, than `units` is sensitive. Of
    a `secret` cell not even "none" may be told: its marker says nothing.
    """
    for release in releases:
        for output in release.outputs:
            if output.cube not in release.cubes:
                raise DisclosureError(
                    f"{output.id}: has no cube {output.cube}; name one that is read"
                )
            cliques.check(output.cube, release.cubes[output.cube])
    _codes_stay(releases)
    parts = cliques.refine(releases)
    found = cliques.build(releases, parts)
    atoms = cliques.atoms(found)
    rows = _Rows()
    for number in range(len(releases)):
        _release(rows, releases, number, found, atoms, parts, units)
    told = np.concatenate(rows.rows) if rows.rows else np.array([], np.int32)
    ends = np.cumsum([0, *(len(r) for r in rows.rows)])
    shape = (len(rows.keys), len(atoms.count))
    cells = sparse.csr_matrix((np.ones(len(told)), told, ends), shape=shape)
    truth = cells @ atoms.count
    shown, hidden, fixed = _known(rows, truth, marker, zeros)
    fixed[[rows.names[k] for k in sorted(always_show) if k in rows.names]] = SHOWN
    quiet = [
        rows.names[k] for k in sorted(secret) if k in rows.names and not rows.told[rows.names[k]]
    ]
    fixed[quiet], hidden[quiet, 0] = FREE, 0.0
    # Atoms under a shown zero are 0, and everybody knows it.
    kept = np.ones(len(atoms.count), bool)
    kept[cells[np.flatnonzero((fixed == SHOWN) & (shown[:, 1] == 0))].indices] = False
    own = {p: _own(found, atoms, codes, parts) for p, codes in (insiders or {}).items()}
    width = np.flatnonzero(kept)
    return Problem(
        tuple(rows.keys), rows.names, cells[:, width], truth, shown, hidden, fixed,
        np.array(rows.few, bool) & (truth > 0), np.ones(len(truth)),
        _full(cliques.ties(found, atoms)[:, width]), atoms.count[width],
        tuple(cliques.renumbered(g, kept) for g in cliques.groups(found, atoms, parts)),
        cliques.labels(found, atoms, parts, width),
        {p: np.asarray((cells @ ~o) == 0) for p, o in own.items()},
        {p: o[width] for p, o in own.items()},
    )  # fmt: skip


def _full(rows: Any) -> Any:
    return rows[np.flatnonzero(np.diff(rows.tocsr().indptr))]


def _codes_stay(releases: Sequence[Release]) -> None:
    """Refuse a finest code that vanished: it may have been split, and then nothing adds up."""
    last = releases[-1]
    names: dict[tuple[str, str], set[str]] = {}
    for output in last.outputs:
        cube = last.cubes[output.cube]
        for d in cube.dimensions:
            at = names.setdefault((cube.population, d), set(cube.counts[d]))
            at.update(c for told in output.nodes.get(d, {}).values() for c in told)
    for release in releases[:-1]:
        for output in release.outputs:
            cube = release.cubes[output.cube]
            for d, nodes in output.nodes.items():
                now = names.get((cube.population, d))
                old = {c for told in nodes.values() for c in told}
                if now is not None and not old <= now:
                    raise DisclosureError(
                        f"release {release.name}: {d} had a finest code that is no longer named; "
                        "keep it in the code list, or declare a new dimension"
                    )


def _release(
    rows: _Rows,
    releases: Sequence[Release],
    number: int,
    found: Sequence[Clique],
    atoms: Atoms,
    parts: Mapping[tuple[str, str], Parts],
    units: tuple[int, int],
) -> None:
    release, last = releases[number], number == len(releases) - 1
    for output in release.outputs:
        for clique, keys, matrix in _tables(output, release, number, found, parts):
            size = int(np.prod(found[clique].shape))
            within = (matrix @ atoms.incidence(clique, number, size)).tocsr()
            within.sort_indices()
            few = _few(matrix, found[clique], number, units)
            for i, key in enumerate(keys):
                if key in output.skip:
                    continue
                columns = within.indices[within.indptr[i] : within.indptr[i + 1]]
                told = None if last else release.told.get(key)
                row = rows.add((release.name, *key), columns, told, last and bool(few[i]))
                if last:
                    rows.names[key] = row


def _few(matrix: Any, clique: Clique, number: int, units: tuple[int, int]) -> Bools:
    """Tell which cells hold too few families, or partners, whatever the count of children."""
    most = sparse.csr_matrix(matrix).multiply(clique.partners[number]).max(axis=1)
    few = matrix @ clique.families[number] < units[0]
    return np.asarray(few | (most.toarray().ravel() < units[1]), bool)


def _tables(
    output: Output,
    release: Release,
    number: int,
    found: Sequence[Clique],
    parts: Mapping[tuple[str, str], Parts],
) -> list[tuple[int, list[Key], Any]]:
    """Return, per clique the output draws on, its keys and their matrix over the clique."""
    cube = release.cubes[output.cube]
    if unknown := [d for d in output.nodes if d not in cube.dimensions]:
        raise DisclosureError(f"{output.id}: {output.cube} has no dimension {unknown[0]}")
    at = {c.axes[-1][1] if cube.membership else "": i for i, c in enumerate(found)
          if c.cube == output.cube and number in c.counts}  # fmt: skip
    first = next(iter(at))
    members = output.nodes.get(cube.membership, {"": ()}) if cube.membership else {"": ()}
    made = []
    for member, codes in members.items():
        if len(codes) > 1 or (codes and codes[0] not in at):
            raise DisclosureError(f"{output.id}: {member} must be one code that its cube has")
        clique = at[codes[0] if codes else first]
        sides, names = [], []
        for axis, n in zip(found[clique].axes, found[clique].shape, strict=True):
            if axis[1]:
                sides.append(np.array([[0.0, 1.0]]) if codes else np.ones((1, 2)))
                names.append([member])
            elif axis[0] in output.nodes:
                told = output.nodes[axis[0]]
                mask = parts[cube.population, axis[0]].mask
                sides.append(np.array([mask(c) for c in told.values()], float))
                names.append(list(told))
            else:
                sides.append(np.ones((1, n)))
                names.append([""])
        made.append((clique, _keys(output, found[clique], names), cliques.kron(sides)))
    return made


def _keys(output: Output, clique: Clique, names: list[list[str]]) -> list[Key]:
    axes = [a[0] for a in clique.axes]
    mesh = np.array(np.meshgrid(*names, indexing="ij"), object).reshape(len(names), -1).T
    return [(output.id, *(row[axes.index(d)] for d in output.nodes)) for row in mesh]


def _known(
    rows: _Rows, truth: Floats, marker: float, zeros: bool
) -> tuple[Floats, Floats, NDArray[np.int8]]:
    shown = np.stack([truth, truth], axis=1)
    hidden = np.tile(np.array([marker, np.inf]), (len(truth), 1))
    fixed = np.where((truth == 0) & zeros, SHOWN, FREE).astype(np.int8)
    for row, told in enumerate(rows.told):
        if told:
            open_ = [t for t in told if not t.withheld] or told
            low, high = max(t.low for t in told), min(t.high for t in told)
            fixed[row] = WITHHELD if open_ is told and told[0].withheld else SHOWN
            (shown if fixed[row] == SHOWN else hidden)[row] = low, high
            if not low <= truth[row] <= high:
                raise DisclosureError(
                    f"ledger: {'/'.join(rows.keys[row][:2])} contradicts the counts sealed with it"
                )
    return shown, hidden, fixed


def _own(
    found: Sequence[Clique], atoms: Atoms, codes: Own, parts: Mapping[tuple[str, str], Parts]
) -> Bools:
    """Return the atoms a partner knows: children in its own services, or with its own codes."""
    known = np.zeros(len(atoms.count), bool)
    for number, clique in enumerate(found):
        for i, (d, code) in enumerate(clique.axes):
            if d in codes:
                mine = (
                    np.array([False, code in codes[d]])
                    if code
                    else _whole(parts[clique.population, d], codes[d])
                )
                here = np.flatnonzero(atoms.clique == number)
                place = np.unravel_index(atoms.place[here], clique.shape)[i]
                known[here[mine[place]]] = True
    return known


def _whole(parts: Parts, codes: tuple[str, ...]) -> Bools:
    theirs = np.zeros(parts.size, bool)
    theirs[[parts.part[c] for c in codes if c in parts.part]] = True
    # A part that holds another's code too is not theirs alone.
    theirs[[p for c, p in parts.part.items() if c not in codes]] = False
    return theirs
