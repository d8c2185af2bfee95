"""Balance and quality: how alike groups are, and a strip of shares with their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Rectangle

from leap_eval.findings.figures.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    PAPER,
    RUST,
    SHADES,
    canvas,
    finished,
)  # fmt: skip
from leap_eval.findings.release import Row
from leap_eval.findings.words import label, number
from leap_eval.reference.labels import figures


def love(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw each covariate's largest imbalance over the arms, before and after weighting."""
    rule = figures()["love"]
    names = list(dict.fromkeys(r["covariate"] for r in rows))
    height = 22 * len(names) + 66
    with canvas(680, height) as figure:
        axes = figure.add_axes((0.3, 44 / height, 0.68, 1 - 70 / height))
        for line in (0.1, 0.2):
            axes.axvline(line, color=FAINT, lw=1.2, ls=(0, (4, 3)))
        for i, name in enumerate(names):
            _row(axes, i, [r for r in rows if r["covariate"] == name], rule["limits"][1])
        axes.set_xlim(*rule["limits"])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_yticks(range(len(names)), [label("covariate", n) for n in names])
        axes.set_xticks(rule["ticks"], [f"{t:g}" for t in rule["ticks"]])
        axes.tick_params(length=0)
        axes.set_xlabel("size of the difference between groups, in standard deviations", fontsize=9)
        axes.plot([], [], "o", color=RUST, mfc="none", label="before weighting")
        axes.plot([], [], "o", color=BLUE, label="after weighting")
        figure.legend(loc="upper right", ncols=2, fontsize=8.5, frameon=False)
        return finished(figure, prefix, title, words, demo=demo)


def _row(axes, i, rows, most) -> None:  # type: ignore[no-untyped-def]
    for measure, colour, full in (("smd_before", RUST, False), ("smd_after", BLUE, True)):
        told = [abs(float(r["value"])) for r in rows if r["measure"] == measure and r["value"]]
        if told:
            axes.plot(
                [min(max(told), most)], [i], "o", ms=6.5, color=colour,
                mfc=colour if full else "none", gid=f"row-{i}-{measure}",
            )  # fmt: skip


def strip(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw partners by measure as squares with their numbers, shaded by size."""
    names = list(dict.fromkeys(r["partner"] for r in rows))
    measures = [
        m for m in ("completeness", "no_consent_share") if any(r["measure"] == m for r in rows)
    ]
    height = 30 * len(names) + 54
    with canvas(680, height) as figure:
        axes = figure.add_axes((0.3, 20 / height, 0.68, 1 - 50 / height))
        for row in rows:
            if row["measure"] in measures:
                _share(axes, measures.index(row["measure"]), names.index(row["partner"]), row)
        axes.set_xlim(0, len(measures))
        axes.set_ylim(len(names), 0)
        axes.set_yticks([i + 0.5 for i in range(len(names))], [label("partner", n) for n in names])
        axes.set_xticks(
            [i + 0.5 for i in range(len(measures))], [label("measure", m) for m in measures]
        )
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        return finished(figure, prefix, title, words, demo=demo)


def _share(axes, x, y, row) -> None:  # type: ignore[no-untyped-def]
    empty = not row["value"]
    level = 0 if empty else min(5, int(float(row["value"]) * 5))
    axes.add_patch(
        Rectangle(
            (x + 0.02, y + 0.08), 0.96, 0.84, facecolor=PAPER if empty else SHADES[level],
            edgecolor=GREY, lw=0.8, hatch="////" if empty else None,
        )
    )  # fmt: skip
    text = ("c" if row["marker"] == "c" else "x") if empty else number(row["value"], row["measure"])
    axes.text(
        x + 0.5,
        y + 0.5,
        text,
        ha="center",
        va="center",
        weight="bold",
        color=PAPER if level > 3 else INK,
    )
