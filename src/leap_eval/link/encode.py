"""From keyed tokens to integers: one node per record and distinct set of tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from leap_eval.errors import LinkError
from leap_eval.tokens import columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

Linkage = dict[tuple[str, str], pa.Table]
# list column -> the token of the whole value, so that an element only one value holds can go
VALUE_OF = {
    "fd_l": "f_l",
    "f_ld": "f_l",
    "fd_q": "f_q",
    "ld_q": "l_q",
    "fd_p": "f_p",
    "ld_p": "l_p",
    "f_qd": "f_q",
    "l_qd": "l_q",
    "f_pd": "f_p",
    "l_pd": "l_p",
    "fn_near": "fn",
    "ln_near": "ln",
    "dob_near": "dob",
    "pc_near": "pc",
}
CLEAR = ("multiple", "birth_order")


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Nodes (integers only) and the rates at which two different people agree by chance."""

    nodes: pa.Table
    rates: dict[str, float]
    strangers: int  # token rows without a person


def encode(persons: pd.DataFrame, linkage: Linkage) -> Encoded:
    """Return one node per record and distinct token row, newest first, all tokens as integers."""
    place = pd.Series(np.arange(len(persons)), index=persons["record_key"])
    parts, strangers = [], 0
    for partner in sorted({p for p, _ in linkage}):
        table = _distinct(partner, linkage)
        record = place.reindex(table["record_key"].to_pandas()).to_numpy()
        known = ~np.isnan(record)
        strangers += int((~known).sum())
        table = table.filter(pa.array(known))
        parts.append(table.append_column("record", pa.array(record[known].astype(np.int64))))
    table = pa.concat_tables(parts, promote_options="permissive") if parts else None
    nodes = _integers(table, persons) if table is not None and len(table) else pa.table({})
    return Encoded(nodes, _rates(linkage), strangers)


def _distinct(partner: str, linkage: Linkage) -> pa.Table:
    periods = sorted((period for p, period in linkage if p == partner), reverse=True)
    tables = []
    for age, period in enumerate(periods):
        table = linkage[partner, period].replace_schema_metadata(None)
        _once(table, partner, period)
        tables.append(table.append_column("age", pa.array([age] * len(table), pa.int32())))
    merged = pa.concat_tables(tables, promote_options="permissive")
    singles = [c for c in columns("AB")[0] if c in merged.column_names]
    told = duckdb.connect()
    told.register("merged", merged)
    query = f"""SELECT * FROM merged QUALIFY row_number() OVER (
        PARTITION BY record_key, hash({", ".join(singles)}) ORDER BY age) = 1
        ORDER BY record_key, age"""
    return told.sql(query).to_arrow_table()


def _once(table: pa.Table, partner: str, period: str) -> None:
    rows = table.select(["record_key", *columns("A")[0]]).to_pandas()
    if rows.drop_duplicates()["record_key"].duplicated().any():
        raise LinkError(
            f"data/linkage/{partner}/{period}: a record has two sets of tokens; "
            "the partner sends each record once a period"
        )


def _integers(table: pa.Table, persons: pd.DataFrame) -> pa.Table:
    singles, lists = columns("AB")
    record = table["record"].to_numpy()
    made: dict[str, Any] = {"node": np.arange(len(table)), "record": record}
    made["partner"] = pd.factorize(persons["partner"], sort=True)[0][record]
    made["child"] = (persons["role"] == "child").to_numpy()[record]
    made["sex"] = pa.array(
        persons["sex"].astype(object).to_numpy()[record], pa.string(), from_pandas=True
    )
    made["bare"] = np.array([t == "A" for t in table["tier"].to_pylist()])
    for column in CLEAR:
        made[column] = table[column].cast(pa.string())
    for column in singles:
        made[column] = _single(table, column)
    for column in lists:
        value = made.get(VALUE_OF.get(column, ""))
        made[column] = _list(table, column, value)
    for field, told in (("f", "f_l f_q f_p"), ("l", "f_l l_q l_p"), ("q", "f_q l_q q_p")):
        made[f"has_{field}"] = _known(made, told.split())
    made["has_p"] = _known(made, ["f_p", "l_p", "q_p"])
    return pa.table(made)


def _known(made: dict[str, Any], names: list[str]) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.any(
        [made[n].is_valid().to_numpy(zero_copy_only=False) for n in names], axis=0
    )
    return known


def _words(array: pa.Array, width: int) -> Ints:
    start = array.offset * width
    raw = np.frombuffer(array.buffers()[1], np.uint8)[start : start + len(array) * width]
    return raw.reshape(-1, width)[:, :8].copy().view(np.int64).ravel()


def _single(table: pa.Table, column: str) -> pa.Array:
    # Tokens are already evenly spread: their first eight bytes serve as the integer.
    if column not in table.column_names or pa.types.is_null(table.schema.field(column).type):
        return pa.nulls(len(table), pa.int64())
    cells = table[column].combine_chunks().cast(pa.binary())
    filled = cells.fill_null(bytes(16)).cast(pa.binary(16))
    return pa.array(_words(filled, 16), mask=~cells.is_valid().to_numpy(zero_copy_only=False))


def _list(table: pa.Table, column: str, value: pa.Array | None) -> pa.Array:
    if column not in table.column_names or pa.types.is_null(table.schema.field(column).type):
        return pa.nulls(len(table), pa.list_(pa.int64()))
    cells = table[column].combine_chunks()
    lengths = np.nan_to_num(cells.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    flat = cells.flatten().cast(pa.binary())
    elements = _words(flat.cast(pa.binary(8)), 8)
    rows = np.repeat(np.arange(len(table)), lengths)
    if value is not None:
        kept = _shared(elements, value.fill_null(0).to_numpy()[rows])
        elements, rows = elements[kept], rows[kept]
    ends = np.searchsorted(rows, np.arange(len(table) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(elements))


def _shared(elements: Ints, values: Ints) -> NDArray[np.bool_]:
    # An element that one value alone holds meets nothing new: padding goes here.
    _, place = np.unique(elements, return_inverse=True)
    low = np.full(place.max(initial=0) + 1, np.iinfo(np.int64).max)
    high = np.full(len(low), np.iinfo(np.int64).min)
    np.minimum.at(low, place, values)
    np.maximum.at(high, place, values)
    kept: NDArray[np.bool_] = (low != high)[place]
    return kept


def _rates(linkage: Linkage) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for at in sorted(linkage):
        told = (linkage[at].schema.metadata or {}).get(b"rates")
        for field, rate in (json.loads(told) or {}).items() if told else ():
            found.setdefault(field, []).append(float(rate))
    return {field: float(np.mean(told)) for field, told in sorted(found.items())}
