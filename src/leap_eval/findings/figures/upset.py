"""UpSet: which services families combined, as columns of dots under bars of children."""

from __future__ import annotations

from collections.abc import Sequence

from leap_eval.findings.figures.style import BLUE, FAINT, GREY, INK, canvas, finished
from leap_eval.findings.release import Row
from leap_eval.findings.words import JOIN, label, shown
from leap_eval.reference.labels import figures


def columns(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the drawn combinations: none and rest left to the table, by size, then by name."""
    told = [r for r in rows if r["combination"] not in ("none", "rest", "all", "total")]
    told.sort(key=lambda r: (-float(r["value"] or 0), r["combination"]))
    return tuple(told[: figures()["upset"]["most"]])


def upset(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw the combinations."""
    services = sorted({s for r in rows for s in r["combination"].split(JOIN)})
    rows = [r for r in rows if r["value"] or r["marker"]]
    with canvas(680, 250 + 22 * len(services)) as figure:
        share = 22 * len(services) / (250 + 22 * len(services))
        top = figure.add_axes((0.3, share + 0.06, 0.69, 0.9 - share))
        dots = figure.add_axes((0.3, 0.05, 0.69, share))
        _bars(top, rows)
        _dots(dots, rows, services)
        top.set_xlim(-0.6, max(len(rows), 6) - 0.4)
        dots.set_xlim(top.get_xlim())
        return finished(figure, prefix, title, words, demo=demo)


def _bars(axes, rows) -> None:  # type: ignore[no-untyped-def]
    values = [float(r["value"] or 0) for r in rows]
    for i, (row, value) in enumerate(zip(rows, values, strict=True)):
        axes.bar(i, value, width=0.66, color=BLUE, gid=f"row-{i}")
        axes.text(
            i, value + max([*values, 1]) * 0.03, shown(row), ha="center", va="bottom", fontsize=8.5,
            rotation=0 if len(rows) <= 16 else 90,
        )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.set_ylabel("children", rotation=0, ha="right", fontsize=9.5)
    axes.set_ylim(0, max([*values, 1]) * 1.15)


def _dots(axes, rows, services) -> None:  # type: ignore[no-untyped-def]
    for i, row in enumerate(rows):
        inside = [services.index(s) for s in row["combination"].split(JOIN)]
        axes.scatter([i] * len(services), range(len(services)), s=26, color=FAINT, zorder=1)
        axes.scatter([i] * len(inside), inside, s=34, color=INK, zorder=3)
        if len(inside) > 1:
            axes.plot([i, i], [min(inside), max(inside)], color=INK, lw=2, zorder=2)
    axes.set_yticks(range(len(services)), [label("service", s) for s in services])
    axes.set_ylim(len(services) - 0.5, -0.5)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
