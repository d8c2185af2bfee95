"""The canonical form: what leaves a trust, and all that may arrive from one."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from leap_eval.agreements.agreement import FileForm
from leap_eval.agreements.programme import Programme
from leap_eval.contracts import CONTACTS, FILED_PERSONS, OUTCOMES
from leap_eval.errors import StateError
from leap_eval.intake.deidentify import Row
from leap_eval.intake.reader import Grid, RefusedError, read_csv
from leap_eval.reference.ethnicity import codes
from leap_eval.reference.geography import areas
from leap_eval.reference.identifiers import kinds
from leap_eval.reference.instruments import INSTRUMENTS
from leap_eval.store.delivery import Delivery
from leap_eval.tokens import (
    NORM_VERSION,
    SLIPS,
    Keys,
    Person,
    cells,
    columns,
    from_canonical,
    from_text,
    key_id,
)
from leap_eval.tokens.keys import demo_key

if TYPE_CHECKING:
    import pyarrow as pa

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
CONTRACTS = {"persons": FILED_PERSONS, "contacts": CONTACTS, "outcomes": OUTCOMES}
FICTIONAL = (
    Person("Ann", "Example", "2019-04-01", "SW9 8QO"),
    Person("Ben", "Sample", "2018-12-24", "SE5 0CI"),
    Person("Zoë", "O'Brien-Okafor", "2020-02-29", "SW2 1KM"),
)
SECTOR = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d")
TOLD = {"multiple": ("yes", "no", "unknown"), "birth_order": tuple("123456789")}
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


def write(rows: list[Row], table: str, marks: list[dict[str, str]] | None = None) -> bytes:
    """Return one canonical table as CSV; persons and probes carry their tier A tokens."""
    buffer = io.StringIO()
    out = csv.writer(buffer, lineterminator="\n")
    out.writerow(SHAPES[table])
    for row, told in zip(rows, marks or [{} for _ in rows], strict=True):
        out.writerow([_text({**row, **told}.get(name)) for name in SHAPES[table]])
    return buffer.getvalue().encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def read(
    data: bytes, table: str, place: str, programme: Programme
) -> tuple[list[Row], pa.Table | None]:
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
    rows = [
        {name: _value(table, name, text) for name, text in zip(grid.headers, row, strict=True)}
        for row in grid.rows
    ]
    known = _lists(programme)
    if any(OTHER in row.values() or not _listed(row, table, known) for row in rows):
        raise RefusedError("file.canonical", place)
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


OTHER = object()  # stands for a value that is none of the canonical form


@lru_cache(maxsize=100_000)
def _value(table: str, name: str, text: str) -> Any:
    """Return the typed value of a cell, or OTHER where its contract has no such value."""
    if name in TOKENS:
        return text if not text or text in TOLD.get(name, (text,)) else OTHER
    try:
        value = _read(name, text)
    except ValueError:
        return OTHER
    column = CONTRACTS[table].columns.get(name) if table in CONTRACTS else None
    return value if column is None or column.allows(value) else OTHER


def _read(name: str, text: str) -> Any:
    if not text:
        return None
    if name in DATES:
        return date.fromisoformat(text)
    if name in YES_NO:
        return {"true": True, "false": False}.get(text, OTHER)
    return int(text) if name in WHOLE else float(text) if name in FLOATS else text


@dataclass(frozen=True, slots=True)
class _Lists:
    services: frozenset[str]
    areas: frozenset[str | None]


def _lists(programme: Programme) -> _Lists:
    places = areas(programme.geography.lookup, programme.geography.deprivation)
    return _Lists(frozenset(s.id for s in programme.services), places | {None})


def _listed(row: Row, table: str, known: _Lists) -> bool:
    """Tell whether every code of a row stands in its list: text has no way in."""
    if table == "probes":
        return True
    if table == "contacts":
        return row["service"] in known.services
    if table == "persons":
        standard = row["ethnicity_standard"]
        group = row["ethnicity"] is None or row["ethnicity"] in codes(standard)
        if row["area_kind"] == "sector":
            return group and row["ward"] is None and bool(SECTOR.fullmatch(row["area"] or ""))
        return group and {row["area"], row["ward"]} <= known.areas
    item = INSTRUMENTS.get(row["instrument"], {}).get(row["item"])
    return item is not None and (row["level"] is None or row["level"] in item.levels)


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


class _Listed(BaseModel):
    name: str
    sha256: str


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    partner: str
    period: str
    sequence: int
    norm_version: int
    key_ids: dict[str, str]
    known_answers: str
    files: tuple[_Listed, ...]
    signature: str
    rates: dict[str, float] = {}


# SHA-256 over the cells of a file of the three fictional people under the public demo key.
ANSWER = "e9afab1cef3f5d648eeb326aee9accf64ca277c0247d9980c7d7084dc5f48af1"


def sound() -> None:
    """Raise unless this machine makes the published tokens of the fictional people."""
    told = json.dumps(cells(FICTIONAL, demo_key("link")))
    if hashlib.sha256(told.encode()).hexdigest() != ANSWER:
        raise StateError("this Python makes other tokens than the published ones; use another")


def known_answers(link: bytes) -> str:
    """Return a token of a published fictional person: both sides must make the same."""
    return from_text(cells(FICTIONAL[:1], link)[0]["f_l"]).hex()


def verified(delivery: Delivery, signing: bytes, keys: Keys) -> dict[str, float]:
    """Return the agreement rates of a signed submission, or refuse by the first misfit."""
    files = delivery.content
    if "manifest.json" not in files:
        raise RefusedError("manifest.missing", "manifest.json")
    raw, told = _opened(files["manifest.json"])
    if raw is None or told is None:
        raise RefusedError("manifest.damaged", "manifest.json")
    found = {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "manifest.json"}
    fits = {
        "manifest.signature": hmac.compare_digest(
            sign(raw, signing).encode(), told.signature.encode()
        ),
        "manifest.partner": told.partner == delivery.partner,
        "manifest.period": (told.period, told.sequence) == (delivery.period, delivery.sequence),
        "manifest.version": told.norm_version == NORM_VERSION,
        "manifest.key": told.key_ids.get("link") == key_id(keys.link)
        and told.known_answers == known_answers(keys.link),
        "manifest.digest": {f.name: f.sha256 for f in told.files} == found,
    }
    for rule, fit in fits.items():
        if not fit:
            raise RefusedError(rule, "manifest.json")
    return told.rates


def _opened(data: bytes) -> tuple[dict[str, Any] | None, _Manifest | None]:
    try:
        raw = json.loads(data)
        return raw, _Manifest.model_validate(raw)
    except (ValueError, RecursionError):
        return None, None
