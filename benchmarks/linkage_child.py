"""The process of `linkage.py` that links: it gets the files and never the truth.

Its only argument is one JSON object; its last line of output is another.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import linkage
import numpy as np

from leap_eval.errors import LeapError


def tokenised(rows: list[linkage.Rows], told: dict[str, Any]) -> dict[Any, Any]:
    """Return the tokens of all files, each made by a process of its own: as partners do."""
    jobs = [
        (n, file, told["tier"], told["seed"], tuple(told["extra"])) for n, file in enumerate(rows)
    ]
    workers = min(len(rows), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        made = list(pool.map(linkage.tokens_of_one, *zip(*jobs, strict=True)))
    return {(f"file_{place}", "2024Q1"): table for place, table in enumerate(made)}


def ours(rows: list[linkage.Rows], told: dict[str, Any]) -> dict[str, Any]:
    """Link by our tokens, or, deciding the same way, by the clear values beside them."""
    from leap_eval import tokens
    from leap_eval.link import link, model
    from leap_eval.link import run as stage

    persons, found, encoded = linkage.persons_of(rows), tokenised(rows, told), {}
    persons = persons.sort_values(["partner", "record_key"]).reset_index(drop=True)
    looked, encode = model.candidates, stage.encode
    if told["path"] == "tokens":
        rows.clear()  # stage 02 never held them

    def watched(nodes: Any, tier: str) -> Any:
        left, right = looked(nodes, tier)
        profile = nodes["profile"].to_numpy()
        a, b = profile[left], profile[right]
        pair = np.minimum(a, b) * len(persons) + np.maximum(a, b)
        encoded["pairs"] = np.union1d(encoded.get("pairs", np.zeros(0, np.int64)), pair)
        return left, right

    def kept(people: Any, tables: Any) -> Any:
        made = encode(people, tables)
        encoded["members"] = made.members
        if told["path"] == "cleartext":
            import linkage_clear

            return linkage_clear.beside(made, persons, rows)
        return made

    model.candidates, stage.encode = watched, kept
    settings = {"within": told["within"], "seed": told["seed"]}
    made = link(persons.drop(columns="id"), found, settings, tokens.load_keys(None, "demo").project)
    members = encoded["members"]
    np.savez(
        told["candidates"],
        ids=persons["id"].to_numpy(str)[members["record"].to_numpy(np.int64)],
        place=members["node"].to_numpy(np.int64),
        pairs=encoded.get("pairs", np.zeros(0, np.int64)),
        size=len(persons),
    )
    named = made.links.merge(persons[["record_key", "id"]], on="record_key")
    groups = named.groupby("study_id")["id"].agg(list)
    return {
        "groups": [g for g in groups if len(g) > 1],
        "est_precision": made.quality["precision"]["value"],
        "est_recall": made.quality["recall"]["value"],
    }


def main() -> None:
    told = json.loads(sys.argv[1])
    rows = linkage.read_all(told["files"], told["extra"])
    start = time.perf_counter()
    if told["path"] == "splink-cleartext":
        from linkage_stock import stock

        made = stock(rows, told)
    else:
        made = ours(rows, told)
    spent = os.times()
    peak = max(
        resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    made |= {"seconds": round(time.perf_counter() - start, 1)}
    made |= {"cpu_seconds": round(sum(spent[:4]), 1), "peak_mib": round(peak / 1024)}
    print(json.dumps(made))


if __name__ == "__main__":
    try:
        main()
    except LeapError as error:
        sys.exit(str(error))
