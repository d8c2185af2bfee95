"""Pairs that are one person only through others: linked, though nobody weighed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from leap_eval.link import levels

if TYPE_CHECKING:
    from numpy.typing import NDArray


def with_through(
    edges: pd.DataFrame, links: pd.DataFrame, partner: NDArray[np.int64]
) -> pd.DataFrame:
    """Return the candidate pairs, and with `through` the other pairs of one child's records.

    Where three partners know a child, two records that agree on nothing are found by the third.
    Such a pair is right if both of its records are: its levels are not known.
    """
    edges = edges.assign(through=False)
    child = np.flatnonzero((links["role"] == "child").to_numpy())
    person = pd.factorize(links["study_id"].to_numpy(object)[child])[0]
    order = np.argsort(person, kind="stable")
    record, size = child[order], np.bincount(person)[person[order]]
    # Each record with all that come after it among those of its child.
    later = np.where(size > 2, size - 1 - _place(person[order]), 0)
    step = np.arange(later.sum()) - np.repeat(np.cumsum(later) - later, later)
    a = np.repeat(record, later)
    b = record[np.repeat(np.arange(len(record)), later) + 1 + step]
    linked = edges.loc[edges["accepted"], ["a", "b"]]
    known = linked["a"].to_numpy() * len(links) + linked["b"].to_numpy()
    new = (partner[a] != partner[b]) & ~np.isin(a * len(links) + b, known)
    a, b = a[new], b[new]
    p = links["probability"].to_numpy()
    small = partner.astype(np.int16)
    made = pd.DataFrame({"a": a, "b": b, "s": small[a], "t": small[b]})
    tiers = edges.drop_duplicates(["s", "t"]).set_index(["s", "t"])["tier"]
    tier = tiers.reindex(pd.MultiIndex.from_frame(made[["s", "t"]])).array
    made = made.assign(tier=tier, probability=np.round(p[a] * p[b], 6), through=True)
    made = made[made["tier"].notna()].assign(accepted=True, score=0.0, months_apart=np.int16(0))
    flags = ("same_partner", "barred", "conflict", "same_id", "else_forename", "twin")
    made = made.assign(**dict.fromkeys(flags, False), **dict.fromkeys(levels.FIELDS, np.int8(-1)))
    return pd.concat([edges, made], ignore_index=True) if len(made) else edges


def _place(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of its group stand before each, where groups stand together."""
    first = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.arange(len(groups)) - np.repeat(first, np.diff(first, append=len(groups)))
