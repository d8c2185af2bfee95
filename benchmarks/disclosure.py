"""What the gate withholds, how near the optimum, how fast, and what an attacker gets.

python benchmarks/disclosure.py --tables [--shape 25x10 --groups 5 --seeds 0:3
       --mode exact|interval --threshold N --marker-silent --export DIR --peer FILE]
   ... --csv FILE --dims a,b,c --freq col [--hierarchy "region<county" --sum col --top1 col]
   ... --programmes N [--seed S --releases R --outputs K --children C --wide]
   ... --cube [--children 16039 --wards 21 --services 25 --ages 6 --targets primary|all]
   ... --acro --data DIR --peer-python PYTHON [--seeds 0:3]
   ... --presets | --verify [--ledgers N --root DIR] | --covert   (may stand together)

The attacker of --programmes (benchmarks/attacker.py) shares no code with the gate; with --wide
it judges 500 groups drawn at random, as all would take days. The verifier of --verify shares
none with the solver. Last line: one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import poisson

from leap_eval.disclosure import attack, cells, magnitude, suppress, targets, witnesses
from leap_eval.disclosure.declare import ALL, Cube, Output, Release
from leap_eval.disclosure.rules import preset

DRAW = b"benchmark"
GATE = ("acro", "presets", "verify", "covert")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for mode in ("tables", "cube", *GATE):
        parser.add_argument(f"--{mode}", action="store_true")
    parser.add_argument("--programmes", type=int)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--shape")
    parser.add_argument("--groups", type=int, default=0)
    parser.add_argument("--seeds", default="0:3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mode", choices=["exact", "interval"], default="interval")
    parser.add_argument("--threshold", type=int, default=5)
    parser.add_argument("--marker-silent", action="store_true")
    parser.add_argument("--wide", action="store_true", help="programmes with LEAP's codes")
    parser.add_argument("--targets", choices=["primary", "all"], default="all")
    for name, size in (("children", 0), ("wards", 21), ("services", 25), ("ages", 6)):
        parser.add_argument(f"--{name}", type=int, default=size)
    for name, size in (("releases", 0), ("outputs", 0), ("ledgers", 200)):
        parser.add_argument(f"--{name}", type=int, default=size)
    for name in ("dims", "freq", "hierarchy", "sum", "top1"):
        parser.add_argument(f"--{name}", default="")
    for name in ("export", "peer", "data", "peer-python"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--root", type=Path, default=Path.cwd())
    return parser.parse_args()


def main() -> None:
    told = arguments()
    answer: dict[str, Any] = {}
    if told.programmes:
        import programmes

        answer |= programmes.run(told)
    if any(getattr(told, mode) for mode in GATE):
        import disclosure_gate

        answer |= disclosure_gate.run(told)
    if told.cube:
        answer |= cube(told)
    if told.csv:
        answer |= from_csv(told)
    if told.tables:
        answer |= tables(told)
    if not answer:
        sys.exit(
            "name a mode: --tables --csv --programmes --cube --acro --presets --verify --covert"
        )
    print(json.dumps(answer))


def drawn(shape: tuple[int, ...], seed: int, small: float = 0.10, below: int = 5) -> Any:
    """Poisson counts with row, column and cell noise; the level makes 10 % of cells small."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(0, 0.5, shape)
    for axis, n in enumerate(shape):
        effect = effect + rng.normal(0, 0.8, n).reshape(
            [-1 if a == axis else 1 for a in range(len(shape))]
        )
    at, low, high = rng.random(shape), -5.0, 8.0
    for _ in range(40):
        level = (low + high) / 2
        counts = poisson.ppf(at, np.exp(level + effect))
        few = ((counts > 0) & (counts < below)).mean()
        low, high = (level, high) if few > small else (low, level)
    return counts.astype(int)


