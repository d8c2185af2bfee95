"""UpSet: which services families combined, as columns of dots under bars of children."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from leap_eval.findings.figures.style import BLUE, FAINT, GREY, INK, SMALL, canvas, finished
from leap_eval.findings.release import Row
from leap_eval.findings.words import JOIN, label, say, shown
from leap_eval.reference.labels import figures

LEFT, RIGHT, FLOOR, STEP = 178, 398, 170, 21


def columns(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the drawn combinations: none and rest left to the table, by size, then by name."""
    told = [r for r in rows if r["combination"] not in ("none", "rest", "all", "total")]
    told.sort(key=lambda r: (-float(r["value"] or 0), r["combination"]))
    return tuple(told[: figures()["upset"]["most"]])


def upset(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw the combinations."""
    services = sorted({s for r in rows for s in r["combination"].split(JOIN)})
    gap = (RIGHT - LEFT) / max(len(rows), 6)
    most = max([float(r["value"] or 0) for r in rows] + [1])
    with canvas(FLOOR + STEP * len(services) + 14) as (figure, axes):
        axes.text(LEFT - 8, FLOOR - 4, say("children"), ha="right", va="bottom", color=GREY)
        axes.plot([LEFT, RIGHT], [FLOOR, FLOOR], color=GREY, lw=0.8)
        for i, row in enumerate(rows):
            middle = LEFT + gap * (i + 0.5)
            tall = (FLOOR - 34) * float(row["value"] or 0) / most
            axes.add_patch(
                Rectangle((middle - gap * 0.34, FLOOR - tall), gap * 0.68, tall, color=BLUE, lw=0,
                          gid=f"row-{i}")
            )  # fmt: skip
            axes.text(
                middle, FLOOR - tall - 4, shown(row), ha="center", va="bottom", fontsize=SMALL,
                rotation=0 if len(rows) <= 9 else 90,
            )  # fmt: skip
            _dots(axes, middle, row, services, min(4.2, gap * 0.3))
        for i, service in enumerate(services):
            axes.text(LEFT - 8, FLOOR + 16 + STEP * i, label("service", service), ha="right",
                      va="center", fontsize=10.5)  # fmt: skip
        return finished(figure, prefix, title, words, demo=demo)


def _dots(axes: Axes, x: float, row: Row, services: Sequence[str], size: float) -> None:
    used = [services.index(s) for s in row["combination"].split(JOIN)]
    places = [FLOOR + 16 + STEP * i for i in range(len(services))]
    axes.plot([x] * len(places), places, "o", ms=size * 2, color=FAINT, mew=0)
    if len(used) > 1:
        axes.plot([x, x], [places[min(used)], places[max(used)]], color=INK, lw=2)
    axes.plot([x] * len(used), [places[i] for i in used], "o", ms=size * 2, color=INK, mew=0)
