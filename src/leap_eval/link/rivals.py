"""How likely a pair is one person when all that compete for its two records are weighed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

STEPS = 12


def chance(edges: pd.DataFrame) -> Floats:
    """Return the probability of each pair between partners: a record has one person elsewhere.

    Belief propagation on the graph of candidates, exact on trees: a rival counts for less when
    it surely belongs to somebody else. Records of one accepted person do not compete.
    """
    odds = np.exp2(np.clip(edges["score"].to_numpy(float), -60, 40))
    accepted = edges["accepted"].to_numpy(bool)
    a, b, s, t = (edges[c].to_numpy(np.int64) for c in ("a", "b", "s", "t"))
    partners = int(max(s.max(initial=0), t.max(initial=0))) + 1
    ends = np.concatenate([a * partners + t, b * partners + s])
    _, place = np.unique(ends, return_inverse=True)
    at_a, at_b = place[: len(a)], place[len(a) :]
    to_a, to_b = odds, odds
    for _ in range(STEPS):
        free_a, free_b = _free(to_a, at_a, accepted), _free(to_b, at_b, accepted)
        to_a, to_b = odds / free_b, odds / free_a
    both = _free(to_a, at_a, accepted) * _free(to_b, at_b, accepted)
    told: Floats = np.round(odds / (odds + both), 6)
    return told


def _free(message: Floats, at: Ints, accepted: NDArray[np.bool_]) -> Floats:
    """Return 1 and what all rivals of each edge weigh at one of its ends."""
    nodes = int(at.max(initial=0)) + 1
    others = np.bincount(at[~accepted], weights=message[~accepted], minlength=nodes)
    own = np.zeros(nodes)
    np.maximum.at(own, at[accepted], message[accepted])
    rivals = others[at] + np.where(accepted, 0.0, own[at] - message)
    free: Floats = 1 + np.maximum(rivals, 0.0)
    return free
