"""Linkage against known truth: our tokens, our link stage, without a label in its sight.

python benchmarks/linkage.py --left A.csv --right B.csv --truth T.csv [--tier A|B]
       [--within strict|soft|free] [--seed N] [--baseline splink-cleartext]
python benchmarks/linkage.py --multi F.csv ... --truth T.csv

CSV, UTF-8, header: id, given_name, surname, date_of_birth, postcode, sex; optional nhs_number,
upn, multiple, birth_order. Truth: `left_id,right_id` or `id,entity`. A child process that never
gets the truth does the linking. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

CHUNK = 2_000
KNOWN = {"id", "given_name", "surname", "date_of_birth", "postcode", "sex"}
KNOWN |= {"nhs_number", "upn", "multiple", "birth_order", "birth_day", "birth_month", "birth_year"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--left")
    parser.add_argument("--right")
    parser.add_argument("--multi", nargs="+")
    parser.add_argument("--truth")
    parser.add_argument("--tier", default="B", choices=["A", "B"])
    parser.add_argument("--within", default="strict", choices=["strict", "soft", "free"])
    parser.add_argument("--seed", type=int, default=2015)
    parser.add_argument("--baseline", choices=["splink-cleartext"])
    parser.add_argument("--as-child", choices=["tokens", "cleartext"], help=argparse.SUPPRESS)
    return parser.parse_args()


def files_of(told: argparse.Namespace) -> list[str]:
    return told.multi or [told.left, told.right]


def read(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if unknown := sorted(set(rows[0]) - KNOWN):
        print(f"{path}: ignored {', '.join(unknown)}", file=sys.stderr)
    return rows


def persons_of(rows: list[list[dict[str, str]]]) -> Any:
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
            "ethnicity_group5": "not_known",
            "home_language": "not_known",
            "imd_decile": None,
        }
        for place, file in enumerate(rows)
        for row in file
    ]
    return pd.DataFrame(made)


def tokens_of(rows: list[list[dict[str, str]]], tier: str, seed: int) -> dict[Any, Any]:
    import pyarrow as pa

    from leap_eval import tokens

    keys, found = tokens.load_keys(None, "demo"), {}
    kind: Any = "A" if tier == "A" else "AB"
    for place, file in enumerate(rows):
        people = [person(r) for r in file]
        made = (tokens.tokenise(people[k : k + CHUNK], keys.link, kind)
                for k in range(0, len(people), CHUNK))  # fmt: skip
        table = pa.concat_tables([tokens.at_rest(t, keys.store) for t in made])
        ours = [tokens.record_key(f"file_{place}", r["id"], keys.record) for r in file]
        for name, cells in (("record_key", ours), ("tier", [kind] * len(file))):
            table = table.append_column(name, pa.array(cells))
        rates = json.dumps(tokens.rates(people, seed))
        found[f"file_{place}", "2024Q1"] = table.replace_schema_metadata({"rates": rates})
    return found


def person(row: dict[str, str]) -> Any:
    from leap_eval import tokens

    date = row.get("date_of_birth")
    if not date and "birth_year" in row:  # told in part
        date = "-".join(row[f"birth_{part}"] for part in ("year", "month", "day"))
    return tokens.Person(
        row.get("given_name"), row.get("surname"), date, row.get("postcode"),
        row.get("nhs_number"), row.get("upn"), multiple_birth=row.get("multiple") or None,
        birth_order=row.get("birth_order") or None,
        guardian_forename=row.get("guardian_given_name"),
        guardian_surname=row.get("guardian_surname"),
    )  # fmt: skip


def child(told: argparse.Namespace) -> None:
    rows = [read(path) for path in files_of(told)]
    start = time.perf_counter()
    made = cleartext(rows, told.seed) if told.as_child == "cleartext" else ours(rows, told)
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    made |= {"seconds": round(time.perf_counter() - start, 1)}
    made |= {"peak_mib": round(int(peak.group(1)) / 1024) if peak else None}
    print(json.dumps(made))


def ours(rows: list[list[dict[str, str]]], told: argparse.Namespace) -> dict[str, Any]:
    from leap_eval import tokens
    from leap_eval.link import link

    persons = persons_of(rows)
    linkage = tokens_of(rows, told.tier, told.seed)
    settings = {"within": told.within, "seed": told.seed}
    made = link(
        persons.drop(columns="id"), linkage, settings, tokens.load_keys(None, "demo").project
    )
    named = made.links.merge(persons[["record_key", "id"]], on="record_key")
    groups = named.groupby("study_id")["id"].agg(list)
    return {
        "groups": [g for g in groups if len(g) > 1],
        "est_precision": made.quality["precision"]["value"],
        "est_recall": made.quality["recall"]["value"],
    }


def cleartext(rows: list[list[dict[str, str]]], seed: int) -> dict[str, Any]:
    """Stock Splink on the clear values: what a careful user gets from its library."""
    import logging

    import duckdb
    import pandas as pd
    import splink.comparison_level_library as cll
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)
    fields = ["id", "given_name", "surname", "date_of_birth", "postcode", "sex"]
    frames = [pd.DataFrame(f).reindex(columns=fields).replace("", None) for f in rows]
    for place, frame in enumerate(frames):
        frame["unique_id"], frame["source_dataset"] = frame.pop("id"), f"file_{place}"

    def edited(column: str, *rest: Any) -> Any:
        exact = cll.ExactMatchLevel(column)
        if column == "postcode":
            exact = exact.configure(tf_adjustment_column=column)
        near = [cll.DamerauLevenshteinLevel(column, k) for k in (1, 2)]
        return cl.CustomComparison(
            [cll.NullLevel(column), exact, near[0], *rest[:1], near[1], *rest[1:], cll.ElseLevel()],
            output_column_name=column,
        )

    y, m, d = (
        "substr(replace(date_of_birth_{0}, '-', ''), " + at for at in ("1, 4)", "5, 2)", "7, 2)")
    )
    swap = " AND ".join(f"{a.format('l')} = {b.format('r')}" for a, b in ((y, y), (m, d), (d, m)))
    blocks = [
        ("given_name", "surname"),
        ("date_of_birth", "surname"),
        ("date_of_birth", "given_name"),
    ]
    blocks += [("postcode", "surname"), ("postcode", "given_name"), ("date_of_birth", "postcode")]
    blocks += [(f"substr({a},1,3)", b) for a in ("given_name", "surname")
               for b in ("date_of_birth", "postcode")]  # fmt: skip
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[
            cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            edited("date_of_birth", cll.CustomLevel(swap)),
            edited("postcode"),
            cl.ExactMatch("sex"),
        ],
        blocking_rules_to_generate_predictions=[block_on(*b) for b in blocks],
    )
    api = DuckDBAPI(duckdb.connect())
    linker = Linker([api.register(f) for f in frames], settings, log_level=logging.ERROR)
    rules = [block_on("given_name", "surname", "date_of_birth"),
             block_on("given_name", "date_of_birth", "postcode"),
             block_on("surname", "date_of_birth", "postcode"),
             block_on("given_name", "surname", "postcode")]  # fmt: skip
    linker.training.estimate_probability_two_random_records_match(rules, recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=seed)
    for block in (("date_of_birth",), ("postcode",), ("given_name", "surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*block), estimate_without_term_frequencies=True
        )
    made = linker.inference.predict(threshold_match_probability=0.5)
    query = f"SELECT unique_id_l, unique_id_r, match_probability AS p FROM {made.physical_name}"
    pairs = linker._db_api._con.sql(query + " ORDER BY p DESC, 1, 2").fetchall()
    used: set[str] = set()
    groups = []
    for a, b, _ in pairs:
        if a not in used and b not in used:
            used |= {a, b}
            groups.append([a, b])
    return {"groups": groups}


def truth_pairs(path: str) -> set[tuple[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if "left_id" in rows[0]:
        return {ordered(r["left_id"], r["right_id"]) for r in rows}
    people = defaultdict(list)
    for row in rows:
        people[row["entity"]].append(row["id"])
    return {p for held in people.values() for p in pairs_in(held)}


def ordered(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def pairs_in(ids: list[str]) -> set[tuple[str, str]]:
    return {ordered(a, b) for a, b in combinations(ids, 2)}


def scored(made: dict[str, Any], true: set[tuple[str, str]]) -> dict[str, Any]:
    found = {p for group in made.pop("groups") for p in pairs_in(group)}
    right = len(found & true)
    precision, recall = right / max(len(found), 1), right / max(len(true), 1)
    f1 = 2 * right / max(len(found) + len(true), 1)
    told = {"f1": f1, "precision": precision, "recall": recall}
    told = {k: round(v, 4) for k, v in told.items()}
    return told | {"pairs_true": len(true), "pairs_found": len(found)} | made


def run(told: argparse.Namespace, kind: str) -> dict[str, Any]:
    # The truth is not among the child's arguments.
    asked = ["--multi", *files_of(told), "--tier", told.tier, "--within", told.within]
    asked += ["--seed", str(told.seed), "--as-child", kind]
    done = subprocess.run([sys.executable, __file__, *asked], stdout=subprocess.PIPE, check=True)
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def main() -> None:
    told = arguments()
    if told.as_child:
        child(told)
        return
    true = truth_pairs(told.truth)
    made = scored(run(told, "tokens"), true)
    if told.baseline:
        made["baseline"] = scored(run(told, "cleartext"), true)
    print(json.dumps(made))


if __name__ == "__main__":
    main()
