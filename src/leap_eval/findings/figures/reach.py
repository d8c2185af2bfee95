"""Reach: wards as squares, services as bars, the flow from records to children."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Rectangle

from leap_eval.findings.figures.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    PAPER,
    SHADES,
    canvas,
    finished,
)  # fmt: skip
from leap_eval.findings.release import Row
from leap_eval.findings.words import label, shown, step
from leap_eval.reference.labels import figures, wards


def squares(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw wards at fixed places; shade by declared classes, hatched where withheld."""
    places, classes = wards(), figures()["reach_map"]["classes"]
    with canvas(520, 560) as figure:
        axes = figure.add_axes((0.01, 0.02, 0.98, 0.97))
        axes.set_xlim(-0.05, 4.05)
        axes.set_ylim(8.72, -0.05)
        axes.axis("off")
        for number, row in enumerate(rows):
            if row["ward"] in places:
                _square(axes, number, row, places[row["ward"]], classes)
        _legend(axes, classes)
        return finished(figure, prefix, title, words, demo=demo)


def _square(axes, number, row, place, classes) -> None:  # type: ignore[no-untyped-def]
    x, y = place
    withheld = row["value"] == ""
    level = 0 if withheld else sum(float(row["value"]) >= c for c in classes)
    ground = PAPER if withheld else SHADES[level]
    ink = PAPER if level > 3 else INK
    axes.add_patch(
        Rectangle(
            (x + 0.02, y + 0.02), 0.96, 0.96, facecolor=ground, edgecolor=GREY, linewidth=1,
            hatch="////" if withheld else None, gid=f"row-{number}",
        )
    )  # fmt: skip
    name = label("ward", row["ward"]).replace(" ", "\n", 1)
    axes.text(x + 0.5, y + 0.38, name, ha="center", va="center", fontsize=9.5, color=ink)
    axes.text(
        x + 0.5, y + 0.78, shown(row), ha="center", va="center", fontsize=12.5, color=ink,
        weight="bold",
    )  # fmt: skip


def _legend(axes, classes) -> None:  # type: ignore[no-untyped-def]
    words = [f"under {classes[0]:,}", *(f"{c:,} or more" for c in classes)]
    for i, text in enumerate(words):
        y = 8.12 + 0.2 * (i // 4)
        x = 0.05 + (i % 4) * 1.0
        axes.add_patch(
            Rectangle((x, y), 0.16, 0.14, facecolor=SHADES[i], edgecolor=GREY, linewidth=0.6)
        )
        axes.text(x + 0.2, y + 0.07, text, fontsize=8, va="center")
    axes.add_patch(
        Rectangle((2.05, 8.32), 0.16, 0.14, facecolor=PAPER, edgecolor=GREY, hatch="////", lw=0.6)
    )
    axes.text(2.25, 8.39, "c: withheld to protect children", fontsize=8, va="center")


def bars(
    rows: Sequence[Row], names: Sequence[str], prefix: str, title: str, words: str, *, demo: bool
) -> str:
    """Draw one bar a row with its number; no bar and `c` where withheld."""
    height = (30 if any("\n" in n for n in names) else 22) * len(rows) + 30
    with canvas(680, height) as figure:
        axes = figure.add_axes((0.36, 22 / height, 0.54, 1 - 26 / height))
        values = [float(r["value"]) if r["value"] else 0.0 for r in rows]
        for i, (row, value) in enumerate(zip(rows, values, strict=True)):
            axes.barh(i, value, height=0.66, color=BLUE, gid=f"row-{i}")
            hatch = "c, withheld" if row["marker"] == "c" else shown(row)
            axes.text(value + max([*values, 1]) * 0.012, i, hatch, va="center", fontsize=9.5)
        axes.set_yticks(range(len(rows)), names)
        axes.set_xticks([])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)
        axes.spines["left"].set_color(FAINT)
        return finished(figure, prefix, title, words, demo=demo)


def flow_names(rows: Sequence[Row]) -> list[str]:
    """Name the steps, wrapped so that the longest fits beside its bar."""
    return [_wrapped(step(r["step"])) for r in rows]


def _wrapped(text: str) -> str:
    if len(text) <= 36:
        return text
    cut = text.rfind(" ", 0, 36)
    return f"{text[:cut]}\n{text[cut + 1 :]}"
