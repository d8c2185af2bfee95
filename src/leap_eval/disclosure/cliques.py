"""Atoms: the finest groups of children that anything published, in any release, tells apart.

Each cube is a clique of dimensions; a membership dimension makes one clique per code,
because every service splits the same children into used and not used. Cliques that share
dimensions are tied by the margin they share, in every release both stand in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np
from scipy import sparse

from leap_eval.disclosure.declare import Bools, Cube, Floats, Ints, Release
from leap_eval.errors import DisclosureError

Axis = tuple[str, str]  # (dimension, "") or (membership dimension, one of its codes)
USED = ("not_used", "used")
MANY = 1e6  # partners, where a cube does not tell them
BOTH = np.array([[1, 0], [0, 1], [1, 1]], bool)
# Cube, service, the finest codes by dimension, used or not, first and last release.
Label = tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...], str, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A dimension after common refinement: codes nobody ever tells apart share a part."""

    part: dict[str, int]
    sets: Bools  # (sets, parts): single parts, published nodes, differences of nested nodes

    @property
    def size(self) -> int:
        """Return the number of parts."""
        return int(self.sets.shape[1])

    def mask(self, codes: tuple[str, ...]) -> Bools:
        """Return which parts a node covers; no codes means every part."""
        found = np.zeros(self.size, bool)
        found[[self.part[c] for c in codes] if codes else slice(None)] = True
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Clique:
    """The counts of one cube (or one service of it) by release, over refined parts."""

    cube: str
    population: str
    axes: tuple[Axis, ...]
    shape: tuple[int, ...]
    counts: dict[int, Floats]  # release -> (cells,)
    families: dict[int, Floats]
    partners: dict[int, Floats]  # the most that any finest code's children come from


