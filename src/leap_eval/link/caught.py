"""How likely blocking leads to a true pair that shows a pattern of levels, learnt from links.

A level seldom says all: names a letter apart may or may not begin alike. Links that other fields
would have led to anyway tell how often they do, and so how often a rule that asks for it finds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from leap_eval.link import levels
from leap_eval.link.capture import KEPT, LISTS, patterns

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from leap_eval.link.encode import Encoded

    Floats = NDArray[np.float64]
    Marks = NDArray[np.uint64]

FIELD = {"fn": 0, "ln": 1, "dob": 2, "pc": 3}
MOST, DRAWN, FEWEST = 20_000, 256, 10  # links looked at; draws per level; links that tell a level
Rules = list[dict[int, list[str]]]  # per rule: the keys it asks of each field


def caught(edges: pd.DataFrame, encoded: Encoded, seed: int) -> dict[str, Floats]:
    """Return for every pattern of model B the chance that some rule leads to such a true pair."""
    some = edges[edges["accepted"] & ~edges["same_partner"] & (edges["tier"] == "B")]
    if len(some) < FEWEST:
        return {}
    random = np.random.default_rng(seed)
    some = some.take(np.sort(random.choice(len(some), min(len(some), MOST), replace=False)))
    rules, told = _rules(), patterns("B")
    agree = _agreements(
        some, encoded, sorted({k for r in rules for keys in r.values() for k in keys})
    )
    marks = [_marks(rules, f, agree, len(some)) for f in range(len(LISTS))]
    idle = [_marks(rules, f, {}, 1)[0] for f in range(len(LISTS))]
    led = np.full((len(told.number), DRAWN), ~np.uint64(0))
    for f, field in enumerate(LISTS):
        # Only where the other fields lead to a pair does this one show itself unchosen.
        free = idle[f] & np.bitwise_and.reduce([m for g, m in enumerate(marks) if g != f]) != 0
        shown = some[field].to_numpy()
        drawn = np.full((told.shape[f], DRAWN), idle[f])
        for place, name in enumerate(levels.labels("B", field)):
            known = marks[f][free & (shown == place)]
            sure = KEPT[f].get(name, "").split()
            least = _marks(rules, f, {k: np.ones(1, bool) for k in sure}, 1)
            drawn[place + 1] = random.choice(known if len(known) >= FEWEST else least, DRAWN)
        led &= drawn[told.number[:, f] + 1]
    return {"B": np.where(told.blocked, 1.0, (led != 0).mean(axis=1))}


def _rules() -> Rules:
    made: Rules = []
    for condition, _ in levels.rules("B"):
        asked = re.findall(r"l\.(\w+) = r\.(\w+)", condition)
        rule: dict[int, list[str]] = {}
        for left, right in asked:
            # Names that changed places and equal ids are levels, or facts, of their own.
            if left == right and (field := _field(left)) is not None:
                rule.setdefault(field, []).append(left)
        if sum(map(len, rule.values())) == len(asked):
            made.append(rule)
    return made


def _field(key: str) -> int | None:
    return next((f for start, f in FIELD.items() if key.startswith(start)), None)


def _marks(rules: Rules, field: int, agree: dict[str, Any], count: int) -> Marks:
    """Return for each pair one bit per rule: this field does all that the rule asks of it."""
    told = np.zeros(count, np.uint64)
    for bit, rule in enumerate(rules):
        met = np.ones(count, bool)
        for key in rule.get(field, []):
            met &= agree.get(key, np.zeros(count, bool))
        told |= met.astype(np.uint64) << np.uint64(bit)
    return told


def _agreements(some: pd.DataFrame, encoded: Encoded, keys: list[str]) -> dict[str, Any]:
    """Return for each key of a rule whether the two records of each pair agree on it."""
    members = encoded.members.drop_duplicates("record").set_index("record")["node"]
    columns = {levels.plain(c): c for c in encoded.nodes.column_names}
    held = encoded.nodes.select([columns[k] for k in keys]).rename_columns(keys)
    # One thread: the two sides must stay in step.
    engine = duckdb.connect(config={"threads": 1})
    for name, side in (("l", "a"), ("r", "b")):
        engine.register(name, held.take(pa.array(members.loc[some[side]].to_numpy(np.int64))))
    lists = {k for k in keys if pa.types.is_list(held.schema.field(k).type)}
    asked = (f"list_has_any(l.{k}, r.{k})" if k in lists else f"l.{k} = r.{k}" for k in keys)
    told = ", ".join(f"COALESCE({sql}, FALSE) AS {k}" for sql, k in zip(asked, keys, strict=True))
    found = engine.sql(f"SELECT {told} FROM l POSITIONAL JOIN r").df()
    return {k: found[k].to_numpy(bool) for k in keys}
