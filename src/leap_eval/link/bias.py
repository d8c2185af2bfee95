"""Whose links are missing: the quality of linkage, group by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leap_eval.link.quality import precision, recall

THIRDS = ("most", "middle", "least")


def dimensions(people: pd.DataFrame) -> pd.DataFrame:
    """Return the groups of each record: ethnicity, deprivation, sex, language, missing fields."""
    decile = people["imd_decile"].astype(float).to_numpy()
    third = np.select([decile <= 3, decile <= 7, decile <= 10], THIRDS, "not_known")
    return pd.DataFrame(
        {
            "ethnicity_group5": people["ethnicity_group5"].to_numpy(object),
            "imd_third": third,
            "sex": people["sex"].fillna("not_known").to_numpy(object),
            "home_language": people["home_language"].to_numpy(object),
            "missing_fields": people["missing"].clip(upper=2).astype(str).to_numpy(object),
        },
        index=people.index,
    )


def bias(people: pd.DataFrame, edges: pd.DataFrame, seed: int, gap: float) -> dict[str, Any]:
    """Return for each group of children how many records are linked elsewhere and were missed.

    An edge counts for a group when either record is of it. A group is flagged when its recall
    lies `gap` or more below that of the largest and its interval leaves that out.
    """
    children = people[people["role"] == "child"]
    across = edges[edges["accepted"] & ~edges["same_partner"]]
    linked = np.union1d(across["a"].to_numpy(), across["b"].to_numpy())
    groups = dimensions(children)
    found: list[dict[str, Any]] = []
    for dimension in groups.columns:
        made = [
            _group(children, groups[dimension] == name, across, linked, seed)
            | {"dimension": dimension, "group": name}
            for name in sorted(groups[dimension].unique())
        ]
        found += _flagged(made, gap)
    return {"groups": found}


def _group(
    children: pd.DataFrame, inside: pd.Series, across: pd.DataFrame, linked: Any, seed: int
) -> dict[str, Any]:
    records = children.index[inside.to_numpy()].to_numpy()
    some = across[np.isin(across["a"], records) | np.isin(across["b"], records)]
    told = recall(some, seed)
    return {
        "records": len(records),
        "missing": round(float((children.loc[records, "missing"] > 0).mean()), 4),
        "linked_elsewhere": round(float(np.isin(records, linked).mean()), 4),
        "links": len(some),
        "precision": precision(some, seed)["value"],
        "recall": told["value"],
        "recall_low": told["low"],
        "recall_high": told["high"],
    }


def _flagged(made: list[dict[str, Any]], gap: float) -> list[dict[str, Any]]:
    largest = max(made, key=lambda g: g["records"])["recall"]
    for one in made:
        known = one["recall"] is not None and largest
        one["ratio"] = round(one["recall"] / largest, 4) if known else None
        low = known and largest - one["recall"] >= gap and one["recall_high"] < largest
        one["flag"] = "gap" if low else ("" if known else "too_few")
    return made
