"""From weights to people: a prior per pair of partners, and best edges under constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leap_eval.link import levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leap_eval.link.settings import Settings

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

ID_BITS, ID_FLOOR = 40.0, -8.0
PASSES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Scored edges between records, and for each record the number of its person."""

    edges: pd.DataFrame
    person: Ints
    strict: Ints
    loose: Ints


def record_edges(pairs: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    """Return one edge per pair of records: the best of their nodes, with what binds it."""
    left, right = (nodes.take(pairs[c].to_numpy()) for c in ("node_l", "node_r"))
    a, b = left["record"].to_numpy(), right["record"].to_numpy()
    edges = pairs.drop(columns=["node_l", "node_r"]).assign(a=np.minimum(a, b), b=np.maximum(a, b))
    edges["same_id"], edges["other_id"] = _ids(left, right)
    edges["same_partner"] = left["partner"].to_numpy() == right["partner"].to_numpy()
    edges = edges.join(_patterns(pairs))
    edges["apart"] = edges["else_forename"] & ~edges["same_id"] & _told_apart(left, right)
    edges = edges.sort_values(["a", "b", "bits"], ascending=[True, True, False], kind="stable")
    ids = edges.groupby(["a", "b"], sort=True)[["same_id", "other_id"]].max()
    best = edges.drop_duplicates(["a", "b"]).set_index(["a", "b"])
    best[["same_id", "other_id"]] = ids
    return best.reset_index()


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
        place = np.isin(named["postcode"], ["exact", "missing"])
        agree = (named["surname"] == "exact") & (named["date"] == "exact") & place
        close["twin"] |= rows & other & agree
    return pd.DataFrame(close, index=pairs.index)


def _named(numbers: Ints, tier: str, field: str) -> NDArray[Any]:
    names = np.array([*levels.labels(tier, field), "missing"], dtype=object)
    found: NDArray[Any] = names[np.minimum(numbers, len(names) - 2)]
    found[numbers < 0] = "missing"
    return found


def decide(edges: pd.DataFrame, partner: Ints, unlike: float, settings: Settings) -> Decision:
    """Return who is one person: score = bits + prior of the two partners, recounted until still.

    `unlike` is m of "another forename": how often one child stands under two names.
    """
    edges = _allowed(edges, settings)
    sizes = np.bincount(partner, minlength=int(partner.max(initial=0)) + 1)
    s, t = partner[edges["a"]], partner[edges["b"]]
    linked = _first_count(edges, s, t, sizes)
    person = np.arange(len(partner))
    for _ in range(PASSES):
        edges["score"] = _score(edges, s, t, linked, sizes, unlike)
        before, person = person, cluster(edges, partner)
        linked = _count(person, partner, len(sizes))
        if np.array_equal(before, person):
            break
    edges["probability"] = probability(edges, s, t)
    edges["accepted"] = (person[edges["a"]] == person[edges["b"]]) & (edges["score"] > -5)
    sure = edges["accepted"] & (edges["probability"] >= settings.sure)
    strict = cluster(edges[sure | edges["barred"]], partner)
    loose = cluster(edges, partner, least=settings.loose)
    return Decision(edges, person, strict, loose)


def _allowed(edges: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    rule = {"strict": False, "free": True}
    within = edges["close"] & rule.get(settings.within, True) | (settings.within == "free")
    conflict = edges["same_id"] & (edges["bits"] < ID_FLOOR)
    bound = edges["other_id"] | edges["apart"] | conflict | (edges["same_partner"] & ~within)
    # Pairs that may not be one person are still needed: twins inside a partner are counted on them.
    return edges.assign(barred=bound, conflict=conflict)


def _first_count(edges: pd.DataFrame, s: Ints, t: Ints, sizes: Ints) -> Floats:
    clear = (edges["bits"] > 20) & ~edges["barred"]
    linked = np.zeros((len(sizes), len(sizes)))
    np.add.at(linked, (s[clear], t[clear]), 1)
    linked = linked + linked.T
    most = np.minimum.outer(sizes, sizes)
    np.fill_diagonal(linked, np.diag(linked) / 2)
    return np.minimum(linked, most)


def _count(person: Ints, partner: Ints, partners: int) -> Floats:
    present = np.zeros((int(person.max(initial=0)) + 1, partners))
    np.add.at(present, (person, partner), 1)
    both = (present > 0).astype(float)
    linked: Floats = both.T @ both
    np.fill_diagonal(linked, np.maximum(present - 1, 0).sum(axis=0))
    return linked


def _score(
    edges: pd.DataFrame, s: Ints, t: Ints, linked: Floats, sizes: Ints, unlike: float
) -> Floats:
    n = np.minimum(linked[s, t], np.minimum(sizes[s], sizes[t]))
    low, high = np.minimum(sizes[s], sizes[t]) - n, np.maximum(sizes[s], sizes[t]) - n
    prior = np.log2((n + 1) / ((low + 1) * np.maximum(high, 1)))
    prior = np.where(s == t, np.log2((linked[s, t] + 1) / (sizes[s] ** 2.0 / 2 + 1)), prior)
    score = edges["bits"].to_numpy() + prior
    twin, same_id = edges["twin"].to_numpy(), edges["same_id"].to_numpy()
    inside = np.bincount(s[twin & (s == t)], minlength=len(sizes)) / np.maximum(sizes, 1)
    twins = n * (inside[s] + inside[t])
    # EM has no word for twins: what it took for one child under two names holds them as well.
    cap = np.log2((np.maximum(n * unlike - twins, 0) + 0.5) / (twins + 0.5))
    score = np.where(twin & (s != t), np.minimum(score, cap), score)
    score = np.where(same_id & ~edges["conflict"].to_numpy(), np.maximum(score, 0) + ID_BITS, score)
    final: Floats = np.round(np.where(edges["barred"], -60.0, score), 6).astype(np.float64)
    return final


def cluster(edges: pd.DataFrame, partner: Ints, least: float = 0.0) -> Ints:
    """Join records by their best edges first; two of one partner only by an edge of their own."""
    ranked = edges[(edges["score"] > least) & ~edges["barred"]]
    ranked = ranked.sort_values(["score", "a", "b"], ascending=[False, True, True])
    barred = edges[edges["barred"]]
    never = set(zip(barred["a"].tolist(), barred["b"].tolist(), strict=True))
    twice = ranked[ranked["same_partner"]]
    held = set(zip(twice["a"].tolist(), twice["b"].tolist(), strict=True))
    home, root = partner.tolist(), list(range(len(partner)))
    groups: dict[int, list[int]] = {}
    for x, y in zip(ranked["a"].tolist(), ranked["b"].tolist(), strict=True):
        i, j = root[x], root[y]
        one, two = groups.get(i, [i]), groups.get(j, [j])
        if i != j and _may_join(one, two, home, held, never):
            groups.pop(max(i, j), None)
            groups[min(i, j)] = [*one, *two]
            for record in (*one, *two):
                root[record] = min(i, j)
    return np.array(root, dtype=np.int64)


Pairs = set[tuple[int, int]]


def _may_join(one: list[int], two: list[int], home: list[int], held: Pairs, never: Pairs) -> bool:
    pairs = [(x, y) if x < y else (y, x) for x in one for y in two]
    return all(p not in never and (home[p[0]] != home[p[1]] or p in held) for p in pairs)


def probability(edges: pd.DataFrame, s: Ints, t: Ints) -> Floats:
    """Return the chance of each edge among those that compete for its two records."""
    odds = np.exp2(np.clip(edges["score"].to_numpy(), -60, 40))
    record = np.concatenate([edges["a"], edges["b"]])
    # All edges of a record to one partner compete, on whichever side it stands.
    rival = record * (int(np.max(np.concatenate([s, t]), initial=0)) + 1) + np.concatenate([t, s])
    _, place = np.unique(rival, return_inverse=True)
    total = np.bincount(place, weights=np.tile(odds, 2), minlength=1)[place]
    share: Floats = odds / (1 + total[: len(odds)] + total[len(odds) :] - odds)
    return np.round(share, 6)
