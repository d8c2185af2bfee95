"""An attacker of its own: pools every page of every release; shares no code with the gate.

A page is a list of (codes by dimension, low, high): which finest codes a cell covers, and
what a reader knows of it. Unknown is, for each combination of codes nobody ever tells apart
and each presence interval, how many children there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

Codes = tuple[frozenset[str], ...]  # per dimension, the finest codes covered
Fact = tuple[int, Codes, float, float]  # release, what it covers, lowest, highest


@dataclass(frozen=True)
class World:
    """True counts by release and finest codes; the sealed truth the attack is judged by."""

    codes: tuple[tuple[str, ...], ...]
    counts: tuple[dict[tuple[str, ...], int], ...]


@dataclass(frozen=True)
class Recovered:
    """How many groups were attacked, known exactly, and known to be small."""

    tried: int
    exact: int
    below: int


def merged(world: World, facts: list[Fact]) -> list[list[frozenset[str]]]:
    """Return, per dimension, the codes no page tells apart."""
    blocks = []
    for d, codes in enumerate(world.codes):
        seen: dict[tuple[bool, ...], set[str]] = {}
        told = sorted({tuple(sorted(f[1][d])) for f in facts})
        for code in codes:
            seen.setdefault(tuple(code in t for t in told), set()).add(code)
        blocks.append([frozenset(s) for s in seen.values()])
    return blocks


def stays(history: list[int]) -> list[tuple[int, int, int]]:
    """Return (first, last, children): who stayed throughout, then last in, first out."""
    base = min(history)
    made, waiting, now = [(0, len(history) - 1, base)], [], base
    for release, count in enumerate(history):
        if count > now:
            waiting += [release] * (count - now)
        for _ in range(max(now - count, 0)):
            made.append((waiting.pop(), release - 1, 1))
        now = count
    made += [(first, len(history) - 1, 1) for first in waiting]
    joined: dict[tuple[int, int], int] = {}
    for first, last, n in made:
        joined[first, last] = joined.get((first, last), 0) + n
    return [(a, b, n) for (a, b), n in joined.items()]


def attack(
    world: World,
    facts: list[Fact],
    threshold: int,
    own: Codes | None = None,
    whole: bool = True,
    drawn: int = 0,
) -> Recovered:
    """Attack every group of 1 to threshold - 1; `own`: children an insider knows already.

    `drawn`: attack only so many of them, drawn at random, where all would take days.
    """
    blocks, releases = merged(world, facts), len(world.counts)
    who: list[tuple[tuple[frozenset[str], ...], int, int, int]] = []
    for cell in product(*blocks):
        history = [sum(counts.get(codes, 0) for codes in product(*cell)) for counts in world.counts]
        who += [(cell, *span) for span in stays(history)]
    truth = np.array([n for *_, n in who], float)
    inside = {
        (d, codes): np.array([cell[d] <= codes for cell, *_ in who])
        for f in facts for d, codes in enumerate(f[1])
    }  # fmt: skip
    present = [np.array([a <= r <= b for _, a, b, _ in who]) for r in range(releases)]
    rows, low, high = [], [], []
    for release, codes, least, most in facts:
        mask = present[release].copy()
        for d, c in enumerate(codes):
            mask &= inside[d, c]
        rows.append(mask)
        low.append(least)
        high.append(most)
    if own is not None:
        known = [np.all([c[d] <= own[d] for d in range(len(own))]) for c, *_ in who]
        for i in np.flatnonzero([not (r & ~np.array(known)).any() for r in rows]):
            low[i] = high[i] = float(truth[rows[i]].sum())
    facts_ = Facts(*tightest(rows, low, high), truth, whole)
    exact = below = tried = 0
    every = (some if drawn else groups)(facts, blocks, who, present)
    for group in every:
        if drawn and tried == drawn:
            break
        size = truth[group].sum()
        # Nobody else's child is in it: that there is none is a zero, and zeros are told.
        if own is not None and not truth[group & ~np.array(known)].any():
            continue
        if 0 < size < threshold:
            tried += 1
            least, most = facts_.interval(group.astype(float), threshold)
            exact += most - least < 0.5
            below += bool(least >= 1 and most < threshold)
    return Recovered(tried, exact, below)


def tightest(rows: list[Any], low: list[float], high: list[float]) -> tuple[Any, Any, Any]:
    """Return each cell once, between the highest of its lows and the lowest of its highs."""
    at: dict[bytes, int] = {}
    of = [at.setdefault(row.tobytes(), len(at)) for row in rows]
    least, most = np.full(len(at), -np.inf), np.full(len(at), np.inf)
    np.maximum.at(least, of, low)
    np.minimum.at(most, of, high)
    first = np.unique(of, return_index=True)[1]
    return csr_array(np.array([rows[i] for i in first], float)), least, most


def sides(
    facts: list[Fact], blocks: Any, who: Any, present: list[Any]
) -> tuple[list[Any], list[Any]]:
    """Return, per dimension, the sets of codes a reader may think of, and the kinds of presence."""
    sets = []
    for d, parts in enumerate(blocks):
        told = {f[1][d] for f in facts} | {frozenset().union(*parts)}
        told |= {a - b for a in told for b in told if b < a} | set(parts)
        ordered = sorted(told, key=sorted)
        sets.append([np.array([cell[d] <= s for cell, *_ in who]) for s in ordered])
    kinds = [*present, *(a & ~b for a in present for b in present if a is not b)]
    kinds += [np.array([(a, b) == span for _, a, b, _ in who])
              for span in sorted({(a, b) for _, a, b, _ in who})]  # fmt: skip
    return sets, kinds


def some(facts: list[Fact], blocks: Any, who: Any, present: list[Any]) -> Iterator[Any]:
    """Yield groups drawn at random without end: every other one a single place."""
    sets, kinds = sides(facts, blocks, who, present)
    chance = np.random.default_rng(0)
    for single in cycle((False, True)):
        one = [chance.choice(len(s)) for s in sets]
        masks = [s[i] for s, i in zip(sets, one, strict=True)]
        group = np.logical_and.reduce([*masks, kinds[chance.choice(len(kinds))]])
        places = np.flatnonzero(group)
        if single and len(places):
            group = np.arange(len(group)) == chance.choice(places)
        yield group


def groups(facts: list[Fact], blocks: Any, who: Any, present: list[Any]) -> Iterator[Any]:
    """Yield every group a reader may think of, once."""
    sets, kinds = sides(facts, blocks, who, present)
    seen = set()
    for *masks, kind in product(*sets, kinds):
        group = np.logical_and.reduce([*masks, kind])
        if group.any() and group.tobytes() not in seen:
            seen.add(group.tobytes())
            yield group


class Facts:
    """All that is told, and every whole table found on the way that agrees with it."""

    def __init__(self, matrix: Any, low: Any, high: Any, truth: Any, whole: bool) -> None:
        """Start with the truth: the one table that surely agrees."""
        self.matrix, self.low, self.high, self.whole = matrix, low, high, whole
        self.tables = truth[None, :]

    def interval(self, aim: Any, threshold: int) -> tuple[float, float]:
        """Return the least and the most a group can hold, as far as it takes to judge it.

        Two tables that agree with everything told, of which one has nobody or many in the
        group, show that the group is not known; no programme needs to be solved then.
        """
        for sense in (0.0, -1.0, 1.0):
            if sense:
                self._solve(sense * aim)
            told = self.tables @ aim
            least, most = told.min(), told.max()
            if most - least >= 0.5 and (least < 1 or most >= threshold):
                break
        return float(least), float(most)

    def _solve(self, cost: Any) -> None:
        told = self._milp(cost, self.matrix, self.low, self.high)
        if told.x is None:  # a group without end: a thousand more will do
            far = np.append(self.low, -cost @ self.tables[0] + 1000)
            rows = vstack([self.matrix, csr_array(-cost[None, :])], format="csr")
            told = self._milp(0 * cost, rows, far, np.append(self.high, np.inf))
        if told.x is not None:
            table = np.round(told.x) if self.whole else told.x
            sums = self.matrix @ table
            if ((sums >= self.low - 1e-6) & (sums <= self.high + 1e-6)).all():
                self.tables = np.vstack([self.tables, table])

    def _milp(self, cost: Any, rows: Any, low: Any, high: Any) -> Any:
        return milp(
            cost, integrality=np.full(len(cost), int(self.whole)), bounds=Bounds(0, np.inf),
            constraints=LinearConstraint(rows, low, high), options={"node_limit": 2000},
        )  # fmt: skip
