"""Our best levels on clear values: what the privacy of tokens costs is measured against them.

Only what "near" means changes: an edit distance in place of shared keyed deletions, and a level
of Jaro-Winkler. Candidates, learning and decision are those of stage 02.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import linkage
import pyarrow as pa

from leap_eval.link import levels
from leap_eval.tokens.forms import forms

CLEAR = {"f": "clearfn", "l": "clearln", "q": "cleardob", "p": "clearpc"}
LIKE = 0.88


def beside(encoded: Any, persons: Any, rows: list[linkage.Rows]) -> Any:
    """Return the nodes with their clear values, and let model B compare these."""
    people = {row["id"]: row for file in rows for row in file}
    first = encoded.members.drop_duplicates("node").set_index("node")["record"]
    record = first.reindex(encoded.nodes["profile"].to_numpy()).to_numpy(int)
    told = [forms(linkage.person(people[i])) for i in persons["id"].to_numpy()[record]]
    nodes = encoded.nodes
    for form, column in CLEAR.items():
        nodes = nodes.append_column(column, pa.array([t.get(form) for t in told], pa.string()))
    for field, column in (("forename", "clearfn"), ("surname", "clearln")):
        missing, close = levels.LEVELS_B[field]
        made = {}
        for name, sql in close.items():
            made[name] = {"near": _edits(column, 1), "near_2": _edits(column, 2)}.get(name, sql)
            if name == "near_2":
                made["like"] = f"jaro_winkler_similarity({column}_l, {column}_r) >= {LIKE}"
        levels.LEVELS_B[field] = missing, made
    for field, column in (("date", "cleardob"), ("postcode", "clearpc")):
        missing, close = levels.LEVELS_B[field]
        levels.LEVELS_B[field] = missing, close | {"near": _edits(column, 1)}
    return replace(encoded, nodes=nodes)


def _edits(column: str, most: int) -> str:
    return f"damerau_levenshtein({column}_l, {column}_r) <= {most}"
