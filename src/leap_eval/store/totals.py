"""Aggregates: what stages hand to the gate in results/, and what the gate let out in release/."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from leap_eval.contracts import CUBE, Contract, check
from leap_eval.errors import MissingInputError, StorageError
from leap_eval.store import files, parquet
from leap_eval.store.files import existing, root, write_bytes, written

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 10


def write_json(value: Any, name: str) -> None:
    """Write results/NAME.json."""
    files.write_json(f"results/{name}.json", value)


def read_json(name: str) -> Any:
    """Read results/NAME.json."""
    return files.read_json(f"results/{name}.json")


def write_table(table: pd.DataFrame, name: str, contract: Contract) -> None:
    """Write results/NAME.parquet after its contract has been checked."""
    told = parquet.arrow(table, contract)
    parquet.write(check(told, contract), f"results/{name}.parquet", contract, DIGITS)


def read_table(name: str, contract: Contract) -> pd.DataFrame:
    """Read results/NAME.parquet and check its contract."""
    table: pd.DataFrame = pq.read_table(existing(f"results/{name}.parquet")).to_pandas()
    return check(table, contract)


def write_cube(table: Any, name: str) -> None:
    """Write the counts that stage 07 protects: results/cubes/NAME.parquet."""
    told = parquet.arrow(table, CUBE)
    parquet.write(check(told, CUBE), f"results/cubes/{name}.parquet", CUBE, DIGITS)


def read_cube(name: str) -> pd.DataFrame:
    """Read results/cubes/NAME.parquet."""
    return read_table(f"cubes/{name}", CUBE)


def read_jsons(folder: str, names: Sequence[str]) -> dict[str, Any]:
    """Read results/FOLDER/NAME.json for each name."""
    return {name: read_json(f"{folder}/{name}") for name in names}


def read_tables(folder: str, names: Sequence[str], contract: Contract) -> dict[str, pd.DataFrame]:
    """Read results/FOLDER/NAME.parquet for each name."""
    return {name: read_table(f"{folder}/{name}", contract) for name in names}


def read_cubes(names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Read results/cubes/NAME.parquet for each name."""
    return {name: read_cube(name) for name in names}


def draw(name: str) -> bytes:
    """Return secret bytes for one release, the same each time, from the stage's nonce key."""
    return files.nonce(name, b"draw").encode()


def digest(place: str) -> str:
    """Return the SHA-256 of a file of the workspace."""
    return hashlib.sha256(existing(place).read_bytes()).hexdigest()


def write_release(content: dict[str, bytes]) -> None:
    """Write the checked release: `content` maps a place below release/ to its bytes."""
    for place in sorted(content):
        if place.startswith(("/", ".")) or ".." in place:
            raise StorageError("release/: a file must lie below release/; name it so")
        write_bytes(written(f"release/{place}"), content[place])


def read_release() -> dict[str, bytes]:
    """Read the checked tables and the manifest of release/."""
    home = root() / "release"
    if not (home / "manifest.json").is_file():
        raise MissingInputError("release/manifest.json is not there; run `dvc repro disclose`")
    found = [home / "manifest.json", *sorted(home.glob("tables/*.csv"))]
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in found}


class Look:
    """A small table of aggregates as plain HTML: no ids, no styles, the same bytes each time."""

    def __init__(self, table: pd.DataFrame, caption: str = "") -> None:
        """Keep the table and its caption."""
        self._table, self._caption = table, caption

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(str(c))}</th>" for c in self._table.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_shown(cell))}</td>" for cell in row) + "</tr>"
            for row in self._table.itertuples(index=False)
        )
        caption = f"<caption>{html.escape(self._caption)}</caption>" if self._caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _shown(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def look(table: pd.DataFrame, caption: str = "") -> Look:
    """Show a table of aggregates in a notebook; a person-level column is refused."""
    personal = {"record_key", "study_id", "family_id", "record_key_a", "record_key_b"}
    if personal & set(map(str, table.columns)):
        raise StorageError("look: a row-level table is never displayed; show counts of it")
    return Look(table, caption)
