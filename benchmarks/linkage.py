"""Linkage against known truth: our tokens, our link stage, without a label in its sight.

python benchmarks/linkage.py (--left A.csv --right B.csv | --multi F.csv ...) --truth T.csv
       [--tier B|A] [--path tokens|cleartext] [--within strict|soft|free] [--extra COL ...]
       [--engine duckdb|spark] [--seed N] [--baseline splink-cleartext]

CSV, UTF-8, header: id (unique over all files), given_name, surname, date_of_birth, postcode, sex;
optional birth_day, birth_month, birth_year (where the date is empty), nhs_number, upn, multiple,
birth_order, guardian_given_name, guardian_surname, group; other columns are ignored and named, but
for those of --extra: tokens that agree or not. One file: repeats inside it are looked for (`free`).
Truth: `left_id,right_id` or `id,entity`. A child process that never gets the truth does the
linking; --path cleartext decides the same way on levels of the clear values. The last line is one
JSON object; pairs are all pairs within clusters.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

CHUNK = 2_000
FIELDS = ("given_name", "surname", "date_of_birth", "postcode", "sex")
PARTS = ("birth_year", "birth_month", "birth_day")
TOLD = ("nhs_number", "upn", "multiple", "birth_order", "guardian_given_name", "guardian_surname")
KNOWN = {"id", *FIELDS, *PARTS, *TOLD, "group"}
Rows = list[dict[str, str]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--left")
    parser.add_argument("--right")
    parser.add_argument("--multi", nargs="+")
    parser.add_argument("--truth", required=True)
    parser.add_argument("--tier", default="B", choices=["A", "B"])
    parser.add_argument("--path", default="tokens", choices=["tokens", "cleartext"])
    parser.add_argument("--within", choices=["strict", "soft", "free"])
    parser.add_argument("--extra", nargs="+", default=[], metavar="COL")
    parser.add_argument("--engine", default="duckdb", choices=["duckdb", "spark"])
    parser.add_argument("--seed", type=int, default=2015)
    parser.add_argument("--baseline", choices=["splink-cleartext"])
    told = parser.parse_args()
    if bool(told.multi) == bool(told.left and told.right):
        parser.error("name --left and --right, or --multi")
    if told.path == "cleartext" and told.tier == "A":
        parser.error("--path cleartext compares clear values: it has no tier A")
    if told.engine == "spark":
        parser.error("--engine spark: pairs are compared in memory; engines.py compares engines")
    told.files = told.multi or [told.left, told.right]
    told.within = told.within or ("free" if len(told.files) == 1 else "strict")
    return told


def table(path: str) -> tuple[list[str], Rows]:
    """Return a CSV file's columns and rows, or stop with one sentence."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            rows, names = list(reader), list(reader.fieldnames or [])
    except OSError as error:
        sys.exit(f"{path}: cannot be read ({error.strerror})")
    except (UnicodeDecodeError, csv.Error):
        sys.exit(f"{path}: is not CSV in UTF-8; save it as such")
    if any("" in row for row in rows):
        sys.exit(f"{path}: a row has more cells than the header; mend the commas")
    return names, rows


def read(path: str, extra: tuple[str, ...] = ()) -> Rows:
    """Return the records of a file; what is not understood is named on stderr."""
    names, rows = table(path)
    if missing := [c for c in ("id", *extra) if c not in names]:
        sys.exit(f"{path}: has no column {', '.join(missing)}; its header says what it has")
    if not set(names) & set(FIELDS):
        sys.exit(f"{path}: has none of {', '.join(FIELDS)}; rename its columns")
    if unknown := sorted(set(names) - KNOWN - set(extra)):
        print(f"{path}: ignored {', '.join(unknown)}", file=sys.stderr)
    return rows


def read_all(files: list[str], extra: list[str]) -> list[Rows]:
    """Return the records of all files: their ids are unique."""
    found = [read(path, tuple(extra)) for path in files]
    count = Counter(row["id"] for rows in found for row in rows)
    if count.get("") or any(n > 1 for n in count.values()):
        sys.exit("id: is empty or stands twice; each record of all files needs an id of its own")
    return found


def persons_of(rows: list[Rows]) -> Any:
    """Return what stage 01 would say of the records."""
    import pandas as pd

    from leap_eval import tokens

    key = tokens.load_keys(None, "demo").record
    made = [
        {
            "id": row["id"],
            "record_key": tokens.record_key(f"file_{place}", row["id"], key),
            "partner": f"file_{place}",
            "role": "child",
            "sex": (row.get("sex") or "").strip().lower()[:1] or None,
            "family_key": None,
            "ethnicity_group5": row.get("group") or "not_known",
            "home_language": "not_known",
            "imd_decile": None,
        }
        for place, file in enumerate(rows)
        for row in file
    ]
    columns = ["id", "record_key", "partner", "role", "sex", "family_key", "ethnicity_group5"]
    return pd.DataFrame(made, columns=[*columns, "home_language", "imd_decile"])


def tokens_of(rows: list[Rows], tier: str, seed: int, extra: tuple[str, ...] = ()) -> Any:
    """Return the token table at rest of each file, as its intake would have filed it."""
    told = [tokens_of_one(place, file, tier, seed, extra) for place, file in enumerate(rows)]
    return {(f"file_{place}", "2024Q1"): table for place, table in enumerate(told)}


