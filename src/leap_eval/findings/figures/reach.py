"""Reach: wards as squares, services as bars, the flow from records to children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from leap_eval.findings.figures.style import (
    BLUE,
    GREY,
    INK,
    PAPER,
    SHADES,
    SMALL,
    canvas,
    finished,
    tile,
    wrapped,
)  # fmt: skip
from leap_eval.findings.release import Row
from leap_eval.findings.words import label, say, shown
from leap_eval.reference.labels import figures, wards

SIDE, TALL = 98, 50
WHOLE = ("sent_records", "linked_children")
FROM, TO = 184, 352  # where bars begin and the longest ends


def squares(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw wards at fixed places; shade by declared classes, hatched where withheld."""
    places, classes = wards(), figures()["reach_map"]["classes"]
    deep = max(y for _, y in places.values()) + 1
    with canvas(deep * TALL + 44) as (figure, axes):
        for number, row in enumerate(rows):
            if row["ward"] in places:
                _square(axes, number, row, places[row["ward"]], classes)
        _legend(axes, classes, deep * TALL + 10)
        return finished(figure, prefix, title, words, demo=demo)


def _square(
    axes: Axes, number: int, row: Row, place: tuple[int, int], classes: Sequence[int]
) -> None:
    x, y = place[0] * 100 + 1, place[1] * TALL + 1
    level = sum(float(row["value"] or 0) >= c for c in classes)
    ink = PAPER if level > 3 else INK
    tile(axes, (x, y, SIDE, TALL - 2), SHADES[level] if row["value"] else None, number)
    name = label("ward", row["ward"])
    axes.text(x + SIDE / 2, y + 15, name, ha="center", va="center", fontsize=10.5, color=ink)
    axes.text(
        x + SIDE / 2, y + 34, shown(row), ha="center", va="center", fontsize=13, color=ink,
        weight="bold",
    )  # fmt: skip


def _legend(axes: Axes, classes: Sequence[int], top: float) -> None:
    words = [say("legend_under", n=f"{classes[0]:,}")]
    words += [say("legend_least", n=f"{c:,}") for c in classes]
    for i, text in enumerate(words):
        x, y = 2 + (i % 4) * 100, top + 16 * (i // 4)
        tile(axes, (x, y, 11, 10), SHADES[i])
        axes.text(x + 15, y + 5, text, fontsize=9, va="center")
    x, y = 202, top + 16
    tile(axes, (x, y, 11, 10), None)
    axes.text(x + 15, y + 5, say("legend_hidden"), fontsize=9, va="center")


def bars(
    rows: Sequence[Row], names: Sequence[str], prefix: str, title: str, words: str, *, demo: bool
) -> str:
    """Draw one bar a row beside its name, with its number; no bar and `c` where withheld."""
    lines = [wrapped(name, 27) for name in names]
    tops = [0.0]
    for line in lines:
        tops.append(tops[-1] + 19 + 11 * line.count("\n"))
    most = max([float(r["value"] or 0) for r in rows] + [1])
    with canvas(tops[-1] + 4) as (figure, axes):
        for i, (row, line) in enumerate(zip(rows, lines, strict=True)):
            middle = (tops[i] + tops[i + 1]) / 2
            axes.text(
                FROM - 6, middle, line, ha="right", va="center", linespacing=1.05, fontsize=10.5
            )
            end = FROM + (TO - FROM) * float(row["value"] or 0) / most
            axes.add_patch(
                Rectangle((FROM, middle - 6), end - FROM, 12, color=BLUE, lw=0, gid=f"row-{i}")
            )
            text = say("hidden") if row["marker"] == "c" else shown(row)
            axes.text(end + 5, middle, text, va="center")
        axes.plot([FROM, FROM], [0, tops[-1]], color=GREY, lw=0.8)
        return finished(figure, prefix, title, words, demo=demo)


def flow(rows: Sequence[Row], names: Sequence[str], prefix: str, title: str, words: str, *,
         demo: bool) -> str:  # fmt: skip
    """Draw the steps downwards: what stays as a bar, what is left out set in and hollow."""
    most = max([float(r["value"] or 0) for r in rows] + [1])
    with canvas(37 * len(rows) + 2) as (figure, axes):
        for i, (row, name) in enumerate(zip(rows, names, strict=True)):
            aside = row["step"] not in WHOLE and not row["step"].endswith("_eligible")
            x, y = (24 if aside else 0), 37 * i + 4
            style: Any = {"fontsize": SMALL, "color": GREY} if aside else {"weight": "bold"}
            axes.text(x, y, name, va="top", **style)
            width = 330 * float(row["value"] or 0) / most
            axes.add_patch(
                Rectangle(
                    (x, y + 17), max(width, 0.8), 9, facecolor=PAPER if aside else BLUE,
                    edgecolor=GREY if aside else BLUE, lw=0.9, gid=f"row-{i}",
                )
            )  # fmt: skip
            text = say("hidden") if row["marker"] == "c" else shown(row)
            axes.text(x + width + 5, y + 21.5, text, va="center")
        return finished(figure, prefix, title, words, demo=demo)
