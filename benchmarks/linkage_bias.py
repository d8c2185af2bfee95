"""Is a group whose links are missing found, left alone when it is not, and repaired?

python benchmarks/linkage_bias.py --set DIR [--seeds 30] [--first 1] [--pairs 5000] [--share .3]
       [--rate .23]

A third of the people (`--share`) get slips at `--rate` a field in the right file, so that some 5
points of their links are lost; other groups are drawn by lot and have no gap: each flag there is
false. Gap after repair: found true links, each weighted by the mean link_weight of its records,
over true pairs, group against the others. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import replace
from typing import Any

import linkage_damage as damaged
import numpy as np

CHANCE = {"home_language": ("english", "other", "not_known"), "imd_decile": (2, 5, 9)}


def one(full: damaged.Set, told: argparse.Namespace, seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    some = damaged.sampled(full, told.pairs, draw)
    mate = {b: a for a, b in some.truth}
    spoilt: dict[str, bool] = {}
    for row in (*some.left, *some.right):
        who = mate.get(row["id"], row["id"])
        spoilt.setdefault(who, draw.random() < told.share)
    inside = [spoilt[mate.get(r["id"], r["id"])] for r in some.right]
    dirty = damaged.damage(some.right, told.rate, draw)
    rows = [d if i else r for i, d, r in zip(inside, dirty, some.right, strict=True)]
    some = replace(some, right=rows)
    ids = [r["id"] for r in (*some.left, *some.right)]
    people = [mate.get(i, i) for i in ids]
    lots = {c: {p: draw.choice(v) for p in sorted(set(people))} for c, v in CHANCE.items()}
    columns: dict[str, Any] = {c: [lot[p] for p in people] for c, lot in lots.items()}
    columns["ethnicity_group5"] = ["black" if spoilt[p] else "white" for p in people]
    made, persons = damaged.linked(some, seed, **columns)
    return judged(some, spoilt, made, persons)


def judged(some: damaged.Set, spoilt: dict[str, bool], made: Any, persons: Any) -> dict[str, Any]:
    weight = persons.merge(made.links, on="record_key").set_index("id")["link_weight"]
    found = damaged.pairs_of(made, persons) & some.truth
    recall, repaired = {}, {}
    for which in (True, False):
        size = sum(spoilt[a] == which for a, _ in some.truth)
        mine = [(weight[a] + weight[b]) / 2 for a, b in sorted(found) if spoilt[a] == which]
        recall[which], repaired[which] = len(mine) / size, sum(mine) / size
    flags = {(g["dimension"], g["group"]): g["flag"] for g in made.bias["groups"]}
    by_lot = [f for (d, _), f in flags.items() if d in ("home_language", "imd_third")]
    return {
        "gap": recall[False] - recall[True],
        "after": float(abs(repaired[False] - repaired[True])),
        "flagged": flags["ethnicity_group5", "black"] == "gap",
        "false": [f == "gap" for f in by_lot if f != "too_few"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", required=True)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--rate", type=float, default=0.23)
    told = parser.parse_args()
    start, full = time.perf_counter(), damaged.load(told.set)
    rows = []
    for seed in range(told.first, told.first + told.seeds):
        rows.append(one(full, told, seed))
        print(seed, rows[-1], file=sys.stderr, flush=True)
    gap = np.array([r["gap"] for r in rows])
    false = [f for r in rows for f in r["false"]]
    print(json.dumps({
        "seeds": len(rows),
        "gap": round(100 * float(gap.mean()), 2),
        "power": round(float(np.mean([r["flagged"] for r in rows])), 3),
        "gap_after": round(100 * float(np.mean([r["after"] for r in rows])), 2),
        "worst_after": round(100 * float(np.max([r["after"] for r in rows])), 2),
        "false_flags": round(float(np.mean(false)), 4),
        "groups_by_lot": len(false),
        "seconds": round(time.perf_counter() - start),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
