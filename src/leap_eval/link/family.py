"""Families and the names of people: who belongs together, and under which pseudonym."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from leap_eval import tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

MOST_CHILDREN, MOST_ADULTS = 12, 6


def study_ids(person: Ints, record_keys: pd.Series, key: bytes) -> pd.Series:
    """Return the study_id of each record: keyed from the smallest record_key of its person."""
    smallest = record_keys.groupby(person).min()
    named = smallest.map(lambda k: tokens.study_id(k, key))
    return pd.Series(named.reindex(person).to_numpy(object), index=record_keys.index)


def families(people: pd.DataFrame, nodes: pd.DataFrame, key: bytes) -> tuple[pd.Series, pd.Series]:
    """Return the family_id of each record, and where a family_key was too wide to be believed.

    Evidence: one family_key at one partner, or a child's guardian mark that an adult bears.
    """
    number, ids = pd.factorize(people["study_id"], sort=True)
    sides = people.assign(number=number)
    kept = sides.dropna(subset=["family_key"])
    children = kept[kept["role"] == "child"].groupby("family_key")["number"].nunique()
    adults = kept[kept["role"] == "adult"].groupby("family_key")["number"].nunique()
    wide = set(children[children > MOST_CHILDREN].index) | set(adults[adults > MOST_ADULTS].index)
    kept = kept[~kept["family_key"].isin(wide)]
    first = kept.groupby("family_key")["number"].transform("first")
    joined = [(kept["number"].to_numpy(), first.to_numpy()), _guardians(sides, nodes)]
    group = _components(len(ids), joined)
    child = np.zeros(len(ids), bool)
    child[number[(people["role"] == "child").to_numpy()]] = True
    sized = np.bincount(group, minlength=len(ids))
    smallest = pd.Series(ids).groupby(group).min()
    named = smallest.map(lambda k: tokens.family_id(k, key)).reindex(group).to_numpy(object)
    named[~child & (sized[group] == 1)] = None
    too_wide = people["family_key"].isin(wide)
    return pd.Series(named[number], index=people.index, dtype=object), too_wide


def _guardians(sides: pd.DataFrame, nodes: pd.DataFrame) -> tuple[Ints, Ints]:
    number = sides["number"].to_numpy()
    told = nodes[["record", "child", "g_flp", "flp"]]
    told = told.assign(number=number[told["record"].to_numpy()])
    child = told[told["child"] & (told["g_flp"] != 0)][["number", "g_flp"]].drop_duplicates()
    adult = told[~told["child"] & (told["flp"] != 0)][["number", "flp"]].drop_duplicates()
    met = child.merge(adult, left_on="g_flp", right_on="flp", suffixes=("_child", "_adult"))
    return met["number_child"].to_numpy(np.int64), met["number_adult"].to_numpy(np.int64)


def _components(size: int, joined: list[tuple[Ints, Ints]]) -> Ints:
    a = np.concatenate([x for x, _ in joined])
    b = np.concatenate([y for _, y in joined])
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(size, size))
    found: Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return found
