"""Seeded probes: how many damaged copies linkage would have found again, slip by slip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leap_eval.link import levels
from leap_eval.link.encode import Encoded, Linkage, encode
from leap_eval.link.holdout import FEWEST, compared, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

WAY = "seeded probes"
TF = {"forename": "fn", "surname": "ln", "postcode": "pc"}
LEAST_TF = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What linkage was made of: all nodes, the token tables, and the probes beside them."""

    encoded: Encoded
    linkage: Linkage
    probes: Linkage


def probed(
    people: pd.DataFrame, tried: Tried, model: list[dict[str, Any]], prior: float
) -> dict[str, Any]:
    """Return recall by kind of slip, and over all slips as often as the model says they happen.

    A probe is found when a blocking rule meets its original and the two score above zero
    with the usual prior of two partners.
    """
    made = [_compared(people, tried, model, tier) for tier in ("A", "AB")]
    told = pd.concat(made, ignore_index=True)
    if len(told) < FEWEST:
        return {"recall": share("recall", 0, 0, WAY), "kinds": [], "probes": 0}
    told["found"] = told["reached"].astype(bool) & (told["bits"] + prior > 0)
    return {"recall": _mixed(told, model), "kinds": _kinds(told), "probes": len(told)}


def _compared(
    people: pd.DataFrame, tried: Tried, model: list[dict[str, Any]], tier: str
) -> pd.DataFrame:
    """Return the levels of each child's probe and its original, as stage 02 would see them."""
    children = set(people.loc[people["role"] == "child", "record_key"])
    # A person is sent every quarter: the latest original and its probes speak for it.
    latest = {
        key: at
        for at in sorted(tried.probes, key=lambda one: one[1])
        if at in tried.linkage
        for key in tried.probes[at]["probe_of"].to_pylist()
    }
    firsts, copies, kinds = [], [], []
    for at in sorted(set(latest.values())):
        probes = tried.probes[at]
        told = [
            (i, one["probe_of"], one["kind"])
            for i, one in enumerate(probes.select(["probe_of", "kind", "tier"]).to_pylist())
            if one["tier"] == tier and latest[one["probe_of"]] == at and one["probe_of"] in children
        ]
        if not told:
            continue
        table = tried.linkage[at]
        place = {k: i for i, k in enumerate(table["record_key"].to_pylist())}
        rows = [(i, place[of], kind) for i, of, kind in told if of in place]
        copies.append(probes.take(pa.array([i for i, _, _ in rows], pa.int64())))
        firsts.append(table.take(pa.array([i for _, i, _ in rows], pa.int64())))
        kinds += [kind for _, _, kind in rows]
    if not kinds:
        return pd.DataFrame()
    sides = {(side, ""): _keyed(t, side) for side, t in (("original", firsts), ("probe", copies))}
    names = [key for table in sides.values() for key in table["record_key"].to_pylist()]
    pair = encode(pd.DataFrame({"record_key": names, "role": "child", "sex": None}), sides)
    node = pair.members.drop_duplicates("record").set_index("record")["node"]
    half = np.arange(len(kinds))
    left, right = (node.reindex(half + n).to_numpy(np.int64) for n in (0, len(kinds)))
    one = "A" if tier == "A" else "B"
    made = compared(pair.nodes, left, right, one).assign(kind=kinds, tier=one)
    return made.assign(bits=_bits(made, pair.nodes, left, tried.encoded.nodes, model, one))


def _keyed(tables: list[pa.Table], side: str) -> pa.Table:
    whole = pa.concat_tables(
        [t.replace_schema_metadata(None) for t in tables], promote_options="permissive"
    )
    names = pa.array([f"{side} {n:09d}" for n in range(len(whole))], pa.string())
    kept = [c for c in whole.column_names if c not in ("record_key", "probe_of", "kind")]
    return whole.select(kept).append_column("record_key", names)


def _bits(
    made: pd.DataFrame,
    both: pa.Table,
    left: Ints,
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
    return [one for one in each if "+" not in str(one["kind"])]


def _mixed(told: pd.DataFrame, model: list[dict[str, Any]]) -> dict[str, Any]:
    """Mix recall over how many fields agree exactly, as often as the model's m says they do."""
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
