"""Are precision and recall told without labels near the truth, and do their intervals hold it?

python benchmarks/linkage_estimates.py --sets DIR [DIR ...] [--seeds 50] [--first 1] [--pairs 2000]
       [--tier A|B]

Each seed is a damaged copy of a set (`linkage_damage.py`). The estimates see no truth; next to
them stands what a user of Splink would otherwise quote: mean p, and the naive recall
(p linked / p of all candidates). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import linkage_damage as damaged
import numpy as np


def one(full: damaged.Set, pairs: int, seed: int, tier: str) -> dict[str, float]:
    some = damaged.copy(full, pairs, seed)
    made, persons = damaged.linked(some, seed, tier)
    found = damaged.pairs_of(made, persons)
    right = len(found & some.truth)
    true = {"precision": right / max(len(found), 1), "recall": right / len(some.truth)}
    edges = made.edges
    naive = edges.loc[edges["accepted"], "probability"].sum() / edges["probability"].sum()
    told: dict[str, float] = {"naive_recall": abs(float(naive) - true["recall"])}
    for name, truth in true.items():
        guess = made.quality[name]
        told[name] = guess["value"] - truth
        told[f"{name}_covered"] = guess["low"] - 5e-5 <= truth <= guess["high"] + 5e-5
        told[f"{name}_width"] = guess["high"] - guess["low"]
        told[f"{name}_true"] = truth
    return told


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """In points: mean absolute error, bias, worst; share of intervals that cover."""
    made: dict[str, Any] = {"seeds": len(rows)}
    for name in ("precision", "recall"):
        error = 100 * np.array([r[name] for r in rows])
        made[name] = {
            "true": round(float(np.mean([r[f"{name}_true"] for r in rows])), 4),
            "error": round(float(np.abs(error).mean()), 3),
            "bias": round(float(error.mean()), 3),
            "worst": round(float(np.abs(error).max()), 3),
            "covered": round(float(np.mean([r[f"{name}_covered"] for r in rows])), 3),
            "width": round(100 * float(np.mean([r[f"{name}_width"] for r in rows])), 2),
        }
    made["naive_recall_error"] = round(100 * float(np.mean([r["naive_recall"] for r in rows])), 3)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--tier", default="B", choices=["A", "B"])
    told = parser.parse_args()
    start, made = time.perf_counter(), {}
    for folder in told.sets:
        full = damaged.load(folder)
        rows = []
        for seed in range(told.first, told.first + told.seeds):
            rows.append(one(full, told.pairs, seed, told.tier))
            print(Path(folder).name, seed, rows[-1], file=sys.stderr, flush=True)
        made[Path(folder).name] = summary(rows)
    print(json.dumps({"sets": made, "pairs": told.pairs, "tier": told.tier,
                      "seconds": round(time.perf_counter() - start)}))  # fmt: skip


if __name__ == "__main__":
    main()
