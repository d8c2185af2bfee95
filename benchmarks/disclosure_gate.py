"""The gate measured: presets, the verifier, covert outputs, and ACRO side by side.

presets: every count from 0 to 200 under every preset against what its body publishes.
verify: the verifier on the release of this workspace, and on sound and tampered ledgers.
covert: 50 outputs that would carry rows out, 100 ordinary ones.
acro: ACRO's flags reproduced; small cells that leave ACRO exactly known, and none of ours.
`benchmarks/disclosure.py` is the door.
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
    noise = [
        draw.normal(0, s, n) for s, n in ((0.5, (shape[0], 1)), (0.5, (1, shape[1])), (0.3, shape))
    ]
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


def _question(
    rows: pd.Series, columns: pd.Series, values: pd.Series | None = None, how=None
) -> dict:
    told = None if values is None else [None if pd.isna(v) else float(v) for v in values]
    return {"rows": list(rows), "columns": list(columns), "values": told, "how": how,
            "suppress": False}  # fmt: skip


def our_flags(question: dict, missing: bool = True) -> dict[str, list[str]]:
    """Return what our rules say of the same cells: threshold, p % and (n, k)."""
    from leap_eval.disclosure.rounding import shown
    from leap_eval.disclosure.rules import preset

    rules = preset("exact")
    table = pd.DataFrame({k: question[k] for k in ("rows", "columns")})
    table["value"] = (
        1.0 if question["values"] is None else pd.Series(question["values"], dtype=float)
    )
    found = {}
    for row in sorted(set(table["rows"])):
        for column in sorted(set(table["columns"])):
            cell = table[(table["rows"] == row) & (table["columns"] == column)]["value"]
            # ACRO counts records, with a value or not, and takes zeros for disclosive in counts.
            many = len(cell) if missing else cell.notna().sum()
            flags = ["threshold"] if many == 0 or shown([many], rules).hidden[0] else []
            if question["values"] is not None and many:
                flags += _dominance(cell.dropna(), rules)
            found[f"{row}|{column}"] = sorted(flags)
    return found


def _dominance(inside: pd.Series, rules) -> list[str]:
    from leap_eval.disclosure import magnitude

    if inside.empty:
        return []
    first, second = sorted([*inside, 0.0], reverse=True)[:2]
    told = [float(inside.sum())], [first], [second], rules
    ways = {"nk": magnitude.leans, "p": magnitude.guessed}
    return [name for name, rule in ways.items() if rule(*told)[0]]


def asked(python: Path, tables: dict[str, dict], threshold: int) -> dict:
    """Ask ACRO in its own environment."""
    told = {"threshold": threshold, "tables": [{"name": n, **t} for n, t in tables.items()]}
    script = Path(__file__).with_name("peers") / "acro_flags.py"
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
    wrong, cells, more = 0, 0, 0
    for name, question in same.items():
        ours, strict = our_flags(question), our_flags(question, missing=False)
        for cell, flags in theirs[name]["flags"].items():
            cells += 1
            wrong += sorted(flags) != ours.get(cell, [])
            more += strict.get(cell, []) != ours.get(cell, [])
    tables = {f"{a}x{b} {s}": counts((a, b), s) for a, b in SHAPES for s in seeds}
    through = asked(python, {n: spread(t) for n, t in tables.items()}, 5)
    small = let = caught = 0
    by_shape: dict[str, list[int]] = {}
    for name, table in tables.items():
        told = through[name]["shown"]
        empty = [[told.get(f"r{r:02d}|c{c:02d}") is None for c in range(table.shape[1])]
                 for r in range(table.shape[0])]  # fmt: skip
        hidden = np.array(empty) & (table > 0)
        small += int(((table > 0) & (table < 5)).sum())
        exact = known(table, hidden)
        let += exact
        at = by_shape.setdefault(name.split()[0], [0, 0])
        at[0] += exact
        at[1] += int(((table > 0) & (table < 5)).sum())
        caught += exact - known(table, ours_hidden(table))
    return {"flags_compared": cells, "flags_differ": wrong, "flags_equal": wrong == 0,
            "stricter": more,
            "small": small, "let_through": let, "caught": caught, "by_shape": by_shape}  # fmt: skip


def ours_hidden(table: np.ndarray) -> np.ndarray:
    """Return which inner cells our gate withholds when the margins are shown."""
    from leap_eval.disclosure import cells, suppress, targets
    from leap_eval.disclosure.declare import Cube, Output, Release

    rows, columns = (
        [f"{x}{i:02d}" for i in range(n)] for x, n in zip("rc", table.shape, strict=True)
    )
    places = [(r, c) for r in rows for c in columns]
    told = [(*place, n) for place, n in zip(places, table.ravel(), strict=True)]
    frame = pd.DataFrame(told, columns=["row", "column", "children"])
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


# --- the verifier -------------------------------------------------------------------------------


def verified(root: Path, many: int, first: int) -> dict:
    """Time the verifier on this workspace's release, and judge sound and tampered ledgers."""
    import disclose_world as world

    from leap_eval.disclosure.verify import Verdict, attack

    def judged(home: Path, **asked) -> Verdict:
        return next(told for told in attack(home, **asked) if isinstance(told, Verdict))

    def sound(told: Verdict) -> bool:
        return not told.recovered and not told.broken

    own = Path(attack.__code__.co_filename)
    files = {n: len(own.with_name(n).read_text().splitlines())
             for n in ("verify.py", "reading.py", "witnessed.py")}  # fmt: skip
    made: dict = {"lines": files}
    if (root / "release/manifest.json").is_file():
        started = time.perf_counter()
        told = judged(root / "release")
        made |= {"seconds": round(time.perf_counter() - started, 1), "tried": told.tried,
                 "release_sound": sound(told)}  # fmt: skip
    passed = caught = 0
    ways = (_byte, _stray, _missing, _forged, _cut, _head, _shown, _total)
    for seed in range(first, first + many):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            release = world.vetted(seed, 300 + 7 * (seed % 60))
            world.laid(release, home / "release")
            book = _book(world, release, home)
            passed += sound(judged(home / "release", ledger=book))
            way = ways[seed % len(ways)]
            way(world, seed, home, book)
            caught += not sound(judged(home / "release", ledger=book))
    return made | {"sound": many, "sound_passed": passed, "tampered": many, "caught": caught,
                   "wrong": 2 * many - passed - caught}  # fmt: skip


