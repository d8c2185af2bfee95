"""The ledger line of a release, and how earlier lines become constraints on the next one.

A line tells what everybody can see: which codes each node held, and each cell as it was
shown. The counts behind it are sealed beside the ledger and never in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from leap_eval.disclosure.cells import Problem
from leap_eval.disclosure.declare import Bools, Cube, Key, Measure, Output, Release, Told
from leap_eval.errors import DisclosureError


def line(release: Release, problem: Problem, withheld: Bools) -> dict[str, Any]:
    """Return a release's cells as shown and its nodes, ready for JSON."""
    return {
        "cubes": {
            name: {
                "dimensions": list(cube.dimensions),
                "membership": cube.membership,
                "population": cube.population,
            }
            for name, cube in sorted(release.cubes.items())
        },
        "outputs": [_output(o, problem, withheld) for o in release.outputs],
    }


def _output(output: Output, problem: Problem, withheld: Bools) -> dict[str, Any]:
    told = []
    for key in output.keys():  # noqa: SIM118 - a method of Output, not of a mapping
        row = problem.names[key]
        low, high = (problem.hidden if withheld[row] else problem.shown)[row].tolist()
        told.append([list(key[1:]), low, None if np.isinf(high) else high, bool(withheld[row])])
    nodes = {d: {n: list(c) for n, c in named.items()} for d, named in output.nodes.items()}
    skip = sorted(list(key[1:]) for key in output.skip)
    # JSON written with sorted keys loses their order, and the order of a key hangs on it.
    order = [[d, list(named)] for d, named in output.nodes.items()]
    return {
        "id": output.id, "cube": output.cube, "dimensions": [d for d, _ in order],
        "nodes": nodes, "order": order, "skip": skip, "cells": told,
    }  # fmt: skip


def seal(cubes: Mapping[str, Cube]) -> pd.DataFrame:
    """Return the counts of all cubes as one table, to be sealed beside the ledger."""
    told = [cube.counts.assign(cube=name) for name, cube in sorted(cubes.items())]
    return pd.concat(told, ignore_index=True)


def read(told: Mapping[str, Any], sealed: pd.DataFrame) -> Release:
    """Return the release a ledger line and its sealed counts tell of."""
    name = str(told["name"])
    cubes = {}
    for cube, said in told["cubes"].items():
        counts = sealed[sealed["cube"] == cube].dropna(axis=1, how="all").drop(columns="cube")
        if counts.empty:
            raise DisclosureError(
                f"ledger: release {name} has no sealed counts of {cube}; restore the archive"
            )
        cubes[cube] = Cube(
            counts, tuple(said["dimensions"]), said["membership"], said["population"]
        )
    outputs: list[Output] = []
    shown: dict[Key, Told] = {}
    sums: dict[Key, Told] = {}
    for o in told["outputs"]:
        nodes = {d: {n: tuple(o["nodes"][d][n]) for n in named} for d, named in o["order"]}
        skip = frozenset((o["id"], *key) for key in o["skip"])
        outputs.append(Output(o["id"], o["cube"], nodes, skip, _measure(o.get("measure"))))
        sums |= {(o["id"], *key): Told(low, high) for key, low, high in o.get("sums", ())}
        shown |= {(o["id"], *key): _told(low, high, hid) for key, low, high, hid in o["cells"]}
    return Release(name, tuple(outputs), cubes, shown, sums)


def _measure(told: Mapping[str, Any] | None) -> Measure | None:
    if told is None:
        return None
    high = float("inf") if told["high"] is None else float(told["high"])
    return Measure(str(told["of"]), bool(told["mean"]), float(told["low"]), high)


def _told(low: float, high: float | None, withheld: bool) -> Told:
    return Told(float(low), float("inf") if high is None else float(high), withheld)


def earlier(
    lines: Sequence[Mapping[str, Any]], sealed: Mapping[str, pd.DataFrame], name: str
) -> tuple[Release, ...]:
    """Return all releases before this one, oldest first; a line of its own name is itself."""
    last = {str(t["name"]): t for t in lines if "outputs" in t and t["name"] != name}
    if missing := [n for n in last if n not in sealed]:
        raise DisclosureError(
            f"ledger: the sealed counts of release {missing[0]} are missing; restore the archive"
        )
    return tuple(read(told, sealed[n]) for n, told in last.items())


def after(release: Release, problem: Problem, withheld: Bools) -> Release:
    """Return the release as the next one will meet it: with everything told."""
    shown: dict[Key, Told] = {}
    for key, row in problem.names.items():
        low, high = (problem.hidden if withheld[row] else problem.shown)[row].tolist()
        shown[key] = Told(low, high, bool(withheld[row]))
    return Release(release.name, release.outputs, release.cubes, shown)
