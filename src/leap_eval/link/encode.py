"""From keyed tokens to integers: one node for all records with the same tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leap_eval.errors import LinkError
from leap_eval.link import levels
from leap_eval.tokens import columns
from leap_eval.tokens.forms import IDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leap_eval.tokens.forms import Tier

    Ints = NDArray[np.int64]

Linkage = Mapping[tuple[str, str], pa.Table]  # by partner and period; may read when asked
Held = list[tuple[tuple[str, str], Any]]  # of each table the rows (Ints) that have a person
Facts = dict[tuple[str, str], dict[bytes, bytes]]
# list column -> the token of the whole value, so that an element only one value holds can go
VALUE_OF = {
    "fd_l": "f_l",
    "f_ld": "f_l",
    "fd_q": "f_q",
    "ld_q": "l_q",
    "fd_p": "f_p",
    "ld_p": "l_p",
    "f_qd": "f_q",
    "l_qd": "l_q",
    "f_pd": "f_p",
    "l_pd": "l_p",
    "fn_near2": "fn",
    "ln_near2": "ln",
    "fn_near": "fn",
    "ln_near": "ln",
    "dob_near": "dob",
    "pc_near": "pc",
}
CLEAR = ("multiple", "birth_order")
DATES = ("q", "ym", "md", "yd")
KNOWN_BY = {
    "f": ("f_l", "f_q", "f_p"),
    "l": ("f_l", "l_q", "l_p"),
    "q": tuple(f"{n}_{d}" for n in "fl" for d in DATES) + tuple(f"{d}_p" for d in DATES),
    "p": ("f_p", "l_p", "q_p"),
}
TIER_A = frozenset(c for told in columns("A") for c in told)
ODD = np.uint64(0x9E3779B97F4A7C15)
MANY = 1_000  # nodes that share a token of one kind: beyond, it tells nobody apart


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Nodes: all records with the same tokens, as integers; members: whose records they are."""

    nodes: pa.Table
    members: pd.DataFrame  # node, record; a record with older tokens is a member of several
    rates: dict[str, float]
    strangers: int  # token rows without a person
    crowded: int  # tokens shared by too many to be looked at


def encode(persons: pd.DataFrame, linkage: Linkage) -> Encoded:
    """Return one node per distinct set of tokens, role and sex, all tokens as integers.

    Each table is asked for twice, and none is kept: first for what tells records apart, then for
    the lists of those rows alone that stand for a node.
    """
    place = pd.Series(np.arange(len(persons)), index=persons["record_key"])
    held: Held = []
    parts, records, facts, strangers = [], [np.zeros(0, np.int64)], {}, 0
    # The newest first: where a record has several sets of tokens, its older ones follow.
    newest = sorted(linkage, key=itemgetter(1), reverse=True)
    for at in sorted(newest, key=itemgetter(0)):
        table = linkage[at]
        facts[at] = table.schema.metadata or {}
        _whole(table, *at)
        record = place.reindex(table["record_key"].to_pandas()).to_numpy()
        known = np.flatnonzero(~np.isnan(record))
        strangers += len(record) - len(known)
        held.append((at, known))
        records.append(record[known].astype(np.int64))
        # Not the lists: they are the most of a table.
        plain = table.drop_columns([c for c in columns("AB")[1] if c in table.column_names])
        parts.append(_described(plain.take(pa.array(known)), records[-1], persons))
    _one_key(facts)
    record = np.concatenate(records)
    if not len(record):
        return Encoded(pa.table({}), pd.DataFrame({"node": [], "record": []}), {}, strangers, 0)
    rows = _filled(parts)
    del parts
    first, members = _profiles(rows, record)
    rows = rows.take(pa.array(first))
    nodes, crowded = _sifted(rows, _lists(linkage, held, first), members)
    pa.default_memory_pool().release_unused()
    return Encoded(nodes, members, _rates(facts), strangers, crowded)


def only(nodes: pa.Table, kept: NDArray[np.bool_]) -> pa.Table:
    """Return the kept rows; the table itself, not a copy, where all are kept."""
    return nodes if kept.all() else nodes.filter(pa.array(kept))


