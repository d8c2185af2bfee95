"""From weights to people: a prior per pair of partners, and best edges under constraints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from leap_eval.link import levels
from leap_eval.link.prior import first, probability, scores
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
ALONE = 1e-6
CHANCES = {False: 2, True: 3}  # power of a group's size: see `cluster` and decision 0012
ALIKE = 200  # records alike in all beyond which nothing tells who is whom


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Scored edges between records, and for each record the number of its person."""

    edges: pd.DataFrame
    person: Ints
    strict: Ints
    loose: Ints
    learnt: Learnt


def record_edges(
    pairs: pd.DataFrame, nodes: pd.DataFrame, members: pd.DataFrame, partner: Ints
) -> pd.DataFrame:
    """Return one edge per pair of records: the best of their nodes, with what binds it."""
    left, right = (nodes.take(pairs[c].to_numpy()) for c in ("node_l", "node_r"))
    same_id, other_id = _ids(left, right)
    told = pairs.drop(columns=["node_l", "node_r"]).join(_patterns(pairs))
    told = told.assign(same_id=same_id, other_id=other_id)
    told["apart"] = told["else_forename"] & ~same_id & _told_apart(left, right)
    row, a, b = _opened(left["profile"].to_numpy(), right["profile"].to_numpy(), members)
    edges = told.take(row).assign(a=np.minimum(a, b), b=np.maximum(a, b))
    edges = edges.sort_values(["a", "b", "bits"], ascending=[True, True, False], kind="stable")
    first = ~edges.duplicated(["a", "b"]).to_numpy()
    if not first.all():
        pair = np.cumsum(first) - 1
        for column in ("same_id", "other_id"):
            told_once = np.bincount(pair, weights=edges[column].to_numpy(float)) > 0
            edges[column] = told_once[pair]
        edges = edges[first]
    edges["same_partner"] = partner[edges["a"]] == partner[edges["b"]]
    return edges.reset_index(drop=True)


def _opened(left: Ints, right: Ints, members: pd.DataFrame) -> tuple[Ints, Ints, Ints]:
    """Return all pairs of records of each pair of nodes, but not where too many look alike."""
    record = members["record"].to_numpy(np.int64)
    node = members["node"].to_numpy(np.int64)
    start = np.searchsorted(node, np.arange(int(node.max(initial=-1)) + 2))
    size = np.diff(start)
    told = np.flatnonzero(size[left] * size[right] <= ALIKE**2)
    x, y = left[told], right[told]
    count = size[x] * size[y]
    row = np.repeat(np.arange(len(told)), count)
    step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    a = record[start[x][row] + step // size[y][row]]
    b = record[start[y][row] + step % size[y][row]]
    # Within one node each pair comes twice, and each record meets itself.
    kept = np.where(x[row] == y[row], a < b, a != b)
    return told[row][kept], a[kept], b[kept]


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
        edges["probability"] = probability(edges, edges["score"].to_numpy(), prior)
        before, person = person, _people(edges, partner, free)
        prior = replace(prior, linked=_count(person, partner, len(prior.sizes)))
        if np.array_equal(before, person):
            break
    edges["probability"] = probability(edges, edges["score"].to_numpy(), prior)
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
    apart, chances = _apart(edges), CHANCES[free]
    held, barred = edges[(edges["score"] > least) & ~apart], edges[apart]
    person = _components(held, len(partner))
    doubtful = _doubtful(person, held, barred, partner, free)
    root = np.where(doubtful[person], np.arange(len(partner)), person)
    held = held[doubtful[person[held["a"]]]]
    held = held.sort_values(["score", "a", "b"], ascending=[False, True, True])
    never, twice = _pairs(barred), set() if free else _pairs(held[held["same_partner"]])
    groups: dict[int, list[int]] = {}
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
    pairs = [(x, y) if x < y else (y, x) for x in one for y in two]
    return all(
        p not in never and (home is None or home[p[0]] != home[p[1]] or p in twice) for p in pairs
    )
