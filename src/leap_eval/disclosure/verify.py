"""The independent attacker: from a release's files alone, by its own reading and another solver.

It shares no code with the gate. It rebuilds from the pages who could be counted where, takes
every shown number as a fact and every marker as what the rules say it tells, pools all releases
of a ledger, and tries to pin down each withheld cell and each group that only differences give.
"""

import json
from collections.abc import Iterator
from itertools import combinations, product
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, csr_array, eye_array, vstack

from leap_eval.disclosure import reading, resummed, witnessed
from leap_eval.disclosure.reading import Cell, Clique

TINY = 1e-6


class Verdict(NamedTuple):
    """What the attack found: groups tried, groups recovered (place, low, high), broken things."""

    tried: int
    recovered: tuple[tuple[str, float, float], ...]
    broken: tuple[str, ...]


def attack(
    home: Path, ledger: Path | None = None, integer: bool = False, evidence: Path | None = None
) -> Iterator[tuple[int, int] | Verdict]:
    """Attack the release in `home`; yield (done, of) now and then, and the verdict last."""
    manifest = json.loads((home / "manifest.json").read_bytes())
    lines = reading.lines(ledger)
    if broken := [*reading.files(home, manifest), *reading.chain(lines, manifest)]:
        return (yield Verdict(0, (), tuple(broken)))
    past = [reading.page(n) for n in lines if "outputs" in n and n["name"] != manifest["name"]]
    pages = [*past, reading.release(home, manifest)]
    # Releases of the same children tell of the same atoms; else children may have joined or left.
    when = [[p["population"] for p in pages].index(page["population"]) for page in pages]
    world = World([c for r, page in zip(when, pages, strict=True) for c in reading.cells(r, page)])
    if world.table(integer) is None:
        return (yield Verdict(0, (), ("the numbers contradict one another",)))
    groups, bar = world.groups(), min(manifest["threshold"], manifest["tells"]["upper"])
    left, recovered = world.left(groups, bar, integer), {}
    for done, (place, row) in enumerate(left, start=len(groups) - len(left)):
        tables = world.table(integer, -row), world.table(integer, None, row, bar)
        ends = [(row @ table).item() for table in tables]
        if ends[0] > TINY and ends[1] < bar - TINY:
            recovered[place] = (place, *ends)
        yield done, len(groups)
    tried, more, broken = resummed.attacked(world, pages, when, groups, bar)
    broken += witnessed.doubts(world, evidence, when) if evidence else []
    return (yield Verdict(len(groups) + tried, tuple((recovered | more).values()), tuple(broken)))


def _parts(nodes: list[frozenset[str]]) -> dict[str, int]:
    """Return the part of each code: codes that no cell tells apart are one."""
    signs = {c: tuple(c in n for n in nodes) for c in sorted(frozenset().union(*nodes))}
    return {code: sorted(set(signs.values())).index(sign) for code, sign in signs.items()}


