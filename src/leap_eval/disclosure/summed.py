"""Facts about sums, collected from cubes and ledger: what each release may tell, or has told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from leap_eval.disclosure.attack import TINY
from leap_eval.disclosure.cells import Problem
from leap_eval.disclosure.cliques import USED
from leap_eval.disclosure.declare import Bools, Cube, Key, Output, Release, Told
from leap_eval.disclosure.magnitude import dominated
from leap_eval.disclosure.rules import Rules
from leap_eval.disclosure.sums import PAST, Sums
from leap_eval.errors import DisclosureError

PARTS = ("children", "sum", "top1", "top2")
Place = tuple[str, str, int, tuple[float, float], pd.DataFrame]  # a cube in one release


@dataclass(slots=True)
class _Facts:
    """Facts met so far: of each release the sums it tells, and ties between its cubes."""

    at: dict[tuple[str, ...], tuple[int, tuple[float, ...]]] = field(default_factory=dict)
    sums: list[float] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    rows: list[tuple[Key, int, Any, float, tuple[float, float], str, bool, bool]] = field(
        default_factory=list
    )

    def column(self, code: tuple[str, ...], parts: tuple[float, ...], each: Any) -> int:
        """Return the column of a code: a new one, unless nothing moved since it was met."""
        if self.at.get(code, (0, ()))[1] != parts:
            self.at[code] = len(self.least), parts
            self.sums.append(parts[1])
            self.least.append(each[0] * parts[0])
            self.most.append(each[1] * parts[0] if parts[0] else 0.0)
        return self.at[code][0]


def collect(releases: Sequence[Release], problem: Problem, rules: Rules) -> list[Sums]:
    """Return, measure by measure, all that the last release may tell and all told before.

    Of measures that are not told any more only those whose sums cross: of the others nothing new
    can be worked out.
    """
    told = [o.measure for r in releases for o in r.outputs if o.measure is not None]
    every = [_sums(of, releases, problem, rules) for of in sorted({m.of for m in told})]
    return [s for s in every if s.new.any() or s.crossing]


def _sums(of: str, releases: Sequence[Release], problem: Problem, rules: Rules) -> Sums:
    facts, places, rounded = _Facts(), list[Place](), False
    for number, release in enumerate(releases):
        last = release is releases[-1]
        mine = [o for o in release.outputs if o.measure is not None and o.measure.of == of]
        frames = {name: _frame(name, release.cubes[name], of, mine) for name in _cubes(mine)}
        each = _each(mine)
        for name, frame in frames.items():
            axes = [c for c in frame if c not in PARTS]
            parts = frame[list(PARTS)].itertuples(index=False, name=None)
            codes = ((name, *map(str, c)) for c in frame[axes].itertuples(index=False, name=None))
            frame["at"] = [facts.column(c, p, each) for c, p in zip(codes, parts, strict=True)]
            places.append((name, release.cubes[name].membership, number, each, frame))
        for output in mine:
            rounded |= any(t.low < t.high and not t.withheld for t in _told(release, output))
            for key in output.keys():  # noqa: SIM118 - a method of Output, not of a mapping
                row = problem.names[key] if last else PAST
                inside = frames[output.cube][_inside(frames[output.cube], output, key)]
                facts.rows.append(_fact(key, row, inside, output, release, problem, rules))
        facts.rows += _ties(of, frames, {n: release.cubes[n].population for n in frames})
    keys, rows, at, truth, between, texts, leaning, hidden = zip(*facts.rows, strict=True)
    told = Sums(
        keys, np.array(rows), _csr(at, len(facts.least)),
        np.array(truth), np.array(between), texts, np.array(leaning, bool),
        np.array(hidden, bool), np.array(facts.least), np.array(facts.most),
        np.array(facts.sums),
    )  # fmt: skip
    if not _crossing(of, told, rules.rounding is not None):
        return told
    rounded |= rules.rounding is not None and bool(told.new.any())
    ranges = None if rounded else _ranges(places, problem, len(facts.sums))
    return replace(told, crossing=True, ranges=ranges)


def _told(release: Release, output: Output) -> list[Told]:
    return [told for key, told in release.told.items() if key[0] == output.id]


def _crossing(of: str, sums: Sums, rounded: bool) -> bool:
    """Tell whether two sums cross: whether they must be attacked together with the counts.

    Whatever counts a page allows, the sum of each part between nested shown sums can be shared
    out in proportion to them; only of these is it sure that they tell nothing of counts.
    Rounded counts are not even fixed there: sums must stand apart.
    """
    rows = np.flatnonzero([bool(k) for k in sums.keys] & (sums.new | ~sums.hidden))
    facts, new = sums.facts[rows], sums.new[rows]
    both = (facts @ facts.T).toarray()
    size = np.diag(both)
    small, large = np.minimum.outer(size, size), np.maximum.outer(size, size)
    same = (both == large) & ~np.logical_and.outer(new, new)
    apart = rounded & np.logical_or.outer(new, new)
    fits = (both == 0) | np.where(apart, same, both == small)
    np.fill_diagonal(fits, True)
    if rounded and not fits[np.ix_(new, new)].all():
        raise DisclosureError(
            f"sums of {of}: two of them overlap, and counts are rounded; leave margins out"
        )
    return not fits.all()


def _ranges(places: Sequence[Place], problem: Problem, many: int) -> Any:
    """Return rows over atoms and codes, none negative: what the children behind a code can add.

    Atoms do not tell all codes apart; then the children of several stand behind their sum.
    """
    labels, rows, atoms = problem.labels, dict[Any, None](), dict[Any, list[int]]()
    for i, (cube, service, parts, side, *_) in enumerate(labels):
        for code in product(*(c for _, c in parts)) if side != USED[0] else ():
            atoms.setdefault((cube, service, *code), []).append(i)
    # Where no most is told, the most that any child adds: fewer worlds than a reader must allow.
    top = max(float(frame["top1"].max()) for *_, frame in places)
    for name, member, number, each, frame in places:
        groups: dict[tuple[int, ...], list[int]] = {}
        plain = frame[[c for c in frame if c not in (*PARTS, "at", member)]].astype(str)
        services = frame[member] if member else [""] * len(frame)
        for service, at, *codes in zip(services, frame["at"], *plain.to_numpy().T, strict=True):
            every = atoms.get((name, service, *codes), ())
            here = tuple(i for i in every if labels[i][4] <= number <= labels[i][5])
            groups.setdefault(here, []).append(len(labels) + at)
        ends = (each[0], 1.0), (each[1] if each[1] < np.inf else top, -1.0)
        rows |= {(here, tuple(at), *e): None for here, at in groups.items() for e in ends}
    told = [([*h, *at], [-sign * end] * len(h) + [sign] * len(at)) for h, at, end, sign in rows]
    return _csr(told, len(labels) + many)


def _csr(rows: Sequence[tuple[Any, Any]], width: int) -> Any:
    """Return rows, each its places and its values, as one matrix."""
    places, values = (np.concatenate([np.asarray(r[i]) for r in rows]) for i in (0, 1))
    ends = np.cumsum([0, *(len(r[0]) for r in rows)])
    return sparse.csr_matrix((values, places.astype(np.int32), ends), shape=(len(rows), width))


def _cubes(outputs: Sequence[Output]) -> list[str]:
    return sorted({o.cube for o in outputs})


def _each(outputs: Sequence[Output]) -> tuple[float, float]:
    told = [o.measure for o in outputs if o.measure is not None]
    return max((m.low for m in told), default=0.0), min((m.high for m in told), default=np.inf)


def _frame(name: str, cube: Cube, of: str, outputs: Sequence[Output]) -> pd.DataFrame:
    """Return the codes of a cube with their sums, or refuse what cannot be sums of children."""
    place = f"results/cubes/{name}"
    table = cube.counts[cube.counts["used"] == "used"] if cube.membership else cube.counts
    columns = {f"{part}_{of}": part for part in PARTS[1:]}
    if missing := [c for c in columns if c not in table]:
        raise DisclosureError(f"{place}: {missing[0]} is not there; rerun the cube's stage")
    frame = table[[*cube.dimensions, "children", *columns]].rename(columns=columns)
    low, high = _each(outputs)
    n, told, top1, top2 = (frame[c].to_numpy(float) for c in PARTS)
    slack = 1e-6 * np.maximum(np.abs(told), 1)
    if not (np.isfinite(told) & (top2 >= 0) & (top1 >= top2) & (top1 + top2 <= told + slack)).all():
        raise DisclosureError(
            f"{place}: top1_{of} and top2_{of} must be the largest parts of sum_{of}, none "
            "negative; rerun the cube's stage"
        )
    wide = np.where(n > 0, high, 0.0) * np.maximum(n, 1)
    if ((told < low * n - slack) | (told > wide + slack)).any():
        raise DisclosureError(
            f"{place}: sum_{of} must lie within `each` times its children; mend the range that "
            "was declared, or rerun the cube's stage"
        )
    totals = any(o.measure is not None and not o.measure.mean for o in outputs)
    if totals and (np.abs(told - np.round(told)) > slack).any():
        raise DisclosureError(f"{place}: sum_{of} must be whole to be a total; declare a mean")
    return frame.reset_index(drop=True)


def _inside(frame: pd.DataFrame, output: Output, key: Key) -> Bools:
    inside = np.ones(len(frame), bool)
    for (dimension, nodes), node in zip(output.nodes.items(), key[1:], strict=True):
        if nodes[node]:
            inside &= frame[dimension].isin(nodes[node]).to_numpy(bool)
    return inside


def _fact(
    key: Key, row: int, inside: pd.DataFrame, output: Output, release: Release, problem: Problem,
    rules: Rules,
) -> Any:  # fmt: skip
    n, truth = int(inside["children"].sum()), float(inside["sum"].sum())
    largest = np.sort([*inside["top1"], *inside["top2"], 0.0, 0.0])
    low, high = _each([output])
    # At an end of its range a sum tells what every single child contributed; and beyond what
    # one end allows the count that is shown rounded, it tells the count.
    few, many = (n, n) if row == PAST else map(float, problem.shown[row])
    ends = truth <= low * max(n, many) + TINY or truth >= high * min(n, few) - TINY
    leaning = n > 0 and (ends or bool(dominated([truth], [largest[-1]], [largest[-2]], rules)[0]))
    at = inside["at"].to_numpy(np.int32), np.ones(len(inside))
    if row == PAST:
        past = release.sums.get(key, Told(-np.inf, np.inf, True))
        _agrees(truth, past, release.name, output.id)
        return key, row, at, truth, (past.low, past.high), "", leaning, past.withheld
    text, between = _text(truth, n, output, rules)
    return key, row, at, truth, between, text, leaning, leaning or 0 < n < rules.threshold


def _agrees(truth: float, past: Told, release: str, output: str) -> None:
    slack = 1e-6 * max(abs(truth), 1)
    if not past.low - slack <= truth <= past.high + slack:
        raise DisclosureError(f"ledger: {release}/{output} contradicts the sums sealed with it")


def _text(truth: float, n: int, output: Output, rules: Rules) -> tuple[str, tuple[float, float]]:
    """Return what a page shows of a sum or mean, and between what it says that the sum lies.

    Where counts are rounded, sums are too, and means are whole: a decimal of a mean of whole
    scores would tell the count behind it.
    """
    if output.measure is not None and output.measure.mean:
        decimals = 0 if rules.rounding else rules.summaries.ratio_decimals
        text = f"{truth / n:.{decimals}f}" if n else ""
        half = 0.5 * 10.0**-decimals
        return text, (n * (float(text or 0) - half), n * (float(text or 0) + half))
    base = rules.rounding.base if rules.rounding else 1
    text = f"{base * round(truth / base)}"
    half = 0.0 if base == 1 else base / 2
    return text, (float(text) - half, float(text) + half)


def _ties(of: str, frames: Mapping[str, pd.DataFrame], whose: Mapping[str, str]) -> Iterator[Any]:
    """Yield that cubes of the same children agree, code by code of what they share."""
    for a, b in combinations(frames, 2):
        if whose[a] != whose[b]:
            continue
        shared = [c for c in frames[a] if c in frames[b] and c not in (*PARTS, "at")]
        both = [f.assign(all="all").groupby([*shared, "all"]) for f in (frames[a], frames[b])]
        for code, inside in both[0]:
            others = both[1].get_group(code)
            if abs(inside["sum"].sum() - others["sum"].sum()) > 1e-6 * max(inside["sum"].sum(), 1):
                raise DisclosureError(
                    f"results/cubes: {a} and {b} disagree on a total of {of}; rerun their stages"
                )
            at = np.concatenate([inside["at"], others["at"]]).astype(np.int32)
            signs = np.concatenate([np.ones(len(inside)), -np.ones(len(others))])
            yield (), PAST, (at, signs), 0.0, (0.0, 0.0), "", False, False
