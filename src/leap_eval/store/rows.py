"""Row-level tables: what the intake filed in data/ and what stages hand on in work/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from leap_eval.contracts import CONTACTS, FILED_PERSONS, OUTCOMES, Contract, check
from leap_eval.errors import MissingInputError
from leap_eval.store import parquet
from leap_eval.store.engine import opened
from leap_eval.store.files import existing, root

if TYPE_CHECKING:
    from pathlib import Path

    import ibis.expr.types as ir
    import pandas as pd

DIGITS = 9
_TYPES = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Filed:
    """All that one partner has filed: three tables with a `period` column, and the periods."""

    persons: ir.Table
    contacts: ir.Table
    outcomes: ir.Table
    periods: tuple[str, ...]
    submissions: tuple[dict[str, Any], ...]


def read(name: str, contract: Contract) -> ir.Table:
    """Open work/NAME.parquet as an Ibis table that keeps its contract."""
    return check(opened([str(existing(f"work/{name}.parquet"))]), contract)


def frame(name: str, contract: Contract, columns: list[str] | None = None) -> pd.DataFrame:
    """Read work/NAME.parquet, or some columns of it, as a pandas frame."""
    if columns is None:
        check(read(name, contract), contract)
    table: pd.DataFrame = pq.read_table(
        existing(f"work/{name}.parquet"), columns=columns
    ).to_pandas()
    return table


def union(stem: str, contract: Contract) -> ir.Table:
    """Open work/ingest/*/STEM.parquet, all partners, as one Ibis table."""
    files = sorted((root() / "work/ingest").glob(f"*/{stem}.parquet"))
    if not files:
        raise MissingInputError(
            f"work/ingest/*/{stem}.parquet is not there; run `dvc repro ingest`"
        )
    return check(opened([str(f) for f in files]), contract)


def write(table: Any, name: str, contract: Contract) -> None:
    """Write work/NAME.parquet after its contract has been checked."""
    told = parquet.arrow(table, contract)
    parquet.write(check(told, contract), f"work/{name}.parquet", contract, DIGITS)


def empty(contract: Contract) -> pa.Table:
    """Return a table of this contract without a row."""
    return pa.schema([(n, _TYPES[c.kind]) for n, c in contract.columns.items()]).empty_table()


def filed(partner: str) -> Filed:
    """Open what the intake has filed for a partner, all periods."""
    home = root() / "data/extracts" / partner
    periods = tuple(sorted(p.name for p in home.iterdir() if p.is_dir())) if home.is_dir() else ()
    if not periods:
        raise MissingInputError(
            f"data/extracts/{partner} is not there; run `leap-eval demo` for the pretend LEAP, "
            "or `leap-eval receive` for a submission"
        )
    told = tuple(json.loads((home / p / "submission.json").read_bytes()) for p in periods)
    return Filed(
        _periods(home, periods, "persons", FILED_PERSONS),
        _periods(home, periods, "contacts", CONTACTS),
        _periods(home, periods, "outcomes", OUTCOMES),
        periods,
        told,
    )


def _periods(home: Path, periods: tuple[str, ...], stem: str, contract: Contract) -> ir.Table:
    import ibis

    parts = [empty(contract).append_column("period", pa.array([], pa.string()))]
    for period in periods:
        path = home / period / f"{stem}.parquet"
        if path.is_file():
            part = pq.read_table(path)
            parts.append(part.append_column("period", pa.array([period] * len(part), pa.string())))
    return ibis.memtable(pa.concat_tables(parts, promote_options="permissive"))


def linkage() -> Tables:
    """Open the token tables of data/linkage, by partner and period."""
    files = sorted(p for p in (root() / "data/linkage").glob("*/*.parquet") if "-" not in p.stem)
    if not files:
        raise MissingInputError(
            "data/linkage is not there; run `leap-eval demo` for the pretend LEAP, "
            "or `leap-eval receive` for a submission"
        )
    return Tables({(p.parent.name, p.stem): p for p in files})


def probes() -> Tables:
    """Open the seeded probes of data/linkage, by partner and period; there may be none."""
    files = sorted((root() / "data/linkage").glob("*/*-probes.parquet"))
    return Tables({(p.parent.name, p.stem.removesuffix("-probes")): p for p in files})


@dataclass(frozen=True, slots=True)
class Tables(Mapping[tuple[str, str], pa.Table]):
    """Parquet files by partner and period: each is read when it is asked for, and not kept."""

    places: dict[tuple[str, str], Path]

    def __getitem__(self, at: tuple[str, str]) -> pa.Table:
        """Read the table of a partner and a period."""
        return pq.read_table(self.places[at])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Return the partners and periods."""
        return iter(self.places)

    def __len__(self) -> int:
        """Return the number of tables."""
        return len(self.places)
