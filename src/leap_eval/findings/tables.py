"""A released table as a reader's table: codes in words, numbers in their one form."""

from __future__ import annotations

from collections.abc import Sequence

from leap_eval.findings.document import Fold, Grid, para
from leap_eval.findings.release import TAIL, Output, Row
from leap_eval.findings.words import dimension, effect, label, number, say, shown, why_withheld

QUIET = {"reason", "wording_key", "trial", "unit"}


def table(rows: Sequence[Row], caption: str, leave: Sequence[str] = ()) -> Grid:
    """Return one line for each set of codes, one column for each measure."""
    keys = [k for k in rows[0] if k not in TAIL and k not in QUIET and k not in leave]
    measures = list(dict.fromkeys(r["measure"] for r in rows))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        place = tuple(dimension(k, row[k], row) for k in keys)
        lines.setdefault(place or (label("quality", row["measure"]),), {})[row["measure"]] = cell(
            row
        )
    if not keys:
        body = tuple((*place, *told.values()) for place, told in lines.items())
        return Grid(caption, (say("measure"), say("value")), body)
    body = tuple((*place, *(told.get(m, "x") for m in measures)) for place, told in lines.items())
    header = (*(label("dimension", k) for k in keys), *(label("measure", m) for m in measures))
    if measures == ["verdict"]:
        return Grid(caption, header[:-1], tuple(line[:-1] for line in body), len(keys) - 1)
    return Grid(caption, header, body, len(keys))


def crossed(rows: Sequence[Row], down: str, across: str, caption: str) -> Grid:
    """Return a table with one dimension down and the other across."""
    columns = list(dict.fromkeys(r[across] for r in rows))
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        told = label("verdict", row["code"]) if row["measure"] == "verdict" else shown(row)
        lines.setdefault(row[down], {})[row[across]] = told
    header = (label("dimension", down), *(dimension(across, c) for c in columns))
    body = tuple(
        (dimension(down, code), *(told.get(c, "x") for c in columns))
        for code, told in lines.items()
    )
    return Grid(caption, header, body)


def folded(grid: Grid, output: Output, summary: str = "") -> Fold:
    """Put the table a figure was drawn from behind its summary."""
    why = para(why_withheld(output), "note")
    return Fold(summary or say("numbers", caption=grid.caption), (grid, why))


def cell(row: Row) -> str:
    """Show a value with its limits."""
    text = shown(row)
    if not row["value"] or not row["low"]:
        return text
    if row["measure"] in ("estimate", "pointwise"):
        low, high = (effect(float(row[k]), row["unit"]) for k in ("low", "high"))
    else:
        low, high = (number(row[k], row["measure"]) for k in ("low", "high"))
    return say("limits", n=text, m=low, k=high)
