"""The released tables inside the page, byte for byte, and the dictionary that explains them."""

from __future__ import annotations

import base64
import csv
import gzip
import io
from collections.abc import Sequence

from leap_eval.findings.release import TAIL, Output, Release, Row
from leap_eval.findings.words import dimension, label
from leap_eval.reference.labels import labels

PLAIN_MOST = 40_000


def link(output: Output) -> tuple[str, str]:
    """Return the file name and `data:` address of a table; a large one is packed."""
    if len(output.raw) <= PLAIN_MOST:
        return f"{output.id}.csv", address("text/csv", output.raw)
    return f"{output.id}.csv.gz", address("application/gzip", packed(output.raw))


def packed(raw: bytes) -> bytes:
    """Return the same gzip bytes for the same table, whoever packs it and when."""
    held = io.BytesIO()
    with gzip.GzipFile(fileobj=held, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(raw)
    return held.getvalue()


def address(kind: str, raw: bytes) -> str:
    """Return `raw` as a `data:` address."""
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def dictionary(release: Release, audience: str) -> bytes:
    """Return dictionary.csv: each column of each table, its type, meaning and codes."""
    held = io.StringIO()
    write = csv.writer(held, lineterminator="\n").writerow
    write(labels()["dictionary"])
    for name in release.ids(audience):
        rows = release.outputs[name].rows
        for column in rows[0] if rows else ():
            number = column in ("value", "low", "high")
            write((f"{name}.csv", column, label("type", "number" if number else "code"),
                   label("column" if column in TAIL else "dimension", column),
                   "" if number else _codes(rows, column)))  # fmt: skip
    return held.getvalue().encode()


def _codes(rows: Sequence[Row], column: str) -> str:
    if column == "marker":
        return label("column", "codes_of_marker")
    known = {r[column]: dimension(column, r[column], r) for r in rows if column in NAMED}
    return "; ".join(f"{code}: {words}" for code, words in sorted(known.items()))


NAMED = {
    "ward", "service", "ethnicity_group5", "imd_third", "step", "outcome", "family", "trial",
    "unit", "status", "grade", "covariate", "check", "code", "partner", "measure", "dimension",
}  # fmt: skip
