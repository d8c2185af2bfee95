"""From weights to people: a prior per pair of partners, and best edges under constraints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from leap_eval.link.prior import CLEAR, first, probability, scores
from leap_eval.link.refine import Learnt, refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leap_eval.link.model import Model
    from leap_eval.link.settings import Settings

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

ID_FLOOR = -8.0
PASSES = 10
LIKELY = 0.5
JOINED = ["a", "b", "score", "same_partner", "barred", "twin", "tier"]
ALONE = 1e-6
CHANCES = {False: 2, True: 3}  # power of a group's size: see `cluster` and decision 0012


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Scored edges between records, and for each record the number of its person."""

    edges: pd.DataFrame
    person: Ints
    strict: Ints
    loose: Ints
    learnt: Learnt


def decide(
    edges: pd.DataFrame, partner: Ints, models: dict[str, Model], settings: Settings
) -> Decision:
    """Return who is one person: score = bits + prior of the two partners, recounted until still."""
    edges = _allowed(edges, settings)
    free = settings.within == "free"
    prior = first(edges, partner, free)
    edges["bits"], learnt = refine(edges, models, prior)
    person = np.arange(len(partner))
    for _ in range(PASSES):
        edges["score"] = scores(edges, edges["bits"].to_numpy(), prior, learnt.unlike())
        edges["probability"] = probability(edges["score"].to_numpy(), prior)
        before, person = person, _people(edges, partner, free)
        prior = replace(prior, linked=_count(person, partner, len(prior.sizes)))
        if np.array_equal(before, person):
            break
    edges["probability"] = probability(edges["score"].to_numpy(), prior)
    edges["accepted"] = (person[edges["a"]] == person[edges["b"]]) & (edges["score"] > -5)
    sure = edges["accepted"] & (edges["probability"] >= settings.sure)
    strict = cluster(edges[sure | _apart(edges)], partner, free)
    loose = cluster(edges, partner, free, least=settings.loose)
    return Decision(edges, person, strict, loose, learnt)


