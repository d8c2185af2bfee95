"""The canonical form: what leaves a trust, and all that may arrive from one."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from datetime import date
from typing import Any

import pyarrow as pa

from leap_eval.agreements.agreement import FileForm
from leap_eval.intake.deidentify import Row
from leap_eval.intake.reader import Grid, RefusedError, read_csv
from leap_eval.reference.identifiers import kinds
from leap_eval.tokens import SLIPS, columns, from_canonical, from_text, to_canonical

PLAIN_MARKS = ("has_forename", "has_surname", "has_date", "has_postcode")
PLAIN = FileForm(format="csv", encoding="utf-8", delimiter=",")
PERSON = (
    *("role", "birth_month", "due_month", "sex"),
    *("ethnicity", "ethnicity_standard", "ethnicity_group5", "home_language", "disability"),
    *("area_kind", "area", "ward", "imd_decile", "need_level", "review_on_12", "review_on_24"),
    *("concern_12", "concern_24", "birthweight_g", "gestation_weeks", "parity"),
)
CONTACT = (
    *("service", "date_from", "date_to", "sessions", "attended"),
    *("minutes", "mode", "age_months", "in_scope"),
)
OUTCOME = ("instrument", "item", "measured_on", "value", "level", "age_months", "in_window")
KEYS = ("pseudonym", "family_pseudonym", "row")
SINGLES, LISTS = columns("A")
TOKENS = (*SINGLES, *LISTS, *PLAIN_MARKS, "multiple", "birth_order")
SHAPES = {
    "persons": (*KEYS, *PERSON, *TOKENS),
    "contacts": (*KEYS, *CONTACT),
    "outcomes": (*KEYS, *OUTCOME),
    "probes": ("pseudonym", "kind", *TOKENS),
}
DATES = {
    "birth_month",
    "due_month",
    "review_on_12",
    "review_on_24",
    "date_from",
    "date_to",
    "measured_on",
}
WHOLE = {"imd_decile", "need_level", "parity", "sessions", "minutes", "age_months", "row"}
FLOATS = {"birthweight_g", "gestation_weeks", "value"}
YES_NO = {"concern_12", "concern_24", "in_scope", "in_window"}


def write(rows: list[Row], table: str, tokens: pa.Table | None) -> bytes:
    """Return one canonical table as CSV; persons and probes carry their tier A tokens."""
    marks = to_canonical(tokens) if tokens is not None else [{} for _ in rows]
    buffer = io.StringIO()
    out = csv.writer(buffer, lineterminator="\n")
    out.writerow(SHAPES[table])
    for row, told in zip(rows, marks, strict=True):
        out.writerow([_text({**row, **told}.get(name)) for name in SHAPES[table]])
    return buffer.getvalue().encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def read(data: bytes, table: str, place: str) -> tuple[list[Row], pa.Table | None]:
    """Return the rows of a canonical table and their tokens; anything else refuses the whole.

    A trust's own file, one more column, or one identifier in any cell: refused, never repaired.
    """
    grid = read_csv(data, PLAIN, place)
    if grid.headers != SHAPES[table]:
        raise RefusedError("leak.nhs", place)
    keyed = len(KEYS)
    texts = {
        cell
        for row in grid.rows
        for cell in row[keyed : len(SHAPES[table])]
        if not cell.startswith(("tk1_", "tl1_"))
    }
    if any(kinds(text) for text in texts) or not _slips(grid):
        raise RefusedError("leak.nhs", place)
    rows = [_typed(dict(zip(grid.headers, row, strict=True))) for row in grid.rows]
    for row in rows:
        from_text(row["pseudonym"])
    tokens = (
        [{name: row.pop(name) for name in TOKENS} for row in rows]
        if table in ("persons", "probes")
        else None
    )
    return rows, from_canonical(tokens) if tokens is not None else None


def _slips(grid: Grid) -> bool:
    # A probe says only which of the known slips it bears.
    if "kind" not in grid.headers:
        return True
    place = grid.headers.index("kind")
    return all(set(row[place].split("+")) <= set(SLIPS) for row in grid.rows)


def _typed(told: dict[str, str]) -> Row:
    return {name: _value(name, text) for name, text in told.items()}


def _value(name: str, text: str) -> Any:
    if name in TOKENS:
        return text
    if not text:
        return None
    if name in DATES:
        return date.fromisoformat(text)
    if name in YES_NO:
        return text == "true"
    return int(text) if name in WHOLE else float(text) if name in FLOATS else text


def sign(manifest: dict[str, Any], key: bytes) -> str:
    """Return the signature of a manifest: HMAC-SHA-256 over its canonical JSON."""
    told = {k: v for k, v in manifest.items() if k != "signature"}
    return hmac.new(key, json.dumps(told, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def manifest(facts: dict[str, Any], files: dict[str, bytes], key: bytes) -> bytes:
    """Return manifest.json for these files, signed."""
    listed = [
        {"name": n, "bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()}
        for n, d in sorted(files.items())
    ]
    told = {**facts, "files": listed}
    return (
        json.dumps({**told, "signature": sign(told, key)}, sort_keys=True, indent=1) + "\n"
    ).encode()


def verified(files: dict[str, bytes], partner: str, signing: bytes, link_id: str) -> dict[str, Any]:
    """Return the manifest of a signed submission, or refuse by the first misfit."""
    if "manifest.json" not in files:
        raise RefusedError("manifest.missing", "manifest.json")
    told: dict[str, Any] = json.loads(files["manifest.json"])
    if not hmac.compare_digest(sign(told, signing), str(told.get("signature"))):
        raise RefusedError("manifest.signature", "manifest.json")
    if told["partner"] != partner:
        raise RefusedError("manifest.partner", "manifest.json")
    if told["key_ids"]["link"] != link_id:
        raise RefusedError("manifest.key", "manifest.json")
    listed = {f["name"]: f["sha256"] for f in told["files"]}
    found = {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "manifest.json"}
    if listed != found:
        raise RefusedError("manifest.digest", "manifest.json")
    return told
