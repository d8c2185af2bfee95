"""A table of a CSV file as the gate's input: codes, hierarchies, markers, sums; one clear error.

Markers (c x z low u k) are unknown cells, never zero: no cell that covers one is asked about.
Rows of totals, and of codes above the finest, are margins: they must add up.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from leap_eval.disclosure.declare import ALL, Cube, Output, Release

MARKERS = ("c", "x", "z", "low", "u", "k", ":", "..", "~", "-", "")
TOTAL = re.compile(r"(total|all|ensemble)(_.*)?", re.IGNORECASE)
Levels = dict[str, dict[str, tuple[str, ...]]]  # dimension -> coarser code -> finest codes
ROUNDED = 1e-6  # a file's own sums are rounded


class RefusedError(Exception):
    """What is wrong with a file, in one line."""


def read(path: Path, dims: str, freq: str, hierarchy: str = "", **sums: str) -> tuple[Any, ...]:
    """Return a release of the file's tables, and per cube row the sum and largest part, if asked.

    `dims`: a,b,c; several tables over the same children: a,b;a,c. `hierarchy`: fine<coarse of
    columns, or dimension=FILE with a column per level, coarsest first; several by commas.
    """
    tables = [t.split(",") for t in dims.split(";")]
    names = list(dict.fromkeys(d for t in tables for d in t))
    asked = dict(part.split("=", 1) for part in hierarchy.split(",") if "=" in part)
    above = [part.split("<") for part in hierarchy.split(",") if "<" in part]
    kept = {kind: column for kind, column in sums.items() if column}
    frame = _columns(path, {*names, *(c for a in above for c in a), freq, *kept.values()})
    numbers = {k: _numbers(path, frame, c) for k, c in {"children": freq, **kept}.items()}
    if odd := _places(numbers["children"] % 1 > 0):
        raise RefusedError(f"{path.name}: line {odd[0]}, column {freq}: a count must be whole")
    levels: Levels = {d: _file(Path(told), path) for d, told in asked.items()}
    for chain in above:
        levels[chain[0]] = _chain(path, frame, chain, levels.get(chain[0], {}))
    coarse = {c for chain in above for c in chain[1:]}
    finest = [d for d in names if d not in coarse]
    inner, unknown, counts = _inner(path, frame, finest, levels, numbers)
    made = tuple(
        Output(f"t{i}", "c", _nodes(counts, t, finest, levels)) for i, t in enumerate(tables)
    )
    made = tuple(Output(o.id, "c", o.nodes, _unknown(o, finest, unknown)) for o in made)
    cube = Cube(counts[[*finest, "children"]], tuple(finest))
    return Release("r", made, {"c": cube}), counts, {"markers": len(unknown), "rows": inner}


def _columns(path: Path, columns: set[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, sep=None, engine="python")
    except (OSError, ValueError, pd.errors.ParserError) as broken:
        raise RefusedError(f"{path.name}: is no readable CSV ({type(broken).__name__})") from None
    if missing := sorted(columns - set(frame)):
        raise RefusedError(f"{path.name}: has no column {missing[0]}; it has {', '.join(frame)}")
    return frame.apply(lambda column: column.str.strip())


def _numbers(path: Path, frame: pd.DataFrame, column: str) -> pd.Series:
    marker = frame[column].str.lower().isin(MARKERS)
    told = pd.to_numeric(frame[column].where(~marker), errors="coerce")
    if odd := _places((told.isna() & ~marker) | (told < 0)):
        raise RefusedError(
            f"{path.name}: line {odd[0]}, column {column}: must be a number, 0 or more, or a "
            f"marker ({' '.join(MARKERS[:6])})"
        )
    return told


def _places(wrong: pd.Series) -> list[int]:
    return [int(i) + 2 for i in wrong[wrong].index]


def _file(told: Path, beside: Path) -> dict[str, tuple[str, ...]]:
    """Return the codes above the finest, of a file with a column per level, coarsest first."""
    path = told if told.exists() else beside.with_name(told.name)
    frame = _columns(path, set())
    fine = frame.columns[-1]
    groups = [
        frame.groupby(c)[fine].agg(lambda f: tuple(sorted(set(f)))) for c in frame if c != fine
    ]
    return {str(code): inside for g in groups for code, inside in g.items()}


def _chain(path: Path, frame: pd.DataFrame, chain: list[str], found: Any) -> Any:
    fine = chain[0]
    for coarse in chain[1:]:
        if (frame.groupby(fine)[coarse].nunique() > 1).any():
            raise RefusedError(
                f"{path.name}: a code of {fine} stands in several of {coarse}; ask for two tables "
                f"(--dims {fine},..;{coarse},..) instead of a hierarchy"
            )
        for code, inside in frame.groupby(coarse)[fine]:
            found[f"{coarse} {code}"] = tuple(sorted(inside.unique()))
    return found


def _inner(
    path: Path, frame: pd.DataFrame, finest: list[str], levels: Levels, numbers: Any
) -> tuple[int, list[tuple[str, ...]], pd.DataFrame]:
    """Part finest rows from margins; check that known margins add up."""
    whole = pd.Series(False, index=frame.index)
    for d in finest:
        whole |= frame[d].str.fullmatch(TOTAL) | frame[d].isin(levels.get(d, {}))
    table = frame[finest].assign(**numbers)
    inner = table[~whole]
    if inner.empty:
        raise RefusedError(f"{path.name}: holds totals alone; name the columns of its finest codes")
    hidden = inner["children"].isna()
    unknown = list(inner.loc[hidden, finest].itertuples(index=False, name=None))
    ways = {k: "max" if k == "top1" else "sum" for k in numbers}
    counts = inner.fillna(0).groupby(finest, as_index=False).agg(ways)
    _adds_up(path, table[whole], counts, finest, levels, unknown)
    return len(inner), [tuple(map(str, u)) for u in unknown], counts


def _adds_up(
    path: Path, margins: pd.DataFrame, counts: pd.DataFrame, finest: list[str], levels: Levels,
    unknown: list[Any],
) -> None:  # fmt: skip
    for at, row in margins.dropna(subset=["children"]).iterrows():
        inside = pd.Series(True, index=counts.index)
        covers = []
        for d in finest:
            codes = None if TOTAL.fullmatch(row[d]) else levels.get(d, {}).get(row[d], (row[d],))
            covers.append(codes)
            inside &= True if codes is None else counts[d].isin(codes)
        open_ = any(
            all(c is None or code in c for c, code in zip(covers, u, strict=True)) for u in unknown
        )
        told = float(counts.loc[inside, "children"].sum())
        if not open_ and abs(told - row["children"]) > ROUNDED * max(told, 1):
            raise RefusedError(
                f"{path.name}: line {int(at) + 2}: a total that its parts do not add up to; "
                "mend the file, or leave its totals out"
            )


def _nodes(counts: pd.DataFrame, table: list[str], finest: list[str], levels: Levels) -> Any:
    nodes: dict[str, dict[str, tuple[str, ...]]] = {}
    for d in (d for d in table if d in finest):
        codes = sorted(counts[d].unique())
        coarse = {n: tuple(c for c in told if c in codes) for n, told in levels.get(d, {}).items()}
        seen = {(c,) for c in codes} | {tuple(codes)}
        nodes[d] = {c: (c,) for c in codes}
        for name, inside in coarse.items():
            if inside and inside not in seen:
                nodes[d][name] = inside
                seen.add(inside)
        nodes[d][ALL] = ()
    return nodes


def _unknown(output: Output, finest: list[str], unknown: list[tuple[str, ...]]) -> frozenset[Any]:
    """Return the keys of all cells that cover an unknown one: a sum with a hole is none."""
    found: set[Any] = set()
    for codes in unknown:
        told = dict(zip(finest, codes, strict=True))
        sides = [
            [n for n, inside in nodes.items() if not inside or told[d] in inside]
            for d, nodes in output.nodes.items()
        ]
        found |= {(output.id, *key) for key in product(*sides)}
    return frozenset(found)
