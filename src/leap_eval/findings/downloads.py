"""The released tables inside the page, byte for byte, and the dictionary that explains them."""

from __future__ import annotations

import base64
import gzip
import io

from leap_eval.findings.release import TAIL, Output, Release
from leap_eval.findings.words import label

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
    """Return dictionary.csv: file, column, meaning."""
    lines = ["file,column,meaning"]
    for name in release.ids(audience):
        output = release.outputs[name]
        for column in output.rows[0] if output.rows else ():
            meaning = TAILS.get(column, label("dimension", column))
            lines.append(f"{name}.csv,{column},{meaning}")
    return ("\n".join(lines) + "\n").encode()


TAILS = dict(
    zip(
        TAIL,
        (
            "what is measured",
            "the number; empty when withheld or not available",
            "lower limit",
            "upper limit",
            "c withheld to protect children; x not available",
        ),
        strict=True,
    )
)
