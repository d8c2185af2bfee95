"""Which pairs are looked at, and how near they are: blocking rules as sorts of integers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from leap_eval.link import levels
from leap_eval.link.encode import MANY, mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Marks = NDArray[np.uint64]

AT_ONCE = 2_000_000  # pairs made before repeats among them go


def candidates(nodes: pa.Table, tier: str) -> tuple[Ints, Ints]:
    """Return all pairs of rows of `nodes` that a blocking rule of the tier leads to, in order."""
    count, found = len(nodes), [np.zeros(0, np.int64)]
    plain = {levels.plain(c): nodes[c] for c in nodes.column_names}
    bare = nodes["bare"].to_numpy()
    for condition, lists in levels.rules(tier, levels.extras(nodes.column_names)):
        rows = ~nodes["copy"].to_numpy() if "copy" in condition else np.ones(count, bool)
        asked = re.findall(r"l\.(\w+) = r\.(\w+)", condition)
        sides = [_keys(plain, [both[side] for both in asked], lists, rows) for side in (0, 1)]
        for a, b in _met(*sides):
            kept = (a < b) & (bare[a] | bare[b]) if "bare" in condition else a < b
            found.append(np.unique(a[kept] * count + b[kept]))
            # What is known is sorted again only once as much is new.
            if sum(map(len, found[1:])) > max(len(found[0]), AT_ONCE):
                found = [np.unique(np.concatenate(found))]
    left, right = np.divmod(np.unique(np.concatenate(found)), count)
    return left, right


def _keys(
    columns: dict[str, Any], named: Sequence[str], lists: list[str], rows: NDArray[np.bool_]
) -> tuple[Marks, Ints]:
    """Return one key per row and opened element that has all the columns, and its row."""
    at = np.flatnonzero(rows)
    opened: dict[str, Ints] = {}
    for name in lists:
        cells = columns[name].combine_chunks()
        start = cells.offsets.to_numpy()
        size = np.diff(start)[at]
        step = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        opened[name] = cells.values.to_numpy()[np.repeat(start[at], size) + step]
        at = np.repeat(at, size)
    known = np.ones(len(at), bool)
    for name in set(named) - set(lists):
        known &= columns[name].is_valid().to_numpy(zero_copy_only=False)[at]
    told = [opened[c] if c in opened else columns[c].fill_null(0).to_numpy()[at] for c in named]
    return mixed([cells[known] for cells in told]), at[known]


def _met(left: tuple[Marks, Ints], right: tuple[Marks, Ints]) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of rows whose keys are equal, smaller row first; so many at a time."""
    order = np.argsort(right[0], kind="stable")
    keys, rows = right[0][order], right[1][order]
    low = np.searchsorted(keys, left[0], "left")
    count = np.searchsorted(keys, left[0], "right") - low
    # What more than so many share tells nobody apart, and would make pairs without end.
    some = np.flatnonzero((count > 0) & (count <= MANY))
    ends = np.cumsum(count[some])
    cuts = np.searchsorted(ends, np.arange(AT_ONCE, int(ends[-1]) if len(ends) else 0, AT_ONCE))
    for part in np.split(some, np.unique(cuts)):
        met = count[part]
        step = np.arange(met.sum()) - np.repeat(np.cumsum(met) - met, met)
        a = np.repeat(left[1][part], met)
        b = rows[np.repeat(low[part], met) + step]
        yield np.minimum(a, b), np.maximum(a, b)


class Comparer:
    """Tells the levels of pairs: their tokens are laid side by side and asked once per field."""

    def __init__(self, nodes: pa.Table, tier: str) -> None:
        fields = levels.fields(nodes.column_names)
        self.asked = ", ".join(f"{levels.level(tier, f)} AS {f}" for f in fields)
        used = levels.used(tier, nodes.column_names)
        told = nodes.select(used).rename_columns([levels.plain(c) for c in used])
        self.nodes = told.combine_chunks()
        # One thread: the two sides must stay in step.
        self.engine = duckdb.connect(config={"threads": 1})

    def levels(self, left: Ints, right: Ints) -> pd.DataFrame:
        """Return for pairs of rows the level of each field: -1 missing, 0 else, then closer."""
        self.engine.register("l", self.nodes.take(pa.array(left)))
        self.engine.register("r", self.nodes.take(pa.array(right)))
        asked = f"SELECT {self.asked} FROM l POSITIONAL JOIN r"
        found: pd.DataFrame = self.engine.sql(asked).df().astype(np.int8)
        return found