def _book(world, release, home: Path) -> Path:
    """Write a ledger with an earlier release of the same tables under another name."""
    import dataclasses

    line = {**release.kept.line, "name": "2024-q4"}
    older = dataclasses.replace(release, kept=dataclasses.replace(release.kept, line=line))
    book = world.ledger([older, older], home / "ledger.jsonl")
    _manifest(home, {"ledger_head": json.loads(book.read_text().splitlines()[-1])["hash"]})
    return book


def _manifest(home: Path, change: dict) -> None:
    path = home / "release/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change, sort_keys=True, indent=1))


def _byte(world, seed: int, home: Path, book: Path) -> None:
    path = home / "release/tables/reach.csv"
    path.write_bytes(path.read_bytes()[:-2] + b"x\n")


def _stray(world, seed: int, home: Path, book: Path) -> None:
    (home / f"release/tables/rows-{seed}.csv").write_text("a\n")


def _missing(world, seed: int, home: Path, book: Path) -> None:
    (home / "release/tables/flow.csv").unlink()


def _forged(world, seed: int, home: Path, book: Path) -> None:
    first, *rest = book.read_text().splitlines()
    told = json.loads(first) | {"preset": "srs"}
    book.write_text("\n".join([json.dumps(told, sort_keys=True), *rest]) + "\n")


def _cut(world, seed: int, home: Path, book: Path) -> None:
    book.write_text(book.read_text().splitlines()[seed % 2] + "\n")


def _head(world, seed: int, home: Path, book: Path) -> None:
    _manifest(home, {"ledger_head": f"{seed:064x}"[:-1] + "a"})


def _shown(world, seed: int, home: Path, book: Path) -> None:
    world.redone(home / "release", world.revealed(seed, many=300 + 7 * (seed % 60)))


def _total(world, seed: int, home: Path, book: Path) -> None:
    def change(name: str, text: str) -> str:
        lines = [n.split(",") for n in text.splitlines()]
        for line in lines if name == "flow" else []:
            if line[0] == "linked_children":
                line[2] = str(int(line[2]) + 1 + seed % 5)
        return "\n".join(",".join(n) for n in lines) + "\n"

    world.redone(home / "release", change)


# --- covert outputs -----------------------------------------------------------------------------


def covert(seed: int) -> dict:
    """Try 50 outputs that would carry rows out, and 100 ordinary ones."""
    import disclose_world as world

    from leap_eval.errors import DisclosureError

    draw = random.Random(seed)
    refused = sum(_refused(*one, world, DisclosureError) for one in _hidden(draw))
    blocked = sum(_refused(*one, world, DisclosureError) for one in _ordinary(draw))
    return {"covert": 50, "refused": refused, "ordinary": 100, "blocked": blocked}


def _refused(kind: str, told: dict, world, error: type[Exception]) -> bool:
    from leap_eval.disclosure import gate

    plain = world.gate.Proposal("2025-q1", world.preset("exact"), {"state": "demo"})
    try:
        if kind == "estimates":
            made = plain.estimates("effects", {"asq3_communication": told["table"]}, why="reach")
            return any(v.verdict == "fail" for v in made.outputs[-1].verdicts)
        if kind == "figure":
            plain = plain.table("reach", cube="reach-whole", rows=["ward"], why="reach")
        getattr(plain, kind)(**told)
    except error:
        return True
    if kind == "table":
        cubes = world.frames(world.children(3))
        return not gate.vet(getattr(plain, kind)(**told), cubes, gate.Before(), b"s").files
    return False


def _rows(draw: random.Random) -> bytes:
    return f"rk1_{draw.getrandbits(80):x},{draw.randint(2015, 2024)}-0{draw.randint(1, 9)}".encode()


