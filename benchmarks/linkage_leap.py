"""Stage 02 on the pretend LEAP against its planted links: children, twins, siblings, families.

python benchmarks/linkage_leap.py [--seed N]      (after `leap-eval demo` and stage 01)

The last line is one JSON object; F1 over pairs of records, twins and siblings merged in percent.
"""

from __future__ import annotations

import argparse
import json
import time

import pandas as pd

from leap_eval.contracts import PERSONS
from leap_eval.link import link
from leap_eval.store import root, rows
from leap_eval.store.keys import project_key


def pairs(counts: pd.Series) -> float:
    """Return how many pairs groups of these sizes hold."""
    return float((counts * (counts - 1) // 2).sum())


def scored(told: pd.DataFrame, found: str, true: str) -> dict[str, float]:
    """Return F1, precision and recall over all pairs of rows."""
    both = pairs(told.groupby([found, true]).size())
    made, real = pairs(told.groupby(found).size()), pairs(told.groupby(true).size())
    told_ = {"f1": 2 * both / (made + real), "precision": both / made, "recall": both / real}
    return {k: round(v, 4) for k, v in told_.items()}


def merged(children: pd.DataFrame, people: pd.DataFrame) -> dict[str, float]:
    """Return the share of twins, and of other siblings, that share a study_id."""
    seen = people[people["person"].isin(children["person"])]
    kin = seen.merge(seen, on="family")
    kin = kin[kin["person_x"] < kin["person_y"]]
    one = children[["study_id", "person"]].drop_duplicates()
    as_one = one.merge(one, on="study_id")[["person_x", "person_y"]].drop_duplicates()
    kin = kin.merge(as_one, how="left", on=["person_x", "person_y"], indicator="how")
    twins, joined = kin["birth_x"] == kin["birth_y"], kin["how"] == "both"
    return {
        "twins": int(twins.sum()),
        "twins_merged_pct": round(100 * float(joined[twins].mean()), 2),
        "siblings": int((~twins).sum()),
        "siblings_merged_pct": round(100 * float(joined[~twins].mean()), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2015)
    told = parser.parse_args()
    persons = rows.union("persons", PERSONS).to_pandas()
    start = time.perf_counter()
    made = link(persons, rows.linkage(), {"seed": told.seed}, project_key())
    spent = time.perf_counter() - start
    links = pd.read_parquet(root() / "truth/links.parquet")
    people = pd.read_parquet(root() / "truth/people.parquet")
    people = people[people["role"] == "child"].drop_duplicates("person")
    known = made.links.drop(columns="role").merge(links, on="record_key")
    children, adults = (known[known["role"] == role] for role in ("child", "adult"))
    families = known.assign(family_id=known["family_id"].fillna(known["record_key"]))
    print(
        json.dumps(
            {
                "children": scored(children, "study_id", "person"),
                "adults": scored(adults, "study_id", "person"),
                "families": scored(families, "family_id", "family"),
                **merged(children, people[["person", "family", "birth"]]),
                "rows_lost": len(persons) - len(made.links),
                "est_precision": made.quality["precision"]["value"],
                "est_recall": made.quality["recall"]["value"],
                "recall_interval": [made.quality["recall"][end] for end in ("low", "high")],
                "methods": made.quality["methods"],
                "seconds": round(spent, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