def declared(counts: Any, groups: int) -> Release:
    """Return one table with all margins; `groups` puts areas over the first dimension."""
    names = [f"d{i + 1}" for i in range(counts.ndim)]
    at = np.indices(counts.shape).reshape(counts.ndim, -1)
    frame = pd.DataFrame({d: [f"c{v:03d}" for v in at[i]] for i, d in enumerate(names)})
    nodes = {d: {c: (c,) for c in sorted(frame[d].unique())} | {ALL: ()} for d in names}
    if groups:
        codes = sorted(frame["d1"].unique())
        step = -(-len(codes) // groups)
        nodes["d1"] |= {f"g{i}": tuple(codes[i * step : (i + 1) * step]) for i in range(groups)}
    frame = frame.assign(children=counts.ravel())
    return Release("r", (Output("t", "c", nodes),), {"c": Cube(frame, tuple(names))})


def solved(
    release: Release, told: argparse.Namespace, groups: bool = False, sums: Any = None
) -> tuple[dict[str, Any], Any, Any]:
    """Protect a release's tables; return the figures, the problem and the pattern."""
    n = told.threshold
    need = targets.Need(n, n, n) if told.mode == "interval" else targets.Need(n, 0, 1)
    problem = cells.collect([release], marker=0.0 if told.marker_silent else 1.0)
    found, first = targets.targets(problem, need, groups), targets.primary(problem, need)
    beside = ()
    if sums is not None:
        parts = [sums[c].to_numpy(float)[atoms(problem, release)] for c in ("sum", "top1")]
        # A file tells of the largest part alone: nothing is known of the second.
        told_of = magnitude.amounts(problem, *parts, 0 * parts[1], first, preset("exact"))
        first, beside = told_of.first, (told_of,)
    began = time.process_time()
    pattern = suppress.suppress(problem, found, first, suppress.Effort(), DRAW, beside)
    seconds = time.process_time() - began
    ends = intervals(problem, targets.targets(problem, need, False), pattern.withheld)
    inner = np.asarray(problem.cells.sum(axis=1)).ravel()
    finest = (inner == 1) & (problem.truth > 0)
    shown = problem.truth[finest & ~pattern.withheld].sum() / max(problem.truth[finest].sum(), 1)
    figures = {
        "cells": len(problem.truth), "primary": int(first.sum()), "targets": len(found),
        "suppressed": int(pattern.withheld.sum()), "method": pattern.method,
        "optimal": pattern.method == "optimal", "bound": round(pattern.bound, 3),
        "gap": round(pattern.gap, 4), "seconds": round(seconds, 2), "lps": pattern.asked,
        "exact": int(sum(h - lo < 1e-6 for lo, h in ends)),
        "below": int(sum(h < n - 1e-6 for _, h in ends)),  # the solver's 4.9999999999996 is 5
        "mass_shown": round(float(shown), 4) if finest.any() else None,
    }  # fmt: skip
    return figures, problem, pattern


def atoms(problem: Any, release: Release) -> Any:
    """Return the row of the cube that each atom is: no table tells two finest codes as one."""
    cube = release.cubes["c"]
    at = {
        key: i
        for i, key in enumerate(
            cube.counts[list(cube.dimensions)].itertuples(index=False, name=None)
        )
    }
    return [at[tuple(codes[0] for _, codes in label[2])] for label in problem.labels]


def intervals(problem: Any, found: Any, withheld: Any) -> list[tuple[float, float]]:
    """Return the linear attacker's interval for every sensitive published cell."""
    attacker = attack.Attacker(problem, found)
    attacker.set(withheld.astype(float))
    rows = [found.rows[i] for i in range(len(found))]
    return [(attacker.bound(r, -1.0).value, attacker.bound(r, 1.0).value) for r in rows]


SHAPES = (("10x10", 0), ("25x10", 0), ("25x10", 5), ("50x20", 0), ("10x6x5", 0))


def tables(told: argparse.Namespace) -> dict[str, Any]:
    start, stop = map(int, told.seeds.split(":"))
    made = []
    for shape, groups in [(told.shape, told.groups)] if told.shape else SHAPES:
        for seed in range(start, stop):
            counts = drawn(tuple(map(int, shape.split("x"))), seed)
            release = declared(counts, groups)
            figures, problem, _ = solved(release, told)
            figures = {"shape": shape, "groups": groups, "seed": seed, **figures}
            if told.export:
                export(told.export / f"{shape}-{groups}-{seed}.csv", release, groups)
            if told.peer:
                figures |= peer(told, problem)
            print(figures, file=sys.stderr, flush=True)
            made.append(figures)
    numbers = ("suppressed", "gap", "seconds", "exact", "below", "mass_shown")
    mean = {k: round(float(np.mean([m[k] for m in made])), 4) for k in numbers}
    worst = {k: max(m[k] for m in made) for k in numbers} | {
        "mass_shown": min(m["mass_shown"] for m in made)
    }
    proven = float(np.mean([m["optimal"] for m in made]))
    return {"mean": mean, "worst": worst, "proven": proven, "tables": made}


def export(path: Path, release: Release, groups: int) -> None:
    frame = release.cubes["c"].counts.rename(columns={"children": "freq"})
    if groups:
        area = {
            c: g
            for g, codes in release.outputs[0].nodes["d1"].items()
            if g[0] == "g"
            for c in codes
        }
        frame.insert(2, "g", frame["d1"].map(area))
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


def peer(told: argparse.Namespace, problem: Any) -> dict[str, Any]:
    """Audit a peer's pattern: a CSV of node codes (all: total) and `suppressed` 0/1."""
    frame = pd.read_csv(told.peer, dtype=str)
    names = [c for c in frame if c != "suppressed"]
    hidden = np.zeros(len(problem.truth), bool)
    for row in frame[frame["suppressed"] == "1"].to_dict("records"):
        hidden[problem.names[("t", *(str(row[c]) for c in names))]] = True
    n = told.threshold
    ends = intervals(problem, targets.targets(problem, targets.Need(n, n, n), False), hidden)
    return {
        "peer_suppressed": int(hidden.sum()),
        "peer_below": int(sum(h < n - 1e-6 for _, h in ends)),
    }


def leap(told: argparse.Namespace) -> Release:
    """Draw the LEAP cube: wards x services x ages never published, three linked tables."""
    rng = np.random.default_rng(told.seed)
    shape = (told.wards, told.services, told.ages)
    ward, service, age = (
        rng.lognormal(0, s, n) for s, n in zip((0.4, 0.9, 0.4), shape, strict=True)
    )
    share = np.einsum("i,j,k->ijk", ward, service, age)
    share *= rng.lognormal(0, 0.5, (shape[0], shape[1], 1)) * rng.lognormal(0, 0.5, (1, *shape[1:]))
    counts = rng.multinomial(told.children or 16039, (share / share.sum()).ravel())
    names = ("ward", "service", "age")
    at = np.indices(shape).reshape(3, -1)
    frame = pd.DataFrame({d: [f"{d}{v:02d}" for v in at[i]] for i, d in enumerate(names)})
    nodes = {d: {c: (c,) for c in sorted(frame[d].unique())} | {ALL: ()} for d in names}
    pairs = (("ward", "service"), ("ward", "age"), ("service", "age"))
    outputs = tuple(Output(f"{a}-{b}", "leap", {a: nodes[a], b: nodes[b]}) for a, b in pairs)
    return Release("r", outputs, {"leap": Cube(frame.assign(children=counts), names)})


def cube(told: argparse.Namespace) -> dict[str, Any]:
    release, every = leap(told), told.targets == "all"
    figures, problem, pattern = solved(release, told, every)
    n = told.threshold
    found = targets.targets(problem, targets.Need(n, n, n), every)
    began = time.process_time()
    opened = len(attack.audit(problem, found, pattern.withheld))
    audited = time.process_time()
    shown = witnesses.find(problem, found, pattern.withheld, suppress.Effort().boxes)
    seconds = {"suppress": figures.pop("seconds"), "audit": round(audited - began, 2)}
    seconds["witnesses"] = round(time.process_time() - audited, 2)
    return {
        **figures, "atoms": len(problem.atoms), "open": opened, "seconds": seconds,
        "without_witness": int(shown.open.sum()),
        "gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }  # fmt: skip


def from_csv(told: argparse.Namespace) -> dict[str, Any]:
    import disclosure_csv

    if not (told.dims and told.freq):
        sys.exit("--csv needs --dims a,b and --freq col")
    try:
        release, counts, facts = disclosure_csv.read(
            told.csv, told.dims, told.freq, told.hierarchy, sum=told.sum, top1=told.top1
        )
    except disclosure_csv.RefusedError as refused:
        sys.exit(str(refused))
    sums = counts[["sum", "top1"]] if told.sum and told.top1 else None
    return {"file": told.csv.name, **facts, **solved(release, told, sums=sums)[0]}


if __name__ == "__main__":
    main()