def _one_key(facts: Facts) -> None:
    told: dict[tuple[bytes | None, ...], tuple[str, str]] = {}
    for at, said in sorted(facts.items()):
        if b"key_ids" in said:
            told.setdefault((said[b"key_ids"], said.get(b"norm_version")), at)
    if len(told) > 1:
        one, two = ["/".join(at) for at in told.values()][:2]
        raise LinkError(
            f"data/linkage: {one} and {two} were made under different keys or versions of the "
            "normaliser and cannot meet; both partners send their files again"
        )


def _whole(table: pa.Table, partner: str, period: str) -> None:
    at, held = f"data/linkage/{partner}/{period}", set(table.column_names)
    tier: Tier = "AB" if "dob" in held else "A"
    wanted = {"record_key", "tier", *CLEAR, *(c for told in columns(tier) for c in told)}
    if missing := sorted(wanted - held):
        raise LinkError(
            f"{at}: has no column {', '.join(missing[:3])}; the partner sends its file again"
        )
    keys = table["record_key"]
    if len(keys.unique()) == len(keys):
        return
    rows = table.select(["record_key", *columns("A")[0]]).to_pandas()
    if rows.drop_duplicates()["record_key"].duplicated().any():
        raise LinkError(
            f"{at}: a record has two sets of tokens; the partner sends each record once a period"
        )


def _described(table: pa.Table, record: Ints, persons: pd.DataFrame) -> pa.Table:
    """Return what tells the records of a table apart: tokens as integers, and plain words."""
    singles = [*columns("AB")[0], *levels.extras(table.column_names)]
    made: dict[str, Any] = {
        c: _single(_cells(table, c)) for c in singles if c in table.column_names
    }
    made |= {c: _cells(table, c).cast(pa.string()) for c in CLEAR}
    made["bare"] = pc.equal(_cells(table, "tier").cast(pa.string()), "A")
    made["child"] = pa.array((persons["role"] == "child").to_numpy()[record])
    sex = persons["sex"].astype(object).to_numpy()[record]
    made["sex"] = pa.array(sex, pa.string(), from_pandas=True)
    for field, forms in KNOWN_BY.items():
        told = [made[c].is_valid().to_numpy(zero_copy_only=False) for c in forms]
        made[f"has_{field}"] = pa.array(np.any(told, axis=0))
    return pa.table(made)


def _cells(table: pa.Table, column: str) -> pa.Array:
    return table.column(column).combine_chunks()


def _filled(parts: list[pa.Table]) -> pa.Table:
    """Return the rows of all tables; a trust sends no tier B: its cells are empty."""
    whole = pa.concat_tables(parts, promote_options="default")
    for column in columns("AB")[0]:
        if column not in whole.column_names:
            whole = whole.append_column(column, pa.nulls(len(whole), pa.int64()))
    return whole.combine_chunks()


def _lists(linkage: Linkage, held: Held, first: Ints) -> dict[str, pa.Array]:
    """Return the lists of the first row of each node, as integers."""
    made: dict[str, list[pa.Array]] = {c: [] for c in columns("AB")[1]}
    ends = np.cumsum([len(known) for _, known in held])
    for (at, known), end in zip(held, ends, strict=True):
        begin = end - len(known)
        mine = first[(first >= begin) & (first < end)] - begin
        if not len(mine):
            continue
        table = linkage[at]
        told = [c for c in made if c in table.column_names]
        table = table.select(told).take(pa.array(known[mine]))
        nothing = pa.nulls(len(mine), pa.list_(pa.binary(8)))
        for column, parts in made.items():
            parts.append(_list(_cells(table, column) if column in told else nothing))
    return {column: pa.concat_arrays(parts) for column, parts in made.items()}


def mixed(columns_: Sequence[Ints]) -> NDArray[np.uint64]:
    """Return one number for each row of the columns: equal where all of them are."""
    mark = np.zeros(len(columns_[0]), np.uint64)
    for cells in columns_:
        mark = (mark ^ cells.astype(np.uint64)) * ODD
        mark ^= mark >> np.uint64(29)
    return mark


def _profiles(rows: pa.Table, record: Ints) -> tuple[Ints, pd.DataFrame]:
    """Return the first row of each distinct set of tokens, and whose records share it."""
    words = [pd.factorize(rows[c].to_pandas())[0] for c in ("sex", "child", "bare", *CLEAR)]
    singles = [c for c in rows.column_names if pa.types.is_int64(rows[c].type)]
    mark = mixed([*(rows[c].fill_null(0).to_numpy() for c in singles), *words])
    _, first, node = np.unique(mark, return_index=True, return_inverse=True)
    # Nodes are numbered as their first row stands: partners by name, records by key.
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    members = pd.DataFrame({"node": rank[node], "record": record}).drop_duplicates()
    return first[order], members.sort_values(["node", "record"], ignore_index=True)


