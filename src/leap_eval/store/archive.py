"""The release archive: the ledger of all that ever left, the counts sealed beside it, requests."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from leap_eval.errors import DisclosureError, StorageError
from leap_eval.store import files, ledger, parquet
from leap_eval.store.files import existing, root, write_bytes, write_text, written

if TYPE_CHECKING:
    import pandas as pd

HOME = ".leap/releases"
HEAD = "release.head"
EVIDENCE = "results/disclosure"


def lines() -> list[dict[str, Any]]:
    """Read the release ledger: whole, unbroken, and exactly where release.head says it is."""
    told = _checked()
    head = _head()
    at = (told[-1]["seq"], told[-1]["hash"]) if told else (0, ledger.GENESIS)
    if at != head:
        way = "ahead of" if at[0] > head[0] else "behind" if at[0] < head[0] else "another than"
        raise StorageError(
            f"{HOME}/ledger.jsonl: is {way} {HEAD} (line {at[0]} against {head[0]}); restore the "
            f"archive, or `git pull` for the newest {HEAD}"
        )
    return told


def _checked() -> list[dict[str, Any]]:
    path = root() / HOME / "ledger.jsonl"
    ledger.verify(path)
    return ledger.lines(path)


def _head() -> tuple[int, str]:
    path = root() / HEAD
    if not path.is_file():
        return 0, ledger.GENESIS
    number, _, name = path.read_text(encoding="utf-8").strip().partition(" ")
    if not number.isdecimal() or len(name) != 64:
        raise StorageError(f"{HEAD}: must hold a line number and a hash; restore it from git")
    return int(number), name


def sealed(told: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Read the counts sealed beside the ledger, one table a release, each by its hash."""
    found = {}
    for line in told:
        path = root() / HOME / "sealed" / f"{line['name']}.parquet"
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != line["sealed"]:
            raise StorageError(
                f"{HOME}/sealed/{line['name']}.parquet: is missing or not what the ledger says; "
                "restore the archive"
            )
        found[line["name"]] = pq.read_table(io.BytesIO(data)).to_pandas()
    return found


def write_evidence(witnesses: bytes, line: dict[str, Any], counts: pd.DataFrame) -> None:
    """Write what proves a release and what the ledger will keep of it; it never leaves."""
    write_bytes(written(f"{EVIDENCE}/witnesses.npz"), witnesses)
    files.write_json(f"{EVIDENCE}/line.json", line)
    table = pa.Table.from_pandas(counts, preserve_index=False).replace_schema_metadata(None)
    nonce = files.nonce(f"{EVIDENCE}/sealed.parquet", parquet.as_bytes(table))
    data = parquet.as_bytes(table.replace_schema_metadata({"leap_nonce": nonce}))
    write_bytes(written(f"{EVIDENCE}/sealed.parquet"), data)


def read_pages() -> dict[str, bytes]:
    """Read the findings pages of release/."""
    pages = sorted((root() / "release").glob("findings-*"))
    return {p.name: p.read_bytes() for p in pages if p.suffix in (".html", ".pdf")}


def prose() -> list[str]:
    """Read the words that stand between the blocks of the findings notebook."""
    notebook = json.loads((root() / "notebooks/08_findings.ipynb").read_text(encoding="utf-8"))
    cells = [c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown"]
    return ["".join(source) for source in cells]


def write_request(name: str, told: dict[str, Any]) -> None:
    """File a request for sign-off, or the decisions on it."""
    write_text(_request(name), json.dumps(told, sort_keys=True, indent=1) + "\n")


def read_request(name: str) -> dict[str, Any]:
    """Read the request for sign-off of this name."""
    if not _request(name).is_file():
        raise DisclosureError(
            f"release {name}: was not requested; run `leap-eval release request {name}`"
        )
    told: dict[str, Any] = json.loads(_request(name).read_bytes())
    return told


def _request(name: str) -> Path:
    return root() / HOME / f"{name}.json"


def write_export(name: str, data: bytes) -> str:
    """Write NAME.zip, and say where it lies."""
    write_bytes(root() / HOME / f"{name}.zip", data)
    return f"{HOME}/{name}.zip"


def read_export(name: str) -> bytes:
    """Read NAME.zip as it was exported."""
    place = root() / HOME / f"{name}.zip"
    if not place.is_file():
        raise DisclosureError(
            f"release {name}: was not exported; run `leap-eval release export {name}`"
        )
    return place.read_bytes()


def record(name: str, manifest: str, content: str, decisions: list[dict[str, Any]]) -> None:
    """Seal the counts, append the ledger's line, move release.head; repeated, change nothing.

    The head moves last: an export cut short before that is finished by the next one.
    """
    told = _checked()
    if name not in {line["name"] for line in told}:
        line = files.read_json(f"{EVIDENCE}/line.json")
        if line["name"] != name or line["manifest"] != manifest:
            raise DisclosureError(
                f"release {name}: {EVIDENCE}/ is of another run; run `dvc repro disclose`"
            )
        data = existing(f"{EVIDENCE}/sealed.parquet").read_bytes()
        write_bytes(root() / HOME / "sealed" / f"{name}.parquet", data)
        facts = {**line, "sealed": hashlib.sha256(data).hexdigest()}
        path = root() / HOME / "ledger.jsonl"
        ledger.append(path, "released", **facts, content=content, decisions=decisions)
        told = _checked()
    write_text(root() / HEAD, f"{told[-1]['seq']} {told[-1]['hash']}\n")
