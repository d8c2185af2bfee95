"""From pairs of nodes to pairs of records, without those that two better pairs leave no chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leap_eval.link import levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

TIERS = ["A", "B"]
ALIKE = 200  # records alike in all beyond which nothing tells who is whom
# Bits by which both records of a pair must have somebody better: if the odds are even at best,
# competition at both ends leaves such a pair a chance of one in a million.
BEATEN = 10.0
AT_ONCE = 2_000_000  # pairs of records opened before the hopeless among them go


def record_edges(
    pairs: pd.DataFrame, nodes: pd.DataFrame, members: pd.DataFrame, partner: Ints, within: str
) -> pd.DataFrame:
    """Return one edge per pair of records: the best of their nodes, with what binds it.

    Where each record has a pair worth far more at the other's partner, theirs is left out: it
    would share none of the chance. Pairs that keep groups apart, and one partner's own, stay.
    """
    left, right = (nodes.take(pairs[c].to_numpy()) for c in ("node_l", "node_r"))
    same_id, other_id = _ids(left, right)
    told = pairs.drop(columns=["node_l", "node_r"]).join(_patterns(pairs))
    told = told.assign(same_id=same_id, other_id=other_id, tier=pd.Categorical(told["tier"], TIERS))
    told["apart"] = told["else_forename"] & ~same_id & _told_apart(left, right)
    sides = left["profile"].to_numpy(), right["profile"].to_numpy()
    row, a, b = _likely(told, sides, members, partner, within == "free")
    edges = told.take(row).assign(a=np.minimum(a, b), b=np.maximum(a, b))
    order = np.lexsort((-edges["bits"].to_numpy(), edges["b"], edges["a"]))
    edges = edges.take(order)
    first = ~edges.duplicated(["a", "b"]).to_numpy()
    if not first.all():
        pair = np.cumsum(first) - 1
        for column in ("same_id", "other_id"):
            told_once = np.bincount(pair, weights=edges[column].to_numpy(float)) > 0
            edges[column] = told_once[pair]
        edges = edges[first]
    edges["same_partner"] = partner[edges["a"]] == partner[edges["b"]]
    return edges.reset_index(drop=True)


def _likely(
    told: pd.DataFrame, sides: tuple[Ints, Ints], members: pd.DataFrame, partner: Ints, free: bool
) -> tuple[Ints, Ints, Ints]:
    """Return the pairs of records that may matter, and the pair of nodes each comes from."""
    x, y = sides
    bits = told["bits"].to_numpy()
    always = (told["twin"] | told["apart"] | told["same_id"]).to_numpy() | free
    own = always | told["close"].to_numpy()  # else two records of one partner are not linked
    best, least = _best(told, sides, members, partner)
    worth = own | (bits >= np.minimum(least[x], least[y]) - BEATEN)
    found = [(np.zeros(0, np.int64),) * 3]
    for row, a, b in _opened(x, y, np.flatnonzero(worth), members):
        s, t = partner[a], partner[b]
        beaten = np.minimum(best[x[row], t], best[y[row], s]) - BEATEN
        kept = np.where(s == t, own[row], always[row] | (bits[row] >= beaten))
        found.append((row[kept], a[kept], b[kept]))
    row, a, b = (np.concatenate(one) for one in zip(*found, strict=True))
    return row, a, b


def _best(
    told: pd.DataFrame, sides: tuple[Ints, Ints], members: pd.DataFrame, partner: Ints
) -> tuple[Floats, Floats]:
    """Return the bits of each profile's best pair at each partner, and the least of these."""
    where = pd.DataFrame({"node": members["node"], "at": partner[members["record"]]})
    where = where.drop_duplicates().sort_values(["node", "at"])
    node, at = where["node"].to_numpy(np.int64), where["at"].to_numpy(np.int64)
    start = np.searchsorted(node, np.arange(int(node.max(initial=-1)) + 2))
    best = np.zeros((len(start) - 1, int(partner.max(initial=0)) + 1))
    rival = ~(told["other_id"] | told["apart"] | told["twin"]) & (told["bits"] > BEATEN)
    for one, two in (sides, sides[::-1]):
        mine, theirs = one[rival], two[rival]
        size = np.diff(start)[theirs]
        step = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        place = np.repeat(mine, size), at[np.repeat(start[theirs], size) + step]
        np.maximum.at(best, place, np.repeat(told["bits"].to_numpy()[rival], size))
    # Who is known to one partner only has nobody else to meet there.
    sole = np.flatnonzero(np.diff(start) == 1)
    met = best.copy()
    met[sole, at[start[sole]]] = np.inf
    return best, met.min(axis=1)


