"""Seeded probes: how many damaged copies linkage would have found again, slip by slip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leap_eval.link import levels
from leap_eval.link.encode import Linkage, _integers
from leap_eval.link.holdout import FEWEST, compared, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

WAY = "seeded probes"
TF = {"forename": "fn", "surname": "ln", "postcode": "pc"}
LEAST_TF = 1e-5


def probed(
    persons: pd.DataFrame,
    linkage: Linkage,
    probes: Linkage,
    nodes: pa.Table,
    model: list[dict[str, Any]],
    prior: float,
) -> dict[str, Any]:
    """Return recall by kind of slip, and over all slips as often as the model says they happen.

    A probe is found when a blocking rule meets its original and the two score above zero
    with the usual prior of two partners.
    """
    tried = [_tried(persons, linkage, probes, nodes, model, tier) for tier in ("A", "B")]
    told = (
        pd.concat([t for t in tried if len(t)], ignore_index=True) if any(map(len, tried)) else None
    )
    if told is None or len(told) < FEWEST:
        return {"recall": share("recall", 0, 0, WAY), "kinds": [], "probes": 0}
    told["found"] = told["reached"] & (told["bits"] + prior > 0)
    return {"recall": _mixed(told, model), "kinds": _kinds(told), "probes": len(told)}


def _tried(
    persons: pd.DataFrame,
    linkage: Linkage,
    probes: Linkage,
    nodes: pa.Table,
    model: list[dict[str, Any]],
    tier: str,
) -> pd.DataFrame:
    parts = [_beside(linkage[at], probes[at], tier) for at in sorted(probes) if at in linkage]
    pairs = (
        pa.concat_tables([p for p in parts if len(p)], promote_options="permissive")
        if parts
        else None
    )
    if pairs is None or not len(pairs):
        return pd.DataFrame()
    record = pd.Series(np.arange(len(persons)), index=persons["record_key"])
    at = record.reindex(pairs["record_key"].to_pandas()).to_numpy()
    child = (persons["role"] == "child").reindex(at, fill_value=False).to_numpy(bool)
    kept = np.flatnonzero(child)
    pairs = pairs.take(pa.array(kept)).append_column("record", pa.array(at[kept].astype(np.int64)))
    left, right = np.arange(0, len(pairs), 2), np.arange(1, len(pairs), 2)
    if not len(left):
        return pd.DataFrame()
    both = _integers(pairs, persons)
    made = compared(both, left, right, tier).assign(kind=pairs["kind"].take(pa.array(right)))
    made["bits"] = _bits(made, both, left, right, nodes, model, tier)
    return made.assign(tier=tier).drop_duplicates()


def _beside(table: pa.Table, probes: pa.Table, tier: str) -> pa.Table:
    """Return each original and below it its probe."""
    mine = probes.filter(
        pa.array([t == ("A" if tier == "A" else "AB") for t in probes["tier"].to_pylist()])
    )
    if not len(mine):
        return mine
    place = {key: i for i, key in enumerate(table["record_key"].to_pylist())}
    keys = mine["probe_of"].to_pylist()
    known = [i for i, key in enumerate(keys) if key in place]
    mine = mine.take(pa.array(known, pa.int64()))
    originals = table.take(pa.array([place[keys[i]] for i in known], pa.int64()))
    shared = [c for c in originals.column_names if c in mine.column_names]
    copies = mine.select(shared).append_column("kind", mine["kind"])
    copies = copies.append_column("record_key", mine["probe_of"])
    firsts = originals.select([*shared, "record_key"])
    both = pa.concat_tables(
        [firsts.replace_schema_metadata(None), copies.replace_schema_metadata(None)],
        promote_options="permissive",
    )
    order = np.arange(2 * len(known)).reshape(2, -1).T.ravel()
    return both.take(pa.array(order))


def _bits(
    made: pd.DataFrame,
    both: pa.Table,
    left: Ints,
    right: Ints,
    nodes: pa.Table,
    model: list[dict[str, Any]],
    tier: str,
) -> Floats:
    rows = {(r["field"], r["level"]): r for r in model if (r["role"], r["tier"]) == ("child", tier)}
    total = np.zeros(len(made))
    for field in levels.FIELDS:
        names = levels.labels(tier, field)
        bits = np.array([rows[field, n]["bits"] if (field, n) in rows else 0.0 for n in names])
        number = made[field].to_numpy()
        total += np.where(number < 0, 0.0, bits[np.maximum(number, 0)])
        if tier == "B" and field in TF:
            exact = number == len(names) - 1
            chance = _frequency(nodes, TF[field], both[TF[field]].take(pa.array(left)))
            total += np.where(exact, np.log2(rows[field, "exact"]["u"] / chance), 0.0)
    return total


def _frequency(nodes: pa.Table, column: str, values: pa.Array) -> Floats:
    known = nodes[column].drop_null().to_pandas()
    share_of = known.value_counts(normalize=True)
    found = share_of.reindex(values.to_pandas()).to_numpy(float)
    kept: Floats = np.maximum(np.nan_to_num(found, nan=LEAST_TF), LEAST_TF)
    return kept


def _kinds(told: pd.DataFrame) -> list[dict[str, Any]]:
    some = told.groupby("kind")["found"].agg(["size", "mean"]).sort_index()
    each = [{"kind": str(k), "probes": int(n), "found": round(float(m), 4)}
            for k, n, m in some.itertuples()]  # fmt: skip
    return [one for one in each if "+" not in one["kind"]]


def _mixed(told: pd.DataFrame, model: list[dict[str, Any]]) -> dict[str, Any]:
    """Mix recall over how many fields agree exactly, as often as the model's m says they do."""
    hits = tries = 0.0
    chance = np.zeros(5)
    parts = []
    for tier, some in told.groupby("tier"):
        exact = [
            some[f].to_numpy() == len(levels.labels(str(tier), f)) - 1 for f in levels.FIELDS[:4]
        ]
        off = 4 - np.sum(exact, axis=0)
        chance = _chances(model, str(tier))
        for k in range(5):
            mine = some["found"].to_numpy()[off == k]
            if len(mine):
                parts.append((chance[k] * len(some), float(mine.mean()), len(mine)))
    weight = np.array([w for w, _, _ in parts])
    mean = np.array([m for _, m, _ in parts])
    value = float((weight * mean).sum() / weight.sum())
    # As many tries as would tell the mixture as closely as these strata do.
    variance = float(sum((w / weight.sum()) ** 2 * max(m * (1 - m), 0.25 / n) / n
                         for w, m, n in parts))  # fmt: skip
    tries = max(min(value * (1 - value) / max(variance, 1e-12), len(told)), FEWEST)
    hits = value * tries
    return share("recall", hits, tries, WAY)


def _chances(model: list[dict[str, Any]], tier: str) -> Floats:
    """Return how often 0, 1, … 4 fields of a true pair do not agree exactly, fields apart."""
    m = {r["field"]: r["m"] for r in model
         if (r["role"], r["tier"], r["level"]) == ("child", tier, "exact")}  # fmt: skip
    told = np.array([1.0])
    for field in levels.FIELDS[:4]:
        told = np.convolve(told, [m[field], 1 - m[field]])
    return told
