"""What a pair is worth before it is looked at: a prior per pair of partners, and competition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

ID_BITS, BARRED = 40.0, -60.0
STEPS = 10  # of belief propagation
CLEAR = 20.0  # bits of a pair that needs no prior to be counted first


@dataclass(frozen=True, slots=True, eq=False)
class Rivals:
    """The edges that compete with any other, and for which seat: a record at a partner."""

    rows: Ints
    one: Ints
    two: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The partners of each edge, their sizes, and how many people any two have in common."""

    s: Ints
    t: Ints
    sizes: Ints
    linked: Floats
    alone: bool  # one partner's records do not compete: a file with repeats
    rivals: Rivals

    def common(self) -> Floats:
        """Return for each edge the people its two partners have in common."""
        n: Floats = np.minimum(
            self.linked[self.s, self.t], np.minimum(self.sizes[self.s], self.sizes[self.t])
        )
        return n

    def bits(self) -> Floats:
        """Return log2 of the odds that a random pair of what is left is one person.

        Between two partners each person has at most one counterpart (Sadinle 2017): of the
        pairs still open, as many can be links as the smaller side has people left.
        """
        n, s, t = self.common(), self.s, self.t
        few, many = (
            np.minimum(self.sizes[s], self.sizes[t]),
            np.maximum(self.sizes[s], self.sizes[t]),
        )
        across = np.log2((n + 1) / ((few - n + 1) * np.maximum(many - n, 1)))
        inside = np.log2((self.linked[s, t] + 1) / (self.sizes[s] ** 2.0 / 2 + 1))
        told: Floats = np.where(s == t, inside, across)
        return told

    def counted(self, chance: Floats) -> Prior:
        """Return the prior with as many people in common as the pairs' chances sum to."""
        linked = np.zeros_like(self.linked)
        np.add.at(linked, (self.s, self.t), chance)
        return replace(self, linked=_both_ways(linked))


def first(edges: pd.DataFrame, partner: Ints, alone: bool) -> Prior:
    """Return the prior that counts only pairs no one would doubt."""
    sizes = np.bincount(partner, minlength=int(partner.max(initial=0)) + 1)
    s, t = partner[edges["a"]], partner[edges["b"]]
    both = np.zeros((len(sizes), len(sizes)))
    prior = Prior(s, t, sizes, both, alone, rivals(edges, s, t))
    clear = (edges["bits"] > CLEAR) & ~edges["barred"]
    return prior.counted(clear.to_numpy().astype(np.float64))


def rivals(edges: pd.DataFrame, s: Ints, t: Ints) -> Rivals:
    """Return who competes: most pairs, in files that agree, have both their seats to themselves."""
    partners = 1 + int(max(s.max(initial=0), t.max(initial=0)))
    seat = partners * np.concatenate([edges["a"], edges["b"]]) + np.concatenate([t, s])
    _, place, count = np.unique(seat, return_inverse=True, return_counts=True)
    one, two = place[: len(s)], place[len(s) :]
    rows = np.flatnonzero((count[one] > 1) | (count[two] > 1))
    seats = np.unique(np.concatenate([one[rows], two[rows]]), return_inverse=True)[1]
    return Rivals(rows, seats[: len(rows)], seats[len(rows) :])


def _both_ways(linked: Floats) -> Floats:
    both = linked + linked.T
    np.fill_diagonal(both, np.diag(both) / 2)
    return both


def scores(edges: pd.DataFrame, bits: Floats, prior: Prior, unlike: float) -> Floats:
    """Return bits + prior, capped for twins, raised for equal ids, and -60 for what may not be.

    `unlike` is m of "another forename": how often one child stands under two names.
    """
    score = bits + prior.bits()
    twin, same_id = edges["twin"].to_numpy(), edges["same_id"].to_numpy()
    across = prior.s != prior.t
    inside = np.bincount(prior.s[twin & ~across], minlength=len(prior.sizes))
    share = inside / np.maximum(prior.sizes, 1)
    twins = prior.common() * (share[prior.s] + share[prior.t])
    # EM has no word for twins: what it took for one child under two names holds them as well.
    cap = np.log2((np.maximum(prior.common() * unlike - twins, 0) + 0.5) / (twins + 0.5))
    score = np.where(twin & across, np.minimum(score, cap), score)
    sure = same_id & ~edges["conflict"].to_numpy()
    score = np.where(sure, np.maximum(score, 0) + ID_BITS, score)
    final: Floats = np.round(np.where(edges["barred"], BARRED, score), 6).astype(np.float64)
    return final


def probability(score: Floats, prior: Prior) -> Floats:
    """Return the chance of each edge among those that compete for its two records.

    All edges of a record to one partner compete, on whichever side it stands; a rival that is
    surely somebody else's does not (belief propagation, exact where edges form no ring).
    """
    odds = np.exp2(np.clip(score, BARRED, 40))
    alone = (prior.s == prior.t) & prior.alone
    some, one, two = odds[prior.rivals.rows], prior.rivals.one, prior.rivals.two
    to_one, to_two = some, some
    for _ in range(STEPS):
        others_one = _others(one, two, to_one, to_two)
        others_two = _others(two, one, to_two, to_one)
        to_one, to_two = some / (1 + others_two), some / (1 + others_one)
    weight = np.ones(len(odds))
    weight[prior.rivals.rows] = (1 + _others(one, two, to_one, to_two)) * (
        1 + _others(two, one, to_two, to_one)
    )
    share: Floats = odds / (odds + np.where(alone, 1.0, weight))
    return np.round(share, 6)


def _others(at: Ints, far: Ints, here: Floats, there: Floats) -> Floats:
    # What a record hears of all its edges to a partner, less what this one says itself.
    size = int(max(at.max(initial=0), far.max(initial=0))) + 1
    total = np.bincount(at, here, size) + np.bincount(far, there, size)
    heard: Floats = np.maximum(total[at] - here, 0.0)
    return heard
