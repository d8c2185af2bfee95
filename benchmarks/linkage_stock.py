"""Stock Splink on the clear values: what a careful user gets from the library, without a label."""

from __future__ import annotations

import logging
import sys
from typing import Any

import duckdb
import linkage
import numpy as np
import pandas as pd
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

PAIRED, TOGETHER = 0.5, 0.95  # least probability: one to one, and within a cluster
LOOKED_AT = [
    ("given_name", "surname"),
    ("date_of_birth", "surname"),
    ("date_of_birth", "given_name"),
    ("postcode", "surname"),
    ("postcode", "given_name"),
    ("date_of_birth", "postcode"),
    *((f"substr({a},1,3)", b) for a in ("given_name", "surname")
      for b in ("date_of_birth", "postcode")),
]  # fmt: skip
SURE = [
    ("given_name", "surname", "date_of_birth"),
    ("given_name", "date_of_birth", "postcode"),
    ("surname", "date_of_birth", "postcode"),
    ("given_name", "surname", "postcode"),
]


def stock(rows: list[linkage.Rows], told: dict[str, Any]) -> dict[str, Any]:
    """Return groups of ids: the best pairs one to one, or components over many files."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    columns = ["id", *linkage.FIELDS]
    frames = [pd.DataFrame(f, columns=columns).replace("", None).fillna(np.nan) for f in rows]
    frames = [frame.astype(object).where(frame.notna(), None) for frame in frames]
    for place, frame in enumerate(frames):
        frame["unique_id"], frame["source_dataset"] = frame.pop("id"), f"file_{place}"
    ids = [row["id"] for file in rows for row in file]
    try:
        pairs = _pairs(frames, told["seed"]) if all(map(len, frames)) else _none()
    except Exception as error:  # noqa: BLE001 - where nothing can be learnt it fails in many ways
        print(f"stock Splink learnt nothing here ({type(error).__name__})", file=sys.stderr)
        pairs = _none()
    at = pd.Series(np.arange(len(ids)), index=ids)
    left, right = at[pairs["a"]].to_numpy(np.int64), at[pairs["b"]].to_numpy(np.int64)
    size, all_ids = len(ids), np.arange(len(ids))
    code = np.unique(np.minimum(left, right) * size + np.maximum(left, right))
    np.savez(told["candidates"], ids=np.array(ids, str), place=all_ids, pairs=code, size=size)
    groups = _components(pairs, ids, left, right) if told["multi"] else _one_to_one(pairs)
    linked = pairs["p"] >= (TOGETHER if told["multi"] else PAIRED)
    some, total = pairs["p"][linked], pairs["p"].sum()
    return {
        "groups": groups,
        "est_precision": round(float(some.mean()), 4) if len(some) else None,
        "est_recall": round(float(some.sum() / total), 4) if total else None,
    }


def _none() -> pd.DataFrame:
    return pd.DataFrame({"a": [], "b": [], "p": []})


def _edited(column: str, *rest: Any) -> Any:
    exact = cll.ExactMatchLevel(column)
    if column == "postcode":
        exact = exact.configure(tf_adjustment_column=column)
    near = [cll.DamerauLevenshteinLevel(column, k) for k in (1, 2)]
    return cl.CustomComparison(
        [cll.NullLevel(column), exact, near[0], *rest[:1], near[1], *rest[1:], cll.ElseLevel()],
        output_column_name=column,
    )


def _swapped() -> Any:
    y, m, d = (
        "substr(replace(date_of_birth_{0}, '-', ''), " + at for at in ("1, 4)", "5, 2)", "7, 2)")
    )
    told = " AND ".join(f"{a.format('l')} = {b.format('r')}" for a, b in ((y, y), (m, d), (d, m)))
    return cll.CustomLevel(told)


def _pairs(frames: list[pd.DataFrame], seed: int) -> pd.DataFrame:
    # A careful user leaves out what the files do not hold.
    held = {c for c in linkage.FIELDS if all(frame[c].notna().any() for frame in frames)}
    told = {
        "given_name": cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
        "surname": cl.NameComparison("surname").configure(term_frequency_adjustments=True),
        "date_of_birth": _edited("date_of_birth", _swapped()),
        "postcode": _edited("postcode"),
        "sex": cl.ExactMatch("sex"),
    }
    settings = SettingsCreator(
        link_type="link_only" if len(frames) > 1 else "dedupe_only",
        comparisons=[comparison for column, comparison in told.items() if column in held],
        blocking_rules_to_generate_predictions=[block_on(*b) for b in _within(LOOKED_AT, held)],
    )
    api = DuckDBAPI(duckdb.connect())
    linker = Linker([api.register(f) for f in frames], settings, log_level=logging.ERROR)
    train, sure = linker.training, [block_on(*b) for b in _within(SURE, held)]
    if sure:
        train.estimate_probability_two_random_records_match(sure, recall=0.8)
    train.estimate_u_using_random_sampling(max_pairs=2e6, seed=seed)
    for block in _within([("date_of_birth",), ("postcode",), ("given_name", "surname")], held):
        train.estimate_parameters_using_expectation_maximisation(
            block_on(*block), estimate_without_term_frequencies=True
        )
    made = linker.inference.predict()
    query = f"""SELECT unique_id_l AS a, unique_id_r AS b, match_probability AS p
        FROM {made.physical_name} ORDER BY p DESC, 1, 2"""
    found: pd.DataFrame = linker._db_api._con.sql(query).df()
    return found


def _within(rules: list[tuple[str, ...]], held: set[str]) -> list[tuple[str, ...]]:
    return [rule for rule in rules if all(any(c in part for c in held) for part in rule)]


def _one_to_one(pairs: pd.DataFrame) -> list[list[str]]:
    used: set[str] = set()
    groups = []
    for a, b in pairs.loc[pairs["p"] >= PAIRED, ["a", "b"]].itertuples(index=False):
        if a not in used and b not in used:
            used |= {a, b}
            groups.append([a, b])
    return groups


def _components(pairs: pd.DataFrame, ids: list[str], left: Any, right: Any) -> list[list[str]]:
    sure = (pairs["p"] >= TOGETHER).to_numpy()
    graph = coo_matrix((np.ones(sure.sum()), (left[sure], right[sure])), (len(ids), len(ids)))
    person = connected_components(graph, directed=False)[1]
    return [g for g in pd.Series(ids).groupby(person).agg(list) if len(g) > 1]
