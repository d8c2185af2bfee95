"""One outcome's results by ward, for the gate: who has one, and the sum of their scores."""

from __future__ import annotations

import pandas as pd

from leap_eval.draws import BEST
from leap_eval.effects.problem import Given, Measured


def scored(given: Given, measured: Measured, partners: int) -> pd.DataFrame:
    """Count all children by ward and whether they have a result, with its sum and two largest.

    Those without one stand in the cube too: the gate must know whom a difference would tell of.
    """
    has, score = f"recorded_{measured.outcome}", f"{measured.outcome}"
    table = given.table[given.table["draw"] == BEST][["study_id", "family_id", "ward"]]
    told = measured.table
    best = told[told["draw"] == BEST] if "draw" in told else told
    value = table["study_id"].map(best.set_index("study_id")["value"])
    both = table.assign(value=value.fillna(0.0), ward=table["ward"].fillna("not_known"))
    both[has] = value.notna().map({True: "yes", False: "no"})
    cells = both.groupby(["ward", has])
    made = cells.agg(
        children=("study_id", "size"), families=("family_id", "nunique"), total=("value", "sum")
    )
    largest = cells["value"].nlargest(2).groupby(level=["ward", has])
    made = made.assign(top1=largest.max(), top2=largest.sum() - largest.max(), partners=partners)
    named = {"total": f"sum_{score}", "top1": f"top1_{score}", "top2": f"top2_{score}"}
    return made.rename(columns=named).reset_index()