class World:
    """Who could be counted where, in all releases, and every fact that cells tell of them."""

    def __init__(self, cells: list[Cell]) -> None:
        """Refine each dimension by all that was published of it, and number the atoms."""
        self.nodes: dict[tuple[str, str], set[frozenset[str]]] = {}
        self.axes: dict[Clique, dict[str, None]] = {}
        self.seen: dict[Clique, dict[int, None]] = {}
        for _, release, clique, sets, _, _ in cells:
            self.seen.setdefault(clique, {})[release] = None
            self.axes.setdefault(clique, {}).update(dict.fromkeys(sets))
            for axis, codes in sets.items():
                everybody = {codes, frozenset({"used", "not"}) if axis[0] == "=" else codes}
                self.nodes.setdefault((clique[0], axis), set()).update(everybody)
        self.part = {at: _parts(sorted(told, key=sorted)) for at, told in self.nodes.items()}
        self.spans = {c: [(a, b) for a in s for b in s if a <= b] for c, s in self.seen.items()}
        self.index: dict[Clique, Any] = {}
        self.size = 0
        for clique, axes in self.axes.items():
            shape = [len(self.spans[clique]), *(self._many(clique, a) for a in axes)]
            self.index[clique] = self.size + np.arange(np.prod(shape)).reshape(shape)
            self.size += int(np.prod(shape))
        rows = [(self._row(c, r, self._parts(c, sets)), a, b) for _, r, c, sets, a, b in cells]
        self.open = [(cell[0], row) for cell, (row, a, b) in zip(cells, rows, strict=True) if a < b]
        rows += [(tie, 0.0, 0.0) for tie in self._ties()]
        self.facts = vstack([row for row, _, _ in rows], format="csr")
        self.low, self.high = (np.array([row[i] for row in rows]) for i in (1, 2))

    def _parts(self, clique: Clique, sets: dict[str, frozenset[str]]) -> dict[str, set[int]]:
        return {a: {self.part[clique[0], a][c] for c in told} for a, told in sets.items()}

    def _many(self, clique: Clique, axis: str) -> int:
        return max(self.part[clique[0], axis].values()) + 1

    def _row(self, clique: Clique, when: Any, sets: dict[str, Any], sign: float = 1.0) -> Any:
        """Return the children of a clique in these parts, present then, as a row over the atoms."""
        a, b = when if isinstance(when, tuple) else (0, -1)
        spans = enumerate(self.spans[clique])
        told = [i for i, s in spans if s == (a, b) or (a > b and s[0] <= when <= s[1])]
        sides = [sorted(sets.get(a) or range(self._many(clique, a))) for a in self.axes[clique]]
        at = self.index[clique][np.ix_(told, *sides)].ravel()
        return csr_array((np.full(len(at), sign), (np.zeros(len(at), int), at)), (1, self.size))

    def _ties(self) -> Iterator[Any]:
        """Tables of the same children agree, in every release, on every margin they share."""
        for r in sorted({r for seen in self.seen.values() for r in seen}):
            here = {c: set(axes) for c, axes in self.axes.items() if r in self.seen[c]}
            pairs = [(a, b) for a, b in combinations(here, 2) if a[0] == b[0]]
            for of, axes in {(a[0], tuple(sorted(here[a] & here[b]))): 0 for a, b in pairs}:
                root, *rest = [c for c in here if c[0] == of and here[c] >= set(axes)]
                sides = [range(self._many(root, axis)) for axis in axes]
                for other, codes in product(rest, product(*sides)):
                    sets = {x: {c} for x, c in zip(axes, codes, strict=True)}
                    yield self._row(root, r, sets) + self._row(other, r, sets, -1.0)

    def groups(self) -> list[tuple[str, Any]]:
        """Return withheld cells, and crosses of parts, nodes and differences of nested nodes."""
        found = {row.indices.tobytes(): (place, row) for place, row in self.open}
        for clique, axes in self.axes.items():
            sides = [self._sets(clique[0], axis) for axis in axes]
            kinds = [*self.seen[clique], *self.spans[clique]]
            for when, sets in product(kinds, product(*sides)):
                row = self._row(clique, when, dict(zip(axes, sets, strict=True)))
                place = f"{'/'.join(clique)}, {when}: {[sorted(s) for s in sets]}"
                found.setdefault(row.indices.tobytes(), (place, row))
        return list(found.values())

    def _sets(self, population: str, axis: str) -> list[frozenset[int]]:
        part = self.part[population, axis]
        nodes = {frozenset(part[c] for c in n) for n in self.nodes[population, axis]}
        nodes |= {frozenset(part.values()), *(frozenset({p}) for p in part.values())}
        return sorted(nodes | {a - b for a in nodes for b in nodes if b < a}, key=sorted)

    def table(self, integer: bool, gain: Any = None, aims: Any = None, bar: float = inf) -> Any:
        """Return a table all facts allow with most of `gain`, or of each aim up to `bar`."""
        n, many = self.size, 0 if aims is None else aims.shape[0]
        rows = block_array([[self.facts, None], [aims, -eye_array(many)]]) if many else self.facts
        low, high = np.append(self.low, np.zeros(many)), np.append(self.high, np.full(many, inf))
        told = milp(
            np.append(np.zeros(n) if gain is None else -gain.toarray().ravel(), -np.ones(many)),
            integrality=np.append(np.full(n, int(integer)), np.zeros(many)),
            bounds=Bounds(0, np.append(np.full(n, inf), np.full(many, bar))),
            constraints=LinearConstraint(rows, low, high),
        )
        return told.x[: self.size] if told.x is not None else None

    def left(self, groups: list[Any], bar: float, integer: bool) -> list[tuple[str, Any]]:
        """Return the groups that no table seen so far makes none, or many, children."""
        if not groups:
            return []
        rows = vstack([row for _, row in groups], format="csr")
        value = rows @ self.table(integer, None, rows, bar)
        still = [g for g, v in zip(groups, value, strict=True) if TINY < v < bar - TINY]
        return still if len(still) == len(groups) else self.left(still, bar, integer)