def _allowed(edges: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    rule = {"strict": False, "free": True}
    within = edges["close"] & rule.get(settings.within, True) | (settings.within == "free")
    conflict = edges["same_id"] & (edges["bits"] < ID_FLOOR)
    bound = edges["other_id"] | edges["apart"] | conflict | (edges["same_partner"] & ~within)
    # Pairs that may not be one person are still needed: twins inside a partner are counted on them.
    return edges.assign(barred=bound, conflict=conflict)


def _count(person: Ints, partner: Ints, partners: int) -> Floats:
    present = np.zeros((int(person.max(initial=0)) + 1, partners))
    np.add.at(present, (person, partner), 1)
    both = (present > 0).astype(float)
    linked: Floats = both.T @ both
    # Among the records of one partner the prior counts pairs, elsewhere people.
    np.fill_diagonal(linked, (present * (present - 1) / 2).sum(axis=0))
    return linked


def _people(edges: pd.DataFrame, partner: Ints, free: bool) -> Ints:
    open_ = edges[(edges["score"] > 0) & ~edges["barred"]]
    homes = np.unique(partner[open_[["a", "b"]].to_numpy()])
    if len(homes) == 2 and not open_["same_partner"].any():
        person = assigned(open_, partner)
        # A pair that has a rival just as good is more likely wrong than right.
        likely = open_["probability"].to_numpy() >= LIKELY
        taken = person[open_["a"]] == person[open_["b"]]
        return _components(open_[likely & taken], len(partner))
    return cluster(edges, partner, free)


def assigned(edges: pd.DataFrame, partner: Ints) -> Ints:
    """Join records of two partners one to one, so that the scores sum to the most possible."""
    a, b = edges["a"].to_numpy(), edges["b"].to_numpy()
    turned = partner[a] > partner[b]
    rows, row = np.unique(np.where(turned, b, a), return_inverse=True)
    columns, column = np.unique(np.where(turned, a, b), return_inverse=True)
    person = np.arange(len(partner))
    if not len(rows):
        return person
    # Each row may also stay alone, for next to nothing: so a full matching always exists.
    row, score = (
        np.append(row, np.arange(len(rows))),
        np.append(edges["score"], [ALONE] * len(rows)),
    )
    column = np.append(column, len(columns) + np.arange(len(rows)))
    shape = (len(rows), len(columns) + len(rows))
    one, two = min_weight_full_bipartite_matching(
        csr_matrix((score, (row, column)), shape), maximize=True
    )
    linked = two < len(columns)
    x, y = rows[one[linked]], columns[two[linked]]
    person[np.maximum(x, y)] = np.minimum(x, y)
    return person


def cluster(edges: pd.DataFrame, partner: Ints, free: bool = False, least: float = 0.0) -> Ints:
    """Join records by their best edges first; two of one partner only by an edge of their own.

    Two groups have more chances than two records that one pair looks alike: of m records and at
    least as many others m squared, so that pair must be worth log2 of that more; cubed in a file
    with repeats, where no second record of a partner keeps groups apart.
    A pair that looks more like twins than like one child keeps its groups apart. `free`: as if
    each record had a partner.
    """
    edges = edges[JOINED]
    apart, chances = _apart(edges), CHANCES[free]
    held, barred = edges[(edges["score"] > least) & ~apart], edges[apart]
    root = np.arange(len(partner))
    # What the better pairs join without a doubt is one before any lesser pair is looked at.
    for line in (CLEAR, least):
        better = held[held["score"] > line]
        person = _components(better, len(partner))
        doubtful = _doubtful(person, better, barred, partner, free)[person]
        root = np.where(doubtful, root, person)
    groups = _groups(root, np.flatnonzero(doubtful))
    held = held[doubtful[held["a"]]].sort_values(["score", "a", "b"], ascending=[False, True, True])
    never, twice = _pairs(barred), set() if free else _pairs(held[held["same_partner"]])
    held = held[root[held["a"]] != root[held["b"]]]
    for x, y, score in zip(*(held[c].tolist() for c in ("a", "b", "score")), strict=True):
        i, j = int(root[x]), int(root[y])
        if i == j:
            continue
        one, two = groups.get(i, [i]), groups.get(j, [j])
        enough = score - least > chances * np.log2(min(len(one), len(two)))
        if enough and _may_join(one, two, None if free else partner, twice, never):
            groups.pop(max(i, j), None)
            groups[min(i, j)] = [*one, *two]
            root[[*one, *two]] = min(i, j)
    return root


def _groups(root: Ints, rows: Ints) -> dict[int, list[int]]:
    rows = rows[np.argsort(root[rows], kind="stable")]
    first, at = np.unique(root[rows], return_index=True)
    parts = np.split(rows, at[1:]) if len(rows) else []
    return {r: p.tolist() for r, p in zip(first.tolist(), parts, strict=True) if len(p) > 1}


def _apart(edges: pd.DataFrame) -> pd.Series:
    # Tier A cannot tell a nickname from another child's name.
    twins = edges["twin"] & (edges["score"] <= 0) & (edges["tier"] == "B")
    told: pd.Series = edges["barred"] | twins
    return told


def _components(edges: pd.DataFrame, records: int) -> Ints:
    """Return for each record the smallest record it is joined with by any edges."""
    a, b = edges["a"].to_numpy(), edges["b"].to_numpy()
    graph = csr_matrix((np.ones(len(a), np.int8), (a, b)), (records, records))
    group = connected_components(graph, directed=False)[1]
    smallest = np.full(records, records)
    np.minimum.at(smallest, group, np.arange(records))
    found: Ints = smallest[group].astype(np.int64)
    return found


def _doubtful(
    person: Ints, held: pd.DataFrame, barred: pd.DataFrame, partner: Ints, free: bool
) -> NDArray[np.bool_]:
    """Tell which persons cannot be taken as they are: only these are put together edge by edge."""
    size = np.bincount(person, minlength=len(person))
    home = person[held["a"]]
    chances = CHANCES[free]
    weak = held["score"].to_numpy() <= chances * np.log2(size[home] / 2)
    doubtful = np.zeros(len(person), bool)
    doubtful[home[weak]] = True
    a, b = person[barred["a"]], person[barred["b"]]
    doubtful[a[a == b]] = True
    if not free:
        many = int(partner.max(initial=0)) + 1
        place, count = np.unique(person * many + partner, return_counts=True)
        doubtful[place[count > 1] // many] = True
    return doubtful


Pairs = set[tuple[int, int]]


def _pairs(edges: pd.DataFrame) -> Pairs:
    return set(zip(edges["a"].tolist(), edges["b"].tolist(), strict=True))


def _may_join(
    one: list[int], two: list[int], home: Ints | None, twice: Pairs, never: Pairs
) -> bool:
    pairs = ((x, y) if x < y else (y, x) for x in one for y in two)
    return all(
        p not in never and (home is None or home[p[0]] != home[p[1]] or p in twice) for p in pairs
    )
