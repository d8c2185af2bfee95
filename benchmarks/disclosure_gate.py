"""The gate measured: presets, the verifier, covert outputs, and ACRO side by side.

--presets: every count from 0 to 200 under every preset against what its body publishes.
--verify: the verifier on the release of this workspace, and on sound and tampered ledgers.
--covert: 50 outputs that would carry rows out, 100 ordinary ones.
--acro: ACRO's flags reproduced; small cells that leave ACRO exactly known, and none of ours.
Prints one JSON line last.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linprog

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def presets() -> dict:
    """Count the differences between what is shown and what each body publishes."""
    from test_disclose_rules import PUBLISHED

    from leap_eval.disclosure.rounding import shown
    from leap_eval.disclosure.rules import preset

    wrong = 0
    for name, published in PUBLISHED.items():
        told = shown(np.arange(201), preset(name))
        found = zip(told.text, told.low, told.high, strict=True)
        wrong += sum(tuple(f) != published(n) for n, f in enumerate(found))
    return {"presets": len(PUBLISHED), "differences": wrong}


# --- ACRO ---------------------------------------------------------------------------------------

SHAPES = ((10, 10), (25, 10), (50, 20))


def counts(shape: tuple[int, int], seed: int, below: int = 5, share: float = 0.1) -> np.ndarray:
    """Return Poisson counts with row, column and cell noise, a tenth of them from 1 to 4."""
    draw = np.random.default_rng([seed, *shape])
    noise = [draw.normal(0, s, n) for s, n in ((0.5, (shape[0], 1)), (0.5, (1, shape[1])), (0.3, shape))]
    uniform = draw.random(shape)
    low, high = 0.0, 8.0
    for _ in range(40):
        level = (low + high) / 2
        rate = np.exp(level + sum(noise))
        from scipy.stats import poisson

        table = poisson.ppf(uniform, rate)
        small = ((table > 0) & (table < below)).mean()
        low, high = (level, high) if small > share else (low, level)
    return table.astype(int)


def known(table: np.ndarray, hidden: np.ndarray) -> int:
    """Count the hidden cells that true row and column totals give away exactly."""
    rows, columns = table.shape
    places = np.argwhere(hidden)
    facts = np.zeros((rows + columns, len(places)))
    for i, (r, c) in enumerate(places):
        facts[r, i] = facts[rows + c, i] = 1
    left = np.where(hidden, 0, table)
    totals = np.concatenate([(table - left).sum(1), (table - left).sum(0)])
    exact = 0
    for i in range(len(places)):
        gain = np.eye(len(places))[i]
        ends = [linprog(s * gain, A_eq=facts, b_eq=totals, bounds=(0, None)).fun for s in (1, -1)]
        exact += ends[0] is not None and abs(ends[0] + ends[1]) < 1e-6
    return exact


def spread(table: np.ndarray) -> dict:
    """Return one row per child for a table of counts."""
    places = np.argwhere(table >= 0)
    many = table[tuple(places.T)]
    rows = [f"r{r:02d}" for r in np.repeat(places[:, 0], many)]
    columns = [f"c{c:02d}" for c in np.repeat(places[:, 1], many)]
    return {"rows": rows, "columns": columns, "values": None, "how": None, "suppress": True}


def nursery(folder: Path) -> pd.DataFrame:
    """Read the ARFF file of the nursery data."""
    lines = (folder / "nursery.arff").read_text().splitlines()
    names = [n.split()[1].strip("'") for n in lines if n.lower().startswith("@attribute")]
    start = next(i for i, n in enumerate(lines) if n.lower().startswith("@data"))
    rows = [n.split(",") for n in lines[start + 1 :] if n.strip()]
    return pd.DataFrame(rows, columns=names)


def questions(folder: Path) -> dict[str, dict]:
    """Return the tables whose flags are compared: counts, sums and means."""
    made = {}
    children, charities = nursery(folder), pd.read_stata(folder / "test_data.dta")
    for a, b in (("parents", "finance"), ("has_nurs", "class"), ("children", "recommend" if
                 "recommend" in children else "health"), ("form", "class")):  # fmt: skip
        if {a, b} <= set(children):
            made[f"nursery {a} {b}"] = _question(children[a], children[b])
    kind = charities["grant_type"].astype(str)
    for year in ("year", "status", "survivor"):
        made[f"charities {year}"] = _question(charities[year].astype(str), kind)
    for value in ("inc_grants", "inc_total", "inc_activity", "total_costs", "staff_costs"):
        if (charities[value].dropna() >= 0).all():
            for how in ("sum", "mean"):
                made[f"charities {value} {how}"] = _question(
                    charities["year"].astype(str), kind, charities[value], how
                )
    return made


def _question(rows: pd.Series, columns: pd.Series, values: pd.Series | None = None, how=None) -> dict:
    told = None if values is None else [None if pd.isna(v) else float(v) for v in values]
    return {"rows": list(rows), "columns": list(columns), "values": told, "how": how,
            "suppress": False}  # fmt: skip


def our_flags(question: dict) -> dict[str, list[str]]:
    """Return what our rules say of the same cells: threshold, p % and (n, k)."""
    from leap_eval.disclosure.rounding import shown
    from leap_eval.disclosure.rules import preset

    rules = preset("exact")
    table = pd.DataFrame({k: question[k] for k in ("rows", "columns")})
    table["value"] = 1.0 if question["values"] is None else pd.Series(question["values"], dtype=float)
    found = {}
    for row in sorted(set(table["rows"])):
        for column in sorted(set(table["columns"])):
            inside = table[(table["rows"] == row) & (table["columns"] == column)]["value"].dropna()
            many = len(inside)
            # ACRO takes zeros for disclosive in tables of counts; our preset shows them.
            flags = ["threshold"] if shown([many], rules).hidden[0] or many == 0 else []
            if question["values"] is not None and many:
                flags += _dominance(inside, rules)
            found[f"{row}|{column}"] = sorted(flags)
    return found


def _dominance(inside: pd.Series, rules) -> list[str]:
    first, second = sorted([*inside, 0.0], reverse=True)[:2]
    whole, said = float(inside.sum()), rules.summaries.dominance
    flags = ["nk"] if whole > 0 and 100 * (first + second) >= said.k * whole else []
    return flags + (["p"] if first > 0 and 100 * (whole - first - second) < said.p * first else [])


def asked(python: Path, tables: dict[str, dict], threshold: int) -> dict:
    """Ask ACRO in its own environment."""
    told = {"threshold": threshold, "tables": [{"name": n, **t} for n, t in tables.items()]}
    script = Path(__file__).with_name("acro_flags.py")
    with tempfile.TemporaryDirectory() as home:
        run = subprocess.run(
            [python, script], input=json.dumps(told), capture_output=True, text=True, cwd=home,
            check=True,
        )  # fmt: skip
    return json.loads(run.stdout)


def acro(python: Path, folder: Path, seeds: range) -> dict:
    """Compare flags, and count small cells that ACRO lets through and that the gate keeps."""
    same = questions(folder)
    theirs = asked(python, same, 10)
    wrong, cells = 0, 0
    for name, question in same.items():
        ours = our_flags(question)
        for cell, flags in theirs[name]["flags"].items():
            cells += 1
            wrong += sorted(flags) != ours.get(cell, [])
    tables = {f"{a}x{b} {s}": counts((a, b), s) for a, b in SHAPES for s in seeds}
    through = asked(python, {n: spread(t) for n, t in tables.items()}, 5)
    small = let = caught = 0
    for name, table in tables.items():
        told = through[name]["shown"]
        hidden = np.array([
            [told.get(f"r{r:02d}|c{c:02d}") is None and table[r, c] > 0 for c in range(table.shape[1])]
            for r in range(table.shape[0])
        ])  # fmt: skip
        small += int(((table > 0) & (table < 5)).sum())
        exact = known(table, hidden)
        let += exact
        caught += exact - known(table, ours_hidden(table))
    return {"flags_compared": cells, "flags_differ": wrong, "flags_equal": wrong == 0,
            "small": small, "let_through": let, "caught": caught}  # fmt: skip


def ours_hidden(table: np.ndarray) -> np.ndarray:
    """Return which inner cells our gate withholds when the margins are shown."""
    from leap_eval.disclosure import cells, suppress, targets
    from leap_eval.disclosure.declare import Cube, Output, Release

    rows, columns = ([f"{x}{i:02d}" for i in range(n)] for x, n in zip("rc", table.shape, strict=True))
    frame = pd.DataFrame([(r, c, table[i, j]) for i, r in enumerate(rows) for j, c in enumerate(columns)],
                         columns=["row", "column", "children"])  # fmt: skip
    sides = [{n: (n,) for n in names} for names in (rows, columns)]
    nodes = {d: {**told, "all": ()} for d, told in zip(("row", "column"), sides, strict=True)}
    cube = Cube(frame.assign(families=frame["children"]), ("row", "column"))
    release = Release("acro", (Output("t", "t", nodes),), {"t": cube})
    # The margins are given, as ACRO's one-way tables are: only inner cells may be withheld.
    always = frozenset(k for k in release.outputs[0].keys() if "all" in k)  # noqa: SIM118
    problem = cells.collect([release], always_show=always)
    need = targets.Need(5, 5, 5)
    found = targets.targets(problem, need, groups=False)
    first = targets.primary(problem, need)
    effort = suppress.Effort(lp_rounds=30, mip_rounds=4, mip_nodes=200, gap=0.1)
    withheld = suppress.suppress(problem, found, first, effort, b"acro").withheld
    return np.array([[withheld[problem.names["t", r, c]] for c in columns] for r in rows])
