"""Sums and means attacked by an outsider: who adds up every page, and knows each child's range.

Unknown are the children of the verifier's world and, beside each of its parts, what they
contribute: between the least and the most a child can, so that counts and sums tell of one
another. A withheld sum that is known to within p % of it is recovered, and so is a group of
children whom counts alone did not give away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import combinations, product
from math import inf
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, vstack

TINY = 1e-6
Gain = tuple[str, float, float]
Part = tuple[str, int, tuple[str, ...], tuple[tuple[str, int], ...]]  # measure, release, clique


def attacked(
    world: Any, pages: Sequence[Mapping[str, Any]], when: Sequence[int],
    groups: Sequence[tuple[str, Any]], bar: float,
) -> tuple[int, dict[str, Gain], list[str]]:  # fmt: skip
    """Return how many withheld sums were tried, what is recovered, and what contradicts itself."""
    adder = _Adder(world)
    for release, page in zip(when, pages, strict=True):
        for view, codes, mean, span in page.get("sums", ()):
            adder.read(release, page, view, codes, mean, span)
    if not adder.at:
        return 0, {}, []
    both, p = adder.both(), float(pages[-1]["tells"]["p"])
    told = [(place, adder.span(both, parts, p)) for place, parts in adder.withheld]
    if both.table(False) is None or any(span is None for _, span in told):
        return len(told), {}, ["the sums contradict one another"]
    found: dict[str, Gain] = {place: (place, *span) for place, span in told if span}
    wide = [(place, hstack([row, both.nothing], format="csr")) for place, row in groups]
    for place, row in both.left(wide, bar, False):
        tables = both.table(False, -row), both.table(False, None, row, bar)
        low, high = ((row @ table).item() for table in tables)
        if low > TINY and high < bar - TINY:
            found[place] = (place, low, high)
    return len(told), found, []


class _Adder:
    """Parts of the world that contribute to a measure, and every fact told of their sums."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.at: dict[Part, int] = {}
        self.each: list[tuple[Any, float, float]] = []  # children of a part, least, most of one
        self.facts: list[tuple[list[int], float, float, float, float]] = []
        self.withheld: list[tuple[str, list[int]]] = []

    def read(
        self, release: int, page: Any, view: str, codes: Sequence[str], mean: Any, span: Any
    ) -> None:
        """Read a sum of a page: a mean, or a total, lies between two numbers; or it is withheld."""
        told = page["views"][view]
        cube, measure = page["cubes"][told["cube"]], told["measure"]
        named = dict(zip(told["dimensions"], codes, strict=True))
        sets = {d: told["nodes"][d][c] or cube["codes"][d] for d, c in named.items()}
        member = cube["membership"]
        service = sets.pop(member, [""])[0] if member else min(cube["codes"].get("", [""]))
        clique = (cube["population"], told["cube"], service)
        axes = {d: cube["codes"][d] for d in cube["dimensions"] if d != member} | sets
        if member:
            axes[f"={service}"] = ["used"]
        known = [
            [(d, p) for p in sorted({self.world.part[clique[0], d][c] for c in axes[d]})]
            for d in self.world.axes[clique]
        ]
        parts = [self._part(measure, release, clique, place) for place in product(*known)]
        if span is None and mean is None:
            self.withheld.append((", ".join([view, *codes, measure["of"]]), parts))
        else:
            self.facts.append((parts, *(mean or (0.0, 0.0)), *(span or (0.0, 0.0))))

    def _part(self, measure: Any, release: int, clique: Any, place: Any) -> int:
        key = (measure["of"], release, clique, place)
        if key not in self.at:
            self.at[key] = len(self.each)
            children = self.world._row(clique, release, {d: {p} for d, p in place})
            most = inf if measure["high"] is None else measure["high"]
            self.each.append((children, measure["low"], most))
        return self.at[key]

    def _rows(self) -> Iterator[tuple[Any, list[int], float, float]]:
        """Yield rows over children and sums: coefficient rows, parts, and between what they lie."""
        for i, (children, least, most) in enumerate(self.each):
            yield -least * children, [i], 0.0, inf
            if most < inf:
                yield -most * children, [i], -inf, 0.0
        nobody = csr_array((1, self.world.size))
        for parts, slow, shigh, low, high in self.facts:
            if slow == shigh == 0.0:
                yield nobody, parts, low, high
                continue
            children = sum((self.each[i][0] for i in parts), nobody)
            yield -slow * children, parts, 0.0, inf
            yield -shigh * children, parts, -inf, 0.0

    def _ties(self) -> Iterator[csr_array]:
        """Two cubes of the same children and service have the same total."""
        whole: dict[Any, dict[Any, list[int]]] = {}
        for (of, release, clique, _), i in self.at.items():
            here = whole.setdefault((of, release, clique[0], clique[2]), {})
            here.setdefault(clique, []).append(i)
        for told in whole.values():
            every = [c for c in told if len(told[c]) == self._many(c)]
            for a, b in combinations(every, 2):
                yield self._sum(told[a]) - self._sum(told[b])

    def _many(self, clique: Any) -> int:
        axes = [a for a in self.world.axes[clique] if a[0] != "="]
        return int(np.prod([self.world._many(clique, a) for a in axes]))

    def _sum(self, parts: list[int]) -> csr_array:
        ones, at = np.ones(len(parts)), (np.zeros(len(parts), int), parts)
        return csr_array((ones, at), (1, len(self.each)))

    def both(self) -> Any:
        """Return the world of children and, beside them, what they contribute."""
        world, rows, ties = self.world, list(self._rows()), list(self._ties())
        none = csr_array((world.facts.shape[0], len(self.each)))
        made = [hstack([world.facts, none])]
        made += [hstack([children, self._sum(parts)]) for children, parts, _, _ in rows]
        made += [hstack([csr_array((1, world.size)), tie]) for tie in ties]
        zero = np.zeros(len(ties))
        low = np.concatenate([world.low, [r[2] for r in rows], zero])
        high = np.concatenate([world.high, [r[3] for r in rows], zero])
        both = copy(world)
        both.facts, both.low, both.high = vstack(made, format="csr"), low - TINY, high + TINY
        both.size, both.nothing = world.size + len(self.each), csr_array((1, len(self.each)))
        return both

    def span(self, both: Any, parts: list[int], p: float) -> tuple[float, float] | tuple[()] | None:
        """Return between what a sum lies, if that is within p %, or ()."""
        facts = LinearConstraint(both.facts, both.low, both.high)
        aim = np.concatenate([np.zeros(self.world.size), self._sum(parts).toarray().ravel()])
        least, most = (milp(s * aim, bounds=Bounds(0, inf), constraints=facts) for s in (1, -1))
        if least.status == 2:
            return None
        if least.fun is None or most.fun is None:  # without end
            return ()
        span = float(least.fun), float(-most.fun)
        close = span[1] > TINY and span[1] - span[0] <= p / 100 * span[0] + 10 * TINY
        return span if close else ()
