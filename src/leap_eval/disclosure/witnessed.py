"""The witnesses of a release checked by an outsider: no solver, only sums of whole tables.

For each group two tables of whole children must agree with every page and give the group
values that are far enough apart: no attacker of any kind can then tell them from the truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TINY = 1e-6


def doubts(world: Any, evidence: Path, when: Sequence[int]) -> Iterator[str]:
    """Yield what is wrong with the witnesses; `world` is the verifier's own reading of all pages.

    `when` tells of each release the first one that counted the same children.
    """
    with np.load(evidence / "witnesses.npz") as kept:
        told = {name: kept[name] for name in kept.files}
    at = [_atom(world, when, *label) for label in json.loads(told["labels"].tobytes())]
    tables = np.zeros((len(told["tables"]), world.size + 1))  # the last: in no published table
    np.add.at(tables.T, at, told["tables"].T)
    sums = world.facts @ tables[:, : world.size].T
    if (told["tables"] < 0).any() or told["tables"].dtype.kind != "i":
        yield "evidence: a witness is no table of children"
    if ((sums < world.low[:, None] - TINY) | (sums > world.high[:, None] + TINY)).any():
        yield "evidence: a witness contradicts the pages"
    for q in np.flatnonzero(~told["open"]):
        group = told["columns"][told["pointer"][q] : told["pointer"][q + 1]]
        small, large = (told["tables"][told[n][q], group].sum() for n in ("least", "most"))
        if large < told["upper"][q] or large - small < told["width"][q]:
            yield f"evidence: the witnesses of group {q} are too close"


def _atom(
    world: Any, when: Sequence[int], cube: str, service: str, parts: Any, side: str, *span: int
) -> int:
    clique = next((c for c in world.axes if c[1:] == (cube, service)), None)
    if clique is None:
        return int(world.size)
    codes = {d: c[0] for d, c in parts} | {f"={service}": side.partition("_")[0]}
    where = [world.part[clique[0], a][codes[a]] for a in world.axes[clique]]
    times = world.spans[clique].index((when[span[0]], when[span[1]]))
    return int(world.index[clique][(times, *where)])
