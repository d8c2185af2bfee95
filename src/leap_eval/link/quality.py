"""How many links are wrong or missing, told without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leap_eval.link import levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 500
FEWEST = 300  # links below which recall of a group is not told
_CELLS = np.array([[(i >> k) & 1 for k in range(4)] for i in range(16)], dtype=float)
_COMPLETE = _CELLS.sum(axis=1) >= 2


def _terms() -> Floats:
    pairs = [_CELLS[:, i] * _CELLS[:, j] for i in range(4) for j in range(i + 1, 4)]
    return np.column_stack([np.ones(16), _CELLS, *pairs])


def cells_of(edges: pd.DataFrame) -> NDArray[np.int64]:
    """Return the cell of each edge: which of forename, surname, date, postcode agree exactly."""
    code = np.zeros(len(edges), np.int64)
    for place, field in enumerate(levels.FIELDS[:4]):
        top = edges["tier"].map({t: len(levels.labels(t, field)) - 1 for t in levels.LEVELS})
        code += (edges[field].to_numpy() == top.to_numpy()).astype(np.int64) << place
    return code


def missed(counts: Floats) -> tuple[float, float]:
    """Return recall and the number of all matches, by multi-list capture and recapture.

    Cells with two agreements or more count as complete; a log-linear model with
    all pairwise interactions tells the rest (Fienberg 1972).
    """
    x = _terms()
    beta = np.linalg.lstsq(x[_COMPLETE], np.log(counts[_COMPLETE] + 0.5), rcond=None)[0]
    hidden = np.exp(np.minimum(x[~_COMPLETE] @ beta, np.log(counts.sum() + 1)))
    total = counts[_COMPLETE].sum() + np.maximum(hidden, counts[~_COMPLETE]).sum()
    return float(counts.sum() / total) if total else float("nan"), float(total)


def recall(edges: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return the share of true pairs that were linked, with a 95 % bootstrap interval."""
    links = edges[edges["accepted"]]
    if len(links) < FEWEST:
        return {"value": None, "low": None, "high": None, "method": "too few links"}
    counts = np.bincount(cells_of(links), weights=links["probability"], minlength=16).astype(float)
    drawn = np.random.default_rng(seed).poisson(counts, (DRAWS, 16)).astype(float)
    low, high = np.quantile([missed(c)[0] for c in drawn], [0.025, 0.975])
    value = missed(counts)[0]
    return {"value": _4(value), "low": _4(low), "high": _4(high), "method": "multi-list log-linear"}


def precision(edges: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return the share of links that are right: the mean probability, with an interval."""
    p = edges.loc[edges["accepted"], "probability"].to_numpy()
    if not len(p):
        return {"value": None, "low": None, "high": None, "method": "no links"}
    draws = np.random.default_rng(seed).binomial(1, p, (DRAWS, len(p))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"value": _4(p.mean()), "low": _4(low), "high": _4(high), "method": "mean probability"}


def _4(value: float) -> float:
    return round(float(value), 4)


def quality(
    edges: pd.DataFrame, links: pd.DataFrame, partner: list[str], seed: int
) -> dict[str, Any]:
    """Return the quality of the children's links, over all and per pair of partners."""
    across = edges[edges["accepted"] & ~edges["same_partner"]]
    both = [_pair(edges, (s, t), partner, seed) for s, t in _pairs_of(edges)]
    children = links[links["role"] == "child"]
    sizes = children.groupby("study_id").size().value_counts().sort_index()
    return {
        "links": len(across),
        "children": int(children["study_id"].nunique()),
        "records": len(children),
        "uncertain": int((children["band"] == "uncertain").sum()),
        "precision": precision(across, seed),
        "recall": recall(across, seed),
        "duplicates": int((edges["accepted"] & edges["same_partner"]).sum()),
        "conflicts": int(edges["conflict"].sum()),
        "partners": both,
        "cluster_sizes": [
            {"records": k, "children": n}
            for k, n in zip(sizes.index.tolist(), sizes.tolist(), strict=True)
        ],
    }


def _pairs_of(edges: pd.DataFrame) -> list[tuple[int, int]]:
    across = edges[edges["accepted"] & ~edges["same_partner"]]
    return sorted(set(zip(across["s"].tolist(), across["t"].tolist(), strict=True)))


def _pair(
    edges: pd.DataFrame, at: tuple[int, int], partner: list[str], seed: int
) -> dict[str, Any]:
    some = edges[edges["accepted"] & (edges["s"] == at[0]) & (edges["t"] == at[1])]
    return {
        "partner_a": partner[at[0]],
        "partner_b": partner[at[1]],
        "links": len(some),
        "uncertain": int((some["probability"] < 0.95).sum()),
        "precision": precision(some, seed)["value"],
        "recall": recall(some, seed)["value"],
    }