@dataclass(frozen=True, slots=True, eq=False)
class Atoms:
    """One row per atom: its clique, its place in it, the releases it was in, its true count."""

    clique: Ints
    place: Ints
    start: Ints
    stop: Ints
    count: Floats

    def present(self, clique: int, release: int) -> Bools:
        """Return which atoms of a clique are counted in a release."""
        here: Bools = (self.clique == clique) & (self.start <= release) & (release <= self.stop)
        return here

    def incidence(self, clique: int, release: int, cells: int) -> Any:
        """Return the matrix from the atoms to the clique's cells in one release."""
        here = np.flatnonzero(self.present(clique, release))
        told = (np.ones(len(here)), (self.place[here], here))
        return sparse.csr_matrix(told, shape=(cells, len(self.count)))


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Children of one clique with one kind of presence, and the sets a reader may think in."""

    atoms: Ints
    place: Ints
    sets: tuple[Bools, ...]


def check(name: str, cube: Cube) -> None:
    """Refuse a cube that cannot be counts of children, by its name."""
    columns = [*cube.dimensions, *(["used"] if cube.membership else [])]
    if missing := [c for c in (*columns, "children") if c not in cube.counts]:
        raise DisclosureError(f"results/cubes/{name}: {missing[0]} is not there; rerun its stage")
    told = cube.counts["children"].to_numpy(float)
    if not (np.isfinite(told) & (told >= 0) & (told % 1 == 0)).all():
        raise DisclosureError(
            f"results/cubes/{name}: children must be whole and 0 or more; rerun its stage"
        )
    if cube.counts.duplicated(columns).any():
        raise DisclosureError(
            f"results/cubes/{name}: a row stands twice; mend the stage that made it"
        )


def refine(releases: Sequence[Release]) -> dict[tuple[str, str], Parts]:
    """Return the common refinement of every dimension over all outputs of all releases."""
    codes: dict[tuple[str, str], set[str]] = {}
    nodes: dict[tuple[str, str], list[frozenset[str]]] = {}
    for release in releases:
        for cube in release.cubes.values():
            for d in cube.dimensions:
                if d != cube.membership:
                    codes.setdefault((cube.population, d), set()).update(cube.counts[d])
        for output in release.outputs:
            cube = release.cubes[output.cube]
            for d, named in output.nodes.items():
                if d != cube.membership:
                    at = (cube.population, d)
                    codes[at].update(c for told in named.values() for c in told)
                    nodes.setdefault(at, []).extend(frozenset(n) for n in named.values() if n)
    return {at: _parts(sorted(codes[at]), nodes.get(at, [])) for at in codes}


def _parts(codes: list[str], nodes: list[frozenset[str]]) -> Parts:
    distinct = list(dict.fromkeys(nodes))
    signs: dict[tuple[bool, ...], int] = {}
    part = {c: signs.setdefault(tuple(c in n for n in distinct), len(signs)) for c in codes}
    told = [np.ones(len(signs), bool)]
    for node in distinct:
        mask = np.zeros(len(signs), bool)
        mask[[part[c] for c in node]] = True
        told.append(mask)
    inside = [a & ~b for a in told for b in told if (b & ~a).sum() == 0]
    sets = [*np.eye(len(signs), dtype=bool), *told, *inside]
    kept = {s.tobytes(): s for s in sets if s.any()}
    return Parts(part, np.array(list(kept.values())))


def build(releases: Sequence[Release], parts: dict[tuple[str, str], Parts]) -> list[Clique]:
    """Return the cliques of all releases, in the order in which they first appear."""
    found: dict[tuple[str, str], Clique] = {}
    for number, release in enumerate(releases):
        for name in sorted({o.cube for o in release.outputs}):
            for code, axes, *told in _split(release.cubes[name], parts):
                shape = tuple(_size(release.cubes[name].population, a, parts) for a in axes)
                clique = found.setdefault(
                    (name, code),
                    Clique(name, release.cubes[name].population, axes, shape, {}, {}, {}),
                )
                if clique.axes != axes:
                    raise DisclosureError(
                        f"results/cubes/{name}: its dimensions differ from an earlier release's; "
                        "give the cube a new name"
                    )
                for kept, sums in zip(
                    (clique.counts, clique.families, clique.partners), told, strict=True
                ):
                    kept[number] = sums
    return list(found.values())


def _size(population: str, axis: Axis, parts: dict[tuple[str, str], Parts]) -> int:
    return 2 if axis[1] else parts[population, axis[0]].size


def _split(
    cube: Cube, parts: dict[tuple[str, str], Parts]
) -> Iterator[tuple[str, tuple[Axis, ...], Floats, Floats, Floats]]:
    table, member = cube.counts, cube.membership
    told = table["children"].to_numpy(float)
    plain = [d for d in cube.dimensions if d != member]
    at = [table[d].map(parts[cube.population, d].part).to_numpy(int) for d in plain]
    sizes = [parts[cube.population, d].size for d in plain]
    weights = [told, (table["families"] if "families" in table else table["children"]).to_numpy()]
    partners = (
        table["partners"].to_numpy(float) if "partners" in table else np.full(len(told), MANY)
    )
    rest: list[Axis] = [(d, "") for d in plain]
    for code in sorted(table[member].unique()) if member else [""]:
        rows = (table[member] == code).to_numpy() if member else np.ones(len(table), bool)
        places, shape, axes = list(at), list(sizes), list(rest)
        if member:
            places.append(table["used"].map({u: i for i, u in enumerate(USED)}).to_numpy(int))
            shape.append(2)
            axes.append((member, code))
        flat = np.ravel_multi_index([p[rows] for p in places], shape) if places else 0
        sums = [np.bincount(flat, w[rows], int(np.prod(shape))).astype(float) for w in weights]
        most = np.zeros(int(np.prod(shape)))
        np.maximum.at(most, flat, partners[rows])
        yield code, tuple(axes), sums[0], sums[1], most


def atoms(cliques: Sequence[Clique]) -> Atoms:
    """Cut every count into presence intervals: a rise opens one, a fall closes the youngest."""
    made: list[tuple[int, int, int, int, float]] = []
    for number, clique in enumerate(cliques):
        releases = sorted(clique.counts)
        told = np.array([clique.counts[r] for r in releases])
        for place in range(told.shape[1]):
            cut = _intervals(told[:, place])
            made += [(number, place, releases[a], releases[b], n) for a, b, n in cut]
    clique_, place_, start, stop, count = (np.array(c) for c in zip(*made, strict=True))
    return Atoms(clique_, place_, start, stop, count.astype(float))


def _intervals(counts: Floats) -> list[tuple[int, int, float]]:
    """Return (from, to, children), with whoever was there all the time first, even if nobody."""
    last = len(counts) - 1
    stayed = float(counts.min())
    if stayed == counts.max():
        return [(0, last, stayed)]
    made = [(0, last, stayed)]
    open_: list[list[float]] = []
    before = stayed
    for release, count in enumerate(counts):
        if count > before:
            open_.append([release, count - before])
        while count < before:
            gone = min(open_[-1][1], before - count)
            made.append((int(open_[-1][0]), release - 1, gone))
            open_[-1][1] -= gone
            before -= gone
            if open_[-1][1] == 0:
                open_.pop()
        before = float(count)
    return made + [(int(start), last, n) for start, n in open_]


def ties(cliques: Sequence[Clique], found: Atoms) -> Any:
    """Return the margins cliques share, a row per shared cell and release: each sums to 0.

    Pairs with the widest overlap are tied first; a pair whose overlap is carried along a
    chain of tied cliques already needs no tie of its own.
    """
    overlap = {
        (a, b): frozenset(cliques[a].axes) & frozenset(cliques[b].axes)
        for a, b in combinations(range(len(cliques)), 2)
        if cliques[a].population == cliques[b].population
    }
    tied: list[tuple[int, int]] = []
    rows: list[Any] = []
    for a, b in sorted(overlap, key=lambda pair: (-len(overlap[pair]), pair)):
        shared = sorted(overlap[a, b])
        told = sorted(set(cliques[a].counts) & set(cliques[b].counts))
        if told and not _carried(cliques, tied, a, b, overlap[a, b]):
            tied.append((a, b))
            for release in told:
                sides = [
                    _margin(cliques[c], shared)
                    @ found.incidence(c, release, int(np.prod(cliques[c].shape)))
                    for c in (a, b)
                ]
                rows.append(sides[0] - sides[1])
    if not rows:
        return sparse.csr_matrix((0, len(found.count)))
    whole = sparse.vstack(rows).tocsr()
    if np.abs(whole @ found.count).max(initial=0) > 0:
        raise DisclosureError(
            "results/cubes: tables of the same children disagree on a total; rerun stage 04"
        )
    whole.eliminate_zeros()
    return distinct(whole[np.flatnonzero(np.diff(whole.indptr))])


def _carried(
    cliques: Sequence[Clique], tied: list[tuple[int, int]], a: int, b: int, axes: frozenset[Axis]
) -> bool:
    """Tell whether a chain of ties, all over `axes` and all releases of both, joins a and b."""
    releases = set(cliques[a].counts) & set(cliques[b].counts)
    able = {
        i for i, c in enumerate(cliques) if axes <= set(c.axes) and releases <= set(c.counts)
        and c.population == cliques[a].population
    }  # fmt: skip
    reached, more = {a}, True
    while more:
        step = {y for x, y in tied if x in reached and y in able}
        step |= {x for x, y in tied if y in reached and x in able}
        more = not step <= reached
        reached |= step
    return b in reached


def _margin(clique: Clique, axes: Sequence[Axis]) -> Any:
    sides = [
        sparse.identity(n) if a in axes else sparse.csr_matrix(np.ones((1, n)))
        for a, n in zip(clique.axes, clique.shape, strict=True)
    ]
    # Shared axes stand in each clique's own order; sort the rows to a common one.
    kept = [i for i, a in enumerate(clique.axes) if a in axes]
    shape = [clique.shape[i] for i in kept]
    order = [kept.index(clique.axes.index(a)) for a in axes]
    rows = np.arange(int(np.prod(shape))).reshape(shape).transpose(order).ravel()
    return kron(sides)[rows]


def kron(sides: Sequence[Any]) -> Any:
    """Return the Kronecker product of the sides, in order."""
    return reduce(lambda a, b: sparse.kron(a, b, format="csr"), sides, sparse.identity(1)).tocsr()


def distinct(rows: Any) -> Any:
    """Return the rows without repeats, in order."""
    seen: dict[bytes, int] = {}
    for i in range(rows.shape[0]):
        at = slice(rows.indptr[i], rows.indptr[i + 1])
        seen.setdefault(rows.indices[at].tobytes() + rows.data[at].tobytes(), i)
    return rows[list(seen.values())]


def groups(
    cliques: Sequence[Clique], found: Atoms, parts: dict[tuple[str, str], Parts]
) -> Iterator[Group]:
    """Yield, per clique and kind of presence, the atoms a reader may single out.

    Kinds of presence: in release r; in r and not in s (joined, left); one exact interval.
    """
    for number, clique in enumerate(cliques):
        here = found.clique == number
        sets = tuple(
            np.array([[1, 0], [0, 1], [1, 1]], bool)
            if a[1]
            else parts[clique.population, a[0]].sets
            for a in clique.axes
        )
        within = {r: found.present(number, r) for r in sorted(clique.counts)}
        kinds = list(within.values())
        kinds += [a & ~b for a in within.values() for b in within.values() if a is not b]
        spans = sorted(set(zip(found.start[here], found.stop[here], strict=True)))
        kinds += [here & (found.start == a) & (found.stop == b) for a, b in spans]
        for kind in {k.tobytes(): k for k in kinds if k.any()}.values():
            at = np.flatnonzero(kind)
            yield Group(at, found.place[at], sets)


def labels(
    cliques: Sequence[Clique], found: Atoms, parts: dict[tuple[str, str], Parts], at: Ints
) -> tuple[Label, ...]:
    """Return what each atom is, so that a stranger can rebuild every cell from labels alone."""
    inside = {
        axis: [tuple(sorted(c for c, p in told.part.items() if p == i)) for i in range(told.size)]
        for axis, told in parts.items()
    }
    made = []
    for i in at:
        clique = cliques[found.clique[i]]
        where = dict(zip(clique.axes, np.unravel_index(found.place[i], clique.shape), strict=True))
        codes = tuple(
            (a[0], inside[clique.population, a[0]][p]) for a, p in where.items() if not a[1]
        )
        member = next(((a[1], USED[p]) for a, p in where.items() if a[1]), ("", ""))
        made.append(
            (clique.cube, member[0], codes, member[1], int(found.start[i]), int(found.stop[i]))
        )
    return tuple(made)


def renumbered(group: Group, kept: Bools) -> Group:
    """Return the group without the atoms that are known to be 0."""
    new = np.cumsum(kept) - 1
    stay = kept[group.atoms]
    return replace(group, atoms=new[group.atoms[stay]], place=group.place[stay])
