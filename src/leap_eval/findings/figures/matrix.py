"""Squares with their numbers: services by groups, partners by measures, services by services."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from leap_eval.findings.figures import style
from leap_eval.findings.figures.style import INK, PAPER, SMALL, canvas, finished, tile, wrapped
from leap_eval.findings.release import Row
from leap_eval.findings.words import JOIN, effect, label, say, shown

LEFT = 178


def strip(
    rows: Sequence[Row], down: Sequence[tuple[str, str]], side: Sequence[tuple[str, str]],
    keys: tuple[str, str], prefix: str, title: str, words: str, *, demo: bool,
) -> str:  # fmt: skip
    """Draw shares as squares shaded by size, each with its number.

    `down` and `side` are (code, name), `keys` the columns that hold those codes.
    """
    heads = [wrapped(name, max(6, 48 // len(side))) for _, name in side]
    top = 14 * max(h.count("\n") + 1 for h in heads) + 6
    wide = (400 - LEFT) / len(side)
    with canvas(top + 20 * len(down) + 4) as (figure, axes):
        for i, head in enumerate(heads):
            axes.text(LEFT + wide * (i + 0.5), top - 4, head, ha="center", va="bottom",
                      fontsize=SMALL, linespacing=1.1)  # fmt: skip
        for i, (_, name) in enumerate(down):
            axes.text(LEFT - 6, top + 20 * i + 10, name, ha="right", va="center", fontsize=10.5)
        places = {c: i for i, (c, _) in enumerate(down)}
        columns = {c: i for i, (c, _) in enumerate(side)}
        for number, row in enumerate(rows):
            if row[keys[0]] in places and row[keys[1]] in columns:
                x = LEFT + wide * columns[row[keys[1]]]
                _share(axes, x, top + 20 * places[row[keys[0]]], wide, row, number)
        return finished(figure, prefix, title, words, demo=demo)


def _share(axes: Axes, x: float, y: float, wide: float, row: Row, number: int) -> None:
    level = min(5, int(float(row["value"] or 0) * 6))
    fill = style.SHADES[level] if row["value"] else None
    tile(axes, (x + 1, y + 1, wide - 2, 18), fill, number)
    axes.text(x + wide / 2, y + 10, shown(row), ha="center", va="center", fontsize=SMALL,
              color=PAPER if level > 3 else INK)  # fmt: skip


def synergy(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw services by services: what both give beyond both alone, its grade as text."""
    services = sorted({s for r in rows for s in r["contrast"].split(JOIN)})
    names = [wrapped(label("service", s), 14) for s in services]
    wide, left = 264 / max(len(services) - 1, 2), 132
    deep = 56 * (len(services) - 1)
    with canvas(deep + 44) as (figure, axes):
        for i, name in enumerate(names[1:]):
            axes.text(left - 8, 56 * i + 28, name, ha="right", va="center", linespacing=1.05)
        for i, name in enumerate(names[:-1]):
            axes.text(left + wide * (i + 0.5), deep + 6, name, ha="center", va="top",
                      linespacing=1.05)  # fmt: skip
        for number, row in enumerate(rows):
            a, b = sorted(services.index(s) for s in row["contrast"].split(JOIN))
            _pair(axes, left + wide * a, 56 * (b - 1), wide, row, number)
        return finished(figure, prefix, title, words, demo=demo)


def _pair(axes: Axes, x: float, y: float, wide: float, row: Row, number: int) -> None:
    empty = not row["value"]
    clear = not empty and row["grade"] in "ABC"
    told = style.BLUE if not empty and float(row["value"]) > 0 else style.PURPLE
    fill, ink = (told, PAPER) if clear else (None if empty else PAPER, INK)
    tile(axes, (x + 1, y + 1, wide - 2, 54), fill, number)
    text = shown(row) if empty else effect(float(row["value"]), row["unit"])
    middle = x + wide / 2
    axes.text(middle, y + 21, text, ha="center", va="center", weight="bold", color=ink, fontsize=13)
    axes.text(middle, y + 39, say("grade_is", g=row["grade"]), ha="center", va="center", color=ink,
              fontsize=SMALL)  # fmt: skip
