"""An attacker of its own: pools every page of every release; shares no code with the gate.

A page is a list of (codes by dimension, low, high): which finest codes a cell covers, and
what a reader knows of it. Unknown is, for each combination of codes nobody ever tells apart
and each presence interval, how many children there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

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
) -> Recovered:
    """Attack every group of 1 to threshold - 1; `own`: children an insider knows already."""
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
    matrix = np.array(rows, float)
    exact = below = tried = 0
    for group in groups(facts, blocks, who, present):
        size = truth[group].sum()
        if own is not None and not (group & ~np.array(known)).any():
            continue
        if 0 < size < threshold:
            tried += 1
            least, most = interval(
                group.astype(float), matrix, np.array(low), np.array(high), whole
            )
            exact += most - least < 0.5
            below += bool(least >= 1 and most < threshold)
    return Recovered(tried, exact, below)


def groups(facts: list[Fact], blocks: Any, who: Any, present: list[Any]) -> Iterator[Any]:
    """Yield every group a reader may think of, once."""
    sets = []
    for d, parts in enumerate(blocks):
        told = {f[1][d] for f in facts} | {frozenset().union(*parts)}
        told |= {a - b for a in told for b in told if b < a} | set(parts)
        ordered = sorted(told, key=sorted)
        sets.append([np.array([cell[d] <= s for cell, *_ in who]) for s in ordered])
    kinds = [*present, *(a & ~b for a in present for b in present if a is not b)]
    kinds += [np.array([(a, b) == span for _, a, b, _ in who])
              for span in sorted({(a, b) for _, a, b, _ in who})]  # fmt: skip
    seen = set()
    for *masks, kind in product(*sets, kinds):
        group = np.logical_and.reduce([*masks, kind])
        if group.any() and group.tobytes() not in seen:
            seen.add(group.tobytes())
            yield group


def interval(aim: Any, matrix: Any, low: Any, high: Any, whole: bool) -> tuple[float, float]:
    """Return the least and the most a group can hold, in whole children if asked."""
    ends = []
    for sense in (1.0, -1.0):
        equal, least, most = low == high, np.isfinite(low), np.isfinite(high)
        told = linprog(
            sense * aim,
            np.vstack([matrix[most & ~equal], -matrix[least & ~equal]]),
            np.concatenate([high[most & ~equal], -low[least & ~equal]]),
            matrix[equal], low[equal], method="highs",
        )  # fmt: skip
        ends.append(sense * told.fun if told.status == 0 else -sense * np.inf)
    if whole and np.isfinite(ends).all():
        for i, sense in enumerate((1.0, -1.0)):
            told = milp(
                sense * aim, integrality=np.ones(len(aim)), bounds=Bounds(0, np.inf),
                constraints=LinearConstraint(matrix, low, high), options={"node_limit": 2000},
            )  # fmt: skip
            if told.status == 0:
                ends[i] = sense * told.fun
    return float(ends[0]), float(ends[1])