def _sifted(
    rows: pa.Table, lists: dict[str, pa.Array], members: pd.DataFrame
) -> tuple[pa.Table, int]:
    """Return the nodes without list elements that one value alone holds, and without compounds
    that too many nodes share; and the number of these."""
    # Records alike in all are compared through a copy of their node.
    copies = np.flatnonzero(np.bincount(members["node"]) > 1)
    profile = np.concatenate([np.arange(len(rows)), copies])
    taken = pa.array(profile)
    made: dict[str, Any] = {"node": np.arange(len(profile)), "profile": profile}
    made["copy"] = made["node"] >= len(rows)
    # Compounds are asked only where a side has nothing else.
    unasked = frozenset[str]() if pc.any(rows["bare"]).as_py() else TIER_A - {*IDS, "g_flp", "flp"}
    kept = [c for c in rows.column_names if c not in unasked]
    made |= {c: rows[c].combine_chunks().take(taken) for c in kept}
    for column in columns("AB")[1]:
        if column in unasked:
            continue
        value = made[VALUE_OF[column]].fill_null(0).to_numpy() if column in VALUE_OF else None
        most = MANY if column in TIER_A else len(profile)
        made[column] = _few(lists[column].take(taken), value, most)
    crowded = 0
    for column in TIER_A & made.keys() - set(columns("A")[1]):
        few = _not_many(made[column].fill_null(0).to_numpy(), MANY)
        crowded += int((~few).sum())
        made[column] = pc.if_else(pa.array(few), made[column], pa.scalar(None, pa.int64()))
    return pa.table(made), crowded


def _not_many(cells: Ints, most: int) -> NDArray[np.bool_]:
    _, place, count = np.unique(cells, return_inverse=True, return_counts=True)
    kept: NDArray[np.bool_] = (count <= most)[place] | (cells == 0)
    return kept


def _few(lists: pa.Array, value: Ints | None, most: int) -> pa.Array:
    """Return lists of small numbers, without elements of too many or of one value alone."""
    lengths = np.nan_to_num(lists.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    rows = np.repeat(np.arange(len(lists), dtype=np.int32), lengths)
    place = pd.factorize(lists.flatten().to_numpy())[0]
    kept = (np.bincount(place) <= most)[place]
    if value is not None:
        kept &= _shared(place, value[rows])
    ends = np.searchsorted(rows[kept], np.arange(len(lists) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(place[kept].astype(np.int32)))


def _words(array: pa.Array, width: int) -> Ints:
    start = array.offset * width
    raw = np.frombuffer(array.buffers()[1], np.uint8)[start : start + len(array) * width]
    return raw.reshape(-1, width)[:, :8].copy().view(np.int64).ravel()


def _single(cells: pa.Array) -> pa.Array:
    # Tokens are already evenly spread: their first eight bytes serve as the integer.
    filled = cells.cast(pa.binary()).fill_null(bytes(16)).cast(pa.binary(16))
    return pa.array(_words(filled, 16), mask=~cells.is_valid().to_numpy(zero_copy_only=False))


def _list(cells: pa.Array) -> pa.Array:
    lengths = np.nan_to_num(cells.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    elements = _words(cells.flatten().cast(pa.binary()).cast(pa.binary(8)), 8)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(elements))


def _shared(place: Ints, values: Ints) -> NDArray[np.bool_]:
    # An element that one value alone holds meets nothing new: padding goes here.
    low = np.full(place.max(initial=0) + 1, np.iinfo(np.int64).max)
    high = np.full(len(low), np.iinfo(np.int64).min)
    np.minimum.at(low, place, values)
    np.maximum.at(high, place, values)
    kept: NDArray[np.bool_] = (low != high)[place]
    return kept


def _rates(facts: Facts) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for _, said in sorted(facts.items()):
        told = said.get(b"rates")
        for field, rate in (json.loads(told) or {}).items() if told else ():
            found.setdefault(field, []).append(float(rate))
    return {field: float(np.mean(told)) for field, told in sorted(found.items())}