def _opened(
    left: Ints, right: Ints, told: Ints, members: pd.DataFrame
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield all pairs of records of each pair of nodes, but not where too many look alike."""
    record = members["record"].to_numpy(np.int64)
    node = members["node"].to_numpy(np.int64)
    start = np.searchsorted(node, np.arange(int(node.max(initial=-1)) + 2))
    size = np.diff(start)
    told = told[size[left[told]] * size[right[told]] <= ALIKE**2]
    ends = np.cumsum(size[left[told]] * size[right[told]])
    cuts = np.searchsorted(ends, np.arange(AT_ONCE, int(ends[-1]) if len(ends) else 0, AT_ONCE))
    for part in np.split(told, np.unique(cuts)):
        x, y = left[part], right[part]
        count = size[x] * size[y]
        row = np.repeat(np.arange(len(part)), count)
        step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        a = record[start[x][row] + step // size[y][row]]
        b = record[start[y][row] + step % size[y][row]]
        # Within one node each pair comes twice, and each record meets itself.
        kept = np.where(x[row] == y[row], a < b, a != b)
        yield part[row][kept], a[kept], b[kept]


def _ids(left: pd.DataFrame, right: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    same, other = np.zeros(len(left), bool), np.zeros(len(left), bool)
    for column in ("nhs", "upn"):
        x, y = left[column].to_numpy(), right[column].to_numpy()
        both = (x != 0) & (y != 0)
        same |= both & (x == y)
        other |= both & (x != y)
    clash: NDArray[Any] = other & ~same
    return same, clash


def _told_apart(left: pd.DataFrame, right: pd.DataFrame) -> NDArray[Any]:
    many = (left["multiple"] == "yes").to_numpy() | (right["multiple"] == "yes").to_numpy()
    x, y = left["birth_order"].to_numpy(object), right["birth_order"].to_numpy(object)
    known = pd.notna(x) & pd.notna(y)
    apart: NDArray[Any] = many | (known & (x != y))
    return apart


def _patterns(pairs: pd.DataFrame) -> pd.DataFrame:
    close = {f: np.zeros(len(pairs), bool) for f in ("close", "twin", "else_forename")}
    for tier in ("A", "B"):
        rows = (pairs["tier"] == tier).to_numpy()
        named = {f: _named(pairs[f].to_numpy(), tier, f) for f in levels.FIELDS}
        name = np.isin(named["forename"], levels.CLOSE_NAME)
        close["close"] |= rows & name & np.isin(named["date"], levels.CLOSE_DATE)
        other = named["forename"] == levels.ELSE
        close["else_forename"] |= rows & other
        place = np.isin(named["postcode"], ["exact", "near", "sector", "missing"])
        agree = (named["surname"] == "exact") & (named["date"] == "exact") & place
        # In tier A an initial is all that is left of two names that are nothing alike.
        unlike = other | (named["forename"] == "initial") if tier == "A" else other
        close["twin"] |= rows & unlike & agree
    return pd.DataFrame(close, index=pairs.index)


def _named(numbers: Ints, tier: str, field: str) -> NDArray[Any]:
    names = np.array([*levels.labels(tier, field), "missing"], dtype=object)
    found: NDArray[Any] = names[np.minimum(numbers, len(names) - 2)]
    found[numbers < 0] = "missing"
    return found