def _estimate(**change) -> pd.DataFrame:
    from test_disclose_rules import GOOD

    shown = {"estimate": 0.2, "se": 0.05, "low": 0.1, "high": 0.3, "band_low": 0.05,
             "band_high": 0.35, "mde80": 0.1, "q": 0.01, "ess": 100.0, "evalue": 1.5, "unit": "sd",
             "grade": "B", "status": "prespecified", "reason": "",
             "wording_key": "service_b_better", "outcome": "asq3_communication",
             "contrast": "chattertime",
             "arms": "chattertime"}  # fmt: skip
    return pd.DataFrame([GOOD | shown, GOOD | shown | {"contrast": "speech_therapy",
                         "arms": "speech_therapy"} | change])  # fmt: skip


def _hidden(draw: random.Random) -> list[tuple[str, dict]]:
    """Return ten each: riddles as titles, colours, one-child dummies, nested numbers, digits."""
    row = {"arm": "chattertime", "measure": "ess", "low": "", "high": "", "marker": ""}
    made: list[tuple[str, dict]] = []
    for i in range(10):
        rows = _rows(draw)
        coded = (base64.b64encode, base64.b32encode, base64.b16encode, base64.a85encode)[i % 4](
            rows
        )
        text = coded.decode()
        text = text.lower() if i % 2 else " ".join(text[j : j + 5] for j in range(0, len(text), 5))
        field = ("title", "why")[i % 2]
        words = {"name": "notes", "rows": [row | {"value": "100"}], "why": "reach", field: text}
        made.append(("quality", words))
        colours = [f"#{draw.getrandbits(24):06x}" for _ in range(8)]
        option = ("colours", "order", "limits", "labels", "palette")[i % 5]
        made.append(
            ("figure", {"name": "reach", "table": "reach", "kind": "reach", option: colours})
        )
        made.append(("estimates", {"table": _estimate(min_level=1 + i % 3)}))
        part = {"family": "subgroup", "subgroup": "disability:no", "arms": "chattertime",
                "contrast": "chattertime", "n_arm": 120 - 1 - i % 9}  # fmt: skip
        made.append(("estimates", {"table": _estimate(**part)}))
        digits = (
            f"0.{draw.randint(10**5, 10**8)}" if i % 2 else str(draw.randint(10**5, 10**7) * 10 + 1)
        )
        made.append(
            ("quality", {"name": "notes", "rows": [row | {"value": digits}], "why": "reach"})
        )
    return made


WHYS = (
    "whom each service reaches", "equity", "how far to believe it", "are the groups comparable",
    "the board asked which wards are missed", "the funder needs the reach by quarter",
    "shows whether families stay with a service", "partners compare their own reach with others",
    "parents asked how many children took part", "to plan places for next year",
)  # fmt: skip
TITLES = (
    "Children by {}", "Reach by {}", "Who is counted, by {}", "Families and {}",
    "Take-up of services by {}", "How many children, by {}", "Background of children: {}",
)  # fmt: skip
WORDS = ("ward", "ethnic group", "deprivation", "age", "sex", "service", "home language", "quarter")


def _ordinary(draw: random.Random) -> list[tuple[str, dict]]:
    """Return 100 outputs of the usual kinds with the usual words."""
    row = {"measure": "ess", "low": "", "high": "", "marker": ""}
    made: list[tuple[str, dict]] = []
    for i in range(100):
        words = {"title": draw.choice(TITLES).format(draw.choice(WORDS)), "why": draw.choice(WHYS)}
        if i % 4 == 0:
            view = draw.choice(("reach", "reach_group"))
            rows = {"reach": ["ward"], "reach_group": ["ethnicity_group5"]}[view]
            made.append(("table", {"name": f"reach-{i}", "cube": view, "rows": rows,
                                   "columns": ["service"], "margins": i % 8 == 0,
                                   **words}))  # fmt: skip
        elif i % 4 == 1:
            value = draw.choice((f"{draw.random():.2f}", f"{draw.random():.3f}",
                                 str(10 * draw.randint(1, 2000))))  # fmt: skip
            told = row | {
                "arm": draw.choice(("none", "chattertime", "making_it_real")),
                "value": value,
            }
            made.append(("quality", {"name": f"overlap-{i}", "rows": [told], **words}))
        elif i % 4 == 2:
            kind = draw.choice(("reach", "reach_map", "flow", "upset"))
            made.append(("figure", {"name": f"map-{i}", "table": "reach", "kind": kind}))
        else:
            made.append(("estimates", {"table": _estimate(n_arm=draw.randint(60, 109))}))
    return made


def run(told: argparse.Namespace) -> dict:
    """Measure what is asked for."""
    made: dict = {}
    if told.presets:
        made |= presets()
    if told.covert:
        made |= covert(told.seed)
    if told.verify:
        made["verify"] = verified(told.root, told.ledgers, told.seed)
    if told.acro:
        able = told.data and told.peer_python
        seeds = range(*map(int, told.seeds.split(":")))
        made["acro"] = acro(told.peer_python, told.data, seeds) if able else None
    return made
