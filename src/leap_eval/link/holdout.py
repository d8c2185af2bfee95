"""Linkage tried where the truth is known: equal NHS numbers held out, and seeded probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression

from leap_eval.link import levels
from leap_eval.link.rivals import chance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leap_eval.link.decide import Decision
    from leap_eval.link.encode import Encoded

    Ints = NDArray[np.int64]

FEWEST = 200  # pairs of known truth below which nothing is told
Measure = dict[str, Any]


def share(name: str, hits: float, tries: float, method: str) -> Measure:
    """Return a share of tries with its 95 % interval (Jeffreys), or that there are too few."""
    if tries < FEWEST:
        told: Measure = {"value": None, "low": None, "high": None}
        return {"measure": name, **told, "method": f"{method}: under {FEWEST} pairs"}
    spread = beta(hits + 0.5, tries - hits + 0.5)
    ends = {k: round(float(spread.ppf(q)), 4) for k, q in (("low", 0.025), ("high", 0.975))}
    return {"measure": name, "value": round(hits / tries, 4), **ends, "method": method}


def compared(nodes: pa.Table, left: Ints, right: Ints, tier: str) -> pd.DataFrame:
    """Return for pairs of rows of `nodes` the level of each field, and whether a rule finds them.

    Rules on ids are left out.
    """
    told = [c for c, _ in levels.rules(tier) if "nhs" not in c and "upn" not in c]
    lists = {name for _, opened in levels.rules(tier) for name in opened}
    rules = " OR ".join(f"({_met(c, lists)})" for c in told)
    fields = ", ".join(f"{levels.level(tier, f)} AS {f}" for f in levels.FIELDS)
    engine = duckdb.connect()
    named = nodes.rename_columns([levels.plain(c) for c in nodes.column_names])
    named = named.append_column("place", pa.array(np.arange(len(named))))
    engine.register("named", named)
    engine.register("pair", pd.DataFrame({"x": left, "y": right, "n": np.arange(len(left))}))
    query = f"""SELECT {fields}, coalesce({rules}, false) AS reached FROM pair
        JOIN named AS l ON l.place = x JOIN named AS r ON r.place = y ORDER BY n"""
    found: pd.DataFrame = engine.sql(query).df()
    return found


def _met(condition: str, lists: set[str]) -> str:
    for name in sorted(lists):
        condition = condition.replace(f"l.{name} = r.{name}", f"list_has_any(l.{name}, r.{name})")
    return condition


def held_out(
    edges: pd.DataFrame,
    encoded: Encoded,
    people: pd.DataFrame,
    decide: Callable[[pd.DataFrame], Decision],
) -> tuple[list[Measure], pd.DataFrame]:
    """Link as if no record had an id, and compare with the ids: precision, recall, labelled pairs.

    Equal valid numbers at two partners are true pairs; different ones are not.
    """
    nodes, same = encoded.nodes, _equal(encoded, people)
    both = edges["same_id"] | edges["other_id"]
    if len(same) < FEWEST or not both.any():
        return [share(m, 0, 0, "NHS-number hold-out") for m in ("precision", "recall")], edges[:0]
    bare = nodes["bare"].to_numpy()
    tier = np.where(bare[same[:, 2]] | bare[same[:, 3]], "A", "B")
    reached = np.zeros(len(same), bool)
    for one in ("A", "B"):
        rows = tier == one
        if rows.any():
            reached[rows] = compared(nodes, same[rows, 2], same[rows, 3], one)["reached"]
    told = pd.DataFrame(same[:, :2], columns=["a", "b"]).assign(reached=reached)
    told = told.groupby(["a", "b"])["reached"].max().reset_index()
    lost = pd.MultiIndex.from_frame(told.loc[~told["reached"], ["a", "b"]])
    at = pd.MultiIndex.from_frame(edges[["a", "b"]])
    blind = edges.assign(same_id=False, other_id=False)[~at.isin(lost)].reset_index(drop=True)
    made = decide(blind)
    found = made.person[told["a"]] == made.person[told["b"]]
    known = edges[both][["a", "b", "same_id"]].rename(columns={"same_id": "true"})
    told_again = made.edges.assign(probability=chance(made.edges)).drop(columns=["same_id"])
    labelled = told_again.merge(known, on=["a", "b"])
    labelled = labelled[~labelled["same_partner"]]
    links = labelled[labelled["accepted"]]
    way = "NHS-number hold-out"
    return [
        share("precision", float(links["true"].sum()), len(links), way),
        share("recall", float(found.sum()), len(told), way),
        share("block recall", float(told["reached"].sum()), len(told), way),
    ], labelled


def _equal(encoded: Encoded, people: pd.DataFrame) -> Ints:
    """Return pairs of children of two partners with one NHS number, and the nodes that hold it."""
    if not len(encoded.nodes):
        return np.zeros((0, 4), np.int64)
    told = encoded.members.assign(
        nhs=encoded.nodes["nhs"].to_pandas().reindex(encoded.members["node"]).to_numpy(),
        partner=people["partner"].to_numpy(object)[encoded.members["record"]],
        child=(people["role"] == "child").to_numpy()[encoded.members["record"]],
    )
    told = told[told["child"]].dropna(subset=["nhs"]).drop_duplicates(["record", "nhs"])
    met = told.merge(told, on="nhs")
    met = met[(met["record_x"] < met["record_y"]) & (met["partner_x"] != met["partner_y"])]
    return met[["record_x", "record_y", "node_x", "node_y"]].to_numpy(np.int64)


def recalibrated(links: pd.DataFrame, labelled: pd.DataFrame) -> pd.DataFrame:
    """Return links with probabilities bent to what the hold-out saw, where that is enough.

    Isotonic regression on pairs of known truth; links made by an id keep what they have.
    """
    if len(labelled) < FEWEST or labelled["true"].nunique() < 2:
        return links
    bent = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    bent.fit(labelled["probability"], labelled["true"].astype(float))
    p = np.where(links["same_id"], links["probability"], bent.predict(links["probability"]))
    return links.assign(probability=p)