def tokens_of_one(place: int, rows: Rows, tier: str, seed: int, extra: tuple[str, ...]) -> Any:
    import pyarrow as pa

    from leap_eval import tokens

    keys, people = tokens.load_keys(None, "demo"), [person(r) for r in rows]
    kind: Any = "A" if tier == "A" else "AB"
    step = CHUNK if kind == "AB" else max(len(people), 1)  # tier A is made of a whole file
    made = (
        tokens.at_rest(tokens.tokenise(people[k : k + step], keys.link, kind), keys.store)
        for k in range(0, max(len(people), 1), step)
    )
    told = pa.concat_tables(made)
    ours = [tokens.record_key(f"file_{place}", r["id"], keys.record) for r in rows]
    for name, cells in (("record_key", ours), ("tier", [kind] * len(rows))):
        told = told.append_column(name, pa.array(cells, pa.string()))
    for name in extra:
        told = told.append_column(f"extra_{name}", extra_tokens(rows, name, keys))
    return told.replace_schema_metadata({"rates": json.dumps(tokens.rates(people, seed))})


def extra_tokens(rows: Rows, name: str, keys: Any) -> Any:
    import pyarrow as pa

    from leap_eval import tokens

    told = [" ".join((r[name] or "").casefold().split()) for r in rows]
    made = {
        value: tokens.rest(keys.store, f"extra_{name}", tokens.token(keys.link, name, value))
        for value in set(told) - {""}
    }
    return pa.array([made.get(value) for value in told], pa.binary(16))


def person(row: dict[str, str]) -> Any:
    from leap_eval import tokens

    date = row.get("date_of_birth")
    if not date and any(row.get(part) for part in PARTS):  # told in part
        date = "-".join(row.get(part) or "" for part in PARTS)
    return tokens.Person(
        row.get("given_name"), row.get("surname"), date, row.get("postcode"),
        row.get("nhs_number"), row.get("upn"), multiple_birth=row.get("multiple") or None,
        birth_order=row.get("birth_order") or None,
        guardian_forename=row.get("guardian_given_name"),
        guardian_surname=row.get("guardian_surname"),
    )  # fmt: skip


def truth_pairs(path: str) -> set[tuple[str, str]]:
    """Return the pairs that are one person."""
    names, rows = table(path)
    if {"left_id", "right_id"} <= set(names):
        return {ordered(r["left_id"], r["right_id"]) for r in rows}
    if not {"id", "entity"} <= set(names):
        sys.exit(f"{path}: needs the columns left_id, right_id, or id, entity")
    people = defaultdict(list)
    for row in rows:
        people[row["entity"]].append(row["id"])
    return {p for held in people.values() for p in pairs_in(held)}


def ordered(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def pairs_in(ids: list[str]) -> set[tuple[str, str]]:
    return {ordered(a, b) for a, b in combinations(ids, 2)}


def scored(made: dict[str, Any], true: set[tuple[str, str]]) -> dict[str, Any]:
    """Return how well the groups of `made` stand for the true pairs; nothing true, nothing told."""
    found = {p for group in made.pop("groups") for p in pairs_in(group)}
    right = len(found & true)
    told = {
        "f1": 2 * right / (len(found) + len(true)) if found or true else None,
        "precision": right / len(found) if found else None,
        "recall": right / len(true) if true else None,
    }
    told = {k: v if v is None else round(v, 4) for k, v in told.items()}
    return told | {"pairs_true": len(true), "pairs_found": len(found)} | made


def block_recall(candidates: Path, true: set[tuple[str, str]]) -> float | None:
    """Return the share of true pairs that were looked at: each record stands for its places."""
    with np.load(candidates) as held:
        ids, place, pairs, size = (held[k] for k in ("ids", "place", "pairs", "size"))
    at = defaultdict(list)
    for name, where in zip(ids.tolist(), place.tolist(), strict=True):
        at[name].append(where)
    # Every true pair with every pair of places its records have: found if any was looked at.
    asked = [
        (n, min(x, y) * int(size) + max(x, y))
        for n, (a, b) in enumerate(sorted(true))
        for x in at[a]
        for y in at[b]
    ]
    told = np.array(asked, np.int64).reshape(-1, 2)
    met = told[np.isin(told[:, 1], pairs), 0]
    return round(len(np.unique(met)) / len(true), 4) if true else None


def run(told: argparse.Namespace, path: str, true: set[tuple[str, str]]) -> dict[str, Any]:
    """Link in a process of its own, and score what it hands back."""
    # The truth is not among the child's arguments.
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "candidates.npz"
        asked = {k: getattr(told, k) for k in ("files", "tier", "within", "extra", "seed")}
        asked["multi"] = bool(told.multi)
        child = [sys.executable, str(Path(__file__).with_name("linkage_child.py"))]
        done = subprocess.run(
            [*child, json.dumps(asked | {"path": path, "candidates": str(seen)})],
            stdout=subprocess.PIPE,
        )
        if done.returncode:
            sys.exit(done.returncode)
        made = scored(json.loads(done.stdout.splitlines()[-1]), true)
        return made | {"block_recall": block_recall(seen, true)}


def main() -> None:
    told = arguments()
    true = truth_pairs(told.truth)
    made = run(told, told.path, true)
    if told.baseline:
        made["baseline"] = run(told, told.baseline, true)
    print(json.dumps(made))


if __name__ == "__main__":
    main()
